"""A decision on a claim as a frozen value: what the engine proposes, how much, why, and what next."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from libs.common.money import Money
from libs.common.plans.codes import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why: a code of domain.md 2.4 (with what it is about), the step of the evaluation, the rules.

    `outcome` is what this reason alone would lead to. A discretionary one may be overridden by
    a person with a written reason, under four-eyes (G-13).
    """

    code: str
    detail: str = ""
    step: int
    outcome: Outcome
    is_discretionary: bool = False
    rule_ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.code}:{self.detail}" if self.detail else self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Evidence still to come. The label reads `a|b+c`: a, or both b and c.

    `awaits_provider` says that provider or platform can close it; `until` is the last local day
    of its window, None where that cannot be told yet.
    """

    label: str
    kinds: tuple[str, ...]
    alternatives: tuple[tuple[str, ...], ...]
    awaits_provider: bool
    in_grace: bool
    until: date | None
    is_open: bool

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the arithmetic, exact, in plan currency: `before` becomes `after`.

    The first has no `before`; a cap's line names its `limit`, None where the cap is skipped.
    """

    label: str
    after: Decimal
    before: Decimal | None = None
    limit: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What the payout formula and its caps come to, whatever the outcome.

    `goods`, `shipping`, `delay` and `other` (a return voucher) add up to `amount`; of a capped
    payout the goods count first. `buy_yourself` is the part of `goods` that counts as such.
    """

    amount: Money
    lines: tuple[Line, ...]
    caps: tuple[str, ...]
    goods: Money
    buy_yourself: Money
    shipping: Money
    delay: Money
    other: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The engine's answer. `reasons` has the decisive one first, all later failures after it."""

    plan: str
    version: int
    sha256: str
    peril: str
    outcome: Outcome
    reasons: tuple[Reason, ...]
    payout: Money
    # None only where nothing could be assessed: no policy, or a peril the plan doesn't pay.
    assessment: Assessment | None
    caps: tuple[str, ...] = ()
    notes: tuple[Reason, ...] = ()
    instrument: str = "cash"
    # DEFERRED: the local day it opens and its first instant, or the time fact it waits for.
    eligible_on: date | None = None
    resume_at: datetime | None = None
    awaits: str = ""
    missing: tuple[Gap, ...] = ()
    # The last local day of the answer window and of the grace period, while they are open.
    info_until: date | None = None
    grace_until: date | None = None
    # The first instant at which an open window is over, and the claim is decided again.
    lapses_at: datetime | None = None
    # Asked for once, never decisive.
    supporting: tuple[str, ...] = ()
    rule_ids: tuple[str, ...] = ()
    # Discretionary reasons and notes that people have set aside, in writing (G-13).
    overridden: tuple[Reason, ...] = ()

    @property
    def discretionary(self) -> tuple[Reason, ...]:
        """The reasons and notes that a person may override."""
        return tuple(r for r in (*self.reasons, *self.notes) if r.is_discretionary)

    @property
    def reason(self) -> Reason | None:
        """The decisive reason; None for an approval and for a request for evidence."""
        first = self.reasons[0] if self.reasons else None
        return first if first is not None and first.outcome is self.outcome else None

    @property
    def is_discretionary(self) -> bool:
        return self.reason is not None and self.reason.is_discretionary

    @property
    def is_partial(self) -> bool:
        """Shown as "partially approved": approved, and reduced by a cap."""
        noted = any(note.code.startswith("CAP_") for note in self.notes)
        return self.outcome is Outcome.APPROVED and (bool(self.caps) or noted)
