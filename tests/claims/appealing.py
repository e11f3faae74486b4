"""Appeals at a claims desk: a damaged parcel of Better Me Lab, and the people who hear its appeals."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from tests.claims.desk import POLICY_ID, Desk, done, tracked, way_of
from tests.policy.builders import Json, names, said
from tests.policy.serving import fire_due

BML = "sbx-bml-tests"
DELIVERED = "2024-02-01T10:00"
FILED = "2024-02-02T09:00"
# The answer window of an adjudicator's question is over on day 8.
LAPSED = "2024-02-10T09:00"
# The last instant of the thirtieth day after that, in the plan's zone (UTC), and the next one.
LAST_INSTANT, TOO_LATE = "2024-03-11T23:59:59.999999", "2024-03-12T00:00:00"
PAPERS = ("unboxing_video", "product_images")
SEEN = ("sealed_six_sides_label", "continuous_in_frame", "damage_shown")
WHOLE, HALF = 85_000, 42_500


@dataclass(frozen=True, slots=True)
class Hearing:
    """A desk, and what its shop, its adjudicators and their seniors do there by their names."""

    desk: Desk

    async def hears_of_a_parcel(self, plan: str = "bml-shipping") -> None:
        """One that was delivered, damaged as it may be."""
        delivered = tracked(state="RUN_OFF", delivered_at=DELIVERED)
        await self.desk.hears(*way_of(plan=plan, tenant=self.desk.tenant, tracking=delivered))
        await self.desk.at(FILED)

    async def a_damage(self, **more: Any) -> Json:
        return await self.desk.a_claim("DAMAGE", item_ids=["i1"], **more)

    async def a_half_award(self) -> Json:
        """Approved by an adjudicator, who finds the shoes to be half damaged."""
        claim = await self.a_damage(evidence_ids=await self.desk.papers(*PAPERS))
        return await self.decided(claim, video_elements=SEEN, grades={"i1": "0.5"})

    async def a_denial(self) -> Json:
        """Denied for papers that never came."""
        claim = await self.a_damage()
        assert claim["state"] == "INFO_REQUIRED", claim
        await self.desk.at(LAPSED)
        return await self.decided(claim)

    async def decided(self, claim: Json, *, by: str = "ann", **findings: Any) -> Json:
        return done(
            await self.post(
                f"/v1/claims/{claim['claim_id']}/decision", {"findings": findings}, by=by
            )
        )

    async def appeal(self, claim: Json, **more: Any) -> httpx.Response:
        body = {"grounds": "The shoes cannot be worn.", **more}
        return await self.post(f"/v1/claims/{claim['claim_id']}/appeals", body, by="shop")

    async def an_appeal(self, claim: Json, **more: Any) -> Json:
        return done(await self.appeal(claim, **more))

    async def hear(
        self,
        appeal: Json,
        *,
        by: str = "ben",
        scopes: Iterable[str] | None = None,
        **found: Any,
    ) -> httpx.Response:
        body = {"note": "I looked at the photos again.", "findings": found}
        return await self.post(
            f"/v1/appeals/{appeal['appeal_id']}/decision", body, by=by, scopes=scopes
        )

    async def heard(self, appeal: Json, *, by: str = "ben", **found: Any) -> Json:
        return done(await self.hear(appeal, by=by, **found))

    async def post(
        self, path: str, body: object, *, by: str, scopes: Iterable[str] | None = None
    ) -> httpx.Response:
        response: httpx.Response = await self.desk.client.post(
            path,
            json=body,
            headers=self.desk.token(self.desk.tenant, scopes, subject=by),
        )
        return response

    async def paid_out(self, claim: Json, now: str) -> Json:
        """All of the claim's payouts, sent and confirmed."""
        await fire_due(self.desk.client, now)
        for payout in (await self.desk.show(claim))["payouts"]:
            if payout["state"] == "SENT":
                await self.settled(payout)
        return await self.desk.show(claim)

    async def settled(self, payout: Json, state: str = "CONFIRMED") -> None:
        body = {"state": state, "reference": f"bank-{payout['payout_id']}"}
        response = await self.desk.post(f"/v1/payouts/{payout['payout_id']}/settlement", body)
        assert response.status_code == 200, response.text


async def told(desk: Desk, name: str) -> list[Json]:
    """The data of the events of that name about the parcel's claims."""
    heard = await said(desk.db, POLICY_ID)
    return [
        msgspec.json.decode(event.data)
        for event, known in zip(heard, names(heard), strict=True)
        if known == name
    ]


def payouts_of(claim: Json) -> list[int]:
    return [payout["amount"]["amount_minor"] for payout in claim["payouts"]]
