"""Covers, claims, decisions and payouts in the claims schema. Every query names its tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from libs.common.db import Row, Tx
from libs.common.errors import NotFound
from libs.common.money import Money
from libs.common.plans.wire import to_wire
from services.claims.domain.cases import (
    Claim,
    Cover,
    EarlierClaim,
    Findings,
    OrderPosition,
    Statement,
    Terms,
    Tracking,
)
from services.claims.domain.decision import Decision
from services.claims.domain.filing import Parts, Payout
from services.claims.domain.money_back import Recovery

_terms = msgspec.json.Decoder(Terms)
_tracking = msgspec.json.Decoder(Tracking)
_statement = msgspec.json.Decoder(Statement)
_findings = msgspec.json.Decoder(Findings)
_parts = msgspec.json.Decoder(Parts)

_COVER = """
    policy_id, tenant_id, plan, plan_version, plan_sha256, state, terms, tracking, paid_at,
    confirmed_at, carrier, tracking_number, sequence
"""
_CLAIM = """
    c.claim_id, c.tenant_id, c.policy_id, c.state, c.statement, c.findings, c.notified_at, c.filed_at,
    c.filed_by, c.info_requested_at, ARRAY(
        SELECT DISTINCT kind FROM evidence e
        WHERE e.claim_id = c.claim_id AND e.tenant_id = c.tenant_id ORDER BY kind
    ) AS evidence
"""


class UnknownPolicy(NotFound):
    code = "unknown-policy"
    title = "There is no such policy in your account"


class UnknownClaim(NotFound):
    code = "unknown-claim"
    title = "There is no such claim in your account"


class UnknownPayout(NotFound):
    code = "unknown-payout"
    title = "There is no such payout in your account"


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledClaim:
    """A claim as it is kept: the case's claim, its policy, its state and who filed it."""

    claim: Claim
    tenant_id: str
    # None: no policy of the tenant has this parcel.
    policy_id: str | None
    state: str
    filed_by: str

    @property
    def claim_id(self) -> str:
        return self.claim.claim_id

    @property
    def key(self) -> str:
        """What orders its events: the policy, or the claim itself where there is none."""
        return self.policy_id or self.claim_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A file on hand: what it is, and who brought it."""

    evidence_id: str
    policy_id: str
    kind: str
    name: str
    sha256: str
    size_bytes: int
    media_type: str
    submitted_by: str
    uploaded_at: datetime
    claim_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDecision:
    """A decision as it was made: `decision` and `facts` as JSON, to be shown and to be replayed."""

    decision_id: str
    claim_id: str
    number: int
    outcome: str
    is_settled: bool
    payout: Money
    decision: dict[str, Any]
    plan: str
    plan_version: int
    decided_by: str
    decided_at: datetime


async def upsert_covers(tx: Tx, covers: Sequence[Cover]) -> None:
    """Keep the newest copy of each policy: a lower sequence never replaces a higher one."""
    await tx.execute(
        """
        INSERT INTO covers AS c (policy_id, tenant_id, plan, plan_version, plan_sha256, state, terms,
                                 paid_at, confirmed_at, order_ref, sequence, carrier, tracking_number)
        SELECT policy_id, tenant_id, plan, plan_version, plan_sha256, state, terms::jsonb, paid_at,
               confirmed_at, order_ref, sequence, carrier, tracking_number
        FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[],
                    $8::timestamptz[], $9::timestamptz[], $10::text[], $11::bigint[], $12::text[],
                    $13::text[])
            AS i (policy_id, tenant_id, plan, plan_version, plan_sha256, state, terms, paid_at,
                  confirmed_at, order_ref, sequence, carrier, tracking_number)
        ON CONFLICT (policy_id) DO UPDATE SET
            plan = excluded.plan, plan_version = excluded.plan_version,
            plan_sha256 = excluded.plan_sha256, state = excluded.state, terms = excluded.terms,
            paid_at = excluded.paid_at, confirmed_at = excluded.confirmed_at,
            order_ref = excluded.order_ref, sequence = excluded.sequence
        WHERE c.sequence < excluded.sequence AND c.tenant_id = excluded.tenant_id
        """,
        [c.policy_id for c in covers],
        [c.tenant_id for c in covers],
        [c.plan for c in covers],
        [c.plan_version for c in covers],
        [c.plan_sha256 for c in covers],
        [c.state for c in covers],
        [_json(c.terms) for c in covers],
        [c.paid_at for c in covers],
        [c.confirmed_at for c in covers],
        [c.terms.order_ref for c in covers],
        [c.sequence for c in covers],
        [c.carrier for c in covers],
        [c.tracking_number for c in covers],
    )


async def save_cover(tx: Tx, cover: Cover) -> None:
    await tx.execute(
        """
        UPDATE covers SET state = $3, tracking = $4, sequence = $5, carrier = $6, tracking_number = $7,
            plan = $8, plan_version = $9, plan_sha256 = $10, terms = $11, paid_at = $12,
            confirmed_at = $13, order_ref = $14
        WHERE policy_id = $1 AND tenant_id = $2 AND sequence < $5
        """,
        cover.policy_id,
        cover.tenant_id,
        cover.state,
        _json(cover.tracking),
        cover.sequence,
        cover.carrier,
        cover.tracking_number,
        cover.plan,
        cover.plan_version,
        cover.plan_sha256,
        _json(cover.terms),
        cover.paid_at,
        cover.confirmed_at,
        cover.terms.order_ref,
    )


async def find_cover(tx: Tx, policy_id: str, *, tenant_id: str) -> Cover | None:
    row = await tx.fetchrow(
        f"SELECT {_COVER} FROM covers WHERE policy_id = $1 AND tenant_id = $2",
        policy_id,
        tenant_id,
    )
    return None if row is None else _cover(row)


async def list_policy_ids(
    tx: Tx, *, tenant_id: str, carrier: str, tracking_number: str, order_ref: str
) -> list[str]:
    """Known policies of a parcel's number (of that carrier, where one is named) or of an order."""
    rows = await tx.fetch(
        """
        SELECT policy_id FROM covers
        WHERE tenant_id = $1 AND (
            ($3 <> '' AND tracking_number = $3 AND carrier IN ($2, CASE $2 WHEN '' THEN carrier END))
            OR ($4 <> '' AND order_ref = $4)
        )
        ORDER BY policy_id LIMIT 100
        """,
        tenant_id,
        carrier,
        tracking_number,
        order_ref,
    )
    return [row["policy_id"] for row in rows]


async def get_cover(tx: Tx, policy_id: str, *, tenant_id: str) -> Cover:
    row = await tx.fetchrow(
        f"SELECT {_COVER} FROM covers WHERE policy_id = $1 AND tenant_id = $2",
        policy_id,
        tenant_id,
    )
    return _known(None if row is None else _cover(row), policy_id)


async def lock_cover(tx: Tx, policy_id: str, *, tenant_id: str) -> Cover:
    """Whoever decides on a policy's claims holds this row: one decision at a time."""
    covers = await lock_covers(tx, [(tenant_id, policy_id)])
    return _known(covers.get(policy_id), policy_id)


async def lock_covers(tx: Tx, policies: Sequence[tuple[str, str]]) -> dict[str, Cover]:
    """Those of the (tenant, policy) pairs that are there, by policy id.

    The other parcels of their orders are locked with them, since a cap may be per order (JS-16);
    all in the order of their ids, so that nobody waits for each other.
    """
    rows = await tx.fetch(
        f"""
        WITH wanted AS (
            SELECT c.tenant_id, c.policy_id, c.order_ref
            FROM covers c JOIN unnest($1::text[], $2::text[]) AS w (tenant_id, policy_id)
                ON c.tenant_id = w.tenant_id AND c.policy_id = w.policy_id
        )
        SELECT {_COVER}, policy_id IN (SELECT policy_id FROM wanted) AS is_wanted FROM covers c
        WHERE policy_id IN (SELECT policy_id FROM wanted) OR (
            order_ref <> '' AND (tenant_id, order_ref) IN (SELECT tenant_id, order_ref FROM wanted)
        )
        ORDER BY policy_id FOR UPDATE OF c
        """,
        [tenant_id for tenant_id, _ in policies],
        [policy_id for _, policy_id in policies],
    )
    return {row["policy_id"]: _cover(row) for row in rows if row["is_wanted"]}


async def insert_claim(tx: Tx, filed: FiledClaim) -> None:
    await tx.execute(
        """
        INSERT INTO claims (claim_id, tenant_id, policy_id, peril, state, statement, findings,
                            notified_at, filed_at, filed_by, info_requested_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        filed.claim_id,
        filed.tenant_id,
        filed.policy_id,
        filed.claim.statement.peril,
        filed.state,
        _json(filed.claim.statement),
        _json(filed.claim.findings),
        filed.claim.notified_at,
        filed.claim.filed_at,
        filed.filed_by,
        filed.claim.info_requested_at,
    )


async def save_claim(tx: Tx, filed: FiledClaim) -> None:
    await tx.execute(
        """
        UPDATE claims SET state = $3, statement = $4, findings = $5, info_requested_at = $6
        WHERE claim_id = $1 AND tenant_id = $2
        """,
        filed.claim_id,
        filed.tenant_id,
        filed.state,
        _json(filed.claim.statement),
        _json(filed.claim.findings),
        filed.claim.info_requested_at,
    )


async def get_claim(tx: Tx, claim_id: str, *, tenant_id: str) -> FiledClaim:
    row = await tx.fetchrow(
        f"SELECT {_CLAIM} FROM claims c WHERE c.claim_id = $1 AND c.tenant_id = $2",
        claim_id,
        tenant_id,
    )
    if row is None:
        raise UnknownClaim(f"No claim {claim_id} in your account.")
    return _claim(row)


async def list_claims_of_policy(tx: Tx, policy_id: str, *, tenant_id: str) -> list[FiledClaim]:
    """All claims ever made on the policy, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_CLAIM} FROM claims c
        WHERE c.policy_id = $1 AND c.tenant_id = $2 ORDER BY c.filed_at, c.claim_id
        """,
        policy_id,
        tenant_id,
    )
    return [_claim(row) for row in rows]


async def list_earlier(tx: Tx, filed: FiledClaim) -> tuple[EarlierClaim, ...]:
    """The other claims on the policy, with what their latest settled decision pays."""
    rows = await tx.fetch(
        """
        SELECT c.peril, c.state, c.statement, d.outcome, d.parts
        FROM claims c LEFT JOIN LATERAL (
            SELECT outcome, parts FROM decisions
            WHERE claim_id = c.claim_id AND tenant_id = c.tenant_id AND is_settled
            ORDER BY number DESC LIMIT 1
        ) d ON true
        WHERE c.policy_id = $1 AND c.tenant_id = $2 AND c.claim_id <> $3 ORDER BY c.claim_id
        """,
        filed.policy_id,
        filed.tenant_id,
        filed.claim_id,
    )
    return tuple(_earlier(row) for row in rows)


async def order_position(tx: Tx, cover: Cover) -> OrderPosition | None:
    """The order's parcels together; None where the parcel is no order's."""
    if not cover.terms.order_ref:
        return None
    row = await tx.fetchrow(
        """
        SELECT
            (SELECT coalesce(sum((terms -> 'insured_value' ->> 'amount_minor')::bigint), 0)::bigint
             FROM covers WHERE tenant_id = $1 AND order_ref = $2
                AND state NOT IN ('PENDING', 'CANCELLED', 'INVALID', 'VOID')) AS insured,
            (SELECT coalesce(sum((d.parts -> 'delay' ->> 'amount_minor')::bigint), 0)::bigint
             FROM covers o JOIN claims c ON c.policy_id = o.policy_id AND c.tenant_id = o.tenant_id
             JOIN LATERAL (
                SELECT parts FROM decisions
                WHERE claim_id = c.claim_id AND tenant_id = c.tenant_id AND is_settled
                ORDER BY number DESC LIMIT 1
             ) d ON true
             WHERE o.tenant_id = $1 AND o.order_ref = $2 AND o.policy_id <> $3) AS delay_paid
        """,
        cover.tenant_id,
        cover.terms.order_ref,
        cover.policy_id,
    )
    assert row is not None
    return OrderPosition(
        insured_value=Money(row["insured"], cover.currency),
        delay_paid=Money(row["delay_paid"], cover.currency),
    )


async def insert_decision(
    tx: Tx,
    filed: FiledClaim,
    decision: Decision,
    facts: dict[str, Any],
    *,
    decision_id: str,
    number: int,
    is_settled: bool,
    decided_by: str,
    policy_sequence: int,
    now: datetime,
) -> None:
    await tx.execute(
        """
        INSERT INTO decisions (decision_id, tenant_id, claim_id, number, outcome, is_settled,
                               payout_minor, currency, parts, decision, facts, policy_sequence, plan,
                               plan_version, plan_sha256, decided_by, decided_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        """,
        decision_id,
        filed.tenant_id,
        filed.claim_id,
        number,
        decision.outcome.value,
        is_settled,
        decision.payout.amount_minor,
        decision.payout.currency,
        _json(Parts.of(decision)),
        _json(decision),
        _json(to_wire(facts)),
        policy_sequence,
        decision.plan,
        decision.version,
        decision.sha256,
        decided_by,
        now,
    )


async def find_latest_decision(tx: Tx, claim_id: str, *, tenant_id: str) -> KeptDecision | None:
    row = await tx.fetchrow(
        """
        SELECT * FROM decisions WHERE claim_id = $1 AND tenant_id = $2 ORDER BY number DESC LIMIT 1
        """,
        claim_id,
        tenant_id,
    )
    return None if row is None else _decision(row)


async def insert_payout(tx: Tx, payout: Payout, *, tenant_id: str, now: datetime) -> None:
    await tx.execute(
        """
        INSERT INTO payouts (payout_id, tenant_id, claim_id, decision_id, amount_minor, currency,
                             instrument, state, created_at, kind)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        payout.payout_id,
        tenant_id,
        payout.claim_id,
        payout.decision_id,
        payout.amount.amount_minor,
        payout.amount.currency,
        payout.instrument,
        payout.state,
        now,
        payout.kind,
    )


async def save_payout(tx: Tx, payout: Payout, *, tenant_id: str) -> None:
    await tx.execute(
        """
        UPDATE payouts SET state = $3, reference = $4, sent_at = $5, settled_at = $6
        WHERE payout_id = $1 AND tenant_id = $2
        """,
        payout.payout_id,
        tenant_id,
        payout.state,
        payout.reference,
        payout.sent_at,
        payout.settled_at,
    )


async def get_payout(tx: Tx, payout_id: str, *, tenant_id: str) -> Payout:
    row = await tx.fetchrow(
        """
        SELECT p.*, c.policy_id FROM payouts p JOIN claims c USING (claim_id, tenant_id)
        WHERE p.payout_id = $1 AND p.tenant_id = $2
        """,
        payout_id,
        tenant_id,
    )
    if row is None:
        raise UnknownPayout(f"No payout {payout_id} in your account.")
    return _payout(row)


async def list_payouts(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Payout]:
    rows = await tx.fetch(
        """
        SELECT p.*, c.policy_id FROM payouts p JOIN claims c USING (claim_id, tenant_id)
        WHERE p.claim_id = $1 AND p.tenant_id = $2 ORDER BY p.created_at, p.payout_id
        """,
        claim_id,
        tenant_id,
    )
    return [_payout(row) for row in rows]


async def insert_evidence(tx: Tx, evidence: Evidence, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO evidence (evidence_id, tenant_id, policy_id, kind, name, sha256, size_bytes,
                              media_type, submitted_by, uploaded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        evidence.evidence_id,
        tenant_id,
        evidence.policy_id,
        evidence.kind,
        evidence.name,
        evidence.sha256,
        evidence.size_bytes,
        evidence.media_type,
        evidence.submitted_by,
        evidence.uploaded_at,
    )


async def take_evidence(
    tx: Tx, evidence_ids: Sequence[str], filed: FiledClaim
) -> list[Evidence]:
    """Give the claim the files of its policy that no claim has yet; those it now newly has."""
    rows = await tx.fetch(
        """
        UPDATE evidence SET claim_id = $1
        WHERE tenant_id = $2 AND evidence_id = ANY($3) AND policy_id = $4 AND claim_id IS NULL
        RETURNING *
        """,
        filed.claim_id,
        filed.tenant_id,
        list(evidence_ids),
        filed.policy_id,
    )
    return [_evidence(row) for row in rows]


async def list_evidence(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Evidence]:
    rows = await tx.fetch(
        """
        SELECT * FROM evidence WHERE claim_id = $1 AND tenant_id = $2
        ORDER BY uploaded_at, evidence_id
        """,
        claim_id,
        tenant_id,
    )
    return [_evidence(row) for row in rows]


async def remove_untaken_evidence(tx: Tx, evidence_id: str, *, tenant_id: str) -> None:
    await tx.execute(
        "DELETE FROM evidence WHERE evidence_id = $1 AND tenant_id = $2 AND claim_id IS NULL",
        evidence_id,
        tenant_id,
    )


async def insert_recovery(tx: Tx, recovery: Recovery, *, tenant_id: str) -> None:
    await tx.execute(
        """
        INSERT INTO recoveries (recovery_id, tenant_id, claim_id, source, reference, amount_minor,
                                currency, is_fraud, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        recovery.recovery_id,
        tenant_id,
        recovery.claim_id,
        recovery.source,
        recovery.reference,
        recovery.amount.amount_minor,
        recovery.amount.currency,
        recovery.is_fraud,
        recovery.recorded_at,
    )


async def list_recoveries(tx: Tx, claim_id: str, *, tenant_id: str) -> list[Recovery]:
    rows = await tx.fetch(
        """
        SELECT recovery_id, claim_id, source, reference, amount_minor, currency, is_fraud, recorded_at
        FROM recoveries WHERE claim_id = $1 AND tenant_id = $2 ORDER BY recorded_at, recovery_id
        """,
        claim_id,
        tenant_id,
    )
    return [_recovery(row) for row in rows]


def _known(cover: Cover | None, policy_id: str) -> Cover:
    if cover is None:
        raise UnknownPolicy(f"No policy {policy_id} in your account.")
    return cover


def _cover(row: Row) -> Cover:
    return Cover(
        policy_id=row["policy_id"],
        tenant_id=row["tenant_id"],
        plan=row["plan"],
        plan_version=row["plan_version"],
        plan_sha256=row["plan_sha256"],
        state=row["state"],
        terms=_terms.decode(row["terms"]),
        tracking=_tracking.decode(row["tracking"]),
        paid_at=row["paid_at"],
        confirmed_at=row["confirmed_at"],
        carrier=row["carrier"],
        tracking_number=row["tracking_number"],
        sequence=row["sequence"],
    )


def _claim(row: Row) -> FiledClaim:
    return FiledClaim(
        claim=Claim(
            claim_id=row["claim_id"],
            statement=_statement.decode(row["statement"]),
            findings=_findings.decode(row["findings"]),
            notified_at=row["notified_at"],
            filed_at=row["filed_at"],
            evidence=tuple(row["evidence"]),
            info_requested_at=row["info_requested_at"],
        ),
        tenant_id=row["tenant_id"],
        policy_id=row["policy_id"],
        state=row["state"],
        filed_by=row["filed_by"],
    )


def _earlier(row: Row) -> EarlierClaim:
    statement = _statement.decode(row["statement"])
    if row["state"] == "WITHDRAWN" or row["parts"] is None:
        outcome = "WITHDRAWN" if row["state"] == "WITHDRAWN" else "OPEN"
        return EarlierClaim(peril=row["peril"], outcome=outcome, item_ids=statement.item_ids)
    parts = _parts.decode(row["parts"])
    return EarlierClaim(
        peril=row["peril"],
        outcome=row["outcome"],
        item_ids=statement.item_ids,
        goods_paid=parts.goods,
        buy_yourself_paid=parts.buy_yourself,
        shipping_paid=parts.shipping,
        delay_paid=parts.delay,
    )


def _decision(row: Row) -> KeptDecision:
    return KeptDecision(
        decision_id=row["decision_id"],
        claim_id=row["claim_id"],
        number=row["number"],
        outcome=row["outcome"],
        is_settled=row["is_settled"],
        payout=Money(row["payout_minor"], row["currency"]),
        decision=msgspec.json.decode(row["decision"]),
        plan=row["plan"],
        plan_version=row["plan_version"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
    )


def _payout(row: Row) -> Payout:
    return Payout(
        payout_id=row["payout_id"],
        claim_id=row["claim_id"],
        policy_id=row["policy_id"],
        decision_id=row["decision_id"],
        amount=Money(row["amount_minor"], row["currency"]),
        instrument=row["instrument"],
        state=row["state"],
        kind=row["kind"],
        reference=row["reference"],
        sent_at=row["sent_at"],
        settled_at=row["settled_at"],
    )


def _evidence(row: Row) -> Evidence:
    return Evidence(
        evidence_id=row["evidence_id"],
        policy_id=row["policy_id"],
        kind=row["kind"],
        name=row["name"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        media_type=row["media_type"],
        submitted_by=row["submitted_by"],
        uploaded_at=row["uploaded_at"],
        claim_id=row["claim_id"],
    )


def _recovery(row: Row) -> Recovery:
    return Recovery(
        recovery_id=row["recovery_id"],
        claim_id=row["claim_id"],
        source=row["source"],
        reference=row["reference"],
        amount=Money(row["amount_minor"], row["currency"]),
        is_fraud=row["is_fraud"],
        recorded_at=row["recorded_at"],
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
