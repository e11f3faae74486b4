"""The store of files: the same promises by a folder, and by a bucket over HTTP (moto's server)."""

import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import obstore
import pytest
from moto.server import ThreadedMotoServer

from libs.common.errors import Unavailable
from libs.common.files import ONE_PUT_BYTES, FileFacts, Files, made_here

TENANT, OTHER = "t-1", "t-2"
SMALL = b"a receipt"
# Of several parts, the last one short.
LARGE = random.Random(1).randbytes(2 * ONE_PUT_BYTES + 5)

Open = Callable[[], Files]


class _Late(Files):
    async def _has(self, path: str) -> bool:
        return False


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens one place, as often as it is called."""
    if request.param == "folder":
        return lambda: Files(str(tmp_path))
    url = request.getfixturevalue("s3")
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    return bucket(url, monkeypatch)


def bucket(url: str, monkeypatch: pytest.MonkeyPatch) -> Open:
    variables = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_REGION": "us-east-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    name = f"evidence-{uuid4().hex}"
    assert httpx.put(f"{url}/{name}").status_code == 200
    return lambda: Files(f"s3://{name}")


async def keep(files: Files, content: bytes, tenant: str = TENANT) -> FileFacts:
    facts = made_here(content, "image/png")
    await files.keep(tenant, facts, io.BytesIO(content))
    return facts


def objects(files: Any) -> list[str]:
    return sorted(one["path"] for some in obstore.list(files._store) for one in some)


async def read(files: Files, facts: FileFacts, **span: int) -> bytes:
    return b"".join([part async for part in await files.stream(TENANT, facts.sha256, **span)])


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_a_file_is_kept_once_under_its_hash_and_nothing_beside_it(
    store: Open, content: bytes
) -> None:
    facts = await keep(store(), content)
    await keep(store(), content)

    assert objects(store()) == [f"{TENANT}/{facts.sha256[:2]}/{facts.sha256}"]
    assert await store().read(TENANT, facts.sha256) == content


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_what_is_kept_is_never_written_over(store: Open, content: bytes) -> None:
    facts = await keep(store(), content)
    forged = bytes(len(content))

    await store().keep(TENANT, facts, io.BytesIO(forged))

    assert await store().read(TENANT, facts.sha256) == content


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_the_store_itself_refuses_a_second_writer(store: Open, content: bytes) -> None:
    """Two at once: the second has not seen the first one's file when it begins."""
    facts = await keep(store(), content)
    late = store()
    late.__class__ = _Late

    await late.keep(TENANT, facts, io.BytesIO(bytes(len(content))))

    assert await store().read(TENANT, facts.sha256) == content
    assert len(objects(store())) == 1


async def test_a_file_is_streamed_whole_or_in_part(store: Open) -> None:
    facts = await keep(store(), LARGE)

    assert await read(store(), facts) == LARGE
    assert await read(store(), facts, start=7, end=4_000_000) == LARGE[7:4_000_000]
    assert await read(store(), facts, start=len(LARGE) - 3) == LARGE[-3:]


async def test_a_tenants_file_is_not_anothers(store: Open) -> None:
    facts = await keep(store(), SMALL)

    assert not await store().is_there(OTHER, facts.sha256)
    with pytest.raises(FileNotFoundError):
        await store().read(OTHER, facts.sha256)


async def test_a_forgotten_file_is_gone_and_may_come_again(store: Open) -> None:
    facts = await keep(store(), SMALL)
    kept_by_other = await keep(store(), SMALL, OTHER)

    await store().forget(TENANT, facts.sha256)
    await store().forget(TENANT, facts.sha256)

    assert not await store().is_there(TENANT, facts.sha256)
    assert await store().is_there(OTHER, kept_by_other.sha256)
    await keep(store(), SMALL)
    assert await store().is_there(TENANT, facts.sha256)


async def test_what_one_room_forgets_another_keeps(tmp_path: Path) -> None:
    claims, papers = Files(str(tmp_path)), Files(str(tmp_path), room="_papers")
    facts = await keep(claims, SMALL)
    assert not await papers.is_there(TENANT, facts.sha256)
    await keep(papers, SMALL)

    await claims.forget(TENANT, facts.sha256)

    assert await papers.read(TENANT, facts.sha256) == SMALL


async def test_what_breaks_off_while_it_is_stored_leaves_nothing(store: Open) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= ONE_PUT_BYTES:
                raise OSError("the disk is gone")
            return super().read(size)

    with pytest.raises(OSError, match="gone"):
        await store().keep(TENANT, made_here(LARGE, "image/png"), Breaking(LARGE))

    assert objects(store()) == []


async def test_a_store_that_is_away_is_said_to_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    files = bucket(f"http://{host}:{port}", monkeypatch)()
    server.stop()

    for content in (SMALL, LARGE):
        with pytest.raises(Unavailable):
            await keep(files, content)
    with pytest.raises(Unavailable):
        await files.read(TENANT, made_here(SMALL, "").sha256)
