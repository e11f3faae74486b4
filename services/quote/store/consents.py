"""What customers chose, as they were asked: written once, and the latest stands."""

from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Row, Tx
from libs.common.pagination import NEWEST, Moment

_COLUMNS = """
    consent_id, tenant_id, quote_id, choice, plan, wording_id, locale, box_state, channel, given_at,
    recorded_at, recorded_by
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """`wording_id` names the text the customer saw, in that locale, beside a box in that state."""

    consent_id: str
    tenant_id: str
    quote_id: str
    choice: str
    plan: str
    wording_id: str
    locale: str
    box_state: str
    channel: str
    given_at: datetime
    recorded_at: datetime
    recorded_by: str


async def insert_consent(tx: Tx, consent: Consent) -> None:
    await tx.execute(
        """
        INSERT INTO consents (consent_id, tenant_id, quote_id, choice, plan, wording_id, locale,
                              box_state, channel, given_at, recorded_at, recorded_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        consent.consent_id,
        consent.tenant_id,
        consent.quote_id,
        consent.choice,
        consent.plan,
        consent.wording_id,
        consent.locale,
        consent.box_state,
        consent.channel,
        consent.given_at,
        consent.recorded_at,
        consent.recorded_by,
    )


async def find_latest(tx: Tx, quote_id: str, *, tenant_id: str) -> Consent | None:
    """The one that stands; None where nothing was chosen yet."""
    found = await list_consents(tx, quote_id, tenant_id=tenant_id, before=NEWEST, limit=1)
    return found[0] if found else None


async def list_consents(
    tx: Tx, quote_id: str, *, tenant_id: str, before: Moment, limit: int
) -> list[Consent]:
    """The latest given first."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM consents
        WHERE quote_id = $1 AND tenant_id = $2 AND (given_at, consent_id) < ($3, $4)
        ORDER BY given_at DESC, consent_id DESC LIMIT $5
        """,
        quote_id,
        tenant_id,
        *before,
        limit,
    )
    return [_consent(row) for row in rows]


def _consent(row: Row) -> Consent:
    return Consent(**dict(row))
