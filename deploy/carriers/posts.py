"""What carriers posted, in files: a document is a post, so is each line of an .ndjson; or a folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DOCUMENTS: Final[Mapping[str, str]] = {".json": "application/json", ".xml": "application/xml"}
LINES: Final[Mapping[str, str]] = {".ndjson": "application/json", ".jsonl": "application/json"}
FORMS: Final[Mapping[str, str]] = {**DOCUMENTS, **LINES}


class NoPosts(Exception):
    """There is nothing to post; the message says why."""


@dataclass(frozen=True, slots=True)
class Post:
    """A body, and where it is: files may be larger than memory. `line` 0: all of the file."""

    file: Path
    start: int
    length: int
    line: int = 0

    @property
    def place(self) -> str:
        return f"{self.file.name}:{self.line}" if self.line else self.file.name

    @property
    def media_type(self) -> str:
        return FORMS[self.file.suffix.lower()]

    def read(self) -> bytes:
        with self.file.open("rb") as opened:
            opened.seek(self.start)
            return opened.read(self.length)


def posts_of(path: Path) -> list[Post]:
    """Those of a file, or of all files of a folder by their names; NoPosts where there are none."""
    if path.is_file() and path.suffix.lower() not in FORMS:
        raise NoPosts(f"{path.name} is none of {', '.join(FORMS)}.")
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    posts = [
        post
        for file in files
        if file.is_file() and file.suffix.lower() in FORMS
        for post in _posts_in(file)
    ]
    if not posts:
        raise NoPosts(f"Nothing to post in {path}: {', '.join(FORMS)} are looked for.")
    return posts


def _posts_in(file: Path) -> Iterator[Post]:
    if file.suffix.lower() in DOCUMENTS:
        yield Post(file, 0, file.stat().st_size)
        return
    start = 0
    with file.open("rb") as opened:
        for number, line in enumerate(opened, start=1):
            if body := line.rstrip(b"\r\n"):
                yield Post(file, start, len(body), number)
            start += len(line)
