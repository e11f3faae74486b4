"""A claim and what belongs to it, behind the lock of its cover: one change at a time."""

from libs.common.db import Tx
from services.claims import store
from services.claims.domain import filing
from services.claims.domain.cases import Cover
from services.claims.domain.filing import Payout
from services.claims.domain.vouchers import Voucher
from services.claims.store import FiledClaim


async def lock_claim(tx: Tx, claim_id: str, *, tenant_id: str) -> tuple[Cover, FiledClaim]:
    """The claim and its cover, behind the cover's lock: read again there, as it is now."""
    filed = await store.get_claim(tx, claim_id, tenant_id=tenant_id)
    if filed.policy_id is None:
        raise filing.ClaimNotOpen(f"Claim {claim_id} is on no policy; it is answered.")
    cover = await store.lock_cover(tx, filed.policy_id, tenant_id=tenant_id)
    return cover, await store.get_claim(tx, claim_id, tenant_id=tenant_id)


async def lock_payout(
    tx: Tx, payout_id: str, *, tenant_id: str
) -> tuple[Payout, Cover, FiledClaim]:
    """The payout, its cover and its claim, behind the cover's lock."""
    payout = await store.get_payout(tx, payout_id, tenant_id=tenant_id)
    cover, filed = await lock_claim(tx, payout.claim_id, tenant_id=tenant_id)
    return await store.get_payout(tx, payout_id, tenant_id=tenant_id), cover, filed


async def lock_voucher(
    tx: Tx, voucher_id: str, *, tenant_id: str
) -> tuple[Cover, FiledClaim, Voucher]:
    """The voucher and its claim, behind the cover's lock."""
    voucher = await store.get_voucher(tx, voucher_id, tenant_id=tenant_id)
    cover, filed = await lock_claim(tx, voucher.claim_id, tenant_id=tenant_id)
    return cover, filed, await store.get_voucher(tx, voucher_id, tenant_id=tenant_id)
