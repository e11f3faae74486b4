"""What carriers really posted, read to its exact history. The samples are beside the repository."""

from typing import Any

import msgspec
import pytest

from services.policy.tracking import PROVIDERS, Unreadable
from tests.policy.tracking.fixtures import history_of, instant
from tests.policy.tracking.samples import sample, sampled

# Status, reason, instant, whether it named its offset, the provider's code.
Told = tuple[str, str, str | None, bool, str]


def told_by(provider: str, body: bytes, *, carrier: str, number: str) -> list[Told]:
    """The history, all of one parcel, without a code that no map has."""
    history = history_of(provider, body)
    assert {(scan.carrier, scan.number) for scan in history} == {(carrier, number)}
    assert [scan.unknown for scan in history] == [()] * len(history)
    return [
        (
            scan.status,
            scan.reason,
            instant(scan.occurred_at),
            scan.is_zoned,
            scan.code,
        )
        for scan in history
    ]


def wrapped(**members: Any) -> bytes:
    return msgspec.json.encode(members)


def test_easyposts_event_of_a_tracker() -> None:
    body = sample("easypost/event-tracker-updated.json")

    assert told_by("easypost", body, carrier="fedex", number="1") == [
        ("pre_transit", "info", "2024-07-31T15:00:00Z", True, "pre_transit/label_created"),
        ("in_transit", "none", "2024-07-31T19:27:00Z", True, "in_transit/arrived_at_facility"),
        ("in_transit", "none", "2024-07-31T22:35:00Z", True, "in_transit/arrived_at_facility"),
        ("in_transit", "none", "2024-08-01T14:42:13Z", True, "in_transit/departed_facility"),
        ("in_transit", "none", "2024-08-02T02:46:19Z", True, "in_transit/unknown"),
        ("in_transit", "none", "2024-08-02T18:35:20Z", True, "in_transit/unknown"),
        ("in_transit", "none", "2024-08-02T18:50:00Z", True, "in_transit/arrived_at_facility"),
    ]  # fmt: skip
    assert PROVIDERS["easypost"].read(body).message_id == "evt_1"


def test_easyposts_new_tracker() -> None:
    tracker = sampled("easypost/tracker-create.json")["response"]
    body = wrapped(id="evt_2", object="Event", description="tracker.created", result=tracker)

    assert told_by("easypost", body, carrier="usps", number="EZ1000000001") == [
        ("pre_transit", "none", "2025-02-06T19:48:26Z", True, "pre_transit/status_update"),
        ("pre_transit", "none", "2025-02-07T08:25:26Z", True, "pre_transit/status_update"),
    ]


def test_shippos_delivery_is_told_once_though_the_latest_is_in_the_history_too() -> None:
    body = wrapped(event="track_updated", data=sampled("shippo/track-delivered.json"))

    assert told_by("shippo", body, carrier="usps", number="9205590164917312751089") == [
        ("in_transit", "none", "2023-07-21T15:33:00Z", True, "TRANSIT/package_accepted"),
        ("delivered", "none", "2023-07-23T13:03:00Z", True, "DELIVERED/delivered"),
    ]


def test_afterships_tracking() -> None:
    tracking = sampled("aftership/tracking-inforeceived.json")
    body = wrapped(event_id="e-1", event="tracking_update", msg=tracking)

    assert told_by("aftership", body, carrier="usps", number="9434936105536968782556") == [
        ("pre_transit", "info", "2023-12-20T08:12:00Z", True, "InfoReceived/InfoReceived_001"),
    ]  # fmt: skip


def test_17tracks_correios_whose_delivery_has_no_offset() -> None:
    accepted = sampled("17track/gettrackinfo_correios_2151.json")["data"]["accepted"][0]
    body = wrapped(event="TRACKING_UPDATED", data=accepted)

    assert told_by("17track", body, carrier="correios", number="AA123456789BR") == [
        ("delivered", "none", "2026-06-30T14:23:00Z", False, "Delivered/Delivered_Other"),
        (
            "out_for_delivery",
            "none",
            "2026-06-28T11:40:00Z",
            True,
            "OutForDelivery/OutForDelivery_Other",
        ),
        ("in_transit", "none", "2026-06-25T13:12:00Z", True, "InTransit/InTransit_PickedUp"),
    ]


def test_17tracks_end_of_tracking_says_nothing_of_the_way() -> None:
    reading = PROVIDERS["17track"].read(sample("17track/webhook_tracking_stopped.json"))

    assert (reading.kind, reading.scans) == ("TRACKING_STOPPED", ())


def test_ups_out_for_delivery_in_gmt() -> None:
    body = sample("ups/track-alert-1-out-for-delivery.json")

    assert told_by("ups", body, carrier="ups", number="1Z204W4R0308071865") == [
        ("out_for_delivery", "none", "2024-04-23T13:15:19Z", True, "I/OT"),
    ]
    assert history_of("ups", body)[0].time_raw == "20240423 091519"


def test_amazons_outbound_shipment_of_its_own_warehouse() -> None:
    body = sample("amazon/fba-outbound-shipment-status.json")

    assert told_by("amazon", body, carrier="amazon", number="DrLqQwqvb") == [
        ("pre_transit", "info", "2020-01-11T00:09:53.109000Z", True, "Created"),
    ]
    assert PROVIDERS["amazon"].read(body).message_id == "requestId"


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("easypost", "easypost/claim-create.json"),
        ("17track", "17track/register_mixed.json"),
        ("17track", "17track/gettracklist_page.json"),
        ("aftership", "aftership/tracking-inforeceived.json"),
        ("shippo", "shippo/track-delivered.json"),
    ],
)  # fmt: skip
def test_what_is_not_posted_but_answered_is_unreadable(provider: str, name: str) -> None:
    with pytest.raises(Unreadable):
        PROVIDERS[provider].read(sample(name))
