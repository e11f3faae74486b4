"""Sending: what is owed goes out, through mail servers that fail, lie and crash in between."""

import asyncio
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import Response

from libs.common.deadlines import Deadline
from libs.common.events import decode, with_sequence
from libs.common.plans.tenants import load_tenants
from libs.common.settings import Settings
from services.notifier.domain.notices import Notification
from services.notifier.usecases import SEND
from tests.notifier.builders import (
    CLAIM,
    POLICY,
    TENANT,
    claim_decided,
    claim_filed,
    clock_moved,
    myr,
    of_claim,
    payout_sent,
    policy_paid,
)
from tests.notifier.conftest import Logs, Notifier

LONG_AGO = datetime(2024, 1, 5, 8, tzinfo=UTC)


async def said(notifier: Notifier) -> list[tuple[str, str, bytes]]:
    """(key, causation, data) of the events in the outbox."""
    async with notifier.db.transaction(TENANT) as tx:
        rows = await tx.fetch(
            "SELECT key, sequence, envelope FROM outbox WHERE tenant_id = $1 ORDER BY id",
            TENANT,
        )
    envelopes = [decode(with_sequence(row["envelope"], row["sequence"])) for row in rows]
    return [(e.partitionkey, e.causationid or "", bytes(e.data)) for e in envelopes]


async def send(notifier: Notifier, owed: Notification) -> None:
    """What a process does that finds the notification due."""
    await notifier.running.jobs[SEND](
        Deadline(
            tenant_id=TENANT,
            kind=SEND,
            subject=owed.notification_id,
            due_at=owed.notice.caused_at,
        )
    )


async def test_sends_what_is_owed_and_says_so(notifier: Notifier) -> None:
    await notifier.bus.say(policy_paid())

    await notifier.fire()

    [mail] = notifier.mail.mails
    owed = await notifier.only()
    assert notifier.mail.recipients == ["ann@example.test"]
    assert mail["Subject"] == "Your parcel is insured (order SO-77)"
    assert mail["Message-ID"] == f"<{owed.notification_id}@mypoz.example>"
    assert (owed.state, owed.attempts, owed.address) == ("SENT", 1, "ann@example.test")
    assert await notifier.bus.deadlines() == []
    [(key, cause, event)] = await said(notifier)
    assert (key, cause) == (POLICY, owed.notice.event_id)
    assert owed.notification_id.encode() in event
    assert b"ann@example.test" not in event


async def test_asks_for_the_address_as_the_tenant_and_with_one_read_scope(
    notifier: Notifier,
) -> None:
    await notifier.bus.say(policy_paid())

    await notifier.fire()

    [caller] = notifier.policies.callers
    assert (caller.tenant_id, caller.service) == (TENANT, "notifier")
    assert caller.scopes == {"internal:read"}


async def test_asks_and_sends_outside_any_transaction(notifier: Notifier) -> None:
    """While the policy service and the mail server are busy, no connection of ours is in one."""
    open_transactions: list[asyncio.Task[int]] = []

    async def count() -> int:
        async with notifier.db.worker() as connection:
            found: int = await connection.fetchval(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND usename = 'parcelcover_notifier'
                    AND xact_start IS NOT NULL
                """
            )
            return found

    notifier.policies.on_asked = lambda: open_transactions.append(asyncio.create_task(count()))
    await notifier.bus.say(policy_paid())

    await notifier.fire()

    assert [await counted for counted in open_transactions] == [0]


async def test_sends_in_the_order_in_which_things_were_said(notifier: Notifier) -> None:
    await notifier.bus.say(claim_filed(), claim_decided(), payout_sent())

    await notifier.fire()

    assert [mail["Subject"] for mail in notifier.mail.mails] == [
        "We received your claim: loss of the parcel (order SO-77)",
        "Your claim for loss of the parcel: approved (order SO-77)",
        "RM 250.00 is on its way to you (order SO-77)",
    ]


async def test_writes_in_the_customers_language(notifier: Notifier) -> None:
    notifier.policies.has("ann@example.test", locale="zh-CN")
    await notifier.bus.say(claim_decided(outcome="DENIED", payout=myr("0")))

    await notifier.fire()

    [mail] = notifier.mail.mails
    assert mail["Subject"] == "您的理赔申请（包裹遗失）：未获批准（订单 SO-77）"
    assert mail["Content-Language"] == "zh-Hans"


async def test_a_plan_that_is_known_gives_its_time_zone(notifier: Notifier) -> None:
    plan = notifier.running.plans.newest("mypoz-cargo")
    pin = {"plan": plan.plan, "version": plan.version, "sha256": plan.sha256}
    paid = policy_paid()
    known = policy_paid(plan=type(paid.plan)(**pin))
    await notifier.bus.say(known)

    await notifier.fire()

    [mail] = notifier.mail.mails
    text = mail.get_body(("plain",))
    assert text is not None
    assert "2026-03-02 18:00 (Asia/Kuala Lumpur, UTC+08:00)" in text.get_content()


async def test_a_mail_server_that_is_down_is_tried_again_and_gets_it_once(
    notifier: Notifier,
) -> None:
    await notifier.bus.say(policy_paid())
    await notifier.mail.stop()

    await notifier.fire()
    owed = await notifier.only()
    assert (owed.state, owed.attempts, owed.cause) == ("PENDING", 1, "smtp: SMTPConnectError")
    assert await notifier.bus.deadlines() == [owed.notification_id]

    await notifier.mail.start()
    while await notifier.fire():
        pass

    owed = await notifier.only()
    assert (owed.state, owed.attempts, owed.cause) == ("SENT", 2, None)
    assert len(notifier.mail.mails) == 1
    assert len(await said(notifier)) == 1


async def test_a_failed_sending_waits_before_it_is_tried_again(notifier: Notifier) -> None:
    await notifier.bus.say(policy_paid())
    notifier.mail.to_recipient = "450 4.2.1 Try later"

    await notifier.fire()

    async with notifier.db.worker() as connection:
        row = await connection.fetchrow(
            "SELECT attempts, retry_at > now() AS waits FROM deadlines"
        )
    assert dict(row) == {"attempts": 1, "waits": True}


async def test_gives_up_after_the_attempts_it_is_allowed(notifier: Notifier) -> None:
    await notifier.bus.say(policy_paid())
    notifier.mail.to_content = "451 4.3.0 Mailbox of ann@example.test is busy"

    while await notifier.fire():
        pass

    owed = await notifier.only()
    assert (owed.state, owed.attempts, owed.cause) == ("FAILED", 3, "smtp: 451 4.3.0")
    assert owed.address is None
    assert await notifier.bus.deadlines() == []
    assert await said(notifier) == []


@pytest.mark.parametrize("where", ["to_recipient", "to_content"])
async def test_a_mail_refused_for_good_is_not_tried_again(
    notifier: Notifier, where: str
) -> None:
    await notifier.bus.say(policy_paid())
    setattr(notifier.mail, where, "550 5.1.1 <ann@example.test>: no such user")

    await notifier.fire()

    owed = await notifier.only()
    assert (owed.state, owed.attempts, owed.cause) == ("FAILED", 1, "smtp: 550 5.1.1")
    assert await notifier.bus.deadlines() == []


async def test_a_failure_names_no_person_anywhere(notifier: Notifier, logs: Logs) -> None:
    await notifier.bus.say(policy_paid())
    notifier.mail.to_content = "451 ann@example.test is over quota"

    await notifier.fire()

    async with notifier.db.worker() as connection:
        kept = await connection.fetchval("SELECT failure FROM deadlines")
    [failed] = [line for line in logs if line["event"] == "deadline_failed"]
    told = [kept, str(await notifier.only()), *traceback.format_exception(failed["exc_info"])]
    assert "ann@" not in "".join(told)


async def test_a_crash_between_sending_and_marking_sends_the_same_mail_again(
    notifier: Notifier,
) -> None:
    """At least once: the server has said yes, the process dies before it can write that down."""
    await notifier.bus.say(policy_paid())
    owed = await notifier.only()
    process = asyncio.create_task(send(notifier, owed))
    notifier.mail.on_taken = process.cancel
    with pytest.raises(asyncio.CancelledError):
        await process
    assert (await notifier.only()).state == "PENDING"

    notifier.mail.on_taken = lambda: None
    await notifier.fire()

    first, second = notifier.mail.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert (await notifier.only()).state == "SENT"
    assert len(await said(notifier)) == 1


async def test_two_processes_that_send_at_once_mark_it_once(notifier: Notifier) -> None:
    await notifier.bus.say(policy_paid())
    owed = await notifier.only()

    await asyncio.gather(send(notifier, owed), send(notifier, owed))

    assert (await notifier.only()).attempts == 1
    assert len(await said(notifier)) == 1


async def test_a_process_that_comes_late_sends_nothing(notifier: Notifier) -> None:
    await notifier.bus.say(policy_paid())
    owed = await notifier.only()
    await send(notifier, owed)

    await send(notifier, owed)

    assert len(notifier.mail.mails) == 1


@pytest.mark.parametrize(
    ("email", "cause"),
    [
        (None, "NO_ADDRESS"),
        ("ann@example.test\r\nBcc: eve@example.test", "BAD_ADDRESS"),
    ],
)
async def test_a_customer_who_cannot_be_reached_is_skipped(
    notifier: Notifier, email: str | None, cause: str
) -> None:
    notifier.policies.has(email)
    await notifier.bus.say(policy_paid())

    await notifier.fire()

    owed = await notifier.only()
    assert (owed.state, owed.cause) == ("SKIPPED", cause)
    assert notifier.mail.mails == []
    assert await notifier.bus.deadlines() == []
    assert await said(notifier) == []


async def test_a_policy_the_tenant_does_not_have_is_skipped(notifier: Notifier) -> None:
    await notifier.bus.say(policy_paid(policy_id="pol_other"))

    await notifier.fire()

    owed = await notifier.only()
    assert (owed.state, owed.cause) == ("SKIPPED", "UNKNOWN_POLICY")


async def test_a_claim_on_no_policy_has_nobody_to_tell(notifier: Notifier) -> None:
    await notifier.bus.say(claim_filed(policy_id=""))

    await notifier.fire()

    owed = await notifier.only()
    assert (owed.state, owed.cause, owed.notice.claim_id) == ("SKIPPED", "NO_POLICY", CLAIM)
    assert notifier.policies.callers == []


async def test_a_policy_service_that_cannot_say_is_asked_again(notifier: Notifier) -> None:
    await notifier.bus.say(policy_paid())
    not_a_contact = "policy service: its answer is not a contact"
    for answer, cause in (
        (Response(status_code=503), "policy service: status 503"),
        (Response('{"email": "ann@example.test"}', status_code=200), not_a_contact),
    ):
        notifier.policies.answer = answer
        await notifier.fire()
        owed = await notifier.only()
        assert (owed.state, owed.cause) == ("PENDING", cause)

    notifier.policies.answer = None
    await notifier.fire()
    assert (await notifier.only()).state == "SENT"


async def test_a_policy_service_that_is_down_is_asked_again(notifier: Notifier) -> None:
    await notifier.bus.say(policy_paid())
    await notifier.policies.stop()

    await notifier.fire()

    owed = await notifier.only()
    assert (owed.state, owed.cause) == ("PENDING", "policy service: ConnectError")


async def test_a_sandbox_with_a_clock_of_its_own_is_written_to_at_once(
    notifier: Notifier,
) -> None:
    """Its clock stands long ago: what were due by the machine's would never come."""
    moved = notifier.bus.message(clock_moved(LONG_AGO), at=LONG_AGO)
    paid = notifier.bus.message(policy_paid(), at=LONG_AGO - timedelta(hours=1))
    await notifier.bus.hand_over(paid, moved)

    await notifier.fire()

    owed = await notifier.only()
    assert owed.state == "SENT"
    assert owed.sent_at == LONG_AGO


def with_staff(notifier: Notifier, folder: Path, email: str) -> None:
    """The notifier's tenants, where MyPoz wants its staff told."""
    usual = Settings().tenants.read_text()
    path = folder / "tenants.yaml"
    path.write_text(usual.replace("  mypoz:\n", f"  mypoz:\n    staff_email: {email}\n"))
    notifier.running.tenants = load_tenants(path)


async def test_staff_are_written_to_at_their_own_address_and_the_claimant_at_theirs(
    notifier: Notifier, tmp_path: Path
) -> None:
    with_staff(notifier, tmp_path, "desk@mypoz.example")
    await notifier.bus.say(of_claim("ClaimOverdue"))

    await notifier.fire()

    mails = dict(zip(notifier.mail.recipients, notifier.mail.mails, strict=True))
    assert mails.keys() == {"desk@mypoz.example", "ann@example.test"}
    assert mails["desk@mypoz.example"]["Subject"].startswith("Overdue since 2026-03-01")
    assert "late (order SO-77)" in mails["ann@example.test"]["Subject"]
    assert {owed.state for owed in await notifier.bus.owed()} == {"SENT"}


async def test_staff_hear_of_a_claim_on_no_policy_and_nobody_is_asked_for_them(
    notifier: Notifier, tmp_path: Path
) -> None:
    with_staff(notifier, tmp_path, "desk@mypoz.example")
    await notifier.bus.say(of_claim("ApprovalRequested", policy_id=""))

    await notifier.fire()

    assert notifier.mail.recipients == ["desk@mypoz.example"]
    assert notifier.policies.callers == []


async def test_where_a_tenant_wants_no_letters_for_its_staff_they_are_skipped(
    notifier: Notifier,
) -> None:
    await notifier.bus.say(of_claim("ApprovalRequested"))

    await notifier.fire()

    owed = await notifier.only()
    assert (owed.state, owed.cause, owed.recipient) == ("SKIPPED", "NO_ADDRESS", "staff")
    assert notifier.mail.mails == []
    assert await notifier.bus.deadlines() == []
