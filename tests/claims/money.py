"""Claims up to their money, for tests of it: filed, accepted by a person, paid; and the books."""

from datetime import datetime
from typing import Any

import httpx

from libs.common.money import Money
from tests.claims.desk import Desk, done, tracked, way_of
from tests.policy.builders import Json
from tests.policy.serving import fire_due

NOW = "2024-03-02T09:00"


def usd(minor: int) -> Json:
    return {"amount_minor": minor, "currency": "USD"}


async def accept(desk: Desk, claim: Json, **findings: Any) -> Json:
    """A person lets the engine's answer stand."""
    path = f"/v1/claims/{claim['claim_id']}/decision"
    return done(await desk.post(path, {"findings": findings}))


async def settle(
    desk: Desk, payout: Json, state: str = "CONFIRMED", reference: str = "bank-1", **more: int
) -> httpx.Response:
    path = f"/v1/payouts/{payout['payout_id']}/settlement"
    return await desk.post(path, {"state": state, "reference": reference, **more})


async def retry(desk: Desk, payout: Json) -> httpx.Response:
    return await desk.post(f"/v1/payouts/{payout['payout_id']}/retry", {})


async def sent(desk: Desk, claim: Json, now: str = NOW) -> Json:
    """The claim once what is owed on it is out."""
    await fire_due(desk.client, now)
    return await desk.show(claim)


async def paid(desk: Desk, claim: Json, now: str = NOW) -> Json:
    """The claim once the payment system has confirmed what is out."""
    for payout in (await sent(desk, claim, now))["payouts"]:
        if payout["state"] == "SENT":
            reference = f"bank-{payout['payout_id']}"
            done(await settle(desk, payout, reference=reference))
    return await desk.show(claim)


async def recover(
    desk: Desk, claim: Json, amount: Json, source: str = "carrier", **more: str
) -> httpx.Response:
    body = {"source": source, "reference": f"{source}-1", "amount": amount, **more}
    return await desk.post(f"/v1/claims/{claim['claim_id']}/recoveries", body)


async def a_loss(desk: Desk, policy_id: str, **terms: Any) -> Json:
    """A parcel of CSSBuy, lost by the agent's word: 850.00 of goods and 350.00 of freight."""
    # A customer of its own: many claims of one would wait for a person.
    await desk.hears(*way_of(policy_id, **{"customer_id": policy_id, **terms}))
    ids = await desk.papers("agent_loss_confirmation", policy_id=policy_id)
    claim = await desk.a_claim(
        "LOSS", policy_id=policy_id, is_whole_parcel=True, evidence_ids=ids
    )
    return claim if claim["decision"]["is_settled"] else await accept(desk, claim)


async def a_paid_loss(desk: Desk, policy_id: str, **terms: Any) -> Json:
    claim = await paid(desk, await a_loss(desk, policy_id, **terms))
    assert (claim["state"], claim["decision"]["payout"]["amount_minor"]) == ("PAID", 120_000)
    return claim


async def a_dear_loss(
    desk: Desk, policy_id: str, last_update_at: str = "2024-01-10T01:00"
) -> Json:
    """BML's own example: a product of 2,000 dollars, lost by the carrier's letter (Q8)."""
    product = Money(200_000, "USD")
    way = way_of(
        policy_id,
        "bml-shipping",
        tenant=desk.tenant,
        tracking=tracked(policy_id, last_update_at=last_update_at),
        goods_value=product,
        eligible_goods_value=product,
        insured_value=product,
    )
    await desk.hears(*way)
    kinds = ["carrier_loss_letter", "official_tracking_screenshot"]
    ids = await desk.papers(*kinds, policy_id=policy_id)
    return await desk.a_claim(
        "LOSS", policy_id=policy_id, claimed_value=usd(200_000), evidence_ids=ids
    )


async def a_return(desk: Desk, policy_id: str) -> Json:
    """A parcel that came back: a voucher for its freight of 350.00 (CS-29)."""
    await desk.hears(*way_of(policy_id, customer_id=policy_id))
    claim = await desk.a_claim("RETURN", policy_id=policy_id)
    assert claim["decision"]["instrument"] == "voucher"
    return claim


async def a_voucher(desk: Desk, policy_id: str) -> Json:
    claim = await sent(desk, await a_return(desk, policy_id))
    (voucher,) = claim["vouchers"]
    return dict(voucher)


def minor(amount: Json) -> int:
    return int(amount["amount_minor"])


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def books_are_sound(desk: Desk) -> None:
    """Every transfer sums to zero; claims hold in reserve, and are owed, what the ledger says."""
    unbalanced = await desk.rows(
        "SELECT transfer_id FROM ledger_entries WHERE tenant_id = $1 "
        "GROUP BY transfer_id, currency HAVING sum(amount_minor) <> 0"
    )
    assert unbalanced == []
    balances = await desk.balances()
    for account, query in _HELD.items():
        rows = await desk.rows(f"SELECT coalesce(sum({query}")
        held = rows[0]["minor"]
        assert balances.get(account, 0) == held, (account, balances, held)


# What an account holds, by the rows that say so. A credit is negative.
_HELD = {
    "reserve": "-reserve_minor), 0)::bigint AS minor FROM claims WHERE tenant_id = $1",
    "payout": "-amount_minor), 0)::bigint AS minor FROM payouts WHERE tenant_id = $1 "
    "AND instrument <> 'voucher' AND state IN ('CREATED', 'APPROVED', 'SENT', 'FAILED')",
    "voucher": "-amount_minor), 0)::bigint AS minor FROM payouts p WHERE tenant_id = $1 "
    "AND instrument = 'voucher' AND state <> 'VOID' AND NOT EXISTS (SELECT FROM vouchers v "
    "WHERE v.payout_id = p.payout_id AND v.state <> 'ISSUED')",
    "recovery": "amount_minor - received_minor), 0)::bigint AS minor FROM repayments "
    "WHERE tenant_id = $1 AND state = 'OPEN'",
}
