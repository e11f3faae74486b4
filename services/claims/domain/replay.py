"""Past decisions made again from their stored facts: under their own plans, or under another version.

Under its own plan a decision comes out as it was, to the last digit: deciding is pure, and the
facts are kept with the answer. Under another version it shows what that version would change.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from libs.common.errors import Refusal
from libs.common.money import Money, zero
from libs.common.plans.values import Plan
from libs.common.plans.wire import from_wire
from services.claims.domain.adjudication import adjudicate
from services.claims.domain.decision import Decision

# What a claimant sees of a decision; under another version its plan and rules differ anyway.
SEEN: Final = (
    "outcome", "payout", "reasons", "caps", "notes", "instrument", "eligible_on", "missing",
)  # fmt: skip
# Codes and what is asked for say why; which clause of which version they rest on does not count.
_BY_CODE: Final = frozenset({"reasons", "notes", "missing"})

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A decision as it is stored. It `stands` while it is the latest settled one of its claim."""

    decision_id: str
    claim_id: str
    tenant_id: str
    plan: str
    plan_sha256: str
    is_settled: bool
    stands: bool
    decided_at: datetime
    decision: Json
    facts: Json

    @property
    def overridden(self) -> frozenset[str]:
        """Codes of the reasons that people had set aside (G-13)."""
        return frozenset(reason["code"] for reason in self.decision.get("overridden", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    outcome: str
    payout: Money
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, decision: Json) -> "Answer":
        payout = decision["payout"]
        return cls(
            outcome=decision["outcome"],
            payout=Money(payout["amount_minor"], payout["currency"]),
            reasons=tuple(_label(reason) for reason in decision["reasons"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What became of one decision. `changed` are the members that differ; none where it is the same.

    `refusal` says why it could not be made again; there is no answer `after` then.
    """

    past: Past
    before: Answer
    after: Answer | None
    changed: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def is_same(self) -> bool:
        return not self.changed and not self.refusal


class PlanOf(Protocol):
    """The plan to decide a past decision under; a Refusal where there is none."""

    def __call__(self, past: Past) -> Plan: ...


def replay(pasts: Iterable[Past], plan_of: PlanOf, *, is_exact: bool) -> Iterator[Again]:
    """Each decision made anew. `is_exact`: not one digit of it may differ."""
    for past in pasts:
        before = Answer.of(past.decision)
        try:
            again = _as_stored(decide_again(plan_of(past), past))
        except Refusal as refusal:
            yield Again(past=past, before=before, after=None, refusal=refusal.detail)
            continue
        changed = _changed(past.decision, again) if is_exact else _seen(past.decision, again)
        after = Answer.of(again) if changed else before
        yield Again(past=past, before=before, after=after, changed=changed)


def decide_again(plan: Plan, past: Past) -> Decision:
    """The engine's answer to what it was asked then."""
    facts = from_wire(past.facts, plan.zone)
    return adjudicate(plan, past.decision["peril"], facts, past.overridden)


def _as_stored(decision: Decision) -> Json:
    """Through JSON, as the stored one went."""
    again: Json = msgspec.json.decode(msgspec.json.encode(decision))
    return again


def _changed(before: Json, after: Json) -> tuple[str, ...]:
    if before == after:
        return ()
    names = dict.fromkeys((*before, *after))
    return tuple(name for name in names if before.get(name) != after.get(name))


def _seen(before: Json, after: Json) -> tuple[str, ...]:
    return tuple(name for name in SEEN if _compared(name, before) != _compared(name, after))


def _compared(name: str, decision: Json) -> object:
    value = decision[name]
    return [_label(one) for one in value] if name in _BY_CODE else value


def _label(one: Json) -> str:
    """A reason by its code and what it is about; a gap by what would close it."""
    if "label" in one:
        return str(one["label"])
    return f"{one['code']}:{one['detail']}" if one["detail"] else str(one["code"])


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a replay comes to, counted as it goes; it keeps only the `keep` largest changes.

    Money is that of the decisions that stand: what a later one replaced is not counted twice.
    """

    keep: int
    decisions: int = 0
    changed: int = 0
    refused: int = 0
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    before: dict[str, Money] = field(default_factory=dict)
    after: dict[str, Money] = field(default_factory=dict)
    largest: list[Again] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        return not self.changed and not self.refused

    def add(self, again: Again) -> None:
        self.decisions += 1
        before, after = again.before, again.after
        if after is None:
            self.refused += 1
            self._remember(again)
            return
        self.transitions[before.outcome, after.outcome] += 1
        if again.past.stands:
            _add(self.before, before.payout)
            _add(self.after, after.payout)
        if again.changed:
            self.changed += 1
            self._remember(again)

    def _remember(self, again: Again) -> None:
        self.largest.append(again)
        if len(self.largest) > 2 * self.keep:
            self._cut()

    def _cut(self) -> None:
        self.largest.sort(key=weight, reverse=True)
        del self.largest[self.keep :]

    def most(self) -> list[Again]:
        """The largest changes, what could not be decided first."""
        self._cut()
        return self.largest


def weight(again: Again) -> tuple[bool, int, str]:
    """What sorts changes by how much they matter; ids keep it the same each time."""
    before, after = again.before.payout, again.after
    if after is None:
        return True, 0, again.past.decision_id
    moved = (
        abs(after.payout.amount_minor - before.amount_minor)
        if after.payout.currency == before.currency
        else after.payout.amount_minor + before.amount_minor
    )
    return False, moved, again.past.decision_id


def _add(sums: dict[str, Money], amount: Money) -> None:
    currency = amount.currency
    sums[currency] = sums.get(currency, zero(currency)) + amount
