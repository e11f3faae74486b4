"""The notifier's door: who may see what was told, page by page."""

from typing import Any

import httpx

from libs.common import web
from tests.conftest import Token
from tests.notifier.builders import (
    CLAIM,
    OTHER,
    POLICY,
    TENANT,
    claim_decided,
    claim_filed,
    payout_sent,
    policy_cancelled,
    policy_paid,
)
from tests.notifier.conftest import Notifier


async def listed(
    notifier: Notifier, headers: dict[str, str], **query: str
) -> list[dict[str, Any]]:
    response = await notifier.client.get(
        "/v1/notifications", params=httpx.QueryParams(query), headers=headers
    )
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


async def test_shows_what_was_told_without_the_address(
    notifier: Notifier, token: Token
) -> None:
    await notifier.bus.say(policy_paid())
    await notifier.fire()
    owed = await notifier.only()

    response = await notifier.client.get(
        f"/v1/notifications/{owed.notification_id}", headers=token(TENANT)
    )

    assert response.status_code == 200
    view = response.json()
    assert view["state"] == "SENT"
    assert view["template"] == "policy.active"
    assert view["policy_id"] == POLICY
    assert view["event_id"] == owed.notice.event_id
    assert view["sent_at"] is not None
    assert "ann@example.test" not in response.text


async def test_lists_failures_with_their_cause(notifier: Notifier, token: Token) -> None:
    notifier.mail.to_recipient = "550 5.1.1 No such user"
    await notifier.bus.say(policy_paid(), claim_filed(policy_id=""))
    while await notifier.fire():
        pass

    [failed] = await listed(notifier, token(TENANT), state="FAILED")
    [skipped] = await listed(notifier, token(TENANT), state="SKIPPED")

    assert failed["cause"] == "smtp: 550 5.1.1"
    assert skipped["cause"] == "NO_POLICY"


async def test_an_unknown_and_a_foreign_notification_get_the_same_answer(
    notifier: Notifier, token: Token
) -> None:
    await notifier.bus.say(policy_paid(), tenant_id=OTHER)
    [foreign] = await notifier.bus.owed(OTHER)
    unknown = foreign.notification_id[:-1] + "_"

    answers = [
        await notifier.client.get(f"/v1/notifications/{one}", headers=token(TENANT))
        for one in (foreign.notification_id, unknown)
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    first, second = [answer.json() for answer in answers]
    assert first["code"] == second["code"] == "unknown-notification"
    assert first.keys() == second.keys()
    assert await listed(notifier, token(TENANT)) == []


async def test_lists_the_newest_first_by_what_is_asked(
    notifier: Notifier, token: Token
) -> None:
    await notifier.bus.say(policy_paid())
    await notifier.bus.say(policy_cancelled(policy_id="pol_2"))
    await notifier.bus.say(claim_filed(), claim_decided(), payout_sent())
    about_claim = ["payout.sent", "claim.decided", "claim.received"]
    table: list[tuple[dict[str, str], list[str]]] = [
        ({}, [*about_claim, "policy.cancelled", "policy.active"]),
        ({"policy_id": "pol_2"}, ["policy.cancelled"]),
        ({"claim_id": CLAIM}, about_claim),
        ({"template": "claim.decided"}, ["claim.decided"]),
        ({"claim_id": CLAIM, "template": "payout.sent"}, ["payout.sent"]),
        ({"state": "PENDING", "policy_id": POLICY}, [*about_claim, "policy.active"]),
        ({"state": "SENT"}, []),
        ({"policy_id": "pol_nobody"}, []),
    ]

    for query, templates in table:
        found = await listed(notifier, token(TENANT), **query)
        assert [item["template"] for item in found] == templates, query


async def test_pages_hold_every_notification_once(notifier: Notifier, token: Token) -> None:
    await notifier.bus.say(*(claim_filed(claim_id=f"clm_{n}") for n in range(7)))
    seen: list[str] = []
    query: dict[str, str] = {"limit": "3"}
    while True:
        response = await notifier.client.get(
            "/v1/notifications", params=query, headers=token(TENANT)
        )
        page = response.json()
        seen += [item["claim_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        # What comes meanwhile neither repeats nor hides anything.
        await notifier.bus.say(claim_filed(claim_id=f"clm_late_{len(seen)}"))
        query["cursor"] = page["next_cursor"]

    assert seen == [f"clm_{n}" for n in reversed(range(7))]


async def test_a_question_that_means_nothing_is_refused(
    notifier: Notifier, token: Token
) -> None:
    table = [
        ({"state": "sent"}, "invalid-request"),
        ({"limit": "0"}, "invalid-request"),
        ({"limit": "201"}, "invalid-request"),
        ({"policy_id": "pol 1'--"}, "invalid-request"),
        ({"cursor": "nonsense"}, "bad-cursor"),
    ]

    for query, code in table:
        response = await notifier.client.get(
            "/v1/notifications", params=query, headers=token(TENANT)
        )
        assert (response.status_code, response.json()["code"]) == (422, code), query


async def test_only_who_may_read_notifications_is_let_in(
    notifier: Notifier, token: Token
) -> None:
    for path in ("/v1/notifications", "/v1/notifications/ntf_1"):
        nobody = await notifier.client.get(path)
        other = await notifier.client.get(path, headers=token(TENANT, ["policies:read"]))
        assert (nobody.status_code, other.status_code) == (401, 403)


async def test_every_route_asks_for_a_scope(notifier: Notifier) -> None:
    assert web.unguarded_routes(notifier.client.app) == []  # type: ignore[attr-defined]
