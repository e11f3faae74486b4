"""What a plan file says, compiled: frozen values that the three domains read.

An expression stands here as `Condition` or `Amount`: its `evaluate` takes the facts. Every part
of a plan that can decide something carries `rules`, the ids of the rules (domain.md) it states.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from libs.common.plans.clocks import Duration, WorkingCalendar
from libs.common.plans.codes import Verdict
from libs.common.plans.expressions import Expression, Param

Condition = Expression[bool]
Amount = Expression[Decimal]
Rules = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A length of time; with `by`, a table of counts read by a code fact.

    A code that the table does not list reads its longest entry: nothing opens too early for
    want of a fact.
    """

    duration: Duration
    by: str = ""
    table: Mapping[str, int] = field(default_factory=dict)

    def length(self, facts: Mapping[str, Any]) -> Duration:
        if not self.by:
            return self.duration
        count = self.table.get(facts[self.by], self.duration.count)
        return Duration(unit=self.duration.unit, count=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Who is offered the plan, where, and when the reminder comes up."""

    buyers: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    available_when: Condition | None = None
    reminder_when: Condition | None = None
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """Which item classes are insured. `otherwise` answers for a class on neither list."""

    accept: frozenset[str]
    decline: frozenset[str]
    otherwise: Verdict
    rules: Rules = ()

    def verdict(self, item_class: str) -> Verdict:
        if item_class in self.decline:
            return Verdict.DECLINE
        return Verdict.ACCEPT if item_class in self.accept else self.otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A paper needed at purchase and the fields that must be legible on it."""

    kind: str
    must_show: tuple[str, ...]
    before: str
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Who checks the papers, how fast (a target), and when missing papers end the quote."""

    by: str
    target: Duration | None
    insufficient: str
    lapse: Duration | None
    lapse_state: str
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """What may be paid before the amount is confirmed, and the clock of the rest."""

    amount: Decimal
    top_up_from: str
    top_up: Duration
    lapse_state: str
    refunds_all: bool
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Premium:
    """Rate times base, rounded once; the minimum is applied after rounding (G-02)."""

    base: Amount
    rate: Decimal
    minimum: Decimal
    blocks_autopay_before_confirmed: bool
    deposit: Deposit | None
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow:
    """The highest insured value where `when` holds; `goods_max` bounds the goods part of it."""

    when: Condition
    maximum: Amount
    goods_maximum: Amount | None
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OverValue:
    """Insured more than declared: above `warn` a warning, above `reject` a refusal."""

    warn: Amount | None
    reject: Amount | None
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The start rule, a time fact it waits for, the time fact that ends it, what voids it."""

    start: str
    not_before: str
    end: str
    void_on: tuple[str, ...]
    rules: Rules = ()
    void_rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """Returned goods: how long the sender may say what becomes of them, and what then happens."""

    since: str
    length: Duration
    then: str
    costs: str
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow:
    reason: str
    when: Condition
    amount: Amount
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ElapsedProof:
    """Proof by waiting. `stopped` is the answer where the event `until` comes first."""

    since: str
    clock: Clock
    until: str
    stopped: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Alternatives, any one of which suffices: kinds of evidence, or time gone by."""

    kinds: tuple[str, ...]
    elapsed: tuple[ElapsedProof, ...]
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Something that must be reached: a clock since a time fact, or (no clock) an event."""

    fact: str
    clock: Clock | None
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The latest moment of an act, from the first of `since` that is set."""

    since: tuple[str, ...]
    clock: Clock
    act: str
    is_discretionary: bool
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A gate, hold, referral or note: its code applies while `when` holds."""

    code: str
    when: Condition
    is_discretionary: bool = False
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """Kinds that may follow later, and for how long."""

    kinds: tuple[str, ...]
    since: str
    clock: Clock
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalKind:
    kind: str
    when: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    required: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    conditional: tuple[ConditionalKind, ...] = ()
    supporting: tuple[str, ...] = ()
    platform_supplies: frozenset[str] = frozenset()
    grace: Grace | None = None
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    code: str
    amount: Amount
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What of the payout is not plain goods: the shipping in it, and the buy-yourself goods."""

    shipping: Amount | None = None
    buy_yourself: Amount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Peril:
    """What is asked and paid when this happens. `all_rules` are the rules of an approval."""

    peril: str
    enabled: bool
    lines_excluded: frozenset[str]
    lines_rules: Rules
    proof: Proof | None
    waits: tuple[Wait, ...]
    deadlines: tuple[Deadline, ...]
    gates: tuple[Check, ...]
    holds: tuple[Check, ...]
    evidence: Evidence
    video: tuple[str, ...]
    video_rules: Rules
    refers: tuple[Check, ...]
    payout: Amount | None
    payout_rules: Rules
    parts: Parts
    caps: tuple[Cap, ...]
    notes: tuple[Check, ...]
    instrument: str
    max_uses: int | None
    uses_rules: Rules
    rules: Rules
    all_rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaCategory:
    """A decision clock: it runs from `since` (complete_at where unset) to the decision or `until`."""

    name: str
    when: Condition
    target: Duration | None
    due: Duration
    since: str
    until: str
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sla:
    categories: tuple[SlaCategory, ...]
    pay: Duration | None
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority:
    """Whose claims come first: their clocks are `factor` of the others', at least `minimum`."""

    any_of: tuple[Condition, ...]
    factor: Decimal
    minimum: int
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealTier:
    tier: int
    body: str
    file: Duration
    decide: Duration
    is_final: bool
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceTerms:
    when: Condition
    fraction: Decimal
    due: Duration
    shortfall: str
    clawback: str
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAfterPayout:
    repay: Decimal
    rules: Rules = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraDays:
    """A known disruption: parcels dispatched from `first` to `last` may take `days` longer."""

    first: date
    last: date
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A shipping line. `standard_days` by destination; "*" stands for all others."""

    code: str
    tags: tuple[str, ...]
    mode: str
    standard_days: Mapping[str, int]
    extra_days: tuple[ExtraDays, ...]

    def standard(self, destination: str) -> int | None:
        return self.standard_days.get(destination, self.standard_days.get("*"))

    def extra(self, dispatched_on: date) -> int:
        return sum(
            row.days for row in self.extra_days if row.first <= dispatched_on <= row.last
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """One version of a programme. `sha256` is that of the bytes of its document."""

    plan: str
    version: int
    tenant: str
    valid_from: date
    # The last day it is sold; None: until the next version begins.
    valid_to: date | None
    currency: str
    timezone: str
    zone: ZoneInfo
    calendar: WorkingCalendar
    params: Mapping[str, Param]
    info: Duration | None
    quote_validity: Duration | None
    carrier_reply: Duration | None
    voucher_validity: Duration | None
    offer: Offer
    goods: Goods
    documents: tuple[Document, ...]
    verification: Verification | None
    premium: Premium
    limits: tuple[LimitRow, ...]
    over_value: OverValue | None
    cover: Cover
    undeliverable: Instruction | None
    refunds: tuple[RefundRow, ...]
    # As written, and with all that an excluded force_majeure includes.
    exclusions: tuple[str, ...]
    excluded_causes: frozenset[str]
    exclusion_rules: Rules
    claim_rule: str
    claim_rule_rules: Rules
    lets: Mapping[str, Expression[Any]]
    perils: Mapping[str, Peril]
    perils_rules: Rules
    sla: Sla | None
    priority: Priority | None
    appeal: tuple[AppealTier, ...]
    advance: AdvanceTerms | None
    found_after_payout: FoundAfterPayout | None
    lines: Mapping[str, Line]
    rules: Mapping[str, Rules]
    sha256: str
    source: str

    @property
    def name(self) -> str:
        return f"{self.plan} v{self.version}"
