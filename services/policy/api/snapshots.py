"""A parcel's history as evidence: in bytes that are hashed and signed, or as a page for people."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from fastapi import Header, Response

from libs.common import snapshots, web
from libs.common.auth import INTERNAL_READ, POLICIES_READ, Caller, requires
from libs.common.negotiation import prefers
from libs.common.pages import HTML, Layout, Locale, language_for
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts
from libs.common.snapshots import Snapshot
from libs.common.wire import View
from services.policy import usecases
from services.policy.api.histories import AsOf, AsOfAhead, ParcelHistoryView, instant_of
from services.policy.api.parts import JSON
from services.policy.api.snapshot_page import Wording
from services.policy.store import NoticeDigest, UnknownPolicy
from services.policy.usecases import ParcelHistory

router = web.api_router("/v1", tags=["tracking"])
internal = web.api_router()

LAYOUT: Final = Layout(Path(__file__).parents[1] / "templates", "snapshot")
_VARY: Final = "Accept, Accept-Language"


class NoticeDigestView(View):
    """A body as it was posted to us: whoever has it can show that it is the same."""

    notice_id: str
    provider: str
    sha256: str
    size_bytes: int
    received_at: datetime
    """By the machine's clock, whatever a sandbox's test clock showed."""


class TrackingSnapshotContent(ParcelHistoryView):
    kind: Literal["tracking-snapshot.v1"] = "tracking-snapshot.v1"
    tenant_id: str
    notices: list[NoticeDigestView]
    """What the listed scans were posted in, the oldest first."""

    @classmethod
    def resting_on(
        cls, history: ParcelHistory, notices: list[NoticeDigest]
    ) -> "TrackingSnapshotContent":
        return cls(
            **dict(ParcelHistoryView.of(history)),
            tenant_id=history.tenant_id,
            notices=[
                NoticeDigestView(
                    notice_id=notice.notice_id,
                    provider=notice.provider,
                    sha256=notice.sha256,
                    size_bytes=notice.size_bytes,
                    received_at=notice.received_at,
                )
                for notice in notices
            ],
        )


class TrackingSnapshotView(View):
    """Canonical JSON (RFC 8785): the same facts as of the same instant are the same bytes."""

    snapshot: TrackingSnapshotContent
    sha256: str
    """Of the snapshot's own bytes."""
    signature: str
    """A JWS (EdDSA) that states the hash, made with the policy service's key; `kid` says which."""


@router.get(
    "/policies/{policy_id}/tracking-snapshot",
    response_model=TrackingSnapshotView,
    responses={
        200: {"content": {HTML: {"schema": {"type": "string"}}}},
        **problem_responses(UnknownPolicy, AsOfAhead),
    },
)
async def show_tracking_snapshot(
    policy_id: str,
    caller: Annotated[Caller, requires(POLICIES_READ)],
    db: Db,
    parts: Parts,
    as_of: AsOf = None,
    locale: Locale = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    accept_language: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """What was known of a parcel, as evidence: hashed and signed JSON, or a page where `text/html` is
    preferred."""
    content = await _content(db, caller, policy_id, as_of)
    snapshot = snapshots.taken(content.model_dump(mode="json"), parts.signer)
    if not prefers(accept, HTML, instead_of=JSON):
        return Response(snapshot.document, media_type=JSON, headers={"Vary": _VARY})
    language = language_for(locale, accept_language, parts.tenants.get(caller.tenant_id))
    return Response(
        page(content, snapshot, language),
        media_type=HTML,
        headers={
            "Content-Language": language,
            "Content-Security-Policy": LAYOUT.policy,
            "Vary": _VARY,
        },
    )


@internal.get("/internal/policies/{policy_id}/tracking-snapshot", include_in_schema=False)
async def show_evidence(
    policy_id: str,
    caller: Annotated[Caller, requires(INTERNAL_READ)],
    db: Db,
    parts: Parts,
    as_of: AsOf = None,
) -> Response:
    """The same bytes for the claims service, which keeps them."""
    content = await _content(db, caller, policy_id, as_of)
    snapshot = snapshots.taken(content.model_dump(mode="json"), parts.signer)
    return Response(snapshot.document, media_type=JSON)


async def _content(
    db: Db, caller: Caller, policy_id: str, as_of: datetime | None
) -> TrackingSnapshotContent:
    at = await instant_of(db, caller, as_of)
    async with db.transaction(caller.tenant_id) as tx:
        history = await usecases.parcel_history(
            tx, policy_id, tenant_id=caller.tenant_id, as_of=at
        )
        notices = await usecases.notices_behind(tx, history)
    return TrackingSnapshotContent.resting_on(history, notices)


def page(content: TrackingSnapshotContent, snapshot: Snapshot, language: str) -> str:
    return LAYOUT.render(
        parcel=content, snapshot=snapshot, words=Wording(language), language=language
    )
