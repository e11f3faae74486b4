"""An example's parcel at the checkout: asked about, verified, bound, paid and sent, all through HTTP."""

from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

import httpx

from deploy.plans_check import Example
from libs.common.bus import Inbound
from libs.common.consumer import deliver
from libs.common.events import with_sequence
from tests.http_examples.doors import (
    PDF,
    Doors,
    amount_of,
    naive_utc,
    plan_of,
    tenant_of,
    wire,
)
from tests.http_examples.orders import quote_request
from tests.policy.builders import Json
from tests.policy.serving import fire_due


class Checkout:
    """One example's shop and staff, in a sandbox whose clock they move."""

    def __init__(self, doors: Doors, example: Example) -> None:
        self.example = example
        self.plan = plan_of(example)
        self.tenant = tenant_of(example)
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
            _answered(await self._to_policies(path, body))
        else:
            clock = _answered(await self._to_policies("/v1/test-clocks", body))
            self._clock_id = clock["clock_id"]
        await self._relay(self._doors.policies, self._doors.quotes)
        await fire_due(self._doors.policies, naive_utc(when))

    # --- quotes ------------------------------------------------------------------------------

    async def ask(self) -> Json:
        """The plan's offer for the example's parcel."""
        response = await self._doors.quotes.post(
            "/v1/quotes", json=quote_request(self.example), headers=self._headers()
        )
        self.quote = _answered(response)
        (offer,) = self.quote["offers"]
        return dict(offer)

    async def show_quote(self) -> Json:
        path = f"/v1/quotes/{self.quote['quote_id']}"
        return _answered(await self._doors.quotes.get(path, headers=self._headers()))

    async def prove(self) -> None:
        """The proof of purchase is uploaded, where the plan wants one."""
        for paper in self.plan.documents:
            response = await self._doors.quotes.post(
                f"/v1/quotes/{self.quote['quote_id']}/documents",
                params={"kind": paper.kind, "name": "order.pdf"},
                content=PDF,
                headers=self._headers(),
            )
            _answered(response)

    async def verify(self, shown: tuple[str, ...], value: Decimal | None = None) -> Json:
        """The staff's word on the papers; the policy service hears of a confirmed amount."""
        body: Json = {"shown": list(shown)}
        if value is not None:
            body["verified_value"] = amount_of(self.plan, value)
        path = f"/v1/quotes/{self.quote['quote_id']}/verification"
        answer = _answered(
            await self._doors.quotes.post(path, json=body, headers=self._headers())
        )
        await self._relay(self._doors.quotes, self._doors.policies)
        return answer

    async def confirm(self, value: Decimal) -> None:
        """All is legible, and the goods are worth that; nothing where the plan wants no papers."""
        if self.plan.documents:
            shown = tuple(field for paper in self.plan.documents for field in paper.must_show)
            await self.verify(shown, value)

    # --- policies ----------------------------------------------------------------------------

    async def bind(self) -> Json:
        policy = _answered(
            await self._to_policies("/v1/policies", {"quote_id": self.quote["quote_id"]})
        )
        self.policy_id = policy["policy_id"]
        await self._relay(self._doors.policies, self._doors.quotes)
        return policy

    async def show_policy(self) -> Json:
        path = f"/v1/policies/{self.policy_id}"
        return _answered(await self._doors.policies.get(path, headers=self._headers()))

    async def pay(
        self, minor: int, *, reference: str = "", is_automatic: bool = False
    ) -> httpx.Response:
        amount = {"amount_minor": minor, "currency": self.plan.currency}
        body = {
            "reference": reference or f"payment-{minor}",
            "amount": amount,
            "is_automatic": is_automatic,
        }
        return await self._to_policies(f"/v1/policies/{self.policy_id}/payments", body)

    async def accept(self, at: datetime) -> None:
        path = f"/v1/policies/{self.policy_id}/acceptance"
        _answered(await self._to_policies(path, {"accepted_at": wire(at)}))

    async def dispatch(self, at: datetime) -> None:
        path = f"/v1/policies/{self.policy_id}/dispatch"
        _answered(await self._to_policies(path, {"dispatched_at": wire(at)}))

    async def cancel(self, reason: str) -> httpx.Response:
        path = f"/v1/policies/{self.policy_id}/cancellation"
        return await self._to_policies(path, {"reason": reason})

    async def refunded(self) -> str:
        """What the policy's ledger says went back."""
        db = self._doors.policies.app.state.running.db
        async with db.transaction(self.tenant) as tx:
            minor = await tx.fetchval(
                "SELECT coalesce(-sum(amount_minor), 0)::bigint FROM ledger_entries "
                "WHERE tenant_id = $1 AND account = 'refund'",
                self.tenant,
            )
        return f"{Decimal(minor) / 100:.2f}"

    # --- the doors ---------------------------------------------------------------------------

    async def _to_policies(self, path: str, body: Json) -> httpx.Response:
        response: httpx.Response = await self._doors.policies.post(
            path, json=body, headers=self._headers()
        )
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


def _answered(response: httpx.Response) -> Json:
    assert response.status_code in (200, 201), response.text
    answer: Json = response.json()
    return answer
