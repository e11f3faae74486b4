"""A mail server that delivers nothing: it keeps what it is given, in memory and as .eml files."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.ports import LOOPBACK, free_port

MAX_KEPT = 10_000
MAX_MAIL_BYTES = 5_000_000


class Mailbox:
    """The mails of all recipients in the order they came; the newest MAX_KEPT in memory."""

    def __init__(self, folder: Path, *, port: int) -> None:
        self.folder = folder
        self.host = LOOPBACK
        self.port = port
        self._mails: deque[EmailMessage] = deque(maxlen=MAX_KEPT)
        self._came = asyncio.Condition()
        self._count = len(list(folder.glob("*.eml")))
        self._server: asyncio.Server | None = None

    def mails(self, to: str | None = None) -> Sequence[EmailMessage]:
        """What came since the start, or what of it went to one address."""
        return [mail for mail in self._mails if to is None or to in _recipients(mail)]

    async def wait_for(
        self, is_wanted: Callable[[EmailMessage], bool], *, timeout_seconds: float = 10
    ) -> EmailMessage:
        """The first mail that is wanted, come already or to come. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds), self._came:
            while (wanted := next(filter(is_wanted, self._mails), None)) is None:
                await self._came.wait()
            return wanted

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(
                self,
                hostname="parcelcover.invalid",
                data_size_limit=MAX_MAIL_BYTES,
                enable_SMTPUTF8=True,
                loop=loop,
            ),
            self.host,
            self.port,
        )

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        content = envelope.content
        if not isinstance(content, bytes):
            return "451 The mail came as text; bytes are wanted."
        mail = message_from_bytes(content, policy=policy.SMTP)
        # Who really gets it, which the headers need not say.
        mail["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
        async with self._came:
            self._count += 1
            path = self.folder / f"{self._count:06}.eml"
            await asyncio.to_thread(path.write_bytes, mail.as_bytes())
            self._mails.append(mail)
            self._came.notify_all()
        return f"250 Kept as {path.name}."


async def start(folder: Path, *, port: int | None = None) -> Mailbox:
    """Start the server on a free port unless one is given; `folder` is made when new."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    mailbox = Mailbox(folder, port=port or free_port())
    await mailbox.run()
    return mailbox


def _recipients(mail: EmailMessage) -> list[str]:
    return str(mail["X-Envelope-To"]).split(", ")
