"""What a claim is worth (step 12): the payout formula, its caps in order, one rounding, the parts."""

from decimal import Decimal

from libs.common.money import MAX_MINOR, Money, exponent, money, zero
from libs.common.plans.codes import GOODS_PERILS
from libs.common.plans.facts import Facts
from libs.common.plans.terms import NO_LIMIT
from libs.common.plans.values import Peril
from services.claims.domain.decision import Assessment, Line

_NOTHING = Decimal(0)
TOGETHER = "CAP_TOTAL_VALUE"


def assess(peril: Peril, facts: Facts) -> Assessment:
    """The amount, never negative and never above a cap, with the arithmetic that led to it."""
    currency = facts.plan.currency
    gross = _NOTHING if peril.payout is None else peril.payout.evaluate(facts)
    amount = max(_NOTHING, gross)
    lines, caps = [Line(label="GROSS", after=gross)], []
    for cap in peril.caps:
        limit = cap.amount.evaluate(facts)
        capped = min(amount, max(_NOTHING, limit))
        known = None if limit == NO_LIMIT else limit
        lines.append(Line(label=cap.code, before=amount, after=capped, limit=known))
        if capped < amount:
            caps.append(cap.code)
        amount = capped
    if (together := _beside_carrier(peril, facts)) is not None:
        capped = min(amount, together)
        lines.append(Line(label=TOGETHER, before=amount, after=capped, limit=together))
        if capped < amount:
            caps.append(TOGETHER)
        amount = capped
    payout = money(min(amount, _most(currency)), currency)
    lines.append(Line(label="ROUNDED", before=amount, after=payout.decimal))
    return _split(peril, facts, gross, payout, tuple(lines), tuple(caps))


def _beside_carrier(peril: Peril, facts: Facts) -> Decimal | None:
    """With the carrier's compensation no more than the freight (G-10); None where that binds nothing.

    Plans subtract the carrier's money where goods are paid; of a delay or a return they pay a part
    of the freight, whatever the carrier did.
    """
    fee, carrier = facts.number("shipping_fee"), facts.number("carrier_paid")
    if peril.peril not in ("DELAY", "RETURN") or not carrier or not fee:
        return None
    return max(_NOTHING, fee - carrier)


def _split(
    peril: Peril,
    facts: Facts,
    gross: Decimal,
    payout: Money,
    lines: tuple[Line, ...],
    caps: tuple[str, ...],
) -> Assessment:
    nothing = zero(payout.currency)
    goods = shipping = delay = other = biy = nothing
    if peril.peril in GOODS_PERILS:
        goods = payout
        if peril.parts.shipping is not None:
            # Of a capped payout the goods count first.
            goods_gross = gross - peril.parts.shipping.evaluate(facts)
            goods = min(payout, _part(goods_gross, payout.currency))
            shipping = payout - goods
        if peril.parts.buy_yourself is not None:
            biy = min(goods, _part(peril.parts.buy_yourself.evaluate(facts), payout.currency))
    elif peril.peril == "DELAY":
        delay = payout
    else:
        other = payout
    return Assessment(
        amount=payout,
        lines=lines,
        caps=caps,
        goods=goods,
        buy_yourself=biy,
        shipping=shipping,
        delay=delay,
        other=other,
    )


def _part(amount: Decimal, currency: str) -> Money:
    return money(min(max(_NOTHING, amount), _most(currency)), currency)


def _most(currency: str) -> Decimal:
    """The largest amount money can hold; no parcel comes near it."""
    return Decimal(MAX_MINOR).scaleb(-exponent(currency))
