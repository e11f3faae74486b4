"""Advances on worked claims: paid ahead of the insurer, and settled by the insurer's answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from deploy.plans_check import Example
from tests.buying import amount_of, shown
from tests.doors import Doors
from tests.http_examples.claiming import Staged
from tests.http_examples.clocking import clock_of
from tests.http_examples.doors import facts_given, plan_of
from tests.http_examples.earlier import all_papers
from tests.http_examples.orders import some_day
from tests.policy.builders import Json

# Who has the insurer's money, or bears what it lacks, by the kind of the ledger's transfer.
_TRANSFERS: Mapping[str, str] = {
    "to_provider": "advance-repaid",
    "provider_bears": "shortfall-borne",
    "clawback": "clawback-due",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """A damaged parcel assessed at the example's amount, on which an advance is asked for."""

    staged: Staged
    claim: Json

    @classmethod
    async def of(
        cls, doors: Doors, example: Example, assessed: Decimal, *, is_complete: bool = True
    ) -> "Advance":
        """The claim is filed when the example's file was complete; a paper short, where it isn't."""
        plan, facts = plan_of(example), facts_given(example)
        papers = all_papers(plan.perils["DAMAGE"])
        filed_at = facts.time("complete_at") or some_day(example)
        local = filed_at.astimezone(plan.zone).replace(tzinfo=None).isoformat()
        given = {
            **dict.fromkeys(
                ("insured_value", "claimed_value", "proven_value", "refund_to_buyer"),
                f"{assessed:f}",
            ),
            "delivered_at": local,
            "notified_at": local,
            "evidence": list(papers if is_complete else papers[:-1]),
        }
        damaged = replace(example, ask="claim", peril="DAMAGE", given=given)
        staged = Staged(doors, damaged)
        return cls(staged=staged, claim=(await staged.claimed()).claim)

    @property
    def due_on(self) -> str:
        """By when it is promised."""
        found: str = clock_of(self.claim, "ADVANCE")["due_on"]
        return found

    async def paid(self) -> str:
        """The advance; nothing where the door refuses one."""
        response = await self.staged.desk.post(
            f"/v1/claims/{self.claim['claim_id']}/advance", {}
        )
        if response.status_code == 409:
            assert response.json()["code"] == "no-advance", response.text
            return "0.00"
        assert response.status_code == 200, response.text
        (advance,) = response.json()["payouts"]
        assert advance["kind"] == "ADVANCE"
        return shown(advance["amount"])

    async def settled(self, insurer_paid: Decimal, *, is_fraud: bool) -> dict[str, str]:
        """Where the insurer's money went."""
        desk, path = self.staged.desk, f"/v1/claims/{self.claim['claim_id']}"
        body = {
            "source": "insurer",
            "reference": "insurer-1",
            "amount": amount_of(self.staged.parcel.plan, insurer_paid),
            "is_fraud": is_fraud,
        }
        response = await desk.post(f"{path}/recoveries", body)
        assert response.status_code == 201, response.text
        payouts = (await desk.show(self.claim))["payouts"]
        excess = sum(p["amount"]["amount_minor"] for p in payouts if p["kind"] == "EXCESS")
        moved = await self._moved()
        return {
            "to_seller": _text(excess),
            **{name: _text(moved.get(kind, 0)) for name, kind in _TRANSFERS.items()},
        }

    async def _moved(self) -> dict[str, int]:
        """Minor units by kind of transfer."""
        rows = await self.staged.desk.rows(
            """
            SELECT t.kind, sum(e.amount_minor)::bigint AS minor
            FROM ledger_transfers t JOIN ledger_entries e USING (transfer_id, tenant_id)
            WHERE t.tenant_id = $1 AND e.amount_minor > 0 GROUP BY t.kind
            """
        )
        return {row["kind"]: row["minor"] for row in rows}


def _text(minor: int) -> str:
    return f"{Decimal(minor) / 100:.2f}"
