"""What a parcel costs to insure: the offers of each plan, and the quote they make.

Pure but for `bind_quotes`: a quote is decided before a transaction is opened, and written by the
QuoteWriter with all others that wait.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from libs.common import outbox
from libs.common.db import Tx
from libs.common.errors import Conflict, Fault
from libs.common.events import Announcement
from libs.common.money import Money, WrongCurrency, zero
from libs.common.plans.book import PlanBook, UnknownPlan
from libs.common.plans.clocks import local_day
from libs.common.plans.codes import Verdict
from libs.common.plans.facts import Item, facts_of
from libs.common.plans.values import Plan
from libs.common.testclock import SANDBOX_PREFIX
from services.quote import events
from services.quote.domain import (
    USD,
    EligibleGoods,
    ExchangeRate,
    LimitCheck,
    Price,
    eligibility,
    goes_by_dearest_item,
    in_usd,
    line_premium,
    offer,
    price,
    quote_limit,
    reads_order_value,
)
from services.quote.events import QuoteBound, QuoteIssued
from services.quote.store import quotes
from services.quote.store.rates import RateKey

# A plan that does not say how long its quotes are valid (`quote_days`).
DEFAULT_VALID_DAYS = 7

PRICED, DRAFT, DECLINED = "PRICED", "DRAFT", "DECLINED"
UNDER_VERIFICATION = "UNDER_VERIFICATION"

# Why an offer is not available; OVER_LIMIT and OVER_VALUE come from the plan's own check.
NOT_ON_OFFER = "NOT_ON_OFFER"
BUYER_NOT_SERVED = "BUYER_NOT_SERVED"
GOODS_EXCLUDED = "GOODS_EXCLUDED"
NOTHING_INSURED = "NOTHING_INSURED"
# Warnings; OVER_VALUE is one too.
INSURED_VALUE_NOT_TAKEN = "INSURED_VALUE_NOT_TAKEN"
NO_EXCHANGE_RATE = "NO_EXCHANGE_RATE"
# Some lines wait for a person; it is also the reason that such a line gives.
GOODS_REFERRED = "GOODS_REFERRED"

_LINE_REASONS = {
    Verdict.ACCEPT: "",
    Verdict.DECLINE: GOODS_EXCLUDED,
    Verdict.REFER: GOODS_REFERRED,
}


class QuoteOfAnotherPolicy(Conflict):
    code = "quote-of-another-policy"
    title = "The quote is unknown or bound by another policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedItem:
    """A line of the parcel; `value` is price × quantity."""

    item_id: str
    item_class: str
    quantity: int
    value: Money
    weight_kg: Decimal = Decimal(0)
    source: str = "agent"
    marks: tuple[str, ...] = ()
    # What a person said of a line that the plan refers (MP-28).
    verdict: Verdict | None = None

    @property
    def unit_price(self) -> Money:
        return Money(self.value.amount_minor // self.quantity, self.value.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskQuote:
    """A parcel to be insured. All money is in one currency, but for `order_value_usd`."""

    tenant_id: str
    plan: str | None
    point: str
    customer_id: str
    customer_kind: str
    is_registered: bool
    is_vip: bool
    order_ref: str
    submitted_at: datetime | None
    options: tuple[str, ...]
    items_in_warehouse: bool
    is_rehearsal: bool
    is_packed: bool
    order_value_usd: Money | None
    line: str
    line_tags: tuple[str, ...]
    mode: str
    destination: str
    scope: str
    packing: str
    items: tuple[AskedItem, ...]
    shipping_fee: Money
    insured_value: Money | None

    @property
    def currency(self) -> str:
        return self.shipping_fee.currency

    @property
    def goods_value(self) -> Money:
        """Of all items; BadAmount where it is more than money can hold."""
        return sum((item.value for item in self.items), zero(self.currency))

    def accepted_value(self, plan: Plan) -> Money:
        """Of the items that the plan insures (MP-28)."""
        accepted = (
            item.value
            for item in self.items
            if plan.goods.verdict(item.item_class) is Verdict.ACCEPT
        )
        return sum(accepted, zero(self.currency))


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedLine:
    """Whether a line is insured, why not, and what it costs by itself; None where it never is."""

    item_id: str
    verdict: Verdict
    reason: str
    premium: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One plan's answer. `price` None: it does not insure this parcel, or a person must look first.

    line_tags and mode are the plan's own where it knows the line.
    """

    plan: Plan
    state: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    is_reminded: bool
    goods: EligibleGoods
    lines: tuple[OfferedLine, ...]
    line_tags: tuple[str, ...]
    mode: str
    limit: LimitCheck
    insured_value: Money
    price: Price | None

    @property
    def is_available(self) -> bool:
        return self.state != DECLINED


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedQuote:
    quote_id: str
    ask: AskQuote
    offers: tuple[Offer, ...]
    created_at: datetime
    valid_until: datetime
    # What the order was valued with, for as long as the quote lives (G-09); None where it was not.
    exchange_rate: ExchangeRate | None = None

    @property
    def state(self) -> str:
        """The furthest that any offer got (domain.md 2.7)."""
        if any(offer.state == PRICED for offer in self.offers):
            return PRICED
        waiting = self.waiting_offer
        if waiting is None:
            return DECLINED
        return DRAFT if waiting.plan.documents else UNDER_VERIFICATION

    @property
    def waiting_offer(self) -> Offer | None:
        """The one whose papers or goods a person must see first."""
        return next((offer for offer in self.offers if offer.state == DRAFT), None)


def current_plan(book: PlanBook, plan: str, now: datetime) -> Plan | None:
    """The version that is sold today, by the plan's own day."""
    return book.current(plan, local_day(now, book.newest(plan).zone))


def plans_asked(
    book: PlanBook, sold: Sequence[str], ask: AskQuote, *, now: datetime
) -> list[Plan]:
    """The plan asked for, or all that this tenant sells and that reckon in the ask's currency.

    UnknownPlan, the same for a plan that is nowhere, another's, or not on sale today; WrongCurrency.
    """
    names = [name for name in sold if ask.plan in (None, name)]
    on_sale = [plan for name in names if (plan := current_plan(book, name, now)) is not None]
    if not on_sale:
        raise unknown_plan(ask.plan or "", sold)
    plans = [plan for plan in on_sale if plan.currency == ask.currency]
    if not plans:
        wanted = " or ".join(sorted({plan.currency for plan in on_sale}))
        fault = Fault(
            f"This is in {ask.currency}; {wanted} is wanted here.", "#/shipping_fee/currency"
        )
        raise WrongCurrency(fault.detail, faults=[fault])
    return plans


def unknown_plan(plan: str, sold: Sequence[str]) -> UnknownPlan:
    return UnknownPlan(
        f"You do not sell a plan {plan!a}; you sell: {', '.join(sold) or 'none'}."
    )


def rate_wanted(ask: AskQuote, plans: Iterable[Plan], *, now: datetime) -> RateKey | None:
    """The exchange rate that these plans' offers go by; None where they can do without.

    The day is today by the first plan that asks: a tenant's plans share their zone.
    """
    if ask.order_value_usd is not None or ask.currency == USD:
        return None
    plan = next((plan for plan in plans if reads_order_value(plan)), None)
    if plan is None:
        return None
    return RateKey(
        tenant_id=ask.tenant_id, currency=ask.currency, day=local_day(now, plan.zone)
    )


def issue_quote(
    ask: AskQuote,
    plans: Iterable[Plan],
    *,
    quote_id: str,
    now: datetime,
    rate: ExchangeRate | None = None,
) -> IssuedQuote:
    """The plans' offers. The quote is valid as long as the shortest of them."""
    offers = tuple(make_offer(ask, plan, now=now, rate=rate) for plan in plans)
    return IssuedQuote(
        quote_id=quote_id,
        ask=ask,
        offers=offers,
        created_at=now,
        valid_until=now + min(validity(offer.plan) for offer in offers),
        exchange_rate=rate,
    )


def make_offer(
    ask: AskQuote, plan: Plan, *, now: datetime, rate: ExchangeRate | None = None
) -> Offer:
    goes_by_value = reads_order_value(plan)
    order_value = order_value_usd(ask, plan, rate) if goes_by_value else None
    lacks_rate = goes_by_value and order_value is None
    case = facts_of(plan, facts_of_parcel(ask, plan, now=now, order_value=order_value))
    goods, limit, price_ = eligibility(plan, case), quote_limit(plan, case), price(plan, case)
    offered = offer(plan, case)
    reasons = _reasons(ask, plan, offered.available, goods, limit, price_)
    is_priced = not reasons and goods.verdict is Verdict.ACCEPT
    return Offer(
        plan=plan,
        state=DECLINED if reasons else _open_state(plan, goods),
        reasons=reasons,
        warnings=_warnings(ask, plan, limit, goods, lacks_rate=lacks_rate),
        is_reminded=offered.reminder and not lacks_rate,
        goods=goods,
        lines=tuple(
            _line(item, verdict, plan)
            for item, verdict in zip(ask.items, goods.verdicts, strict=True)
        ),
        line_tags=case.codes("line_tags"),
        mode=case.code("mode"),
        limit=limit,
        insured_value=price_.insured_value,
        price=price_ if is_priced else None,
    )


def order_value_usd(ask: AskQuote, plan: Plan, rate: ExchangeRate | None) -> Money | None:
    """What the caller said, or the order's total or dearest item at the quote's rate (MP-06)."""
    if ask.order_value_usd is not None:
        return ask.order_value_usd
    if goes_by_dearest_item(plan):
        return in_usd(max(item.unit_price for item in ask.items), rate)
    return in_usd(ask.goods_value, rate)


def facts_of_parcel(
    ask: AskQuote, plan: Plan, *, now: datetime, order_value: Money | None = None
) -> dict[str, object]:
    """What the plan may ask about the parcel (domain.md 2.3), as far as it is known at purchase."""
    bought_yourself = [item for item in ask.items if item.source == "buy_yourself"]
    facts: dict[str, object] = {
        "as_of": now,
        "point": ask.point,
        "registered_user": ask.is_registered,
        "vip": ask.is_vip,
        "submitted_at": ask.submitted_at,
        "options": ask.options,
        "items_in_warehouse": ask.items_in_warehouse,
        "rehearsal": ask.is_rehearsal,
        "packed": ask.is_packed,
        "line": ask.line,
        "destination": ask.destination,
        "packing": ask.packing,
        "shipping_fee": ask.shipping_fee.decimal,
        "items": tuple(
            Item(
                id=item.item_id,
                item_class=item.item_class,
                value=item.value.decimal,
                verdict=item.verdict,
            )
            for item in ask.items
        ),
        "biy_value": sum((item.value.decimal for item in bought_yourself), Decimal(0)),
        "biy_weight_kg": sum((item.weight_kg for item in bought_yourself), Decimal(0)),
    }
    if ask.scope:
        facts["scope"] = ask.scope
    if ask.line not in plan.lines:
        facts |= {"line_tags": ask.line_tags, "mode": ask.mode}
    if order_value is not None:
        facts["order_value_usd"] = order_value.decimal
    if takes_insured_value(plan):
        facts["insured_value"] = (ask.insured_value or ask.accepted_value(plan)).decimal
    return facts


def takes_insured_value(plan: Plan) -> bool:
    """Whether the customer names the sum; else it is the goods' value by the plan (MP-17, BM-04)."""
    return "insured_value" in plan.premium.base.names


def quote_issued(quote: IssuedQuote) -> QuoteIssued:
    return QuoteIssued(
        quote_id=quote.quote_id,
        state=quote.state,
        offers=tuple(
            events.Offer(
                plan=offer.plan.plan,
                version=offer.plan.version,
                is_available=offer.is_available,
                premium=None if offer.price is None else offer.price.premium,
                insured_value=offer.insured_value,
                reasons=offer.reasons,
            )
            for offer in quote.offers
        ),
        valid_until=quote.valid_until,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BindQuote:
    """A policy that has bound the quote's offer of a plan. `confirmed_at` None: it waits for papers."""

    tenant_id: str
    quote_id: str
    policy_id: str
    plan: str
    bound_at: datetime
    confirmed_at: datetime | None


async def bind_quotes(tx: Tx, commands: Sequence[BindQuote]) -> None:
    """Each quote is BOUND, and it is said once. QuoteOfAnotherPolicy where one cannot be."""
    named = {(c.tenant_id, c.quote_id, c.policy_id): c for c in commands}
    bound = await quotes.bind_quotes(tx, list(named))
    if wrong := named.keys() - bound.keys():
        _, quote_id, policy_id = min(wrong)
        raise QuoteOfAnotherPolicy(
            f"Policy {policy_id} binds quote {quote_id}, which this tenant does not have or which "
            "another policy has bound."
        )
    await _say_bound(tx, [named[one] for one, is_new in sorted(bound.items()) if is_new])


async def _say_bound(tx: Tx, commands: Sequence[BindQuote]) -> None:
    """One append for all, except that a sandbox's events bear its own time."""
    for _, group in groupby(sorted(commands, key=_clock), key=_clock):
        of_one_clock = list(group)
        await outbox.append(
            tx,
            *(
                Announcement(
                    tenant_id=c.tenant_id,
                    key=c.quote_id,
                    event=QuoteBound(
                        quote_id=c.quote_id, policy_id=c.policy_id, bound_at=c.bound_at
                    ),
                )
                for c in of_one_clock
            ),
            now=max(c.bound_at for c in of_one_clock),
        )


def _clock(command: BindQuote) -> str:
    return command.tenant_id if command.tenant_id.startswith(SANDBOX_PREFIX) else ""


def _reasons(
    ask: AskQuote,
    plan: Plan,
    is_offered: bool,
    goods: EligibleGoods,
    limit: LimitCheck,
    price_: Price,
) -> tuple[str, ...]:
    """Everything that stands in the way, so that the customer need not find it out one by one."""
    terms = plan.offer
    is_here = is_offered and (not ask.point or not terms.points or ask.point in terms.points)
    is_buyer = not terms.buyers or ask.customer_kind in terms.buyers
    is_nothing = goods.verdict is Verdict.ACCEPT and not price_.insured_value.amount_minor
    found = (
        (not is_here, NOT_ON_OFFER),
        (not is_buyer, BUYER_NOT_SERVED),
        (goods.verdict is Verdict.DECLINE, GOODS_EXCLUDED),
        (is_nothing, NOTHING_INSURED),
        (not limit.accepted, limit.reason),
    )
    return tuple(code for stands, code in found if stands)


def _line(item: AskedItem, verdict: Verdict, plan: Plan) -> OfferedLine:
    is_excluded = verdict is Verdict.DECLINE
    return OfferedLine(
        item_id=item.item_id,
        verdict=verdict,
        reason=_LINE_REASONS[verdict],
        premium=None if is_excluded else line_premium(plan, item.value),
    )


def _open_state(plan: Plan, goods: EligibleGoods) -> str:
    """PRICED when nobody has to look at papers (MP-07) or goods (MP-28) any more.

    With accepted lines beside referred ones the price of those accepted is shown meanwhile.
    """
    is_settled = not plan.documents and not goods.has_referred
    return PRICED if is_settled else DRAFT


def _warnings(
    ask: AskQuote, plan: Plan, limit: LimitCheck, goods: EligibleGoods, *, lacks_rate: bool
) -> tuple[str, ...]:
    is_ignored = ask.insured_value is not None and not takes_insured_value(plan)
    return tuple(
        code
        for stands, code in (
            (bool(limit.warn), limit.warn),
            (is_ignored, INSURED_VALUE_NOT_TAKEN),
            (goods.has_referred, GOODS_REFERRED),
            (lacks_rate, NO_EXCHANGE_RATE),
        )
        if stands
    )


def validity(plan: Plan) -> timedelta:
    """How long a price of this plan stands."""
    length = plan.quote_validity
    return timedelta(days=DEFAULT_VALID_DAYS if length is None else length.count)
