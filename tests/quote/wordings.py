"""The wordings of the published plans as they were last agreed on: `python -m tests.quote.wordings`.

A file a plan version and language: its id, then its text, so that a review sees every sentence that
a change of a plan or of a word brings about.
"""

import os
from pathlib import Path

from libs.common.plans.reading import load
from libs.common.settings import PROGRAMMES
from services.quote.domain.wording import LANGUAGES, Wording, wording

FOLDER = Path(__file__).parent / "snapshots"

REFRESH = "Run `python -m tests.quote.wordings`, read what changed, and commit it."


def published() -> list[Wording]:
    return [wording(plan, language) for plan in load(PROGRAMMES) for language in LANGUAGES]


def name_of(wording: Wording) -> str:
    return f"{wording.plan}.v{wording.version}.{wording.locale}.txt"


def snapshot_of(wording: Wording) -> str:
    return f"{wording.wording_id}\n\n{wording.text}"


def kept() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(FOLDER.glob("*.txt"))}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    now = {name_of(one): snapshot_of(one) for one in published()}
    before = kept()
    for name in before.keys() - now.keys():
        (FOLDER / name).unlink()
    for name, text in now.items():
        if before.get(name) != text:
            (FOLDER / name).write_text(text)
            print(f"wrote {os.path.relpath(FOLDER / name)}")


if __name__ == "__main__":
    main()
