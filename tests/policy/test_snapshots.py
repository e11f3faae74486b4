"""Snapshots through the door: the same facts are the same bytes, signed; and a page for people."""

import base64
import hashlib
import html
import re
from collections.abc import Callable
from pathlib import Path
from string import Formatter
from typing import Any

import httpx
import msgspec
import pytest
from markupsafe import escape

from libs.common import snapshots
from libs.common.auth import Keys
from libs.common.db import Database
from libs.common.snapshots import NotAsTaken, verified
from services.policy.domain.parcels import REASONS, STATUSES
from services.policy.domain.words import OWN
from tests.policy.builders import OTHER_TENANT, TENANT, Json, a_scan
from tests.policy.conftest import SetClock, Shop, answered, refused, shape_of
from tests.policy.posting import Sender, a_detail, a_tracker_event

NUMBER = "EZ6000000006"
SUBMITTED = "2024-01-01T01:00:00"
NOW = "2024-03-10T00:00:00"
LATER = "2024-03-12T00:00:00"
AS_OF = "?as_of=2024-03-10T00:00:00Z"
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"

ACCEPTED = a_detail("in_transit", "2024-01-04T09:00:00Z", "received_at_origin_facility")
DELAYED = a_detail("in_transit", "2024-01-06T12:00:00Z", "weather_delay")
DELIVERED = a_detail("delivered", "2024-01-09T15:00:00Z")


@pytest.fixture
async def policy(shop: Shop, set_clock: SetClock) -> Json:
    """Paid on 1 January; it is 10 March now."""
    return await bought(shop, set_clock)


async def bought(shop: Shop, set_clock: SetClock) -> Json:
    await set_clock(SUBMITTED, tenant=shop.tenant)
    paid = await shop.a_paid_policy(carrier="usps", tracking_number=NUMBER)
    await set_clock(NOW, tenant=shop.tenant)
    return paid


@pytest.fixture
def public_keys(keys: Path) -> Keys:
    return Keys(str(keys / "services.jwks.json"))


def path_of(policy: Json, query: str = "") -> str:
    return f"/v1/policies/{policy['policy_id']}/tracking-snapshot{query}"


async def document_of(shop: Shop, policy: Json, query: str = "") -> bytes:
    response = await shop.get(path_of(policy, query))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.content


async def content_of(shop: Shop, policy: Json, query: str = "") -> Json:
    content: Json = msgspec.json.decode(await document_of(shop, policy, query))["snapshot"]
    return content


# --- the bytes -------------------------------------------------------------------------------


async def test_a_snapshot_is_the_history_and_the_hashes_of_what_it_rests_on(
    shop: Shop, policy: Json, public_keys: Keys
) -> None:
    sender = await Sender.opened(shop)
    body = a_tracker_event(NUMBER, ACCEPTED, DELIVERED)
    await sender.read(body)
    told = a_scan("damaged", "2024-01-10T10:00:00Z", policy_id=policy["policy_id"])
    answered(await shop.track(told), 200)

    snapshot = await verified(await document_of(shop, policy), public_keys, service="policy")

    history = answered(await shop.get(f"/v1/policies/{policy['policy_id']}/tracking"), 200)
    content: Json = dict(snapshot.content)
    (notice,) = content.pop("notices")
    assert content.pop("kind") == "tracking-snapshot.v1"
    assert content.pop("tenant_id") == TENANT
    assert content == history
    assert len(content["scans"]) == 3
    (kept,) = answered(await shop.get("/v1/tracking-notices"), 200)["items"]
    assert notice == {
        "notice_id": kept["notice_id"],
        "provider": "easypost",
        "sha256": hashlib.sha256(body).hexdigest(),
        "size_bytes": len(body),
        "received_at": kept["received_at"],
    }


async def test_the_same_facts_are_the_same_bytes_whenever_they_are_asked_for(
    shop: Shop, policy: Json, set_clock: SetClock
) -> None:
    sender = await Sender.opened(shop)
    await sender.read(a_tracker_event(NUMBER, ACCEPTED))
    first = await document_of(shop, policy)
    await set_clock(LATER)
    await sender.read(a_tracker_event(NUMBER, ACCEPTED, DELIVERED))

    again, now = await document_of(shop, policy, AS_OF), await document_of(shop, policy)

    assert again == first
    assert now != first
    assert first == snapshots.canonical(msgspec.json.decode(first))


async def test_the_order_of_arrival_does_not_show_in_what_is_known_in_the_end(
    shop: Shop, shop_of: Callable[..., Shop], policy: Json, set_clock: SetClock
) -> None:
    other = shop_of(tenant=OTHER_TENANT)
    others_policy = await bought(other, set_clock)
    bodies = [
        a_tracker_event(NUMBER, detail, event_id=f"evt_{place}")
        for place, detail in enumerate((ACCEPTED, DELAYED, DELIVERED))
    ]
    told = []
    for one, parcel, order in ((shop, policy, bodies), (other, others_policy, bodies[::-1])):
        sender = await Sender.opened(one)
        for body, now in zip(order, (NOW, "2024-03-11T00:00:00", LATER), strict=True):
            await set_clock(now, tenant=one.tenant)
            await sender.read(body)
        told.append(await content_of(one, parcel))

    mine, theirs = map(without_arrival, told)
    assert len(mine["scans"]) == 3
    assert mine == theirs


def without_arrival(content: Json) -> Json:
    """What does not say whose parcel it is, nor when we heard of it."""
    notices = sorted(notice["sha256"] for notice in content["notices"])
    own = {"received_at", "read_at", "notice_id"}
    scans = [{k: v for k, v in scan.items() if k not in own} for scan in content["scans"]]
    rest = {k: v for k, v in content.items() if k not in ("policy_id", "tenant_id")}
    return {**rest, "scans": scans, "notices": notices}


async def test_a_changed_byte_is_found(shop: Shop, policy: Json, public_keys: Keys) -> None:
    await (await Sender.opened(shop)).read(a_tracker_event(NUMBER, DELIVERED))
    document = await document_of(shop, policy)

    later = document.replace(b"2024-01-09T15:00:00Z", b"2024-01-08T15:00:00Z", 1)

    assert later != document
    with pytest.raises(NotAsTaken, match="something in it was changed"):
        await verified(later, public_keys, service="policy")


async def test_our_own_services_are_given_the_same_bytes(shop: Shop, policy: Json) -> None:
    await (await Sender.opened(shop)).read(a_tracker_event(NUMBER, DELIVERED))
    client: Any = shop.policies
    path = f"/internal/policies/{policy['policy_id']}/tracking-snapshot{AS_OF}"
    signer = client.app.state.running.signer

    inside = await client.get(path, headers=signer.headers(shop.tenant))
    outside = await client.get(path, headers=shop.token(shop.tenant))

    assert inside.content == await document_of(shop, policy, AS_OF)
    assert outside.status_code == 403


async def test_anothers_parcel_and_an_instant_to_come_have_no_snapshot(
    shop: Shop, shop_of: Callable[..., Shop], policy: Json
) -> None:
    theirs = await shop_of(tenant=OTHER_TENANT).a_policy()
    nobodys = {"policy_id": "pol_01JQZX7Y5V0000000000000000"}
    answers = [
        shape_of(refused(await shop.get(path_of(one)), 404, "unknown-policy"), one["policy_id"])
        for one in (theirs, nobodys)
    ]

    assert answers[0] == answers[1]
    ahead = await shop.get(path_of(policy, "?as_of=2024-03-11T00:00:00Z"))
    refused(ahead, 422, "as-of-ahead")


# --- the page --------------------------------------------------------------------------------


async def page_of(shop: Shop, policy: Json, query: str = "", **headers: str) -> httpx.Response:
    response = await shop.policies.get(
        path_of(policy, query),
        headers={**shop.token(shop.tenant), "accept": BROWSER, **headers},
    )
    assert response.status_code == 200, response.text
    return response


async def test_a_browser_gets_a_page_that_says_what_the_snapshot_says(
    shop: Shop, policy: Json
) -> None:
    sender = await Sender.opened(shop)
    unzoned = a_detail("in_transit", "2024-01-06 12:00:00", "weather_delay")
    await sender.read(a_tracker_event(NUMBER, ACCEPTED, unzoned, DELIVERED))
    document = msgspec.json.decode(await document_of(shop, policy))

    response = await page_of(shop, policy)

    page = " ".join(html.unescape(response.text).split())
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-language"] == "en"
    assert f"<h1>Tracking of parcel {NUMBER}</h1>" in page
    assert "As it was known at 2024-03-10 00:00:00 UTC" in page
    for told in (
        "<b>delivered</b>", "<b>on its way: the weather</b>", "Testville, US", "EasyPost",
        "in_transit/received_at_origin_facility", "2024-01-04 09:00:00",
        "written 2024-01-06 12:00:00, without a time zone",
        document["sha256"], document["signature"], document["snapshot"]["notices"][0]["sha256"],
        f"GET {path_of(policy, AS_OF)}", "parcelcover tracking verify",
    ):  # fmt: skip
        assert told in page, told


@pytest.mark.parametrize(
    ("query", "accepted", "language", "told"),
    [
        ("?locale=zh-CN", "", "zh-Hans", "<b>已送达</b>"),
        ("", "ms-MY, en;q=0.5", "ms", "<b>telah diserahkan</b>"),
        ("?locale=de", "ms", "en", "<b>delivered</b>"),
    ],
)
async def test_the_page_speaks_the_readers_language(
    shop: Shop, policy: Json, query: str, accepted: str, language: str, told: str
) -> None:
    await (await Sender.opened(shop)).read(a_tracker_event(NUMBER, DELIVERED))

    response = await page_of(shop, policy, query, **{"accept-language": accepted})

    assert response.headers["content-language"] == language
    assert f'<html lang="{language}">' in response.text
    assert told in response.text


async def test_nothing_a_carrier_writes_becomes_a_part_of_the_page(
    shop: Shop, policy: Json
) -> None:
    script = '<script>alert("1")</script>'
    hostile = a_detail(
        f"{script}'",
        "2024-01-09T15:00:00Z",
        message=f"{script}&",
        tracking_location={"city": script},
    )
    await (await Sender.opened(shop)).read(a_tracker_event(NUMBER, hostile))
    told = a_scan(
        "lost", "2024-01-10T10:00:00Z", policy_id=policy["policy_id"], location='"><img src=x>'
    )
    answered(await shop.track(told), 200)

    response = await page_of(shop, policy)

    page, csp = response.text, response.headers["content-security-policy"]
    assert "<script" not in page
    assert page.count(str(escape(script))) == 3
    assert "&#34;&gt;&lt;img src=x&gt;" in page
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in csp
    assert "default-src 'none'" in csp
    assert not re.findall(r"<link|<img|<iframe|<form| on\w+=|style=|url\(|@import", page)
    assert "@media print" in style


async def test_a_parcel_nobody_spoke_of_has_a_page_too(
    shop: Shop, db: Database, set_clock: SetClock
) -> None:
    await set_clock(NOW)
    policy = await shop.a_policy()

    page = html.unescape((await page_of(shop, policy)).text)

    assert "Tracking of a parcel without a number" in page
    assert "Nothing had been heard of it." in page


async def test_json_is_sent_where_no_page_is_preferred(shop: Shop, policy: Json) -> None:
    for accept in ("*/*", "application/json", "application/json, text/html"):
        response = await page_of(shop, policy, accept=accept)

        assert response.headers["content-type"] == "application/json"
        assert response.headers["vary"] == "Accept, Accept-Language"


@pytest.mark.parametrize("language", OWN)
def test_every_language_has_every_word_with_the_same_things_in_it(language: str) -> None:
    words, english = OWN[language], OWN["en"]

    assert words["tracking_status"].keys() == STATUSES
    assert words["tracking_reason"].keys() == REASONS - {"none"}
    assert words["snapshot"].keys() == english["snapshot"].keys()
    for code, sentence in words["snapshot"].items():
        assert fields_of(sentence) == fields_of(english["snapshot"][code]), code


def fields_of(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}
