"""`parcelcover carriers`: who may post, what posts read to, and posts sent as their provider would."""

import asyncio
import os
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from deploy.carriers import Replay, posts_of
from deploy.carriers.posts import NoPosts, Post
from deploy.carriers.sender import Hook, Sender
from deploy.cli import app as command_line
from services.policy.tracking import JSON, PROVIDERS, Provider
from tests.conftest import Token
from tests.policy.builders import TENANT, Json
from tests.policy.conftest import Serve, SetClock, Shop, answered
from tests.policy.posting import a_detail, a_tracker_event, read_waiting, snapshots
from tests.policy.serving import served

NUMBER = "EZ6000000006"
SECRET = "a secret of ours"

LABEL = a_detail("pre_transit", "2024-01-03T10:00:00Z", "label_created")
ACCEPTED = a_detail("in_transit", "2024-01-04T09:00:00Z", "received_at_origin_facility")
DELIVERED = a_detail("delivered", "2024-01-09T15:00:00Z")


def lines(*bodies: bytes) -> bytes:
    return b"".join(body + b"\n" for body in bodies)


# --- posts in files --------------------------------------------------------------------------


def test_each_line_is_a_post_with_its_bytes_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "scans.ndjson"
    file.write_bytes(b'{"a": 1}\r\n\n{"b":  "\xc3\xa9"}\nno json')

    posts = posts_of(file)

    assert [post.read() for post in posts] == [b'{"a": 1}', b'{"b":  "\xc3\xa9"}', b"no json"]
    assert [post.place for post in posts] == [f"scans.ndjson:{line}" for line in (1, 3, 4)]


def test_a_folder_has_the_posts_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "c.XML").write_bytes(b"<a/>\n")
    (tmp_path / "b.json").write_bytes(b"{}\n")
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n")
    (tmp_path / "README").write_bytes(b"hello")

    posts = posts_of(tmp_path)

    assert [(post.read(), post.media_type) for post in posts] == [
        (b"1", "application/json"),
        (b"2", "application/json"),
        (b"{}\n", "application/json"),
        (b"<a/>\n", "application/xml"),
    ]


@pytest.mark.parametrize("name", ["posts.txt", "posts.ndjson", "posts"])
def test_nothing_to_post_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"" if name.endswith("json") else b"{}")

    with pytest.raises(NoPosts):
        posts_of(tmp_path / name)


def test_a_disorder_can_be_had_again() -> None:
    posts = [Post(Path("a.ndjson"), 0, 0, line) for line in range(1, 40)]
    disorder = Replay(repeat=2, is_shuffled=True, seed=7).order(posts)

    assert disorder == Replay(repeat=2, is_shuffled=True, seed=7).order(posts)
    assert disorder != Replay(repeat=2, is_shuffled=True, seed=8).order(posts)
    assert sorted(disorder, key=lambda post: post.line) == Replay(repeat=2).order(posts)
    assert len(disorder) == 2 * len(posts)


# --- reading ---------------------------------------------------------------------------------


def carriers(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(command_line, ["carriers", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_lists_who_may_post() -> None:
    code, printed = carriers("list")

    assert code == 0
    for name in PROVIDERS:
        assert name in printed


def test_reads_posts_to_one_history_a_parcel(tmp_path: Path) -> None:
    told = snapshots(NUMBER, [LABEL, ACCEPTED, DELIVERED])
    other = a_tracker_event("EZ7", a_detail("failure", "2024-02-01T00:00:00", "lost"))
    (tmp_path / "posts.ndjson").write_bytes(lines(*reversed(told), *told, other))

    code, printed = carriers("read", tmp_path / "posts.ndjson", "--provider", "easypost")

    assert code == 0, printed
    shown = [" ".join(line.split()) for line in printed.splitlines()]
    assert shown == [
        "EZ6000000006 (usps) is delivered:",
        "2024-01-03T10:00:00Z pre_transit/info pre_transit/label_created "
        "Testville, US, pre_transit label_created",
        "2024-01-04T09:00:00Z in_transit in_transit/received_at_origin_facility "
        "Testville, US, in_transit received_at_origin_facility",
        "2024-01-09T15:00:00Z delivered delivered Testville, US, delivered",
        "EZ7 (usps) is lost/lost:",
        # Without an offset, so without a Z.
        "2024-02-01T00:00:00 lost/lost failure/lost Testville, US, failure lost",
    ]


def test_a_code_that_no_map_has_is_a_row_to_be_filled_in(tmp_path: Path) -> None:
    file, own = tmp_path / "one.json", tmp_path / "own.csv"
    file.write_bytes(
        a_tracker_event(NUMBER, a_detail("in_transit", "2024-02-01T00:00:00Z", "fell, off"))
    )

    code, printed = carriers("read", file, "--provider", "easypost")
    assert code == 1
    *_, head, row = printed.splitlines()
    assert (head, row) == (
        "provider,kind,code,status,reason",
        'easypost,sub,"fell, off",,',
    )

    own.write_text(f"{head}\n{row}\n")
    code, printed = carriers("read", file, "--provider", "easypost", "--map", own)
    assert (code, "'' is no reason" in printed) == (2, True)

    own.write_text(f"{head}\n{row.removesuffix(',')}damaged,damaged\n")
    code, printed = carriers("read", file, "--provider", "easypost", "--map", own)
    assert (code, f"{NUMBER} (usps) is damaged/damaged" in printed) == (0, True)


def test_a_post_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "posts.ndjson"
    file.write_bytes(lines(a_tracker_event(NUMBER, ACCEPTED), b'{"result": 5}'))

    code, printed = carriers("read", file, "--provider", "easypost")

    assert code == 1
    assert f"{NUMBER} (usps) is in_transit" in printed
    assert "posts.ndjson:2 cannot be read" in printed


@pytest.mark.parametrize(
    "wrong",
    [
        ["--provider", "nobody"],
        ["--provider", "easypost", "--tenant", TENANT],
        ["--provider", "easypost", "--tenant", TENANT, "--secret", "x", "--scheme", "none"],
    ],
)
def test_what_cannot_be_replayed_is_said_at_once(tmp_path: Path, wrong: list[str]) -> None:
    (tmp_path / "one.json").write_bytes(b"{}")

    code, _ = carriers("replay", tmp_path / "one.json", "--tenant", TENANT, *wrong)

    assert code == 2


def test_gives_up_on_a_service_that_stays_away(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_bytes(b"{}")

    code, printed = carriers(
        *("replay", file, "--to", "http://127.0.0.1:1", "--provider", "easypost"),
        *("--tenant", TENANT, "--secret", "x", "--patience", "0"),
    )

    assert code == 2
    assert "No answer" in printed


# --- sending ---------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def url(policies: Any, serve: Serve) -> str:
    return await serve(policies.app)


@pytest_asyncio.fixture
async def opened(shop: Shop) -> Json:
    """EasyPost may post, with our secret."""
    asked = {"provider": "easypost", "secret": SECRET}
    return answered(await shop.post("/v1/tracking-hooks", asked), 201)


async def replay(file: Path, url: str, *more: str, **variables: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "carriers", "replay", file, "--to", url),
        *("--provider", "easypost", "--tenant", TENANT, *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **variables},
    )
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def notices(shop: Shop) -> list[Json]:
    items: list[Json] = answered(await shop.get("/v1/tracking-notices?limit=200"), 200)["items"]
    return items


async def test_opens_the_hook_itself_and_posts_move_the_policy(
    tmp_path: Path, shop: Shop, set_clock: SetClock, url: str, token: Token
) -> None:
    await set_clock("2024-01-01T01:00:00")
    policy = await shop.a_paid_policy(carrier="usps", tracking_number=NUMBER)
    await set_clock("2024-03-10T00:00:00")
    file = tmp_path / "posts.ndjson"
    file.write_bytes(lines(*snapshots(NUMBER, [LABEL, ACCEPTED, DELIVERED])))
    bearer = token(TENANT)["authorization"].removeprefix("Bearer ")
    opening = ("--open-hook", "--token", bearer)

    code, printed = await replay(
        file, url, *opening, "--repeat", "2", "--shuffle", "--seed", "1"
    )

    assert code == 0, printed
    assert "3 kept, 3 repeated, 0 refused." in printed
    await read_waiting(shop.policies)
    assert (await shop.show(policy))["tracking"]["status"] == "delivered"
    # There is a hook now: it is given a new secret.
    code, printed = await replay(file, url, *opening)
    assert (code, "0 kept, 3 repeated, 0 refused." in printed) == (0, True), printed


async def test_a_wrong_secret_ends_with_1_and_the_problems_words(
    tmp_path: Path, shop: Shop, opened: Json, url: str
) -> None:
    file = tmp_path / "one.json"
    file.write_bytes(a_tracker_event(NUMBER, ACCEPTED))

    code, printed = await replay(file, url, "--secret", "another secret", "--repeat", "2")

    assert code == 1
    assert "0 kept, 0 repeated, 2 refused." in printed
    assert "2 x The message's signature is not right (bad-signature): None of" in printed
    assert "First: one.json." in printed
    assert await notices(shop) == []


async def test_what_is_refused_does_not_stop_the_others(
    tmp_path: Path, shop: Shop, opened: Json, url: str
) -> None:
    file = tmp_path / "posts.ndjson"
    told = snapshots(NUMBER, [LABEL, ACCEPTED])
    file.write_bytes(lines(told[0], b"no json", told[1]))

    code, printed = await replay(file, url, "--rate", "4", PARCELCOVER_CARRIER_SECRET=SECRET)

    assert code == 1
    assert "2 kept, 0 repeated, 1 refused." in printed
    assert "(malformed-body)" in printed
    assert "First: posts.ndjson:2." in printed
    later, sooner = [datetime.fromisoformat(n["received_at"]) for n in await notices(shop)]
    # The second is sent once the first is answered, the third a quarter of a second later.
    assert (later - sooner).total_seconds() > 0.24


@dataclass(kw_only=True)
class Unsteady:
    """An application whose answers are lost, by their number; what was asked of it is done."""

    app: Any
    lost: set[int]
    requests: int = field(default=0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests += 1
        if self.requests not in self.lost:
            await self.app(scope, receive, send)
            return

        async def swallow(message: Any) -> None:
            return

        await self.app(scope, receive, swallow)
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def test_a_service_that_is_away_for_a_while_has_kept_each_once(
    tmp_path: Path, shop: Shop, opened: Json, policies: Any
) -> None:
    file = tmp_path / "posts.ndjson"
    file.write_bytes(lines(*snapshots(NUMBER, [LABEL, ACCEPTED, DELIVERED])))
    hung_up = asyncio.Event()

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        hung_up.set()

    nobody = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = nobody.sockets[0].getsockname()[1]
    command = asyncio.create_task(replay(file, f"http://127.0.0.1:{port}", "--secret", SECRET))
    await asyncio.wait_for(hung_up.wait(), 30)
    nobody.close()
    await nobody.wait_closed()
    unsteady = Unsteady(app=policies.app, lost={2})
    async with served(unsteady, port):
        code, printed = await command

    assert code == 0, printed
    # The answer to the second was lost: the provider tells it again, and it is known.
    assert "2 kept, 1 repeated, 0 refused." in printed
    assert unsteady.requests == 4
    assert len(await notices(shop)) == 3


async def test_every_provider_is_played_as_its_hook_wants_it(shop: Shop, url: str) -> None:
    for provider in PROVIDERS.values():
        for scheme in provider.schemes:
            asked = {"provider": provider.name, "scheme": scheme}
            hook = answered(await shop.post("/v1/tracking-hooks", asked), 201)
            known = Hook(
                provider=provider, tenant=TENANT, to=url, scheme=scheme, secret=hook["secret"]
            )
            sender = known.sender()

            assert sender.url == url + hook["path"]
            response = await asyncio.to_thread(_sent, sender, provider)
            assert response.is_success, (asked, response.text)
            await shop.policies.delete(
                f"/v1/tracking-hooks/{provider.name}", headers=shop.token(shop.tenant)
            )


def _sent(sender: Sender, provider: Provider) -> httpx.Response:
    body, form = (b"{}", "json") if JSON in provider.forms else (b"<nothing/>", "xml")
    with httpx.Client() as client:
        return sender.send(client, body, f"application/{form}")
