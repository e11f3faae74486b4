"""Every route asks for a scope, nobody sees another tenant's, and the database is the second lock."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi.routing import iter_route_contexts

from libs.common import web
from libs.common.db import SERVICE_TABLES_WITHOUT_TENANT
from libs.common.migrate import SERVICES
from tests.architecture.world import A_CHOICE, A_PDF, DELIVERED, OURS, THEIRS, World
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import Json, amount

# What has to answer anybody: health, numbers, and the document.
OPEN = {web.HEALTH, web.READY, web.METRICS, "/openapi.json"}

# Whose senders sign the body instead: tests/policy/test_premium.py, tests/policy/test_carriers.py.
SIGNED = {"/v1/tenants/{tenant_id}/payment-hooks/{hook_id}", "/v1/tracking/{provider}"}

# What opens to whoever has a link that was given for it: tests/claims/test_evidence_links.py.
BY_LINK = {"/v1/evidence-files/{token}"}

# A valid body for each route that has an id in its path and reads JSON, by the route's name.
BODIES: dict[str, Json] = {
    "verify_quote": {},
    "review_quote": {"verdicts": {"1": "ACCEPT"}},
    "assign_verification": {"is_taken": True},
    "record_consent": A_CHOICE,
    "record_payment": {"reference": "r-1", "amount": amount(3_600)},
    "dispatch_parcel": {},
    "accept_parcel": {},
    "cancel_policy": {},
    "preview_cancellation": {},
    "preview_address": {"destination": "US"},
    "change_address": {"destination": "US"},
    "void_policy": {"cause": "fraud"},
    "change_contact": {"locale": "de"},
    "name_parcel": {"carrier": "ems", "tracking_number": "EZ1000000009CN"},
    "settle_refund": {"state": "CONFIRMED", "reference": "r-1"},
    "rotate_secret": {},
    "cancel_batch": {},
    "advance_test_clock": {"now": DELIVERED},
    "decide_claim": {},
    "create_evidence_link": {},
    "answer_approval": {"is_granted": True},
    "give_notice": {"peril": "LOSS", "tracking_number": "NOBODYS-1"},
    "withdraw_claim": {},
    "swap_claim": {"peril": "LOSS"},
    "file_appeal": {"grounds": "It came later than that."},
    "decide_appeal": {"note": "It did not."},
    "add_evidence": {"evidence_ids": ["evd_01JQZX7Y5V0000000000000000"]},
    "request_information": {"kinds": ["product_images"]},
    "pay_advance": {},
    "record_recovery": {"source": "carrier", "reference": "r-1", "amount": amount(100)},
    "retry_payout": {},
    "redeem_voucher": {"second_fee": amount(100), "reference": "r-1"},
    "show_found": {"found_at": DELIVERED, "note": "It lay in the depot."},
    "show_fraud": {"why": "The papers were made up."},
    "write_off_repayment": {"why": "They moved away."},
    "settle_payout": {"state": "CONFIRMED", "reference": "r-1"},
}
# And for each that takes a file: what its query asks for.
UPLOADS: dict[str, dict[str, str]] = {
    "upload_document": {"kind": "proof_of_purchase", "name": "receipt.pdf"},
}
# What a path may name that is nobody's own.
WORDS = {"currency", "day", "month", "provider"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`is_hidden`: for our own services alone, and in no document."""

    service: str
    method: str
    path: str
    name: str
    is_hidden: bool

    @property
    def parameter(self) -> str:
        name = self.path.partition("{")[2].partition("}")[0]
        return "" if name in WORDS else name

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.service})"

    async def ask(
        self, client: Any, asked_for: str, headers: dict[str, str], ids: Mapping[str, str]
    ) -> httpx.Response:
        """About `asked_for`, the first id in the path; those behind it are `ids`."""
        path = self.path.format_map({**ids, self.parameter: asked_for})
        request: dict[str, Any] = {"headers": headers}
        if self.name in UPLOADS:
            request |= {"params": UPLOADS[self.name], "content": A_PDF}
        elif self.method != "GET":
            assert self.name in BODIES, f"Give BODIES a valid body for {self.name}."
            request["json"] = BODIES[self.name]
        response: httpx.Response = await client.request(self.method, path, **request)
        return response


def routes_of(service: str, app: Any) -> list[Route]:
    document = app.openapi()["paths"]
    contexts: Iterable[Any] = iter_route_contexts(app.routes)
    return [
        Route(
            service=service,
            method=method,
            path=context.path,
            name=context.original_route.name,
            is_hidden=context.path not in document,
        )
        for context in contexts
        for method in sorted(context.methods - {"HEAD"})
    ]


# --- scopes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_but_health_asks_for_a_token_and_a_scope(
    app_of: AppOf, token: Token, service: str
) -> None:
    client: Any = await app_of(service)

    unguarded = {route.partition(" ")[2] for route in web.unguarded_routes(client.app)}
    assert unguarded <= BY_LINK
    known = OPEN | SIGNED | BY_LINK
    guarded = [r for r in routes_of(service, client.app) if r.path not in known]
    assert len(guarded) > 3
    for route in guarded:
        nobody = await client.request(route.method, route.path, json={})
        assert (nobody.status_code, nobody.json()["status"]) == (401, 401), route
        poor = await client.request(route.method, route.path, json={}, headers=token(scopes=[]))
        assert (poor.status_code, poor.json()["status"]) == (403, 403), route


# --- ids -------------------------------------------------------------------------------------


def unknown(theirs: str) -> str:
    """An id as well formed as theirs that nobody has."""
    prefix, _, number = theirs.partition("_")
    return f"{prefix}_01JQZX7Y5V0000000000000000" if number else f"no-{prefix}"


def answer_about(response: httpx.Response, asked_for: str) -> tuple[int, str, str]:
    """What the answer says, but for the id that was asked for."""
    return (
        response.status_code,
        response.headers["content-type"],
        response.text.replace(asked_for, "<id>"),
    )


async def test_what_is_anothers_and_what_is_nobodys_get_the_same_404(
    world: World, admin_url: str
) -> None:
    before = await rows_of(THEIRS, admin_url)
    asked = [
        (service, client, route)
        for service, client in world.clients.items()
        for route in routes_of(service, client.app)
        if route.parameter and route.path not in SIGNED | BY_LINK
    ]
    assert len(asked) > 15
    for service, client, route in asked:
        assert route.parameter in world.ids, f"Let the world have a {route.parameter}: {route}"
        theirs = world.ids[route.parameter]
        nobodys = unknown(theirs)

        by_us = headers(world, route, OURS)
        about_theirs = await route.ask(client, theirs, by_us, world.ids_in(service))
        by_us = headers(world, route, OURS)
        about_nobodys = await route.ask(client, nobodys, by_us, world.ids_in(service))

        assert about_nobodys.status_code == 404, f"{route}: {about_nobodys.text}"
        assert about_nobodys.headers["content-type"] == "application/problem+json", route
        assert answer_about(about_theirs, theirs) == answer_about(about_nobodys, nobodys), route
    assert await rows_of(THEIRS, admin_url) == before


async def test_what_is_theirs_is_there_for_them(world: World) -> None:
    """Or a 404 for us would prove nothing."""
    seen = set()
    for service, client in world.clients.items():
        for route in routes_of(service, client.app):
            if route.method == "GET" and route.parameter not in ("", "plan", "token"):
                theirs = world.ids[route.parameter]
                by_them = headers(world, route, THEIRS)
                response = await route.ask(client, theirs, by_them, world.ids_in(service))
                assert response.status_code != 404, f"{route}: {response.text}"
                seen.add(route.parameter)
    # These are shown with the claim, in the ledger, or in a list.
    assert seen == world.ids.keys() - {
        "plan", "payout_id", "approval_id", "refund_id", "hook_id", "repayment_id",
    }  # fmt: skip


async def test_an_id_in_a_body_opens_no_more_than_one_in_a_path(
    world: World, token: Token, admin_url: str
) -> None:
    before = await rows_of(THEIRS, admin_url)
    quote_id, policy_id = world.ids["quote_id"], world.ids["policy_id"]
    scan = {"status": "lost", "occurred_at": DELIVERED, "policy_id": policy_id}
    asked: list[tuple[str, str, str, Json]] = [
        ("policy", "/v1/policies", quote_id, {"quote_id": quote_id}),
        ("policy", "/v1/tracking", policy_id, {"scans": [scan]}),
        ("claims", "/v1/claims", policy_id, {"policy_id": policy_id, "peril": "LOSS"}),
    ]
    for service, path, theirs, body in asked:
        answers = []
        for one in (theirs, unknown(theirs)):
            response = await world.clients[service].post(
                path, json=with_id(body, theirs, one), headers=token(OURS)
            )
            assert response.status_code == 404 or "unmatched" in response.text, response.text
            answers.append(answer_about(response, one))
        assert answers[0] == answers[1], path
    assert await rows_of(THEIRS, admin_url) == before


def with_id(body: Any, old: str, new: str) -> Any:
    if isinstance(body, dict):
        return {name: with_id(value, old, new) for name, value in body.items()}
    if isinstance(body, list):
        return [with_id(value, old, new) for value in body]
    return new if body == old else body


def headers(world: World, route: Route, tenant: str) -> dict[str, str]:
    """A caller's with every scope, or those of one of our own services that asks for the tenant."""
    if not route.is_hidden:
        return world.token(tenant)
    signed: dict[str, str] = world.clients["notifier"].app.state.running.signer.headers(tenant)
    return signed


# --- rows ------------------------------------------------------------------------------------


async def test_a_query_that_forgets_its_tenant_sees_nothing_of_theirs(
    world: World, db_of: DbOf, admin_url: str
) -> None:
    # There is something to see: what theirs wrote is in more than the tables named here.
    theirs = await rows_of(THEIRS, admin_url)
    assert theirs.keys() > {
        "quote.quotes", "quote.verifications", "quote.documents", "quote.consents",
        "quote.exchange_rates", "policy.policies", "policy.payments", "policy.refunds",
        "policy.payment_hooks", "policy.scans", "policy.tracking_hooks", "policy.tracking_notices",
        "policy.tracking_readings", "policy.unmatched_parcels", "policy.unknown_codes", "claims.claims",
        "claims.covers", "claims.decisions", "claims.evidence", "claims.payouts", "claims.approvals",
        "claims.appeals", "claims.ledger_entries", "claims.vouchers", "claims.repayments",
        "claims.payout_attempts", "notifier.notifications", "policy.idempotency_keys",
    }  # fmt: skip

    assert await leaks(db_of, theirs) == []


# What might be done to a table by mistake.
BREACHES = {
    "row security is off": "ALTER TABLE claims.payouts DISABLE ROW LEVEL SECURITY",
    "a second policy lets everybody in": "CREATE POLICY lax ON claims.payouts USING (true)",
    "the service owns its table": "ALTER TABLE claims.payouts OWNER TO parcelcover_claims",
}


@pytest.mark.parametrize("breach", BREACHES.values(), ids=BREACHES.keys())
async def test_a_lock_taken_off_a_table_is_noticed(
    world: World, db_of: DbOf, admin_url: str, breach: str
) -> None:
    theirs = await rows_of(THEIRS, admin_url)
    async with administrator(admin_url) as admin:
        await admin.execute(breach)

    assert await leaks(db_of, theirs) == ["claims.payouts"]


async def test_a_table_without_a_policy_shows_nothing_at_all(
    world: World, db_of: DbOf, admin_url: str
) -> None:
    """Forgetting `CALL tenant_table(...)`'s policy locks everybody out: it cannot leak."""
    async with administrator(admin_url) as admin:
        await admin.execute("DROP POLICY tenants ON policy.policies")
    async with (await db_of("policy")).transaction(THEIRS) as tx:
        assert await tx.fetchval("SELECT count(*) FROM policies") == 0


async def leaks(db_of: DbOf, theirs: dict[str, str]) -> list[str]:
    """The tables of theirs of which a transaction of ours sees rows that are not ours."""
    found = []
    for table in theirs:
        schema, _, name = table.partition(".")
        async with (await db_of(schema)).transaction(OURS) as tx:
            if await tx.fetchval(f'SELECT count(*) FROM "{name}" WHERE tenant_id <> $1', OURS):
                found.append(table)
    return found


async def rows_of(tenant: str, admin_url: str) -> dict[str, str]:
    """By table, in every schema, a fingerprint of the tenant's rows; tables with none left out."""
    async with administrator(admin_url) as admin:
        return {
            table: digest
            for table in [table async for table in _tables(admin)]
            if (
                digest := await admin.fetchval(
                    f"""
                    SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t
                    WHERE tenant_id = $1
                    """,
                    tenant,
                )
            )
        }


async def _tables(admin: Any) -> AsyncIterator[str]:
    rows = await admin.fetch(
        """
        SELECT schemaname, tablename FROM pg_tables
        WHERE schemaname = ANY($1) AND tablename <> ALL($2) ORDER BY 1, 2
        """,
        list(SERVICES),
        list(SERVICE_TABLES_WITHOUT_TENANT),
    )
    for row in rows:
        yield f"{row['schemaname']}.{row['tablename']}"


@asynccontextmanager
async def administrator(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
