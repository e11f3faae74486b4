"""Evidence: bytes before row, for what they are; taken by one claim; bad files change nothing."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.common.auth import CLAIMS_WRITE
from libs.common.files import Files
from libs.common.filetypes import MAX_FILE_BYTES, MIB
from services.claims import store
from tests.claims.desk import POLICY_ID, Desk, refused, tracked, way_of
from tests.conftest import AppOf, DbOf, Token
from tests.files import PDF, PNG, a_pdf, a_picture, a_video, file_for
from tests.policy.builders import OTHER_TENANT, Json, at
from tests.policy.serving import fire_due, served

NOW = "2024-02-02T09:00"
GIB = 1024 * MIB


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Path) -> AsyncIterator[Desk]:
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(app_of, db_of, token, policy_url=url, evidence=str(tmp_path))
        delivered = tracked(state="RUN_OFF", delivered_at="2024-02-01T10:00")
        await desk.hears(*way_of(tracking=delivered))
        await desk.at(NOW)
        yield desk


async def kept(desk: Desk, content: bytes, **more: str) -> Json:
    response = await desk.upload(content, **more)
    assert response.status_code == 201, response.text
    evidence: Json = response.json()
    return evidence


async def nothing_is_left(desk: Desk, folder: Path) -> None:
    assert await desk.rows("SELECT 1 FROM evidence WHERE tenant_id = $1") == []
    assert stored(folder) == []


def stored(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.rglob("*") if file.is_file())


class Stream:
    """A body that is made while it is read, and counted."""

    def __init__(self, head: bytes, size: int, part: int = 64 * 1024) -> None:
        self._head, self._size, self._part = head, size, part
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.taken += len(self._head)
        yield self._head
        while self.taken < self._size:
            self.taken += self._part
            yield bytes(self._part)


# --- what a file is --------------------------------------------------------------------------


async def test_a_file_is_what_its_bytes_say_and_is_kept_under_their_hash(
    desk: Desk, tmp_path: Path
) -> None:
    photo = a_picture("PNG", 640, 480)
    evidence = await kept(desk, photo, name="photo.pdf")

    assert (evidence["media_type"], evidence["size_bytes"]) == ("image/png", len(photo))
    assert (evidence["width"], evidence["height"], evidence["pages"]) == (640, 480, None)
    assert (evidence["name"], evidence["scan_state"]) == ("photo.pdf", "SKIPPED")
    assert await Files(str(tmp_path)).read(desk.tenant, evidence["sha256"]) == photo
    assert stored(tmp_path) == [evidence["sha256"]]

    shown = await desk.get(f"/v1/evidence/{evidence['evidence_id']}")
    assert shown.json() == evidence


async def test_papers_have_pages_and_films_a_length(desk: Desk) -> None:
    paper = await kept(desk, a_pdf(pages=3))
    film = await kept(desk, a_video("mp4"), kind="unboxing_video")

    assert (paper["pages"], paper["duration_ms"]) == (3, None)
    assert (film["width"], film["height"], film["duration_ms"]) == (64, 48, 1_000)


async def test_what_is_no_evidence_is_refused_and_leaves_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    script = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    flood = a_pdf(pages=501)
    for content, status, code in (
        (b"", 422, "empty-file"),
        (b"just words", 415, "unsupported-file-type"),
        (script, 415, "unsupported-file-type"),
        (b"MZ" + bytes(200), 415, "unsupported-file-type"),
        (b"PK\x03\x04" + bytes(200), 415, "unsupported-file-type"),
        (PNG[:-5], 422, "unreadable-file"),
        (a_video("mp4")[:-100], 422, "unreadable-file"),
        (flood, 422, "file-too-complex"),
        (PNG + b"PK\x03\x04 and more", 422, "polyglot-file"),
        (a_pdf(catalog="/OpenAction<</S/JavaScript/JS(1)>>"), 422, "active-content"),
    ):
        problem = refused(await desk.upload(content), status, code)
        assert len(problem["detail"]) > 20
    await nothing_is_left(desk, tmp_path)


async def test_a_film_is_wanted_as_a_video_and_none_as_a_photo(
    desk: Desk, tmp_path: Path
) -> None:
    code = "wrong-kind-of-file"
    for kind, content in (
        ("unboxing_video", PDF),
        ("unboxing_video", PNG),
        ("damage_photos", a_video("mp4")),
        ("weight_photo", a_video("webm")),
    ):
        refused(await desk.upload(content, kind=kind), 422, code)
    await nothing_is_left(desk, tmp_path)
    for kind, content in (
        ("unboxing_video", a_video("mov")),
        ("damage_photos", PDF),
        ("damage_photos", PNG),
        ("order_value_proof", a_video("webm")),
    ):
        await kept(desk, content, kind=kind)


async def test_a_name_is_for_people(desk: Desk) -> None:
    for sent, shown in (
        ("C:\\fakepath\\receipt.pdf", "receipt.pdf"),
        ("../../etc/passwd", "passwd"),
        ("快递 größe.pdf", "快递 größe.pdf"),
    ):
        assert (await kept(desk, PDF, name=sent))["name"] == shown
    for wrong in ("", "a\nb.pdf", "a\x7fb", "gpj.\u202eexe", "x" * 121, "folder/"):
        refused(await desk.upload(PDF, name=wrong), 422, "invalid-request")


# --- how much is read ------------------------------------------------------------------------


async def test_a_stream_of_5_gb_costs_no_more_than_the_limit(
    desk: Desk, tmp_path: Path
) -> None:
    body = Stream(PNG, 5 * GIB)

    problem = refused(await desk.upload(aiter(body)), 413, "file-too-large")

    assert problem["max_file_bytes"] == MAX_FILE_BYTES["image"] == 20 * MIB
    assert 20 * MIB < body.taken < 21 * MIB
    await nothing_is_left(desk, tmp_path)


async def test_a_stream_of_what_is_not_taken_is_cut_off_at_its_beginning(
    desk: Desk, tmp_path: Path
) -> None:
    body = Stream(b"just words ", 5 * GIB, part=4_096)

    refused(await desk.upload(aiter(body)), 415, "unsupported-file-type")

    assert body.taken < 16_384
    await nothing_is_left(desk, tmp_path)


async def test_a_length_beyond_the_limit_is_refused_before_the_body_is_read(
    desk: Desk, tmp_path: Path
) -> None:
    body = Stream(PNG, GIB)
    declared = {"content-length": str(501 * MIB)}
    refused(await desk.upload(aiter(body), **declared), 413, "file-too-large")
    assert body.taken == 0

    # A film may be as long; that it is a picture shows in its first bytes.
    declared = {"content-length": str(21 * MIB)}
    refused(await desk.upload(aiter(body), **declared), 413, "file-too-large")
    assert body.taken < 200_000
    await nothing_is_left(desk, tmp_path)


async def test_a_body_that_nobody_wants_is_not_read(desk: Desk) -> None:
    body = Stream(PNG, GIB)
    token = desk.token(desk.tenant)
    del token["idempotency-key"]
    params = {"policy_id": POLICY_ID, "kind": "damage_list", "name": "a.png"}
    keyless = await desk.client.post(
        "/v1/evidence", params=params, content=aiter(body), headers=token
    )
    refused(keyless, 400, "idempotency-key-required")
    unknown = "pol_01JQZX7Y5V0000000000000099"
    refused(await desk.upload(aiter(body), policy_id=unknown), 404, "unknown-policy")

    assert body.taken == 0


async def test_a_large_film_is_never_in_memory_as_a_whole(desk: Desk, tmp_path: Path) -> None:
    room = 48 * MIB
    head = a_video("mp4") + (8 + room).to_bytes(4, "big") + b"free"
    body = Stream(head, len(head) + room)
    tracemalloc.start()
    try:
        uploaded = await desk.upload(aiter(body), kind="unboxing_video")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert uploaded.status_code == 201, uploaded.text
    assert uploaded.json()["size_bytes"] == len(head) + room
    assert peak < 16 * MIB
    assert stored(tmp_path) == [uploaded.json()["sha256"]]


async def test_a_client_that_breaks_off_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    messages = iter(
        [
            {"type": "http.request", "body": PNG + bytes(2 * MIB), "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    said: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        said.append(message)

    headers = desk.token(desk.tenant)
    await desk.client.app(
        {
            "type": "http",
            "method": "POST",
            "path": "/v1/evidence",
            "query_string": f"policy_id={POLICY_ID}&kind=damage_list&name=a".encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "app": desk.client.app,
        },
        receive,
        send,
    )

    assert said == []
    await nothing_is_left(desk, tmp_path)


async def test_the_server_cuts_off_who_sends_beyond_the_limit(
    desk: Desk, tmp_path: Path
) -> None:
    """Over a real connection, or it would read on until the client is done, for the next request."""
    async with served(desk.client.app) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        query = f"policy_id={POLICY_ID}&kind=damage_list&name=a.png"
        headers = {
            **desk.token(desk.tenant),
            "host": "claims.test",
            "transfer-encoding": "chunked",
        }
        lines = [
            f"POST /v1/evidence?{query} HTTP/1.1",
            *(f"{n}: {v}" for n, v in headers.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        sent = 0
        part = PNG + bytes(MIB)
        try:
            while sent < 256 * MIB:
                writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                await writer.drain()
                sent += len(part)
        except (ConnectionResetError, BrokenPipeError):
            pass
        finally:
            writer.close()
        del reader

    assert 20 * MIB <= sent < 40 * MIB
    await nothing_is_left(desk, tmp_path)


# --- the same file again ---------------------------------------------------------------------


async def test_the_same_bytes_twice_are_two_rows_and_one_file(
    desk: Desk, tmp_path: Path
) -> None:
    first, second = await kept(desk, PDF), await kept(desk, PDF, kind="value_document")

    assert first["evidence_id"] != second["evidence_id"]
    assert stored(tmp_path) == [first["sha256"]] == [second["sha256"]]


async def test_the_same_file_in_two_claims_is_seen_in_each(desk: Desk) -> None:
    damage, shortage = await desk.a_claim("DAMAGE"), await desk.a_claim("SHORTAGE")
    film = a_video("mp4")
    for claim in (damage, shortage):
        ids = [(await kept(desk, film, kind="unboxing_video"))["evidence_id"]]
        added = await desk.post(
            f"/v1/claims/{claim['claim_id']}/evidence", {"evidence_ids": ids}
        )
        assert added.status_code == 200, added.text
    again = await kept(desk, film, kind="unboxing_video")

    both = sorted([damage["claim_id"], shortage["claim_id"]])
    (of_damage,) = (await desk.show(damage))["evidence"]
    assert of_damage["also_in"] == [shortage["claim_id"]]
    assert again["also_in"] == both


async def test_anothers_same_file_is_not_seen(desk: Desk) -> None:
    mine = await kept(desk, PDF)
    other = desk.of(OTHER_TENANT)

    refused(await other.get(f"/v1/evidence/{mine['evidence_id']}"), 404, "unknown-file")


async def test_the_same_bytes_and_key_as_another_kind_are_another_request(desk: Desk) -> None:
    key = {"idempotency-key": "one"}
    first = await desk.upload(PDF, kind="damage_photos", **key)
    again = await desk.upload(PDF, kind="damage_photos", **key)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"

    refused(await desk.upload(PDF, kind="damage_list", **key), 422, "idempotency-key-reused")


async def test_a_kind_nobody_knows_is_refused(desk: Desk) -> None:
    refused(await desk.upload(PDF, kind="selfie"), 422, "invalid-request")


async def test_a_providers_paper_is_not_taken_from_a_claimant(desk: Desk, token: Token) -> None:
    claimant = token(desk.tenant, scopes=[CLAIMS_WRITE])
    refused(await desk.upload(PDF, kind="carrier_loss_letter", **claimant), 403, "forbidden")


async def test_a_file_goes_to_one_claim_and_is_decided_on_at_once(desk: Desk) -> None:
    claim = await desk.a_claim("DAMAGE")
    assert claim["state"] == "INFO_REQUIRED"
    ids = [
        (await desk.upload(file_for(kind), kind=kind)).json()["evidence_id"]
        for kind in ("unboxing_video", "damage_list", "damage_photos")
    ]
    path = f"/v1/claims/{claim['claim_id']}/evidence"
    answered: Json = (await desk.post(path, {"evidence_ids": ids})).json()
    assert answered["state"] == "REFERRED"
    assert len(answered["evidence"]) == 3

    other = await desk.a_claim("SHORTAGE")
    taken = await desk.post(f"/v1/claims/{other['claim_id']}/evidence", {"evidence_ids": ids})
    refused(taken, 422, "unknown-evidence")


# --- forgetting ------------------------------------------------------------------------------


async def a_week_passes(desk: Desk, days: int = 7) -> None:
    later = (at(NOW) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M")
    await desk.at(later)
    await fire_due(desk.client, later)


async def test_a_file_no_claim_takes_is_forgotten_after_a_week(
    desk: Desk, tmp_path: Path
) -> None:
    await kept(desk, PDF)
    await a_week_passes(desk)

    await nothing_is_left(desk, tmp_path)


async def test_bytes_that_another_row_names_stay(desk: Desk, tmp_path: Path) -> None:
    claim = await desk.a_claim("DAMAGE")
    taken, untaken = await kept(desk, PDF), await kept(desk, PDF)
    path = f"/v1/claims/{claim['claim_id']}/evidence"
    assert (await desk.post(path, {"evidence_ids": [taken["evidence_id"]]})).is_success
    await a_week_passes(desk)

    rows = await desk.rows("SELECT evidence_id FROM evidence WHERE tenant_id = $1")
    assert [row["evidence_id"] for row in rows] == [taken["evidence_id"]]
    assert stored(tmp_path) == [untaken["sha256"]]


async def test_a_file_that_comes_while_it_is_forgotten_is_kept(
    desk: Desk, tmp_path: Path
) -> None:
    sha256 = (await kept(desk, PDF))["sha256"]
    files = Files(str(tmp_path))
    async with desk.db.transaction(desk.tenant) as tx:
        # As forgetting does it; the upload finds the bytes there, and waits for this to end.
        await store.hold_file(tx, sha256, tenant_id=desk.tenant)
        await tx.execute("DELETE FROM evidence WHERE tenant_id = $1", desk.tenant)
        coming = asyncio.create_task(kept(desk, PDF))
        while not await waits_for_a_lock(desk):
            pass
        await files.forget(desk.tenant, sha256)
    await coming

    assert stored(tmp_path) == [sha256]


async def waits_for_a_lock(desk: Desk) -> bool:
    async with desk.db.worker() as connection:
        waiting: bool = await connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
        )
    return waiting
