"""A parcel at a checkout: asked about, verified, bound, paid and sent, all through HTTP."""

from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

import httpx

from libs.common.bus import Inbound
from libs.common.consumer import deliver
from libs.common.events import with_sequence
from libs.common.money import Money, money
from libs.common.plans.values import Plan
from tests.doors import Doors, naive_utc, wire
from tests.files import PDF
from tests.policy.builders import Json
from tests.policy.serving import fire_due


class Checkout:
    """A shop that sells one plan, and its staff, in a sandbox whose clock they move.

    What is asked last is the `quote`, what is bound last the policy.
    """

    def __init__(self, doors: Doors, plan: Plan, tenant: str) -> None:
        self.plan = plan
        self.tenant = tenant
        self._doors = doors
        self._clock_id = ""
        self._offsets = count()
        self.quote: Json = {}
        self.policy_id = ""

    # --- time --------------------------------------------------------------------------------

    async def at(self, when: datetime) -> None:
        """The sandbox's time comes to that, with all that is due until then."""
        body = {"now": wire(when)}
        if self._clock_id:
            path = f"/v1/test-clocks/{self._clock_id}/advance"
            answered(await self.to_policies(path, body))
        else:
            clock = answered(await self.to_policies("/v1/test-clocks", body))
            self._clock_id = clock["clock_id"]
        await self._relay(self._doors.policies, self._doors.quotes)
        await fire_due(self._doors.quotes, naive_utc(when))
        await self._relay(self._doors.quotes, self._doors.policies)
        await fire_due(self._doors.policies, naive_utc(when))

    # --- quotes ------------------------------------------------------------------------------

    async def ask_for(self, request: Json) -> Json:
        """The plan's offer for that request."""
        self.quote = answered(await self.to_quotes("/v1/quotes", request))
        (offer,) = self.quote["offers"]
        return dict(offer)

    async def show_quote(self) -> Json:
        return answered(await self.from_quotes(f"/v1/quotes/{self.quote['quote_id']}"))

    async def upload(self, kind: str) -> None:
        response = await self._doors.quotes.post(
            f"/v1/quotes/{self.quote['quote_id']}/documents",
            params={"kind": kind, "name": "order.pdf"},
            content=PDF,
            headers=self._headers(),
        )
        answered(response)

    async def prove(self) -> None:
        """The proof of purchase is uploaded, where the plan wants one."""
        for paper in self.plan.documents:
            await self.upload(paper.kind)

    async def verify(self, shown: tuple[str, ...], value: Decimal | None = None) -> Json:
        """The staff's word on the papers; the policy service hears of a confirmed amount."""
        body: Json = {"shown": list(shown)}
        if value is not None:
            body["verified_value"] = amount_of(self.plan, value)
        path = f"/v1/quotes/{self.quote['quote_id']}/verification"
        answer = answered(await self.to_quotes(path, body))
        await self._relay(self._doors.quotes, self._doors.policies)
        return answer

    async def confirm(self, value: Decimal) -> None:
        """All is legible, and the goods are worth that; nothing where the plan wants no papers."""
        if self.plan.documents:
            shown = tuple(field for paper in self.plan.documents for field in paper.must_show)
            await self.verify(shown, value)

    # --- policies ----------------------------------------------------------------------------

    async def try_to_bind(self, **more: object) -> httpx.Response:
        body = {"quote_id": self.quote["quote_id"], **more}
        return await self.to_policies("/v1/policies", body)

    async def bind(self, **more: object) -> Json:
        policy = answered(await self.try_to_bind(**more))
        self.policy_id = policy["policy_id"]
        await self._relay(self._doors.policies, self._doors.quotes)
        return policy

    async def show_policy(self) -> Json:
        path = f"/v1/policies/{self.policy_id}"
        return answered(await self._doors.policies.get(path, headers=self._headers()))

    async def pay(
        self, minor: int, *, reference: str = "", is_automatic: bool = False
    ) -> httpx.Response:
        amount = {"amount_minor": minor, "currency": self.plan.currency}
        body = {
            "reference": reference or f"payment-{minor}",
            "amount": amount,
            "is_automatic": is_automatic,
        }
        return await self.on_policy("payments", body)

    async def name_parcel(self, parcel: Json) -> httpx.Response:
        response: httpx.Response = await self._doors.policies.put(
            f"/v1/policies/{self.policy_id}/parcel", json=parcel, headers=self._headers()
        )
        return response

    async def accept(self, at: datetime) -> None:
        answered(await self.on_policy("acceptance", {"accepted_at": wire(at)}))

    async def dispatch(self, at: datetime) -> None:
        answered(await self.on_policy("dispatch", {"dispatched_at": wire(at)}))

    async def deliver(self, at: datetime) -> None:
        """Its carrier says so."""
        scan = {
            "policy_id": self.policy_id,
            "status": "delivered",
            "occurred_at": wire(at),
        }
        answered(await self.to_policies("/v1/tracking", {"scans": [scan]}))

    async def cancel(self, reason: str) -> httpx.Response:
        return await self.on_policy("cancellation", {"reason": reason})

    async def refunded(self) -> str:
        """What the sandbox's ledger says went back."""
        db = self._doors.policies.app.state.running.db
        async with db.transaction(self.tenant) as tx:
            minor = await tx.fetchval(
                "SELECT coalesce(-sum(amount_minor), 0)::bigint FROM ledger_entries "
                "WHERE tenant_id = $1 AND account = 'refund'",
                self.tenant,
            )
        return f"{Decimal(minor) / 100:.2f}"

    # --- the doors ---------------------------------------------------------------------------

    async def on_policy(self, act: str, body: Json) -> httpx.Response:
        return await self.to_policies(f"/v1/policies/{self.policy_id}/{act}", body)

    async def to_policies(self, path: str, body: Json) -> httpx.Response:
        response: httpx.Response = await self._doors.policies.post(
            path, json=body, headers=self._headers()
        )
        return response

    async def to_quotes(self, path: str, body: Json) -> httpx.Response:
        response: httpx.Response = await self._doors.quotes.post(
            path, json=body, headers=self._headers()
        )
        return response

    async def put_to_quotes(self, path: str, body: Json) -> httpx.Response:
        response: httpx.Response = await self._doors.quotes.put(
            path, json=body, headers=self._headers()
        )
        return response

    async def from_quotes(self, path: str) -> httpx.Response:
        response: httpx.Response = await self._doors.quotes.get(path, headers=self._headers())
        return response

    def _headers(self) -> dict[str, str]:
        return self._doors.headers(self.tenant)

    async def _relay(self, sender: Any, receiver: Any) -> None:
        """What one service has said of this sandbox, to the other; again is no harm."""
        said, hearing = sender.app.state.running, receiver.app.state.running
        async with said.db.transaction(self.tenant) as tx:
            rows = await tx.fetch(
                "SELECT topic, key, sequence, envelope FROM outbox "
                "WHERE tenant_id = $1 ORDER BY id",
                self.tenant,
            )
        messages = [
            Inbound(
                row["topic"],
                0,
                next(self._offsets),
                row["key"],
                with_sequence(row["envelope"], row["sequence"]),
            )
            for row in rows
        ]
        await deliver(hearing.db, hearing.name, hearing.handlers, messages)


def answered(response: httpx.Response) -> Json:
    assert response.status_code in (200, 201), response.text
    answer: Json = response.json()
    return answer


def refused(response: httpx.Response, status: int, code: str) -> Json:
    assert (response.status_code, response.json().get("code")) == (status, code), response.text
    problem: Json = response.json()
    return problem


def amount_of(plan: Plan, value: Decimal) -> Json:
    """The fact as an amount in a request."""
    made = money(value, plan.currency)
    return {"amount_minor": made.amount_minor, "currency": made.currency}


def shown(amount: Json) -> str:
    """The amount of an answer as an example writes it."""
    return f"{Money(amount['amount_minor'], amount['currency']).decimal:f}"
