"""The mail catcher keeps what it is given."""

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest
import pytest_asyncio

from deploy.local import smtp
from deploy.local.smtp import Mailbox


@pytest_asyncio.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[Mailbox]:
    box = await smtp.start(tmp_path)
    yield box
    await box.stop()


async def test_lists_mails_by_recipient(mailbox: Mailbox) -> None:
    await _send(mailbox, to="ann@example.test", subject="Your claim")
    await _send(mailbox, to="bob@example.test", subject="Your policy")

    assert [mail["Subject"] for mail in mailbox.mails()] == ["Your claim", "Your policy"]
    assert [mail["Subject"] for mail in mailbox.mails(to="bob@example.test")] == ["Your policy"]


async def test_keeps_mails_as_files_between_runs(mailbox: Mailbox, tmp_path: Path) -> None:
    await _send(mailbox, to="ann@example.test", subject="Ihr Päckchen")

    again = await smtp.start(tmp_path)
    await _send(again, to="ann@example.test", subject="包裹")
    await again.stop()

    assert _subjects(tmp_path) == ["Ihr Päckchen", "包裹"]


async def test_waits_for_a_mail_that_is_still_to_come(mailbox: Mailbox) -> None:
    waiting = asyncio.create_task(mailbox.wait_for(lambda mail: mail["Subject"] == "Paid"))
    await _send(mailbox, to="ann@example.test", subject="Filed")
    await _send(mailbox, to="ann@example.test", subject="Paid")

    assert (await waiting)["Subject"] == "Paid"


async def test_gives_up_waiting_in_the_end(mailbox: Mailbox) -> None:
    with pytest.raises(TimeoutError):
        await mailbox.wait_for(lambda mail: True, timeout_seconds=0.05)


async def _send(mailbox: Mailbox, *, to: str, subject: str) -> None:
    mail = EmailMessage()
    mail["From"] = "parcelcover@example.test"
    mail["To"] = to
    mail["Subject"] = subject
    mail.set_content("Hello.")
    await aiosmtplib.send(mail, hostname=mailbox.host, port=mailbox.port)


def _subjects(folder: Path) -> list[str]:
    contents = [path.read_bytes() for path in sorted(folder.glob("*.eml"))]
    return [message_from_bytes(it, policy=policy.default)["Subject"] for it in contents]
