"""Asking the claimant for more than the plan does: a person's own request."""

from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Tx
from libs.common.ids import new_id
from services.claims import store
from services.claims.domain import filing, requests
from services.claims.store import FiledClaim
from services.claims.usecases.deciding import decide
from services.claims.usecases.following import open_request
from services.claims.usecases.locking import lock_claim
from services.claims.usecases.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInformation:
    tenant_id: str
    claim_id: str
    kinds: tuple[str, ...]
    message: str
    asked_by: str


async def request_information(
    tx: Tx, rules: Rules, command: RequestInformation, *, now: datetime
) -> FiledClaim:
    """Have the claim wait for its claimant, in the plan's window, with its clock at a stand (MP-11).

    What comes is decided on. What does not never denies by itself: nobody can know what a person
    asked for beyond the plan, so the claim goes back to that person.
    """
    cover, filed = await lock_claim(tx, command.claim_id, tenant_id=command.tenant_id)
    filing.must_be_open(filed.claim_id, filed.state)
    known = await store.find_open_request(tx, filed.claim_id, tenant_id=filed.tenant_id)
    requests.must_be_askable(filed.claim_id, filed.state, known)
    plan = rules.plans.pinned(cover.plan_sha256)
    request = requests.asked_by_person(
        plan, command.kinds, command.message, new_id("inf"), command.asked_by, now
    )
    await open_request(tx, filed, request, now=now)
    return await decide(tx, rules, cover, filed, now=now)
