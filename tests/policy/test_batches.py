"""Batches: a file of parcels streams in, each row is answered by itself, and nothing is booked twice."""

import asyncio
import csv
import io
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest
from structlog.testing import capture_logs

from libs.common.auth import PAYMENTS_WRITE, SCOPES
from libs.common.clock import system_now
from libs.common.db import Database
from libs.common.deadlines import Deadline
from libs.common.errors import Unavailable
from libs.common.progress_api import progress_of
from services.policy.api.batch_files import MAX_ROWS
from services.policy.api.batches import MAX_UPLOADS_AT_ONCE
from services.policy.domain.columns import COLUMNS
from services.policy.jobs import BatchWorker
from services.policy.usecases.batches import ROWS_AT_ONCE, halves
from tests.conftest import AppOf, Token
from tests.policy.builders import (
    OTHER_TENANT,
    TENANT,
    Json,
    a_quote_request,
    amount,
    names,
    said,
)
from tests.policy.conftest import Serve, SetClock, Shop, answered, refused
from tests.policy.serving import fire_due

A_CLOCK = "2024-01-01T01:00:00"

CELLS = {
    "reference": "CSS-1",
    "plan": "cssecure",
    "point": "submit_to_ship",
    "customer_id": "ann",
    "items_in_warehouse": "true",
    "submitted_at": "2024-01-01T01:00:00Z",
    "line": "EMS",
    "destination": "US",
    "scope": "international",
    "item_class": "shoes",
    "quantity": "2",
    "unit_price": "425.00",
    "currency": "CNY",
    "shipping_fee": "350.00",
    "insured_value": "1200.00",
    "carrier": "ems",
    "tracking_number": "",
    "contact_email": "ann@example.com",
    "payment_reference": "",
}


def soon() -> str:
    """When what is due at once is, and nothing that has a time of its own."""
    return (system_now() + timedelta(minutes=1)).replace(tzinfo=None).isoformat()


def a_csv(*rows: dict[str, str], columns: Sequence[str] = tuple(CELLS)) -> bytes:
    """A CSV of parcels; each row says what is not usual."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**CELLS, **row} for row in rows)
    return text.getvalue().encode()


def numbered(count: int, first: int = 1, **cells: str) -> list[dict[str, str]]:
    return [{"reference": f"CSS-{first + n}", **cells} for n in range(count)]


def a_line(reference: str = "CSS-1", **more: Any) -> Json:
    return {"reference": reference, "quote": a_quote_request("cssecure"), **more}


def ndjson(*rows: Json) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """A tenant that uploads files; `client` is one of the policy service."""

    client: Any
    token: Token
    tenant: str = TENANT
    scopes: tuple[str, ...] = field(default_factory=lambda: tuple(SCOPES))

    def headers(self, **more: str) -> dict[str, str]:
        return {**self.token(self.tenant, self.scopes), **more}

    async def upload(
        self, content: Any, form: str = "text/csv", *, key: str | None = None, **params: str
    ) -> httpx.Response:
        headers = self.headers(**{"content-type": form})
        if key is not None:
            headers["idempotency-key"] = key
        response: httpx.Response = await self.client.post(
            "/v1/batches", content=content, params=params, headers=headers
        )
        return response

    async def get(self, path: str, **headers: str) -> httpx.Response:
        response: httpx.Response = await self.client.get(path, headers=self.headers(**headers))
        return response

    async def show(self, batch: Json) -> Json:
        return answered(await self.get(f"/v1/batches/{batch['batch_id']}"), 200)

    async def answers(self, batch: Json) -> list[Json]:
        response = await self.get(f"/v1/batches/{batch['batch_id']}/answers")
        assert response.status_code == 200, response.text
        return [json.loads(line) for line in response.text.splitlines()]

    async def done(self, content: Any, form: str = "text/csv", **more: str) -> list[Json]:
        """The answers to a file, once all of it is worked."""
        batch = answered(await self.upload(content, form, **more), 202)
        await fire_due(self.client, soon())
        assert (await self.show(batch))["state"] == "DONE"
        return await self.answers(batch)


@pytest.fixture
def seller(policies: httpx.AsyncClient, token: Token) -> Seller:
    return Seller(client=policies, token=token)


def results(answers: Iterable[Json]) -> list[str]:
    return [
        answer["result"] if answer["problem"] is None else answer["problem"]["code"]
        for answer in answers
    ]


async def count_of(db: Database, table: str, tenant: str = TENANT) -> int:
    async with db.transaction(tenant) as tx:
        count: int = await tx.fetchval(
            f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant
        )
        return count


@pytest.fixture
def sabotage(admin_url: str) -> Callable[..., Any]:
    """`sabotage("policies", "NEW.plan = 'x'", code)`: such rows are refused by the database."""

    @asynccontextmanager
    async def failing(table: str, when: str, code: str = "22000") -> AsyncIterator[None]:
        connection = await asyncpg.connect(admin_url)
        try:
            await connection.execute(
                f"""
                CREATE FUNCTION policy.sabotage() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF {when} THEN RAISE EXCEPTION 'sabotage' USING ERRCODE = '{code}'; END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER sabotage BEFORE INSERT ON policy.{table}
                FOR EACH ROW EXECUTE FUNCTION policy.sabotage();
                """
            )
            yield
            await connection.execute("DROP FUNCTION policy.sabotage() CASCADE")
        finally:
            await connection.close()

    return failing


# --- rows ------------------------------------------------------------------------------------


async def test_each_row_of_a_csv_becomes_a_policy(seller: Seller, shop: Shop) -> None:
    answers = await seller.done(a_csv(*numbered(3)), name="monday.csv")

    assert results(answers) == ["booked"] * 3
    assert [answer["line"] for answer in answers] == [2, 3, 4]
    assert {answer["premium"]["amount_minor"] for answer in answers} == {3_600}
    policy = await shop.show(answers[0])
    assert (policy["state"], policy["premium_due"]["amount_minor"]) == ("PENDING", 3_600)
    assert (policy["carrier"], policy["terms"]["customer_id"]) == ("ems", "ann")
    # The parcel is its own order where no other is named.
    assert policy["terms"]["order_ref"] == "CSS-1"


async def test_json_lines_are_the_same_rows(seller: Seller, shop: Shop) -> None:
    more = {"carrier": "ems", "tracking_number": "EZ1CN", "contact": {"email": "a@example.com"}}

    [answer] = await seller.done(ndjson(a_line(**more)), "application/x-ndjson")

    policy = await shop.show(answer)
    assert (policy["tracking_number"], policy["terms"]["order_ref"]) == ("EZ1CN", "order-1")


async def test_a_row_that_names_no_plan_has_the_files(seller: Seller) -> None:
    columns = [name for name in CELLS if name not in ("plan", "point")]

    answers = await seller.done(
        a_csv({}, columns=columns), plan="cssecure", point="submit_to_ship"
    )

    assert results(answers) == ["booked"]


async def test_every_column_reaches_its_place(seller: Seller) -> None:
    cells = {name: column.example for name, column in COLUMNS.items()}
    file = a_csv(cells | {"is_rehearsal": "true", "is_packed": "true"}, columns=list(COLUMNS))

    assert results(await seller.done(file)) == ["booked"]


async def test_a_broken_row_leaves_its_neighbours_alone(seller: Seller, db: Database) -> None:
    rows = [
        {"reference": "A-1"},
        {"reference": "A-2", "unit_price": "425.005"},
        {"reference": "A-3", "unit_price": "4,25"},
        {"reference": "A-4", "unit_price": "-425.00"},
        {"reference": "A-5", "unit_price": "1e3"},
        {"reference": "A-6", "quantity": "two"},
        {"reference": "A-7", "item_class": "gold"},
        {"reference": "A-8", "destination": "usa"},
        {"reference": "A-9", "customer_id": ""},
        {"reference": "A-10", "currency": "XXX"},
        {"reference": "A-11", "contact_email": "no address"},
        {"reference": "A-12", "is_registered": "maybe"},
        {"reference": "A-13"},
    ]

    answers = await seller.done(a_csv(*rows, columns=[*CELLS, "is_registered"]))

    assert results(answers) == [
        "booked", "bad-amount", "bad-cell", "bad-cell", "bad-cell", "bad-cell", "invalid-request",
        "invalid-request", "cell-missing", "unknown-currency", "invalid-request", "bad-cell",
        "booked",
    ]  # fmt: skip
    assert [a["reference"] for a in answers] == [f"A-{n}" for n in range(1, 14)]
    assert [a["problem"]["pointer"] for a in answers[1:-1]] == [
        "#/unit_price", "#/unit_price", "#/unit_price", "#/unit_price", "#/quantity",
        "#/item_class", "#/destination", "#/customer_id", "#/currency", "#/contact_email",
        "#/is_registered",
    ]  # fmt: skip
    assert await count_of(db, "policies") == 2


async def test_a_broken_line_of_json_is_one_row(seller: Seller) -> None:
    twice = b'{"reference": "A-3", "reference": "A-4", "quote": {}}\n'
    wrong = a_line("A-5")
    wrong["quote"]["items"][0]["quantity"] = 0
    lines = [
        ndjson(a_line("A-1")),
        b'{"reference": "A-2",\n',
        twice,
        ndjson(wrong),
        b"[]\n",
        b"\n",
        ndjson({"reference": "A-6", "quote": {}, "note": ""}),
        ndjson({"quote": {}}),
        ndjson(a_line("A-7"))[:-1],
    ]

    answers = await seller.done(b"".join(lines), "application/x-ndjson")

    assert results(answers) == [
        "booked", "malformed-json", "malformed-json", "invalid-request", "invalid-request",
        "invalid-request", "invalid-request", "booked",
    ]  # fmt: skip
    assert answers[3]["problem"]["pointer"] == "#/quote/items/0/quantity"
    # A blank line is none, and still counts as a line.
    assert [answer["line"] for answer in answers] == [1, 2, 3, 4, 5, 7, 8, 9]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"CSS-2,\xff\xfe,x", "not-utf-8"),
        (b"CSS-2,\x00", "control-character"),
        (b'CSS-2,"cssecure', "unbalanced-quote"),
        (b'CSS-2,"cssecure"x', "unbalanced-quote"),
        (b"CSS-2,cssecure", "wrong-cell-count"),
        (b"x," * 1_000_000, "line-too-long"),
        (b'"' + b"y" * 70_000, "line-too-long"),
    ],
    ids=["bytes", "NUL", "quote", "half a quote", "short", "a million cells", "a long cell"],
)
async def test_what_is_no_row_at_all_is_refused_by_itself(
    seller: Seller, line: bytes, code: str
) -> None:
    first, last = a_csv({"reference": "A-1"}), a_csv({"reference": "A-3"}).partition(b"\n")[2]

    answers = await seller.done(first + line + b"\r\n" + last)

    assert results(answers) == ["booked", code, "booked"]
    assert (answers[1]["line"], answers[1]["policy_id"]) == (3, None)
    assert len(answers[1]["problem"]["detail"]) > 20


async def test_a_plan_that_declines_says_why(seller: Seller) -> None:
    answers = await seller.done(a_csv({"insured_value": "20000.00"}, {"reference": "A-2"}))

    assert results(answers) == ["quote-declined", "booked"]
    problem = answers[0]["problem"]
    assert (
        problem["reasons"] == ["OVER_LIMIT", "OVER_VALUE"] or "OVER_LIMIT" in problem["reasons"]
    )
    assert answers[0]["quote_id"]
    assert answers[0]["policy_id"] is None


async def test_money_in_two_currencies_in_one_row_is_refused(seller: Seller) -> None:
    mixed = a_line("A-1")
    mixed["quote"]["insured_value"] = amount(120_000, "USD")
    foreign = a_csv({"reference": "A-2", "currency": "USD"})

    assert results(await seller.done(ndjson(mixed), "application/x-ndjson")) == [
        "wrong-currency"
    ]
    [answer] = await seller.done(foreign)
    assert (answer["problem"]["code"], answer["problem"]["pointer"]) == (
        "wrong-currency",
        "#/currency",
    )


async def test_a_quote_that_waits_for_papers_is_bound_and_not_paid(
    policies: httpx.AsyncClient, token: Token
) -> None:
    seller = Seller(client=policies, token=token, tenant="sbx-mypoz-tests")
    cells = {
        "plan": "mypoz-cargo", "point": "order_submission", "line": "SEA-MY", "destination": "MY",
        "item_class": "phone", "quantity": "1", "unit_price": "1000.00", "currency": "MYR",
        "shipping_fee": "45.00", "insured_value": "", "scope": "", "submitted_at": "",
    }  # fmt: skip

    answers = await seller.done(
        a_csv(cells, {**cells, "reference": "CSS-2", "payment_reference": "card-1"})
    )

    assert results(answers) == ["booked", "amount-not-confirmed"]
    assert answers[0]["state"] == "PENDING"


# --- the file --------------------------------------------------------------------------------


async def test_a_byte_order_mark_is_no_part_of_the_first_name(seller: Seller) -> None:
    marked = b"\xef\xbb\xbf"

    assert results(await seller.done(marked + a_csv({}))) == ["booked"]
    line = marked + ndjson(a_line("A-2"))
    assert results(await seller.done(line, "application/x-ndjson")) == ["booked"]


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", "no-rows", "row"),
        (b"\r\n", "no-rows", "reference"),
        (a_csv(), "no-rows", "row"),
        (a_csv({}).decode().encode("utf-16"), "not-utf-8", "UTF-8"),
        (a_csv({}).decode().encode("utf-16-le"), "not-utf-8", "UTF-8"),
        (b"\xff" + a_csv({}), "not-utf-8", "UTF-8"),
        (a_csv({}, columns=["reference", "plan"]), "missing-column", "unit_price"),
        (a_csv({"colour": "red"}, columns=[*CELLS, "colour"]), "unknown-column", "colour"),
        (a_csv({}, columns=[*CELLS, "plan"]), "column-twice", "plan"),
        (a_csv({}).replace(b",", b";"), "unknown-column", "commas"),
        (b"x," * 1_000_000, "not-utf-8", "65536"),
    ],
    ids=[
        "nothing", "blank", "header alone", "UTF-16", "UTF-16 unmarked", "Latin", "missing",
        "unknown", "twice", "semicolons", "a long header",
    ],
)  # fmt: skip
async def test_a_file_that_cannot_be_read_is_refused_whole(
    seller: Seller, db: Database, content: bytes, code: str, says: str
) -> None:
    problem = refused(await seller.upload(content), 422, code)

    assert says in problem["detail"]
    assert [await count_of(db, table) for table in ("batches", "batch_rows")] == [0, 0]


async def test_a_file_has_so_many_rows_and_no_more(seller: Seller, db: Database) -> None:
    file = b"1\n" * (MAX_ROWS + 1)

    refused(await seller.upload(file, "application/x-ndjson"), 422, "too-many-rows")

    assert await count_of(db, "batches") == 0


async def test_a_file_has_so_many_bytes_and_no_more(seller: Seller) -> None:
    headers = {"content-length": str(201 * 1_048_576)}
    response = await seller.client.post(
        "/v1/batches",
        content=a_csv({}),
        headers=seller.headers(**headers, **{"content-type": "text/csv"}),
    )

    refused(response, 413, "body-too-large")


@pytest.mark.parametrize(
    "form", ["application/json", "text/csv; charset=utf-16", "text/plain", ""]
)
async def test_only_csv_and_json_lines_in_utf_8_are_read(seller: Seller, form: str) -> None:
    refused(await seller.upload(a_csv({}), form), 415, "unsupported-media-type")


async def test_an_upload_needs_a_key(seller: Seller) -> None:
    headers = seller.headers(**{"content-type": "text/csv"})
    del headers["idempotency-key"]

    response = await seller.client.post("/v1/batches", content=a_csv({}), headers=headers)

    refused(response, 400, "idempotency-key-required")


async def test_an_upload_that_is_cut_off_leaves_nothing_behind(
    seller: Seller, db: Database, serve: Serve
) -> None:
    app = seller.client.app
    url = httpx.URL(await serve(app))
    file, key = a_csv(*numbered(2_000)), uuid4().hex
    headers = {
        **seller.headers(**{"content-type": "text/csv"}),
        "idempotency-key": key,
        "content-length": str(len(file)),
        "host": "policy.test",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /v1/batches HTTP/1.1\r\n" + head.encode() + b"\r\n")
    writer.write(file[: len(file) // 2])
    await writer.drain()
    async with asyncio.timeout(10):
        while app.state.uploads._value == MAX_UPLOADS_AT_ONCE:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        writer.close()
        while app.state.uploads._value < MAX_UPLOADS_AT_ONCE:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    tables = ("batches", "batch_rows", "idempotency_keys", "deadlines")
    assert [await count_of(db, table) for table in tables] == [0, 0, 0, 0]
    answered(await seller.upload(file, key=key), 202)


async def test_no_more_files_come_in_at_once_than_fit(seller: Seller) -> None:
    uploads = seller.client.app.state.uploads
    for _ in range(MAX_UPLOADS_AT_ONCE):
        await uploads.acquire()

    refused(await seller.upload(a_csv({})), 503, Unavailable.code)

    uploads.release()
    answered(await seller.upload(a_csv({})), 202)


async def test_an_upload_and_its_answers_take_little_memory(
    seller: Seller, serve: Serve
) -> None:
    """20,000 rows in 15 MB and their answers, in a fraction of that."""
    url, rows = await serve(seller.client.app), 20_000
    # Refused as they come: what is measured is the way in and out, not the quotes.
    line = msgspec.json.encode(a_line("A-1", payment_reference="x", note="x" * 100)) + b"\n"

    async def body() -> AsyncIterator[bytes]:
        for _ in range(rows // 100):
            yield line * 100

    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        tracemalloc.start()
        try:
            batch = answered(
                await Seller(client=client, token=seller.token).upload(
                    body(), "application/x-ndjson"
                ),
                202,
            )
            path, seen = f"/v1/batches/{batch['batch_id']}/answers", 0
            async with client.stream("GET", path, headers=seller.headers()) as response:
                async for chunk in response.aiter_bytes():
                    seen += chunk.count(b"\n")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (batch["state"], batch["refused"], seen) == ("DONE", rows, rows)
    assert len(line) * rows > 12_000_000
    assert peak < 6_000_000


# --- formulas --------------------------------------------------------------------------------


async def test_what_looks_like_a_formula_is_a_text_in_and_out(seller: Seller) -> None:
    formulas = ['=HYPERLINK("http://x.example")', "+1", "-1", "@SUM(A1)"]
    rows = [{"reference": formula} for formula in formulas]

    answers = await seller.done(a_csv(*rows, {"unit_price": "=1+1"}))
    batch = (await seller.get("/v1/batches")).json()["items"][0]
    response = await seller.get(f"/v1/batches/{batch['batch_id']}/answers", accept="text/csv")

    assert results(answers) == ["booked"] * 4 + ["bad-cell"]
    # JSON is no spreadsheet.
    assert [answer["reference"] for answer in answers[:4]] == formulas
    table = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["reference"] for row in table[:4]] == [f"'{formula}" for formula in formulas]
    assert (table[0]["premium"], table[0]["currency"]) == ("36.00", "CNY")
    cells = [cell for row in table for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


# --- payments --------------------------------------------------------------------------------


async def test_a_row_that_was_paid_is_a_policy_that_is_paid(
    seller: Seller, shop: Shop, db: Database
) -> None:
    [answer] = await seller.done(a_csv({"payment_reference": "card-1"}))

    policy = await shop.show(answer)
    assert (answer["state"], policy["state"]) == ("SCHEDULED", "SCHEDULED")
    assert policy["premium_due"]["amount_minor"] == 0
    ledger = answered(await shop.get(f"/v1/policies/{policy['policy_id']}/ledger"), 200)
    assert [one["reference"] for one in ledger["payments"]] == ["card-1"]
    assert sum(one["amount_minor"] for one in ledger["balances"].values()) == 0
    assert names(await said(db, policy["policy_id"])) == [
        "PolicyIssued", "PaymentReceived", "PolicyPaid",
    ]  # fmt: skip


async def test_a_batch_says_of_a_policy_what_two_calls_would(
    policies: httpx.AsyncClient, token: Token, shop_of: Callable[..., Shop], db: Database
) -> None:
    """Cover that begins with the payment, and cover that begins when its instant comes."""
    bml = Seller(client=policies, token=token, tenant="sbx-bml-tests")
    jsx = Seller(client=policies, token=token, tenant="sbx-jsx-tests")
    for plan, seller in (("bml-shipping", bml), ("jsx-cargo", jsx)):
        row = {"reference": "A-1", "quote": a_quote_request(plan), "payment_reference": "c-1"}
        [answer] = await seller.done(ndjson(row), "application/x-ndjson")
        shop = shop_of(plan)
        single = answered(await shop.pay(await shop.a_policy()), 201)
        assert answer["state"] == single["state"]
        ids = (answer["policy_id"], single["policy_id"])
        assert names(await said(db, ids[0])) == names(await said(db, ids[1]))
        async with db.transaction(seller.tenant) as tx:
            due = await tx.fetch(
                "SELECT kind FROM deadlines WHERE tenant_id = $1 AND subject = ANY ($2)",
                seller.tenant,
                ids,
            )
        assert len(due) in (0, 2)


async def test_only_who_may_report_payments_has_rows_paid(
    seller: Seller, policies: httpx.AsyncClient, token: Token
) -> None:
    poor = Seller(
        client=policies,
        token=token,
        scopes=tuple(scope for scope in SCOPES if scope != PAYMENTS_WRITE),
    )

    answers = await poor.done(a_csv({"payment_reference": "card-1"}, {"reference": "A-2"}))

    assert results(answers) == ["payment-not-allowed", "booked"]
    assert answers[0]["problem"]["pointer"] == "#/payment_reference"


async def test_the_ledger_of_a_batch_sums_to_zero(seller: Seller, db: Database) -> None:
    await seller.done(a_csv(*numbered(5, payment_reference="card-1")))

    async with db.transaction(TENANT) as tx:
        rows = await tx.fetch(
            """
            SELECT account, sum(amount_minor)::bigint AS minor FROM ledger_entries
            WHERE tenant_id = $1 GROUP BY account
            """,
            TENANT,
        )
    assert {row["account"]: row["minor"] for row in rows} == {
        "cash": 18_000,
        "premium": -18_000,
    }


# --- repeats ---------------------------------------------------------------------------------


async def test_the_same_upload_again_is_the_same_batch(seller: Seller, db: Database) -> None:
    file, key = a_csv(*numbered(2)), uuid4().hex
    first = await seller.upload(file, key=key)
    await fire_due(seller.client, soon())

    again = await seller.upload(file, key=key)

    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["location"] == f"/v1/batches/{first.json()['batch_id']}"
    assert await count_of(db, "batches") == 1
    refused(await seller.upload(a_csv({}), key=key), 422, "idempotency-key-reused")
    refused(await seller.upload(file, key=key, plan="x"), 422, "idempotency-key-reused")


async def test_rows_that_were_booked_are_repeated_by_another_upload(
    seller: Seller, db: Database
) -> None:
    file = a_csv(*numbered(3, payment_reference="card-1"))
    booked = await seller.done(file)
    tables = ("policies", "payments", "ledger_entries", "batch_bookings")
    before = [await count_of(db, table) for table in tables]
    issued = names(await said(db)).count("PolicyIssued")

    repeated = await seller.done(file)

    assert results(repeated) == ["repeated"] * 3
    assert [a["policy_id"] for a in repeated] == [a["policy_id"] for a in booked]
    assert [await count_of(db, table) for table in tables] == before
    assert names(await said(db)).count("PolicyIssued") == issued


async def test_a_row_that_was_refused_may_be_corrected(seller: Seller) -> None:
    assert results(await seller.done(a_csv({"item_class": "gold"}))) == ["invalid-request"]

    assert results(await seller.done(a_csv({}))) == ["booked"]


async def test_a_reference_twice_in_a_file_is_booked_once(seller: Seller, db: Database) -> None:
    rows = [
        {"item_class": "gold"},
        {},
        {"quantity": "1"},
        *numbered(ROWS_AT_ONCE, 10),
        {"insured_value": "100.00"},
    ]

    answers = await seller.done(a_csv(*rows))

    assert results(answers[:3]) == ["invalid-request", "booked", "repeated"]
    # In another portion too.
    assert answers[-1]["result"] == "repeated"
    assert answers[2]["policy_id"] == answers[-1]["policy_id"] == answers[1]["policy_id"]
    assert await count_of(db, "policies") == 1 + ROWS_AT_ONCE


async def test_a_parcel_is_insured_once(seller: Seller, shop: Shop) -> None:
    single = await shop.a_policy(carrier="ems", tracking_number="EZ1CN")

    answers = await seller.done(
        a_csv(
            {"reference": "A-1", "tracking_number": "EZ1CN"},
            {"reference": "A-2", "tracking_number": "EZ2CN"},
            {"reference": "A-3", "tracking_number": "EZ2CN"},
            {"reference": "A-4", "tracking_number": "EZ2CN", "carrier": "dhl"},
        )
    )

    insured = "parcel-insured-already"
    assert results(answers) == [insured, "booked", insured, "booked"]
    assert single["policy_id"] in answers[0]["problem"]["detail"]
    assert answers[1]["policy_id"] in answers[2]["problem"]["detail"]


async def test_two_files_with_the_same_rows_at_once_book_them_once(
    seller: Seller, db: Database
) -> None:
    file = a_csv(*numbered(20))
    batches = [answered(await seller.upload(file), 202) for _ in range(2)]

    await asyncio.gather(*(fire_due(seller.client, soon()) for _ in range(3)))

    shown = [await seller.show(batch) for batch in batches]
    assert sum(batch["booked"] for batch in shown) == 20
    assert sum(batch["repeated"] for batch in shown) == 20
    assert await count_of(db, "policies") == 20


# --- failures --------------------------------------------------------------------------------


async def test_a_row_that_the_database_refuses_leaves_its_neighbours_alone(
    seller: Seller, db: Database, sabotage: Callable[..., Any]
) -> None:
    rows = numbered(20)
    rows[7]["contact_email"] = "poison@example.com"
    async with sabotage("policies", "NEW.contact_email = 'poison@example.com'"):
        with capture_logs() as logs:
            answers = await seller.done(a_csv(*rows))

    assert results(answers) == ["booked"] * 7 + ["row-failed"] + ["booked"] * 12
    assert await count_of(db, "policies") == 19
    assert "sabotage" not in answers[7]["problem"]["detail"]
    assert [log["line"] for log in logs if log["event"] == "batch_row_failed"] == [9]


async def test_goes_on_where_it_was_when_the_database_was_away(
    seller: Seller, db: Database, sabotage: Callable[..., Any], shop: Shop, db_of: Any
) -> None:
    count = 2 * ROWS_AT_ONCE + 50
    batch = answered(await seller.upload(a_csv(*numbered(count, payment_reference="c"))), 202)
    async with sabotage("batch_bookings", f"NEW.line > {ROWS_AT_ONCE + 20}", "57P01"):
        # Once: it is put off, for real seconds.
        running = seller.client.app.state.running
        with pytest.raises(asyncpg.AdminShutdownError):
            await running.jobs["work_batch"](await the_deadline(db))
    assert (await seller.show(batch))["booked"] == ROWS_AT_ONCE

    await fire_due(seller.client, soon())

    shown = await seller.show(batch)
    assert (shown["state"], shown["booked"]) == ("DONE", count)
    assert [await count_of(db, t) for t in ("policies", "payments")] == [count, count]
    # The rows that were quoted before it failed have the same quotes.
    assert await count_of(await db_of("quote"), "quotes") == count


async def test_a_worker_that_comes_late_neither_repeats_nor_leaves_out_a_row(
    seller: Seller, db: Database
) -> None:
    """Another has worked half of its rows meanwhile, as after a lock that was lost."""
    batch = answered(await seller.upload(a_csv(*numbered(20))), 202)
    worker = BatchWorker(running=seller.client.app.state.running)
    command = await worker._next(await the_deadline(db), behind=0)
    assert command is not None
    left, _ = halves(command)
    await worker._work(left)

    await worker._work(command)
    assert (await seller.show(batch))["booked"] == 10
    await fire_due(seller.client, soon())

    assert results(await seller.answers(batch)) == ["booked"] * 20
    assert await count_of(db, "policies") == 20


async def the_deadline(db: Database) -> Deadline:
    async with db.transaction(TENANT) as tx:
        row = await tx.fetchrow(
            "SELECT tenant_id, kind, subject, due_at FROM deadlines WHERE tenant_id = $1",
            TENANT,
        )
    assert row is not None
    return Deadline(**dict(row))


async def test_waits_for_the_quote_service_and_loses_nothing(
    app_of: AppOf, seller: Seller, token: Token, db: Database
) -> None:
    lonely = Seller(client=await app_of("policy", quote_url="http://127.0.0.1:9"), token=token)
    batch = answered(await lonely.upload(a_csv(*numbered(2))), 202)
    running = lonely.client.app.state.running
    with pytest.raises(Unavailable):
        await running.jobs["work_batch"](await the_deadline(db))
    assert results(await lonely.answers(batch)) == ["waiting"] * 2

    await fire_due(seller.client, soon())

    assert results(await seller.answers(batch)) == ["booked"] * 2


# --- how far it is ---------------------------------------------------------------------------


async def test_shows_how_far_it_is(seller: Seller) -> None:
    file = a_csv(*numbered(3, payment_reference="c"), {"unit_price": "x"}, {"reference": "A-9"})
    response = await seller.upload(file, name="monday.csv")
    batch = answered(response, 202)
    assert (batch["state"], batch["rows"], batch["done"], batch["refused"]) == (
        "RUNNING", 5, 1, 1,
    )  # fmt: skip
    assert (batch["name"], batch["uploaded_by"]) == ("monday.csv", "tests")
    assert (batch["rows_per_second"], batch["estimated_end_at"]) == (None, None)

    before = await seller.get(response.headers["location"])
    same = {"if-none-match": before.headers["etag"]}
    assert (await seller.get(response.headers["location"], **same)).status_code == 304
    await fire_due(seller.client, soon())
    after = await seller.get(response.headers["location"], **same)

    shown = answered(after, 200)
    assert [shown[name] for name in ("state", "done", "booked", "repeated", "refused")] == [
        "DONE", 5, 4, 0, 1,
    ]  # fmt: skip
    assert shown["premium"] == [
        {"amount_minor": 14_400, "currency": "CNY", "formatted": "¥144.00"}
    ]
    assert shown["paid"][0]["amount_minor"] == 10_800
    assert shown["rows_per_second"] > 0
    assert shown["finished_at"] > shown["started_at"]


async def test_estimates_its_end_while_it_runs(
    seller: Seller, sabotage: Callable[..., Any], db: Database
) -> None:
    batch = answered(await seller.upload(a_csv(*numbered(ROWS_AT_ONCE + 10))), 202)
    async with sabotage("batch_bookings", f"NEW.line > {ROWS_AT_ONCE + 5}", "57P01"):
        with pytest.raises(asyncpg.AdminShutdownError):
            await seller.client.app.state.running.jobs["work_batch"](await the_deadline(db))

    shown = await seller.show(batch)

    assert shown["state"] == "RUNNING"
    assert shown["estimated_end_at"] > shown["started_at"]
    waiting = (await seller.get(f"/v1/batches/{batch['batch_id']}/rows?result=waiting")).json()
    assert len(waiting["items"]) == 10


async def test_rows_come_in_pages_and_by_result(seller: Seller) -> None:
    await seller.done(a_csv(*numbered(5), {"unit_price": "x"}))
    [batch] = (await seller.get("/v1/batches")).json()["items"]
    path = f"/v1/batches/{batch['batch_id']}/rows"

    first = (await seller.get(f"{path}?limit=4")).json()
    second = (await seller.get(f"{path}?limit=4&cursor={first['next_cursor']}")).json()
    refused_ = (await seller.get(f"{path}?result=refused")).json()

    assert [row["line"] for row in first["items"] + second["items"]] == [2, 3, 4, 5, 6, 7]
    assert second["next_cursor"] is None
    assert [row["line"] for row in refused_["items"]] == [7]
    refused(await seller.get(f"{path}?result=lost"), 422, "invalid-request")


async def test_batches_are_listed_the_newest_first(seller: Seller) -> None:
    names_ = ["one", "two", "three"]
    for name in names_:
        answered(await seller.upload(a_csv({}), name=name), 202)

    page = (await seller.get("/v1/batches?limit=2")).json()
    rest = (await seller.get(f"/v1/batches?cursor={page['next_cursor']}")).json()

    assert [batch["name"] for batch in page["items"] + rest["items"]] == names_[::-1]
    assert (await seller.get("/v1/batches?state=DONE")).json()["items"] == []
    future = (await seller.get("/v1/batches?since=2150-01-01T00:00:00Z")).json()
    assert future["items"] == []


async def test_says_when_it_is_over_and_nothing_of_anybody(
    seller: Seller, db: Database
) -> None:
    await seller.done(a_csv({}, {"unit_price": "x"}))
    [batch] = (await seller.get("/v1/batches")).json()["items"]

    [event] = await said(db, batch["batch_id"])

    told = msgspec.json.decode(event.data)
    assert told.pop("finished_at")
    assert told == {
        "batch_id": batch["batch_id"], "state": "DONE", "rows": 2, "booked": 1, "repeated": 0,
        "refused": 1,
    }  # fmt: skip


async def test_a_file_of_which_no_row_can_be_read_is_over_at_once(
    seller: Seller, db: Database
) -> None:
    batch = answered(await seller.upload(a_csv({"unit_price": "x"})), 202)

    assert (batch["state"], batch["refused"]) == ("DONE", 1)
    assert names(await said(db)) == ["BatchFinished"]
    assert await count_of(db, "deadlines") == 0


async def test_what_a_row_said_is_forgotten_once_it_is_worked(
    seller: Seller, db: Database
) -> None:
    batch = answered(await seller.upload(a_csv({}, {"contact_email": "no address"})), 202)
    async with db.transaction(TENANT) as tx:
        query = "SELECT string_agg(r::text, '') FROM batch_rows r WHERE tenant_id = $1"
        assert "ann@example.com" in await tx.fetchval(query, TENANT)
    await fire_due(seller.client, soon())
    async with db.transaction(TENANT) as tx:
        kept = await tx.fetchval(query, TENANT)

    assert "@example.com" not in kept.replace("such as ann@example.com", "")
    assert "no address" not in kept
    assert (await seller.show(batch))["state"] == "DONE"


async def test_a_batch_that_is_stopped_works_no_more(
    seller: Seller, db: Database, sabotage: Callable[..., Any]
) -> None:
    batch = answered(await seller.upload(a_csv(*numbered(ROWS_AT_ONCE + 10))), 202)
    running = seller.client.app.state.running
    async with sabotage("batch_bookings", f"NEW.line > {ROWS_AT_ONCE + 5}", "57P01"):
        with pytest.raises(asyncpg.AdminShutdownError):
            await running.jobs["work_batch"](await the_deadline(db))
    path = f"/v1/batches/{batch['batch_id']}/cancellation"

    stopped = answered(await seller.client.post(path, headers=seller.headers()), 200)
    again = answered(await seller.client.post(path, headers=seller.headers()), 200)
    await fire_due(seller.client, soon())

    assert (stopped["state"], stopped["booked"]) == ("CANCELLED", ROWS_AT_ONCE)
    assert again["finished_at"] == stopped["finished_at"]
    assert results(await seller.answers(batch))[-10:] == ["cancelled"] * 10
    assert await count_of(db, "policies") == ROWS_AT_ONCE
    assert names(await said(db, batch["batch_id"])) == ["BatchFinished"]
    async with db.transaction(TENANT) as tx:
        assert not await tx.fetchval(
            "SELECT count(asked) FROM batch_rows WHERE tenant_id = $1", TENANT
        )


async def test_a_batch_that_is_worked_cannot_be_stopped(seller: Seller) -> None:
    await seller.done(a_csv({}))
    [batch] = (await seller.get("/v1/batches")).json()["items"]
    path = f"/v1/batches/{batch['batch_id']}/cancellation"

    refused(await seller.client.post(path, headers=seller.headers()), 409, "batch-over")


async def test_a_sandbox_is_not_ready_while_a_batch_is_worked(
    seller: Seller, shop: Shop, set_clock: SetClock
) -> None:
    await set_clock(A_CLOCK)
    answered(await seller.upload(a_csv({})), 202)
    running = seller.client.app.state.running

    assert (await progress_of(running, TENANT)).due_deadlines == 1
    await fire_due(seller.client, A_CLOCK)

    assert (await progress_of(running, TENANT)).due_deadlines == 0
    [batch] = (await seller.get("/v1/batches")).json()["items"]
    [answer] = await seller.answers(batch)
    assert (await shop.show(answer))["bound_at"] == f"{A_CLOCK}Z"
    # A pace is told in real time.
    assert batch["started_at"] > "2026"


async def test_tenants_never_see_each_others(
    seller: Seller, policies: Any, token: Token
) -> None:
    batch = answered(await seller.upload(a_csv({})), 202)
    other = Seller(client=policies, token=token, tenant=OTHER_TENANT)

    for path in ("", "/rows", "/answers"):
        response = await other.get(f"/v1/batches/{batch['batch_id']}{path}")
        refused(response, 404, "unknown-batch")
    assert (await other.get("/v1/batches")).json()["items"] == []
    # Their references are their own.
    assert results(await other.done(a_csv({}))) == ["booked"]
