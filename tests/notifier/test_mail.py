"""Mail: one message to one address, whatever the values try."""

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from pydantic import ValidationError

from services.notifier.clients.letters import Written
from services.notifier.clients.mail import compose, recipient_of
from services.notifier.settings import NotifierSettings

LETTER = Written(
    subject="您的包裹已投保 — insured",
    text="您好\nHello\n",
    html="<p>您好 Hello</p>",
    language="zh-Hans",
)


def test_a_message_has_text_and_html_and_a_stable_id() -> None:
    recipient = recipient_of("ann@example.test")
    assert recipient is not None
    settings = NotifierSettings(mail_from='"Mýpoz, Cover" <mail@mypoz.example>')

    composed = compose(
        settings,
        LETTER,
        notification_id="ntf_1",
        recipient=recipient,
        now=datetime(2026, 3, 2, 10, tzinfo=UTC),
    )
    raw = composed.as_bytes()
    read = message_from_bytes(raw, policy=policy.default)

    assert raw.isascii()
    assert read["Message-ID"] == "<ntf_1@mypoz.example>"
    assert read["Subject"] == LETTER.subject
    assert read["To"] == "ann@example.test"
    assert read["From"].addresses[0].display_name == "Mýpoz, Cover"
    assert read["Date"].datetime == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert read["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in read.iter_parts()] == [
        "text/plain",
        "text/html",
    ]
    assert [part.get_content().replace("\r\n", "\n") for part in read.iter_parts()] == [
        LETTER.text,
        LETTER.html + "\n",
    ]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@example.test",
        "ann@",
        "ann@example.test, eve@example.test",
        "ann@example.test\r\nBcc: eve@example.test",
        "ann@example.test\nDATA",
        "Ann <ann@example.test>",
        "ann@example.test>",
        "ann@example.test eve@example.test",
        "änn@example.test",
        "ann@example.test\x00",
        "undisclosed:;",
        "(comment)",
    ],
)
def test_what_is_not_exactly_one_address_gets_no_mail(address: str) -> None:
    assert recipient_of(address) is None


@pytest.mark.parametrize(
    "address", ["ann@example.test", "a.b+c@mail.example.test", "o'n@x.test"]
)
def test_an_address_is_taken_as_it_is(address: str) -> None:
    recipient = recipient_of(address)

    assert recipient is not None
    assert recipient.addr_spec == address


@pytest.mark.parametrize(
    "sender", ["", "Parcelcover", "a@b.example\r\nBcc: c@d.example", "a@b, c@d"]
)
def test_a_sender_that_is_none_is_refused_at_the_start(sender: str) -> None:
    with pytest.raises(ValidationError):
        NotifierSettings(mail_from=sender)


def test_a_password_is_never_sent_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="SMTP_TLS"):
        NotifierSettings(smtp_username="parcelcover", smtp_password="secret")

    assert NotifierSettings(smtp_password="secret", smtp_tls="starttls").smtp_tls == "starttls"
