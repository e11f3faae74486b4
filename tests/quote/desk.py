"""A shop of MyPoz and its staff at the quote service's door, in a sandbox whose clock they move."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from libs.common import consumer, testclock
from libs.common.bus import Inbound
from libs.common.db import Database
from libs.common.deadlines import DeadlineRunner
from libs.common.events import Announcement, encode, with_sequence
from libs.common.money import Money
from libs.common.progress_api import progress_of
from libs.common.testclock import TestClock
from services.policy import events as policy
from services.policy.domain.policies import PlanPin, Terms
from tests.conftest import Token
from tests.files import PDF
from tests.quote.builders import BOOK, Json, said_of

KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")
TENANT = "sbx-mypoz-tests"
SHOWN = ["product_name", "picture", "price", "quantity", "actual_payment_amount"]

# A Monday.
MONDAY = datetime(2024, 5, 6, 9, tzinfo=KUALA_LUMPUR)


def myr(minor: int) -> Json:
    return {"amount_minor": minor, "currency": "MYR"}


def a_line(item_id: str, item_class: str, minor: int) -> Json:
    return {
        "item_id": item_id,
        "item_class": item_class,
        "quantity": 1,
        "unit_price": myr(minor),
    }


PHONE = a_line("phone", "phone", 100_000)
COAT = a_line("coat", "clothing", 70_000)
TOY = a_line("toy", "toy", 20_000)


@dataclass(slots=True)
class Desk:
    """What the shop asks and the staff answer. `tenant` may be another's, for who may not see."""

    client: httpx.AsyncClient
    token: Token
    tenant: str = TENANT

    @property
    def running(self) -> Any:
        return self.client.app.state.running  # type: ignore[attr-defined]

    @property
    def db(self) -> Database:
        database: Database = self.running.db
        return database

    async def at(self, when: datetime) -> None:
        """The sandbox's time comes to that, with all that is due until then."""
        await self.set_clock(when)
        await self.fire_due()

    async def set_clock(self, when: datetime) -> None:
        clock = TestClock(clock_id="clk_1", tenant_id=self.tenant, now=when)
        async with self.db.transaction(self.tenant) as tx:
            await testclock.follow(tx, clock)

    async def fire_due(self) -> None:
        runner = DeadlineRunner(self.running.jobs)
        async with self.db.worker() as connection:
            while await runner.fire_due(connection, MONDAY):
                pass

    async def due_deadlines(self) -> int:
        return (await progress_of(self.running, self.tenant)).due_deadlines

    async def send(
        self, path: str, body: object, *, if_match: str | None = None, tenant: str | None = None
    ) -> httpx.Response:
        headers = self.token(tenant or self.tenant)
        if if_match is not None:
            headers["if-match"] = if_match
        return await self.client.post(path, json=body, headers=headers)

    async def see(self, path: str, **params: Any) -> httpx.Response:
        return await self.client.get(path, params=params, headers=self.token(self.tenant))

    async def shown(self, quote: Mapping[str, Any]) -> Json:
        return answered(await self.see(f"/v1/quotes/{quote['quote_id']}"))

    async def file_of(self, quote: Mapping[str, Any]) -> Json:
        return answered(await self.see(f"/v1/verifications/{quote['quote_id']}"))

    async def queue(self, **params: Any) -> list[Json]:
        items: list[Json] = answered(await self.see("/v1/verifications", **params))["items"]
        return items

    async def ask(self, *items: Json, **changes: object) -> Json:
        request = {
            "point": "order_submission",
            "customer": {"customer_id": "ann"},
            "order": {"order_ref": "MPZ-1"},
            "parcel": {"line": "SEA-MY", "destination": "MY"},
            "items": list(items or (PHONE,)),
            "shipping_fee": myr(4_500),
            **changes,
        }
        return answered(await self.send("/v1/quotes", request))

    async def upload(
        self, quote: Mapping[str, Any], kind: str = "proof_of_purchase", name: str = "a.pdf"
    ) -> httpx.Response:
        return await self.client.post(
            f"/v1/quotes/{quote['quote_id']}/documents",
            params={"kind": kind, "name": name},
            content=PDF,
            headers=self.token(self.tenant),
        )

    async def verify(
        self,
        quote: Mapping[str, Any],
        minor: int | None = 100_000,
        *,
        shown: list[str] = SHOWN,
        if_match: str | None = None,
        **more: object,
    ) -> httpx.Response:
        value = {} if minor is None else {"verified_value": myr(minor)}
        path = f"/v1/quotes/{quote['quote_id']}/verification"
        return await self.send(path, {"shown": shown, **value, **more}, if_match=if_match)

    async def review(
        self, quote: Mapping[str, Any], *, if_match: str | None = None, **verdicts: str
    ) -> httpx.Response:
        path = f"/v1/quotes/{quote['quote_id']}/review"
        body = {"verdicts": verdicts, "note": "Seen with the customer."}
        return await self.send(path, body, if_match=if_match)

    async def asked_and_proven(self, *items: Json) -> Json:
        """A quote whose papers are in since MONDAY."""
        await self.at(MONDAY)
        quote = await self.ask(*items)
        answered(await self.upload(quote))
        return quote

    async def bind(
        self,
        quote: Mapping[str, Any],
        *,
        plan: str = "mypoz-cargo",
        at: datetime = MONDAY,
        confirmed_at: datetime | None = None,
    ) -> None:
        """The policy service says that it has bound the quote."""
        nothing = Money(0, "MYR")
        terms = Terms(
            insured_value=nothing,
            goods_value=nothing,
            eligible_goods_value=nothing,
            shipping_fee=nothing,
            premium=nothing,
            rate=BOOK.newest("mypoz-cargo").premium.rate,
        )
        event = policy.PolicyIssued(
            policy_id="pol_1",
            quote_id=quote["quote_id"],
            plan=PlanPin(plan=plan, version=1, sha256="0" * 64),
            terms=terms,
            state="PENDING",
            confirmed_at=confirmed_at,
        )
        said = Announcement(tenant_id=self.tenant, key="pol_1", event=event)
        message = Inbound("policies", 0, 1, "pol_1", with_sequence(encode(said, at), 1))
        running = self.running
        await consumer.deliver(running.db, running.name, running.handlers, [message])

    async def said(self, quote: Mapping[str, Any]) -> list[tuple[str, Json]]:
        return await said_of(self.db, quote["quote_id"], self.tenant)

    async def names_said(self, quote: Mapping[str, Any]) -> list[str]:
        return [name for name, _ in await self.said(quote)]


def answered(response: httpx.Response) -> Json:
    assert response.status_code in (200, 201), response.text
    answer: Json = response.json()
    return answer


def refused(response: httpx.Response, status: int, code: str) -> Json:
    assert (response.status_code, response.json().get("code")) == (status, code), response.text
    problem: Json = response.json()
    return problem
