"""YAML as plan authors write it, read with its lines: every fault names file, place and reason.

Stricter than YAML: no anchors or aliases (a few bytes could mean gigabytes), no tags, no binary
fractions (0.03 is not three hundredths), no duplicate keys; and yes, no, on, off are plain texts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import yaml

from libs.common.errors import Fault, Invalid

MAX_BYTES = 262_144
MAX_DEPTH = 16
MAX_NODES = 20_000
MAX_DECIMAL = Decimal(10) ** 9

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_FRACTION = re.compile(
    r"[-+]?([0-9][0-9_]*)?\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?\.(inf|nan)", re.IGNORECASE
)
_NUMBER_LIKE = re.compile(r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?0[xob][0-9a-fA-F_]+")
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?")
_WORDS: Mapping[str, object] = {
    "": None,
    "~": None,
    "null": None,
    "true": True,
    "True": True,
    "false": False,
    "False": False,
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BrokenDocument(Invalid):
    """A file that cannot be read as what it should be. `faults` point at the places."""

    code = "broken-document"
    title = "The file is not a valid plan, tenant list or set of examples"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value of a document with its place. `value` is text, int, bool, None, or entries."""

    file: str
    line: int
    path: str
    value: object

    def fail(self, reason: str) -> NoReturn:
        raise broken(self.file, self.line, self.path, reason)

    def fields(self, *, required: str = "", optional: str = "") -> dict[str, "Entry"]:
        """The mapping's entries; the names are given as words, all others are refused."""
        entries = self.mapping()
        known = (*required.split(), *optional.split())
        for key, entry in entries.items():
            if key not in known:
                entry.fail(
                    f"unknown key {key!r}{hint(key, known)}; known here: {', '.join(known)}"
                )
        missing = [key for key in required.split() if key not in entries]
        if missing:
            self.fail(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
        return entries

    def mapping(self) -> dict[str, "Entry"]:
        if not isinstance(self.value, dict):
            self.fail(f"a mapping (key: value) is needed, not {self._shown()}")
        return self.value

    def sequence(self) -> list["Entry"]:
        if not isinstance(self.value, list):
            self.fail(f"a list is needed, not {self._shown()}")
        return self.value

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            self.fail(f"a text is needed, not {self._shown()}")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.fail(f"true or false is needed, not {self._shown()}")
        return self.value

    def integer(self, *, least: int = 0, most: int = 10**9) -> int:
        if type(self.value) is not int:
            self.fail(f"a whole number is needed, not {self._shown()}")
        if not least <= self.value <= most:
            self.fail(f"{self.value} is not between {least} and {most}")
        return self.value

    def decimal(self, *, least: Decimal = Decimal(0)) -> Decimal:
        text = str(self.value) if type(self.value) is int else self.value
        if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
            self.fail(f'a decimal in quotes such as "0.05" is needed, not {self._shown()}')
        number = Decimal(text)
        if not least <= number <= MAX_DECIMAL:
            self.fail(f"{number} is not between {least} and {MAX_DECIMAL}")
        return number

    def day(self) -> date:
        try:
            return date.fromisoformat(self.text())
        except ValueError:
            self.fail(f'a day such as "2024-05-06" is needed, not {self._shown()}')

    def word(self, known: Iterable[str], what: str) -> str:
        """One of the known words; `what` names them: 'a cause'."""
        word = self.text()
        if word not in (listed := sorted(known)):
            self.fail(
                f"{word!r} is not {what}{hint(word, listed)}; there are {', '.join(listed)}"
            )
        return word

    def words(self, known: Iterable[str], what: str) -> tuple[str, ...]:
        listed = frozenset(known)
        words = tuple(entry.word(listed, what) for entry in self.sequence())
        self._refuse_twice(words)
        return words

    def texts(self) -> tuple[str, ...]:
        texts = tuple(entry.text() for entry in self.sequence())
        self._refuse_twice(texts)
        return texts

    def plain(self) -> object:
        """The value without places: dict, list, text, int, bool or None."""
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value

    def _refuse_twice(self, words: Sequence[str]) -> None:
        twice = [word for word in dict.fromkeys(words) if words.count(word) > 1]
        if twice:
            self.fail(f"{', '.join(twice)} stands here twice")

    def _shown(self) -> str:
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        return "nothing" if self.value is None else repr(self.value)


def broken(file: str, line: int, path: str, reason: str) -> BrokenDocument:
    where = f"{file}:{line}" + (f" at {path}" if path else "")
    pointer = "#/" + path.replace("[", ".").replace("]", "").replace(".", "/")
    detail = f"{where}: {reason}."
    return BrokenDocument(detail, faults=[Fault(detail=reason, pointer=pointer)])


def read_file(path: Path) -> tuple[bytes, Entry]:
    """The file's bytes and its document; BrokenDocument where it cannot be read."""
    content = read_bytes(path)
    return content, read_document(content, path.name)


def read_bytes(path: Path) -> bytes:
    """BrokenDocument where the file cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise broken(path.name, 1, "", f"larger than the {MAX_BYTES} bytes that are read")
        return path.read_bytes()
    except OSError as error:
        raise broken(path.name, 1, "", f"cannot be read ({error.strerror})") from None


def read_document(content: bytes, file: str) -> Entry:
    """The one document in the bytes, with a line and a path on every value."""
    if len(content) > MAX_BYTES:
        raise broken(file, 1, "", f"larger than the {MAX_BYTES} bytes that are read")
    try:
        text = content.decode("utf-8")
        return _Builder(file).build(yaml.parse(text, Loader=_LOADER))
    except UnicodeDecodeError:
        raise broken(file, 1, "", "not UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        raise broken(file, line, "", str(getattr(error, "problem", error))) from None


def hint(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


class _Builder:
    """Builds entries from YAML's events one by one, so that nothing nests deeper than allowed."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0

    def build(self, events: Iterable[yaml.Event]) -> Entry:
        stream = iter(events)
        root: Entry | None = None
        for event in stream:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._refuse(event, "", "one document a file, please")
                root = self._value(next(stream), stream, "", 0)
        if root is None:
            raise broken(self._file, 1, "", "the file is empty")
        return root

    def _value(
        self, event: yaml.Event, events: Iterator[yaml.Event], path: str, depth: int
    ) -> Entry:
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH:
            raise self._refuse(
                event, path, f"more than {MAX_NODES} values or {MAX_DEPTH} levels"
            )
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._refuse(event, path, "anchors and aliases are not read; write it out")
        if tag := getattr(event, "tag", None):
            raise self._refuse(event, path, f"the tag {tag} is not read")
        line = _line(event)
        if isinstance(event, yaml.MappingStartEvent):
            return Entry(self._file, line, path, self._mapping(events, path, depth))
        if isinstance(event, yaml.SequenceStartEvent):
            return Entry(self._file, line, path, self._sequence(events, path, depth))
        assert isinstance(event, yaml.ScalarEvent)
        return Entry(self._file, line, path, self._scalar(event, path))

    def _mapping(self, events: Iterator[yaml.Event], path: str, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent) or event.tag or event.anchor:
                raise self._refuse(event, path, "a key is a plain text")
            key = event.value
            if key in entries or key == "<<":
                raise self._refuse(event, path, f"the key {key!r} stands here twice or merges")
            below = f"{path}.{key}" if path else key
            entries[key] = self._value(next(events), events, below, depth + 1)
        return entries

    def _sequence(self, events: Iterator[yaml.Event], path: str, depth: int) -> list[Entry]:
        entries: list[Entry] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            entries.append(self._value(event, events, f"{path}[{len(entries)}]", depth + 1))
        return entries

    def _scalar(self, event: yaml.ScalarEvent, path: str) -> object:
        text = str(event.value)
        if not event.implicit[0]:  # quoted, or a block
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FRACTION.fullmatch(text) or _NUMBER_LIKE.fullmatch(text):
            raise self._refuse(
                event, path, f'{text} without quotes is a binary fraction; write "{text}"'
            )
        return text

    def _refuse(self, event: yaml.Event, path: str, reason: str) -> BrokenDocument:
        return broken(self._file, _line(event), path, reason)


def _line(event: yaml.Event) -> int:
    return 1 if event.start_mark is None else event.start_mark.line + 1
