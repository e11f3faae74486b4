"""Promised days as pure decisions: which clocks a claim has, how they move and stop, and are missed."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from libs.common.money import money, zero
from libs.common.plans.codes import Outcome
from services.claims.domain import adjudicate, clocks
from services.claims.domain.clocks import (
    ADVANCE,
    BREACH,
    CARRIER_REPLY,
    DECIDE,
    PAUSED,
    PAY,
    RUNNING,
    STOPPED,
    TARGET,
    Clock,
    Position,
    Standstill,
    missed,
    next_at,
    noted,
    paused,
    reckon,
    stopped_by_money,
)
from services.claims.domain.decision import Decision, Gap
from services.claims.domain.filing import Payout
from tests.claims.builders import BOOK, at

# Monday, 09:00 in Shanghai.
MONDAY = at("2024-05-06T01:00")


def a_gap(kind: str = "damage_photos", *, awaits_provider: bool = False) -> Gap:
    return Gap(
        label=kind,
        kinds=(kind,),
        alternatives=((kind,),),
        awaits_provider=awaits_provider,
        in_grace=False,
        until=None,
        is_open=True,
    )


def a_decision(plan: str, outcome: Outcome = Outcome.REFERRED, **changes: Any) -> Decision:
    terms = BOOK.newest(plan)
    standard = Decision(
        plan=plan,
        version=terms.version,
        sha256=terms.sha256,
        peril="LOSS",
        outcome=outcome,
        reasons=(),
        payout=zero(terms.currency),
        assessment=None,
    )
    return replace(standard, **changes)


def a_position(plan: str = "bml-shipping", **changes: Any) -> Position:
    """A loss whose file was complete on Monday; nobody has decided it."""
    facts = {"peril": "LOSS", "goods_value": Decimal(300), **changes.pop("facts", {})}
    standard = Position(
        plan=BOOK.newest(plan),
        facts=facts,
        decision=a_decision(plan),
        is_settled=False,
        decided_at=MONDAY,
        complete_at=MONDAY,
    )
    return replace(standard, **changes)


def approved(plan: str, *payouts: Payout, **changes: Any) -> Position:
    """It is approved, and these payouts are on their way."""
    decision = a_decision(
        plan, Outcome.APPROVED, payout=money(Decimal(300), BOOK.newest(plan).currency)
    )
    return a_position(
        plan, **{"decision": decision, "is_settled": True, "payouts": payouts, **changes}
    )


def a_payout(state: str = "SENT", kind: str = "PAYOUT", payout_id: str = "pyt_1") -> Payout:
    return Payout(
        payout_id=payout_id,
        claim_id="clm_1",
        policy_id="pol_1",
        decision_id="dec_1",
        amount=money(Decimal(300), "CNY"),
        instrument="cash",
        state=state,
        kind=kind,
    )


def again(position: Position, now: datetime, **changes: Any) -> dict[str, Clock]:
    """The clocks after the position changed so, having been what they were on Monday."""
    known = reckon(position, MONDAY)
    return reckon(replace(position, known=known, **changes), now)


# --- the decision ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "category", "due_on"),
    [
        ({}, "simple", date(2024, 5, 9)),
        ({"peril": "DAMAGE"}, "damage", date(2024, 5, 13)),
        ({"goods_value": Decimal("2000.01"), "priority": False}, "complex", date(2024, 5, 27)),
        ({"carrier_investigation": True}, "complex", date(2024, 5, 27)),
    ],
)
def test_bm_20_each_category_has_its_working_days(
    facts: dict[str, object], category: str, due_on: date
) -> None:
    clock = reckon(a_position(facts=facts), MONDAY)[DECIDE]

    assert (clock.category, clock.due_on, clock.state) == (category, due_on, RUNNING)


@pytest.mark.parametrize(
    ("facts", "comes_first"),
    [
        ({"vip": True}, True),
        ({"goods_value": Decimal(1000)}, True),
        ({"goods_value": Decimal("999.99")}, False),
        ({"clean_first_submission": True}, True),
        ({}, False),
    ],
)
def test_bm_26_whose_claims_come_first(facts: dict[str, object], comes_first: bool) -> None:
    position = a_position(facts=facts)

    assert clocks.is_priority(position.plan, position.facts) is comes_first
    # 3 working days, or 1.5 rounded up.
    due_on = date(2024, 5, 8) if comes_first else date(2024, 5, 9)
    assert reckon(position, MONDAY)[DECIDE].due_on == due_on


def test_bm_26_the_twelve_months_before_begin_with_a_whole_local_day() -> None:
    plan = BOOK.newest("bml-shipping")

    since = clocks.clean_since(plan, MONDAY).astimezone(plan.zone)

    local = MONDAY.astimezone(plan.zone).date()
    assert (since.date(), since.hour) == (local.replace(year=local.year - 1), 0)


def test_bm_26_the_amount_is_the_same_for_everybody() -> None:
    plan = BOOK.newest("bml-shipping")
    facts: dict[str, object] = {
        "goods_value": Decimal(300),
        "insured_value": Decimal(300),
        "claimed_value": Decimal(300),
        "last_update_at": at("2024-05-01T00:00"),
        "notified_at": MONDAY,
        "evidence": ["carrier_loss_letter", "official_tracking_screenshot"],
        "as_of": MONDAY,
    }

    assert adjudicate(plan, "LOSS", facts) == adjudicate(plan, "LOSS", {**facts, "vip": True})


@pytest.mark.parametrize(("peril", "due_on"), [("LOSS", 27), ("DAMAGE", 13), ("SHORTAGE", 13)])
def test_mp_38_a_loss_is_decided_in_fifteen_working_days_all_else_in_five(
    peril: str, due_on: int
) -> None:
    clock = reckon(a_position("mypoz-cargo", facts={"peril": peril}), MONDAY)[DECIDE]

    assert clock.due_on is not None
    assert clock.due_on.day == due_on


def test_js_20_the_audit_has_a_target_and_a_breach() -> None:
    clock = reckon(a_position("jsx-cargo"), MONDAY)[DECIDE]

    assert (clock.target_on, clock.due_on) == (date(2024, 5, 8), date(2024, 5, 13))
    assert (clock.target_at, clock.breach_at) == (
        at("2024-05-08T16:00"),
        at("2024-05-13T16:00"),
    )
    said = missed({DECIDE: clock}, at("2024-05-13T16:00"))
    assert [(one.level, one.at) for one in said] == [
        (TARGET, clock.target_at),
        (BREACH, clock.breach_at),
    ]


def test_cs_40_ten_working_days_without_target_or_money_clock() -> None:
    clock = reckon(a_position("cssecure"), MONDAY)[DECIDE]

    assert (clock.category, clock.target_on, clock.due_on) == (
        "standard",
        None,
        date(2024, 5, 20),
    )
    assert PAY not in reckon(approved("cssecure", a_payout()), MONDAY)


def test_a_file_that_is_not_complete_has_no_decision_clock() -> None:
    assert reckon(a_position(complete_at=None), MONDAY) == {}


@pytest.mark.parametrize("outcome", [Outcome.DENIED, Outcome.APPROVED])
def test_a_settled_decision_stops_it_for_good(outcome: Outcome) -> None:
    position = a_position()
    decided = {"decision": a_decision("bml-shipping", outcome), "is_settled": True}
    tuesday = at("2024-05-07T01:00")

    stopped = again(position, tuesday, **decided)
    later = reckon(replace(position, known=stopped, **decided), at("2024-05-30T01:00"))

    assert (stopped[DECIDE].state, stopped[DECIDE].stopped_at) == (STOPPED, tuesday)
    assert later == stopped


def test_a_decision_that_does_not_stand_after_all_lets_it_run_on_from_where_it_began() -> None:
    position = a_position()
    decided = again(
        position,
        MONDAY,
        decision=a_decision("bml-shipping", Outcome.DENIED),
        is_settled=True,
    )

    undone = reckon(replace(position, known=decided), at("2024-05-08T01:00"))

    assert undone == reckon(position, MONDAY)


# --- standing still --------------------------------------------------------------------------


def test_g_08_the_clock_stands_while_the_claimant_is_waited_for_and_goes_on_after() -> None:
    since, until = at("2024-05-07T01:00"), at("2024-05-09T01:00")
    stands = again(a_position(), since, pauses=(Standstill(since=since),))[DECIDE]

    assert (stands.state, stands.due_on, stands.breach_at) == (PAUSED, None, None)
    assert stands.next_at is None

    goes_on = again(a_position(), until, pauses=(Standstill(since=since, until=until),))[DECIDE]

    # Tuesday and Wednesday night are the claimant's: Thursday becomes the Monday after.
    assert (goes_on.state, goes_on.due_on) == (RUNNING, date(2024, 5, 13))


def test_g_08_a_pause_begins_and_ends_with_the_waiting_once() -> None:
    first, second, third = MONDAY, at("2024-05-07T01:00"), at("2024-05-08T01:00")

    begun = paused((), first, is_waiting=True)
    assert begun == (Standstill(since=first),)
    assert paused(begun, second, is_waiting=True) == begun

    ended = paused(begun, second, is_waiting=False)
    assert ended == (Standstill(since=first, until=second),)
    assert paused(ended, third, is_waiting=False) == ended
    assert paused(ended, third, is_waiting=True) == (*ended, Standstill(since=third))


def test_g_08_no_other_clock_stands_still() -> None:
    waiting = (Standstill(since=MONDAY),)
    paper = a_gap("carrier_loss_letter", awaits_provider=True)
    asked = a_decision("tks-warehouse", Outcome.INFO_REQUIRED, missing=(paper,))

    found = reckon(a_position("tks-warehouse", decision=asked, pauses=waiting), MONDAY)

    assert found[DECIDE].state == PAUSED
    assert found[CARRIER_REPLY].state == RUNNING


def test_what_was_said_of_a_clock_stays_said_when_it_moves() -> None:
    position = a_position("jsx-cargo")
    known = reckon(position, MONDAY)
    target_at = at("2024-05-08T16:00")
    told = noted(known, missed(known, target_at))
    until = at("2024-05-12T01:00")

    moved = reckon(
        replace(
            position,
            known=told,
            pauses=(Standstill(since=at("2024-05-09T01:00"), until=until),),
        ),
        until,
    )

    assert moved[DECIDE].target_missed_at == target_at
    assert [one.level for one in missed(moved, at("2024-06-30T00:00"))] == [BREACH]


# --- the insurer's ---------------------------------------------------------------------------


def test_tk_19_runs_from_the_insurers_acceptance_or_else_from_the_complete_file() -> None:
    friday = at("2024-05-10T08:00")
    unknown = a_position("tks-warehouse")
    accepted = a_position("tks-warehouse", facts={"insurer_accepted_at": friday})

    assert reckon(unknown, MONDAY)[DECIDE].due_on == date(2024, 5, 9)
    clock = reckon(accepted, friday)[DECIDE]
    assert (clock.started_at, clock.due_on) == (friday, date(2024, 5, 15))


def test_tk_19_stops_at_the_confirmed_payout_and_not_at_the_decision() -> None:
    tuesday, wednesday = at("2024-05-07T01:00"), at("2024-05-08T01:00")
    plan = "tks-warehouse"
    still_owed = approved(plan, a_payout("FAILED"))
    running = reckon(replace(still_owed, known=reckon(a_position(plan), MONDAY)), tuesday)

    assert running[DECIDE].state == RUNNING

    confirmed = [a_payout("CONFIRMED")]
    over = stopped_by_money(running, confirmed, wednesday, is_settled=True)
    assert (over[DECIDE].state, over[DECIDE].stopped_at) == (STOPPED, wednesday)
    # What reaches the seller before the decision ends nothing.
    assert stopped_by_money(running, confirmed, wednesday, is_settled=False) == running


def test_tk_19_a_denial_is_the_end_of_it() -> None:
    denied = a_position(
        "tks-warehouse",
        decision=a_decision("tks-warehouse", Outcome.DENIED),
        is_settled=True,
    )

    assert reckon(denied, MONDAY)[DECIDE].state == STOPPED


# --- money -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "due_on"), [("mypoz-cargo", date(2024, 5, 9)), ("bml-shipping", date(2024, 5, 13))]
)
def test_mp_38_bm_20_money_comes_in_working_days_of_the_approval(
    plan: str, due_on: date
) -> None:
    clock = reckon(approved(plan, a_payout("APPROVED")), MONDAY)[PAY]

    assert (clock.started_at, clock.due_on) == (MONDAY, due_on)
    confirmed = stopped_by_money(
        {PAY: clock}, [a_payout("CONFIRMED"), a_payout("VOID")], MONDAY, is_settled=True
    )
    assert confirmed[PAY].state == STOPPED
    for state in ("CREATED", "APPROVED", "SENT", "FAILED"):
        owed = [a_payout("CONFIRMED"), a_payout(state)]
        assert stopped_by_money({PAY: clock}, owed, MONDAY, is_settled=True)[PAY] == clock


def test_mp_38_money_approved_anew_is_a_new_promise() -> None:
    first = reckon(approved("mypoz-cargo", a_payout()), MONDAY)
    breached = noted(first, missed(first, at("2024-05-30T00:00")))
    over = stopped_by_money(
        breached, [a_payout("CONFIRMED")], at("2024-05-30T00:00"), is_settled=True
    )
    june = at("2024-06-03T01:00")

    anew = approved("mypoz-cargo", a_payout("CONFIRMED"), a_payout("APPROVED"))
    clock = reckon(replace(anew, known=over, decided_at=june), june)[PAY]

    assert (clock.state, clock.started_at, clock.breached_at) == (RUNNING, june, None)


def test_tk_20_the_advance_is_due_three_working_days_from_the_complete_file() -> None:
    proposed = approved("tks-warehouse", is_settled=False)
    tuesday = at("2024-05-07T01:00")

    clock = reckon(proposed, tuesday)[ADVANCE]
    assert (clock.started_at, clock.due_on) == (MONDAY, date(2024, 5, 9))

    sent = [a_payout("SENT", "ADVANCE")]
    assert stopped_by_money({ADVANCE: clock}, sent, tuesday, is_settled=False)[ADVANCE] == clock
    paid = [a_payout("CONFIRMED", "ADVANCE")]
    over = stopped_by_money({ADVANCE: clock}, paid, tuesday, is_settled=False)
    assert over[ADVANCE].state == STOPPED


def test_tk_20_nothing_is_promised_in_advance_on_a_denial_a_gap_or_another_plan() -> None:
    denied = a_position("tks-warehouse", decision=a_decision("tks-warehouse", Outcome.DENIED))

    assert ADVANCE not in reckon(denied, MONDAY)
    incomplete = approved("tks-warehouse", is_settled=False, complete_at=None)
    assert ADVANCE not in reckon(incomplete, MONDAY)
    assert ADVANCE not in reckon(approved("mypoz-cargo", is_settled=False), MONDAY)


# --- the carrier -----------------------------------------------------------------------------


def test_tk_13_tk_27_the_carrier_is_asked_when_its_paper_is_first_waited_for() -> None:
    plan = "tks-warehouse"
    letter = a_gap("carrier_loss_letter", awaits_provider=True)
    asked = a_position(
        plan,
        complete_at=None,
        decision=a_decision(plan, Outcome.INFO_REQUIRED, missing=(letter,)),
    )
    clock = reckon(asked, MONDAY)[CARRIER_REPLY]

    assert (clock.started_at, clock.due_on) == (MONDAY, date(2024, 6, 5))

    # The grace is over, and the carrier's time too: still the same promise, missed once.
    over = at("2024-06-05T16:00")
    referred = a_decision(plan, Outcome.REFERRED, missing=(letter,))
    waits = reckon(replace(asked, decision=referred, known={CARRIER_REPLY: clock}), over)
    assert waits == {CARRIER_REPLY: clock}
    assert [(one.level, one.at) for one in missed(waits, over)] == [(BREACH, over)]

    came = reckon(replace(asked, decision=a_decision(plan), known=waits), over)
    assert came[CARRIER_REPLY].state == STOPPED


def test_tk_27_only_papers_of_the_carrier_or_the_provider_start_it() -> None:
    for gap in (
        a_gap("proof_of_insured_value"),
        a_gap("tracking_snapshot", awaits_provider=True),
    ):
        decision = a_decision("tks-warehouse", Outcome.INFO_REQUIRED, missing=(gap,))
        asked = a_position("tks-warehouse", complete_at=None, decision=decision)
        assert reckon(asked, MONDAY) == {}


# --- when the file is complete, and what is due next -----------------------------------------


@pytest.mark.parametrize(
    ("outcome", "missing", "is_complete"),
    [
        (Outcome.REFERRED, (), True),
        (Outcome.APPROVED, (), True),
        (Outcome.ON_HOLD, (), True),
        (Outcome.REFERRED, (a_gap("carrier_loss_letter", awaits_provider=True),), False),
        (Outcome.INFO_REQUIRED, (a_gap(),), False),
        (Outcome.DEFERRED, (), False),
    ],
)
def test_a_file_is_complete_when_nothing_but_the_insurer_is_waited_for(
    outcome: Outcome, missing: tuple[Gap, ...], is_complete: bool
) -> None:
    assert clocks.is_complete(a_decision("jsx-cargo", outcome, missing=missing)) is is_complete


def test_the_next_instant_is_the_earliest_that_nothing_was_said_of() -> None:
    known = reckon(a_position("jsx-cargo"), MONDAY)
    assert next_at(known) == at("2024-05-08T16:00")

    told = noted(known, missed(known, at("2024-05-08T16:00")))
    assert next_at(told) == at("2024-05-13T16:00")
    assert missed(told, at("2024-05-13T15:59:59")) == []

    all_told = noted(told, missed(told, at("2024-05-13T16:00")))
    assert next_at(all_told) is None
    assert missed(all_told, at("2025-01-01T00:00")) == []
