"""Mail: a letter as a message, handed to the SMTP server.

At least once: a crash after the server's yes and before ours sends the message again, under the
same Message-ID, by which a mailbox can tell the two are one.
"""

import re
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib

from services.notifier.clients.letters import Written
from services.notifier.domain.notices import (
    BAD_ADDRESS,
    Attempt,
    Delayed,
    Delivered,
    Refused,
    Unreachable,
)
from services.notifier.settings import NotifierSettings, sender_of

# Not every server takes eight bits.
_SEVEN_BITS = SMTP.clone(cte_type="7bit")
# RFC 3463: the machine's word for why.
_ENHANCED = re.compile(r"\d\.\d{1,3}\.\d{1,3}")


async def send(
    settings: NotifierSettings,
    letter: Written,
    *,
    notification_id: str,
    address: str,
    now: datetime,
) -> Attempt:
    """Write to the one address; `now` is the machine's, for the Date header."""
    recipient = recipient_of(address)
    if recipient is None:
        return Unreachable(cause=BAD_ADDRESS)
    message = compose(
        settings, letter, notification_id=notification_id, recipient=recipient, now=now
    )
    return await _hand_over(settings, message, recipient.addr_spec)


def recipient_of(address: str) -> Address | None:
    """The address when it is exactly one that mail can go to, else None."""
    if not address.isascii() or not address.isprintable():
        return None
    try:
        recipient = Address(addr_spec=address)
    except (ValueError, IndexError, HeaderParseError):
        return None
    return recipient if recipient.username and recipient.domain else None


def compose(
    settings: NotifierSettings,
    letter: Written,
    *,
    notification_id: str,
    recipient: Address,
    now: datetime,
) -> EmailMessage:
    """The message, text first and HTML as its alternative.

    EmailMessage refuses a header with a line break in it, so no value can become a header.
    """
    sender = sender_of(settings.mail_from)
    message = EmailMessage(policy=_SEVEN_BITS)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{notification_id}@{sender.domain}>"
    # RFC 3834: no answer from out-of-office assistants.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    # Last: a Content header set before would stay with the text part.
    message["Content-Language"] = letter.language
    return message


async def _hand_over(
    settings: NotifierSettings, message: EmailMessage, address: str
) -> Attempt:
    password = settings.smtp_password
    try:
        await aiosmtplib.send(
            message,
            recipients=[address],
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            timeout=settings.smtp_timeout_seconds,
        )
    except aiosmtplib.SMTPRecipientsRefused as refused:
        return _of_answer(refused.recipients[0])
    except aiosmtplib.SMTPDataError as refused:
        return _of_answer(refused)
    except aiosmtplib.SMTPResponseException as refused:
        # Of the connection, the greeting, the login or the sender: not about this mail.
        return Delayed(cause=_cause(refused))
    except (aiosmtplib.SMTPException, OSError) as failure:
        return Delayed(cause=f"smtp: {type(failure).__name__}")
    return Delivered(address=address)


def _of_answer(answer: aiosmtplib.SMTPResponseException) -> Attempt:
    """RFC 5321: 5xx is for good, 4xx for now."""
    cause = _cause(answer)
    return Refused(cause=cause) if answer.code >= 500 else Delayed(cause=cause)


def _cause(answer: aiosmtplib.SMTPResponseException) -> str:
    """The codes alone: a server's own words may quote the address."""
    enhanced = _ENHANCED.match(answer.message)
    return f"smtp: {answer.code} {enhanced[0]}" if enhanced else f"smtp: {answer.code}"
