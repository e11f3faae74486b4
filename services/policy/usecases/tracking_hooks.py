"""Who may post: opened, given a new secret while the old one is good, closed."""

from dataclasses import replace
from datetime import datetime, timedelta

from libs.common.db import Tx
from services.policy import store
from services.policy.store import TrackingHook, UnknownTrackingHook


async def open_tracking_hook(tx: Tx, hook: TrackingHook) -> None:
    await store.insert_tracking_hook(tx, hook)


async def rotate_tracking_secret(
    tx: Tx,
    provider: str,
    sealed_secret: bytes,
    overlap: timedelta,
    *,
    scheme: str | None,
    tenant_id: str,
    now: datetime,
) -> TrackingHook:
    """From now on the new secret; the one before is good for `overlap` longer."""
    hook = await store.lock_tracking_hook(tx, provider, tenant_id=tenant_id)
    rotated = replace(
        hook,
        scheme=scheme or hook.scheme,
        sealed_secret=sealed_secret,
        sealed_former=hook.sealed_secret,
        former_until=now + overlap,
    )
    await store.save_tracking_hook(tx, rotated)
    return rotated


async def close_tracking_hook(tx: Tx, provider: str, *, tenant_id: str) -> None:
    """Nothing is taken from the provider any more; what it said stays."""
    if not await store.remove_tracking_hook(tx, provider, tenant_id=tenant_id):
        raise UnknownTrackingHook(f"No tracking hook of {provider} in your account.")
