"""Evidence: bytes before row, for what they are; taken by one claim; bad files change nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from libs.common.auth import CLAIMS_WRITE
from tests.claims.desk import POLICY_ID, Desk, tracked, way_of
from tests.conftest import AppOf, DbOf, Token
from tests.files import PDF, PNG, file_for
from tests.policy.builders import Json, at
from tests.policy.serving import fire_due, served

NOW = "2024-02-02T09:00"


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Any) -> AsyncIterator[Desk]:
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(app_of, db_of, token, policy_url=url)
        desk.client.app.state.files = type(desk.client.app.state.files)(str(tmp_path))  # type: ignore[attr-defined]
        delivered = tracked(state="RUN_OFF", delivered_at="2024-02-01T10:00")
        await desk.hears(*way_of(tracking=delivered))
        await desk.at(NOW)
        yield desk


async def upload(
    desk: Desk, content: bytes, kind: str = "damage_photos", name: str = "a.pdf", **headers: str
) -> httpx.Response:
    return await desk.client.post(
        "/v1/evidence",
        params={"policy_id": POLICY_ID, "kind": kind, "name": name},
        content=content,
        headers={**desk.token(desk.tenant), **headers},
    )


def refused(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.json()["code"] == code


async def test_a_file_is_what_its_bytes_say_and_is_kept_under_their_hash(desk: Desk) -> None:
    kept = (await upload(desk, PNG, name="photo.pdf")).json()

    assert (kept["media_type"], kept["size_bytes"]) == ("image/png", len(PNG))
    files = desk.client.app.state.files  # type: ignore[attr-defined]
    assert await files.read(desk.tenant, kept["sha256"]) == PNG


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "empty-file"),
        (b"just words", 415, "unsupported-file-type"),
        (b"<svg onload=alert(1)></svg>", 415, "unsupported-file-type"),
        (b"MZ" + b"\x00" * 200, 415, "unsupported-file-type"),
    ],
    ids=["empty", "words", "script", "program"],
)
async def test_what_is_no_evidence_is_refused_and_leaves_nothing(
    desk: Desk, content: bytes, status: int, code: str
) -> None:
    refused(await upload(desk, content), status, code)
    assert await desk.rows("SELECT 1 FROM evidence WHERE tenant_id = $1") == []


@pytest.mark.parametrize("name", ["", "a\nb.pdf", "x" * 121])
async def test_a_name_that_is_none_is_refused(desk: Desk, name: str) -> None:
    refused(await upload(desk, PDF, name=name), 422, "invalid-request")


async def test_the_same_bytes_and_key_as_another_kind_are_another_request(desk: Desk) -> None:
    key = {"idempotency-key": "one"}
    first = await upload(desk, PDF, kind="damage_photos", **key)
    again = await upload(desk, PDF, kind="damage_photos", **key)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"

    refused(await upload(desk, PDF, kind="damage_list", **key), 422, "idempotency-key-reused")


async def test_a_kind_nobody_knows_is_refused(desk: Desk) -> None:
    refused(await upload(desk, PDF, kind="selfie"), 422, "invalid-request")


async def test_a_providers_paper_is_not_taken_from_a_claimant(desk: Desk, token: Token) -> None:
    claimant = token(desk.tenant, scopes=[CLAIMS_WRITE])
    refused(await upload(desk, PDF, kind="carrier_loss_letter", **claimant), 403, "forbidden")


async def test_a_file_goes_to_one_claim_and_is_decided_on_at_once(desk: Desk) -> None:
    claim = await desk.a_claim("DAMAGE")
    assert claim["state"] == "INFO_REQUIRED"
    ids = [
        (await upload(desk, file_for(kind), kind=kind)).json()["evidence_id"]
        for kind in ("unboxing_video", "damage_list", "damage_photos")
    ]
    path = f"/v1/claims/{claim['claim_id']}/evidence"
    answered: Json = (await desk.post(path, {"evidence_ids": ids})).json()
    assert answered["state"] == "REFERRED"
    assert len(answered["evidence"]) == 3

    other = await desk.a_claim("SHORTAGE")
    taken = await desk.post(f"/v1/claims/{other['claim_id']}/evidence", {"evidence_ids": ids})
    refused(taken, 422, "unknown-evidence")


async def test_a_file_no_claim_takes_is_forgotten_after_a_week(desk: Desk) -> None:
    await upload(desk, PDF)
    week = at(NOW) + timedelta(days=7)
    await desk.at(week.strftime("%Y-%m-%dT%H:%M"))
    await fire_due(desk.client, week.strftime("%Y-%m-%dT%H:%M"))

    assert await desk.rows("SELECT 1 FROM evidence WHERE tenant_id = $1") == []
