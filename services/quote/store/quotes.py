"""Quotes in the quote schema. Every query names its tenant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from libs.common.db import Row, Tx
from libs.common.errors import NotFound
from libs.common.pagination import Moment, Span

# A quote that only waits for its customer can run out. One that waits for papers ends by their
# own clock (MP-13), one that waits for the staff does not end by itself, and one that is decided
# stays what it is.
OPEN_STATES = frozenset({"PRICED"})

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

_COLUMNS = """
    quote_id, tenant_id, state, created_at, valid_until, order_ref, request, answer,
    idempotency_key, body_sha256, policy_id, verified, missing, confirmed_at
"""


class UnknownQuote(NotFound):
    """The general code: whether a quote is another's is nobody's business."""


class UnknownDocument(NotFound):
    """The general code: it may be another quote's, or another's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedKey:
    """The Idempotency-Key a quote was asked with, and the SHA-256 of its body."""

    key: str
    body_sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """`request` and `answer` are JSON: what was understood, and what was said when it was issued."""

    quote_id: str
    tenant_id: str
    state: str
    created_at: datetime
    valid_until: datetime
    order_ref: str
    request: bytes
    answer: bytes
    # Those that were asked and answered, available or not: to find the quote by.
    plans: tuple[str, ...] = ()
    key: UsedKey | None = None
    policy_id: str | None = None
    # Since its verification: what is answered now, and when the amount was confirmed.
    verified: bytes | None = None
    missing: tuple[str, ...] = ()
    confirmed_at: datetime | None = None

    def state_at(self, now: datetime) -> str:
        """EXPIRED after `valid_until`, as long as it is PRICED and nobody has bound it."""
        return "EXPIRED" if self.state in OPEN_STATES and now > self.valid_until else self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotesWanted:
    """Which quotes a list shows; `state` as it is shown at the time of asking."""

    state: str | None = None
    plan: str | None = None
    order_ref: str | None = None
    span: Span = field(default_factory=Span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A purchase paper: kept under its hash, named in the terms of the policy."""

    evidence_id: str
    quote_id: str
    kind: str
    name: str
    sha256: str
    size_bytes: int
    media_type: str
    uploaded_at: datetime


async def insert_quotes(tx: Tx, quotes: Sequence[Quote]) -> set[str]:
    """The ids of those that are new; a quote whose key was used before is left out.

    Keys go in in one order, so that two writers wait for each other and never in a circle.
    """
    ordered = sorted(quotes, key=lambda q: (q.tenant_id, q.key.key if q.key else ""))
    rows = await tx.fetch(
        """
        INSERT INTO quotes (quote_id, tenant_id, state, created_at, valid_until, order_ref, request,
                            answer, idempotency_key, body_sha256, plans)
        SELECT i.quote_id, i.tenant_id, i.state, i.created_at, i.valid_until, i.order_ref,
               i.request::json, i.answer::json, i.idempotency_key, i.body_sha256,
               string_to_array(i.plans, ',')
        FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],
                    $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[], $11::text[])
            AS i (quote_id, tenant_id, state, created_at, valid_until, order_ref, request, answer,
                  idempotency_key, body_sha256, plans)
        ON CONFLICT (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
        RETURNING quote_id
        """,
        [q.quote_id for q in ordered],
        [q.tenant_id for q in ordered],
        [q.state for q in ordered],
        [q.created_at for q in ordered],
        [q.valid_until for q in ordered],
        [q.order_ref for q in ordered],
        [q.request.decode() for q in ordered],
        [q.answer.decode() for q in ordered],
        [q.key.key if q.key else None for q in ordered],
        [q.key.body_sha256 if q.key else None for q in ordered],
        [",".join(q.plans) for q in ordered],
    )
    return {row["quote_id"] for row in rows}


async def get_quote(tx: Tx, quote_id: str, *, tenant_id: str) -> Quote:
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM quotes WHERE quote_id = $1 AND tenant_id = $2",
        quote_id,
        tenant_id,
    )
    if row is None:
        raise UnknownQuote(f"No quote {quote_id} in your account.")
    return _quote(row)


async def lock_quote(tx: Tx, quote_id: str, *, tenant_id: str) -> Quote:
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM quotes WHERE quote_id = $1 AND tenant_id = $2 FOR UPDATE",
        quote_id,
        tenant_id,
    )
    if row is None:
        raise UnknownQuote(f"No quote {quote_id} in your account.")
    return _quote(row)


async def save_quote(tx: Tx, quote: Quote, *, verified_by: str | None = None) -> None:
    """The quote's state and validity, what is missing, and what was confirmed."""
    await tx.execute(
        """
        UPDATE quotes SET state = $3, missing = $4, verified = $5, confirmed_at = $6,
            verified_by = coalesce($7, verified_by), valid_until = $8
        WHERE quote_id = $1 AND tenant_id = $2
        """,
        quote.quote_id,
        quote.tenant_id,
        quote.state,
        list(quote.missing),
        None if quote.verified is None else quote.verified.decode(),
        quote.confirmed_at,
        verified_by,
        quote.valid_until,
    )


async def insert_document(tx: Tx, document: Document, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO documents (evidence_id, tenant_id, quote_id, kind, name, sha256, size_bytes,
                               media_type, uploaded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        document.evidence_id,
        tenant_id,
        document.quote_id,
        document.kind,
        document.name,
        document.sha256,
        document.size_bytes,
        document.media_type,
        document.uploaded_at,
    )


async def list_documents(tx: Tx, quote_id: str, *, tenant_id: str) -> list[Document]:
    rows = await tx.fetch(
        """
        SELECT evidence_id, quote_id, kind, name, sha256, size_bytes, media_type, uploaded_at
        FROM documents WHERE quote_id = $1 AND tenant_id = $2 ORDER BY uploaded_at, evidence_id
        """,
        quote_id,
        tenant_id,
    )
    return [Document(**dict(row)) for row in rows]


async def get_document(tx: Tx, quote_id: str, evidence_id: str, *, tenant_id: str) -> Document:
    """UnknownDocument where this quote has no such paper, another's included."""
    row = await tx.fetchrow(
        """
        SELECT evidence_id, quote_id, kind, name, sha256, size_bytes, media_type, uploaded_at
        FROM documents WHERE evidence_id = $1 AND quote_id = $2 AND tenant_id = $3
        """,
        evidence_id,
        quote_id,
        tenant_id,
    )
    if row is None:
        raise UnknownDocument(
            f"Quote {quote_id} of your account has no document {evidence_id}."
        )
    return Document(**dict(row))


async def list_quotes(
    tx: Tx,
    wanted: QuotesWanted,
    *,
    tenant_id: str,
    before: Moment,
    limit: int,
    now: datetime,
) -> list[Quote]:
    """Newest first, of those older than the position."""
    # Written only where it is asked for: beside `IS NULL OR` no plan would use its index.
    by_order = "AND order_ref = $10" if wanted.order_ref is not None else ""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM quotes
        WHERE tenant_id = $1 AND (created_at, quote_id) < ($2, $3) {by_order}
            AND ($4::text IS NULL OR $4 =
                 CASE WHEN state = ANY ($5) AND valid_until < $6 THEN 'EXPIRED' ELSE state END)
            AND ($7::text IS NULL OR $7 = ANY (plans))
            AND created_at >= $8 AND created_at < $9
        ORDER BY created_at DESC, quote_id DESC LIMIT {limit:d}
        """,
        tenant_id,
        *before,
        wanted.state,
        sorted(OPEN_STATES),
        now,
        wanted.plan,
        wanted.span.since or _EARLIEST,
        wanted.span.until or _LATEST,
        *([wanted.order_ref] if by_order else []),
    )
    return [_quote(row) for row in rows]


async def find_quotes_of_keys(
    tx: Tx, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Quote]:
    """The quotes that were asked for with these (tenant, key), by them."""
    wanted = list(keys)
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM quotes
        JOIN unnest($1::text[], $2::text[]) AS k (tenant_id, idempotency_key)
            USING (tenant_id, idempotency_key)
        """,
        [tenant_id for tenant_id, _ in wanted],
        [key for _, key in wanted],
    )
    return {(row["tenant_id"], row["idempotency_key"]): _quote(row) for row in rows}


async def bind_quotes(
    tx: Tx, bound: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], bool]:
    """Of these (tenant, quote, policy) those whose quote is the policy's now, and whether it is new.

    A quote goes to one policy: a second one's is not among them, nor is an unknown quote's. One
    that ended before we heard of its policy stays ended.
    """
    rows = await tx.fetch(
        """
        WITH held AS (
            SELECT q.tenant_id, q.quote_id, q.policy_id AS bound_by, b.policy_id
            FROM quotes q
            JOIN unnest($1::text[], $2::text[], $3::text[]) AS b (tenant_id, quote_id, policy_id)
                ON q.tenant_id = b.tenant_id AND q.quote_id = b.quote_id
            ORDER BY q.quote_id FOR UPDATE OF q
        )
        UPDATE quotes q SET policy_id = h.policy_id,
            state = CASE WHEN q.state IN ('DECLINED', 'INVALID') THEN q.state ELSE 'BOUND' END
        FROM held h
        WHERE q.tenant_id = h.tenant_id AND q.quote_id = h.quote_id
            AND (q.policy_id IS NULL OR q.policy_id = h.policy_id)
        RETURNING q.tenant_id, q.quote_id, q.policy_id, h.bound_by IS NULL AS is_new
        """,
        [tenant_id for tenant_id, _, _ in bound],
        [quote_id for _, quote_id, _ in bound],
        [policy_id for _, _, policy_id in bound],
    )
    return {
        (row["tenant_id"], row["quote_id"], row["policy_id"]): row["is_new"] for row in rows
    }


def _quote(row: Row) -> Quote:
    key = row["idempotency_key"]
    return Quote(
        quote_id=row["quote_id"],
        tenant_id=row["tenant_id"],
        state=row["state"],
        created_at=row["created_at"],
        valid_until=row["valid_until"],
        order_ref=row["order_ref"],
        request=row["request"].encode(),
        answer=row["answer"].encode(),
        key=None if key is None else UsedKey(key=key, body_sha256=bytes(row["body_sha256"])),
        policy_id=row["policy_id"],
        verified=None if row["verified"] is None else row["verified"].encode(),
        missing=tuple(row["missing"]),
        confirmed_at=row["confirmed_at"],
    )
