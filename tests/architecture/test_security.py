"""Every route asks for a scope, nobody reads another tenant's, and the database is the second lock."""

import importlib

import asyncpg
import pytest

from libs.common import outbox, web
from libs.common.migrate import SERVICES
from tests.common.test_spine import NOW, ONE, OTHER, happened
from tests.conftest import AppOf, DbOf, Token

ID = "01JQZX7Y5V0000000000000000"
# Something of each service that is asked for by its id.
READS = [
    ("quote", f"/v1/quotes/quo_{ID}"),
    ("policy", f"/v1/policies/pol_{ID}"),
    ("policy", f"/v1/test-clocks/clk_{ID}"),
    ("claims", f"/v1/claims/clm_{ID}"),
    ("notifier", f"/v1/notifications/ntf_{ID}"),
]


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_asks_for_a_scope(service: str) -> None:
    app = importlib.import_module(f"services.{service}.app").create_app()
    assert web.unguarded_routes(app) == []


@pytest.mark.parametrize(("service", "path"), READS, ids=[path for _, path in READS])
async def test_unknown_is_404_with_a_stable_code_and_no_token_is_401(
    app_of: AppOf, token: Token, service: str, path: str
) -> None:
    client = await app_of(service)
    unknown = await client.get(path, headers=token())
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == "application/problem+json"
    assert unknown.json()["code"].startswith(("unknown-", "not-found"))
    assert (await client.get(path)).status_code == 401
    assert (await client.get(path, headers=token(scopes=[]))).status_code == 403


async def test_without_its_policy_a_table_leaks_so_the_check_has_teeth(
    db_of: DbOf, admin_url: str
) -> None:
    """The isolation test of test_spine, on a database whose lock somebody took off."""
    db = await db_of("policy")
    async with db.transaction(ONE) as tx:
        await outbox.append(tx, happened(1), now=NOW)
    query = "SELECT count(*) FROM outbox"
    async with db.transaction(OTHER) as tx:
        assert await tx.fetchval(query) == 0

    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute("ALTER TABLE policy.outbox DISABLE ROW LEVEL SECURITY")
    finally:
        await admin.close()
    async with db.transaction(OTHER) as tx:
        assert await tx.fetchval(query) == 1
