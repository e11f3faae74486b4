"""Where payment providers post to: made, and given a new secret while the old one is still good."""

from dataclasses import replace
from datetime import datetime, timedelta

from libs.common.db import Tx
from libs.common.ids import new_id
from services.policy import store
from services.policy.store import Hook


async def open_hook(
    tx: Tx, tenant_id: str, provider: str, sealed_secret: bytes, *, now: datetime
) -> Hook:
    hook = Hook(
        hook_id=new_id("hok"),
        tenant_id=tenant_id,
        provider=provider,
        sealed_secret=sealed_secret,
        created_at=now,
    )
    await store.insert_hook(tx, hook)
    return hook


async def rotate_secret(
    tx: Tx,
    hook_id: str,
    sealed_secret: bytes,
    overlap: timedelta,
    *,
    tenant_id: str,
    now: datetime,
) -> Hook:
    """From now on the new secret; the one before is good for `overlap` longer."""
    hook = await store.lock_hook(tx, hook_id, tenant_id=tenant_id)
    rotated = replace(
        hook,
        sealed_secret=sealed_secret,
        sealed_former=hook.sealed_secret,
        former_until=now + overlap,
    )
    await store.save_hook(tx, rotated)
    return rotated
