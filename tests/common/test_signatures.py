"""Signed messages: proven over the bytes as they came, by a secret that is good now, or refused."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from libs.common.signatures import (
    BadSecret,
    BadSignature,
    Headers,
    check_standard_secret,
    secret_of,
    standard_webhook,
    stripe,
)

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
BODY = b'{"type":"payment.received"}'
SECRET, OTHER = secret_of(b"k" * 32), secret_of(b"o" * 32)


def standard(
    *, secret: str = SECRET, body: bytes = BODY, at: datetime = NOW, message_id: str = "msg_1"
) -> dict[str, list[str]]:
    """Headers as a sender makes them, reckoned here from the specification."""
    seconds = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": [message_id],
        "webhook-timestamp": [seconds],
        "webhook-signature": ["v1," + base64.b64encode(digest).decode()],
    }


def stripes(*, secret: str = "whsec_test", body: bytes = BODY, at: datetime = NOW) -> Headers:
    seconds = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return {"stripe-signature": [f"t={seconds},v1={digest.hexdigest()},v0=abc"]}


def test_the_published_example_of_standard_webhooks_is_right() -> None:
    headers = {
        "webhook-id": ["msg_p5jXN8AQM9LWM0D4loKWxJek"],
        "webhook-timestamp": ["1614265330"],
        "webhook-signature": ["v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="],
    }
    at = datetime.fromtimestamp(1614265330, UTC)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    assert standard_webhook([secret], headers, b'{"test": 2432232314}', now=at) == (
        "msg_p5jXN8AQM9LWM0D4loKWxJek"
    )


def test_any_good_secret_and_any_of_several_signatures_will_do() -> None:
    headers = standard()
    headers["webhook-signature"] = ["v1a,xyz " + headers["webhook-signature"][0] + " v1,abc"]

    assert standard_webhook([OTHER, SECRET], headers, BODY, now=NOW) == "msg_1"
    stripe(["whsec_former", "whsec_test"], stripes(), BODY, now=NOW)


WRONG: dict[str, tuple[Headers, bytes]] = {
    "another secret": (standard(secret=OTHER), BODY),
    "one byte changed": (standard(), BODY[:-1] + b" "),
    "one byte more": (standard(), BODY + b"\n"),
    "another id": ({**standard(), "webhook-id": ["msg_2"]}, BODY),
    "another timestamp": ({**standard(), "webhook-timestamp": ["1772445601"]}, BODY),
    "no signature": ({**standard(), "webhook-signature": []}, BODY),
    "an empty signature": ({**standard(), "webhook-signature": [""]}, BODY),
    "the signature twice": (
        {**standard(), "webhook-signature": standard()["webhook-signature"] * 2},
        BODY,
    ),
    "the id twice": ({**standard(), "webhook-id": ["msg_1", "msg_1"]}, BODY),
    "no header at all": ({}, BODY),
    "a signature of another scheme": ({**standard(), "webhook-signature": ["v2,abc"]}, BODY),
    "a timestamp that is no number": ({**standard(), "webhook-timestamp": ["now"]}, BODY),
    "a signature that is not ASCII": ({**standard(), "webhook-signature": ["v1,é"]}, BODY),
}


@pytest.mark.parametrize(("headers", "body"), WRONG.values(), ids=WRONG.keys())
def test_what_is_not_proven_is_refused(headers: Headers, body: bytes) -> None:
    with pytest.raises(BadSignature):
        standard_webhook([SECRET], headers, body, now=NOW)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_message_cannot_be_sent_again_nor_one_from_the_future(minutes: int) -> None:
    at = NOW + timedelta(minutes=minutes)

    with pytest.raises(BadSignature, match="300 seconds"):
        standard_webhook([SECRET], standard(at=at), BODY, now=NOW)
    with pytest.raises(BadSignature, match="300 seconds"):
        stripe(["whsec_test"], stripes(at=at), BODY, now=NOW)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_are_in_time(seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)

    standard_webhook([SECRET], standard(at=at), BODY, now=NOW)
    stripe(["whsec_test"], stripes(at=at), BODY, now=NOW)


@pytest.mark.parametrize(
    "headers",
    [
        stripes(secret="whsec_other"),
        {"stripe-signature": ["v1=abc"]},
        {"stripe-signature": ["t=1,t=2,v1=abc"]},
        {"stripe-signature": [*stripes()["stripe-signature"], "t=1,v1=abc"]},
        {},
    ],
)
def test_what_stripe_did_not_sign_is_refused(headers: Headers) -> None:
    with pytest.raises(BadSignature):
        stripe(["whsec_test"], headers, BODY, now=NOW)


@pytest.mark.parametrize(
    "secret", ["", "secret", "whsec_", "whsec_AAAA", "whsec_***", SECRET + "é", SECRET * 4]
)
def test_a_secret_that_nobody_could_sign_with_is_refused(secret: str) -> None:
    with pytest.raises(BadSecret):
        check_standard_secret(secret)
