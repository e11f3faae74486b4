"""A quote becomes a policy."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.db import Tx
from libs.common.deadlines import set_deadlines
from libs.common.ids import new_id
from libs.common.money import Money
from services.policy import store
from services.policy.domain import policies
from services.policy.domain.policies import Offer, ParcelInsured, Policy
from services.policy.events import ContactChanged, PolicyIssued
from services.policy.store import Contact
from services.policy.usecases.payments import premium_awaited
from services.policy.usecases.saying import announce
from services.policy.usecases.stories import story_awaited


@dataclass(frozen=True, slots=True, kw_only=True)
class BindPolicy:
    tenant_id: str
    offer: Offer
    contact: Contact
    # What the customer was shown, where the shop says so.
    premium: Money | None = None
    carrier: str = ""
    tracking_number: str = ""
    needs_consent: bool = False


async def bind_policy(tx: Tx, command: BindPolicy, *, now: datetime) -> Policy:
    policy = bound(command, now=now)
    await take_parcel(tx, policy)
    await store.insert_policy(tx, policy, command.contact)
    await set_deadlines(tx, premium_awaited(policy))
    await announce(tx, policy, policy_issued(policy), now=now)
    return policy


def bound(command: BindPolicy, *, now: datetime) -> Policy:
    """The policy that the command makes; refused where the offer cannot be bound."""
    policy = policies.bind(
        command.offer,
        policy_id=new_id("pol"),
        tenant_id=command.tenant_id,
        premium=command.premium,
        now=now,
        needs_consent=command.needs_consent,
    )
    return replace(policy, carrier=command.carrier, tracking_number=command.tracking_number)


def policy_issued(policy: Policy) -> PolicyIssued:
    return PolicyIssued(
        policy_id=policy.policy_id,
        quote_id=policy.quote_id,
        plan=policy.plan,
        terms=policy.terms,
        state=policy.state,
        confirmed_at=policy.confirmed_at,
        carrier=policy.carrier,
        tracking_number=policy.tracking_number,
    )


async def take_parcel(tx: Tx, policy: Policy) -> None:
    """The policy is on this parcel from now on, and what carriers said of it before is read again.

    A sandbox's magic number begins its story.
    ParcelInsured where another policy's parcel has its number and is still on its way (Q45).
    """
    if not policy.tracking_number:
        return
    parcel = (policy.carrier, policy.tracking_number)
    held = await store.hold_parcels(
        tx, [parcel], tenant_id=policy.tenant_id, besides=policy.policy_id
    )
    if parcel in held:
        raise parcel_insured(policy, held[parcel])
    await store.read_again_for_parcels(tx, [policy.tracking_number], tenant_id=policy.tenant_id)
    await set_deadlines(tx, story_awaited(policy))


def parcel_insured(policy: Policy, holder: str) -> ParcelInsured:
    return ParcelInsured(
        f"Parcel {policy.tracking_number} of carrier {policy.carrier or '(none)'} is insured by "
        f"{holder}. Cancel that policy first, or check the number.",
        policy_id=holder,
    )


async def change_contact(
    tx: Tx, policy_id: str, contact: Contact, *, tenant_id: str, now: datetime
) -> Policy:
    """Where the customer is told things from now on. The event does not say where: it is private."""
    policy = await store.lock_policy(tx, policy_id, tenant_id=tenant_id)
    await store.save_contact(tx, policy_id, contact, tenant_id=tenant_id)
    await announce(tx, policy, ContactChanged(policy_id=policy_id), now=now)
    return policy
