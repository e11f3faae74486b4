"""What a plan means for a price: whom it is offered, for which goods, on which papers, for how much."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from libs.common.money import Money, money
from libs.common.plans.codes import Verdict
from libs.common.plans.facts import Facts, Item, bounded, facts_of, premium_base, verdict_of
from libs.common.plans.values import LimitRow, Plan, Rules

# A quote in one of these is priced by an amount nobody will change any more.
_CONFIRMED = frozenset({"PRICED"})
_UNCONFIRMED = frozenset({"DRAFT", "UNDER_VERIFICATION", "INFO_REQUIRED"})
# What reminders are counted in (MP-01).
USD = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """Whether the plan can be had here, and whether the reminder comes up."""

    available: bool
    reminder: bool
    rule_ids: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibleGoods:
    """A verdict for each item, in order, and the value of those accepted."""

    verdicts: tuple[Verdict, ...]
    eligible_goods_value: Money
    rule_ids: Rules

    @property
    def has_referred(self) -> bool:
        return Verdict.REFER in self.verdicts

    @property
    def verdict(self) -> Verdict:
        """For the whole order: accepted if any item is, referred if any could be, else declined."""
        for verdict in (Verdict.ACCEPT, Verdict.REFER):
            if verdict in self.verdicts:
                return verdict
        return Verdict.DECLINE if self.verdicts else Verdict.ACCEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDocuments:
    """The state of the quote after the purchase papers, and the fields they don't show."""

    state: str
    missing: tuple[str, ...]
    rule_ids: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Rate times base, rounded once (`raw`); the premium is that, or the minimum."""

    premium: Money
    raw: Money
    base: Decimal
    rate: Decimal
    minimum: Money
    insured_value: Money
    rule_ids: Rules

    @property
    def is_minimum(self) -> bool:
        return self.premium != self.raw


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRate:
    """USD for one unit of `currency`, as the tenant entered it for `day` (Q14)."""

    currency: str
    rate: Decimal
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCheck:
    """Whether this insured value may be bought. `warn` and `reason` are OVER_VALUE or OVER_LIMIT.

    `row` is the row of the plan's limits that holds for this line and country, if one does.
    """

    accepted: bool
    reason: str
    row: LimitRow | None
    limit: Money | None
    goods_limit: Money | None
    warn: str
    rule_ids: Rules


def offer(plan: Plan, facts: Mapping[str, object]) -> Offered:
    """Whether the plan is offered at this point, and its reminder (MP-03, BM-02, TK-03, CS-03)."""
    case, terms = facts_of(plan, facts), plan.offer
    return Offered(
        available=terms.available_when is None or terms.available_when.evaluate(case),
        reminder=terms.reminder_when is not None and terms.reminder_when.evaluate(case),
        rule_ids=terms.rules,
    )


# A plan never changes, and each quote asks.
@lru_cache(maxsize=1_000)
def reads_order_value(plan: Plan) -> bool:
    """Whether the plan's offer or price goes by what the order is worth in USD (MP-03)."""
    terms, over = plan.offer, plan.over_value
    limits = [
        part for row in plan.limits for part in (row.when, row.maximum, row.goods_maximum)
    ]
    read = (terms.reminder_when, terms.available_when, plan.premium.base, *limits)
    more = () if over is None else (over.warn, over.reject)
    return any(part is not None and "order_value_usd" in part.names for part in (*read, *more))


def goes_by_dearest_item(plan: Plan) -> bool:
    """Whether the price of the dearest item is compared, in place of the order's total (MP-06)."""
    return plan.params.get("reminder_basis") == "max_item"


def in_usd(amount: Money, rate: ExchangeRate | None) -> Money | None:
    """At the quote's rate, rounded once (G-09, G-02); None where there is no rate for it."""
    if amount.currency == USD:
        return amount
    if rate is None or rate.currency != amount.currency:
        return None
    return money(bounded(amount.decimal * rate.rate), USD)


def eligibility(plan: Plan, facts: Mapping[str, object]) -> EligibleGoods:
    """A verdict for each item; only accepted ones are insured and priced (MP-28)."""
    items: tuple[Item, ...] = facts_of(plan, facts).items_of
    verdicts = tuple(verdict_of(plan, item) for item in items)
    accepted = (
        item.value
        for item, verdict in zip(items, verdicts, strict=True)
        if verdict is Verdict.ACCEPT
    )
    return EligibleGoods(
        verdicts=verdicts,
        eligible_goods_value=money(sum(accepted, Decimal(0)), plan.currency),
        rule_ids=plan.goods.rules,
    )


def documents(plan: Plan, facts: Mapping[str, object]) -> CheckedDocuments:
    """Which fields the purchase papers still have to show (MP-08, MP-11); none asked: PRICED."""
    shown = facts_of(plan, facts).codes("shown")
    wanted = dict.fromkeys(field for paper in plan.documents for field in paper.must_show)
    missing = tuple(field for field in wanted if field not in shown)
    rules = tuple(dict.fromkeys(rule for paper in plan.documents for rule in paper.rules))
    state = "INFO_REQUIRED" if missing else "UNDER_VERIFICATION"
    return CheckedDocuments(
        state=state if plan.documents else "PRICED", missing=missing, rule_ids=rules
    )


def price(plan: Plan, facts: Mapping[str, object]) -> Price:
    """The premium: rounded half-up once, the minimum after rounding (G-02)."""
    case, terms, currency = facts_of(plan, facts), plan.premium, plan.currency
    base = premium_base(plan, case)
    raw, minimum = money(base * terms.rate, currency), money(terms.minimum, currency)
    return Price(
        premium=max(raw, minimum),
        raw=raw,
        base=base,
        rate=terms.rate,
        minimum=minimum,
        insured_value=money(case.number("insured_value"), currency),
        rule_ids=terms.rules,
    )


def line_premium(plan: Plan, value: Money) -> Money:
    """What goods of this value cost by themselves, before the minimum (G-02)."""
    return money(value.decimal * plan.premium.rate, value.currency)


def autopay(plan: Plan, facts: Mapping[str, object]) -> bool:
    """Whether an automatic payment may take the premium now (MP-14).

    A plan that blocks it waits until the amount is confirmed: the quote is priced, or it was
    bound and `confirmed_at` has passed.
    """
    case = facts_of(plan, facts)
    state = case.code("quote_state")
    if state in _CONFIRMED:
        return True
    if not plan.premium.blocks_autopay_before_confirmed:
        return state in _UNCONFIRMED or state in ("", "BOUND")
    return state == "BOUND" and case.has_happened("confirmed_at")


def quote_limit(plan: Plan, facts: Mapping[str, object]) -> LimitCheck:
    """Whether the insured value stays within the line's limit and near the declared value.

    The first matching row of `limits` decides (CS-05, CS-06); then more than `reject` is
    refused and more than `warn` sold with a warning (CS-08).
    """
    case, currency = facts_of(plan, facts), plan.currency
    insured = case.number("insured_value")
    row = next((row for row in plan.limits if row.when.evaluate(case)), None)
    limit = None if row is None else row.maximum.evaluate(case)
    goods = (
        None if row is None or row.goods_maximum is None else row.goods_maximum.evaluate(case)
    )
    reason, warn = "", ""
    if limit is not None and insured > limit:
        reason = "OVER_LIMIT"
    else:
        reason, warn = _over_value(plan, case, insured)
    return LimitCheck(
        accepted=not reason,
        reason=reason,
        row=row,
        limit=None if limit is None else money(bounded(limit), currency),
        goods_limit=None if goods is None else money(bounded(goods), currency),
        warn=warn,
        rule_ids=(
            *(row.rules if row else ()),
            *(plan.over_value.rules if plan.over_value else ()),
        ),
    )


def _over_value(plan: Plan, case: Facts, insured: Decimal) -> tuple[str, str]:
    """The reason to refuse, and the warning."""
    terms = plan.over_value
    if terms is None:
        return "", ""
    if terms.reject is not None and insured > terms.reject.evaluate(case):
        return "OVER_VALUE", ""
    is_more = terms.warn is not None and insured > terms.warn.evaluate(case)
    return "", "OVER_VALUE" if is_more else ""
