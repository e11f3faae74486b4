"""The notifier at work: its database, a mail server and a policy service of flesh and blood."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Annotated, Any

import httpx
import pytest
import pytest_asyncio
import structlog
import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, Response

from libs.common.auth import INTERNAL_READ, Authenticator, Caller, requires
from libs.common.clock import system_now
from libs.common.db import Database
from libs.common.deadlines import DeadlineRunner
from libs.common.settings import Settings
from services.notifier.domain.notices import Notification
from services.notifier.store import get_notification
from tests.conftest import AppOf, DbOf
from tests.notifier.builders import POLICY, TENANT, Bus

# Longer than the deadline runner ever waits before it tries again.
AN_HOUR = timedelta(hours=1)

Logs = list[MutableMapping[str, Any]]


class MailServer:
    """Keeps what it takes, and answers otherwise where it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        # What to answer instead of taking the mail.
        self.to_recipient: str | None = None
        self.to_content: str | None = None
        # Called when a mail is taken, before the sender hears of it.
        self.on_taken: Callable[[], object] = lambda: None
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.test", loop=loop), "127.0.0.1", self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if self.to_recipient is not None:
            return self.to_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.to_content is not None:
            return self.to_content
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients += envelope.rcpt_tos
        self.on_taken()
        return "250 OK"


class PolicyService:
    """Stands for the policy service's contact endpoint; it lets in whom the real one would."""

    def __init__(self, settings: Settings) -> None:
        self.contacts: dict[tuple[str, str], dict[str, Any]] = {}
        self.callers: list[Caller] = []
        # Called when it is asked, before it answers.
        self.on_asked: Callable[[], object] = lambda: None
        # The whole answer, in place of a contact.
        self.answer: Response | None = None
        self.url = ""
        self._server: uvicorn.Server | None = None
        self.app = FastAPI()
        self.app.state.authenticator = Authenticator(settings)
        self.app.get("/internal/policies/{policy_id}/contact", response_model=None)(
            self.show_contact
        )

    async def show_contact(
        self, policy_id: str, caller: Annotated[Caller, requires(INTERNAL_READ)]
    ) -> Response | dict[str, Any]:
        self.callers.append(caller)
        self.on_asked()
        if self.answer is not None:
            return self.answer
        contact = self.contacts.get((caller.tenant_id, policy_id))
        return Response(status_code=404) if contact is None else contact

    def has(self, email: str | None, *, locale: str = "en", order_ref: str = "SO-77") -> None:
        self.contacts[TENANT, POLICY] = {
            "policy_id": POLICY,
            "email": email,
            "locale": locale,
            "order_ref": order_ref,
        }

    async def start(self) -> None:
        config = uvicorn.Config(
            self.app, host="127.0.0.1", port=0, ws="none", lifespan="off", log_config=None
        )
        socket = config.bind_socket()
        self.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[socket])
        self._server = server

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()
            self._server = None


class Notifier:
    """The service with its clock in our hand: `fire` is what the deadline runner does."""

    def __init__(
        self, client: httpx.AsyncClient, db: Database, mail: MailServer, policies: PolicyService
    ) -> None:
        self.client = client
        self.db = db
        self.mail = mail
        self.policies = policies
        self.bus = Bus(db)
        self.running = client.app.state.running  # type: ignore[attr-defined]

    async def fire(self) -> bool:
        """Run what is due, retries included; whether anything was."""
        runner = DeadlineRunner(self.running.jobs)
        async with self.db.worker() as connection:
            return await runner.fire_due(connection, system_now() + AN_HOUR)

    async def only(self) -> Notification:
        [owed] = await self.bus.owed()
        return owed

    async def get(self, notification_id: str) -> Notification:
        async with self.db.transaction(TENANT) as tx:
            return await get_notification(tx, notification_id, tenant_id=TENANT)


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    """What is logged meanwhile. Drawing the tracebacks of failures would take seconds."""
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest_asyncio.fixture
async def bus(db_of: DbOf) -> Bus:
    return Bus(await db_of("notifier"))


@pytest_asyncio.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    server = MailServer()
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def policy_service(settings_of: Callable[..., Settings]) -> AsyncIterator[PolicyService]:
    service = PolicyService(settings_of("policy"))
    service.has("ann@example.test")
    await service.start()
    yield service
    await service.stop()


@pytest_asyncio.fixture
async def notifier(
    app_of: AppOf, mail_server: MailServer, policy_service: PolicyService
) -> Notifier:
    client = await app_of(
        "notifier",
        policy_url=policy_service.url,
        smtp_host="127.0.0.1",
        smtp_port=mail_server.port,
        smtp_timeout_seconds=5,
        mail_from="Mypoz <mail@mypoz.example>",
        mail_attempts=3,
    )
    db: Database = client.app.state.running.db  # type: ignore[attr-defined]
    return Notifier(client, db, mail_server, policy_service)
