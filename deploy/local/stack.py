"""All of Parcelcover on this machine: PostgreSQL, Kafka, a mail catcher, keys, four services.

async with Stack.up(Path(".parcelcover")) as stack:
    ...  # stack.urls["quote"], stack.token(tenant=..., scopes=...), stack.mailbox.mails()
"""

import asyncio
import fcntl
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import kafka, keys, postgres, smtp
from deploy.local.kafka import Broker
from deploy.local.ports import free_port, is_free
from deploy.local.postgres import Postgres
from deploy.local.processes import ChildEnded, Server, StartRefused
from deploy.local.services import USUAL_PORTS, Service, Surroundings, environment
from deploy.local.smtp import Mailbox
from deploy.local.steps import Steps
from libs.common.auth import SCOPES
from libs.common.migrate import SERVICES, EditedMigration, migrate

FOLDER = Path(".parcelcover")
TRIAL_TENANT = "sbx-cssbuy-me"
_ROOMS = ("postgres", "kafka", "mails", "keys", "logs", "evidence")
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack that is up. Its servers can be killed and restarted one by one."""

    folder: Path
    postgres: Postgres
    broker: Broker
    mailbox: Mailbox
    services: Mapping[str, Service]

    @property
    def urls(self) -> dict[str, str]:
        return {name: service.url for name, service in self.services.items()}

    @property
    def bootstrap(self) -> str:
        return self.broker.bootstrap

    def token(
        self,
        *,
        tenant: str,
        scopes: Iterable[str],
        subject: str = "local",
        lifetime_seconds: int = keys.TOKEN_SECONDS,
    ) -> str:
        """A caller's bearer token."""
        return keys.issue_token(
            self.folder / "keys",
            tenant=tenant,
            scopes=scopes,
            subject=subject,
            lifetime_seconds=lifetime_seconds,
        )

    async def until_a_child_ends(self) -> None:
        """Raises ChildEnded, with its last log lines, once a process ends that nobody stopped."""
        servers: list[Server] = [self.postgres, self.broker, *self.services.values()]
        while True:
            for child in [server.child for server in servers]:
                if child is not None and not child.is_running:
                    raise ChildEnded(child.obituary())
            await asyncio.sleep(_POLL_SECONDS)

    @classmethod
    @asynccontextmanager
    async def up(
        cls,
        folder: Path = FOLDER,
        *,
        fresh: bool = False,
        fsync: bool = True,
        usual_ports: bool = False,
        env: Mapping[str, str] | None = None,
        progress: Steps | None = None,
    ) -> AsyncIterator["Stack"]:
        """Start everything on `folder`, and stop everything at the end of the block.

        `fresh` forgets what the folder kept; `usual_ports` gives the services 8101 to 8104 where
        those are free; `env` is added to what the services are told. DATABASE_URL and
        KAFKA_BOOTSTRAP_SERVERS name servers to use instead of our own. Raises StartRefused or
        ChildEnded when it cannot start; what had started is stopped then.
        """
        home = _absolute(folder)
        async with AsyncExitStack() as exits:
            exits.enter_context(_locked(home))
            if fresh:
                await asyncio.to_thread(_forget, home)
            yield await _start(
                home,
                exits,
                fsync=fsync,
                ports=_ports(usual=usual_ports),
                env=env or {},
                steps=progress or Steps.quiet(),
            )


async def keep_up(folder: Path = FOLDER, *, fresh: bool = False) -> int:
    """`parcelcover up`: the stack until Ctrl-C or SIGTERM (0), or until a process ends (1)."""
    steps = Steps()
    try:
        with cancelled_by_signals():
            async with Stack.up(folder, fresh=fresh, usual_ports=True, progress=steps) as stack:
                _introduce(stack, steps)
                try:
                    await stack.until_a_child_ends()
                finally:
                    steps.say("Stopping.")
    except asyncio.CancelledError:
        pass  # as asked by a signal
    except (StartRefused, ChildEnded) as why:
        steps.say(str(why))
        return 1
    return 0


@contextmanager
def cancelled_by_signals() -> Iterator[None]:
    """Cancel this task on Ctrl-C and SIGTERM, so that `async with` blocks stop what they started."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    assert task is not None
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _start(
    home: Path,
    exits: AsyncExitStack,
    *,
    fsync: bool,
    ports: Mapping[str, int],
    env: Mapping[str, str],
    steps: Steps,
) -> Stack:
    try:
        async with asyncio.TaskGroup() as group:
            database = group.create_task(_database(home, exits, fsync=fsync, steps=steps))
            broker = group.create_task(_broker(home, exits, steps=steps))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    keys.make_keys(home / "keys")
    mailbox = await smtp.start(home / "mails")
    exits.push_async_callback(mailbox.stop)
    around = Surroundings(
        postgres=database.result(),
        broker=broker.result(),
        mailbox=mailbox,
        keys=home / "keys",
        evidence=home / "evidence",
    )
    services = {
        name: Service(
            name,
            port=ports[name],
            log=home / "logs" / f"{name}.log",
            env={**environment(name, around, ports), **env},
        )
        for name in SERVICES
    }
    exits.push_async_callback(_stop_all, services.values())
    await _run_all(services.values(), steps)
    return Stack(
        folder=home,
        postgres=around.postgres,
        broker=around.broker,
        mailbox=mailbox,
        services=services,
    )


async def _database(
    home: Path, exits: AsyncExitStack, *, fsync: bool, steps: Steps
) -> Postgres:
    with steps.step("PostgreSQL") as step:
        if url := os.environ.get("DATABASE_URL"):
            server = await postgres.at(url)
        else:
            server = await postgres.start(home / "postgres", fsync=fsync)
        exits.push_async_callback(server.stop)
        step.name = server.name
    with steps.step("Migrations") as step:
        try:
            ran = await migrate(server.admin_url, SERVICES)
        except EditedMigration as edited:
            raise StartRefused(
                f"{edited}. With --fresh the kept data is forgotten."
            ) from edited
        step.name = f"Migrations ({len(ran)} new)"
    return server


async def _broker(home: Path, exits: AsyncExitStack, *, steps: Steps) -> Broker:
    with steps.step("Kafka") as step:
        if bootstrap := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
            broker = await kafka.at(bootstrap)
        else:
            broker = await kafka.start(home / "kafka", say=steps.say)
        exits.push_async_callback(broker.stop)
        step.name = broker.name
    return broker


async def _run_all(services: Iterable[Service], steps: Steps) -> None:
    with steps.step("Services"):
        try:
            async with asyncio.TaskGroup() as group:
                for service in services:
                    group.create_task(service.run())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None


async def _stop_all(services: Iterable[Service]) -> None:
    await asyncio.gather(*(service.stop() for service in services))


def _introduce(stack: Stack, steps: Steps) -> None:
    """Where everything is, and a request to begin with."""
    for name, url in stack.urls.items():
        steps.say(f"  {name:<9} {url}/openapi.json")
    steps.say(f"  mails     {stack.mailbox.folder}")
    steps.say(f"  database  {stack.postgres.admin_url}")
    steps.say(f"  kafka     {stack.bootstrap}")
    token = stack.token(tenant=TRIAL_TENANT, scopes=SCOPES)
    steps.say(f"\nA sandbox's token for an hour ({TRIAL_TENANT}), and what it sells:")
    steps.say(f"  export TOKEN={token}")
    steps.say(f'  curl -H "Authorization: Bearer $TOKEN" {stack.urls["quote"]}/v1/plans')
    steps.say("\nCtrl-C stops everything; the data is kept.")


def _absolute(folder: Path) -> Path:
    return folder.absolute()


def _ports(*, usual: bool) -> dict[str, int]:
    return {
        name: port if usual and is_free(port) else free_port()
        for name, port in USUAL_PORTS.items()
    }


def _forget(home: Path) -> None:
    """Remove what a stack makes and nothing else: somebody may have named a folder of theirs."""
    for room in _ROOMS:
        shutil.rmtree(home / room, ignore_errors=True)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold the folder for this process. The kernel lets go of it when the process ends."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StartRefused(
                f"Another stack (process {lock.read().strip()}) runs on {home}. "
                "Stop it, or name another folder."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
