"""The smallest body of each provider that says one code, as the provider says it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

NUMBER: Final = "FX1"
AT: Final = "2026-03-02T09:00:00Z"

# A top-level code and a finer one, either may be empty; a body.
Says = Callable[[str, str], bytes]


def _json(body: Any) -> bytes:
    return msgspec.json.encode(body)


def _easypost(status: str, sub: str) -> bytes:
    detail = {"status": status, "status_detail": sub, "datetime": AT}
    tracker = {"object": "Tracker", "tracking_code": NUMBER, "tracking_details": [detail]}
    return _json({"id": "evt_1", "description": "tracker.updated", "result": tracker})


def _shippo(status: str, sub: str) -> bytes:
    latest = {"status": status, "substatus": {"code": sub}, "status_date": AT}
    data = {"tracking_number": NUMBER, "tracking_status": latest}
    return _json({"event": "track_updated", "data": data})


def _aftership(status: str, sub: str) -> bytes:
    checkpoint = {"tag": status, "subtag": sub, "checkpoint_time": AT}
    msg = {"tracking_number": NUMBER, "checkpoints": [checkpoint]}
    return _json({"event": "tracking_update", "msg": msg})


def _17track(status: str, sub: str) -> bytes:
    event = {"sub_status": sub, "stage": status, "time_iso": AT}
    track = {"tracking": {"providers": [{"events": [event]}]}}
    return _json({"event": "TRACKING_UPDATED", "data": {"number": NUMBER, "track_info": track}})


def _ship24(status: str, sub: str) -> bytes:
    event = {"statusMilestone": status, "statusCode": sub, "occurrenceDatetime": AT}
    tracking = {"tracker": {"trackingNumber": NUMBER}, "events": [event]}
    return _json({"trackings": [tracking]})


def _trackingmore(status: str, sub: str) -> bytes:
    checkpoint = {"checkpoint_delivery_status": status, "substatus": sub, "Date": AT}
    return _json(
        {"data": {"tracking_number": NUMBER, "origin_info": {"trackinfo": [checkpoint]}}}
    )


def _ups(status: str, sub: str) -> bytes:
    return _json({"trackingNumber": NUMBER, "activityStatus": {"type": status, "code": sub}})


def _fedex(status: str, sub: str) -> bytes:
    event = {"eventType": status, "exceptionCode": sub.partition(":")[2], "date": AT}
    track = {"trackingNumberInfo": {"trackingNumber": NUMBER}, "scanEvents": [event]}
    return _json({"output": {"completeTrackResults": [{"trackResults": [track]}]}})


_DHL_TEXTS: Final = {
    "returning": "The shipment is being returned to the shipper",
    "refused": "Recipient refused delivery",
    "damaged": "Shipment damaged",
    "customs": "CUSTOMS",
    "expired": "Storage time expired",
}


def _dhl_unified(status: str, sub: str) -> bytes:
    event = {"statusCode": status, "status": _DHL_TEXTS.get(sub), "timestamp": AT}
    return _json({"shipments": [{"id": NUMBER, "events": [event]}]})


def _dhl_express(status: str, sub: str) -> bytes:
    return f"""<r:TrackingResponse xmlns:r="http://www.dhl.com"><AWBInfo><AWBNumber>{NUMBER}</AWBNumber>
        <ShipmentInfo><ShipmentEvent><Date>2026-03-02</Date><Time>09:00:00</Time>
        <ServiceEvent><EventCode>{status}</EventCode></ServiceEvent></ShipmentEvent></ShipmentInfo>
        </AWBInfo></r:TrackingResponse>""".encode()


def _amazon(status: str, sub: str) -> bytes:
    milestone = {"status": {"code": status, "subCode": sub}, "occurredAt": AT}
    detail = {"identifier": {"aftn": NUMBER}, "latestMilestone": milestone}
    told = {"shipmentTrackingMilestoneChangedNotification": {"trackingDetail": detail}}
    return _json({"notificationType": "SHIPMENT_TRACKING_MILESTONE_CHANGED", "payload": told})


def _karrio(status: str, sub: str) -> bytes:
    event = {"status": status, "reason": sub, "timestamp": AT}
    tracker = {"object_type": "tracker", "tracking_number": NUMBER, "events": [event]}
    return _json({"event": "tracker_updated", "data": tracker})


CONSIGNEE: Final = "urn:epc:id:sgln:0614142.00001.0"


def an_epcis_event(step: str, disposition: str, **more: object) -> dict[str, object]:
    """Of a parcel at its consignee's."""
    return {
        "type": "ObjectEvent",
        "bizStep": step,
        "disposition": disposition,
        "epcList": ["urn:epc:id:sscc:0614141.1234567890"],
        "eventTime": AT,
        "readPoint": {"id": CONSIGNEE},
        "destinationList": [{"type": "location", "destination": CONSIGNEE}],
        **more,
    }


def an_epcis_document(*events: dict[str, object]) -> bytes:
    return _json({"type": "EPCISDocument", "epcisBody": {"eventList": events}})


def _epcis(status: str, sub: str) -> bytes:
    return an_epcis_document(an_epcis_event(status, sub))


def _neutral(status: str, sub: str) -> bytes:
    scan = {"carrier": "ems", "tracking_number": NUMBER, "status": status, "reason": sub}
    return _json({"scans": [{**scan, "occurred_at": AT}]})


SAYING: Final[Mapping[str, Says]] = {
    "easypost": _easypost,
    "shippo": _shippo,
    "aftership": _aftership,
    "17track": _17track,
    "ship24": _ship24,
    "trackingmore": _trackingmore,
    "ups": _ups,
    "fedex": _fedex,
    "dhl_unified": _dhl_unified,
    "dhl_express": _dhl_express,
    "amazon": _amazon,
    "karrio": _karrio,
    "epcis": _epcis,
    "neutral": _neutral,
}
