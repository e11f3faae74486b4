"""Files of claims that have ended: kept for the tenant's years, then gone, and still explained (Q47)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from libs.common.files import Files
from libs.common.ids import new_id
from services.claims.domain.retention import has_ended, kept_until
from tests.claims.appealing import (
    BML,
    FILED,
    LAPSED,
    LAST_INSTANT,
    PAPERS,
    SEEN,
    TOO_LATE,
    Hearing,
)
from tests.claims.desk import Desk, refused, tracked, way_of
from tests.claims.test_evidence import kept, stored, waits_for_a_lock
from tests.claims.test_evidence_links import follow, link
from tests.conftest import AppOf, DbOf, Token
from tests.files import PDF
from tests.policy.builders import Json, amount, at
from tests.policy.serving import served

# Two years after the denied claim has closed, and the instant before.
GONE, STILL = "2026-03-12T00:00:00", "2026-03-11T23:59:59.999999"


@pytest.fixture
async def hearing(
    app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Path
) -> AsyncIterator[Hearing]:
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(
            app_of, db_of, token, tenant=BML, policy_url=url, evidence=str(tmp_path)
        )
        hearing = Hearing(desk)
        await hearing.hears_of_a_parcel()
        yield hearing


async def a_denial_with_a_paper(hearing: Hearing) -> Json:
    """Denied for want of the film; the pictures came."""
    claim = await hearing.a_damage(evidence_ids=await hearing.desk.papers(PAPERS[1]))
    await hearing.desk.at(LAPSED)
    return await hearing.decided(claim)


async def file_of(desk: Desk, claim: Json) -> Json:
    (file,) = (await desk.show(claim))["evidence"]
    shown: Json = (await desk.get(f"/v1/evidence/{file['evidence_id']}")).json()
    return shown


def test_q47_years_are_those_of_the_calendar() -> None:
    leap = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)

    assert kept_until(leap, 2) == datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
    assert kept_until(leap, 4) == datetime(2028, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
    assert [state for state in ("PAID", "RECOVERY", "NOTIFIED") if has_ended(state)] == []


async def test_q47_files_are_forgotten_two_years_after_their_claim_has_closed(
    hearing: Hearing, tmp_path: Path
) -> None:
    desk = hearing.desk
    claim = await a_denial_with_a_paper(hearing)
    file = await file_of(desk, claim)
    assert (file["name"], file["forgotten_at"]) == ("a.pdf", None)
    await desk.at(TOO_LATE)
    assert (await desk.show(claim))["state"] == "CLOSED"

    await desk.at(STILL)
    assert stored(tmp_path) == [file["sha256"]]
    url = await link(desk, file)
    assert (await follow(desk, url)).status_code == 200
    await desk.at(GONE)

    assert stored(tmp_path) == []
    assert await file_of(desk, claim) == {**file, "name": "", "forgotten_at": f"{GONE}Z"}
    refused(await follow(desk, url), 410, "evidence-forgotten")
    path = f"/v1/evidence/{file['evidence_id']}/links"
    refused(await desk.post(path, {}), 410, "evidence-forgotten")
    # What the claim was decided on is as it was.
    shown = await desk.show(claim)
    assert (shown["state"], shown["decision"]) == ("CLOSED", claim["decision"])
    assert "forget_claims_files" not in await desk.deadlines()


async def test_q47_a_tenant_may_keep_them_longer(
    app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Path
) -> None:
    tenants = tmp_path / "tenants.yaml"
    tenants.write_text(
        "tenants:\n  bml: {name: B, plans: [bml-shipping], currency: USD, languages: [en],"
        ' four_eyes_above: "2000", evidence_years: 5}\n'
    )
    folder = tmp_path / "files"
    desk = await Desk.open(
        app_of, db_of, token, tenant=BML, tenants=tenants, evidence=str(folder)
    )
    hearing = Hearing(desk)
    await hearing.hears_of_a_parcel()
    claim = await a_denial_with_a_paper(hearing)

    await desk.at(TOO_LATE)
    await desk.at("2029-03-11T23:59:59")
    assert len(stored(folder)) == 1
    await desk.at("2029-03-12T00:00:00")

    assert stored(folder) == []
    assert (await file_of(desk, claim))["forgotten_at"] == "2029-03-12T00:00:00Z"


async def test_q47_years_that_a_tenant_adds_meanwhile_count(
    hearing: Hearing, tmp_path: Path
) -> None:
    """The job reckons the years anew before anything goes."""
    desk = hearing.desk
    await a_denial_with_a_paper(hearing)
    await desk.at(TOO_LATE)
    async with desk.db.transaction(desk.tenant) as tx:
        await tx.execute(
            "UPDATE deadlines SET due_at = $2 WHERE tenant_id = $1 "
            "AND kind = 'forget_claims_files'",
            desk.tenant,
            at("2025-03-12T00:00"),
        )

    await desk.at("2025-03-12T00:00")

    assert len(stored(tmp_path)) == 1
    assert (await desk.deadlines())["forget_claims_files"] == at(GONE)


async def test_q47_bytes_that_another_claim_needs_stay_until_that_has_ended(
    hearing: Hearing, tmp_path: Path
) -> None:
    desk = hearing.desk
    claim = await a_denial_with_a_paper(hearing)
    file = await file_of(desk, claim)
    policy_id = new_id("pol")
    delivered = tracked(policy_id, state="RUN_OFF", delivered_at=LAPSED)
    await desk.hears(
        *way_of(policy_id, plan="bml-shipping", tenant=desk.tenant, tracking=delivered)
    )
    content = (await follow(desk, await link(desk, file))).content
    same = await kept(desk, content, kind=PAPERS[1], policy_id=policy_id)
    other = await desk.a_claim(
        "DAMAGE", policy_id=policy_id, item_ids=["i1"], evidence_ids=[same["evidence_id"]]
    )
    await desk.at(TOO_LATE)
    await desk.at(GONE)

    first = await file_of(desk, claim)
    assert (first["name"], first["forgotten_at"]) == ("", f"{GONE}Z")
    assert stored(tmp_path) == [file["sha256"]]
    assert (await follow(desk, await link(desk, same))).status_code == 200
    # It is the same file still (SAME_FILE), seen from either side.
    assert first["also_in"] == [other["claim_id"]]
    assert (await file_of(desk, other))["also_in"] == [claim["claim_id"]]

    assert (await desk.post(f"/v1/claims/{other['claim_id']}/withdrawal", {})).is_success
    await desk.at("2028-03-12T00:00:00")
    assert stored(tmp_path) == []


async def test_q47_files_of_a_claim_that_was_taken_back_are_kept_as_long(
    hearing: Hearing, tmp_path: Path
) -> None:
    desk = hearing.desk
    claim = await hearing.a_damage(evidence_ids=await hearing.desk.papers(PAPERS[1]))
    assert (await desk.post(f"/v1/claims/{claim['claim_id']}/withdrawal", {})).is_success

    await desk.at("2026-02-02T08:59:59.999999")
    assert len(stored(tmp_path)) == 1
    await desk.at("2026-02-02T09:00:00")

    assert stored(tmp_path) == []
    assert (await file_of(desk, claim))["forgotten_at"] == "2026-02-02T09:00:00Z"


async def test_q47_files_that_moved_to_the_claim_in_its_place_are_kept_for_that(
    hearing: Hearing, tmp_path: Path
) -> None:
    desk = hearing.desk
    old = await hearing.a_damage(evidence_ids=await hearing.desk.papers(PAPERS[1]))
    swapped = await desk.post(f"/v1/claims/{old['claim_id']}/swap", {"peril": "LOSS"})
    assert swapped.status_code == 201, swapped.text

    await desk.at("2026-02-02T09:00:00")

    new = await file_of(desk, swapped.json())
    assert new["sha256"] in stored(tmp_path)


async def test_q47_a_claim_that_owes_money_keeps_its_files_and_the_time_runs_anew(
    hearing: Hearing, tmp_path: Path
) -> None:
    desk = hearing.desk
    claim = await hearing.a_damage(evidence_ids=await hearing.desk.papers(*PAPERS))
    claim = await hearing.decided(claim, video_elements=SEEN)
    await hearing.paid_out(claim, FILED)
    await desk.at("2024-03-04T00:00")
    assert (await desk.show(claim))["state"] == "CLOSED"
    assert (await desk.deadlines())["forget_claims_files"] == at("2026-03-04T00:00")
    path = f"/v1/claims/{claim['claim_id']}"
    await desk.at("2026-01-01T00:00")
    late = {"source": "carrier", "reference": "c-1", "amount": amount(40_000, "USD")}
    assert (await desk.post(f"{path}/recoveries", late)).is_success
    shown = await desk.show(claim)
    assert shown["state"] == "RECOVERY"
    assert "forget_claims_files" not in await desk.deadlines()

    await desk.at("2026-06-01T00:00")
    assert len(stored(tmp_path)) == 2
    (due,) = shown["repayments"]
    back = {
        "source": "customer",
        "reference": "r-1",
        "amount": amount(40_000, "USD"),
        "repayment_id": due["repayment_id"],
    }
    assert (await desk.post(f"{path}/recoveries", back)).is_success
    assert (await desk.show(claim))["state"] == "CLOSED"
    await desk.at("2028-05-31T23:59:59")
    assert len(stored(tmp_path)) == 2
    await desk.at("2028-06-01T00:00")

    assert stored(tmp_path) == []


async def test_q47_an_appeal_in_time_keeps_them_and_the_time_runs_from_the_last_close(
    hearing: Hearing, tmp_path: Path
) -> None:
    desk = hearing.desk
    claim = await a_denial_with_a_paper(hearing)
    await desk.at(LAST_INSTANT)
    appeal = await hearing.an_appeal(claim)
    await desk.at(GONE)
    assert len(stored(tmp_path)) == 1

    await hearing.heard(appeal)
    await desk.at("2026-04-12T00:00")
    assert (await desk.show(claim))["closed_at"] == "2026-04-12T00:00:00Z"
    await desk.at("2028-04-11T23:59:59")
    assert len(stored(tmp_path)) == 1
    await desk.at("2028-04-12T00:00")

    assert stored(tmp_path) == []


async def test_q47_bytes_that_come_while_they_are_forgotten_are_kept(
    hearing: Hearing, tmp_path: Path
) -> None:
    desk = hearing.desk
    claim = await hearing.a_damage(
        evidence_ids=[(await kept(desk, PDF, kind="product_images"))["evidence_id"]]
    )
    assert (await desk.post(f"/v1/claims/{claim['claim_id']}/withdrawal", {})).is_success
    sha256 = (await file_of(desk, claim))["sha256"]
    # The week in which a claim has to take a file is over: nothing else holds it.
    await desk.at(LAPSED)
    async with desk.db.transaction(desk.tenant) as tx:
        # Who uploads holds the file; forgetting waits, and finds that a row names it.
        await tx.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('evidence/' || $1 || '/' || $2, 0))",
            desk.tenant,
            sha256,
        )
        forgetting = asyncio.create_task(desk.at("2026-02-02T09:00:00"))
        while not await waits_for_a_lock(desk):
            pass
        await tx.execute(
            """
            INSERT INTO evidence (evidence_id, tenant_id, policy_id, kind, name, sha256, size_bytes,
                                  media_type, submitted_by, uploaded_at)
            SELECT $2, tenant_id, policy_id, kind, name, sha256, size_bytes, media_type,
                   submitted_by, uploaded_at FROM evidence WHERE tenant_id = $1
            """,
            desk.tenant,
            new_id("evd"),
        )
    await forgetting

    assert (await file_of(desk, claim))["forgotten_at"] is not None
    assert await Files(str(tmp_path)).is_there(desk.tenant, sha256)


async def test_q47_a_claim_on_no_policy_has_no_files(hearing: Hearing) -> None:
    files = await hearing.desk.papers(PAPERS[1])
    body = {"tracking_number": "NOBODYS1", "peril": "LOSS", "evidence_ids": files}

    refused(await hearing.desk.post("/v1/claims", body), 422, "unknown-evidence")
