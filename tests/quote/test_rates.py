"""Rates of exchange: entered by the tenant, kept with the quote, and what reminders make of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest

from libs.common import testclock
from libs.common.auth import QUOTES_READ, RATES_WRITE
from services.quote.api.schema import MYPOZ_REQUEST
from services.quote.domain import ExchangeRate
from services.quote.store.rates import FRESH_SECONDS, MAX_KNOWN, KnownRates, RateKey
from tests.conftest import AppOf, DbOf, Token
from tests.quote.builders import NOW, a_request, an_item

Json = dict[str, Any]
Enter = Callable[..., Awaitable[httpx.Response]]
Value = Callable[..., Awaitable[Json]]

# A sandbox, whose clock stands at NOW: 2 March 2026, six in the evening in Kuala Lumpur.
MYPOZ = "sbx-mypoz-rates"
TODAY = "2026-03-02"


@pytest.fixture
async def quote_app(app_of: AppOf, db_of: DbOf) -> httpx.AsyncClient:
    async with (await db_of("quote")).transaction(MYPOZ) as tx:
        await testclock.create(
            tx, testclock.TestClock(clock_id="clk_1", tenant_id=MYPOZ, now=NOW)
        )
    return await app_of("quote")


@pytest.fixture
def enter(quote_app: httpx.AsyncClient, token: Token) -> Enter:
    """Enters a rate, of MYR and today where nothing else is said."""

    async def put(
        rate: object, day: str = TODAY, currency: str = "MYR", tenant: str = MYPOZ
    ) -> httpx.Response:
        return await quote_app.put(
            f"/v1/exchange-rates/{currency}/{day}",
            json={"rate": rate},
            headers=token(tenant),
        )

    return put


@pytest.fixture
def quoted(quote_app: httpx.AsyncClient, token: Token) -> Value:
    """The quote of an order of these goods, whose value in USD is not said."""

    async def ask(*sen: int, tenant: str = MYPOZ, **order: object) -> Json:
        items = [
            an_item(
                item_id=str(number),
                item_class="phone",
                quantity=1,
                unit_price={"amount_minor": each, "currency": "MYR"},
            )
            for number, each in enumerate(sen)
        ]
        request = {**MYPOZ_REQUEST, "items": items, "order": {"order_ref": "order-7", **order}}
        answer = await quote_app.post("/v1/quotes", json=request, headers=token(tenant))
        assert answer.status_code == 201, answer.text
        return answer.json()  # type: ignore[no-any-return]

    return ask


def reminder(quote: Json) -> bool:
    return quote["offers"][0]["reminder"]  # type: ignore[no-any-return]


def warnings(quote: Json) -> list[str]:
    return quote["offers"][0]["warnings"]  # type: ignore[no-any-return]


# --- what an order is worth ------------------------------------------------------------------


async def test_mp_03_mp_05_q14_reminds_above_a_hundred_dollars_by_the_days_rate(
    enter: Enter, quoted: Value
) -> None:
    await enter("0.25")

    at, above = await quoted(40_000), await quoted(40_004)

    # Exactly USD 100.00 is no more than 100 and still sold (MP-05); USD 100.01 is more (MP-03).
    assert (reminder(at), at["offers"][0]["is_available"]) == (False, True)
    assert reminder(above)
    assert above["exchange_rate"] == {"currency": "MYR", "rate": "0.25", "day": TODAY}
    assert (warnings(at), warnings(above)) == ([], [])


async def test_g_02_rounds_the_value_half_up_to_cents_once(enter: Enter, quoted: Value) -> None:
    await enter("0.2")

    # 500.02 x 0.2 is 100.004, 500.03 x 0.2 is 100.006; each line by itself would be 50.00.
    just_not, just = await quoted(25_001, 25_001), await quoted(25_001, 25_002)

    assert (reminder(just_not), reminder(just)) == (False, True)


async def test_half_a_cent_counts_as_one(enter: Enter, quoted: Value) -> None:
    await enter("0.25")

    # 400.02 x 0.25 is 100.005.
    assert reminder(await quoted(40_002))
    assert not reminder(await quoted(40_001))


async def test_what_the_caller_says_needs_no_rate(enter: Enter, quoted: Value) -> None:
    await enter("1")
    dollars = {"amount_minor": 10_000, "currency": "USD"}

    quote = await quoted(90_000, order_value_usd=dollars)

    assert (reminder(quote), quote["exchange_rate"], warnings(quote)) == (False, None, [])


async def test_without_a_rate_nobody_is_reminded_and_the_offer_says_so(quoted: Value) -> None:
    quote = await quoted(9_000_000)

    assert (reminder(quote), warnings(quote)) == (False, ["NO_EXCHANGE_RATE"])
    assert (quote["exchange_rate"], quote["offers"][0]["is_available"]) == (None, True)


async def test_a_plan_that_does_not_ask_needs_no_rate(
    quote_app: httpx.AsyncClient, token: Token
) -> None:
    answer = await quote_app.post("/v1/quotes", json=a_request(), headers=token("cssbuy"))

    assert answer.json()["exchange_rate"] is None
    assert warnings(answer.json()) == []


async def test_a_rate_of_another_currency_or_tenant_is_none(
    enter: Enter, quoted: Value
) -> None:
    await enter("0.14", currency="CNY")
    await enter("0.25", tenant="sbx-mypoz-other")

    assert warnings(await quoted(90_000)) == ["NO_EXCHANGE_RATE"]


async def test_a_rate_counts_until_the_next_day_that_has_one(
    enter: Enter, quoted: Value
) -> None:
    await enter("0.20", "2026-02-20")
    await enter("0.21", "2026-02-28")
    await enter("0.99", "2026-03-03")

    assert (await quoted(10_000))["exchange_rate"] == {
        "currency": "MYR",
        "rate": "0.21",
        "day": "2026-02-28",
    }


async def test_g_03_q14_a_day_begins_at_the_plans_own_midnight(
    enter: Enter, quoted: Value, db_of: DbOf
) -> None:
    await enter("0.21", "2026-03-02")
    await enter("0.22", "2026-03-03")

    async def day_at(now: str) -> str:
        async with (await db_of("quote")).transaction(MYPOZ) as tx:
            await tx.execute(
                "UPDATE test_clocks SET now = $1::text::timestamptz WHERE tenant_id = $2",
                now,
                MYPOZ,
            )
        return (await quoted(10_000))["exchange_rate"]["day"]  # type: ignore[no-any-return]

    # 3 March in Kuala Lumpur, while it is still the second in London.
    assert await day_at("2026-03-02T15:59:59Z") == "2026-03-02"
    assert await day_at("2026-03-02T16:00:00Z") == "2026-03-03"


async def test_g_09_a_quote_keeps_its_rate_when_the_rate_is_corrected(
    enter: Enter, quoted: Value, quote_app: httpx.AsyncClient, token: Token
) -> None:
    await enter("0.20")
    before = await quoted(45_000)

    await enter("0.30")
    after = await quoted(45_000)

    shown = await quote_app.get(f"/v1/quotes/{before['quote_id']}", headers=token(MYPOZ))
    assert shown.json() == before
    assert (before["exchange_rate"]["rate"], after["exchange_rate"]["rate"]) == ("0.20", "0.30")
    assert (reminder(before), reminder(after)) == (False, True)


async def test_what_is_entered_here_is_used_at_once(enter: Enter, quoted: Value) -> None:
    assert (await quoted(45_000))["exchange_rate"] is None

    await enter("0.30")

    assert (await quoted(45_000))["exchange_rate"]["rate"] == "0.30"


async def test_the_database_is_not_asked_for_each_quote(
    enter: Enter, quoted: Value, admin_url: str
) -> None:
    await enter("0.25")
    await quoted(10_000)
    admin = await asyncpg.connect(admin_url)
    await admin.execute("ALTER TABLE quote.exchange_rates RENAME TO away")
    await admin.close()

    assert (await quoted(10_000))["exchange_rate"]["rate"] == "0.25"


async def test_a_value_beyond_all_orders_is_no_failure(enter: Enter, quoted: Value) -> None:
    await enter("999.999999999999")

    assert reminder(await quoted(90_000_000_000))


# --- entering --------------------------------------------------------------------------------


async def test_shows_what_was_entered_by_whom(enter: Enter) -> None:
    answer = await enter("0.2109")

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "currency": "MYR",
            "day": TODAY,
            "rate": "0.2109",
            "version": 1,
            "entered_at": "2026-03-02T10:00:00Z",
            "entered_by": "tests",
        },
    )


async def test_a_correction_is_an_entry_of_its_own_and_the_same_again_is_none(
    enter: Enter, quote_app: httpx.AsyncClient, token: Token
) -> None:
    for rate in ("0.20", "0.2", "0.21", "0.20", "0.200"):
        await enter(rate)

    listed = await quote_app.get("/v1/exchange-rates", headers=token(MYPOZ))
    assert [(one["version"], one["rate"]) for one in listed.json()["items"]] == [
        (3, "0.20"),
        (2, "0.21"),
        (1, "0.20"),
    ]


async def test_an_entry_is_never_changed(enter: Enter, admin_url: str) -> None:
    await enter("0.20")
    admin = await asyncpg.connect(admin_url)

    with pytest.raises(asyncpg.RestrictViolationError):
        await admin.execute("UPDATE quote.exchange_rates SET rate = 1")

    await admin.close()


BAD = [
    ("0", "nothing"),
    ("0.000", "nothing, at length"),
    ("-0.2", "a negative one"),
    ("+0.2", "a sign"),
    ("1e3", "an exponent"),
    ("1000", "a thousand dollars"),
    ("0.2109\n", "a line break"),
    (".2", "no digit before the point"),
    ("0,21", "a comma"),
    ("٠.٢", "other digits"),
    ("NaN", "no number"),
    ("9" * 40, "forty digits"),
    ("0." + "1" * 13, "thirteen digits after the point"),
    (0.2109, "a float"),
    (1, "a number without quotes"),
    (None, "null"),
]


async def test_refuses_what_is_no_rate(enter: Enter) -> None:
    for rate, what in BAD:
        answer = await enter(rate)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request"), what
        assert answer.json()["errors"][0]["pointer"] == "#/rate", what


async def test_refuses_what_is_no_currency_or_day_and_usd_itself(enter: Enter) -> None:
    for currency, day, code in (
        ("XXX", TODAY, "invalid-request"),
        ("myr", TODAY, "invalid-request"),
        ("MYR", "2026-02-30", "invalid-request"),
        ("MYR", "2026-3-2", "invalid-request"),
        ("MYR", "9999-12-31", "invalid-request"),
        ("USD", TODAY, "no-rate-of-usd"),
    ):
        answer = await enter("0.2", day, currency)

        assert (answer.status_code, answer.json()["code"]) == (422, code), (currency, day)


async def test_asks_for_scopes(quote_app: httpx.AsyncClient, token: Token) -> None:
    path, body = f"/v1/exchange-rates/MYR/{TODAY}", {"rate": "0.2"}

    entered = await quote_app.put(path, json=body, headers=token(MYPOZ, [QUOTES_READ]))
    listed = await quote_app.get("/v1/exchange-rates", headers=token(MYPOZ, [RATES_WRITE]))

    assert (entered.json()["scope"], listed.json()["scope"]) == (RATES_WRITE, QUOTES_READ)


# --- lists -----------------------------------------------------------------------------------


async def test_pages_of_rates_neither_repeat_nor_hide(
    enter: Enter, quote_app: httpx.AsyncClient, token: Token
) -> None:
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        await enter("0.20", day)
        await enter("0.14", day, "CNY")
    await enter("0.21", "2026-03-02")
    await enter("0.77", "2026-03-02", tenant="sbx-mypoz-other")

    async def every(**query: str) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = []
        async for page in pages(quote_app, token(MYPOZ), query):
            found += [(one["day"][-2:], one["currency"], one["rate"]) for one in page]
        return found

    whole = [
        ("03", "MYR", "0.20"), ("03", "CNY", "0.14"),
        ("02", "MYR", "0.21"), ("02", "MYR", "0.20"), ("02", "CNY", "0.14"),
        ("01", "MYR", "0.20"), ("01", "CNY", "0.14"),
    ]  # fmt: skip
    assert await every() == whole
    assert await every(currency="MYR") == [one for one in whole if one[1] == "MYR"]
    assert await every(since="2026-03-02", until="2026-03-03") == whole[2:5]


async def pages(
    quote_app: httpx.AsyncClient, headers: dict[str, str], query: dict[str, str]
) -> AsyncIterator[list[Json]]:
    cursor: dict[str, str] = {}
    while True:
        answer = await quote_app.get(
            "/v1/exchange-rates", params={"limit": 2, **query, **cursor}, headers=headers
        )
        yield answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return
        cursor = {"cursor": answer.json()["next_cursor"]}


async def test_refuses_a_cursor_of_another_list(
    quote_app: httpx.AsyncClient, token: Token
) -> None:
    answer = await quote_app.get(
        "/v1/exchange-rates", params={"cursor": "nonsense"}, headers=token(MYPOZ)
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "bad-cursor")


# --- what is known by heart ------------------------------------------------------------------

RATE = ExchangeRate(currency="MYR", rate=Decimal("0.25"), day=date(2026, 3, 2))


class Reader:
    """Counts how often it is asked."""

    def __init__(self, rate: ExchangeRate | None = RATE) -> None:
        self.rate = rate
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def __call__(self, key: RateKey) -> ExchangeRate | None:
        self.asked += 1
        self.meanwhile()
        return self.rate


def a_key(tenant_id: str = MYPOZ, day: int = 2) -> RateKey:
    return RateKey(tenant_id=tenant_id, currency="MYR", day=date(2026, 3, day))


async def test_a_rate_is_read_again_after_a_minute_and_not_before() -> None:
    clock, read = [0.0], Reader()
    known = KnownRates(monotonic=lambda: clock[0])

    for at, asked in ((0.0, 1), (FRESH_SECONDS - 0.1, 1), (float(FRESH_SECONDS), 2)):
        clock[0] = at
        assert await known.find(a_key(), read) == RATE
        assert read.asked == asked


async def test_that_there_is_no_rate_is_known_too() -> None:
    known, read = KnownRates(), Reader(None)

    assert [await known.find(a_key(), read) for _ in range(2)] == [None, None]
    assert read.asked == 1


async def test_another_day_is_another_question() -> None:
    known, read = KnownRates(), Reader()

    await known.find(a_key(day=2), read)
    await known.find(a_key(day=3), read)

    assert read.asked == 2


async def test_an_entry_drops_what_is_known_of_its_tenant_alone() -> None:
    known, read = KnownRates(), Reader()
    await known.find(a_key(), read)
    await known.find(a_key("sbx-mypoz-other"), read)

    known.drop(MYPOZ)

    await known.find(a_key("sbx-mypoz-other"), read)
    assert read.asked == 2
    await known.find(a_key(), read)
    assert read.asked == 3


async def test_what_was_read_while_a_rate_was_entered_is_not_kept() -> None:
    known, read = KnownRates(), Reader()
    read.meanwhile = lambda: known.drop(MYPOZ)
    await known.find(a_key(), read)
    read.meanwhile = lambda: None

    await known.find(a_key(), read)

    assert read.asked == 2


async def test_no_more_is_known_than_has_room() -> None:
    known, read = KnownRates(), Reader()
    for number in range(MAX_KNOWN + 1):
        await known.find(a_key(f"t{number}"), read)

    assert len(known._known) == MAX_KNOWN
    await known.find(a_key("t0"), read)
    assert read.asked == MAX_KNOWN + 2
