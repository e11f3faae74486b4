"""Signs of fraud: they hand an approval to a person, and deny nothing (Q45).

A signal changes no outcome, no amount and no reason. It only keeps the engine from settling by
itself what it approves; a person's acceptance settles in spite of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from libs.common.carriers import may_be_one_carrier
from libs.common.plans.codes import Outcome
from libs.common.plans.facts import Facts, cover_start, facts_of
from libs.common.plans.values import Plan
from services.claims.domain.cases import Cover
from services.claims.domain.decision import Decision
from services.claims.domain.settlement import StraightThrough

SAME_FILE: Final = "SAME_FILE"
SAME_PARCEL: Final = "SAME_PARCEL"
EARLY_CLAIM: Final = "EARLY_CLAIM"
MANY_CLAIMS: Final = "MANY_CLAIMS"

# A loss so soon after the cover began may have been known before it.
EARLY_HOURS: Final = 24
# That many other claims of one customer, filed in the days before this one, are many.
MANY_CLAIMS_COUNT: Final = 3
MANY_CLAIMS_DAYS: Final = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """`detail` in plain words; `references` are the ids of what else it is about."""

    code: str
    detail: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFile:
    """A paper of the claim, of this kind, whose very bytes another claim has too."""

    kind: str
    claim_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPolicy:
    """A policy of the tenant that insures, or insured, a parcel of the same number."""

    policy_id: str
    carrier: str
    paid_at: datetime | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What else the tenant has that touches a claim. `claims` are the customer's others, lately."""

    files: tuple[SharedFile, ...] = ()
    policies: tuple[OtherPolicy, ...] = ()
    claims: tuple[str, ...] = ()


def signals_of(
    plan: Plan, facts: Mapping[str, object], cover: Cover, around: Surroundings
) -> tuple[Signal, ...]:
    """What a person should look at before the claim is paid."""
    return (
        *_same_file(around),
        *_same_parcel(cover, around),
        *_early(facts_of(plan, facts)),
        *_many(around),
    )


def held_back(
    answer: StraightThrough, decision: Decision, signals: tuple[Signal, ...]
) -> StraightThrough:
    """The engine's answer; an approval with any signal waits for a person instead."""
    if not signals or not answer.settles or decision.outcome is not Outcome.APPROVED:
        return answer
    codes = ", ".join(dict.fromkeys(signal.code for signal in signals))
    return StraightThrough(settles=False, why=f"signals of fraud: {codes}")


def _same_file(around: Surroundings) -> Iterator[Signal]:
    claims = tuple(dict.fromkeys(file.claim_id for file in around.files))
    if claims:
        kinds = ", ".join(dict.fromkeys(file.kind for file in around.files))
        yield Signal(
            code=SAME_FILE,
            detail=f"The very same file is on {_counted(claims, 'other claim')}: {kinds}.",
            references=claims,
        )


def _same_parcel(cover: Cover, around: Surroundings) -> Iterator[Signal]:
    policies = tuple(
        other.policy_id
        for other in around.policies
        if may_be_one_carrier(cover.carrier, other.carrier) and not _is_reused(cover, other)
    )
    if policies:
        yield Signal(
            code=SAME_PARCEL,
            detail=f"{_counted(policies, 'other policy', 'other policies')} of the tracking"
            f" number {cover.tracking_number}.",
            references=policies,
        )


def _is_reused(cover: Cover, other: OtherPolicy) -> bool:
    """One of the parcels had arrived when the other was insured: the carrier gave the number again."""
    mine = cover.tracking.delivered_at
    return _is_before(other.delivered_at, cover.paid_at) or _is_before(mine, other.paid_at)


def _is_before(arrived_at: datetime | None, insured_at: datetime | None) -> bool:
    return arrived_at is not None and insured_at is not None and arrived_at <= insured_at


def _early(facts: Facts) -> Iterator[Signal]:
    start = cover_start(facts.plan, facts)
    event_at = facts.time("event_at")
    at = facts.time("notified_at") if event_at is None else event_at
    if start is None or at is None or not timedelta(0) <= at - start <= _EARLY:
        return
    what = "was reported" if event_at is None else "is said to have happened"
    yield Signal(
        code=EARLY_CLAIM,
        detail=f"It {what} within {EARLY_HOURS} hours of the start of cover,"
        f" {start.astimezone(facts.plan.zone):%Y-%m-%d %H:%M}.",
    )


_EARLY = timedelta(hours=EARLY_HOURS)


def _many(around: Surroundings) -> Iterator[Signal]:
    if len(around.claims) >= MANY_CLAIMS_COUNT:
        yield Signal(
            code=MANY_CLAIMS,
            detail=f"The customer filed {_counted(around.claims, 'other claim')} in the"
            f" {MANY_CLAIMS_DAYS} days before.",
            references=around.claims,
        )


def _counted(ids: tuple[str, ...], one: str, several: str = "") -> str:
    return f"{len(ids)} {one if len(ids) == 1 else several or one + 's'}"
