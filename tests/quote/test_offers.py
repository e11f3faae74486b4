"""What an offer says of a parcel whose goods are mixed, and of an order in another currency."""

from datetime import date
from decimal import Decimal

import pytest

from libs.common.money import Money
from libs.common.plans.reading import load
from libs.common.plans.values import Plan
from libs.common.settings import PROGRAMMES
from services.quote.domain import (
    ExchangeRate,
    in_usd,
    line_premium,
    quote_limit,
    reads_order_value,
)
from services.quote.store.rates import RateKey
from services.quote.usecases import AskedItem, AskQuote, Offer, rate_wanted
from services.quote.usecases.quotes import make_offer
from tests.plans.builders import PLAN, a_plan, with_replaced
from tests.quote.builders import NOW

BOOK = load(PROGRAMMES)
RATE = ExchangeRate(currency="CNY", rate=Decimal("0.25"), day=date(2026, 3, 2))

# A plan that wants no papers: books are insured, toys are looked at, and the prohibited are not.
REFERRING = a_plan(
    with_replaced(
        **{"accept: [], decline: [prohibited], otherwise: ACCEPT":
           "accept: [book], decline: [prohibited], otherwise: REFER"}
    )
)  # fmt: skip
REMINDING = PLAN + 'offer: {reminder_when: "order_value_usd > 100"}\n'
BY_TOTAL = a_plan(REMINDING)
BY_ITEM = a_plan(
    with_replaced(REMINDING, **{"quote_days: 7": "quote_days: 7, reminder_basis: max_item"})
)


def an_ask(*items: tuple[str, int, int], **changes: object) -> AskQuote:
    """A parcel of lines of a class, a quantity and a unit price in fen."""
    values: dict[str, object] = {
        "tenant_id": "tester",
        "plan": None,
        "point": "",
        "customer_id": "c-1",
        "customer_kind": "consumer",
        "is_registered": True,
        "is_vip": False,
        "order_ref": "order-1",
        "submitted_at": None,
        "options": (),
        "items_in_warehouse": True,
        "is_rehearsal": False,
        "is_packed": False,
        "order_value_usd": None,
        "line": "EMS",
        "line_tags": (),
        "mode": "air",
        "destination": "DE",
        "scope": "",
        "packing": "",
        "items": tuple(
            AskedItem(
                item_id=str(number),
                item_class=item_class,
                quantity=quantity,
                value=Money(each * quantity, "CNY"),
            )
            for number, (item_class, quantity, each) in enumerate(items)
        ),
        "shipping_fee": Money(12_000, "CNY"),
        "insured_value": None,
        **changes,
    }
    return AskQuote(**values)  # type: ignore[arg-type]


def the_offer(ask: AskQuote, plan: Plan, rate: ExchangeRate | None = None) -> Offer:
    return make_offer(ask, plan, now=NOW, rate=rate)


# --- mixed goods -----------------------------------------------------------------------------


def test_mp_28_accepted_lines_are_priced_while_a_person_looks_at_the_others() -> None:
    offer = the_offer(an_ask(("book", 2, 30_000), ("toy", 1, 50_000)), REFERRING)

    assert (offer.state, offer.warnings) == ("DRAFT", ("GOODS_REFERRED",))
    assert offer.price is not None
    assert offer.price.premium == Money(1_200, "CNY")
    assert offer.insured_value == Money(60_000, "CNY")
    assert [(line.reason, line.premium) for line in offer.lines] == [
        ("", Money(1_200, "CNY")),
        ("GOODS_REFERRED", Money(1_000, "CNY")),
    ]


def test_goods_that_are_all_referred_wait_for_a_person() -> None:
    offer = the_offer(an_ask(("toy", 1, 50_000), ("prohibited", 1, 100)), REFERRING)

    assert (offer.state, offer.reasons, offer.price) == ("DRAFT", (), None)
    assert offer.warnings == ("GOODS_REFERRED",)
    assert [(line.reason, line.premium) for line in offer.lines] == [
        ("GOODS_REFERRED", Money(1_000, "CNY")),
        ("GOODS_EXCLUDED", None),
    ]


def test_papers_are_waited_for_whatever_the_goods() -> None:
    ask = an_ask(("phone", 1, 150_000), ("clothing", 1, 5_000), ("prohibited", 1, 10_000))

    offer = the_offer(ask, BOOK.get("mypoz-cargo", 1))

    # M38: 3.8 % of the phone alone.
    assert offer.state == "DRAFT"
    assert offer.price is not None
    assert offer.price.premium.amount_minor == 5_700
    assert "GOODS_REFERRED" in offer.warnings


def test_goods_that_are_excluded_are_no_part_of_the_sum_insured() -> None:
    offer = the_offer(an_ask(("book", 1, 30_000), ("prohibited", 1, 70_000)), REFERRING)

    assert (offer.state, offer.insured_value) == ("PRICED", Money(30_000, "CNY"))
    assert offer.warnings == ()


def test_a_line_costs_the_rate_rounded_once_without_the_minimum() -> None:
    # 2 % of 0.24 and of 0.25: 0.48 fen and half a fen.
    costs = [line_premium(REFERRING, Money(minor, "CNY")) for minor in (24, 25, 75)]

    assert costs == [Money(minor, "CNY") for minor in (0, 1, 2)]


# --- in USD ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fen", "is_reminded"), [(39_999, False), (40_000, False), (40_001, False), (40_002, True)]
)
def test_a_hundred_dollars_is_the_boundary(fen: int, is_reminded: bool) -> None:
    offer = the_offer(an_ask(("book", 1, fen)), BY_TOTAL, RATE)

    assert (offer.is_reminded, offer.is_available, offer.warnings) == (is_reminded, True, ())


def test_the_total_or_the_dearest_item_is_compared_as_the_plan_says() -> None:
    many_cheap = an_ask(("book", 10, 10_000), ("toy", 1, 20_000))
    one_dear = an_ask(("book", 10, 10_000), ("toy", 2, 40_004))

    assert [the_offer(many_cheap, plan, RATE).is_reminded for plan in (BY_TOTAL, BY_ITEM)] == [
        True,
        False,
    ]
    assert the_offer(one_dear, BY_ITEM, RATE).is_reminded


def test_a_reminder_for_little_is_not_made_of_a_value_that_is_not_known() -> None:
    plan = a_plan(PLAN + 'offer: {reminder_when: "order_value_usd <= 100"}\n')

    offer = the_offer(an_ask(("book", 1, 9_000_000)), plan)

    assert (offer.is_reminded, offer.warnings) == (False, ("NO_EXCHANGE_RATE",))


def test_an_order_in_usd_needs_no_rate() -> None:
    plan = a_plan(with_replaced(REMINDING, **{"currency: CNY": "currency: USD"}))
    dollars = [
        AskedItem(item_id="1", item_class="book", quantity=1, value=Money(cents, "USD"))
        for cents in (10_000, 10_001)
    ]
    fee = Money(500, "USD")

    asks = [an_ask(items=(item,), shipping_fee=fee) for item in dollars]

    assert [the_offer(ask, plan).is_reminded for ask in asks] == [False, True]
    assert [the_offer(ask, plan).warnings for ask in asks] == [(), ()]
    assert rate_wanted(asks[0], [plan], now=NOW) is None


def test_a_rate_is_wanted_only_where_a_plan_goes_by_it() -> None:
    ask, silent = an_ask(("book", 1, 100)), BOOK.get("cssecure", 2)
    said = an_ask(("book", 1, 100), order_value_usd=Money(1, "USD"))

    # The second of March in Shanghai too.
    key = RateKey(tenant_id="tester", currency="CNY", day=date(2026, 3, 2))
    assert rate_wanted(ask, [silent, BY_TOTAL], now=NOW) == key
    assert rate_wanted(ask, [silent], now=NOW) is None
    assert rate_wanted(said, [BY_TOTAL], now=NOW) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("insured_value\", rate", "order_value_usd\", rate"),
        ("when: \"True\", max: \"10000\"", "when: \"order_value_usd > 1\", max: \"10000\""),
        ("max: \"10000\"", "max: \"order_value_usd\""),
        ("max: \"10000\"", "max: \"10000\", goods_max: \"order_value_usd\""),
    ],
)  # fmt: skip
def test_a_plan_may_go_by_the_value_in_other_places_than_its_reminder(
    old: str, new: str
) -> None:
    assert not reads_order_value(a_plan())
    assert reads_order_value(a_plan(**{old: new}))


def test_of_the_programmes_one_goes_by_the_value_in_usd() -> None:
    assert [plan.name for plan in BOOK if reads_order_value(plan)] == ["mypoz-cargo v1"]


def test_a_rate_is_of_its_own_currency_alone() -> None:
    assert in_usd(Money(100, "MYR"), RATE) is None
    assert in_usd(Money(100, "CNY"), None) is None
    assert in_usd(Money(100, "CNY"), RATE) == Money(25, "USD")


# --- limits ----------------------------------------------------------------------------------


def test_a_limit_names_the_row_that_holds() -> None:
    plan = BOOK.get("cssecure", 2)
    facts = {"line": "SAL", "shipping_fee": Decimal(120), "goods_value": Decimal(3_000)}

    to_germany = quote_limit(plan, {**facts, "destination": "DE"})
    elsewhere = quote_limit(plan, {**facts, "destination": "FR"})

    assert [check.row for check in (to_germany, elsewhere)] == list(plan.limits)


@pytest.mark.parametrize(("insured", "reason"), [("2120.00", ""), ("2120.01", "OVER_LIMIT")])
def test_sal_to_germany_takes_two_thousand_and_the_shipping(insured: str, reason: str) -> None:
    facts = {
        "line": "SAL",
        "destination": "DE",
        "shipping_fee": Decimal(120),
        "goods_value": Decimal(3_000),
        "insured_value": Decimal(insured),
    }

    assert quote_limit(BOOK.get("cssecure", 2), facts).reason == reason
