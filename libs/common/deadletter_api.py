"""Dead letters over HTTP: a tenant's own, with their cause; replayed by key or all, in order."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends

from libs.common import deadletter, web
from libs.common.auth import DEADLETTERS_WRITE, Caller, requires
from libs.common.consumer import replay
from libs.common.deadletter import DeadLetter
from libs.common.errors import NotFound
from libs.common.pagination import Listing, Page, Paging, paging
from libs.common.service import Parts
from libs.common.wire import Body, OneLine, View

router = web.api_router("/v1", tags=["dead letters"])

Position = tuple[int, str]
_listing: Listing[Position] = Listing("dead-letters", tuple[int, str])


class NoDeadLetters(NotFound):
    code = "no-dead-letters"
    title = "There is nothing parked under this key"


class LetterView(View):
    id: int
    consumer: str
    topic: str
    key: str
    type: str | None
    event_id: str | None
    cause: str | None
    """Null: it only waits behind an earlier letter of its key."""
    detail: str
    parked_at: datetime

    @classmethod
    def of(cls, letter: DeadLetter) -> "LetterView":
        return cls(
            id=letter.id,
            consumer=letter.consumer,
            topic=letter.message.topic,
            key=letter.message.key,
            type=letter.type,
            event_id=letter.event_id,
            cause=letter.parking.cause,
            detail=letter.parking.detail,
            parked_at=letter.parked_at,
        )


class ReplayRequest(Body):
    key: Annotated[str, OneLine(200)] | None = None
    """The key to replay; all of yours where none is named."""


class ReplayView(View):
    replayed: int
    """Letters that took effect now."""
    left: int
    """Letters that still fail, or wait behind one that does."""


@router.get("/dead-letters")
async def list_dead_letters(
    caller: Annotated[Caller, requires(DEADLETTERS_WRITE)],
    parts: Parts,
    paging: Annotated[Paging, Depends(paging)],
) -> Page[LetterView]:
    """Events this service could not handle, oldest first."""
    after, _ = _listing.after(paging.cursor) or (0, "")
    letters = await deadletter.list_letters(
        parts.db, tenant_id=caller.tenant_id, after=after, limit=paging.limit + 1
    )
    return _listing.page(
        letters,
        paging.limit,
        view=LetterView.of,
        position=lambda letter: (letter.id, letter.message.key),
    )


@router.post("/dead-letters/replay")
async def replay_dead_letters(
    body: ReplayRequest, caller: Annotated[Caller, requires(DEADLETTERS_WRITE)], parts: Parts
) -> ReplayView:
    """Redo what is parked, each key in order, up to the first letter that still fails."""
    mine = await deadletter.list_keys(parts.db, parts.name, tenant_id=caller.tenant_id)
    if body.key is not None and body.key not in mine:
        raise NoDeadLetters(f"Nothing of yours is parked under {body.key!r}.")
    keys = mine if body.key is None else [body.key]
    replayed = 0
    for key in keys:
        replayed += await replay(parts.db, parts.name, parts.handlers, key)
    left = [len(await deadletter.of_key(parts.db, parts.name, key)) for key in keys]
    return ReplayView(replayed=replayed, left=sum(left))
