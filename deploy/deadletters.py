"""Dead letters for the operator: list, show with cause, replay one key or all, of every tenant."""

from rich.console import Console
from rich.table import Table

from deploy.running import running
from libs.common import deadletter
from libs.common.consumer import replay as replay_key

_console = Console(highlight=False, soft_wrap=True)


async def show_all(name: str) -> int:
    """A table of what is parked; exit code 1 when anything is."""
    async with running(name) as parts:
        letters = await deadletter.list_letters(parts.db, limit=1_000)
    table = Table("id", "tenant", "key", "type", "cause", "detail", "parked at")
    for letter in letters:
        cause = letter.parking.cause or "waits"
        table.add_row(
            str(letter.id),
            letter.tenant_id or "",
            letter.message.key,
            letter.type or "",
            cause,
            letter.parking.detail[:80],
            letter.parked_at.isoformat(timespec="seconds"),
        )
    if letters:
        _console.print(table)
    _console.print(f"{len(letters)} dead letters in {name}.")
    return 1 if letters else 0


async def show_one(name: str, letter_id: int) -> int:
    async with running(name) as parts:
        letter = await deadletter.find_letter(parts.db, letter_id)
    if letter is None:
        _console.print(f"No dead letter {letter_id} in {name}.")
        return 1
    message = letter.message
    _console.print(f"{letter.type or 'not an event'} on {message.topic}, key {message.key}")
    _console.print(f"partition {message.partition}, offset {message.offset}")
    _console.print(f"cause: {letter.parking.cause or 'waits behind an earlier one of its key'}")
    _console.print(letter.parking.detail, markup=False)
    _console.print(message.value.decode(errors="replace"), markup=False)
    return 0


async def replay(name: str, key: str | None) -> int:
    """Redo a key's letters, or all, in order; exit code 1 when some still fail."""
    async with running(name) as parts:
        keys = [key] if key else await deadletter.list_keys(parts.db, name)
        done = 0
        with _console.status(f"Replaying {len(keys)} keys"):
            for one in keys:
                done += await replay_key(parts.db, name, parts.handlers, one)
        left = sum([len(await deadletter.of_key(parts.db, name, one)) for one in keys])
    _console.print(f"{done} replayed, {left} left.")
    return 1 if left else 0
