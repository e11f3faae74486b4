"""What the notifier is told from outside: where mail goes out, and under whose name."""

from email.headerregistry import Address
from email.policy import default
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from libs.common.settings import Settings


def _one_address(text: str) -> str:
    """`Name <box@domain>` or the bare address; anything else is a ValueError at the start."""
    sender_of(text)
    return text


def sender_of(mail_from: str) -> Address:
    """The one address in it, with its display name; ValueError where there is none or another."""
    header = default.header_factory("From", mail_from if mail_from.isprintable() else "")
    addresses: tuple[Address, ...] = () if header.defects else header.addresses
    if len(addresses) != 1 or not (addresses[0].username and addresses[0].domain):
        raise ValueError(
            f"{mail_from!r} is not a sender such as Parcelcover <mail@example.com>."
        )
    return addresses[0]


class NotifierSettings(Settings):
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=1025, ge=1, le=65_535)
    # "starttls" upgrades a plain connection or fails, "tls" is encrypted from its first byte.
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_timeout_seconds: float = Field(default=10.0, gt=0, le=60)
    mail_from: Annotated[str, AfterValidator(_one_address)] = (
        "Parcelcover <notice@parcelcover.invalid>"
    )
    # A mail that meets a temporary failure is tried again with the deadline runner's backoff: 100
    # attempts are about seven and a half hours.
    mail_attempts: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if self.smtp_password is not None and self.smtp_tls == "none":
            raise ValueError("An SMTP password needs PARCELCOVER_SMTP_TLS=starttls or tls.")
        return self
