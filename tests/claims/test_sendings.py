"""A payout and its sendings, whatever the payment system says and in whatever order."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from libs.common.money import Money
from services.claims.domain.filing import Payout, PayoutNotSent, PayoutSettledOtherwise
from services.claims.domain.sendings import Answer, Attempt, Heard, hear
from tests.claims.builders import at

NOW = at("2024-03-02T09:00")


def a_payout(**changes: Any) -> Payout:
    standard = Payout(
        payout_id="pyt_1",
        claim_id="clm_1",
        policy_id="pol_1",
        decision_id="dec_1",
        amount=Money(7_000, "CNY"),
        instrument="cash",
        state="APPROVED",
    )
    return replace(standard, **changes)


def an_attempt(number: int = 1, state: str = "SENT", reference: str | None = None) -> Attempt:
    settled_at: datetime | None = None if state == "SENT" else NOW
    return Attempt(
        payout_id="pyt_1",
        number=number,
        sent_at=NOW,
        state=state,
        reference=reference,
        settled_at=settled_at,
    )


FAILED_ONCE = [an_attempt(1, "FAILED", "b-1"), an_attempt(2)]


@pytest.mark.parametrize(
    ("reference", "named", "meant"),
    [("b-1", None, 1), ("b-2", None, 2), ("b-2", 1, 1), ("b-1", 2, 2)],
)
def test_an_answer_is_about_the_sending_it_names_or_answered_before_or_the_latest(
    reference: str, named: int | None, meant: int
) -> None:
    answer = Answer(state="CONFIRMED", reference=reference, attempt=named)

    heard = hear(a_payout(state="SENT", attempt=2), FAILED_ONCE, answer, now=NOW)

    assert isinstance(heard, Heard)
    assert (heard.attempt.number, heard.payout.state) == (meant, "CONFIRMED")


def test_nothing_is_heard_of_what_was_not_sent() -> None:
    for attempts, named in (([], None), ([], 1), (FAILED_ONCE, 3)):
        answer = Answer(state="CONFIRMED", reference="b-1", attempt=named)
        with pytest.raises(PayoutNotSent):
            hear(a_payout(), attempts, answer, now=NOW)


class PaymentSystem(RuleBasedStateMachine):
    """Sends, fails, confirms and repeats as it likes; what it confirmed is money that moved."""

    def __init__(self) -> None:
        super().__init__()
        self.payout = a_payout()
        self.attempts: dict[int, Attempt] = {}
        self.confirmed: set[int] = set()
        self.paid_twice = 0

    @rule()
    def send(self) -> None:
        if self.payout.state == "APPROVED":
            number = self.payout.attempt + 1
            self.attempts[number] = an_attempt(number)
            self.payout = replace(self.payout, state="SENT", attempt=number)

    @rule()
    def retry(self) -> None:
        if self.payout.state == "FAILED":
            self.payout = replace(self.payout, state="APPROVED")

    @rule()
    def stop(self) -> None:
        """The claim is decided anew before it is out."""
        if self.payout.state in ("APPROVED", "FAILED"):
            self.payout = replace(self.payout, state="VOID")

    @rule(
        number=st.integers(1, 3),
        state=st.sampled_from(["CONFIRMED", "FAILED"]),
        says_which=st.booleans(),
    )
    def answer(self, number: int, state: str, says_which: bool) -> None:
        """Each sending has a reference of its own, so that unnamed answers are told apart too."""
        known = self.attempts.get(number)
        if known is None or (known.reference is None and number != self.payout.attempt):
            return
        answer = Answer(
            state=state, reference=f"b-{number}", attempt=number if says_which else None
        )
        try:
            heard = hear(self.payout, list(self.attempts.values()), answer, now=NOW)
        except PayoutSettledOtherwise:
            # A payment system does not take back what it confirmed.
            assert (state, number in self.confirmed) == ("FAILED", True)
            return
        if state == "CONFIRMED":
            self.confirmed.add(number)
        if heard is not None:
            self.attempts[number], self.payout = heard.attempt, heard.payout
            self.paid_twice += heard.is_paid_twice

    @invariant()
    def all_money_that_moved_is_accounted_for_once(self) -> None:
        paid = self.payout.state == "CONFIRMED"
        assert len(self.confirmed) == paid + self.paid_twice
        stored = {a.number for a in self.attempts.values() if a.state == "CONFIRMED"}
        assert stored == self.confirmed


TestPaymentSystem = PaymentSystem.TestCase
