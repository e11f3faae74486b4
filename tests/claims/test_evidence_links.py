"""Links to files: whoever has one gets the file, in parts too, for a quarter of an hour."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from libs.common import links
from libs.common.auth import CLAIMS_READ
from libs.common.clock import system_now
from tests.claims.desk import Desk, refused, way_of
from tests.claims.test_evidence import kept
from tests.conftest import AppOf, DbOf, Token
from tests.files import a_pdf, a_video
from tests.policy.builders import OTHER_TENANT, Json

NOW = "2024-02-02T09:00"
FILM = a_video("mp4")


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Path) -> Desk:
    desk = await Desk.open(app_of, db_of, token, evidence=str(tmp_path))
    await desk.hears(*way_of())
    await desk.at(NOW)
    return desk


@pytest.fixture
async def film(desk: Desk) -> Json:
    return await kept(desk, FILM, kind="unboxing_video", name="Öffnen.avi")


async def link(desk: Desk, evidence: Json) -> str:
    made = await desk.post(f"/v1/evidence/{evidence['evidence_id']}/links", {})
    assert made.status_code == 201, made.text
    return str(made.json()["url"])


async def follow(desk: Desk, url: str, **headers: str) -> httpx.Response:
    """Without a token."""
    response: httpx.Response = await desk.client.get(url, headers=headers)
    return response


async def test_a_link_gives_the_file_to_whoever_has_it(desk: Desk, film: Json) -> None:
    file = await follow(desk, await link(desk, film))

    assert (file.status_code, file.content) == (200, FILM)
    assert file.headers["content-type"] == "video/mp4"
    # Its name said otherwise.
    assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%96ffnen.mp4"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert file.headers["cache-control"] == "private, no-store"
    assert file.headers["accept-ranges"] == "bytes"


async def test_a_film_is_shown_and_played_in_parts(desk: Desk, film: Json) -> None:
    url = f"{await link(desk, film)}?inline=true"

    part = await follow(desk, url, range="bytes=10-19")

    assert (part.status_code, part.content) == (206, FILM[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(FILM)}"
    assert part.headers["content-disposition"].startswith("inline; ")
    beyond = await follow(desk, url, range=f"bytes={len(FILM)}-")
    assert beyond.status_code == 416


async def test_a_link_expires_and_none_can_be_made_up(desk: Desk, film: Json) -> None:
    signer = desk.client.app.state.running.signer
    token, _ = links.signed_link(
        signer,
        tenant_id=desk.tenant,
        file=film["evidence_id"],
        now=system_now() - links.LINK_LIFETIME,
    )
    refused(await follow(desk, f"/v1/evidence-files/{token}"), 410, "link-expired")
    good = await link(desk, film)
    for wrong in (good[:-2], f"{good}x", "/v1/evidence-files/x", "/v1/evidence-files/a.b.c"):
        refused(await follow(desk, wrong), 404, "unknown-link")


async def test_a_link_to_what_is_gone_or_anothers_opens_nothing(desk: Desk, film: Json) -> None:
    signer = desk.client.app.state.running.signer
    token, _ = links.signed_link(
        signer, tenant_id=OTHER_TENANT, file=film["evidence_id"], now=system_now()
    )
    refused(await follow(desk, f"/v1/evidence-files/{token}"), 404, "unknown-file")
    other = desk.of(OTHER_TENANT)
    made = await other.post(f"/v1/evidence/{film['evidence_id']}/links", {})
    refused(made, 404, "unknown-file")


async def test_a_link_is_for_readers_and_expires_when_it_says(
    desk: Desk, film: Json, token: Token
) -> None:
    path = f"/v1/evidence/{film['evidence_id']}/links"
    reader = token(desk.tenant, scopes=[CLAIMS_READ])
    before = system_now()
    made: Any = await desk.client.post(path, headers=reader)

    assert made.status_code == 201
    expires_at = made.json()["expires_at"]
    assert expires_at.endswith("Z")
    expected = (before + links.LINK_LIFETIME).isoformat()[:16]
    assert expires_at[:16] >= expected


async def test_what_opens_a_file_is_in_no_log(desk: Desk) -> None:
    paper = await kept(desk, a_pdf())
    url = await link(desk, paper)
    with capture_logs() as lines:
        await follow(desk, url)
        await follow(desk, f"{url}x")

    assert [line["path"] for line in lines] == ["/v1/evidence-files/{token}"] * 2
    assert url.rpartition("/")[2] not in str(lines)
