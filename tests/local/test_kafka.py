"""Our own broker: Apache Kafka with data that outlives a kill, or Tansu and a word about it."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local import kafka
from deploy.local.kafka import Broker
from deploy.local.processes import StartRefused


@pytest.mark.durable_broker
async def test_keeps_what_was_acknowledged_over_a_kill(durable_broker: Broker) -> None:
    sent = [f"event {number}".encode() for number in range(500)]
    await _send(durable_broker, sent)

    await durable_broker.kill()
    await durable_broker.restart()

    assert await _read(durable_broker, len(sent)) == sent


@pytest.mark.durable_broker
async def test_clients_find_it_again_after_a_kill(durable_broker: Broker) -> None:
    producer = await _producer(durable_broker)
    consumer = AIOKafkaConsumer(
        "policies",
        bootstrap_servers=durable_broker.bootstrap,
        group_id="reader",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    await producer.send_and_wait("policies", b"before", key=b"pol_1")
    before = await consumer.getone()
    await consumer.commit()

    await durable_broker.kill()
    await durable_broker.restart()
    await producer.send_and_wait("policies", b"after", key=b"pol_1")
    after = await consumer.getone()
    await consumer.stop()
    await producer.stop()

    assert [before.value, after.value] == [b"before", b"after"]


@pytest.mark.durable_broker
async def test_keeps_its_data_and_topics_between_runs(
    durable_broker: Broker, tmp_path: Path
) -> None:
    await _send(durable_broker, [b"kept"])
    await durable_broker.stop()

    again = await kafka.start(tmp_path / "kafka", partitions=7)
    read = await _read(again, 1)
    partitions = await _partitions(again)
    await again.stop()

    assert read == [b"kept"]
    assert partitions == dict.fromkeys(kafka.TOPICS, kafka.PARTITIONS)


async def test_tansu_takes_its_place_and_remakes_the_topics_it_forgets(tmp_path: Path) -> None:
    broker = await kafka.start(tmp_path, choice="tansu", partitions=2)
    await broker.kill()
    await broker.restart()
    await _send(broker, [b"one", b"two"])
    read = await _read(broker, 2)
    partitions = await _partitions(broker)
    await broker.stop()

    assert read == [b"one", b"two"]
    assert partitions == dict.fromkeys(kafka.TOPICS, 2)
    assert (broker.name, broker.durable, broker.idempotent) == ("Tansu 0.6.0", False, False)


async def test_says_why_kafka_cannot_be_had_and_takes_tansu(
    unreachable_maven: Path, tmp_path: Path
) -> None:
    said: list[str] = []

    broker = await kafka.start(tmp_path / "kafka", choice="auto", say=said.append)
    await broker.stop()

    assert broker.name == "Tansu 0.6.0"
    assert any("no route to the repository" in line for line in said)
    assert any("forgets" in line for line in said)
    assert _files(unreachable_maven) == []


async def test_takes_nothing_else_where_kafka_is_demanded(
    unreachable_maven: Path, tmp_path: Path
) -> None:
    with pytest.raises(StartRefused, match="no route to the repository"):
        await kafka.start(tmp_path / "kafka", choice="kafka")


async def test_uses_a_broker_that_is_there_and_leaves_it_alone(tmp_path: Path) -> None:
    broker = await kafka.start(tmp_path, choice="tansu", topics=[])

    theirs = await kafka.at(broker.bootstrap)
    await theirs.stop()
    partitions = await _partitions(broker)
    await broker.stop()

    assert partitions == dict.fromkeys(kafka.TOPICS, kafka.PARTITIONS)
    with pytest.raises(StartRefused):
        await theirs.kill()


async def test_says_which_broker_cannot_be_reached() -> None:
    with pytest.raises(StartRefused, match=r"127\.0\.0\.1:1\b"):
        await kafka.at("127.0.0.1:1")


async def test_refuses_a_choice_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(kafka.CHOICE_VARIABLE, "redpanda")

    with pytest.raises(StartRefused, match="auto, kafka or tansu"):
        await kafka.start(tmp_path)


@pytest.fixture
def unreachable_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and an mvn on the path that fails as without a network."""
    mvn = tmp_path / "bin" / "mvn"
    mvn.parent.mkdir()
    mvn.write_text("#!/bin/sh\necho '[ERROR] no route to the repository'\nexit 1\n")
    mvn.chmod(0o755)
    monkeypatch.setenv("PATH", f"{mvn.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def _producer(broker: Broker) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, acks="all", enable_idempotence=broker.idempotent
    )
    await producer.start()
    return producer


async def _send(broker: Broker, values: Sequence[bytes]) -> None:
    producer = await _producer(broker)
    acknowledged = [await producer.send("policies", value, key=b"pol_1") for value in values]
    for message in acknowledged:
        await message
    await producer.stop()


async def _read(broker: Broker, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        "policies", bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    values = [(await consumer.getone()).value for _ in range(count)]
    await consumer.stop()
    return values


async def _partitions(broker: Broker) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    topics = await admin.describe_topics(list(kafka.TOPICS))
    await admin.close()
    return {topic["topic"]: len(topic["partitions"]) for topic in topics}
