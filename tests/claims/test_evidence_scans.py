"""Virus scans: nobody gets a file before the scanner has looked, and an infected one counts for nothing.

The scanner is a peer that talks clamd's protocol over TCP (tests/scanning.py); clamd itself is not here.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from libs.common.deadlines import DeadlineRunner
from services.claims import store
from tests.claims.desk import Desk, refused, tracked, way_of
from tests.claims.test_evidence import kept
from tests.conftest import AppOf, DbOf, Token
from tests.files import a_pdf, a_video, file_for
from tests.policy.builders import Json, at
from tests.policy.serving import fire_due, served
from tests.scanning import EICAR, Clamd

NOW = "2024-02-02T09:00"
# Retries go by real time, which is later than any of these.
LATER = "2190-01-01T00:00"
INFECTED = a_pdf().replace(b"%PDF-1.7\n", b"%PDF-1.7\n%" + EICAR + b"\n")
KINDS = ("unboxing_video", "damage_list", "damage_photos")

OpenDesk = Callable[[str], Awaitable[Desk]]


@pytest.fixture
async def clamd() -> AsyncIterator[Clamd]:
    async with Clamd().serving() as serving:
        yield serving


@pytest.fixture
async def desk(
    app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Path, clamd: Clamd
) -> AsyncIterator[Desk]:
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(
            app_of, db_of, token, policy_url=url, evidence=str(tmp_path), clamd=clamd.address
        )
        await desk.hears(
            *way_of(tracking=tracked(state="RUN_OFF", delivered_at="2024-02-01T10:00"))
        )
        await desk.at(NOW)
        yield desk


async def scan_state(desk: Desk, evidence: Json) -> str:
    return str((await desk.get(f"/v1/evidence/{evidence['evidence_id']}")).json()["scan_state"])


async def link(desk: Desk, evidence: Json) -> Any:
    return await desk.post(f"/v1/evidence/{evidence['evidence_id']}/links", {})


async def add(desk: Desk, claim: Json, *files: Json) -> Any:
    ids = [one["evidence_id"] for one in files]
    return await desk.post(f"/v1/claims/{claim['claim_id']}/evidence", {"evidence_ids": ids})


async def one_round(desk: Desk) -> None:
    """Each due deadline once, those put off included."""
    running = desk.client.app.state.running
    async with running.db.worker() as connection:
        await DeadlineRunner(running.jobs).fire_due(connection, at(LATER))


async def test_a_file_waits_for_the_scanner_and_is_then_handed_out(
    desk: Desk, clamd: Clamd
) -> None:
    content = a_pdf("clean")
    file = await kept(desk, content)
    assert file["scan_state"] == "WAITING"
    refused(await link(desk, file), 409, "evidence-not-scanned")

    await fire_due(desk.client, NOW)

    assert await scan_state(desk, file) == "CLEAN"
    assert clamd.seen == [content]
    assert (await link(desk, file)).status_code == 201
    assert "scan_evidence" not in await desk.deadlines()


async def test_an_infected_file_is_not_handed_out_and_no_claim_takes_it(desk: Desk) -> None:
    claim = await desk.a_claim("DAMAGE")
    file = await kept(desk, INFECTED)
    await fire_due(desk.client, NOW)

    assert await scan_state(desk, file) == "INFECTED"
    refused(await link(desk, file), 409, "evidence-infected")
    refused(await add(desk, claim, file), 409, "evidence-infected")
    assert (await desk.show(claim))["evidence"] == []


async def test_a_claim_that_took_it_is_decided_anew_without_it(desk: Desk) -> None:
    claim = await desk.a_claim("DAMAGE")
    files = [await kept(desk, file_for(kind), kind=kind) for kind in KINDS[:2]]
    files.append(await kept(desk, INFECTED, kind=KINDS[2]))
    taken = (await add(desk, claim, *files)).json()
    assert taken["state"] == "REFERRED"
    assert {one["scan_state"] for one in taken["evidence"]} == {"WAITING"}

    await fire_due(desk.client, NOW)

    shown = await desk.show(claim)
    assert shown["state"] == "INFO_REQUIRED"
    assert [gap["label"] for gap in shown["decision"]["missing"]] == ["damage_photos"]
    assert sorted(one["scan_state"] for one in shown["evidence"]) == [
        "CLEAN", "CLEAN", "INFECTED",
    ]  # fmt: skip
    # Another file of the kind, and it goes on.
    better = await kept(desk, file_for(KINDS[2]), kind=KINDS[2])
    assert (await add(desk, claim, better)).json()["state"] == "REFERRED"


async def test_money_that_has_not_gone_out_is_kept_back(desk: Desk) -> None:
    claim = await desk.a_claim("DAMAGE", is_whole_parcel=True)
    files = [await kept(desk, file_for(kind), kind=kind) for kind in KINDS[:2]]
    files.append(await kept(desk, INFECTED, kind=KINDS[2]))
    await add(desk, claim, *files)
    findings = {
        "video_elements": ["unboxing_shown", "always_in_frame"],
        "proven_value": {"amount_minor": 10_000, "currency": "CNY"},
        "grades": {"i1": "1"},
    }
    path = f"/v1/claims/{claim['claim_id']}/decision"
    approved = (await desk.post(path, {"findings": findings})).json()
    assert [one["state"] for one in approved["payouts"]] == ["APPROVED"]

    await fire_due(desk.client, NOW)

    shown = await desk.show(claim)
    assert [one["state"] for one in shown["payouts"]] == ["VOID"]
    assert shown["state"] == "INFO_REQUIRED"
    assert await desk.balances() == {"claims": 85_000, "reserve": -85_000}
    assert "send_payout" not in await desk.deadlines()


async def test_what_is_found_once_counts_wherever_the_bytes_are(desk: Desk) -> None:
    first, second = (
        await kept(desk, INFECTED),
        await kept(desk, INFECTED, kind="value_document"),
    )
    async with desk.db.transaction(desk.tenant) as tx:
        await tx.execute(
            "DELETE FROM deadlines WHERE kind = 'scan_evidence' AND subject = $1",
            second["evidence_id"],
        )
    await fire_due(desk.client, NOW)

    assert [await scan_state(desk, one) for one in (first, second)] == ["INFECTED"] * 2


async def test_what_was_infected_does_not_become_clean(desk: Desk) -> None:
    file = await kept(desk, INFECTED)
    await fire_due(desk.client, NOW)
    async with desk.db.transaction(desk.tenant) as tx:
        await store.save_scan(tx, file["sha256"], "CLEAN", None, tenant_id=desk.tenant)

    assert await scan_state(desk, file) == "INFECTED"


async def test_while_the_scanner_is_away_files_wait(desk: Desk, clamd: Clamd) -> None:
    file = await kept(desk, a_video("mp4"), kind="unboxing_video")
    for broken in (Clamd(answer=b""), Clamd(stream_max_length=100)):
        clamd.answer, clamd.stream_max_length = broken.answer, broken.stream_max_length
        await one_round(desk)
        assert await scan_state(desk, file) == "WAITING"
    (deadline,) = await desk.rows(
        "SELECT attempts, failure FROM deadlines WHERE tenant_id = $1 AND kind = 'scan_evidence'"
    )
    assert deadline["attempts"] >= 2
    assert "StreamMaxLength" in deadline["failure"]

    clamd.answer, clamd.stream_max_length = None, Clamd().stream_max_length
    await one_round(desk)
    assert await scan_state(desk, file) == "CLEAN"


async def test_a_file_forgotten_before_its_scan_is_no_trouble(
    desk: Desk, clamd: Clamd, tmp_path: Path
) -> None:
    await kept(desk, a_pdf())
    async with desk.db.transaction(desk.tenant) as tx:
        await tx.execute("DELETE FROM evidence WHERE tenant_id = $1", desk.tenant)
    await fire_due(desk.client, NOW)

    assert clamd.seen == []
    assert "scan_evidence" not in await desk.deadlines()
