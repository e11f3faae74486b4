"""What carriers post, a second: taken, and read into their parcels' history, against a bare route.

All sides get the same bodies: EasyPost events of some thousand insured parcels, each with all scans so
far, signed. The bare route checks nothing and inserts the bytes. `accepted` ends with the last answer,
`worked` with the last scan in the history of its policy, its event in the outbox.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec

from deploy.local import keys
from deploy.local.ports import LOOPBACK
from libs.common.db import Database
from libs.common.money import Money
from libs.common.plans.reading import load
from libs.common.sealed import Sealer
from libs.common.settings import PROGRAMMES
from services.policy import store
from services.policy.domain.policies import PlanPin, Policy
from services.policy.store import Contact, TrackingHook
from services.policy.tracking import PROVIDERS
from tests.bench import serve
from tests.bench.quotes import Served, note_of, sent, server
from tests.bench.rounds import Round
from tests.bench.sender import Orders
from tests.bench.site import OTHER_CPU, Site
from tests.bench.traffic import NOW, TENANT, terms

ACCEPTED, WORKED, BARE = "accepted", "worked", "bare"
PARCELS = 2_000
CONNECTIONS = 64
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 120
SECRET = "benchmark-" + uuid4().hex
_STEPS = (
    ("pre_transit", "label_created", "Shipping Label Created"),
    ("in_transit", "received_at_origin_facility", "Accepted at origin facility"),
    ("in_transit", "arrived_at_facility", "Arrived at facility"),
    ("out_for_delivery", "out_for_delivery", "Out for delivery"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posts:
    """Bodies with the headers that prove them."""

    bodies: list[str]
    headers: list[dict[str, str]]


def posts(run: str, parcels: int) -> Posts:
    """Each parcel's events, the first of all, then the second of all; every one with all before it."""
    scheme = PROVIDERS["easypost"].schemes["v1"]
    bodies = [
        _event(f"{run}{parcel}", step)
        for step in range(len(_STEPS))
        for parcel in range(parcels)
    ]
    signed = [scheme.sign(SECRET, body, path="", now=NOW) for body in bodies]
    return Posts(
        bodies=[one.body.decode() for one in signed],
        headers=[dict(one.headers) for one in signed],
    )


async def rounds(site: Site, repeats: int, parcels: int = PARCELS) -> AsyncIterator[Round]:
    """Each variant in turn, each against a server of its own."""
    connection = await asyncpg.connect(site.admin_url)
    try:
        await connection.execute(serve.BARE_TABLE)
        db = await Database.connect(site.database_url, "policy")
        try:
            await open_hook(site, db)
            for _ in range(repeats):
                for name in (ACCEPTED, WORKED, BARE):
                    # One at a time: a server that reads would read what another one takes.
                    async with _server(site, name) as one:
                        yield await _round(site, db, connection, name, one, parcels)
        finally:
            await db.close()
    finally:
        await connection.close()


def _server(site: Site, name: str) -> AbstractAsyncContextManager[Served]:
    if name == BARE:
        return server(site, BARE)
    roles = '["api", "deadlines"]' if name == WORKED else '["api"]'
    return server(site, name, {"PARCELCOVER_ROLES": roles}, service="policy")


async def _round(
    site: Site, db: Database, admin: Any, name: str, one: Served, parcels: int
) -> Round:
    # What the round before left unread would be read in this one.
    await admin.execute("TRUNCATE policy.tracking_queue, policy.outbox")
    run = uuid4().hex[:10].upper()
    await insure(db, run, parcels)
    # A database at work has statistics of its tables.
    await admin.execute("ANALYZE policy.policies")
    sending = posts(run, parcels)
    count, cpu = len(sending.bodies), one.cpu_seconds()
    result = await sent(site, _orders(one, sending, run))
    if result.by_status != {"200": count}:
        raise AssertionError(f"not everything was answered with 200: {result.by_status}")
    lag = await _until_read(admin, run, count) if name == WORKED else 0.0
    cpu = one.cpu_seconds() - cpu
    note = f"{note_of(result)}, server {1e6 * cpu / count:.0f} us of CPU each"
    if name == WORKED:
        note += f", the last was read {lag:.2f} s after its answer"
    return Round(variant=name, per_second=count / (result.seconds + lag), note=note)


def _orders(one: Served, sending: Posts, run: str) -> Orders:
    return Orders(
        host=LOOPBACK,
        port=one.port,
        path=f"/v1/tracking/easypost?tenant={TENANT}",
        headers={},
        bodies=sending.bodies,
        own_headers=sending.headers,
        connections=CONNECTIONS,
        warmup_seconds=0,
        seconds=0,
        run=run,
        cpu=OTHER_CPU,
        is_once=True,
    )


async def _until_read(admin: Any, run: str, count: int) -> float:
    """How long after the last answer everything is read; every scan is in the history once."""
    began = time.perf_counter()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if not await admin.fetchval("SELECT count(*) FROM policy.tracking_queue"):
                break
            await asyncio.sleep(LOOK_SECONDS)
    lag = time.perf_counter() - began
    scans = await admin.fetchval(
        """
        SELECT count(*) FROM policy.scans s JOIN policy.policies p USING (policy_id)
        WHERE p.tracking_number LIKE $1
        """,
        f"{run}%",
    )
    if scans != count:
        raise AssertionError(f"{scans} scans are in the histories, and {count} were posted")
    return lag


async def open_hook(site: Site, db: Database) -> None:
    sealed = Sealer(site.keys / keys.SEALING_KEYS).seal(SECRET.encode())
    hook = TrackingHook(
        tenant_id=TENANT,
        provider="easypost",
        scheme="v1",
        sealed_secret=sealed,
        created_at=NOW,
    )
    async with db.transaction(TENANT) as tx:
        await store.insert_tracking_hook(tx, hook)


async def insure(db: Database, run: str, parcels: int) -> None:
    """As many paid policies, each on a parcel of its own."""
    plan = load(PROGRAMMES).newest("cssecure")
    pin = PlanPin(plan=plan.plan, version=plan.version, sha256=plan.sha256)
    policies = [_policy(pin, f"{run}{parcel}") for parcel in range(parcels)]
    contact = Contact(email=None, locale="en")
    async with db.transaction(TENANT) as tx:
        await store.insert_policies(
            tx, [(policy, contact) for policy in policies], tenant_id=TENANT
        )


def _policy(pin: PlanPin, number: str) -> Policy:
    whole = terms()
    return Policy(
        policy_id=f"pol_{number}",
        tenant_id=TENANT,
        quote_id=f"quo_{number}",
        plan=pin,
        terms=whole,
        state="SCHEDULED",
        bound_at=NOW,
        premium_paid=whole.premium,
        refund=Money(0, "CNY"),
        paid_at=NOW,
        last_paid_at=NOW,
        confirmed_at=NOW,
        carrier="USPS",
        tracking_number=number,
    )


def _event(number: str, last: int) -> bytes:
    details = [
        {
            "object": "TrackingDetail",
            "message": message,
            "description": "",
            "status": status,
            "status_detail": detail,
            "datetime": (NOW + timedelta(hours=7 * place)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "source": "USPS",
            "carrier_code": "",
            "tracking_location": {
                "object": "TrackingLocation",
                "city": "SAN FRANCISCO",
                "state": "CA",
                "country": "US",
                "zip": "94104",
            },
        }
        for place, (status, detail, message) in enumerate(_STEPS[: last + 1])
    ]
    event = {
        "id": f"evt_{number}{last}",
        "object": "Event",
        "mode": "production",
        "description": "tracker.updated",
        "status": "pending",
        "previous_attributes": {},
        "pending_urls": [],
        "completed_urls": [],
        "created_at": "2026-03-02T10:00:05.000Z",
        "result": {
            "id": f"trk_{number}",
            "object": "Tracker",
            "mode": "production",
            "tracking_code": number,
            "carrier": "USPS",
            "status": details[-1]["status"],
            "status_detail": details[-1]["status_detail"],
            "signed_by": None,
            "weight": 17.6,
            "est_delivery_date": "2026-03-06T00:00:00Z",
            "finalized": True,
            "tracking_details": details,
        },
    }
    return msgspec.json.encode(event)
