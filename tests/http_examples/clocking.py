"""Decision clocks on worked claims: filed with all papers when the example's file was complete."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from deploy.plans_check import Example
from tests.doors import Doors, wire
from tests.http_examples.claiming import Staged
from tests.http_examples.doors import facts_given, plan_of
from tests.http_examples.earlier import all_papers
from tests.policy.builders import Json

# Facts of the example that the claim's own parcel has.
_KEPT = ("goods_value", "vip", "priority")
_WORTH = "500"
# Longer than any programme has a loss wait.
_ON_ITS_WAY = timedelta(days=30)


def clock_of(claim: Json, name: str) -> Json:
    """Of the claim's clocks, the one of that name."""
    (clock,) = [clock for clock in claim["clocks"] if clock["name"] == name]
    found: Json = clock
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocked:
    claim: Json
    complete_at: datetime

    @classmethod
    async def of(cls, doors: Doors, example: Example) -> "Clocked":
        facts = facts_given(example)
        complete_at, peril = facts.time("complete_at"), facts.code("peril")
        assert complete_at is not None
        staged = Staged(doors, _claimed(example, peril, complete_at))
        claim = (await staged.claimed()).claim
        accepted_at = facts.time("insurer_accepted_at")
        if accepted_at is not None:
            response = await staged.desk.post(
                f"/v1/claims/{claim['claim_id']}/decision",
                {"findings": {"insurer_accepted_at": wire(accepted_at)}, "settles": False},
            )
            assert response.status_code == 200, response.text
            claim = response.json()
        return cls(claim=claim, complete_at=complete_at)

    @property
    def answer(self) -> dict[str, object]:
        decide = clock_of(self.claim, "DECIDE")
        return {name: decide[name] for name in ("category", "due_on", "target_on")}


def _claimed(example: Example, peril: str, complete_at: datetime) -> Example:
    """The claim behind the example, which says only when its file was complete."""
    plan = plan_of(example)
    local = complete_at.astimezone(plan.zone).replace(tzinfo=None)
    came = local.isoformat()
    left = (local - _ON_ITS_WAY).isoformat()
    way = (
        {"dispatched_at": left, "last_update_at": left}
        if peril == "LOSS"
        else {"delivered_at": came}
    )
    worth = str(example.given.get("goods_value", _WORTH))
    given: dict[str, object] = {
        **{name: example.given[name] for name in _KEPT if name in example.given},
        **way,
        "insured_value": worth,
        "claimed_value": worth,
        "notified_at": came,
        "evidence": list(all_papers(plan.perils[peril])),
    }
    return replace(example, ask="claim", peril=peril, given=given)
