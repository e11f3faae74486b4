"""Claims, and every decision ever made on them. Every query names its tenant."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from libs.common.db import Row, Tx, jsonb
from libs.common.errors import NotFound
from libs.common.money import Money
from libs.common.pagination import Moment
from libs.common.plans.wire import to_wire
from services.claims.domain.approvals import Override
from services.claims.domain.cases import Claim, EarlierClaim, Findings, Statement
from services.claims.domain.clocks import Standstill
from services.claims.domain.decision import Decision
from services.claims.domain.filing import Parts
from services.claims.domain.signals import Signal
from services.claims.store.covers import Policy

_statement = msgspec.json.Decoder(Statement)
_findings = msgspec.json.Decoder(Findings)
_pauses = msgspec.json.Decoder(tuple[Standstill, ...])
_parts = msgspec.json.Decoder(Parts)
_overrides = msgspec.json.Decoder(tuple[Override, ...])
_signals = msgspec.json.Decoder(tuple[Signal, ...])

_CLAIM = """
    c.claim_id, c.tenant_id, c.policy_id, c.state, c.statement, c.findings, c.notified_at, c.filed_at,
    c.filed_by, c.cause, c.info_requested_at, c.overrides, c.closed_at, c.complete_at, c.is_clean,
    c.is_priority, c.pauses, c.escalated_at, ARRAY(
        SELECT DISTINCT kind FROM evidence e
        WHERE e.claim_id = c.claim_id AND e.tenant_id = c.tenant_id AND e.scan_state <> 'INFECTED'
        ORDER BY kind
    ) AS evidence
"""


class UnknownClaim(NotFound):
    code = "unknown-claim"
    title = "There is no such claim in your account"


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledClaim:
    """A claim as it is kept: the case's claim, its policy, its state and who filed it.

    `cause` is what suggested it where it began as a first notice.
    """

    claim: Claim
    tenant_id: str
    # None: no policy of the tenant has this parcel.
    policy_id: str | None
    state: str
    filed_by: str
    cause: str | None = None
    # What two people agreed to set aside: every decision of the claim goes by it.
    overrides: tuple[Override, ...] = ()
    closed_at: datetime | None = None
    # Kept by save_timing: staff take it first, when its decision clock stood still, and when a
    # promised day first passed.
    is_priority: bool = False
    pauses: tuple[Standstill, ...] = ()
    escalated_at: datetime | None = None

    @property
    def claim_id(self) -> str:
        return self.claim.claim_id

    @property
    def key(self) -> str:
        """What orders its events: the policy, or the claim itself where there is none."""
        return self.policy_id or self.claim_id

    @property
    def peril(self) -> str:
        return self.claim.statement.peril

    @property
    def is_filed(self) -> bool:
        """Whether somebody claimed it: a first notice is no claim yet, waiting or over."""
        return self.claim.filed_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which claims a list shows; None leaves it as it is. Times are those of the first contact."""

    state: str | None = None
    policy_id: str | None = None
    peril: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    # Whether a promised day has passed that is still open, and whether staff take it first.
    is_overdue: bool | None = None
    is_priority: bool | None = None


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
    overrides: tuple[Override, ...] = ()
    awaits_approval: bool = False
    approved_by: str | None = None
    signals: tuple[Signal, ...] = ()
    # Why it waits for a person; None where it is settled.
    waits_because: str | None = None


async def insert_claim(tx: Tx, filed: FiledClaim) -> None:
    await insert_claims(tx, [filed])


async def insert_claims(tx: Tx, claims: Sequence[FiledClaim]) -> None:
    """In one statement."""
    if not claims:
        return
    await tx.execute(
        """
        INSERT INTO claims (claim_id, tenant_id, policy_id, peril, state, statement, findings,
                            notified_at, filed_at, filed_by, cause, info_requested_at)
        SELECT claim_id, tenant_id, policy_id, peril, state, statement::jsonb, findings::jsonb,
               notified_at, filed_at, filed_by, cause, info_requested_at
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                    $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[],
                    $12::timestamptz[])
            AS i (claim_id, tenant_id, policy_id, peril, state, statement, findings, notified_at,
                  filed_at, filed_by, cause, info_requested_at)
        """,
        [c.claim_id for c in claims],
        [c.tenant_id for c in claims],
        [c.policy_id for c in claims],
        [c.peril for c in claims],
        [c.state for c in claims],
        [jsonb(c.claim.statement) for c in claims],
        [jsonb(c.claim.findings) for c in claims],
        [c.claim.notified_at for c in claims],
        [c.claim.filed_at for c in claims],
        [c.filed_by for c in claims],
        [c.cause for c in claims],
        [c.claim.info_requested_at for c in claims],
    )


async def save_claim(tx: Tx, filed: FiledClaim) -> None:
    await tx.execute(
        """
        UPDATE claims SET state = $3, statement = $4, findings = $5, info_requested_at = $6,
            filed_at = $7, filed_by = $8, overrides = $9, notified_at = $10, closed_at = $11
        WHERE claim_id = $1 AND tenant_id = $2
        """,
        filed.claim_id,
        filed.tenant_id,
        filed.state,
        jsonb(filed.claim.statement),
        jsonb(filed.claim.findings),
        filed.claim.info_requested_at,
        filed.claim.filed_at,
        filed.filed_by,
        jsonb(filed.overrides),
        filed.claim.notified_at,
        filed.closed_at,
    )


async def close_notices(tx: Tx, notices: Sequence[FiledClaim]) -> None:
    """First notices that nobody took up, over; in one statement."""
    if not notices:
        return
    await tx.execute(
        """
        UPDATE claims c SET state = 'CLOSED'
        FROM unnest($1::text[], $2::text[]) AS i (tenant_id, claim_id)
        WHERE c.tenant_id = i.tenant_id AND c.claim_id = i.claim_id AND c.state = 'NOTIFIED'
        """,
        [notice.tenant_id for notice in notices],
        [notice.claim_id for notice in notices],
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


async def find_notice(
    tx: Tx, policy_id: str, peril: str, *, tenant_id: str
) -> FiledClaim | None:
    """The first notice of the peril that waits for its claimant."""
    row = await tx.fetchrow(
        f"""
        SELECT {_CLAIM} FROM claims c
        WHERE c.policy_id = $1 AND c.tenant_id = $2 AND c.peril = $3 AND c.state = 'NOTIFIED'
        """,
        policy_id,
        tenant_id,
        peril,
    )
    return None if row is None else _claim(row)


async def list_claims(
    tx: Tx, wanted: Wanted, *, tenant_id: str, before: Moment, limit: int
) -> list[FiledClaim]:
    """By their first contact, newest first, of those older than the position."""
    rows = await tx.fetch(
        f"""
        SELECT {_CLAIM} FROM claims c
        WHERE c.tenant_id = $1 AND (c.notified_at, c.claim_id) < ($2, $3)
            AND ($4::text IS NULL OR c.state = $4)
            AND ($5::text IS NULL OR c.policy_id = $5)
            AND ($6::text IS NULL OR c.peril = $6)
            AND ($7::timestamptz IS NULL OR c.notified_at >= $7)
            AND ($8::timestamptz IS NULL OR c.notified_at < $8)
            AND ($10::boolean IS NULL OR c.is_priority = $10)
            AND ($11::boolean IS NULL OR $11 = EXISTS (
                SELECT 1 FROM claim_clocks k WHERE k.claim_id = c.claim_id
                AND k.tenant_id = c.tenant_id AND k.state = 'RUNNING' AND k.breached_at IS NOT NULL))
        ORDER BY c.notified_at DESC, c.claim_id DESC LIMIT $9
        """,
        tenant_id,
        *before,
        wanted.state,
        wanted.policy_id,
        wanted.peril,
        wanted.since,
        wanted.until,
        limit,
        wanted.is_priority,
        wanted.is_overdue,
    )
    return [_claim(row) for row in rows]


async def list_claims_of(tx: Tx, policies: Sequence[Policy]) -> dict[Policy, list[FiledClaim]]:
    """All claims and notices ever made on the policies, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_CLAIM} FROM claims c JOIN unnest($1::text[], $2::text[]) AS w (tenant_id, policy_id)
            ON c.tenant_id = w.tenant_id AND c.policy_id = w.policy_id
        ORDER BY c.notified_at, c.claim_id
        """,
        [tenant_id for tenant_id, _ in policies],
        [policy_id for _, policy_id in policies],
    )
    claims: defaultdict[Policy, list[FiledClaim]] = defaultdict(list)
    for row in rows:
        claims[row["tenant_id"], row["policy_id"]].append(_claim(row))
    return claims


async def list_earlier(
    tx: Tx, policy_id: str, *, tenant_id: str, besides: str
) -> tuple[EarlierClaim, ...]:
    """The policy's claims `besides` this one, with what their latest settled decision pays."""
    policy = (tenant_id, policy_id)
    return (await list_earlier_of(tx, [policy], besides=besides)).get(policy, ())


async def list_earlier_of(
    tx: Tx, policies: Sequence[Policy], *, besides: str = ""
) -> dict[Policy, tuple[EarlierClaim, ...]]:
    """The same of several policies. A first notice that nobody took up is no claim."""
    rows = await tx.fetch(
        """
        SELECT c.tenant_id, c.policy_id, c.peril, c.state, c.statement, d.outcome, d.parts
        FROM claims c JOIN unnest($1::text[], $2::text[]) AS w (tenant_id, policy_id)
            ON c.tenant_id = w.tenant_id AND c.policy_id = w.policy_id
        LEFT JOIN LATERAL (
            SELECT outcome, parts FROM decisions
            WHERE claim_id = c.claim_id AND tenant_id = c.tenant_id AND is_settled
            ORDER BY number DESC LIMIT 1
        ) d ON true
        WHERE c.claim_id <> $3 AND c.filed_at IS NOT NULL ORDER BY c.claim_id
        """,
        [tenant_id for tenant_id, _ in policies],
        [policy_id for _, policy_id in policies],
        besides,
    )
    earlier: defaultdict[Policy, tuple[EarlierClaim, ...]] = defaultdict(tuple)
    for row in rows:
        earlier[row["tenant_id"], row["policy_id"]] += (_earlier(row),)
    return earlier


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
    signals: Sequence[Signal] = (),
    waits_because: str | None = None,
    now: datetime,
    overrides: tuple[Override, ...] = (),
    awaits_approval: bool = False,
    approved_by: str | None = None,
) -> None:
    await tx.execute(
        """
        INSERT INTO decisions (decision_id, tenant_id, claim_id, number, outcome, is_settled,
                               payout_minor, currency, parts, decision, facts, policy_sequence, plan,
                               plan_version, plan_sha256, decided_by, decided_at, overrides,
                               awaits_approval, approved_by, signals, waits_because)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19, $20, $21, $22)
        """,
        decision_id,
        filed.tenant_id,
        filed.claim_id,
        number,
        decision.outcome.value,
        is_settled,
        decision.payout.amount_minor,
        decision.payout.currency,
        jsonb(Parts.of(decision)),
        jsonb(decision),
        jsonb(to_wire(facts)),
        policy_sequence,
        decision.plan,
        decision.version,
        decision.sha256,
        decided_by,
        now,
        jsonb(overrides),
        awaits_approval,
        approved_by,
        jsonb(signals),
        waits_because,
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


async def list_decisions(tx: Tx, claim_id: str, *, tenant_id: str) -> list[KeptDecision]:
    """Every one on the claim, the first one first."""
    rows = await tx.fetch(
        "SELECT * FROM decisions WHERE claim_id = $1 AND tenant_id = $2 ORDER BY number",
        claim_id,
        tenant_id,
    )
    return [_decision(row) for row in rows]


async def find_standing_decision(
    tx: Tx, claim_id: str, *, tenant_id: str
) -> KeptDecision | None:
    """The latest that was settled: what the claim's money and its appeals go by."""
    row = await tx.fetchrow(
        """
        SELECT * FROM decisions WHERE claim_id = $1 AND tenant_id = $2 AND is_settled
        ORDER BY number DESC LIMIT 1
        """,
        claim_id,
        tenant_id,
    )
    return None if row is None else _decision(row)


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
            complete_at=row["complete_at"],
            is_clean=row["is_clean"],
        ),
        tenant_id=row["tenant_id"],
        policy_id=row["policy_id"],
        state=row["state"],
        filed_by=row["filed_by"],
        cause=row["cause"],
        overrides=_overrides.decode(row["overrides"]),
        closed_at=row["closed_at"],
        is_priority=row["is_priority"],
        pauses=_pauses.decode(row["pauses"]),
        escalated_at=row["escalated_at"],
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
        # Those made before anything could be overridden do not name what was.
        decision={"overridden": [], **msgspec.json.decode(row["decision"])},
        plan=row["plan"],
        plan_version=row["plan_version"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        overrides=_overrides.decode(row["overrides"]),
        awaits_approval=row["awaits_approval"],
        approved_by=row["approved_by"],
        signals=_signals.decode(row["signals"]),
        waits_because=row["waits_because"],
    )
