"""A payout sent once or more, to a payment system that answers twice, late, or never."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.claims.domain.filing import Payout, PayoutNotSent, PayoutSettledOtherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sending of a payout: SENT until the payment system answers CONFIRMED or FAILED."""

    payout_id: str
    number: int
    sent_at: datetime
    state: str = "SENT"
    reference: str | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the payment system says. `attempt` None: it does not say of which sending."""

    state: str
    reference: str
    attempt: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What an answer changes: the sending, the payout, and whether money went out that was not owed."""

    attempt: Attempt
    payout: Payout
    is_paid_twice: bool = False


def hear(
    payout: Payout, attempts: Sequence[Attempt], answer: Answer, *, now: datetime
) -> Heard | None:
    """What follows from the answer; None where it is no news.

    A sending that failed may be confirmed after all, as money moves whatever was said of it: then
    the payout is paid, and what is confirmed beside that is money paid twice.
    """
    meant = _meant(payout, attempts, answer)
    if (meant.state, meant.reference) == (answer.state, answer.reference):
        return None
    if meant.state == "CONFIRMED" or answer.state == meant.state:
        raise PayoutSettledOtherwise(
            f"Attempt {meant.number} of payout {payout.payout_id} is {meant.state} with reference "
            f"{meant.reference}. If another attempt is meant, name it as `attempt`."
        )
    heard = replace(meant, state=answer.state, reference=answer.reference, settled_at=now)
    if answer.state == "CONFIRMED" and payout.state in ("CONFIRMED", "VOID"):
        return Heard(attempt=heard, payout=payout, is_paid_twice=True)
    if answer.state == "FAILED" and payout.state != "SENT":
        return Heard(attempt=heard, payout=payout)
    settled = replace(
        payout,
        state=answer.state,
        reference=answer.reference,
        sent_at=meant.sent_at,
        settled_at=now,
    )
    return Heard(attempt=heard, payout=settled)


def _meant(payout: Payout, attempts: Sequence[Attempt], answer: Answer) -> Attempt:
    """The sending it is about: the one it names, else the one it answered before, else the latest.

    So an old answer that comes again is not taken for one to the new sending.
    """
    by_number = {attempt.number: attempt for attempt in attempts}
    if answer.attempt is None:
        known = [a for a in attempts if a.reference == answer.reference]
        found = known[-1] if known else by_number.get(max(by_number, default=0))
    else:
        found = by_number.get(answer.attempt)
    if found is None:
        which = "" if answer.attempt is None else f" with attempt {answer.attempt}"
        raise PayoutNotSent(f"Payout {payout.payout_id} was not sent{which}.")
    return found
