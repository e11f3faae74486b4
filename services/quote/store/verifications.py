"""Verifications: quotes that wait for papers or a person, one row each, and their deadlines.

Whoever changes one holds its quote's row. What is missing on the papers, and whether a policy has
bound the quote, stand in the quote's row and are read from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from libs.common.db import Row, Tx, jsonb
from libs.common.deadlines import Deadline, cancel_deadline, set_deadlines
from libs.common.errors import NotFound
from libs.common.pagination import Span

AWAITING_DOCUMENTS = "AWAITING_DOCUMENTS"
UNDER_VERIFICATION = "UNDER_VERIFICATION"
INFO_REQUIRED = "INFO_REQUIRED"
VERIFIED, DECLINED, INVALID = "VERIFIED", "DECLINED", "INVALID"
# Papers are awaited of the customer; in the state between, the staff are awaited.
AWAITING = (AWAITING_DOCUMENTS, INFO_REQUIRED)
OPEN = (*AWAITING, UNDER_VERIFICATION)

ESCALATE = "escalate_verification"
LAPSE = "lapse_documents"

_TICK = timedelta(microseconds=1)

# due_at or NO_DUE_TIME, opened_at, quote_id
Position = tuple[datetime, datetime, str]
NO_DUE_TIME = datetime(2198, 1, 1, tzinfo=UTC)
FIRST: Position = (datetime(1971, 1, 1, tzinfo=UTC), datetime(1971, 1, 1, tzinfo=UTC), "")

_DUE = "coalesce(v.due_at, timestamptz '2198-01-01T00:00:00Z')"
_COLUMNS = """
    v.quote_id, v.tenant_id, v.plan, v.state, v.needs_documents, v.needs_review, v.opened_at,
    v.submitted_at, v.due_at, v.escalated_at, v.lapses_at, v.assigned_to, v.decided_by, v.verdicts,
    v.reviewed_at, v.reviewed_by, v.note
"""


class UnknownVerification(NotFound):
    """The general code: whether another's quote is verified is nobody's business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """`due_at` is the last instant in time (G-05), `lapses_at` the first one too late (G-07)."""

    quote_id: str
    tenant_id: str
    plan: str
    state: str
    needs_documents: bool
    needs_review: bool
    opened_at: datetime
    # Since the papers are complete: when they were, and how long the staff have.
    submitted_at: datetime | None = None
    due_at: datetime | None = None
    escalated_at: datetime | None = None
    lapses_at: datetime | None = None
    assigned_to: str | None = None
    decided_by: str | None = None
    # What a person said of the referred lines, by item id.
    verdicts: Mapping[str, str] | None = None
    reviewed_at: datetime | None = None
    reviewed_by: str | None = None
    note: str | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        wanted = (("documents", self.needs_documents), ("goods", self.needs_review))
        return tuple(kind for kind, is_wanted in wanted if is_wanted)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def awaits_review(self) -> bool:
        return self.needs_review and self.reviewed_at is None

    def is_overdue(self, now: datetime) -> bool:
        is_with_staff = self.state == UNDER_VERIFICATION and self.due_at is not None
        return is_with_staff and self.due_at is not None and now > self.due_at

    def has_lapsed(self, now: datetime) -> bool:
        is_awaited = self.state in AWAITING and self.lapses_at is not None
        return is_awaited and self.lapses_at is not None and now >= self.lapses_at

    @property
    def deadlines(self) -> tuple[Deadline, ...]:
        """What is still to come: each fires at the first instant too late."""
        is_watched = self.state == UNDER_VERIFICATION and self.escalated_at is None
        escalates_at = self.due_at + _TICK if self.due_at is not None and is_watched else None
        lapses_at = self.lapses_at if self.state in AWAITING else None
        return tuple(
            Deadline(tenant_id=self.tenant_id, kind=kind, subject=self.quote_id, due_at=at)
            for kind, at in ((ESCALATE, escalates_at), (LAPSE, lapses_at))
            if at is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A verification in the queue, with what its quote says of it."""

    verification: Verification
    order_ref: str
    missing: tuple[str, ...]
    policy_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which verifications to list; without a state, those that are open."""

    state: str | None = None
    plan: str | None = None
    assigned_to: str | None = None
    is_overdue: bool | None = None
    opened: Span = field(default_factory=Span)


async def insert_verifications(tx: Tx, verifications: Sequence[Verification]) -> None:
    """All at once, with their deadlines; nothing where there are none."""
    if not verifications:
        return
    await tx.execute(
        """
        INSERT INTO verifications (quote_id, tenant_id, plan, state, needs_documents, needs_review,
                                   opened_at, submitted_at, due_at, lapses_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[],
                             $6::boolean[], $7::timestamptz[], $8::timestamptz[],
                             $9::timestamptz[], $10::timestamptz[])
        """,
        [v.quote_id for v in verifications],
        [v.tenant_id for v in verifications],
        [v.plan for v in verifications],
        [v.state for v in verifications],
        [v.needs_documents for v in verifications],
        [v.needs_review for v in verifications],
        [v.opened_at for v in verifications],
        [v.submitted_at for v in verifications],
        [v.due_at for v in verifications],
        [v.lapses_at for v in verifications],
    )
    await set_deadlines(tx, [deadline for v in verifications for deadline in v.deadlines])


async def find_verification(tx: Tx, quote_id: str, *, tenant_id: str) -> Verification | None:
    """None where the quote never waited for papers or a person."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM verifications v WHERE v.quote_id = $1 AND v.tenant_id = $2",
        quote_id,
        tenant_id,
    )
    return None if row is None else _verification(row)


async def get_verification(tx: Tx, quote_id: str, *, tenant_id: str) -> Verification:
    found = await find_verification(tx, quote_id, tenant_id=tenant_id)
    if found is None:
        raise UnknownVerification(f"No quote {quote_id} in your account was ever verified.")
    return found


async def save_verification(tx: Tx, before: Verification, after: Verification) -> None:
    """The row as it is now, its deadlines set, moved or taken back with it."""
    await tx.execute(
        """
        UPDATE verifications SET plan = $3, state = $4, needs_documents = $5, needs_review = $6,
            submitted_at = $7, due_at = $8, escalated_at = $9, lapses_at = $10, assigned_to = $11,
            decided_by = $12, verdicts = $13, reviewed_at = $14, reviewed_by = $15, note = $16
        WHERE quote_id = $1 AND tenant_id = $2
        """,
        after.quote_id,
        after.tenant_id,
        after.plan,
        after.state,
        after.needs_documents,
        after.needs_review,
        after.submitted_at,
        after.due_at,
        after.escalated_at,
        after.lapses_at,
        after.assigned_to,
        after.decided_by,
        None if after.verdicts is None else jsonb(after.verdicts),
        after.reviewed_at,
        after.reviewed_by,
        after.note,
    )
    standing = {deadline.kind for deadline in after.deadlines}
    for deadline in before.deadlines:
        if deadline.kind not in standing:
            await cancel_deadline(tx, deadline.tenant_id, deadline.kind, deadline.subject)
    moved = [deadline for deadline in after.deadlines if deadline not in before.deadlines]
    await set_deadlines(tx, moved)


async def list_verifications(
    tx: Tx, wanted: Wanted, *, tenant_id: str, after: Position, limit: int, now: datetime
) -> list[Work]:
    """What is due first comes first, then what was opened first."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}, q.order_ref, q.missing, q.policy_id
        FROM verifications v JOIN quotes q ON q.quote_id = v.quote_id AND q.tenant_id = v.tenant_id
        WHERE v.tenant_id = $1 AND ({_DUE}, v.opened_at, v.quote_id) > ($2, $3, $4)
            AND v.state = ANY ($5)
            AND ($6::text IS NULL OR v.plan = $6)
            AND ($7::text IS NULL OR v.assigned_to = $7)
            AND ($8::boolean IS NULL OR $8 =
                 (v.state = '{UNDER_VERIFICATION}' AND coalesce(v.due_at < $9, false)))
            AND ($10::timestamptz IS NULL OR v.opened_at >= $10)
            AND ($11::timestamptz IS NULL OR v.opened_at < $11)
        ORDER BY {_DUE}, v.opened_at, v.quote_id LIMIT $12
        """,
        tenant_id,
        *after,
        OPEN if wanted.state is None else (wanted.state,),
        wanted.plan,
        wanted.assigned_to,
        wanted.is_overdue,
        now,
        wanted.opened.since,
        wanted.opened.until,
        limit,
    )
    return [
        Work(
            verification=_verification(row),
            order_ref=row["order_ref"],
            missing=tuple(row["missing"]),
            policy_id=row["policy_id"],
        )
        for row in rows
    ]


def position_of(work: Work) -> Position:
    found = work.verification
    return (found.due_at or NO_DUE_TIME, found.opened_at, found.quote_id)


def _verification(row: Row) -> Verification:
    verdicts = row["verdicts"]
    return Verification(
        quote_id=row["quote_id"],
        tenant_id=row["tenant_id"],
        plan=row["plan"],
        state=row["state"],
        needs_documents=row["needs_documents"],
        needs_review=row["needs_review"],
        opened_at=row["opened_at"],
        submitted_at=row["submitted_at"],
        due_at=row["due_at"],
        escalated_at=row["escalated_at"],
        lapses_at=row["lapses_at"],
        assigned_to=row["assigned_to"],
        decided_by=row["decided_by"],
        verdicts=None
        if verdicts is None
        else msgspec.json.decode(verdicts, type=dict[str, str]),
        reviewed_at=row["reviewed_at"],
        reviewed_by=row["reviewed_by"],
        note=row["note"],
    )
