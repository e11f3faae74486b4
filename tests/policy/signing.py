"""Notices as a payment provider signs them, by Standard Webhooks."""

import base64
import hashlib
import hmac

from libs.common.clock import system_now


def signed(secret: str, event_id: str, body: bytes) -> dict[str, str]:
    """The headers that prove this body now."""
    seconds = str(int(system_now().timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{event_id}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
