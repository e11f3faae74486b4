"""Markdown pages of the project, cut into what can be checked: code, tables, anchors."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")

# A block whose commands are run by test_commands.py.
_FENCE = re.compile(
    r"^(?P<run><!-- run -->\n)?```(?P<form>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its form (sh, text, json), and whether its commands are run."""

    form: str
    text: str
    is_run: bool


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    text: str

    @property
    def blocks(self) -> list[Block]:
        return [
            Block(form=m["form"], text=m["text"], is_run=bool(m["run"]))
            for m in _FENCE.finditer(self.text)
        ]

    @property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def spans(self) -> list[str]:
        """What stands between backticks in the prose."""
        return re.findall(r"`([^`]+)`", self.prose)

    @property
    def commands(self) -> list[str]:
        """Every line of a shell block, and every span of the prose."""
        shell = [block.text for block in self.blocks if block.form == "sh"]
        joined = "\n".join(shell).replace("\\\n", " ")
        spans = [" ".join(span.split()) for span in self.spans]
        return joined.splitlines() + spans

    @property
    def anchors(self) -> set[str]:
        """As forges make them of headings."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}

    def rows(self, *header: str) -> list[list[str]]:
        """The cells of every table with this header, without their backticks."""
        wanted = "| " + " | ".join(header) + " |"
        found = []
        for table in re.findall(r"(?:^\|.*\n)+", self.text, re.MULTILINE):
            lines = table.splitlines()
            if lines[0] == wanted:
                found += [
                    [cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]
                ]
        return found


def page(name: str) -> Page:
    return Page(name, (ROOT / name).read_text())


def readme() -> Page:
    return page("README.md")
