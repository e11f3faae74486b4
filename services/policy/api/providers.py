"""What payment providers send: proven by their own signature scheme, read into neutral words.

A provider is a function here. `standard` is Standard Webhooks with a body of ours; `stripe` takes
Stripe's events, whose payment intents carry `policy_id` in their metadata.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from libs.common import signatures
from libs.common.errors import Fault
from libs.common.ids import new_id
from libs.common.money import EXPONENTS, MAX_MINOR, Money
from libs.common.problems import InvalidRequest
from libs.common.signatures import Headers
from libs.common.web import decode, read_json
from services.policy.store import Notice
from services.policy.store.notices import RECEIVED
from services.policy.usecases import KINDS
from services.policy.usecases.notices import (
    DISPUTE_LOST,
    DISPUTE_OPENED,
    DISPUTE_WON,
    REFUNDED,
)

Text = Annotated[str, Meta(min_length=1, max_length=128)]
PolicyId = Annotated[str, Meta(max_length=64)]
Minor = Annotated[int, Meta(ge=0, le=MAX_MINOR)]

# (hook, its secrets, headers, body, real time) -> the notice; BadSignature, InvalidRequest.
Provider = Callable[[str, Sequence[str], Headers, bytes, datetime], Notice]


# --- Standard Webhooks -----------------------------------------------------------------------


class _Amount(msgspec.Struct):
    amount_minor: Minor
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class _Data(msgspec.Struct):
    reference: Text
    amount: _Amount
    policy_id: PolicyId = ""


class _Message(msgspec.Struct):
    type: Text
    timestamp: Annotated[datetime, Meta(tz=True)]
    data: msgspec.Raw = msgspec.Raw(b"{}")


_message = msgspec.json.Decoder(_Message)
_data = msgspec.json.Decoder(_Data)


def standard(
    hook_id: str, secrets: Sequence[str], headers: Headers, body: bytes, now: datetime
) -> Notice:
    """`{"type": "payment.received", "timestamp": ..., "data": {policy_id, reference, amount}}`."""
    event_id = signatures.standard_webhook(secrets, headers, body, now=now)
    read_json(body)
    message = decode(_message, body)
    notice = _notice(hook_id, event_id, message.type, body, now)
    if message.type not in KINDS:
        return notice
    data = decode(_data, bytes(message.data))
    return replace(
        notice,
        policy_id=data.policy_id,
        reference=data.reference,
        amount=_money(data.amount.amount_minor, data.amount.currency),
        occurred_at=message.timestamp.astimezone(UTC),
    )


# --- Stripe ----------------------------------------------------------------------------------


class _Metadata(msgspec.Struct):
    policy_id: PolicyId = ""


class _Object(msgspec.Struct):
    """Of a payment intent, a refund or a dispute, what is read here."""

    id: Text
    currency: Annotated[str, Meta(pattern="^[a-z]{3}$")]
    amount: Minor
    amount_received: Minor = 0
    payment_intent: str | None = None
    status: str = ""
    metadata: _Metadata | None = None


class _Wrapped(msgspec.Struct):
    object: msgspec.Raw


class _Event(msgspec.Struct):
    id: Text
    type: Text
    created: Annotated[int, Meta(ge=0, le=10**11)]
    data: _Wrapped


_event = msgspec.json.Decoder(_Event)
_object = msgspec.json.Decoder(_Object)

# By type and the object's status. A dispute counts once its money is withdrawn.
_STRIPE: Final[Mapping[tuple[str, str], str]] = {
    ("payment_intent.succeeded", "succeeded"): RECEIVED,
    ("refund.created", "succeeded"): REFUNDED,
    ("refund.updated", "succeeded"): REFUNDED,
    ("charge.dispute.closed", "won"): DISPUTE_WON,
    ("charge.dispute.closed", "lost"): DISPUTE_LOST,
}
_STRIPE_TYPES: Final = frozenset(name for name, _ in _STRIPE) | {
    "charge.dispute.funds_withdrawn"
}
# Stripe counts these in hundredths, though the currency has no smaller unit (ISO 4217).
_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})


def stripe(
    hook_id: str, secrets: Sequence[str], headers: Headers, body: bytes, now: datetime
) -> Notice:
    """Payment intents that succeeded, refunds that did, and disputes."""
    signatures.stripe(secrets, headers, body, now=now)
    read_json(body)
    event = decode(_event, body)
    ignored = _notice(hook_id, event.id, event.type, body, now)
    if event.type not in _STRIPE_TYPES:
        return ignored
    subject = decode(_object, bytes(event.data.object))
    kind = _kind(event.type, subject.status)
    if kind is None:
        return ignored
    return replace(
        ignored,
        kind=kind,
        # A refund is told when it is made and again when it changes: it happens once.
        provider_event_id=subject.id if kind == REFUNDED else event.id,
        policy_id=subject.metadata.policy_id if subject.metadata else "",
        reference=subject.id if kind == RECEIVED else subject.payment_intent or "",
        amount=_stripe_money(subject, kind),
        occurred_at=datetime.fromtimestamp(event.created, UTC),
    )


def _kind(event_type: str, status: str) -> str | None:
    if event_type == "charge.dispute.funds_withdrawn":
        return DISPUTE_OPENED
    return _STRIPE.get((event_type, status))


def _stripe_money(subject: _Object, kind: str) -> Money:
    minor = subject.amount_received if kind == RECEIVED else subject.amount
    currency = subject.currency.upper()
    if currency in _HUNDREDTHS:
        minor //= 100
    return _money(minor, currency)


# --- both ------------------------------------------------------------------------------------


def _notice(hook_id: str, event_id: str, kind: str, body: bytes, now: datetime) -> Notice:
    return Notice(
        notice_id=new_id("ntc"),
        hook_id=hook_id,
        provider_event_id=event_id,
        kind=kind,
        body=body,
        body_sha256=hashlib.sha256(body).digest(),
        received_at=now,
    )


def _money(minor: int, currency: str) -> Money:
    if currency not in EXPONENTS:
        fault = Fault(f"{currency} is no currency of ISO 4217.", "#/data")
        raise InvalidRequest(fault.detail, faults=[fault])
    return Money(minor, currency)


PROVIDERS: Final[Mapping[str, Provider]] = {"standard": standard, "stripe": stripe}
