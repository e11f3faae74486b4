"""Group commit: one transaction for all who wait, and whoever has left gets nothing."""

import asyncio
from collections.abc import Sequence

import pytest

from libs.common.errors import Conflict, Refusal, Unavailable
from libs.common.groupcommit import MAX_BATCH, MAX_WAITING, GroupWriter, writing


class Ledger:
    """Keeps what is committed, and the sizes of the transactions."""

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.sizes: list[int] = []

    async def commit(self, batch: Sequence[int]) -> Sequence[str | Exception]:
        await asyncio.sleep(0)
        if any(number < 0 for number in batch):
            raise ValueError(f"one of {len(batch)} is below zero")
        self.kept += batch
        self.sizes.append(len(batch))
        return [Conflict("odd") if number % 2 else str(number) for number in batch]


async def _run(writer: GroupWriter[int, str], waiting: "asyncio.Future[list[object]]") -> None:
    running = asyncio.create_task(writer.run())
    await waiting
    writer.stop()
    await running


async def test_turns_away_when_too_many_wait() -> None:
    ledger = Ledger()
    writer = GroupWriter(ledger.commit, "numbers")
    waiting = asyncio.gather(
        *(writer.write(2 * n) for n in range(MAX_WAITING + 5)), return_exceptions=True
    )
    await asyncio.sleep(0)

    await _run(writer, waiting)

    refused = [outcome for outcome in waiting.result() if isinstance(outcome, Refusal)]
    assert [refusal.status for refusal in refused] == [503] * 5
    assert len(ledger.kept) == MAX_WAITING
    assert max(ledger.sizes) <= MAX_BATCH


async def test_who_has_stopped_waiting_gets_nothing() -> None:
    ledger = Ledger()
    writer = GroupWriter(ledger.commit, "numbers")
    leaving = asyncio.create_task(writer.write(2))
    waiting = asyncio.gather(writer.write(4))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.sleep(0)

    await _run(writer, waiting)

    assert ledger.kept == [4]


async def test_each_is_told_what_came_of_its_own() -> None:
    ledger = Ledger()

    async with writing(ledger.commit, "numbers") as writer:
        outcomes = await asyncio.gather(
            *(writer.write(number) for number in (2, 3, -1, 4)), return_exceptions=True
        )

    assert outcomes[0] == "2"
    assert isinstance(outcomes[1], Conflict)
    assert isinstance(outcomes[2], ValueError)
    assert outcomes[3] == "4"
    assert sorted(ledger.kept) == [2, 3, 4]


async def test_takes_no_more_once_it_stops() -> None:
    ledger = Ledger()

    async with writing(ledger.commit, "numbers") as writer:
        await writer.write(2)

    with pytest.raises(Unavailable):
        await writer.write(4)
    assert ledger.kept == [2]
