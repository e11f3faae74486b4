"""Traps that bodies set, provider by provider (carriers.md 1 and 2)."""

from typing import Any

import msgspec
import pytest

from services.policy.tracking import PROVIDERS, CarrierScan, Reading
from tests.policy.tracking.bodies import an_epcis_document, an_epcis_event
from tests.policy.tracking.fixtures import body_of, history_of

Json = dict[str, Any]


def read(provider: str, body: object) -> Reading:
    return PROVIDERS[provider].read(msgspec.json.encode(body))


def changed(provider: str, *path: str | int, to: object) -> bytes:
    """The provider's body with one member other than it was."""
    body = msgspec.json.decode(body_of(provider))
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return msgspec.json.encode(body)


def meanings(provider: str, body: bytes) -> list[tuple[str, str]]:
    return [(scan.status, scan.reason) for scan in history_of(provider, body)]


# --- events that say nothing of a parcel's way ---------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "body", "kind", "message_id"),
    [
        (
            "easypost",
            {"id": "evt_1", "description": "batch.created", "result": {"object": "Batch"}},
            "batch.created",
            "evt_1",
        ),
        ("shippo", {"event": "transaction_created", "data": {"rate": "x"}}, "transaction_created", ""),
        (
            "aftership",
            {"event_id": "e", "event": "edd_revise", "msg": {"tracking_number": "1"}},
            "edd_revise",
            "e",
        ),
        ("17track", {"event": "TRACKING_STOPPED", "data": {"number": "1"}}, "TRACKING_STOPPED", ""),
        ("ship24", {"trackings": []}, "", ""),
        ("trackingmore", {"data": {"tracking_number": "1", "delivery_status": "pending"}}, "", ""),
        ("karrio", {"event": "order_created", "data": {"object_type": "order"}}, "order_created", ""),
        ("amazon", {"notificationType": "ORDER_CHANGE", "payload": {}}, "ORDER_CHANGE", ""),
        ("fedex", {"output": {"completeTrackResults": [{"trackResults": [{"error": {}}]}]}}, "", ""),
        ("dhl_unified", {"shipments": [{"id": "1"}]}, "", ""),
        ("epcis", {"type": "EPCISDocument", "epcisBody": {"eventList": []}}, "EPCISDocument", ""),
        ("neutral", {"scans": []}, "", ""),
    ],
)  # fmt: skip
def test_what_says_nothing_of_a_parcels_way_is_read_as_that(
    provider: str, body: Json, kind: str, message_id: str
) -> None:
    assert read(provider, body) == Reading(scans=(), kind=kind, message_id=message_id)


@pytest.mark.parametrize(
    ("provider", "message_id"),
    [
        ("easypost", "evt_fixture1"),
        ("aftership", "7d3c0c1e-0000-4000-8000-00000000f1f1"),
        ("ship24", "00000000-0000-4000-8000-0000000000f1"),
        ("amazon", "00000000-0000-4000-8000-0000000000a1"),
        # Their ids are of a status or a snapshot: two bodies may have one.
        ("shippo", ""), ("17track", ""), ("trackingmore", ""), ("ups", ""), ("fedex", ""),
        ("dhl_unified", ""), ("dhl_express", ""), ("karrio", ""), ("epcis", ""), ("neutral", ""),
    ],
)  # fmt: skip
def test_a_message_has_an_id_where_the_provider_gives_it_one(
    provider: str, message_id: str
) -> None:
    assert PROVIDERS[provider].read(body_of(provider)).message_id == message_id


# --- numbers -------------------------------------------------------------------------------------


def test_a_scan_without_a_number_takes_no_other_with_it() -> None:
    scan = {"carrier": "ems", "status": "lost", "occurred_at": "2026-03-02T09:00:00Z"}
    numbers = ["EZ1", "", " \u0000\u202e ", "EZ2"]

    told = read(
        "neutral", {"scans": [{**scan, "tracking_number": number} for number in numbers]}
    )

    assert [one.number for one in told.scans] == ["EZ1", "EZ2"]


def test_blanks_around_a_number_do_not_make_it_another() -> None:
    plain = history_of("easypost", changed("easypost", "result", "tracking_code", to="EZ1"))
    blank = history_of("easypost", changed("easypost", "result", "tracking_code", to="\t EZ1 "))

    assert plain == blank


# --- keys ----------------------------------------------------------------------------------------


def test_a_scan_keeps_its_key_as_the_history_grows_and_its_order_turns() -> None:
    whole = history_of("17track", body_of("17track"))
    events = msgspec.json.decode(body_of("17track"))["data"]["track_info"]["tracking"][
        "providers"
    ][0]["events"]
    part = changed(
        "17track", "data", "track_info", "tracking", "providers", 0, "events", to=events[:0:-1]
    )

    assert {scan.key for scan in history_of("17track", part)} == {
        scan.key for scan in whole[1:]
    }


def test_shippos_latest_status_keeps_its_key_when_it_moves_into_the_history() -> None:
    alone = changed("shippo", "data", "tracking_history", to=[])

    (latest,) = history_of("shippo", alone)

    assert latest.key == history_of("shippo", body_of("shippo"))[-1].key


def test_a_number_that_fedex_uses_again_is_another_parcels() -> None:
    path = ("output", "completeTrackResults", 0, "trackResults", 0, "trackingNumberInfo")
    again = changed("fedex", *path, "trackingNumberUniqueId", to="2460999999~776000000000~FX")

    first, second = (history_of("fedex", body) for body in (body_of("fedex"), again))

    assert not {scan.key for scan in first} & {scan.key for scan in second}


def test_a_scan_that_is_taken_back_is_known_by_the_key_it_had() -> None:
    told = history_of("epcis", body_of("epcis"))
    (withdrawn,) = (scan for scan in told if scan.is_withdrawn)

    assert withdrawn.key in {scan.key for scan in told if not scan.is_withdrawn}
    assert (withdrawn.status, withdrawn.reason) == ("unknown", "carrier_error")


# --- 17TRACK -------------------------------------------------------------------------------------

TRACK = ("data", "track_info")


def of_17track(**event: object) -> CarrierScan:
    body = changed("17track", *TRACK, "tracking", "providers", 0, "events", to=[event])
    return PROVIDERS["17track"].read(body).scans[0]


@pytest.mark.parametrize("history", [None, [], [{"provider": {"key": 2151}, "events": []}]])
def test_17tracks_latest_event_stands_for_a_history_that_is_empty(history: object) -> None:
    body = changed("17track", *TRACK, "tracking", "providers", to=history)

    (scan,) = history_of("17track", body)

    assert (scan.carrier, scan.status, scan.code) == (
        "correios",
        "lost",
        "Exception/Exception_Lost",
    )


@pytest.mark.parametrize(
    ("stage", "code"),
    [
        ("InfoReceived", ("InfoReceived", "")), ("PickedUp", ("InTransit", "InTransit_PickedUp")),
        ("Departure", ("InTransit", "InTransit_Departure")),
        ("Arrival", ("InTransit", "InTransit_Arrival")),
        ("AvailableForPickup", ("AvailableForPickup", "")), ("OutForDelivery", ("OutForDelivery", "")),
        ("Delivered", ("Delivered", "")), ("Returning", ("Exception", "Exception_Returning")),
        ("Returned", ("Exception", "Exception_Returned")), (None, ("", "")),
    ],
)  # fmt: skip
def test_17tracks_stage_stands_for_a_sub_status_that_is_missing(
    stage: str | None, code: tuple[str, str]
) -> None:
    scan = of_17track(stage=stage, sub_status=None)

    assert (scan.status, scan.sub) == code


def test_17tracks_carrier_may_be_unknown_or_the_one_that_tells() -> None:
    unknown = changed("17track", "data", "carrier", to=0)

    assert {scan.carrier for scan in history_of("17track", unknown)} == {
        "correios",
        "chinapost",
    }
    named = changed("17track", "data", "carrier", to="Correios")
    assert {scan.carrier for scan in history_of("17track", named)} == {"correios"}


def test_17tracks_time_is_read_from_what_there_is() -> None:
    raw = {"date": "2026-03-02", "time": "09:00:00", "timezone": None}

    assert of_17track(time_raw=raw).happened.raw == "2026-03-02 09:00:00"
    assert of_17track(time_raw={**raw, "time": None}).happened.raw == "2026-03-02"
    assert of_17track(time_utc="2026-03-02T09:00:00Z", time_raw=raw).happened.is_zoned
    assert of_17track().happened.at is None


# --- Ship24 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "carrier"),
    [
        (["us-post"], "us-post"), ("us-post", "us-post"), ([], "br-post"), (None, "br-post"),
        (["us-post", "br-post"], "br-post"),
    ],
)  # fmt: skip
def test_ship24s_carrier_is_the_trackers_where_it_names_one(
    codes: object, carrier: str
) -> None:
    body = changed("ship24", "trackings", 0, "tracker", "courierCode", to=codes)

    assert PROVIDERS["ship24"].read(body).scans[0].carrier == carrier


def test_ship24s_grouped_trackings_have_no_id_of_their_body() -> None:
    one = msgspec.json.decode(body_of("ship24"))["trackings"][0]
    other = {**one, "metadata": {"messageId": "00000000-0000-4000-8000-0000000000f9"}}

    reading = read("ship24", {"trackings": [one, other]})

    assert reading.message_id == ""
    # The same events, told by both.
    assert len(reading.scans) == 3


# --- TrackingMore --------------------------------------------------------------------------------


def test_trackingmores_pickup_is_out_for_delivery_unless_it_waits_to_be_collected() -> None:
    def meant(substatus: str) -> list[tuple[str, str]]:
        checkpoint = {"checkpoint_delivery_status": "pickup", "substatus": substatus}
        way = {"trackinfo": [checkpoint]}
        body = {"data": {"tracking_number": "1", "origin_info": way}}
        return meanings("trackingmore", msgspec.json.encode(body))

    assert meant("pickup001") == meant("") == [("out_for_delivery", "none")]
    assert meant("pickup002") == [("available_for_pickup", "none")]


def test_trackingmores_latest_event_stands_for_checkpoints_that_are_missing() -> None:
    latest = {"delivery_status": "exception", "substatus": "exception007"}
    at = {"latest_checkpoint_time": "2026-03-02T09:00:00", "latest_event": "Lost"}
    body = {"data": {"tracking_number": "1", "courier_code": "usps", **latest, **at}}

    (scan,) = history_of("trackingmore", msgspec.json.encode(body))

    assert (scan.status, scan.description, scan.is_trusted) == ("lost", "Lost", False)


# --- UPS -----------------------------------------------------------------------------------------


def test_ups_local_time_counts_where_gmt_is_missing() -> None:
    def told(**times: str | None) -> tuple[str | None, bool, str]:
        body = {"trackingNumber": "1Z", "activityStatus": {"type": "I"}, **times}
        (scan,) = read("ups", body).scans
        at = scan.happened.at
        return at and at.isoformat(), scan.happened.is_zoned, scan.happened.raw

    local = {"localActivityDate": "20260302", "localActivityTime": "091519"}
    gmt = {"gmtActivityDate": "20260302", "gmtActivityTime": "141519"}
    instant = "2026-03-02T14:15:19+00:00"

    assert told(**local, **gmt) == (instant, True, "20260302 091519")
    assert told(**local, gmtOffset="-05.00") == (instant, True, "20260302 091519 -05.00")
    assert told(**local) == ("2026-03-02T09:15:19+00:00", False, "20260302 091519")
    assert told(**gmt) == (instant, True, "20260302T141519Z")
    assert told(**local, gmtActivityDate="", gmtActivityTime="") == told(**local)
    assert told(**local, gmtActivityDate="20260302", gmtActivityTime="99") == told(**local)
    assert told() == (None, False, "")


def test_a_ups_exception_is_no_more_than_that_until_somebody_says_what_its_code_means() -> None:
    (scan,) = history_of("ups", body_of("ups"))

    assert (scan.status, scan.reason) == ("exception", "other")
    assert [code.code for code in scan.unknown] == ["DM"]


def test_ups_number_and_code_are_texts_with_leading_zeros() -> None:
    (scan,) = read(
        "ups", {"trackingNumber": "0012", "activityStatus": {"type": "I", "code": "01"}}
    ).scans

    assert (scan.number, scan.sub) == ("0012", "01")


# --- FedEx ---------------------------------------------------------------------------------------


def test_an_exception_code_beside_a_normal_event_is_no_exception() -> None:
    *_, held, picked_up = history_of("fedex", body_of("fedex"))

    # PU with A25, and HP whose derivedStatusCode is IT (carriers.md 1.11).
    assert (picked_up.code, picked_up.status, picked_up.unknown) == ("PU", "in_transit", ())
    assert (held.code, held.status) == ("HP", "available_for_pickup")


# --- DHL -----------------------------------------------------------------------------------------


def of_dhl(status_code: str, **texts: str) -> tuple[str, str, str]:
    shipment = {"id": "1", "events": [{"statusCode": status_code, **texts}]}
    (scan,) = history_of("dhl_unified", msgspec.json.encode({"shipments": [shipment]}))
    return scan.status, scan.reason, scan.description


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("CUSTOMS", ("customs_hold", "held")),
        ("Clearance event", ("customs_hold", "held")),
        ("Returned to shipper, refused by customs", ("returning", "none")),
        ("The recipient refused the shipment", ("exception", "refused")),
        ("Shipment damaged", ("damaged", "damaged")),
        ("Pickup period has expired", ("expired", "no_movement")),
        # A word in a text is no declaration of loss, and nobody declares a seizure (1.10).
        ("Shipment lost", ("exception", "other")),
        ("Shipment seized by the authorities", ("exception", "other")),
        ("Customers may call", ("exception", "other")),
        ("", ("exception", "other")),
    ],
)
def test_dhls_failure_is_read_from_its_text(text: str, meant: tuple[str, str]) -> None:
    assert of_dhl("failure", description=text)[:2] == meant
    assert of_dhl("failure", status=text.upper())[:2] == meant


def test_dhls_code_is_trusted_where_its_text_contradicts_it_and_the_text_is_shown() -> None:
    assert of_dhl("pre-transit", status="DELIVERED", description="Delivered to a neighbour") == (
        "pre_transit", "none", "DELIVERED: Delivered to a neighbour",
    )  # fmt: skip
    assert of_dhl("transit", status="CUSTOMS", description="CUSTOMS")[::2] == (
        "in_transit", "CUSTOMS",
    )  # fmt: skip


# --- Amazon --------------------------------------------------------------------------------------


def test_amazons_two_letter_cases_are_read_alike() -> None:
    lower = msgspec.json.decode(body_of("amazon"))
    upper = {name[0].upper() + name[1:]: value for name, value in lower.items()}
    metadata = upper["NotificationMetadata"]
    upper["NotificationMetadata"] = {
        name[0].upper() + name[1:]: metadata[name] for name in metadata
    }
    payload = upper["Payload"]
    upper["Payload"] = {name[0].upper() + name[1:]: payload[name] for name in payload}

    assert read("amazon", upper) == read("amazon", lower)


def test_amazons_notification_may_lie_in_the_event_buss_envelope() -> None:
    notification = msgspec.json.decode(body_of("amazon"))
    envelope = {"version": "0", "detail-type": "SHIPMENT_TRACKING_MILESTONE_CHANGED"}

    assert read("amazon", {**envelope, "detail": notification}) == read("amazon", notification)


# --- Karrio --------------------------------------------------------------------------------------


def of_karrio(tracker_status: str | None, *events: Json) -> list[str]:
    tracker = {"object_type": "tracker", "tracking_number": "1", "status": tracker_status}
    body = {"event": "tracker_updated", "data": {**tracker, "events": events}}
    return [scan.status for scan in read("karrio", body).scans]


def test_karrios_tracker_lends_its_status_to_its_newest_event_alone() -> None:
    """On every event, a delivery would be one on the first day."""
    first, last = {"timestamp": "2026-03-01T09:00:00Z"}, {"timestamp": "2026-03-02T09:00:00Z"}

    assert of_karrio("delivered", first, last) == ["", "delivered"]
    assert of_karrio("delivered", last, first) == ["delivered", ""]
    assert of_karrio("delivered", {"description": "a"}, {"description": "b"}) == [
        "delivered",
        "",
    ]
    assert of_karrio("delivered", {**first, "status": "picked_up"}, last) == ["picked_up", ""]
    assert of_karrio(None, first, last) == ["", ""]
    assert of_karrio("delivered") == []


# --- EPCIS ---------------------------------------------------------------------------------------

SSCC = "106141412345678908"
OTHER = "urn:epc:id:sgln:0614141.00777.0"


def of_epcis(*events: Json) -> list[tuple[str, str]]:
    return [
        (scan.status, scan.sub)
        for scan in PROVIDERS["epcis"].read(an_epcis_document(*events)).scans
    ]


@pytest.mark.parametrize("kind", ["possessing_party", "owning_party", "location",
                                  "urn:epcglobal:cbv:sdt:possessing_party",
                                  "https://ref.gs1.org/cbv/SDT-location"])  # fmt: skip
@pytest.mark.parametrize(
    "consignee", ["urn:epc:id:sgln:0614142.00001.0", "urn:epc:id:sgln:0614142.00001.dock5",
                  "urn:epc:id:pgln:0614142.00001", "https://id.gs1.org/414/0614142000011",
                  "https://id.gs1.org/417/0614142000011"],
)  # fmt: skip
def test_what_the_consignee_receives_is_delivered(kind: str, consignee: str) -> None:
    received = an_epcis_event(
        "receiving", "in_progress", destinationList=[{"type": kind, "destination": consignee}]
    )

    assert of_epcis(received) == [("receiving", "")]
    at_location = {**received, "readPoint": None, "bizLocation": received["readPoint"]}
    assert of_epcis(at_location) == [("receiving", "")]


@pytest.mark.parametrize(
    "more",
    [
        {"readPoint": {"id": OTHER}},
        {"readPoint": None},
        {"destinationList": []},
        {"destinationList": None},
        {
            "destinationList": [{"type": "somebody_else", "destination": OTHER}],
            "readPoint": {"id": OTHER},
        },
        {"destinationList": [{"type": "location"}], "readPoint": {"id": ""}},
    ],
)  # fmt: skip
def test_what_anybody_else_receives_has_arrived(more: Json) -> None:
    assert of_epcis(an_epcis_event("receiving", "", **more)) == [("arriving", "")]
    assert of_epcis(an_epcis_event("receiving", "damaged", **more)) == [("arriving", "damaged")]


def test_damage_that_the_consignee_finds_is_damage() -> None:
    assert of_epcis(an_epcis_event("receiving", "damaged")) == [("receiving", "damaged")]


@pytest.mark.parametrize(
    ("step", "word"),
    [
        ("shipping", "shipping"),
        ("urn:epcglobal:cbv:bizstep:shipping", "shipping"),
        ("https://ref.gs1.org/cbv/BizStep-shipping", "shipping"),
        ("cbv:BizStep-shipping", "shipping"),
        ("https://example.com/vocabulary/shipping", "https://example.com/vocabulary/shipping"),
        (None, ""),
    ],
)
def test_a_word_of_gs1_is_known_in_each_of_its_forms(step: str | None, word: str) -> None:
    assert of_epcis(an_epcis_event("", "", bizStep=step)) == [(word, "")]


@pytest.mark.parametrize(
    ("epc", "numbers"),
    [
        ("urn:epc:id:sscc:0614141.1234567890", [SSCC]),
        (f"https://id.gs1.org/00/{SSCC}", [SSCC]),
        (f"https://shop.example/any/00/{SSCC}?x=1", [SSCC]),
        # Items and containers of another kind are no parcels.
        ("urn:epc:id:sgtin:0614141.107346.2017", []),
        ("https://id.gs1.org/01/09506000134352/21/1", []),
        ("urn:epc:id:sscc:0614141", []),
        ("", []),
    ],
)
def test_a_parcel_is_a_logistic_unit_by_its_eighteen_digits(
    epc: str, numbers: list[str]
) -> None:
    body = an_epcis_document(an_epcis_event("shipping", "", epcList=[epc]))

    assert [scan.number for scan in PROVIDERS["epcis"].read(body).scans] == numbers


def test_what_a_subscription_sends_is_read_too() -> None:
    event = an_epcis_event("shipping", "")
    body = {
        "type": "EPCISQueryDocument",
        "epcisBody": {"queryResults": {"resultsBody": {"eventList": [event]}}},
    }

    assert [scan.status for scan in read("epcis", body).scans] == ["shipping"]


@pytest.mark.parametrize("declaration", [None, {}, {"reason": "incorrect_data"}], ids=str)
def test_an_event_with_an_error_declaration_has_not_happened(declaration: Json | None) -> None:
    body = an_epcis_document(an_epcis_event("shipping", "", errorDeclaration=declaration))

    assert [scan.is_withdrawn for scan in PROVIDERS["epcis"].read(body).scans] == [
        declaration is not None
    ]
