"""Keep the events as they are now: `python -m tests.contracts.refresh`.

Writes the snapshots of new and grown events and docs/asyncapi.yaml. Where an event's change would
break its readers nothing is written and the exit code is 1.
"""

import os
import sys
from pathlib import Path

from tests.contracts import snapshots


def main(folder: Path = snapshots.FOLDER, document: Path = snapshots.DOCUMENT) -> int:
    schemas = snapshots.now()
    if changes := snapshots.broken(snapshots.kept(folder), schemas):
        print("\n".join(changes), snapshots.HOW_TO_BREAK, sep="\n\n", file=sys.stderr)
        return 1
    for path in snapshots.write(schemas, folder, document):
        print(f"wrote {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
