"""Worked payments, top-ups, cover starts and refunds, from quote to policy through HTTP."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from deploy.plans_check import Example
from tests.buying import shown
from tests.doors import Doors
from tests.http_examples.buying import Checkout
from tests.http_examples.doors import expected_of, facts_given, only_expected
from tests.http_examples.marks import through_http
from tests.http_examples.orders import some_day, worth_of
from tests.policy.builders import Json

HOUR = timedelta(hours=1)
# The times of a policy, with what makes each of them true.
_TIMES = ("confirmed_at", "paid_at", "accepted_at", "dispatched_at")


async def _bound(checkout: Checkout, at: datetime, *, is_confirmed: bool) -> Json:
    """A policy on the example's parcel, its papers uploaded; confirmed or not yet."""
    await checkout.at(at)
    await checkout.ask()
    await checkout.prove()
    if is_confirmed:
        await checkout.confirm(worth_of(checkout.example))
    return await checkout.bind()


async def _paid(checkout: Checkout) -> None:
    """What is due: the deposit, as long as the amount is not confirmed."""
    policy = await checkout.show_policy()
    deposit = checkout.plan.premium.deposit
    minor = policy["premium_due"]["amount_minor"]
    if policy["confirmed_at"] is None and deposit is not None:
        minor = int(deposit.amount * 100)
    assert (await checkout.pay(minor)).status_code == 201


@pytest.mark.parametrize("example", through_http("effective"))
async def test_cover_starts_when_the_programme_says(doors: Doors, example: Example) -> None:
    checkout, facts = Checkout(doors, example), facts_given(example)
    times = {name: at for name in _TIMES if (at := facts.time(name)) is not None}
    waits = "confirmed_at" in times
    await _bound(checkout, min(times.values()) - HOUR, is_confirmed=not waits)

    for name, at in sorted(times.items(), key=lambda one: one[1]):
        await checkout.at(at)
        if name == "confirmed_at":
            await checkout.confirm(worth_of(example))
        elif name == "paid_at":
            await _paid(checkout)
        elif name == "accepted_at":
            await checkout.accept(at)
        else:
            await checkout.dispatch(at)

    policy = await checkout.show_policy()
    known = {**policy["tracking"], **policy}
    assert {name: datetime.fromisoformat(known[name]) for name in times} == times
    start = datetime.fromisoformat(policy["cover_start"]).astimezone(checkout.plan.zone)
    answer = {"cover_start": start.replace(tzinfo=None).isoformat()}
    assert only_expected(example, answer) == expected_of(example)


@pytest.mark.parametrize("example", through_http("autopay"))
async def test_the_premium_is_taken_when_the_programme_says(
    doors: Doors, example: Example
) -> None:
    checkout, state = Checkout(doors, example), example.given["quote_state"]
    await checkout.at(some_day(example))
    await checkout.ask()
    await checkout.prove()
    if state == "PRICED":
        await checkout.confirm(worth_of(example))
    assert (await checkout.show_quote())["state"] == state
    policy = await checkout.bind()

    response = await checkout.pay(policy["premium"]["amount_minor"], is_automatic=True)

    answer = {"charged": response.status_code == 201}
    assert answer["charged"] or response.json()["code"] == "autopay-blocked"
    assert only_expected(example, answer) == expected_of(example)


@pytest.mark.parametrize("example", through_http("topup"))
async def test_a_top_up_comes_out_as_the_programme_says(doors: Doors, example: Example) -> None:
    checkout, facts = Checkout(doors, example), facts_given(example)
    confirmed_at, paid_at = facts.time("confirmed_at"), facts.time("paid_at")
    assert confirmed_at is not None
    await _bound(checkout, confirmed_at - HOUR, is_confirmed=False)
    await checkout.pay(int(facts.number("deposit_paid") * 100))
    await checkout.at(confirmed_at)
    await checkout.confirm(worth_of(example))
    due = (await checkout.show_policy())["premium_due"]

    if paid_at is not None:
        await checkout.at(paid_at)
        # An example that is late says what is received all the same, where anything is.
        if example.expect["state"] == "PAID" or "late_received" in example.given:
            assert (await checkout.pay(due["amount_minor"])).status_code == 201
    elif "as_of" in example.given:
        await checkout.at(facts.as_of)

    answer = {
        "due": shown(due),
        "state": _payment_state(await checkout.show_policy()),
        "refund": await checkout.refunded(),
    }
    assert only_expected(example, answer) == expected_of(example)


def _payment_state(policy: Json) -> str:
    """In the words of the examples: paid policies go on to be scheduled or in force."""
    if policy["paid_at"] is not None:
        return "PAID"
    is_due = policy["state"] == "PENDING" and policy["premium_due"]["amount_minor"] > 0
    return "TOP_UP_DUE" if is_due else str(policy["state"])


@pytest.mark.parametrize("example", through_http("refund"))
async def test_a_cancelled_policy_is_refunded_as_the_programme_says(
    doors: Doors, example: Example
) -> None:
    checkout, facts = Checkout(doors, example), facts_given(example)
    paid_at = facts.time("paid_at") or some_day(example)
    policy = await _bound(checkout, paid_at - HOUR, is_confirmed=True)
    assert shown(policy["premium"]) == f"{facts.number('premium'):.2f}"
    await checkout.at(paid_at)
    await _paid(checkout)
    if "premium_charged" in example.given:
        more = facts.number("premium_charged") - facts.number("premium")
        assert (await checkout.pay(int(more * 100), reference="again")).status_code == 201
    if facts.flag("dispatched"):
        await checkout.at(facts.time("dispatched_at") or paid_at + HOUR)
        await checkout.dispatch(facts.time("dispatched_at") or paid_at + HOUR)
    await checkout.at(facts.as_of if "as_of" in example.given else paid_at + 2 * HOUR)

    response = await checkout.cancel(facts.code("reason"))

    is_correction = "premium_charged" in example.given
    # What corrects a charge ends no policy: it goes back by itself (BM-07).
    answer = {
        "refund": await checkout.refunded()
        if is_correction
        else _refunded(response.json(), response.status_code)
    }
    state = (await checkout.show_policy())["state"]
    assert (state == "CANCELLED") == (response.status_code == 200)
    assert only_expected(example, answer) == expected_of(example)


def _refunded(answer: Any, status: int) -> str:
    """Nothing goes back where the policy stays in force, or the plan knows no such reason."""
    if status == 200:
        return shown(answer["refund"])
    assert answer["code"] in ("policy-not-cancellable", "unknown-refund-reason"), answer
    return "0.00"
