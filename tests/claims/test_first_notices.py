"""First notices, purely: which claims a parcel's way suggests under which plan, since when, how long."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from libs.common.plans.codes import POLICY_STATES
from libs.common.plans.reading import load
from libs.common.plans.values import Plan
from libs.common.settings import PROGRAMMES
from services.claims.domain.cases import Claim, Cover, EarlierClaim, Statement, Tracking
from services.claims.domain.first_notices import (
    FOUND,
    SILENCE,
    FirstNotice,
    Outlook,
    Sign,
    Watched,
    look,
)
from tests.claims.builders import BOOK, a_cover, at, cny, some_terms, tracked

PLANS = ("mypoz-cargo", "bml-shipping", "tks-warehouse", "jsx-cargo", "cssecure")
SENT = {"dispatched_at": "2024-01-04T01:00", "last_update_at": "2024-01-08T01:00"}
SEEN = "2024-01-08T01:00"
NOW = at("2024-01-08T02:00")
TICK = timedelta(microseconds=1)


def on_its_way(plan: str, state: str = "ACTIVE", *, terms: Any = (), **told: str) -> Cover:
    """A parcel that left on 4 January 2024, and was last heard of on the 8th."""
    changes = {"status": told.pop("status", "in_transit")}
    tracking = replace(tracked(**{**SENT, **told}), **changes)
    cover = a_cover(plan, state=state, tracking=tracking)
    return replace(cover, terms=some_terms(cover.currency, **dict(terms)))


def outlook_of(
    cover: Cover, now: datetime = NOW, *, plan: Plan | None = None, **known: Any
) -> Outlook:
    pinned = plan or BOOK.pinned(cover.plan_sha256)
    return look(pinned, Watched(cover=cover, **known), now)


def suggested(
    cover: Cover, now: datetime = NOW, *, plan: Plan | None = None, **known: Any
) -> dict[str, str]:
    """Cause by peril of the notices that are due."""
    outlook = outlook_of(cover, now, plan=plan, **known)
    return {notice.sign.peril: notice.sign.cause for notice in outlook.notices}


def a_notice(peril: str, notified_at: datetime = NOW) -> dict[str, Claim]:
    claim = Claim(
        claim_id="clm_1",
        statement=Statement(peril=peril),
        notified_at=notified_at,
        filed_at=None,
    )
    return {peril: claim}


# --- what a scan suggests ----------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize(
    ("scan", "peril"), [("lost", "LOSS"), ("destroyed", "LOSS"), ("damaged", "DAMAGE")]
)
def test_a_scan_suggests_its_peril_since_it_was_said(plan: str, scan: str, peril: str) -> None:
    [notice] = outlook_of(on_its_way(plan, **{f"{scan}_at": SEEN})).notices

    assert notice.sign == Sign(peril=peril, cause=scan, seen_at=at(SEEN))


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize(("scan", "peril"), [("seized", "SEIZURE"), ("returned", "RETURN")])
def test_cs_13_a_seizure_and_a_return_are_suggested_only_where_they_are_covered(
    plan: str, scan: str, peril: str
) -> None:
    found = suggested(on_its_way(plan, **{f"{scan}_at": SEEN}))

    assert found == ({peril: scan} if plan == "cssecure" else {})


def test_of_two_scans_for_one_peril_the_first_is_the_cause() -> None:
    destroyed_first = on_its_way(
        "cssecure", destroyed_at="2024-01-06T00:00", lost_at="2024-01-07T00:00"
    )
    lost_first = on_its_way(
        "cssecure", destroyed_at="2024-01-07T00:00", lost_at="2024-01-06T00:00"
    )

    assert suggested(destroyed_first) == {"LOSS": "destroyed"}
    assert suggested(lost_first) == {"LOSS": "lost"}


def test_one_way_may_suggest_several_perils() -> None:
    cover = on_its_way("cssecure", damaged_at=SEEN, returned_at=SEEN, seized_at=SEEN)

    assert suggested(cover) == {"DAMAGE": "damaged", "RETURN": "returned", "SEIZURE": "seized"}


@pytest.mark.parametrize("plan", PLANS)
def test_a_parcel_on_its_way_suggests_nothing(plan: str) -> None:
    assert suggested(on_its_way(plan)) == {}
    assert suggested(on_its_way(plan, "RUN_OFF", delivered_at=SEEN)) == {}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("state", sorted(POLICY_STATES - {"ACTIVE", "RUN_OFF"}))
def test_nothing_is_suggested_on_a_policy_that_is_not_in_force(plan: str, state: str) -> None:
    cover = on_its_way(plan, state, lost_at=SEEN, damaged_at=SEEN)

    assert outlook_of(cover) == Outlook()
    assert outlook_of(cover, at("2024-09-01T00:00")) == Outlook()


def test_nothing_is_suggested_where_the_goods_are_paid_in_full() -> None:
    cover = on_its_way("cssecure", lost_at=SEEN)
    paid = EarlierClaim(peril="SHORTAGE", outcome="APPROVED", goods_paid=cny("1200"))
    part = replace(paid, goods_paid=cny("1199.99"))

    assert suggested(cover, earlier=(paid,)) == {}
    assert suggested(cover, earlier=(part,)) == {"LOSS": "lost"}


@pytest.mark.parametrize("plan", PLANS)
def test_g_16_a_delivered_parcel_is_not_lost_unless_its_plan_says_so(plan: str) -> None:
    cover = on_its_way(
        plan, "RUN_OFF", destroyed_at="2024-01-07T00:00", delivered_at="2024-01-08T01:00"
    )

    # JS-34: a loss is also that of missing items.
    assert suggested(cover) == ({"LOSS": "destroyed"} if plan == "jsx-cargo" else {})


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("delivered_at", ["2024-01-08T01:30", "2024-01-07T23:00"])
def test_damage_that_was_seen_on_the_way_or_at_the_door_is_suggested(
    plan: str, delivered_at: str
) -> None:
    cover = on_its_way(plan, "RUN_OFF", damaged_at=SEEN, delivered_at=delivered_at)

    assert suggested(cover) == {"DAMAGE": "damaged"}


def test_js_07_what_was_seen_before_cover_began_is_not_suggested() -> None:
    """Paid at 10:00 in Shanghai, covered from the next midnight."""
    midnight = at("2024-01-01T16:00")
    sent = {"dispatched_at": "2024-01-01T03:00", "last_update_at": "2024-01-01T03:00"}
    before, since = (
        on_its_way(
            "jsx-cargo", **sent, damaged_at=(midnight + by).replace(tzinfo=None).isoformat()
        )
        for by in (-TICK, timedelta())
    )

    assert suggested(before) == {}
    assert suggested(since) == {"DAMAGE": "damaged"}


def test_cs_31_a_line_without_the_peril_suggests_none() -> None:
    returned = {"returned_at": SEEN}
    by_aramex = on_its_way("cssecure", terms={"line_tags": ("aramex",)}, **returned)

    assert suggested(by_aramex) == {}
    assert suggested(on_its_way("cssecure", **returned)) == {"RETURN": "returned"}


def test_mp_30_what_only_the_claimant_can_say_is_not_held_against_them() -> None:
    damaged = {"damaged_at": SEEN, "delivered_at": SEEN}
    in_own_packing = on_its_way(
        "mypoz-cargo", "RUN_OFF", terms={"packing": "repacked"}, **damaged
    )
    in_sellers = on_its_way(
        "mypoz-cargo", "RUN_OFF", terms={"packing": "seller_original"}, **damaged
    )

    assert suggested(in_own_packing) == {"DAMAGE": "damaged"}
    # What the platform knows is.
    assert suggested(in_sellers) == {}


def test_a_peril_is_not_suggested_a_second_time() -> None:
    cover = on_its_way("cssecure", lost_at=SEEN, damaged_at=SEEN)

    assert suggested(cover, claimed=frozenset({"LOSS"})) == {"DAMAGE": "damaged"}
    assert suggested(cover, waiting=a_notice("DAMAGE")) == {"LOSS": "lost"}


def test_silence_is_not_watched_for_once_the_loss_is_claimed() -> None:
    cover = on_its_way("bml-shipping")

    assert outlook_of(cover, claimed=frozenset({"LOSS"})) == Outlook()
    assert outlook_of(cover, claimed=frozenset({"DAMAGE"})).silent_at is not None


@pytest.mark.parametrize(
    ("plan", "outcome", "is_suggested"),
    [
        ("tks-warehouse", "OPEN", False),
        ("tks-warehouse", "DENIED", True),
        ("jsx-cargo", "APPROVED", False),
        ("jsx-cargo", "WITHDRAWN", True),
        ("bml-shipping", "OPEN", True),
    ],
)
def test_a_peril_that_another_claim_bars_is_not_suggested(
    plan: str, outcome: str, is_suggested: bool
) -> None:
    cover = on_its_way(plan, damaged_at=SEEN)
    loss = EarlierClaim(peril="LOSS", outcome=outcome)

    found = suggested(cover, claimed=frozenset({"LOSS"}), earlier=(loss,))

    assert found == ({"DAMAGE": "damaged"} if is_suggested else {})


# --- silence -----------------------------------------------------------------------------------


def opens_at(cover: Cover, opening: datetime, *, plan: Plan | None = None) -> None:
    """Silence brings a notice from that very instant on, and is watched for until then."""
    before = outlook_of(cover, opening - TICK, plan=plan)
    assert (before.notices, before.silent_at) == ((), opening)

    since = outlook_of(cover, opening, plan=plan)
    [notice] = since.notices
    assert (notice.sign.peril, notice.sign.cause) == ("LOSS", SILENCE)
    assert notice.sign.seen_at == at(SEEN)
    assert (notice.eligible_on, since.silent_at) == (None, None)


@pytest.mark.parametrize(
    ("scope", "opening"),
    [("domestic", "2024-01-15T00:00"), ("international", "2024-01-28T00:00")],
)
def test_bm_10_a_parcel_is_interrupted_after_7_or_20_quiet_days(
    scope: str, opening: str
) -> None:
    opens_at(on_its_way("bml-shipping", terms={"scope": scope}), at(opening))


@pytest.mark.parametrize(
    ("last_update_at", "opening"),
    [
        # Two weeks after the dispatch of 4 January in Shanghai, heard of on the 8th.
        ("2024-01-08T01:00", "2024-01-17T16:00"),
        # Heard of on the 15th there: seven quiet days are over later.
        ("2024-01-14T16:00", "2024-01-21T16:00"),
        ("2024-01-14T15:59:59", "2024-01-20T16:00"),
    ],
)
def test_tk_11_an_inquiry_opens_after_two_weeks_of_which_one_was_quiet(
    last_update_at: str, opening: str
) -> None:
    cover = on_its_way("tks-warehouse", last_update_at=last_update_at)

    before, since = (outlook_of(cover, at(opening) + by) for by in (-TICK, timedelta()))

    assert (before.notices, before.silent_at) == ((), at(opening))
    assert [notice.sign.cause for notice in since.notices] == [SILENCE]


def with_jsx_lines(folder: Path) -> Plan:
    """All plans into the folder, and Takesendship's as if it used the lines of JS Express, of which
    that by sea is twelve days slower for a while."""
    for file in PROGRAMMES.glob("*.yaml"):
        (folder / file.name).write_bytes(file.read_bytes())
    lines = yaml.safe_load((PROGRAMMES / "jsx-cargo.v1.yaml").read_text())["lines"]
    own = (PROGRAMMES / "tks-warehouse.v1.yaml").read_text()
    (folder / "tks-warehouse.v1.yaml").write_text(f"{own}\n{yaml.safe_dump({'lines': lines})}")
    return load(folder).newest("tks-warehouse")


@pytest.mark.parametrize(
    ("dispatched_at", "line", "opening"),
    [
        ("2024-01-04T01:00", "SEA", "2024-01-29T16:00"),
        ("2024-01-04T01:00", "EMS", "2024-01-17T16:00"),
        # The disruption begins with the first of January there.
        ("2023-12-31T16:00", "SEA", "2024-01-26T16:00"),
        ("2023-12-31T15:59:59", "SEA", "2024-01-14T16:00"),
    ],
)
def test_tk_12_a_known_disruption_of_the_line_makes_silence_longer(
    tmp_path: Path, dispatched_at: str, line: str, opening: str
) -> None:
    plan = with_jsx_lines(tmp_path)
    cover = on_its_way("tks-warehouse", terms={"line": line}, dispatched_at=dispatched_at)

    opens_at(cover, at(opening), plan=plan)


def test_cs_14_a_parcel_not_heard_to_have_come_is_lost_after_five_months() -> None:
    opens_at(on_its_way("cssecure"), at("2024-06-03T16:00"))


@pytest.mark.parametrize("plan", ["mypoz-cargo", "jsx-cargo"])
def test_silence_suggests_nothing_where_no_clock_of_it_runs(plan: str) -> None:
    """MP-33 counts from a report, and JSX from the carrier's word."""
    cover = on_its_way(plan)

    for days in (0, 7, 20, 60, 150, 365):
        assert outlook_of(cover, NOW + timedelta(days=days)) == Outlook()


LONG_AFTER = at("2024-02-20T00:00")


@pytest.mark.parametrize("end", ["delivered_at", "returned_at", "seized_at"])
@pytest.mark.parametrize("plan", ["bml-shipping", "tks-warehouse"])
def test_a_parcel_whose_way_has_ended_is_not_silent(plan: str, end: str) -> None:
    assert outlook_of(on_its_way(plan, **{end: SEEN}), LONG_AFTER) == Outlook()


@pytest.mark.parametrize("status", ["available_for_pickup", "customs_hold"])
def test_a_parcel_that_lies_somewhere_is_not_silent(status: str) -> None:
    assert outlook_of(on_its_way("bml-shipping", status=status), LONG_AFTER) == Outlook()
    assert suggested(on_its_way("bml-shipping", status="delivery_attempted"), LONG_AFTER)


@pytest.mark.parametrize("plan", ["bml-shipping", "tks-warehouse", "cssecure"])
def test_a_parcel_that_never_left_is_not_silent(plan: str) -> None:
    cover = replace(on_its_way(plan), tracking=Tracking(status="pre_transit"))

    assert outlook_of(cover, LONG_AFTER) == Outlook()


def test_bm_11_silence_that_is_heard_of_too_late_suggests_nothing() -> None:
    cover = on_its_way("bml-shipping")
    last_day_ends = at("2024-03-09T00:00")

    assert suggested(cover, last_day_ends - TICK) == {"LOSS": SILENCE}
    assert outlook_of(cover, last_day_ends) == Outlook()


def test_the_carriers_word_goes_before_its_silence() -> None:
    cover = on_its_way("bml-shipping", lost_at=SEEN)

    assert suggested(cover, LONG_AFTER) == {"LOSS": "lost"}
    assert outlook_of(cover).silent_at is None


# --- what a notice tells -----------------------------------------------------------------------


def test_tells_what_is_needed_and_by_when_it_must_be_filed() -> None:
    [notice] = outlook_of(on_its_way("tks-warehouse"), at("2024-01-17T16:00")).notices

    assert notice == FirstNotice(
        sign=Sign(peril="LOSS", cause=SILENCE, seen_at=at(SEEN)),
        eligible_on=None,
        # TK-28: 180 days after the dispatch, the whole of the last one.
        closes_at=at("2024-07-02T16:00"),
        missing=(
            "delivery_record",
            "proof_of_insured_value",
            "delivery_certificate",
            "dispute_or_refund_screenshot",
            "carrier_loss_letter",
        ),
    )


def test_tells_from_when_an_early_one_can_be_decided() -> None:
    [notice] = outlook_of(on_its_way("bml-shipping", lost_at=SEEN)).notices

    assert str(notice.eligible_on) == "2024-01-28"
    # The notice is in time itself, and bml has no deadline for what comes after it.
    assert notice.closes_at is None


# --- and when it is over -----------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS)
def test_a_loss_is_over_when_the_parcel_comes_after_all(plan: str) -> None:
    cover = on_its_way(plan, "RUN_OFF", delivered_at=SEEN)

    outlook = outlook_of(cover, waiting=a_notice("LOSS"))

    assert outlook.notices == ()
    assert outlook.closed == {"LOSS": FOUND if plan == "jsx-cargo" else "DELIVERED"}


def test_silence_is_over_when_the_parcel_is_heard_of_and_is_watched_for_again() -> None:
    cover = on_its_way("bml-shipping", last_update_at="2024-01-30T05:00")

    outlook = outlook_of(cover, at("2024-01-30T06:00"), waiting=a_notice("LOSS"))

    assert outlook == Outlook(closed={"LOSS": FOUND}, silent_at=at("2024-02-19T00:00"))


def test_a_loss_that_was_said_is_not_over_by_silence() -> None:
    cover = on_its_way("bml-shipping", lost_at=SEEN)

    assert outlook_of(cover, LONG_AFTER, waiting=a_notice("LOSS")) == Outlook()


def test_a_silent_parcel_that_is_said_to_be_lost_keeps_its_notice() -> None:
    cover = on_its_way("bml-shipping", lost_at="2024-01-30T00:00")

    assert outlook_of(cover, LONG_AFTER, waiting=a_notice("LOSS")) == Outlook()


@pytest.mark.parametrize("plan", PLANS)
def test_damage_stays_noticed_when_the_parcel_is_delivered(plan: str) -> None:
    cover = on_its_way(plan, "RUN_OFF", damaged_at=SEEN, delivered_at="2024-01-09T00:00")

    assert outlook_of(cover, at("2024-01-09T01:00"), waiting=a_notice("DAMAGE")) == Outlook()


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("CANCELLED", "POLICY_CANCELLED"),
        ("VOID", "POLICY_VOID"),
        ("EXPIRED", "AFTER_COVER_END"),
    ],
)
def test_a_notice_is_over_with_its_policy(state: str, reason: str) -> None:
    cover = on_its_way("cssecure", state, damaged_at=SEEN)

    assert outlook_of(cover, waiting=a_notice("DAMAGE")) == Outlook(closed={"DAMAGE": reason})


def test_bm_12_a_notice_in_time_stays_in_time() -> None:
    """Seven days after the delivery a new report is too late; the carrier's was made before it."""
    cover = on_its_way("bml-shipping", "RUN_OFF", damaged_at=SEEN, delivered_at=SEEN)
    day_8 = at("2024-01-16T00:00")

    assert outlook_of(cover, day_8) == Outlook()
    assert outlook_of(cover, day_8, waiting=a_notice("DAMAGE", at(SEEN))) == Outlook()


def test_tk_28_a_notice_is_over_when_filing_it_is_too_late() -> None:
    cover = on_its_way("tks-warehouse", lost_at=SEEN)
    too_late = at("2024-07-02T16:00")

    assert outlook_of(cover, too_late - TICK, waiting=a_notice("LOSS")) == Outlook()
    assert outlook_of(cover, too_late, waiting=a_notice("LOSS")).closed == {
        "LOSS": "LATE_NOTICE"
    }


# --- whatever the way there --------------------------------------------------------------------

_TIMES = [None, at("2024-01-05T00:00"), at("2024-01-06T00:00"), at("2024-01-07T00:00")]
_STATUSES = ["in_transit", "customs_hold", "available_for_pickup", "exception"]
# What a parcel that has left may be said to be; the policy service says all of it each time.
_SAID = [
    field.name
    for field in fields(Tracking)
    if field.name not in ("status", "dispatched_at", "last_update_at")
]
_trackings = st.builds(
    Tracking,
    status=st.sampled_from(_STATUSES),
    dispatched_at=st.just(at("2024-01-04T01:00")),
    last_update_at=st.sampled_from(_TIMES[1:]),
    **{name: st.sampled_from(_TIMES) for name in _SAID},
)
_ways = st.lists(_trackings, max_size=4)


def followed(plan: str, trackings: Sequence[Tracking], now: datetime) -> set[str]:
    """The perils whose notices wait after all of these updates."""
    waiting: dict[str, Claim] = {}
    for tracking in trackings:
        cover = replace(on_its_way(plan), tracking=tracking)
        outlook = outlook_of(cover, now, waiting=waiting)
        for peril in outlook.closed:
            del waiting[peril]
        for notice in outlook.notices:
            assert notice.sign.peril not in waiting
            waiting |= a_notice(notice.sign.peril, now)
    return set(waiting)


@given(
    plan=st.sampled_from(PLANS),
    before=_ways,
    last=_trackings,
    now=st.sampled_from([NOW, at("2024-01-20T00:00"), LONG_AFTER, at("2024-07-01T00:00")]),
)
def test_which_notices_wait_depends_on_the_last_update_alone(
    plan: str, before: Sequence[Tracking], last: Tracking, now: datetime
) -> None:
    """Their perils, that is, for updates that are heard at one time: since when they wait, and what
    suggested them first, is history. A later `now` may be too late for a notice that an earlier one
    was in time for (test_bm_12)."""
    assert followed(plan, [*before, last], now) == followed(plan, [last], now)


@given(plan=st.sampled_from(PLANS), way=_ways, last=_trackings)
def test_an_update_that_comes_again_changes_nothing(
    plan: str, way: Sequence[Tracking], last: Tracking
) -> None:
    cover = replace(on_its_way(plan), tracking=last)
    first = outlook_of(cover, NOW)
    waiting: dict[str, Claim] = {}
    for notice in first.notices:
        waiting |= a_notice(notice.sign.peril, NOW)

    assert outlook_of(cover, NOW, waiting=waiting) == Outlook(silent_at=first.silent_at)


@given(plan=st.sampled_from(PLANS), tracking=_trackings, now=st.sampled_from([NOW, LONG_AFTER]))
def test_every_notice_is_one_that_its_plan_would_not_deny(
    plan: str, tracking: Tracking, now: datetime
) -> None:
    terms = BOOK.newest(plan).perils
    for notice in outlook_of(replace(on_its_way(plan), tracking=tracking), now).notices:
        assert terms[notice.sign.peril].enabled
        assert notice.sign.seen_at <= now
        assert notice.closes_at is None or notice.closes_at > now
