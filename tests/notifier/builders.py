"""A valid world for the notifier's tests: the producers' own events, and the notices they lead to."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from libs.common import deadletter
from libs.common.bus import Inbound
from libs.common.consumer import deliver
from libs.common.db import Database
from libs.common.events import Announcement, Event, encode, with_sequence
from libs.common.money import Money
from services.claims import events as claims
from services.notifier.consumers import HANDLERS
from services.notifier.domain.notices import ClaimAnswered, Letter, Notice, Notification
from services.notifier.store import Filters, list_notifications
from services.policy import events as policy
from services.policy.domain.policies import PlanPin, Terms

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
TENANT = "sbx-mypoz-tests"
OTHER = "sbx-cssbuy-tests"
POLICY = "pol_01JQZX7Y5V0000000000000001"
CLAIM = "clm_01JQZX7Y5V0000000000000001"
CONSUMER = "notifier"


def myr(amount: str) -> Money:
    return Money(int(Decimal(amount) * 100), "MYR")


TERMS = Terms(
    insured_value=myr("1000"),
    goods_value=myr("1000"),
    eligible_goods_value=myr("1000"),
    shipping_fee=myr("80"),
    premium=myr("38"),
    rate=Decimal("0.038"),
)
PLAN = PlanPin(plan="mypoz-cargo", version=1, sha256="0" * 64)


def policy_issued(**changes: Any) -> policy.PolicyIssued:
    values = {
        "policy_id": POLICY,
        "quote_id": "quo_01JQZX7Y5V0000000000000001",
        "plan": PLAN,
        "terms": TERMS,
        "state": "PENDING",
        **changes,
    }
    return policy.PolicyIssued(**values)


def policy_paid(**changes: Any) -> policy.PolicyPaid:
    values = {
        "policy_id": POLICY,
        "quote_id": "quo_01JQZX7Y5V0000000000000001",
        "plan": PLAN,
        "terms": TERMS,
        "state": "ACTIVE",
        "premium_paid": myr("38"),
        "paid_at": NOW,
        "cover_start": NOW,
        **changes,
    }
    return policy.PolicyPaid(**values)


def policy_activated(**changes: Any) -> policy.PolicyActivated:
    return policy.PolicyActivated(**{"policy_id": POLICY, "cover_start": NOW, **changes})


def policy_cancelled(**changes: Any) -> policy.PolicyCancelled:
    values = {
        "policy_id": POLICY,
        "reason": "CUSTOMER_CANCEL",
        "refund": myr("38"),
        "cancelled_at": NOW,
        **changes,
    }
    return policy.PolicyCancelled(**values)


def claim_notified(**changes: Any) -> claims.ClaimNotified:
    values = {
        "claim_id": CLAIM,
        "policy_id": POLICY,
        "peril": "LOSS",
        "cause": "lost",
        "seen_at": NOW,
        "notified_at": NOW,
        **changes,
    }
    return claims.ClaimNotified(**values)


def claim_notice_closed(**changes: Any) -> claims.ClaimNoticeClosed:
    values = {
        "claim_id": CLAIM,
        "policy_id": POLICY,
        "peril": "LOSS",
        "cause": "lost",
        "reason": "DELIVERED",
        "closed_at": NOW,
        **changes,
    }
    return claims.ClaimNoticeClosed(**values)


def claim_filed(**changes: Any) -> claims.ClaimFiled:
    values = {
        "claim_id": CLAIM,
        "policy_id": POLICY,
        "peril": "LOSS",
        "notified_at": NOW,
        "filed_at": NOW,
        "filed_by": "ann",
        **changes,
    }
    return claims.ClaimFiled(**values)


def claim_decided(**changes: Any) -> claims.ClaimDecided:
    values = {
        "claim_id": CLAIM,
        "policy_id": POLICY,
        "decision_id": "dec_01JQZX7Y5V0000000000000001",
        "peril": "LOSS",
        "outcome": "APPROVED",
        "is_settled": True,
        "payout": myr("250"),
        "instrument": "cash",
        "lines": (claims.Line(label="GROSS", after=Decimal(250)),),
        "decided_at": NOW,
        **changes,
    }
    return claims.ClaimDecided(**values)


def payout_sent(**changes: Any) -> claims.PayoutSent:
    values = {
        "claim_id": CLAIM,
        "policy_id": POLICY,
        "payout_id": "pay_01JQZX7Y5V0000000000000001",
        "amount": myr("250"),
        "instrument": "cash",
        "sent_at": NOW,
        **changes,
    }
    return claims.PayoutSent(**values)


CLAIM_EVENTS: Mapping[str, Mapping[str, Any]] = {
    "ClaimWithdrawn": {"peril": "LOSS", "withdrawn_at": NOW},
    "EvidenceRequested": {
        "request_id": "req_1",
        "missing": ("police_report",),
        "asked_by": "engine",
        "asked_at": NOW,
        "info_until": date(2026, 3, 9),
    },
    "EvidenceReminded": {
        "request_id": "req_1",
        "missing": ("police_report",),
        "until": date(2026, 3, 9),
    },
    "ClaimAppealed": {
        "appeal_id": "apl_1",
        "tier": 1,
        "body": "second_adjudicator",
        "filed_at": NOW,
        "decide_by": date(2026, 3, 16),
    },
    "AppealDecided": {
        "appeal_id": "apl_1",
        "tier": 1,
        "result": "UPHELD",
        "payout": myr("0"),
        "is_final": True,
        "decided_by": "bob",
        "decided_at": NOW,
    },
    "ClaimOverdue": {"clock": "DECIDE", "level": "BREACH", "due_on": date(2026, 3, 1)},
    "ApprovalRequested": {
        "about": "payout",
        "subject_id": "pyt_1",
        "why": "",
        "asked_by": "ann",
        "asked_at": NOW,
    },
    "ClaimClosed": {"outcome": "DENIED", "paid": myr("0"), "closed_at": NOW},
    "PayoutSettled": {
        "payout_id": "pyt_1",
        "amount": myr("250"),
        "state": "FAILED",
        "settled_at": NOW,
    },
    "AdvancePaid": {"payout_id": "pyt_1", "amount": myr("250"), "paid_at": NOW},
    "VoucherIssued": {"voucher_id": "vch_1", "amount": myr("80"), "issued_at": NOW},
    "VoucherLapsed": {"voucher_id": "vch_1", "amount": myr("80"), "lapsed_at": NOW},
    "RepaymentDue": {
        "repayment_id": "rpy_1",
        "why": "PARCEL_FOUND",
        "amount": myr("125"),
        "due_at": NOW,
    },
}


def of_claim(name: str, **changes: Any) -> Event:
    """The claims service's event of that name, about CLAIM."""
    usual = {"claim_id": CLAIM, "policy_id": POLICY, **CLAIM_EVENTS[name]}
    event: Event = getattr(claims, name)(**{**usual, **changes})
    return event


def clock_moved(now: datetime) -> policy.TestClockMoved:
    return policy.TestClockMoved(clock_id="clk_1", now=now)


def an_answer(**changes: Any) -> ClaimAnswered:
    values = {
        "peril": "LOSS",
        "outcome": "APPROVED",
        "payout": myr("250"),
        "instrument": "cash",
        **changes,
    }
    return ClaimAnswered(**values)


def a_notice(letter: Letter, **changes: Any) -> Notice:
    values = {
        "tenant_id": TENANT,
        "event_id": "evt_1",
        "occasion": "occasion_1",
        "caused_at": NOW,
        "letter": letter,
        "policy_id": POLICY,
        **changes,
    }
    return Notice(**values)


class Bus:
    """Events as the broker hands them over; the same message handed over twice is a repeat."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._offset = 0

    def message(self, event: Event, *, tenant_id: str = TENANT, at: datetime = NOW) -> Inbound:
        self._offset += 1
        key = getattr(event, "policy_id", "") or getattr(event, "claim_id", tenant_id)
        # One transaction's events share their time; here each is said a millisecond later.
        said_at = at + timedelta(milliseconds=self._offset)
        envelope = encode(Announcement(tenant_id=tenant_id, key=key, event=event), said_at)
        return Inbound(event.topic, 0, self._offset, key, with_sequence(envelope, self._offset))

    async def say(self, *events: Event, tenant_id: str = TENANT) -> None:
        await self.hand_over(*(self.message(event, tenant_id=tenant_id) for event in events))

    async def hand_over(self, *messages: Inbound) -> None:
        """Deliver, and see that nothing had to be parked."""
        await deliver(self.db, CONSUMER, HANDLERS, messages)
        assert await deadletter.list_letters(self.db) == []

    async def owed(self, tenant_id: str = TENANT) -> list[Notification]:
        """All notifications of the tenant, the oldest first."""
        async with self.db.transaction(tenant_id) as tx:
            rows = await list_notifications(
                tx, Filters(), tenant_id=tenant_id, before=None, limit=1000
            )
        return [row.notification for row in reversed(rows)]

    async def deadlines(self) -> list[str]:
        async with self.db.worker() as connection:
            rows = await connection.fetch("SELECT subject FROM deadlines")
        return [row["subject"] for row in rows]

    async def templates(self, tenant_id: str = TENANT) -> list[str]:
        return [owed.notice.letter.template for owed in await self.owed(tenant_id)]
