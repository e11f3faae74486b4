"""A policy's life as pure steps: bound, paid, dispatched, tracked."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.money import Money
from libs.common.plans.values import Plan
from services.policy.domain.parcels import (
    STATUSES,
    NotDispatchable,
    Scan,
    accept,
    dispatch,
    locate,
    track,
)
from services.policy.domain.payments import (
    PaymentEmpty,
    Standing,
    WrongPaymentCurrency,
    receive,
)
from services.policy.domain.policies import (
    Policy,
    PremiumDiffers,
    QuoteExpired,
    QuoteNotBindable,
    Tracking,
    activate,
    bind,
)
from tests.policy.builders import (
    BOUND_AT,
    MOMENT,
    TENANT,
    VALID_UNTIL,
    an_offer,
    at,
    bound,
    plan_of,
    premium_of,
)


def pay(policy: Policy, plan: Plan, amount: Money, when: datetime) -> Policy:
    return receive(policy, plan, amount, when).policy


SHANGHAI = ZoneInfo("Asia/Shanghai")
PAID_AT = at("2024-01-01T02:00")


def paid(plan: str = "cssecure", when: datetime = PAID_AT) -> Policy:
    """Paid then, however long after it was bound."""
    policy = bound(plan, lapses_at=None)
    return pay(policy, plan_of(policy), premium_of(policy), when)


def dispatched(policy: Policy, when: datetime) -> Policy:
    return dispatch(policy, plan_of(policy), when, when)


def tracked(policy: Policy, scans: Sequence[Scan], now: datetime) -> Policy:
    return track(policy, plan_of(policy), scans, now)


def a_scan(status: str, occurred_at: str, scan_id: str = "") -> Scan:
    return Scan(
        scan_id=scan_id or f"{status}@{occurred_at}",
        status=status,
        occurred_at=at(occurred_at),
    )


# --- binding ---------------------------------------------------------------------------------


def bound_at(now: datetime) -> Policy:
    return bind(an_offer(), policy_id="pol_1", tenant_id=TENANT, premium=None, now=now)


def test_a_bound_quote_is_a_pending_policy_with_the_whole_premium_due() -> None:
    policy = bound_at(BOUND_AT)

    assert (policy.state, policy.bound_at) == ("PENDING", BOUND_AT)
    assert policy.premium_due == an_offer().terms.premium
    assert (policy.plan, policy.terms) == (an_offer().plan, an_offer().terms)
    assert (policy.paid_at, policy.cover_start) == (None, None)


def test_g_11_a_quote_binds_up_to_its_last_instant() -> None:
    assert bound_at(VALID_UNTIL).bound_at == VALID_UNTIL


def test_g_11_a_quote_does_not_bind_one_moment_later() -> None:
    with pytest.raises(QuoteExpired, match="2024-01-08T01:00:00") as refused:
        bound_at(VALID_UNTIL + MOMENT)

    assert refused.value.extra == {"valid_until": VALID_UNTIL.isoformat()}


@pytest.mark.parametrize("state", ["DRAFT", "UNDER_VERIFICATION", "INFO_REQUIRED"])
def test_mp_13_a_quote_that_is_being_verified_binds_until_its_papers_lapse(state: str) -> None:
    policy = bind(
        an_offer(state=state),
        policy_id="pol_1",
        tenant_id=TENANT,
        premium=None,
        now=VALID_UNTIL + MOMENT,
    )

    assert (policy.state, policy.confirmed_at) == ("PENDING", None)


@pytest.mark.parametrize("state", ["DECLINED", "INVALID", "EXPIRED", "BOUND"])
def test_a_quote_that_has_ended_does_not_bind(state: str) -> None:
    with pytest.raises(QuoteNotBindable, match=state):
        bind(
            an_offer(state=state),
            policy_id="pol_1",
            tenant_id=TENANT,
            premium=None,
            now=BOUND_AT,
        )


def shown(premium: Money) -> Policy:
    return bind(an_offer(), policy_id="pol_1", tenant_id=TENANT, premium=premium, now=BOUND_AT)


def test_binds_when_the_customer_was_shown_the_quotes_premium() -> None:
    assert shown(Money(3_600, "CNY")).state == "PENDING"


@pytest.mark.parametrize(
    "premium",
    [Money(3_599, "CNY"), Money(3_601, "CNY"), Money(0, "CNY"), Money(3_600, "USD")],
    ids=str,
)
def test_does_not_bind_when_the_customer_was_shown_another_premium(premium: Money) -> None:
    with pytest.raises(PremiumDiffers, match=r"36\.00 CNY"):
        shown(premium)


# --- paying ----------------------------------------------------------------------------------


def test_a_part_of_the_premium_leaves_the_rest_due() -> None:
    policy = bound()
    policy = pay(policy, plan_of(policy), premium_of(policy, 1_000), PAID_AT)

    assert (policy.state, policy.paid_at) == ("PENDING", None)
    assert policy.premium_due == premium_of(policy, 2_600)


def test_the_whole_premium_pays_the_policy() -> None:
    policy = paid()

    assert policy.premium_due == premium_of(policy, 0)
    assert policy.paid_at == PAID_AT


@given(parts=st.lists(st.integers(min_value=1, max_value=900), min_size=4, max_size=8))
def test_however_it_is_split_the_payment_that_completes_the_premium_pays_it(
    parts: list[int],
) -> None:
    policy = bound()
    minor = policy.terms.premium.amount_minor
    due = [*_up_to(parts, minor)]
    for number, part in enumerate(due, start=1):
        assert policy.paid_at is None
        now = PAID_AT + timedelta(hours=number)
        policy = pay(policy, plan_of(policy), premium_of(policy, part), now)

    assert policy.paid_at == PAID_AT + timedelta(hours=len(due))
    assert policy.premium_paid == policy.terms.premium


def _up_to(parts: list[int], total: int) -> list[int]:
    """The parts as far as they stay below the total, and what is left of it."""
    taken: list[int] = []
    for part in parts:
        if sum(taken) + part >= total:
            break
        taken.append(part)
    return [*taken, total - sum(taken)]


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        (Money(3_600, "USD"), WrongPaymentCurrency),
        (Money(0, "CNY"), PaymentEmpty),
        (Money(-1, "CNY"), PaymentEmpty),
    ],
    ids=["another currency", "nothing", "less than nothing"],
)
def test_refuses_what_is_no_payment_of_the_premium(
    amount: Money, refusal: type[Exception]
) -> None:
    policy = bound()

    with pytest.raises(refusal):
        pay(policy, plan_of(policy), amount, PAID_AT)


def received(policy: Policy, minor: int, when: datetime = PAID_AT) -> tuple[int, int, str]:
    """What counts of the payment, what goes back, and why."""
    receipt = receive(policy, plan_of(policy), premium_of(policy, minor), when)
    return receipt.applied.amount_minor, receipt.returned.amount_minor, receipt.standing


def test_takes_what_is_due_of_a_payment_that_is_more() -> None:
    assert received(bound(), 3_600) == (3_600, 0, Standing.APPLIED)
    assert received(bound(), 3_601) == (3_600, 1, Standing.OVERPAID)


def test_bm_07_takes_no_second_payment_of_a_paid_premium() -> None:
    policy = paid()

    assert received(policy, 3_600) == (0, 3_600, Standing.DUPLICATE_CHARGE)  # BM-07
    assert pay(policy, plan_of(policy), premium_of(policy), PAID_AT + MOMENT) == policy


@pytest.mark.parametrize("state", ["CANCELLED", "INVALID", "VOID"])
def test_takes_nothing_for_a_policy_that_has_ended(state: str) -> None:
    assert received(bound(state=state), 3_600) == (0, 3_600, Standing.POLICY_ENDED)


def test_g_11_the_price_holds_until_its_last_instant_and_not_a_moment_longer() -> None:
    assert bound().lapses_at == VALID_UNTIL + MOMENT
    assert received(bound(), 3_600, VALID_UNTIL) == (3_600, 0, Standing.APPLIED)
    assert received(bound(), 3_600, VALID_UNTIL + MOMENT) == (0, 3_600, Standing.LATE)


# --- the start of cover ----------------------------------------------------------------------


def test_bm_05_cover_starts_on_payment_where_the_plan_says_so() -> None:
    policy = paid("bml-shipping")

    assert (policy.state, policy.cover_start) == ("ACTIVE", PAID_AT)


def test_mp_21_cover_starts_once_the_amount_is_confirmed_and_paid_in_full() -> None:
    policy = paid("mypoz-cargo")  # MP-21: confirmed when it was bound, paid an hour later

    assert (policy.state, policy.cover_start) == ("ACTIVE", PAID_AT)


@pytest.mark.parametrize(
    ("paid_at", "accepted_at", "starts_at"),
    [
        ("2024-01-01T02:00", "2024-01-02T08:00", "2024-01-02T08:00"),
        ("2024-01-03T02:00", "2024-01-02T08:00", "2024-01-03T02:00"),
    ],
    ids=["paid, then accepted", "accepted, then paid"],
)
def test_tk_08_cover_starts_with_the_later_of_payment_and_acceptance(
    paid_at: str, accepted_at: str, starts_at: str
) -> None:
    steps: list[tuple[str, Callable[[Policy], Policy]]] = [
        (paid_at, lambda p: pay(p, plan_of(p), premium_of(p), at(paid_at))),
        (accepted_at, lambda p: accept(p, plan_of(p), at(accepted_at), at(accepted_at))),
    ]
    policy = bound("tks-warehouse")
    for _, step in sorted(steps, key=lambda one: one[0]):
        assert policy.state != "ACTIVE"
        policy = step(policy)

    assert (policy.state, policy.cover_start) == ("ACTIVE", at(starts_at))


@pytest.mark.parametrize(
    ("paid_at", "starts_on"),
    [
        (datetime(2024, 6, 1, 0, 0, tzinfo=SHANGHAI), 2),
        (datetime(2024, 6, 1, 12, 0, tzinfo=SHANGHAI), 2),
        (datetime(2024, 6, 1, 23, 59, 59, 999_999, tzinfo=SHANGHAI), 2),
        (datetime(2024, 6, 2, 0, 0, tzinfo=SHANGHAI), 3),
    ],
    ids=["at midnight (Q20)", "at noon", "just before midnight", "at the next midnight"],
)
def test_js_07_q20_cover_is_scheduled_for_the_next_local_midnight(
    paid_at: datetime, starts_on: int
) -> None:
    policy = paid("jsx-cargo", paid_at)

    assert policy.state == "SCHEDULED"
    assert policy.cover_start == datetime(2024, 6, starts_on, tzinfo=SHANGHAI)


def test_js_07_cover_starts_with_the_dispatch_where_that_is_after_midnight() -> None:
    scheduled = paid("jsx-cargo", datetime(2024, 6, 1, 12, tzinfo=SHANGHAI))
    left = datetime(2024, 6, 2, 9, tzinfo=SHANGHAI)

    policy = dispatch(scheduled, plan_of(scheduled), left, left)

    assert (policy.state, policy.cover_start) == ("ACTIVE", left)  # JS-07


def test_js_07_a_parcel_on_its_way_before_midnight_is_covered_from_midnight() -> None:
    scheduled = paid("jsx-cargo", datetime(2024, 6, 1, 12, tzinfo=SHANGHAI))
    left, midnight = (
        datetime(2024, 6, 1, 20, tzinfo=SHANGHAI),
        datetime(2024, 6, 2, tzinfo=SHANGHAI),
    )

    waiting = dispatch(scheduled, plan_of(scheduled), left, left)
    assert (waiting.state, waiting.cover_start) == ("SCHEDULED", midnight)
    assert activate(waiting, plan_of(waiting), midnight - MOMENT).state == "SCHEDULED"
    assert activate(waiting, plan_of(waiting), midnight).state == "ACTIVE"


def test_cs_12_cover_starts_with_the_ship_out_where_the_plan_says_so() -> None:
    scheduled = paid("cssecure")
    assert (scheduled.state, scheduled.cover_start) == ("SCHEDULED", None)

    policy = dispatched(scheduled, at("2024-01-04T01:00"))

    assert (policy.state, policy.cover_start) == ("ACTIVE", at("2024-01-04T01:00"))


def test_a_dispatch_announced_for_later_starts_cover_then() -> None:
    scheduled = paid("cssecure")
    leaves_at = at("2024-01-04T01:00")

    waiting = dispatch(scheduled, plan_of(scheduled), leaves_at, PAID_AT)

    assert (waiting.state, waiting.cover_start) == ("SCHEDULED", leaves_at)
    assert activate(waiting, plan_of(waiting), leaves_at).state == "ACTIVE"


@pytest.mark.parametrize(
    "policy",
    [bound(), paid(), paid("bml-shipping"), bound(state="CANCELLED")],
    ids=lambda p: p.state,
)
def test_activating_a_policy_that_nothing_is_due_for_changes_nothing(policy: Policy) -> None:
    assert activate(policy, plan_of(policy), at("2024-02-01T00:00")) == policy


# --- dispatch --------------------------------------------------------------------------------


def test_a_second_dispatch_changes_nothing() -> None:
    once = dispatched(paid(), at("2024-01-04T01:00"))

    assert dispatched(once, at("2024-01-05T01:00")) == once


def test_a_parcel_that_leaves_before_payment_is_not_covered_yet() -> None:
    policy = dispatched(bound(), at("2024-01-01T01:30"))

    assert (policy.state, policy.cover_start) == ("PENDING", None)
    assert policy.tracking.dispatched_at == at("2024-01-01T01:30")


@pytest.mark.parametrize("state", ["CANCELLED", "INVALID", "VOID"])
def test_a_policy_that_has_ended_dispatches_nothing(state: str) -> None:
    with pytest.raises(NotDispatchable, match=state):
        dispatched(bound(state=state), PAID_AT)


# --- scans -----------------------------------------------------------------------------------

NOW = at("2024-06-01T00:00")
PARCELS_WAY = (
    a_scan("pre_transit", "2024-01-03T20:00"),
    a_scan("in_transit", "2024-01-04T01:00"),
    a_scan("customs_hold", "2024-02-01T01:00"),
    a_scan("delivered", "2024-03-02T07:00"),
)


def test_the_first_movement_stands_for_a_ship_out_that_nobody_reported() -> None:
    policy = tracked(paid(), PARCELS_WAY[:2], NOW)

    assert policy.tracking.dispatched_at == at("2024-01-04T01:00")
    assert (policy.state, policy.cover_start) == ("ACTIVE", at("2024-01-04T01:00"))


def test_a_label_that_was_printed_moves_nothing() -> None:
    policy = tracked(paid(), PARCELS_WAY[:1], NOW)

    assert (policy.state, policy.tracking.status) == ("SCHEDULED", "pre_transit")
    assert (policy.tracking.dispatched_at, policy.tracking.last_update_at) == (None, None)


def test_a_reported_ship_out_stands_before_a_later_movement() -> None:
    policy = tracked(dispatched(paid(), at("2024-01-03T01:00")), PARCELS_WAY, NOW)

    assert policy.tracking.dispatched_at == at("2024-01-03T01:00")


def test_a_delivery_ends_the_cover() -> None:
    policy = tracked(paid(), PARCELS_WAY, NOW)

    assert policy.state == "RUN_OFF"
    assert policy.tracking.delivered_at == at("2024-03-02T07:00")
    assert policy.tracking.last_update_at == at("2024-03-02T07:00")


def test_a_second_delivery_scan_does_not_move_the_first() -> None:
    again = (*PARCELS_WAY, a_scan("delivered", "2024-03-03T07:00"))

    policy = tracked(paid(), again, NOW)

    assert policy.tracking.delivered_at == at("2024-03-02T07:00")
    assert policy.tracking.last_update_at == at("2024-03-03T07:00")


@pytest.mark.parametrize(
    "status", ["in_transit", "out_for_delivery", "exception", "customs_hold"]
)
def test_a_late_scan_of_the_way_does_not_undo_a_delivery(status: str) -> None:
    before = tracked(paid(), PARCELS_WAY, NOW)

    told_late = tracked(before, (*PARCELS_WAY, a_scan(status, "2024-02-20T01:00")), NOW)
    dated_late = tracked(before, (*PARCELS_WAY, a_scan(status, "2024-03-02T09:00")), NOW)

    assert told_late == before
    assert (dated_late.state, dated_late.tracking.delivered_at) == (
        "RUN_OFF",
        at("2024-03-02T07:00"),
    )


@pytest.mark.parametrize("status", ["returning", "returned"])
def test_a_real_return_undoes_a_delivery(status: str) -> None:
    before = tracked(paid(), PARCELS_WAY, NOW)

    policy = tracked(before, (*PARCELS_WAY, a_scan(status, "2024-03-05T01:00")), NOW)

    assert (policy.state, policy.tracking.delivered_at) == ("ACTIVE", None)
    assert policy.tracking.returned_at == (
        at("2024-03-05T01:00") if status == "returned" else None
    )


def test_delivered_again_after_a_return_it_is_delivered_then() -> None:
    way = (
        *PARCELS_WAY,
        a_scan("returning", "2024-03-05T01:00"),
        a_scan("delivered", "2024-03-20T01:00"),
    )

    policy = tracked(paid(), way, NOW)

    assert (policy.state, policy.tracking.delivered_at) == ("RUN_OFF", at("2024-03-20T01:00"))


def test_a_carriers_loss_stands_until_the_parcel_moves_again() -> None:
    lost = (*PARCELS_WAY[:2], a_scan("lost", "2024-02-10T01:00"))
    found = (*lost, a_scan("in_transit", "2024-02-12T01:00"))

    assert locate(lost, Tracking()).loss_confirmed_at == at("2024-02-10T01:00")
    assert locate(found, Tracking()).loss_confirmed_at is None


def test_without_scans_the_parcel_stays_where_it_was_known_to_be() -> None:
    known = replace(Tracking(), dispatched_at=PAID_AT)

    assert locate((), known) == known


_scans = st.lists(
    st.builds(
        Scan,
        # Few ids and instants, so that repeats and ties come up.
        scan_id=st.integers(min_value=0, max_value=99).map(str),
        status=st.sampled_from(sorted(STATUSES)),
        occurred_at=st.integers(min_value=0, max_value=30).map(
            lambda day: at("2024-01-01T00:00") + timedelta(days=day)
        ),
        reason=st.sampled_from(["none", "address_issue"]),
    ),
    max_size=8,
    unique_by=lambda scan: scan.scan_id,
)


@given(data=st.data(), scans=_scans)
def test_the_same_scans_in_any_order_and_repeated_end_in_the_same_position(
    data: st.DataObject, scans: list[Scan]
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(scans), max_size=5)) if scans else []
    shuffled = data.draw(st.permutations([*scans, *repeats]))

    assert locate(shuffled, Tracking()) == locate(scans, Tracking())
    assert tracked(paid(), shuffled, NOW) == tracked(paid(), scans, NOW)


@given(scans=_scans)
def test_a_position_is_consistent_in_itself(scans: list[Scan]) -> None:
    position = locate(scans, Tracking())

    moved = [
        position.delivered_at,
        position.returned_at,
        position.loss_confirmed_at,
        position.last_update_at,
    ]
    for when in filter(None, moved):
        assert position.dispatched_at is not None
        assert position.last_update_at is not None
        assert position.dispatched_at <= when <= position.last_update_at


@given(data=st.data(), scans=_scans)
def test_whatever_order_scans_arrive_in_the_policy_ends_the_same(
    data: st.DataObject, scans: list[Scan]
) -> None:
    order = data.draw(st.permutations(scans))
    policy = paid()
    for count in range(1, len(order) + 1):
        policy = tracked(policy, order[:count], NOW)

    assert policy == (tracked(paid(), scans, NOW) if scans else paid())


def test_cover_paid_for_after_the_ship_out_starts_with_the_payment() -> None:
    sent = dispatched(bound(), at("2024-01-01T01:30"))

    policy = pay(sent, plan_of(sent), premium_of(sent), at("2024-01-08T00:00"))

    assert policy.cover_start == at("2024-01-08T00:00")


def test_a_parcel_delivered_before_it_is_paid_for_or_covered_runs_off() -> None:
    unpaid = bound(lapses_at=None)
    late = tracked(dispatched(unpaid, at("2024-01-01T01:30")), PARCELS_WAY, NOW)
    assert pay(late, plan_of(late), premium_of(late), NOW).state == "RUN_OFF"

    scheduled = dispatched(paid("jsx-cargo", at("2024-06-01T04:00")), at("2024-06-01T05:00"))
    quick = tracked(
        scheduled, [a_scan("delivered", "2024-06-01T10:00")], at("2024-06-01T10:00")
    )
    assert activate(quick, plan_of(quick), at("2024-06-01T16:00")).state == "RUN_OFF"
