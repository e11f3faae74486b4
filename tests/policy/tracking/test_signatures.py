"""What a provider posts is proven over the bytes as they came, or refused."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest

from libs.common.signatures import BadSecret
from services.policy.tracking import PROVIDERS, Message
from tests.policy.tracking.fixtures import body_of
from tests.policy.tracking.posting import (
    NOW,
    SCHEMES,
    is_proven,
    posted,
    scheme_of,
    secret_for,
    with_headers,
)
from tests.policy.tracking.samples import sample

each_scheme = pytest.mark.parametrize(("provider", "name"), SCHEMES)

BODY = b'{"ts":1700000000,"event":"tracking_update"}'
AT = datetime.fromtimestamp(1_700_000_000, UTC)


def message(body: bytes, **headers: str) -> Message:
    """Header names with underscores for dashes."""
    return Message(
        body=body, headers={name.replace("_", "-"): [text] for name, text in headers.items()}
    )


# --- the vectors of carriers.md 4 ----------------------------------------------------------------

EASYPOST = "hmac-sha256-hex=38f3f53c103713df81616a0a186d77141957323ec21d5fe9363db93840f527db"
AFTERSHIP = "7d0zm4Bq40+De3YmKH/FRn0A+/WPsFvh+8QIhATdNk8="
SHIPPO = "t=1700000000,v1=5fbd7ae0bd1f25fa4f1458a7779fe0d1e5ca10d1907bef286815eefe78a9270c"
TRACKINGMORE = "1b74eaf87da46877ba651ac812b24a3bf01990e9ed0101b88268f60f965729e2"
SEVENTEENTRACK = "3c01acb17241ccb379da2108bae1c0c2b2229702a0fa451dd424bd4e2c1154bf"
SEVENTEENTRACK_KEY = "0123456789ABCDEF0123456789ABCDEF"
STOPPED = (
    b'{"event":"TRACKING_STOPPED","data":'
    b'{"number":"TEST0000000CN","carrier":3011,"tag":"pol_1"}}'
)


def test_easyposts_official_vector_is_right() -> None:
    """Its secret is not ASCII, and is normalised; the body ends before the file's last newline."""
    body = sample("easypost/event-tracker-updated.json").removesuffix(b"\n")
    assert len(body) == 3550

    proven = message(body, x_hmac_signature=EASYPOST)

    assert is_proven(scheme_of("easypost"), proven, "sécret")
    assert is_proven(scheme_of("easypost"), proven, "se\u0301cret")
    assert not is_proven(scheme_of("easypost"), proven, "secret")
    assert scheme_of("easypost").sign("sécret", body, path="", now=NOW).headers == {
        "x-hmac-signature": EASYPOST
    }


def test_shippos_vector_is_right() -> None:
    proven = message(BODY, shippo_auth_signature=SHIPPO)

    assert is_proven(scheme_of("shippo"), proven, "test-secret", now=AT)
    assert scheme_of("shippo").sign("test-secret", BODY, path="", now=AT).headers == {
        "shippo-auth-signature": SHIPPO
    }


def test_afterships_vector_is_right() -> None:
    proven = message(BODY, aftership_hmac_sha256=AFTERSHIP)

    assert is_proven(scheme_of("aftership"), proven, "test-secret")
    assert scheme_of("aftership").sign("test-secret", BODY, path="", now=NOW).headers == {
        "aftership-hmac-sha256": AFTERSHIP
    }


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("hmac", {"hex", "base64"}),
        ("hmac-hex", {"hex"}),
        ("hmac-base64", {"base64"}),
    ],
)
def test_fedex_vector_is_right_in_the_forms_that_are_chosen(name: str, takes: set[str]) -> None:
    written = {"base64": AFTERSHIP, "hex": base64.b64decode(AFTERSHIP).hex()}

    taken = {
        form
        for form, text in written.items()
        if is_proven(scheme_of("fedex", name), message(BODY, fdx_signature=text), "test-secret")
    }

    assert taken == takes


def test_17tracks_vector_is_right() -> None:
    proven = message(STOPPED, sign=SEVENTEENTRACK)

    assert is_proven(scheme_of("17track"), proven, SEVENTEENTRACK_KEY)
    assert scheme_of("17track").sign(SEVENTEENTRACK_KEY, STOPPED, path="", now=NOW).headers == {
        "sign": SEVENTEENTRACK
    }


def test_trackingmores_vector_is_right_at_the_secret_address_alone() -> None:
    scheme = scheme_of("trackingmore")
    pair = {"timeStr": "1700000000", "signature": TRACKINGMORE}
    body = msgspec.json.encode({"data": {}, "verifyInfo": pair})
    token = scheme.url_token("test-secret")
    derived = hmac.new(b"test-secret", b"parcelcover-url", hashlib.sha256).hexdigest()

    assert token == derived[:32]
    assert is_proven(
        scheme, Message(body=body, headers={}, query={"token": [token]}), "test-secret"
    )
    assert not is_proven(scheme, Message(body=body, headers={}), "test-secret")
    assert scheme.sign("test-secret", b'{"data":{}}', path="", now=AT).body == body


def test_the_published_example_of_standard_webhooks_is_right() -> None:
    proven = message(
        b'{"test": 2432232314}',
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        webhook_timestamp="1614265330",
        webhook_signature="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    )
    at = datetime.fromtimestamp(1_614_265_330, UTC)

    assert is_proven(
        scheme_of("neutral"), proven, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", now=at
    )


# --- what holds for every scheme -----------------------------------------------------------------


@each_scheme
def test_what_a_secret_signs_it_proves(provider: str, name: str) -> None:
    scheme, secret = scheme_of(provider, name), secret_for(provider)

    assert is_proven(scheme, posted(scheme, secret, body_of(provider)), secret)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_secret_that_we_make_is_one_that_we_take(provider: str) -> None:
    PROVIDERS[provider].check_secret(secret_for(provider))


@pytest.mark.parametrize("provider", ["ship24", "ups", "karrio", "amazon", "epcis"])
@pytest.mark.parametrize("secret", ["sécret", " secret", "secret ", "se\tcret", "se\ncret"])
def test_a_secret_that_no_header_can_show_is_refused(provider: str, secret: str) -> None:
    with pytest.raises(BadSecret):
        PROVIDERS[provider].check_secret(secret)


@each_scheme
def test_no_other_secret_proves_it(provider: str, name: str) -> None:
    scheme = scheme_of(provider, name)
    request = posted(scheme, secret_for(provider), body_of(provider))

    assert not is_proven(scheme, request, secret_for(provider, "other"))
    assert not is_proven(scheme, request)


@each_scheme
def test_two_secrets_are_good_while_one_replaces_the_other(provider: str, name: str) -> None:
    scheme, body = scheme_of(provider, name), body_of(provider)
    old, new = secret_for(provider, "old"), secret_for(provider, "new")

    assert is_proven(scheme, posted(scheme, old, body), old, new)
    assert is_proven(scheme, posted(scheme, new, body), old, new)


@each_scheme
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_secret_proves_nothing(provider: str, name: str, empty: str) -> None:
    scheme, body = scheme_of(provider, name), body_of(provider)
    by_hand = posted(scheme, empty, body)

    assert not is_proven(scheme, by_hand, empty)
    assert not is_proven(scheme, by_hand, empty, secret_for(provider))
    assert not is_proven(scheme, Message(body=body, headers={}), empty)


@each_scheme
def test_without_its_proof_a_request_is_refused(provider: str, name: str) -> None:
    scheme, secret = scheme_of(provider, name), secret_for(provider)
    request = posted(scheme, secret, body_of(provider))

    for header in request.headers:
        others = {other: request.headers[other] for other in request.headers if other != header}
        assert not is_proven(scheme, replace(request, headers=others), secret), header
    if request.query:
        assert not is_proven(scheme, replace(request, query={}), secret)
    assert not is_proven(scheme, Message(body=body_of(provider), headers={}), secret)


@each_scheme
def test_a_header_or_token_that_comes_twice_is_refused(provider: str, name: str) -> None:
    scheme, secret = scheme_of(provider, name), secret_for(provider)
    request = posted(scheme, secret, body_of(provider))

    for header, values in request.headers.items():
        for twice in ([*values, *values], [*values, "other"], ["other", *values]):
            assert not is_proven(scheme, with_headers(request, {header: twice}), secret), header
    for token in request.query.values():
        for twice in ([*token, *token], [*token, "other"], ["other", *token]):
            assert not is_proven(scheme, replace(request, query={"token": twice}), secret)


@each_scheme
def test_a_proof_that_is_no_text_of_its_kind_is_refused(provider: str, name: str) -> None:
    scheme, secret = scheme_of(provider, name), secret_for(provider)
    request = posted(scheme, secret, body_of(provider))

    for text in ("", " ", "é", "\udc80", "x" * 64, "=", "v1,", "t=,v1=", "None", "0" * 10_000):
        for header in request.headers:
            assert not is_proven(scheme, with_headers(request, {header: text}), secret), header
        if request.query:
            assert not is_proven(scheme, replace(request, query={"token": [text]}), secret)


COVERED = [
    (provider, name)
    for provider, name in SCHEMES
    if type(scheme_of(provider, name)).__name__
    not in ("SecretHeader", "SecretUrl", "VerifyInfo")
]


@pytest.mark.parametrize(("provider", "name"), COVERED)
def test_one_byte_changed_is_another_body(provider: str, name: str) -> None:
    scheme, secret = scheme_of(provider, name), secret_for(provider)
    request = posted(scheme, secret, body_of(provider))

    for at in (0, len(request.body) // 2, len(request.body) - 1):
        changed = bytearray(request.body)
        changed[at] ^= 1
        assert not is_proven(scheme, replace(request, body=bytes(changed)), secret), at


@pytest.mark.parametrize(("provider", "name"), COVERED)
def test_a_body_written_anew_is_another_body(provider: str, name: str) -> None:
    """What a framework makes of the same JSON, and a newline more or less at its end."""
    scheme, secret, body = scheme_of(provider, name), secret_for(provider), body_of(provider)
    request = posted(scheme, secret, body)
    assert body.endswith(b"\n")

    for other in (
        msgspec.json.encode(msgspec.json.decode(body)),
        body.removesuffix(b"\n"),
        body + b"\n",
        b"\xef\xbb\xbf" + body,
        b"",
    ):
        assert not is_proven(scheme, replace(request, body=other), secret)


@pytest.mark.parametrize(("provider", "name"), COVERED)
def test_a_signature_of_another_body_is_refused(provider: str, name: str) -> None:
    scheme, secret = scheme_of(provider, name), secret_for(provider)
    one, other = (posted(scheme, secret, body) for body in (b'{"a":1}', b'{"b":2}'))

    assert not is_proven(scheme, replace(one, headers=other.headers), secret)


@each_scheme
def test_a_provider_that_signs_no_more_than_a_time_is_not_trusted(
    provider: str, name: str
) -> None:
    signs_a_time_alone = type(scheme_of(provider, name)).__name__ == "VerifyInfo"

    assert PROVIDERS[provider].is_trusted is not signs_a_time_alone


def test_a_secret_is_in_no_address_where_a_signature_does_its_work() -> None:
    addressed = {
        (provider, name)
        for provider, name in SCHEMES
        if scheme_of(provider, name).url_token("s") is not None
    }

    assert addressed == {
        ("shippo", "token"), ("trackingmore", "verify-info"), ("dhl_unified", "url"),
        ("dhl_express", "url"), ("amazon", "url"),
    }  # fmt: skip


# --- time ----------------------------------------------------------------------------------------

TIMED = [("shippo", "hmac"), ("easypost", "v2"), ("neutral", "standard-webhooks")]
SKEWS = [(-301, False), (-300, True), (0, True), (300, True), (301, False)]


@pytest.mark.parametrize(("provider", "name"), TIMED)
@pytest.mark.parametrize(("seconds", "is_good"), SKEWS)
def test_a_clock_may_differ_by_five_minutes_on_either_side(
    provider: str, name: str, seconds: int, is_good: bool
) -> None:
    scheme, secret = scheme_of(provider, name), secret_for(provider)
    made_at = NOW + timedelta(seconds=seconds)

    request = posted(scheme, secret, body_of(provider), now=made_at)

    assert is_proven(scheme, request, secret) is is_good


@pytest.mark.parametrize(
    ("provider", "name"), [scheme for scheme in SCHEMES if scheme not in TIMED]
)
def test_a_scheme_without_a_time_takes_what_is_sent_again_days_later(
    provider: str, name: str
) -> None:
    scheme, secret = scheme_of(provider, name), secret_for(provider)
    request = posted(scheme, secret, body_of(provider), now=NOW - timedelta(days=3))

    assert is_proven(scheme, request, secret)


def test_easyposts_minus_zero_zone_is_utc() -> None:
    scheme, body = scheme_of("easypost", "v2"), body_of("easypost")
    stamp = format_datetime(NOW.replace(tzinfo=None))
    assert stamp.endswith("-0000")

    digest = hmac.new(b"s", f"{stamp}POST/hook".encode() + body, hashlib.sha256).hexdigest()
    request = replace(
        message(
            body, x_timestamp=stamp, x_path="/hook",
            x_hmac_signature_v2=f"hmac-sha256-hex={digest}",
        ),
        path="/hook",
    )  # fmt: skip

    assert is_proven(scheme, request, "s")
    assert not is_proven(scheme, request, "s", now=NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    "stamp",
    ["2026-03-02T10:00:00Z", "1772445600", "Mon", "Mon, 02 Mar 2026 10:00:00 +9999", "Mon, 99 Mar 2026",
     "Mon, 02 Mar 99999 10:00:00 -0000", "Mon, 01 Jan 0001 00:00:00 +1200"],
)  # fmt: skip
def test_easyposts_time_is_one_of_rfc_2822(stamp: str) -> None:
    scheme = scheme_of("easypost", "v2")
    body = body_of("easypost")
    digest = hmac.new(b"s", f"{stamp}POST/hook".encode() + body, hashlib.sha256).hexdigest()
    signed = message(body, x_timestamp=stamp, x_path="/hook", x_hmac_signature_v2=digest)

    assert not is_proven(scheme, replace(signed, path="/hook"), "s")


# --- traps ---------------------------------------------------------------------------------------


def test_easyposts_v2_is_for_the_path_that_was_signed() -> None:
    scheme, body = scheme_of("easypost", "v2"), body_of("easypost")
    request = posted(scheme, "s", body, path="/v1/tracking/easypost/hook_1")

    assert is_proven(scheme, request, "s")
    assert not is_proven(scheme, replace(request, path="/v1/tracking/easypost/hook_2"), "s")
    # Nor does it help to say that it was another path.
    elsewhere = with_headers(request, {"x-path": "/v1/tracking/easypost/hook_2"})
    assert not is_proven(scheme, replace(elsewhere, path="/v1/tracking/easypost/hook_2"), "s")


@pytest.mark.parametrize(
    ("signed", "query", "is_good"),
    [
        ("/hook", {}, True),
        # Whoever signs the path alone leaves the query open.
        ("/hook", {"a": ["1"]}, True),
        ("/hook?a=1&b=%20", {"a": ["1"], "b": [" "]}, True),
        ("/hook?a=1&b=%20", {"b": [" "], "a": ["1"]}, True),
        ("/hook?a=1&a=2", {"a": ["1", "2"]}, True),
        ("/hook?a=1", {"a": ["2"]}, False),
        ("/hook?a=1", {}, False),
        ("/hook?a=1", {"a": ["1"], "b": ["2"]}, False),
        ("/hook/", {}, False),
    ],
)
def test_a_query_in_easyposts_signed_path_is_the_requests(
    signed: str, query: dict[str, list[str]], is_good: bool
) -> None:
    scheme = scheme_of("easypost", "v2")
    request = posted(scheme, "s", body_of("easypost"), path=signed)

    assert is_proven(scheme, replace(request, path="/hook", query=query), "s") is is_good


@pytest.mark.parametrize("provider", ["easypost", "17track", "epcis", "fedex"])
def test_hex_may_be_in_upper_case(provider: str) -> None:
    scheme, secret = scheme_of(provider), secret_for(provider)
    request = posted(scheme, secret, body_of(provider))
    ((header, (proof,)),) = request.headers.items()
    prefix, mark, digest = proof.rpartition("=")

    shouted = with_headers(request, {header: f"{prefix}{mark}{digest.upper()}"})

    assert shouted != request
    assert is_proven(scheme, shouted, secret)


def test_shippos_hex_may_be_in_upper_case() -> None:
    stamp, _, digest = SHIPPO.partition(",v1=")
    shouted = message(BODY, shippo_auth_signature=f"{stamp},v1={digest.upper()}")

    assert is_proven(scheme_of("shippo"), shouted, "test-secret", now=AT)


def test_easyposts_prefix_belongs_to_v1() -> None:
    body = b"{}"
    bare = hmac.new(b"s", body, hashlib.sha256).hexdigest()

    assert is_proven(
        scheme_of("easypost"), message(body, x_hmac_signature=f"hmac-sha256-hex={bare}"), "s"
    )
    assert not is_proven(scheme_of("easypost"), message(body, x_hmac_signature=bare), "s")


def test_base64_may_be_of_the_url_alphabet() -> None:
    """With - and _ for + and /, and with its padding."""
    assert {"+", "/"} <= set(AFTERSHIP)
    safe = AFTERSHIP.replace("+", "-").replace("/", "_")

    assert is_proven(
        scheme_of("aftership"), message(BODY, aftership_hmac_sha256=safe), "test-secret"
    )
    assert not is_proven(
        scheme_of("aftership"),
        message(BODY, aftership_hmac_sha256=AFTERSHIP.rstrip("=")),
        "test-secret",
    )


def test_17tracks_sign_is_a_plain_hash_and_no_hmac() -> None:
    made_with_hmac = hmac.new(SEVENTEENTRACK_KEY.encode(), STOPPED, hashlib.sha256).hexdigest()

    assert not is_proven(
        scheme_of("17track"), message(STOPPED, sign=made_with_hmac), SEVENTEENTRACK_KEY
    )


def test_shippo_may_send_a_signature_of_each_secret_while_it_replaces_one() -> None:
    scheme = scheme_of("shippo")
    old, new = (
        posted(scheme, secret, BODY).headers["shippo-auth-signature"][0]
        for secret in ("old", "new")
    )
    both = message(BODY, shippo_auth_signature=f"{old}, v1={new.rpartition('=')[2]}")

    assert is_proven(scheme, both, "old")
    assert is_proven(scheme, both, "new")
    assert not is_proven(scheme, both, "other")


@pytest.mark.parametrize(
    "header", ["v1={digest}", "t=1700000000", "t=1700000000,t=1700000000,v1={digest}",
               "t=17e8,v1={digest}", "t=-1700000000,v1={digest}", "t=1700000000,v0={digest}"],
)  # fmt: skip
def test_shippos_header_has_one_time_and_a_signature_of_it(header: str) -> None:
    digest = SHIPPO.rpartition("=")[2]
    given = message(BODY, shippo_auth_signature=header.format(digest=digest))

    assert not is_proven(scheme_of("shippo"), given, "test-secret", now=AT)


def test_trackingmores_token_and_signature_may_be_of_two_secrets_that_are_good() -> None:
    """The address changes when the shop changes it there, the signature when TrackingMore does."""
    scheme, body = scheme_of("trackingmore"), body_of("trackingmore")
    new = posted(scheme, "new", body)
    half_way = replace(new, query=posted(scheme, "old", body).query)

    assert is_proven(scheme, half_way, "old", "new")
    assert not is_proven(scheme, half_way, "new")
    assert not is_proven(scheme, half_way, "old")


@pytest.mark.parametrize(
    "pair", [None, {}, [], "", {"timeStr": "1700000000"}, {"signature": TRACKINGMORE},
             {"timeStr": None, "signature": TRACKINGMORE}, {"timeStr": "1700000000", "signature": None},
             {"timeStr": True, "signature": TRACKINGMORE},
             {"timeStr": "1700000000", "signature": TRACKINGMORE + "é"},
             {"timeStr": "1700000001", "signature": TRACKINGMORE}], ids=str,
)  # fmt: skip
def test_trackingmores_body_holds_a_time_and_its_signature(pair: object) -> None:
    scheme = scheme_of("trackingmore")
    query = {"token": [str(scheme.url_token("test-secret"))]}

    def proven(body: bytes) -> bool:
        return is_proven(scheme, Message(body=body, headers={}, query=query), "test-secret")

    assert not proven(msgspec.json.encode({"verifyInfo": pair}))
    assert not proven(b"")
    assert not proven(b'{"verifyInfo":' + b"[" * 100_000)


def test_trackingmores_time_may_be_a_number() -> None:
    scheme = scheme_of("trackingmore")
    body = msgspec.json.encode(
        {"verifyInfo": {"timeStr": 1700000000, "signature": TRACKINGMORE}}
    )
    query = {"token": [str(scheme.url_token("test-secret"))]}

    assert is_proven(scheme, Message(body=body, headers={}, query=query), "test-secret")


@pytest.mark.parametrize("given", ["s-1", "Bearer s-1", "bearer s-1", "BEARER  s-1"])
def test_ups_credential_is_good_with_and_without_its_word(given: str) -> None:
    assert is_proven(scheme_of("ups"), message(b"{}", authorization=given), "s-1")


@pytest.mark.parametrize(
    "given", ["Bearer", "Bearer ", "Basic s-1", "s-1 Bearer", "Bearer s-11", "S-1"]
)
def test_another_credential_is_refused(given: str) -> None:
    assert not is_proven(scheme_of("ups"), message(b"{}", authorization=given), "s-1")


@pytest.mark.parametrize("provider", ["ship24", "amazon", "epcis"])
def test_a_bearers_token_comes_behind_its_word(provider: str) -> None:
    scheme = scheme_of(provider, "bearer")

    assert is_proven(scheme, message(b"{}", authorization="bearer s-1"), "s-1")
    assert not is_proven(scheme, message(b"{}", authorization="s-1"), "s-1")
    assert not is_proven(scheme, message(b"{}", authorization="Basic s-1"), "s-1")


@pytest.mark.parametrize("secret", ["s-1", "whsec_", "whsec_é", "whsec_????", "whsec_c2hvcnQ="])
def test_a_secret_that_is_none_of_standard_webhooks_proves_nothing(secret: str) -> None:
    scheme, good = scheme_of("neutral"), secret_for("neutral")
    request = posted(scheme, good, body_of("neutral"))

    assert not is_proven(scheme, request, secret)
    assert is_proven(scheme, request, secret, good)


def test_a_batch_of_ours_keeps_its_id_when_it_is_sent_again() -> None:
    scheme, secret = scheme_of("neutral"), secret_for("neutral")
    first, again = (
        posted(scheme, secret, body_of("neutral"), now=NOW + timedelta(seconds=seconds))
        for seconds in (0, 60)
    )

    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.headers["webhook-signature"] != again.headers["webhook-signature"]
