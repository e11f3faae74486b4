"""What an appeal can do, and what not, whatever is found: the rules alone, without a service."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from libs.common.auth import CLAIMS_DECIDE, CLAIMS_MANAGE
from libs.common.money import Money
from libs.common.plans.codes import Outcome
from libs.common.plans.values import Plan
from services.claims.domain import adjudicate, appeals, filing
from services.claims.domain.appeals import Appeal, Window
from services.claims.domain.approvals import Override, second_hearer
from services.claims.domain.cases import Cover, Findings
from services.claims.domain.decision import Decision
from services.claims.domain.facts_of_claim import facts
from services.claims.domain.filing import Payout
from services.claims.domain.service_terms import appeal
from tests.claims.builders import (
    BOOK,
    a_case,
    a_claim,
    a_cover,
    an_item,
    at,
    some_terms,
    tracked,
)
from tests.plans.builders import a_plan, with_replaced

BML, MYPOZ = BOOK.newest("bml-shipping"), BOOK.newest("mypoz-cargo")
DECIDED_AT = datetime(2024, 5, 1, 9, tzinfo=UTC)
NOW = at("2024-05-08T09:00")


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def an_appeal(tier: int = 1, state: str = "UPHELD", **changes: Any) -> Appeal:
    filed = Appeal(
        appeal_id=f"apl_{tier}",
        claim_id="clm_1",
        tier=tier,
        body="second_adjudicator",
        grounds="It is worth more.",
        filed_by="shop",
        filed_at=DECIDED_AT,
        file_by=date(2024, 5, 31),
        decide_by=date(2024, 5, 6),
        is_final=tier == 3,
        against="dec_1",
        state=state,
        decided_at=None if state == "OPEN" else DECIDED_AT,
    )
    return replace(filed, **changes)


def damaged() -> Cover:
    """A parcel of two things, delivered on 1 May 2024."""
    shoes, lamp = (an_item(i, value=usd(42_500)) for i in ("i1", "i2"))
    terms = some_terms("USD", items=(shoes, lamp))
    known = tracked(
        dispatched_at="2024-04-01T00:00",
        last_update_at="2024-05-01T08:00",
        delivered_at="2024-05-01T08:00",
    )
    return a_cover("bml-shipping", terms=terms, tracking=known)


def decision_on(found: Findings) -> Decision:
    claim = a_claim(
        "DAMAGE",
        at("2024-05-02T08:00"),
        statement={"item_ids": ("i1", "i2")},
        evidence=("product_images", "unboxing_video"),
        findings=found,
        info_requested_at=at("2024-05-02T08:00"),
    )
    case = a_case(damaged(), claim)
    return adjudicate(BML, "DAMAGE", facts(case, NOW))


_amounts = st.none() | st.integers(0, 100_000).map(usd)
_flags = st.none() | st.booleans()
_grades = st.integers(0, 10).map(lambda tenths: Decimal(tenths) / 10)
_seen = ("sealed_six_sides_label", "continuous_in_frame", "damage_shown")
any_findings = st.builds(
    Findings,
    carrier_paid=_amounts,
    refund_to_buyer=_amounts,
    proven_value=_amounts,
    insurer_approved=_amounts,
    insurer_decided=_flags,
    grades=st.dictionaries(st.sampled_from(["i1", "i2"]), _grades),
    video_elements=st.sampled_from([(), _seen[:2], _seen, _seen]),
    exception_noted=_flags,
    is_freight_paid=_flags,
    is_misdeclared=_flags,
)


@given(before=any_findings, found=any_findings)
def test_bm_27_no_finding_lowers_the_award_through_an_appeal(
    before: Findings, found: Findings
) -> None:
    """Nor does money that the carrier paid since: it is among what may be found."""
    stood = decision_on(before)
    award = appeals.award(stood.outcome.value, stood.payout)
    anew = decision_on(filing.merged(before, found))

    is_varied = appeals.varies(award, anew)

    after = appeals.award(anew.outcome.value, anew.payout) if is_varied else award
    event(f"{stood.outcome} to {anew.outcome}, {'varied' if is_varied else 'upheld'}")
    assert after >= award
    assert is_varied == (after > award)
    assert not is_varied or anew.outcome is Outcome.APPROVED


def test_money_the_carrier_paid_since_is_not_taken() -> None:
    before = Findings(video_elements=_seen)
    stood = decision_on(before)
    anew = decision_on(replace(before, carrier_paid=usd(40_000)))
    assert (stood.payout, anew.payout) == (usd(85_000), usd(45_000))

    assert not appeals.varies(stood.payout, anew)


def test_an_approval_of_nothing_wins_no_appeal() -> None:
    denied = appeals.award("DENIED", usd(85_000))
    anew = decision_on(Findings(video_elements=_seen, carrier_paid=usd(85_000)))

    assert denied == usd(0)
    assert not appeals.varies(denied, anew)


# --- tiers -----------------------------------------------------------------------------------


@given(
    asked=st.lists(st.none() | st.integers(1, 5), max_size=12),
    plan=st.sampled_from([BML, MYPOZ]),
)
def test_bm_27_tiers_are_heard_strictly_in_order_and_the_last_one_is_final(
    asked: list[int | None], plan: Plan
) -> None:
    heard: list[Appeal] = []
    for tier in asked:
        answer = appeals.answer(
            plan, heard, decided_at=DECIDED_AT, filed_at=DECIDED_AT, tier=tier
        )
        following = len(heard) + 1
        is_next = tier in (None, following) and following <= len(plan.appeal)
        assert answer.accepted == is_next
        if is_next:
            assert answer.is_final == (following == len(plan.appeal))
            heard.append(an_appeal(following, is_final=answer.is_final))
    left = appeals.window(plan, heard, decided_at=DECIDED_AT)
    assert (left.tier is None) == (len(heard) == len(plan.appeal))


def test_behind_a_final_tier_there_is_none() -> None:
    two = "{tier: 1, body: second, file: {days: 14}, decide: {working_days: 10}"
    tiers = (
        f"{two}, final: true}}, {{tier: 2, body: third, file: {{days: 1}}, decide: {{days: 1}}"
    )
    plan = a_plan(with_replaced(**{two: tiers}))
    known = {"previous_decided_at": DECIDED_AT, "filed_at": DECIDED_AT}

    assert appeal(plan, {**known, "tiers_exhausted": (1,)}).reason == "APPEAL_EXHAUSTED"


def test_the_window_ends_with_the_local_day_and_runs_from_what_was_decided_last() -> None:
    first = appeals.window(MYPOZ, [], decided_at=datetime(2024, 5, 1, 20, tzinfo=UTC))
    # 2 May in Kuala Lumpur, and 14 days.
    assert (first.tier, first.file_by) == (1, date(2024, 5, 16))
    assert first.closes_at == datetime(2024, 5, 16, 16, tzinfo=UTC)

    later = an_appeal(decided_at=DECIDED_AT + timedelta(days=40))
    second = appeals.window(BML, [later], decided_at=DECIDED_AT)
    assert (second.tier, second.file_by) == (2, date(2024, 7, 10))


@pytest.mark.parametrize("heard", [[an_appeal(1)], []])
def test_with_no_tier_left_the_window_is_over_at_once(heard: Sequence[Appeal]) -> None:
    silent = a_plan(with_replaced(**{"appeal: {": "# {"}))
    plan = MYPOZ if heard else silent

    assert appeals.window(plan, heard, decided_at=DECIDED_AT) == Window(closes_at=DECIDED_AT)


def test_a_refusal_tells_what_would_work() -> None:
    def refusal(tier: int, heard: Sequence[Appeal], days: int = 0) -> Any:
        filed_at = DECIDED_AT + timedelta(days=days)

        def answer(asked: int | None) -> Any:
            return appeals.answer(
                BML, heard, decided_at=DECIDED_AT, filed_at=filed_at, tier=asked
            )

        with pytest.raises(filing.Conflict) as raised:
            appeals.must_be_taken(answer(tier), answer(None))
        return raised.value

    late = refusal(1, [], days=31)
    assert (late.code, late.extra["file_by"]) == ("appeal-late", "2024-05-31")
    skipped = refusal(3, [an_appeal(1)])
    assert (skipped.code, skipped.extra["next_tier"]) == ("appeal-tier-skipped", 2)
    spent = refusal(1, [an_appeal(1)])
    assert (spent.code, spent.extra["reason"]) == ("appeal-exhausted", "APPEAL_EXHAUSTED")
    assert "tier 2 comes next" in spent.detail
    over = refusal(4, [an_appeal(n) for n in (1, 2, 3)])
    assert over.detail == "No tier is left to appeal to."


# --- the end of a claim ----------------------------------------------------------------------


def a_payout(state: str, kind: str = "PAYOUT") -> Payout:
    return Payout(
        payout_id="pyt_1",
        claim_id="clm_1",
        policy_id="pol_1",
        decision_id="dec_1",
        amount=usd(100),
        instrument="cash",
        state=state,
        kind=kind,
    )


def test_only_what_is_settled_and_past_its_window_is_over() -> None:
    last = Window(closes_at=DECIDED_AT)
    done = [a_payout("CONFIRMED"), a_payout("VOID")]

    for state in filing.OPEN_STATES | filing.STANDING_STATES | {"NOTIFIED", "WITHDRAWN"}:
        is_over = appeals.is_over(state, last, done, DECIDED_AT)
        assert is_over == (state in {"PAID", "DENIED"}), state
    for kind in ("PAYOUT", "ADVANCE"):
        for on_its_way in ("CREATED", "APPROVED", "SENT", "FAILED"):
            payouts = [*done, a_payout(on_its_way, kind)]
            assert not appeals.is_over("DENIED", last, payouts, DECIDED_AT)
    before = DECIDED_AT - timedelta(microseconds=1)
    assert not appeals.is_over("PAID", last, done, before)


def test_an_open_appeal_goes_before_the_state_of_the_money() -> None:
    for payouts in ([], [a_payout("SENT")], [a_payout("CONFIRMED")]):
        for outcome in (Outcome.APPROVED, Outcome.DENIED):
            state = filing.standing(outcome, payouts, is_under_appeal=True)
            assert state == "UNDER_APPEAL"


def test_g_13_a_manager_agrees_to_what_a_senior_tier_overrides() -> None:
    late = Override(code="LATE_NOTICE", why="In hospital.", by="ben")

    assert second_hearer([late], is_senior=False).scope == CLAIMS_DECIDE
    wanted = second_hearer([late], is_senior=True)
    assert (wanted.scope, wanted.why) == (CLAIMS_MANAGE, "LATE_NOTICE: In hospital.")
