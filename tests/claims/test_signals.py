"""Signs of fraud: they hand an approval to a person, say why, and deny nothing (Q45)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.ids import new_id
from libs.common.money import Money
from libs.common.plans.codes import Outcome
from services.claims.domain import adjudicate, straight_through
from services.claims.domain.signals import (
    EARLY_HOURS,
    MANY_CLAIMS_COUNT,
    OtherPolicy,
    SharedFile,
    Signal,
    Surroundings,
    held_back,
    signals_of,
)
from tests.claims.builders import BOOK, a_cover, at, some_terms, tracked
from tests.claims.desk import Desk, done, way_of
from tests.claims.desk import tracked as parcel
from tests.conftest import AppOf, DbOf, Token
from tests.files import a_pdf
from tests.plans.builders import any_facts
from tests.policy.builders import OTHER_TENANT, Json

CSSECURE = BOOK.newest("cssecure")
NOW = "2024-03-02T09:00"
LIMIT = Money(50_000, "CNY")
ANY = [(plan, peril) for plan in BOOK for peril in plan.perils]

# Cover of cssecure starts with the dispatch.
DISPATCHED = at("2024-01-04T01:00")
FACTS: dict[str, Any] = {
    "paid_at": at("2024-01-01T02:00"),
    "dispatched_at": DISPATCHED,
    "notified_at": DISPATCHED + timedelta(days=60),
}


def codes(around: Surroundings, cover: Any = None, **facts: Any) -> list[str]:
    signals = signals_of(CSSECURE, {**FACTS, **facts}, cover or a_cover(), around)
    return [signal.code for signal in signals]


# --- The rules, pure -------------------------------------------------------------------------


def test_q45_a_claim_with_nothing_around_it_has_no_signal() -> None:
    assert codes(Surroundings()) == []


def test_q45_a_file_that_another_claim_has_names_those_claims() -> None:
    files = (
        SharedFile(kind="damage_photos", claim_id="clm_8"),
        SharedFile(kind="damage_photos", claim_id="clm_9"),
        SharedFile(kind="damage_list", claim_id="clm_9"),
    )

    (signal,) = signals_of(CSSECURE, FACTS, a_cover(), Surroundings(files=files))

    assert (signal.code, signal.references) == ("SAME_FILE", ("clm_8", "clm_9"))
    assert signal.detail == (
        "The very same file is on 2 other claims: damage_photos, damage_list."
    )


@pytest.mark.parametrize(
    ("mine", "others", "is_one"),
    [
        ("ems", "E.M.S.", True),
        ("ems", "", True),
        ("", "ups", True),
        ("ems", "ups", False),
    ],
)
def test_q45_two_policies_on_one_number_are_told_by_their_carriers(
    mine: str, others: str, is_one: bool
) -> None:
    cover = a_cover(carrier=mine, tracking_number="EZ1")
    around = Surroundings(policies=(OtherPolicy(policy_id="pol_2", carrier=others),))

    assert codes(around, cover) == (["SAME_PARCEL"] if is_one else [])


def test_q45_a_number_that_the_carrier_gave_again_is_another_parcels() -> None:
    paid_at = at("2024-01-01T02:00")
    cover = a_cover(
        tracking_number="EZ1",
        paid_at=paid_at,
        tracking=tracked(delivered_at="2024-02-01T00:00"),
    )

    def other(**times: Any) -> Surroundings:
        return Surroundings(policies=(OtherPolicy(policy_id="pol_2", carrier="", **times),))

    assert codes(other(delivered_at=paid_at), cover) == []
    assert codes(other(delivered_at=paid_at + timedelta(seconds=1)), cover) == ["SAME_PARCEL"]
    assert codes(other(paid_at=at("2024-02-01T00:00")), cover) == []
    assert codes(other(paid_at=at("2024-01-31T23:59")), cover) == ["SAME_PARCEL"]


def test_q45_a_claim_within_a_day_of_the_covers_start_is_early() -> None:
    day = timedelta(hours=EARLY_HOURS)

    assert codes(Surroundings(), notified_at=DISPATCHED) == ["EARLY_CLAIM"]
    assert codes(Surroundings(), notified_at=DISPATCHED + day) == ["EARLY_CLAIM"]
    assert codes(Surroundings(), notified_at=DISPATCHED + day + timedelta(seconds=1)) == []
    # What is said to have happened counts before the day on which it was told.
    assert codes(Surroundings(), event_at=DISPATCHED + timedelta(hours=3)) == ["EARLY_CLAIM"]
    assert (
        codes(
            Surroundings(),
            event_at=DISPATCHED + timedelta(days=9),
            notified_at=DISPATCHED + day,
        )
        == []
    )
    # Before its start there is no cover, which a denial says; without a start there is none either.
    assert codes(Surroundings(), event_at=DISPATCHED - timedelta(seconds=1)) == []
    assert codes(Surroundings(), dispatched_at=None, notified_at=DISPATCHED) == []


def test_q45_many_claims_of_one_customer_are_three_others() -> None:
    claims = tuple(f"clm_{number}" for number in range(MANY_CLAIMS_COUNT))

    assert codes(Surroundings(claims=claims[1:])) == []
    assert codes(Surroundings(claims=claims)) == ["MANY_CLAIMS"]


def any_signals() -> st.SearchStrategy[tuple[Signal, ...]]:
    some = [
        Signal(code=code, detail="") for code in ("SAME_FILE", "EARLY_CLAIM", "MANY_CLAIMS")
    ]
    return st.lists(st.sampled_from(some), max_size=4).map(tuple)


@settings(max_examples=100, deadline=None)
@given(facts=any_facts(), signals=any_signals())
def test_q45_signals_only_ever_keep_an_approval_from_settling(
    facts: dict[str, Any], signals: tuple[Signal, ...]
) -> None:
    for plan, peril in ANY:
        decision = adjudicate(plan, peril, facts)
        answer = straight_through(plan, decision, facts, Money(50_000, plan.currency))

        held = held_back(answer, decision, signals)

        is_held = bool(signals) and answer.settles and decision.outcome is Outcome.APPROVED
        assert held.settles is (answer.settles and not is_held)
        assert held == answer or all(signal.code in held.why for signal in signals)


# --- The service -----------------------------------------------------------------------------


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Any) -> Desk:
    desk = await Desk.open(app_of, db_of, token, evidence=str(tmp_path))
    await desk.at(NOW)
    await desk.of(OTHER_TENANT).at(NOW)
    return desk


async def a_late_parcel(desk: Desk, *, number: str = "", customer: str = "") -> str:
    """A policy whose delay is approved and paid without a person."""
    policy_id = new_id("pol")
    late = parcel(policy_id, state="RUN_OFF", delivered_at="2024-03-02T07:00")
    late = _with_number(late, number or policy_id)
    await desk.hears(
        *way_of(policy_id, tenant=desk.tenant, tracking=late, customer_id=customer or policy_id)
    )
    return policy_id


def _with_number(update: Any, number: str) -> Any:
    values = {name: getattr(update, name) for name in update.__struct_fields__}
    return type(update)(**{**values, "tracking_number": number})


async def a_picture_of(desk: Desk, policy_id: str, content: bytes) -> str:
    uploaded = done(await desk.upload(content, "product_images", policy_id=policy_id))
    return str(uploaded["evidence_id"])


async def a_delay_with(desk: Desk, content: bytes) -> Json:
    policy_id = await a_late_parcel(desk)
    paper = await a_picture_of(desk, policy_id, content)
    return await desk.a_claim(policy_id=policy_id, evidence_ids=[paper])


def waits(claim: Json) -> str | None:
    decision = claim["decision"]
    # Whatever waits, its outcome, its amount and its reasons are those of the plan.
    assert (decision["outcome"], decision["payout"]["amount_minor"]) == ("APPROVED", 7_000)
    assert decision["reasons"] == []
    assert decision["is_settled"] is (decision["waits_because"] is None)
    assert claim["state"] == ("REFERRED" if decision["waits_because"] else "APPROVED")
    why: str | None = decision["waits_because"]
    return why


async def test_q45_the_same_file_on_another_claim_waits_for_a_person_who_may_settle_it(
    desk: Desk,
) -> None:
    first = await a_delay_with(desk, a_pdf("one"))
    other = await a_delay_with(desk, a_pdf("two"))
    again = await a_delay_with(desk, a_pdf("one"))

    assert (waits(first), first["signals"]) == (None, [])
    assert (waits(other), other["signals"]) == (None, [])
    assert waits(again) == "signals of fraud: SAME_FILE"
    (signal,) = again["signals"]
    assert (signal["code"], signal["references"]) == ("SAME_FILE", [first["claim_id"]])
    assert again["payouts"] == []
    assert (await desk.told_last(again["policy_id"]))["signals"] == ["SAME_FILE"]

    settled = await desk.post(f"/v1/claims/{again['claim_id']}/decision", {})

    assert settled.status_code == 200, settled.text
    claim = settled.json()
    assert waits(claim) is None
    # Settled in spite of it, and it is still told.
    assert [signal["code"] for signal in claim["signals"]] == ["SAME_FILE"]
    assert [payout["state"] for payout in claim["payouts"]] == ["APPROVED"]


async def test_q45_a_file_counts_within_its_tenant_and_where_claimants_brought_it(
    desk: Desk,
) -> None:
    first = await a_delay_with(desk, a_pdf("one"))
    elsewhere = await a_delay_with(desk.of(OTHER_TENANT), a_pdf("one"))
    assert waits(elsewhere) is None

    # A carrier's letter may be of many parcels, and the platform's page of one is everybody's.
    for supplier in ("provider", "platform"):
        brought = f"UPDATE evidence SET submitted_by = '{supplier}' WHERE tenant_id = $1"
        await desk.rows(brought)
        assert waits(await a_delay_with(desk, a_pdf("one"))) is None

    await desk.rows("UPDATE evidence SET submitted_by = 'claimant' WHERE tenant_id = $1")
    assert waits(await a_delay_with(desk, a_pdf("one"))) == "signals of fraud: SAME_FILE"
    assert first["policy_id"] != elsewhere["policy_id"]


async def test_q45_a_claim_that_was_withdrawn_on_the_same_parcel_leaves_its_papers(
    desk: Desk,
) -> None:
    policy_id = await a_late_parcel(desk)
    papers = [await a_picture_of(desk, policy_id, a_pdf("one")) for _ in range(2)]
    first = await desk.a_claim(policy_id=policy_id, evidence_ids=papers[:1])
    withdraw = "UPDATE claims SET state = 'WITHDRAWN' WHERE tenant_id = $1 AND claim_id = $2"
    await desk.rows(withdraw, first["claim_id"])

    assert waits(await desk.a_claim(policy_id=policy_id, evidence_ids=papers[1:])) is None

    # On another parcel the same paper is a sign all the same.
    assert waits(await a_delay_with(desk, a_pdf("one"))) == "signals of fraud: SAME_FILE"


async def test_q45_another_policy_on_the_parcel_waits_for_a_person(desk: Desk) -> None:
    first = await a_late_parcel(desk, number="EZ1")
    claim = await desk.a_claim(policy_id=first)
    second = await a_late_parcel(desk, number="EZ1")
    await a_late_parcel(desk.of(OTHER_TENANT), number="EZ2")
    third = await a_late_parcel(desk, number="EZ2")

    again = await desk.a_claim(policy_id=second)

    assert waits(claim) is None
    assert waits(again) == "signals of fraud: SAME_PARCEL"
    (signal,) = again["signals"]
    assert signal["references"] == [first]
    assert signal["detail"] == "1 other policy of the tracking number EZ1."
    assert waits(await desk.a_claim(policy_id=third)) is None
    # One that was never in force insured nothing.
    await desk.rows(
        "UPDATE covers SET state = 'CANCELLED' WHERE policy_id = $2 AND tenant_id = $1", third
    )
    assert waits(await desk.a_claim(policy_id=await a_late_parcel(desk, number="EZ2"))) is None


async def test_q45_a_customers_fourth_claim_in_ninety_days_waits_for_a_person(
    desk: Desk,
) -> None:
    claims = [
        await desk.a_claim(policy_id=await a_late_parcel(desk, customer="ann"))
        for _ in range(MANY_CLAIMS_COUNT + 1)
    ]

    assert [waits(claim) for claim in claims] == [
        *[None] * MANY_CLAIMS_COUNT,
        "signals of fraud: MANY_CLAIMS",
    ]
    (signal,) = claims[-1]["signals"]
    assert sorted(signal["references"]) == sorted(c["claim_id"] for c in claims[:-1])
    assert signal["detail"] == "The customer filed 3 other claims in the 90 days before."
    assert (
        waits(await desk.a_claim(policy_id=await a_late_parcel(desk, customer="bob"))) is None
    )

    # One of them 90 days ago, or taken back, and they are not many any more.
    change = "UPDATE claims SET {} WHERE tenant_id = $1 AND claim_id = $2"
    aged = change.format("filed_at = filed_at - interval '90 days'")
    await desk.rows(aged, claims[0]["claim_id"])
    await desk.rows(change.format("state = 'WITHDRAWN'"), claims[1]["claim_id"])
    assert (
        waits(await desk.a_claim(policy_id=await a_late_parcel(desk, customer="ann"))) is None
    )


async def test_a_proposal_says_why_it_waits_also_without_a_signal(desk: Desk) -> None:
    policy_id = await a_late_parcel(desk)

    claim = await desk.a_claim("DAMAGE", policy_id=policy_id)

    assert claim["state"] == "INFO_REQUIRED"
    assert claim["decision"]["waits_because"] is None
    papers = await desk.papers(
        "unboxing_video", "damage_list", "damage_photos", policy_id=policy_id
    )
    path = f"/v1/claims/{claim['claim_id']}/evidence"
    waiting = (await desk.post(path, {"evidence_ids": papers})).json()
    assert waiting["state"] == "REFERRED"
    assert waiting["decision"]["waits_because"] == "denied on merit"


async def test_a_signal_that_comes_later_is_news_to_the_person_who_has_the_approval(
    desk: Desk,
) -> None:
    await desk.a_claim(policy_id=await a_late_parcel(desk, number="EZ1"))
    second = await a_late_parcel(desk, number="EZ1")
    waiting = await desk.a_claim(policy_id=second)
    shared = a_pdf("one")
    await a_delay_with(desk, shared)

    # Papers decide it anew: the answer is the same, and there is one sign more.
    paper = await a_picture_of(desk, second, shared)
    path = f"/v1/claims/{waiting['claim_id']}/evidence"
    claim = (await desk.post(path, {"evidence_ids": [paper]})).json()

    assert claim["decision"]["number"] == 2
    assert claim["decision"]["waits_because"] == "signals of fraud: SAME_FILE, SAME_PARCEL"
    assert len((await desk.show(claim))["signals"]) == 2


def test_the_rules_read_nothing_but_their_arguments() -> None:
    """The same surroundings give the same signals, in the same order."""
    cover = replace(a_cover(), terms=some_terms(customer_id="ann"), tracking_number="EZ1")
    around = Surroundings(
        files=(SharedFile(kind="damage_list", claim_id="clm_9"),),
        policies=(OtherPolicy(policy_id="pol_2", carrier=""),),
        claims=("clm_1", "clm_2", "clm_3"),
    )

    assert codes(around, cover, notified_at=DISPATCHED) == [
        "SAME_FILE",
        "SAME_PARCEL",
        "EARLY_CLAIM",
        "MANY_CLAIMS",
    ]
