"""A claims desk: the service with the events it heard, and a shop's requests through its door."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
import msgspec

from libs.common.bus import Inbound
from libs.common.consumer import deliver
from libs.common.db import Database
from libs.common.events import Announcement, Event, encode, with_sequence
from services.claims.consumers import handlers
from services.claims.domain.cases import Cover
from services.claims.store import get_cover
from services.policy.domain.policies import Terms
from services.policy.events import (
    PolicyActivated,
    PolicyIssued,
    PolicyPaid,
    TestClockMoved,
    TrackingUpdated,
)
from tests.conftest import AppOf, DbOf, Token
from tests.files import file_for
from tests.policy.builders import (
    QUOTE_ID,
    TENANT,
    Json,
    an_offer,
    at,
    names,
    said,
    some_terms,
)
from tests.policy.serving import fire_due

CONSUMER = "claims"
POLICY_ID = "pol_01JQZX7Y5V0000000000000001"
SUBJECT = "tests"
NOWHERE = "http://127.0.0.1:1"

_offsets = count()


# --- what the policy service says ------------------------------------------------------------


def issued(policy_id: str = POLICY_ID, plan: str = "cssecure", **terms: Any) -> PolicyIssued:
    return PolicyIssued(
        policy_id=policy_id,
        quote_id=QUOTE_ID,
        plan=an_offer(plan).plan,
        terms=_terms(plan, terms),
        state="PENDING",
    )


def paid(policy_id: str = POLICY_ID, plan: str = "cssecure", **terms: Any) -> PolicyPaid:
    """On 1 January 2024, an hour after it was bound; cover is still to start."""
    whole = _terms(plan, terms)
    return PolicyPaid(
        policy_id=policy_id,
        quote_id=QUOTE_ID,
        plan=an_offer(plan).plan,
        terms=whole,
        state="SCHEDULED",
        premium_paid=whole.premium,
        paid_at=at("2024-01-01T02:00"),
        confirmed_at=at("2024-01-01T01:00"),
    )


def activated(policy_id: str = POLICY_ID) -> PolicyActivated:
    return PolicyActivated(policy_id=policy_id, cover_start=at("2024-01-04T01:00"))


def tracked(policy_id: str = POLICY_ID, state: str = "ACTIVE", **times: str) -> TrackingUpdated:
    """Dispatched on 4 January 2024, and what else is named."""
    known = {
        "dispatched_at": "2024-01-04T01:00",
        "last_update_at": "2024-01-04T01:00",
        **times,
    }
    position: dict[str, Any] = {name: at(text) for name, text in known.items()}
    return TrackingUpdated(
        policy_id=policy_id, state=state, status="in_transit", carrier="ems", **position
    )


def told(
    event: Event, sequence: int = 1, *, tenant: str = TENANT, key: str | None = None
) -> Inbound:
    """The event as the broker hands it over."""
    owner = str(key or getattr(event, "policy_id", tenant))
    announcement = Announcement(tenant_id=tenant, key=owner, event=event)
    value = with_sequence(encode(announcement, datetime(2024, 1, 1, tzinfo=UTC)), sequence)
    return Inbound(event.topic, 0, next(_offsets), owner, value)


def again(message: Inbound) -> Inbound:
    """The same event, sent a second time."""
    return replace(message, offset=next(_offsets))


def way_of(
    policy_id: str = POLICY_ID,
    plan: str = "cssecure",
    *,
    tenant: str = TENANT,
    tracking: TrackingUpdated | None = None,
    **terms: Any,
) -> list[Inbound]:
    """An insured parcel that left on 4 January 2024, as events in their order."""
    events = [
        issued(policy_id, plan, **terms),
        paid(policy_id, plan, **terms),
        activated(policy_id),
        tracking or tracked(policy_id),
    ]
    return [told(e, number, tenant=tenant) for number, e in enumerate(events, start=1)]


def _terms(plan: str, changes: dict[str, Any]) -> Terms:
    return some_terms(an_offer(plan).terms.premium.currency, **changes)


# --- what it answers -------------------------------------------------------------------------


def done(response: httpx.Response) -> Json:
    assert response.is_success, response.text
    answer: Json = response.json()
    return answer


def refused(response: httpx.Response, status: int, code: str) -> Json:
    assert response.status_code == status, response.text
    problem: Json = response.json()
    assert problem["code"] == code, problem
    return problem


# --- the desk --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    client: Any
    db: Database
    token: Token
    tenant: str = TENANT
    # Who asks, and what they may; None: all.
    subject: str = SUBJECT
    scopes: tuple[str, ...] | None = None

    @classmethod
    async def open(
        cls,
        app_of: AppOf,
        db_of: DbOf,
        token: Token,
        *,
        tenant: str = TENANT,
        policy_url: str = NOWHERE,
        **settings: object,
    ) -> "Desk":
        client = await app_of("claims", policy_url=policy_url, **settings)
        return cls(client=client, db=await db_of("claims"), token=token, tenant=tenant)

    def of(self, tenant: str) -> "Desk":
        """The same service, asked by another tenant."""
        return replace(self, tenant=tenant)

    def as_(self, subject: str, *scopes: str) -> "Desk":
        """The same desk, asked by somebody else; with every scope unless some are named."""
        return replace(self, subject=subject, scopes=scopes or None)

    @property
    def _headers(self) -> dict[str, str]:
        who = {} if self.subject == SUBJECT else {"subject": self.subject}
        may = {} if self.scopes is None else {"scopes": self.scopes}
        return self.token(self.tenant, **who, **may)

    async def hears(self, *messages: Inbound) -> None:
        """One batch from the bus."""
        running = self.client.app.state.running
        await deliver(self.db, CONSUMER, handlers(running), messages)

    async def at(self, now: str) -> None:
        """The sandbox's time comes to that, with all that is due until then."""
        moved = TestClockMoved(clock_id="clk_1", now=at(now))
        await self.hears(told(moved, tenant=self.tenant))
        await fire_due(self.client, now)

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        response: httpx.Response = await self.client.post(
            path, json=body, headers={**self._headers, **headers}
        )
        return response

    async def get(self, path: str) -> httpx.Response:
        response: httpx.Response = await self.client.get(path, headers=self._headers)
        return response

    async def upload(
        self,
        content: bytes | AsyncIterator[bytes],
        kind: str = "damage_list",
        name: str = "a.pdf",
        policy_id: str = POLICY_ID,
        **headers: str,
    ) -> httpx.Response:
        response: httpx.Response = await self.client.post(
            "/v1/evidence",
            params={"policy_id": policy_id, "kind": kind, "name": name},
            content=content,
            headers={**self.token(self.tenant), **headers},
        )
        return response

    async def papers(self, *kinds: str, policy_id: str = POLICY_ID) -> list[str]:
        """The ids of new files of these kinds, for a claim to take."""
        uploaded = [
            await self.upload(file_for(kind), kind, policy_id=policy_id) for kind in kinds
        ]
        return [done(response)["evidence_id"] for response in uploaded]

    async def file(
        self, peril: str = "DELAY", policy_id: str = POLICY_ID, **more: Any
    ) -> httpx.Response:
        body = {"policy_id": policy_id, "peril": peril, **more}
        return await self.post("/v1/claims", body)

    async def a_claim(self, peril: str = "DELAY", **more: Any) -> Json:
        return done(await self.file(peril, **more))

    async def show(self, claim: Json) -> Json:
        return done(await self.get(f"/v1/claims/{claim['claim_id']}"))

    async def cover(self, policy_id: str = POLICY_ID) -> Cover:
        async with self.db.transaction(self.tenant) as tx:
            return await get_cover(tx, policy_id, tenant_id=self.tenant)

    async def said(self, policy_id: str = POLICY_ID) -> list[str]:
        """The types of the events about a policy's claims, in their order."""
        return names(await said(self.db, policy_id))

    async def told_last(self, policy_id: str = POLICY_ID) -> Json:
        """The data of the last of them."""
        data: Json = msgspec.json.decode((await said(self.db, policy_id))[-1].data)
        return data

    async def rows(self, query: str, *values: object) -> list[Any]:
        """Rows of this tenant; `$1` is its id."""
        async with self.db.transaction(self.tenant) as tx:
            return await tx.fetch(query, self.tenant, *values)

    async def deadlines(self) -> dict[str, datetime]:
        found = await self.rows("SELECT kind, due_at FROM deadlines WHERE tenant_id = $1")
        return {row["kind"]: row["due_at"] for row in found}

    async def balances(self) -> dict[str, int]:
        """Minor units by account, zeros left out."""
        found = await self.rows(
            "SELECT account, sum(amount_minor)::bigint AS minor FROM ledger_entries "
            "WHERE tenant_id = $1 GROUP BY account HAVING sum(amount_minor) <> 0"
        )
        return {row["account"]: row["minor"] for row in found}
