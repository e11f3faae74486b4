"""What the adapters share in reading bodies."""

from typing import TypeVar

import msgspec

from services.policy.tracking.adapter import Unreadable

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """The body as the decoder's shape; Unreadable where it has another."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as wrong:
        raise Unreadable(str(wrong)) from None


def place(*parts: str | None) -> str:
    """Its parts from near to far, those that are told."""
    return ", ".join(part.strip() for part in parts if part and part.strip())
