"""What carriers post, through the policy service's door: proven, kept, answered, then read."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.common.clock import system_now
from libs.common.db import Database, Tx
from services.policy.api.carriers import MAX_BODY_BYTES, desk_of
from services.policy.tracking import PROVIDERS, BadStatusMap, Meaning, Reading, StatusMap
from tests.conftest import AppOf
from tests.policy.builders import OTHER_TENANT, Json
from tests.policy.conftest import SetClock, Shop, answered, refused
from tests.policy.posting import Sender, a_detail, a_tracker_event, read_waiting
from tests.policy.serving import fire_due
from tests.policy.test_tracking import updates_of

NUMBER = "EZ6000000006"
NOW = "2024-03-10T00:00:00"
SUBMITTED = "2024-01-01T01:00:00"

ACCEPTED = a_detail("in_transit", "2024-01-04T09:00:00Z", "received_at_origin_facility")
DELIVERED = a_detail("delivered", "2024-01-09T15:00:00Z")


@pytest.fixture
async def policy(shop: Shop, set_clock: SetClock) -> Json:
    """Paid on 1 January; it is 10 March now, and nobody has reported a ship-out."""
    await set_clock(SUBMITTED)
    paid = await shop.a_paid_policy(carrier="usps", tracking_number=NUMBER)
    await set_clock(NOW)
    return paid


async def test_a_post_is_kept_answered_and_then_moves_its_policy(
    shop: Shop, policy: Json
) -> None:
    sender = await Sender.opened(shop)

    answer = answered(await sender.post(a_tracker_event(NUMBER, ACCEPTED, DELIVERED)), 200)

    assert answer["result"] == "kept"
    before = await shop.show(policy)
    assert before["tracking"]["status"] == "unknown"
    await read_waiting(shop.policies)
    after = await shop.show(policy)
    assert after["state"] == "RUN_OFF"
    assert after["tracking"]["dispatched_at"] == "2024-01-04T09:00:00Z"
    assert after["tracking"]["delivered_at"] == "2024-01-09T15:00:00Z"
    notices = answered(await shop.get("/v1/tracking-notices"), 200)["items"]
    assert [(n["state"], n["scans"], n["matched"]) for n in notices] == [("READ", 2, 2)]
    traffic = await traffic_of(shop)
    assert (traffic["received"], traffic["waiting"], traffic["lag_seconds"]) == (1, 0, 0)
    assert traffic["last_received_at"] == notices[0]["received_at"]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many statements were sent in transactions so far."""
    sent = [0]

    def counted(name: str) -> None:
        send = getattr(Tx, name)

        async def count_and_send(self: Tx, *args: object) -> object:
            sent[0] += 1
            return await send(self, *args)

        monkeypatch.setattr(Tx, name, count_and_send)

    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        counted(name)
    return lambda: sent[0]


async def notices_of(shop: Shop, query: str = "") -> list[Json]:
    items: list[Json] = answered(await shop.get(f"/v1/tracking-notices{query}"), 200)["items"]
    return items


async def traffic_of(shop: Shop) -> Json:
    hooks = answered(await shop.get("/v1/tracking-hooks"), 200)["items"]
    traffic: Json = hooks[0]["traffic"]
    return traffic


async def count_now(shop: Shop) -> None:
    """Let the desk write down what it has counted so far."""
    app: Any = shop.policies
    await desk_of(app.app).write_counts()


async def test_bytes_and_headers_are_kept_as_they_came_but_for_what_proves_the_sender(
    shop: Shop,
) -> None:
    sender = await Sender.opened(shop)
    body = (
        b' {"id": "evt_1",\n "description": "tracker.updated", "result": {"object": "Batch"}}\n'
    )

    answer = answered(
        await sender.post(
            body,
            **{"user-agent": "EasyPost/1", "authorization": "Basic x", "x-y": sender.secret},
        ),
        200,
    )

    path = f"/v1/tracking-notices/{answer['notice_id']}"
    kept = answered(await shop.get(path), 200)
    assert (await shop.get(f"{path}/body")).content == body
    assert kept["size_bytes"] == len(body)
    assert kept["headers"]["user-agent"] == ["EasyPost/1"]
    assert kept["headers"]["authorization"] == kept["headers"]["x-y"] == ["[redacted]"]
    assert kept["headers"]["x-hmac-signature"][0].startswith("hmac-sha256-hex=")


async def test_the_same_bytes_again_are_a_repeat(
    shop: Shop, db: Database, policy: Json
) -> None:
    sender = await Sender.opened(shop)
    body = a_tracker_event(NUMBER, ACCEPTED)

    first = answered(await sender.post(body), 200)
    await read_waiting(shop.policies)
    again = answered(await sender.post(body), 200)
    await read_waiting(shop.policies)
    await count_now(shop)

    assert (first["result"], again["result"]) == ("kept", "repeated")
    assert again["notice_id"] == first["notice_id"]
    assert len(await notices_of(shop)) == 1
    assert len(await updates_of(db, policy)) == 1
    traffic = await traffic_of(shop)
    assert (traffic["received"], traffic["repeated"], traffic["refused"]) == (1, 1, 0)


async def test_a_thousand_copies_at_once_are_one(
    shop: Shop, db: Database, policy: Json
) -> None:
    sender = await Sender.opened(shop)
    body = a_tracker_event(NUMBER, ACCEPTED, DELIVERED)

    answers = await asyncio.gather(*(sender.post(body) for _ in range(1_000)))
    await read_waiting(shop.policies)
    await count_now(shop)

    results = Counter(answered(answer, 200)["result"] for answer in answers)
    assert results == {"kept": 1, "repeated": 999}
    assert len(await updates_of(db, policy)) == 1
    assert (await traffic_of(shop))["repeated"] == 999


# --- who may post ----------------------------------------------------------------------------


async def test_what_is_not_proven_is_refused_counted_and_not_kept(shop: Shop) -> None:
    sender = await Sender.opened(shop)
    body = a_tracker_event(NUMBER, ACCEPTED)
    good = dict(PROVIDERS["easypost"].schemes["v1"].sign(
        sender.secret, body, path="", now=system_now()).headers)  # fmt: skip
    ((name, value),) = good.items()

    refusals = [
        await sender.post_as_is(body, {}),
        await sender.post_as_is(body, {name: value[:-1] + ("0" if value[-1] != "0" else "1")}),
        await sender.post_as_is(body.replace(b"USPS", b"USPs"), good),
        await sender.post_as_is(body + b"\n", good),
        await sender.post(body, secret="another secret"),
        await shop.policies.post(
            sender.path, content=body, headers=[(name, value), (name, value)]
        ),
    ]

    for answer in refusals:
        refused(answer, 401, "bad-signature")
        assert answer.headers["content-type"] == "application/problem+json"
    assert await notices_of(shop) == []
    await count_now(shop)
    assert (await traffic_of(shop))["refused"] == len(refusals)
    assert answered(await sender.post_as_is(body, good), 200)["result"] == "kept"


async def test_nobody_posts_by_anothers_address(
    shop: Shop, shop_of: Callable[..., Shop]
) -> None:
    """Signatures of two tenants swapped; a tenant without a hook, and one that is not there."""
    others = shop_of(tenant=OTHER_TENANT)
    mine, theirs = await Sender.opened(shop), await Sender.opened(others)
    body = a_tracker_event(NUMBER, ACCEPTED)

    refused(await mine.post(body, secret=theirs.secret), 401, "bad-signature")
    refused(await theirs.post(body, secret=mine.secret), 401, "bad-signature")
    shapes = set()
    for tenant in ("cssbuy", "sbx-nobody-1", "", "x' OR 1=1", "cssbuy&tenant=cssbuy"):
        answer = await shop.policies.post(
            f"/v1/tracking/easypost?tenant={tenant}", content=body
        )
        shapes.add(refused(answer, 401, "bad-signature")["title"])
    assert len(shapes) == 1
    refused(
        await shop.policies.post("/v1/tracking/easypost", content=body), 401, "bad-signature"
    )


async def test_an_unknown_provider_is_told_who_there_is(shop: Shop) -> None:
    problem = refused(
        await shop.policies.post(f"/v1/tracking/pigeon?tenant={shop.tenant}", content=b"{}"),
        404,
        "unknown-provider",
    )

    assert "easypost" in problem["detail"]


async def test_a_new_secret_is_good_at_once_and_the_former_one_for_a_while(shop: Shop) -> None:
    sender = await Sender.opened(shop)
    former = sender.secret

    rotated = answered(
        await shop.post("/v1/tracking-hooks/easypost/rotation", {"overlap_hours": 1}), 200
    )

    assert rotated["secret"] != former
    for secret in (former, rotated["secret"]):
        body = a_tracker_event(NUMBER, ACCEPTED)
        assert answered(await sender.post(body, secret=secret), 200)["result"] == "kept"
    last = answered(
        await shop.post("/v1/tracking-hooks/easypost/rotation", {"overlap_hours": 0}), 200
    )
    body = a_tracker_event(NUMBER, ACCEPTED)
    refused(await sender.post(body, secret=rotated["secret"]), 401, "bad-signature")
    refused(await sender.post(body, secret=former), 401, "bad-signature")
    answered(await sender.post(body, secret=last["secret"]), 200)


async def test_a_secret_that_another_process_changed_is_found_by_the_first_that_needs_it(
    shop: Shop, app_of: AppOf, quote_url: str
) -> None:
    sender = await Sender.opened(shop)
    elsewhere = await app_of("policy", quote_url=quote_url)
    body = a_tracker_event(NUMBER, ACCEPTED)
    answered(await sender.post(body), 200)

    rotated = await elsewhere.post(
        "/v1/tracking-hooks/easypost/rotation", json={}, headers=shop.token(shop.tenant)
    )

    answered(await sender.post(body, secret=answered(rotated, 200)["secret"]), 200)


async def test_a_closed_hook_takes_nothing_and_one_may_be_opened_anew(shop: Shop) -> None:
    sender = await Sender.opened(shop)
    body = a_tracker_event(NUMBER, ACCEPTED)
    answered(await sender.post(body), 200)
    refused(
        await shop.post("/v1/tracking-hooks", {"provider": "easypost"}),
        409,
        "tracking-hook-exists",
    )

    closed = await shop.policies.delete(
        "/v1/tracking-hooks/easypost", headers=shop.token(shop.tenant)
    )

    assert closed.status_code == 204
    refused(await sender.post(body), 401, "bad-signature")
    assert len(await notices_of(shop)) == 1
    again = await Sender.opened(shop)
    assert again.secret != sender.secret
    assert answered(await again.post(body), 200)["result"] == "repeated"


async def test_a_hooks_secret_is_shown_once_and_kept_sealed(shop: Shop, db: Database) -> None:
    key = uuid4().hex
    asked: Json = {"provider": "easypost", "secret": "a provider's own secret"}

    first = await shop.post("/v1/tracking-hooks", asked, **{"idempotency-key": key})
    again = await shop.post("/v1/tracking-hooks", asked, **{"idempotency-key": key})

    assert answered(first, 201)["secret"] == "a provider's own secret"
    assert answered(again, 201)["secret"] is None
    async with db.transaction(shop.tenant) as tx:
        rows = await tx.fetch("SELECT sealed_secret FROM tracking_hooks")
    assert b"secret" not in rows[0]["sealed_secret"]
    assert "secret" not in (await shop.get("/v1/tracking-hooks")).text


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"provider": "pigeon"}, "unknown-provider"),
        ({"provider": "easypost", "secret": "short"}, "bad-secret"),
        ({"provider": "easypost", "scheme": "v9"}, "unknown-scheme"),
    ],
)
async def test_a_hook_that_could_not_work_is_refused(
    shop: Shop, asked: Json, code: str
) -> None:
    answer = await shop.post("/v1/tracking-hooks", asked)

    assert answer.status_code in (404, 422)
    assert answer.json()["code"] == code


async def test_an_address_answers_those_who_ask_whether_it_is_there(shop: Shop) -> None:
    answer = await shop.policies.head("/v1/tracking/easypost")

    assert answer.status_code == 200


# --- bodies that cannot be read --------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"\xff\xfe{}", b"[" * 3_000])
async def test_what_is_no_document_is_refused_and_counted(shop: Shop, body: bytes) -> None:
    sender = await Sender.opened(shop)

    refused(await sender.post(body), 400, "malformed-body")

    await count_now(shop)
    assert (await traffic_of(shop))["refused"] == 1
    assert await notices_of(shop) == []


async def test_ten_megabytes_are_refused_before_they_are_read(shop: Shop) -> None:
    sender = await Sender.opened(shop)

    problem = refused(await sender.post(b" " * 10_485_760), 413, "body-too-large")

    assert problem["max_body_bytes"] == MAX_BODY_BYTES


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"true",
        b'{"id": true, "description": "tracker.updated", "result": {"object": "Tracker"}}',
        b'{"id": "e", "description": "x", "result": {"object": "Tracker", "tracking_code": false}}',
    ],
)
async def test_a_body_of_another_shape_is_kept_and_listed_with_why(
    shop: Shop, body: bytes
) -> None:
    sender = await Sender.opened(shop)

    await sender.read(body)

    (notice,) = await notices_of(shop, "?state=UNREADABLE")
    assert notice["detail"]
    assert (await traffic_of(shop))["unread"] == 1
    again = answered(await shop.post("/v1/tracking-hooks/easypost/reading", {}), 200)
    assert again == {"notices": 1}
    await read_waiting(shop.policies)
    assert len(await notices_of(shop, "?state=UNREADABLE")) == 1


# --- codes -----------------------------------------------------------------------------------


async def test_an_unknown_code_is_kept_listed_and_read_again_with_a_longer_map(
    shop: Shop, db: Database, policy: Json, tmp_path: Path
) -> None:
    sender = await Sender.opened(shop)
    teleported = a_detail("teleported", "2024-01-10T08:00:00Z", "into_the_sun")
    await sender.read(a_tracker_event(NUMBER, ACCEPTED, teleported))

    before = await shop.show(policy)
    assert before["tracking"]["status"] == "in_transit"
    codes = answered(await shop.get("/v1/tracking-codes"), 200)["items"]
    assert [(c["kind"], c["code"], c["notices"]) for c in codes] == [
        ("status", "teleported", 1),
        ("sub", "into_the_sun", 1),
    ]
    assert (await traffic_of(shop))["unknown_codes"] == 2

    longer = tmp_path / "own.csv"
    longer.write_text(
        "provider,kind,code,status,reason\n"
        "easypost,status,teleported,exception,other\n"
        "easypost,sub,into_the_sun,destroyed,destroyed\n"
    )
    answered(await shop.post("/v1/tracking-hooks/easypost/reading", {}), 200)
    await read_waiting(shop.policies, StatusMap.load(longer))

    after = await shop.show(policy)
    assert after["tracking"]["status"] == "destroyed"
    assert after["tracking"]["destroyed_at"] == "2024-01-10T08:00:00Z"
    assert answered(await shop.get("/v1/tracking-codes"), 200)["items"] == []
    async with db.transaction(shop.tenant) as tx:
        rows = await tx.fetch("SELECT status, reading FROM scans ORDER BY occurred_at, reading")
    # What it was read as before is still there.
    assert [tuple(row.values()) for row in rows] == [
        ("in_transit", 1), ("unknown", 1), ("destroyed", 2),
    ]  # fmt: skip


async def test_a_map_of_ones_own_is_read_at_start_or_not_at_all(
    app_of: AppOf, tmp_path: Path
) -> None:
    own = tmp_path / "own.csv"
    own.write_text("provider,kind,code,status,reason\neasypost,status,x,flying,none\n")

    with pytest.raises(BadStatusMap, match="line 2: 'flying' is no status"):
        await app_of("policy", status_map=own, roles={"api", "deadlines"})


# --- one history -----------------------------------------------------------------------------


async def test_late_scans_do_not_undo_a_delivery_and_a_real_return_does(
    shop: Shop, policy: Json
) -> None:
    sender = await Sender.opened(shop)
    late = a_detail("in_transit", "2024-01-08T12:00:00Z", "arrived_at_facility")
    back = a_detail("return_to_sender", "2024-01-12T09:00:00Z", "return")

    await sender.read(a_tracker_event(NUMBER, ACCEPTED, DELIVERED))
    await sender.read(a_tracker_event(NUMBER, late))
    delivered = await shop.show(policy)
    await sender.read(a_tracker_event(NUMBER, back))
    returning = await shop.show(policy)

    assert (delivered["state"], delivered["tracking"]["status"]) == ("RUN_OFF", "delivered")
    assert (returning["state"], returning["tracking"]["status"]) == ("ACTIVE", "returning")
    assert returning["tracking"]["delivered_at"] is None


async def test_a_scan_from_the_future_counts_when_its_time_has_come(
    shop: Shop, set_clock: SetClock, policy: Json
) -> None:
    sender = await Sender.opened(shop)
    future = a_detail("delivered", "2024-03-20T10:00:00Z")

    await sender.read(a_tracker_event(NUMBER, ACCEPTED, future))

    assert (await shop.show(policy))["tracking"]["status"] == "in_transit"
    await set_clock("2024-03-20T10:00:00")
    await fire_due(shop.policies, "2024-03-20T10:00:00")
    assert (await shop.show(policy))["tracking"]["delivered_at"] == "2024-03-20T10:00:00Z"


async def test_times_without_a_zone_are_kept_as_such_and_are_never_ahead_of_being_told(
    shop: Shop, db: Database, policy: Json
) -> None:
    sender = await Sender.opened(shop)
    naive = a_detail("in_transit", "2024-03-10T06:30:00")
    unsaid = a_detail("out_for_delivery", "")

    await sender.read(a_tracker_event(NUMBER, ACCEPTED, naive))
    assert (await shop.show(policy))["tracking"]["last_update_at"] == f"{NOW}Z"
    await sender.read(a_tracker_event(NUMBER, ACCEPTED, naive, unsaid))

    async with db.transaction(shop.tenant) as tx:
        rows = await tx.fetch(
            "SELECT time_raw, is_zoned, occurred_at IS NULL AS unsaid FROM scans ORDER BY time_raw"
        )
    assert [tuple(row.values()) for row in rows] == [
        ("", False, True),
        ("2024-01-04T09:00:00Z", True, False),
        ("2024-03-10T06:30:00", False, False),
    ]
    shown = await shop.show(policy)
    assert shown["tracking"]["last_update_at"] == f"{NOW}Z"


async def test_carriers_go_by_their_letters_and_one_that_is_not_named_may_be_any(
    shop: Shop, set_clock: SetClock
) -> None:
    await set_clock(SUBMITTED)
    named = await shop.a_paid_policy(carrier="U.S.P.S.", tracking_number="N1")
    unnamed = await shop.a_paid_policy(tracking_number="N2")
    others = await shop.a_paid_policy(carrier="dhl", tracking_number="N3")
    await set_clock(NOW)
    sender = await Sender.opened(shop)

    await sender.read(*(a_tracker_event(number, ACCEPTED) for number in ("N1", "N2", "N3")))

    statuses = [
        (await shop.show(one))["tracking"]["status"] for one in (named, unnamed, others)
    ]
    assert statuses == ["in_transit", "in_transit", "unknown"]


async def test_a_number_that_is_used_again_does_not_reach_the_old_policy(
    shop: Shop, set_clock: SetClock, policy: Json
) -> None:
    sender = await Sender.opened(shop)
    await sender.read(a_tracker_event(NUMBER, ACCEPTED, DELIVERED))
    await set_clock("2024-07-01T00:00:00")
    newer = await shop.a_paid_policy(carrier="usps", tracking_number=NUMBER)
    await set_clock("2024-07-10T00:00:00")

    lost = a_detail("failure", "2024-07-09T00:00:00Z", "lost")
    await sender.read(a_tracker_event(NUMBER, lost))

    assert (await shop.show(policy))["tracking"]["status"] == "delivered"
    assert (await shop.show(newer))["tracking"]["status"] == "lost"


async def test_another_tenants_parcel_of_the_same_number_does_not_move(
    shop: Shop, shop_of: Callable[..., Shop], set_clock: SetClock, policy: Json
) -> None:
    others = shop_of(tenant=OTHER_TENANT)
    await set_clock(SUBMITTED, tenant=OTHER_TENANT)
    theirs = await others.a_paid_policy(carrier="usps", tracking_number=NUMBER)
    sender = await Sender.opened(shop)

    await sender.read(a_tracker_event(NUMBER, ACCEPTED, DELIVERED))

    assert (await shop.show(policy))["tracking"]["status"] == "delivered"
    assert (await others.show(theirs))["tracking"]["status"] == "unknown"
    assert await notices_of(others) == []


# --- whose it will be ------------------------------------------------------------------------


async def test_what_was_nobodys_is_read_again_when_a_policy_takes_its_number(
    shop: Shop, set_clock: SetClock
) -> None:
    sender = await Sender.opened(shop)
    await set_clock(SUBMITTED)
    nameless = await shop.a_paid_policy()
    await set_clock(NOW)
    await sender.read(a_tracker_event("LATER1", ACCEPTED, DELIVERED))
    (notice,) = await notices_of(shop)
    assert (notice["scans"], notice["matched"]) == (2, 0)

    named = await shop.policies.put(
        f"/v1/policies/{nameless['policy_id']}/parcel",
        json={"carrier": "usps", "tracking_number": "LATER1"},
        headers=shop.token(shop.tenant),
    )
    assert named.status_code == 200, named.text
    await read_waiting(shop.policies)

    assert (await shop.show(nameless))["tracking"]["delivered_at"] == "2024-01-09T15:00:00Z"
    (notice,) = await notices_of(shop)
    assert (notice["scans"], notice["matched"]) == (2, 2)
    assert (await traffic_of(shop))["received"] == 1


async def test_a_parcel_that_is_named_while_its_notice_is_read_is_never_missed(
    shop: Shop, set_clock: SetClock
) -> None:
    """Naming and reading at the same moment, in either order: one of them sees the other."""
    sender = await Sender.opened(shop)
    await set_clock(SUBMITTED)
    nameless = [await shop.a_paid_policy() for _ in range(12)]
    await set_clock(NOW)

    for number, policy in enumerate(nameless):
        answered(await sender.post(a_tracker_event(f"RACE{number}", ACCEPTED)), 200)
        await asyncio.gather(
            read_waiting(shop.policies),
            shop.policies.put(
                f"/v1/policies/{policy['policy_id']}/parcel",
                json={"carrier": "usps", "tracking_number": f"RACE{number}"},
                headers=shop.token(shop.tenant),
            ),
        )
    await read_waiting(shop.policies)

    statuses = [(await shop.show(policy))["tracking"]["status"] for policy in nameless]
    assert statuses == ["in_transit"] * len(nameless)


async def test_a_notice_that_breaks_us_stands_aside_and_its_neighbours_go_on(
    shop: Shop, policy: Json
) -> None:
    sender = await Sender.opened(shop)

    class Breaking(StatusMap):
        def meaning(self, provider: str, status: str, sub: str) -> Meaning:
            if status == "breaks":
                raise ZeroDivisionError("a fault of ours")
            return super().meaning(provider, status, sub)

    shipped = StatusMap.load()
    codes = Breaking(shipped.rows)
    for count in range(9):
        at = f"2024-01-05T0{count}:00:00Z"
        answered(await sender.post(a_tracker_event(NUMBER, a_detail("in_transit", at))), 200)
        if count == 4:
            bad = a_tracker_event(NUMBER, a_detail("breaks", "2024-01-06T00:00:00Z"))
            answered(await sender.post(bad), 200)
    await read_waiting(shop.policies, codes)

    states = Counter(notice["state"] for notice in await notices_of(shop))
    assert states == {"READ": 9, "FAILED": 1}
    shown = await shop.show(policy)
    assert shown["tracking"]["last_update_at"] == "2024-01-05T08:00:00Z"
    # The fault mended, it is read like the others.
    answered(await shop.post("/v1/tracking-hooks/easypost/reading", {}), 200)
    await read_waiting(shop.policies)
    assert Counter(notice["state"] for notice in await notices_of(shop)) == {"READ": 10}


async def test_a_reader_with_a_bug_fails_its_own_notice_alone(
    shop: Shop, policy: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = await Sender.opened(shop)
    good = PROVIDERS["easypost"]

    def read(body: bytes) -> Reading:
        return good.read(body) if b"delivered" not in body else Reading(scans=1 / 0)  # type: ignore[arg-type]

    monkeypatch.setitem(PROVIDERS, "easypost", replace(good, read=read))  # type: ignore[arg-type]
    await sender.read(a_tracker_event(NUMBER, DELIVERED), a_tracker_event(NUMBER, ACCEPTED))

    states = Counter(notice["state"] for notice in await notices_of(shop))
    assert states == {"READ": 1, "FAILED": 1}
    assert (await shop.show(policy))["tracking"]["status"] == "in_transit"


async def test_a_batch_of_many_takes_no_more_statements_than_one(
    shop: Shop, set_clock: SetClock, statements: Callable[[], int]
) -> None:
    sender = await Sender.opened(shop)
    await set_clock(SUBMITTED)
    for number in range(12):
        await shop.a_paid_policy(carrier="usps", tracking_number=f"M{number}")
    await set_clock(NOW)

    used = []
    for numbers in (range(1), range(1, 12)):
        for number in numbers:
            answered(await sender.post(a_tracker_event(f"M{number}", ACCEPTED)), 200)
        before = statements()
        await read_waiting(shop.policies)
        used.append(statements() - before)

    assert used[0] == used[1]
