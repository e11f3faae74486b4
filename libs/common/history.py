"""What became of a policy or a quote, change by change, and the version that a change is based on.

Each change says an event, so a thing's version is the count of its events: the `sequence` that
consumers see is also the ETag that callers send back.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Header

from libs.common.db import Tx
from libs.common.errors import Invalid, Refusal
from libs.common.events import TYPE_PREFIX
from libs.common.pagination import Listing, Page, Paging
from libs.common.wire import View

Position = tuple[int, str]
_listing: Final[Listing[Position]] = Listing("history", tuple[int, str])


class ChangedMeanwhile(Refusal):
    code = "changed-meanwhile"
    title = "The resource is no longer as you saw it"
    status = 412


class BadETag(Invalid):
    code = "bad-etag"
    title = "The If-Match header is no ETag that was given here"


IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=100,
        description="The ETag you saw last: the change is refused (412) if it is another by now.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    sequence: int
    type: str
    occurred_at: datetime
    acted_by: str
    data: str


class ChangeView(View):
    """One change: the event that was said of it."""

    version: int
    """The resource's version after it."""
    type: str
    occurred_at: datetime
    acted_by: str
    """Who: a token's subject, `service:<name>`, `event:<type>` or `deadline:<kind>`.

    Empty where it was not noted.
    """
    data: dict[str, Any]

    @classmethod
    def of(cls, change: Change) -> "ChangeView":
        return cls(
            version=change.sequence,
            type=change.type,
            occurred_at=change.occurred_at,
            acted_by=change.acted_by,
            data=msgspec.json.decode(change.data),
        )


def etag(version: int) -> dict[str, str]:
    """The header of a resource that is at this version."""
    return {"ETag": f'"{version}"'}


async def version_of(tx: Tx, key: str, *, tenant_id: str) -> int:
    """How many events were said of it; 0 where none was."""
    last: int | None = await tx.fetchval(
        "SELECT last FROM event_sequences WHERE tenant_id = $1 AND key = $2", tenant_id, key
    )
    return last or 0


async def must_be_current(tx: Tx, key: str, if_match: str | None, *, tenant_id: str) -> None:
    """ChangedMeanwhile unless the header names the version it has; whoever asks holds its row."""
    if if_match is None or if_match.strip() == "*":
        return
    current = await version_of(tx, key, tenant_id=tenant_id)
    if current not in _versions(if_match):
        raise ChangedMeanwhile(
            f'It is at version "{current}" by now. Read it again, then send If-Match: "{current}".',
            version=current,
        )


def _versions(if_match: str) -> set[int]:
    tags = [tag.strip() for tag in if_match.split(",")]
    if not all(
        tag.isascii() and tag[:1] == tag[-1:] == '"' and tag[1:-1].isdigit() for tag in tags
    ):
        raise BadETag('Send the ETag header as it was given, such as If-Match: "3".')
    return {int(tag[1:-1]) for tag in tags}


async def page_of(
    tx: Tx, key: str, paging: Paging, *, tenant_id: str, first: Change | None = None
) -> Page[ChangeView]:
    """The changes, the first one first; `first` where that one is not kept."""
    after, _ = _listing.after(paging.cursor) or (0, "")
    rows = await tx.fetch(
        """
        SELECT sequence, type, occurred_at, acted_by, data FROM history
        WHERE tenant_id = $1 AND key = $2 AND sequence > $3 ORDER BY sequence LIMIT $4
        """,
        tenant_id,
        key,
        after,
        paging.limit + 1,
    )
    changes = [
        Change(**{**dict(row), "type": row["type"].removeprefix(TYPE_PREFIX).split(".")[0]})
        for row in rows
    ]
    if first is not None and first.sequence > after:
        changes.insert(0, first)
    return _listing.page(
        changes,
        paging.limit,
        view=ChangeView.of,
        position=lambda change: (change.sequence, change.type),
    )
