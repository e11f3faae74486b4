"""Amazon's notifications, as a forwarder of their queue or event bus posts them."""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.policy.tracking.adapter import CarrierScan, Provider, Reading, Unreadable
from services.policy.tracking.reading import decode, place, reading_of
from services.policy.tracking.signing import SecretHeader, SecretUrl, check_shown
from services.policy.tracking.times import read_time


class _Address(msgspec.Struct, rename="camel"):
    city: str | None = None
    region: str | None = None
    country_code: str | None = None


class _Location(msgspec.Struct):
    address: _Address | None = None


class _Status(msgspec.Struct, rename="camel"):
    code: str | None = None
    sub_code: str | None = None
    detail_codes: Sequence[str] | None = None
    description: str | None = None


class _Milestone(msgspec.Struct, rename="camel"):
    status: _Status | None = None
    location: _Location | None = None
    occurred_at: str | None = None


class _Identifier(msgspec.Struct, rename="camel"):
    aftn: str | None = None
    tracking_number: str | None = None
    tracking_id: str | None = None


class _Detail(msgspec.Struct, rename="camel"):
    identifier: _Identifier
    latest_milestone: _Milestone | None = None
    milestone_history: Sequence[_Milestone] | None = None


class _Milestones(msgspec.Struct, rename="camel"):
    tracking_detail: _Detail


class _Outbound(msgspec.Struct, rename="pascal"):
    amazon_shipment_id: str
    shipment_status: str


class _Payload(msgspec.Struct):
    milestones: _Milestones | None = msgspec.field(
        default=None, name="shipmentTrackingMilestoneChangedNotification"
    )
    upper_milestones: _Milestones | None = msgspec.field(
        default=None, name="ShipmentTrackingMilestoneChangedNotification"
    )
    outbound: _Outbound | None = msgspec.field(
        default=None, name="FBAOutboundShipmentStatusNotification"
    )


class _Metadata(msgspec.Struct):
    notification_id: str | None = msgspec.field(default=None, name="notificationId")
    upper_notification_id: str | None = msgspec.field(default=None, name="NotificationId")


class _Notification(msgspec.Struct, kw_only=True):
    """Newer notifications begin their names in lower case, older ones in upper case."""

    kind: str | None = msgspec.field(default=None, name="notificationType")
    upper_kind: str | None = msgspec.field(default=None, name="NotificationType")
    event_time: str | None = msgspec.field(default=None, name="eventTime")
    upper_event_time: str | None = msgspec.field(default=None, name="EventTime")
    metadata: _Metadata | None = msgspec.field(default=None, name="notificationMetadata")
    upper_metadata: _Metadata | None = msgspec.field(default=None, name="NotificationMetadata")
    payload: _Payload | None = None
    upper_payload: _Payload | None = msgspec.field(default=None, name="Payload")


class _Delivered(_Notification, kw_only=True):
    # An event bus puts the notification into an envelope of its own.
    detail: _Notification | None = None


_delivered = msgspec.json.Decoder(_Delivered)


def read(body: bytes) -> Reading:
    """A notification of another kind says nothing of a parcel's way."""
    delivered = decode(_delivered, body)
    notification = delivered.detail or delivered
    kind = notification.kind or notification.upper_kind
    if not kind:
        raise Unreadable("A notification has a notificationType.")
    metadata = notification.metadata or notification.upper_metadata or _Metadata()
    return reading_of(
        _scans(notification),
        message_id=metadata.notification_id or metadata.upper_notification_id,
        kind=kind,
    )


def _scans(notification: _Notification) -> list[CarrierScan]:
    payload = notification.payload or notification.upper_payload or _Payload()
    milestones = payload.milestones or payload.upper_milestones
    if milestones is not None:
        return _milestones(milestones.tracking_detail)
    if payload.outbound is not None:
        return [_outbound(payload.outbound, notification)]
    return []


def _milestones(detail: _Detail) -> list[CarrierScan]:
    """All milestones so far, newest first, and the latest told again."""
    told = [*(detail.milestone_history or ()), *filter(None, [detail.latest_milestone])]
    return [_milestone(detail.identifier, milestone) for milestone in told]


def _milestone(identifier: _Identifier, milestone: _Milestone) -> CarrierScan:
    status = milestone.status or _Status()
    where = (milestone.location and milestone.location.address) or _Address()
    details = status.detail_codes or ("",)
    return CarrierScan(
        carrier="amazon",
        number=identifier.aftn or identifier.tracking_number or identifier.tracking_id or "",
        status=_word(status.code or ""),
        sub=_word(status.sub_code or details[0]),
        happened=read_time(milestone.occurred_at),
        location=place(where.city, where.region),
        country=where.country_code or "",
        description=status.description or "",
    )


def _outbound(outbound: _Outbound, notification: _Notification) -> CarrierScan:
    """A shipment of Amazon's own warehouses, which has Amazon's id and no place."""
    return CarrierScan(
        carrier="amazon",
        number=outbound.amazon_shipment_id,
        status=_word(outbound.shipment_status),
        happened=read_time(notification.event_time or notification.upper_event_time),
    )


def _word(code: str) -> str:
    """OUT_FOR_DELIVERY as the other models write it: OutForDelivery."""
    return "".join(part.capitalize() for part in code.split("_")) if code.isupper() else code


# Amazon proves itself to AWS; the forwarder, which is the operator's own, to us.
PROVIDER: Final = Provider(
    name="amazon",
    title="Amazon",
    schemes={"url": SecretUrl(), "bearer": SecretHeader(word="Bearer")},
    read=read,
    check_secret=check_shown,
)
