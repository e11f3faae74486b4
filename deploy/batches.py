"""A file of parcels, uploaded from the command line: streamed, followed, its answers beside it."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
from rich.console import Console
from rich.progress import Progress

from deploy.asking import POLL_SECONDS, TIMEOUT_SECONDS, NoAnswer, patiently, progress_of, why

FORMS: Final[Mapping[str, str]] = {
    ".csv": "text/csv",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
}
CHUNK_BYTES: Final = 65_536

Json = dict[str, Any]


class UploadRefused(Exception):
    """The service does not take the file; the message says why."""


def upload(
    file: Path,
    url: str,
    token: str,
    params: Mapping[str, str],
    *,
    again: bool,
    console: Console,
) -> int:
    """Exit code: 0 when every row is booked or was before, 1 when some are not, 2 when none can be."""
    form = FORMS.get(file.suffix.lower())
    if form is None:
        console.print(f"{file.name} is none of {', '.join(FORMS)}.", markup=False)
        return 2
    # The same file is the same batch: a command that was cut off is run again to follow it.
    key = uuid4().hex if again else _digest(file, params)
    sent_as = {"content-type": form, "idempotency-key": key}
    headers = {"authorization": f"Bearer {token}"}
    with (
        httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS) as client,
        progress_of(console) as progress,
    ):
        try:
            path = _uploaded(client, file, params, sent_as, progress)
            batch = _followed(client, path, progress)
            answers = file.with_name(f"{file.name}.answers.csv")
            _save_answers(client, path, answers)
        except (UploadRefused, NoAnswer) as refusal:
            progress.stop()
            console.print(str(refusal), markup=False)
            return 2
        except KeyboardInterrupt:
            progress.stop()
            console.print("What is uploaded is worked on. The same command again follows it.")
            return 130
    _summarise(batch, answers, console)
    return 1 if batch["refused"] or batch["state"] != "DONE" else 0


def _digest(file: Path, params: Mapping[str, str]) -> str:
    digest = hashlib.sha256(repr(sorted(params.items())).encode())
    for chunk in _chunks(file):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            yield chunk


def _uploaded(
    client: httpx.Client,
    file: Path,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    progress: Progress,
) -> str:
    """Where the batch is."""
    size = file.stat().st_size
    task = progress.add_task("Uploading, in KiB", total=size // 1_024)

    def sent() -> Iterator[bytes]:
        progress.reset(task)
        for chunk in _chunks(file):
            yield chunk
            progress.advance(task, len(chunk) / 1_024)

    def post() -> httpx.Response:
        return client.post(
            "/v1/batches",
            params=params,
            content=sent(),
            headers={**headers, "content-length": str(size)},
        )

    # Harmless to send again, by its key.
    response = patiently(post)
    if response.status_code != 202:
        raise UploadRefused(why(response))
    progress.update(task, completed=size // 1_024)
    location: str = response.headers["location"]
    return location


def _followed(client: httpx.Client, path: str, progress: Progress) -> Json:
    """The batch once nothing of it waits any more."""
    task = progress.add_task("Booking, in rows", total=None)
    while True:
        response = patiently(lambda: client.get(path))
        if response.status_code != 200:
            raise UploadRefused(why(response))
        batch: Json = response.json()
        progress.update(task, total=batch["rows"], completed=batch["done"])
        if batch["state"] != "RUNNING":
            return batch
        time.sleep(POLL_SECONDS)


def _save_answers(client: httpx.Client, path: str, answers: Path) -> None:
    """Whole or not at all."""
    unfinished = answers.with_name(f"{answers.name}.unfinished")
    with (
        client.stream("GET", f"{path}/answers", headers={"accept": "text/csv"}) as response,
        unfinished.open("wb") as opened,
    ):
        if response.status_code != 200:
            response.read()
            raise UploadRefused(why(response))
        for chunk in response.iter_bytes():
            opened.write(chunk)
    unfinished.replace(answers)


def _summarise(batch: Json, answers: Path, console: Console) -> None:
    counts = ", ".join(f"{batch[name]} {name}" for name in ("booked", "repeated", "refused"))
    premium = " + ".join(one["formatted"] for one in batch["premium"]) or "nothing"
    paid = " + ".join(one["formatted"] for one in batch["paid"]) or "nothing"
    console.print(f"{batch['batch_id']} is {batch['state']}: of {batch['rows']} rows {counts}.")
    console.print(f"Premium {premium}, of it paid {paid}.")
    console.print(f"Each row's answer is in {answers}.", markup=False)
