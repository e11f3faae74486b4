"""A claim's trace: what happened in order, and each decision's steps as they were taken."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from deploy.plans_check import Plans, read_examples
from libs.common.plans.reading import load
from libs.common.plans.values import Plan
from libs.common.plans.wire import from_wire
from libs.common.settings import PROGRAMMES
from services.claims.domain import adjudicate
from services.claims.domain.trace import NAMES, Result, Step, Trace, trace
from tests.claims.desk import POLICY_ID, Desk, told, tracked, way_of
from tests.conftest import AppOf, DbOf, Token
from tests.plans.builders import any_facts
from tests.policy.builders import OTHER_TENANT, Json
from tests.policy.serving import fire_due, served

BOOK = load(PROGRAMMES)
CSSECURE, BML = BOOK.get("cssecure", 2), BOOK.get("bml-shipping", 1)
ANY = [(plan, peril) for plan in BOOK for peril in (*plan.perils, "TAX")]
EXAMPLES = Path(__file__).parents[1] / "plans" / "examples"
NOW = "2024-03-02T09:00"


def agrees(plan: Plan, peril: str, facts: dict[str, Any]) -> Trace:
    """The trace, which says what the decision says."""
    decision, traced = adjudicate(plan, peril, facts), trace(plan, peril, facts)
    assert (traced.outcome, traced.reasons) == (decision.outcome, decision.reasons)
    assert [step.number for step in traced.steps] == list(NAMES) == list(range(1, 13))
    decisive = [step for step in traced.steps if step.result is Result.DECISIVE]
    assert len(decisive) == (decision.outcome != "APPROVED")
    assert all(reason.step == step.number for step in traced.steps for reason in step.reasons)
    if decision.assessment is not None:
        assert traced.steps[-1].lines == decision.assessment.lines
    return traced


def step_of(traced: Trace, name: str) -> Step:
    return next(step for step in traced.steps if step.name == name)


def test_every_worked_example_is_traced_to_its_own_decision() -> None:
    plans, count = Plans(BOOK), 0
    for file in sorted(EXAMPLES.glob("*.yaml")):
        for example in read_examples(file):
            if example.ask == "claim":
                plan = plans.plan_of(example)
                agrees(plan, example.peril, from_wire(example.given, plan.zone))
                count += 1
    assert count >= 160


@settings(max_examples=100, deadline=None)
@given(facts=any_facts())
def test_whatever_the_facts_the_steps_come_to_the_decision(facts: dict[str, Any]) -> None:
    for plan, peril in ANY:
        agrees(plan, peril, facts)


@settings(max_examples=50, deadline=None)
@given(facts=any_facts())
def test_what_a_step_read_is_all_it_needs(facts: dict[str, Any]) -> None:
    """The decision hangs on no fact that no step has read."""
    for plan, peril in ANY:
        read = {name for step in trace(plan, peril, facts).steps for name in step.inputs}
        # Until when windows are open is told beside the decision, from these.
        told = {"as_of", "info_requested_at", "filed_at", "evidence", "peril", "cause"}
        kept = {name: value for name, value in facts.items() if name in read | told}

        again, before = adjudicate(plan, peril, kept), adjudicate(plan, peril, facts)

        assert (again.outcome, again.reasons) == (before.outcome, before.reasons)
        assert again.assessment == before.assessment


def test_each_step_tells_its_inputs_and_the_rules_that_fired() -> None:
    facts = {
        "shipping_fee": 350,
        "submitted_at": "2024-01-01T09:00:00",
        "delivered_at": "2024-03-01T15:00:00",
        "dispatched_at": "2024-01-04T09:00:00",
        "filed_at": "2024-03-01T16:00:00",
        "as_of": "2024-03-01T16:00:00",
        "line": "SEA",
        "line_tags": ["sea"],
    }
    traced = agrees(CSSECURE, "DELAY", from_wire(facts, CSSECURE.zone))

    scope = step_of(traced, "line and goods excluded")
    assert (scope.result, [str(r) for r in scope.reasons]) == (
        Result.DECISIVE,
        ["LINE_EXCLUDED"],
    )
    assert scope.inputs == {"line_tags": ["sea"], "items": []}
    timing = step_of(traced, "proof and waits")
    assert timing.result is Result.SECONDARY
    assert [(str(r), r.rule_ids) for r in timing.reasons] == [("NOT_DELAYED", ("CS-26",))]
    assert timing.inputs["submitted_at"] == "2024-01-01T01:00:00Z"
    assert timing.inputs["delivered_at"] == "2024-03-01T07:00:00Z"
    state = step_of(traced, "policy state")
    assert (state.result, state.inputs) == (Result.PASSED, {"policy_state": "ACTIVE"})
    payout = step_of(traced, "payout")
    assert payout.inputs["shipping_fee"] == "350"
    assert [(line.label, str(line.after)) for line in payout.lines][-1] == ("ROUNDED", "70.00")


def test_what_is_asked_for_decides_at_the_papers() -> None:
    facts = {"goods_value": 100, "whole_parcel": True, "delivered_at": "2024-02-01T10:00:00"}
    facts |= {"notified_at": "2024-02-02T10:00:00", "as_of": "2024-02-02T10:00:00"}
    traced = agrees(BML, "DAMAGE", from_wire(facts, BML.zone))

    papers = step_of(traced, "evidence")
    assert (papers.result, papers.missing) == (Result.DECISIVE, ("unboxing_video",))
    assert papers.reasons == ()


def test_after_a_peril_that_is_not_covered_nothing_is_asked() -> None:
    traced = agrees(BML, "TAX", {})

    assert [step.result for step in traced.steps] == [
        Result.PASSED,
        Result.DECISIVE,
        *[Result.NOT_ASKED] * 10,
    ]


def test_what_people_set_aside_is_told_and_counts_no_more() -> None:
    facts = from_wire(
        {
            "claimed_value": 400,
            "goods_value": 1000,
            "insured_value": 1200,
            "dispatched_at": "2024-01-10T10:00:00",
            "delivered_at": "2024-02-19T18:00:00",
            "notified_at": "2024-03-01T00:00:00",
            "as_of": "2024-03-01T00:00:00",
            "evidence": ["unboxing_video", "damage_list", "damage_photos"],
            "video_elements": ["unboxing_shown", "always_in_frame"],
        },
        CSSECURE.zone,
    )
    assert agrees(CSSECURE, "DAMAGE", facts).outcome == "DENIED"

    traced = trace(CSSECURE, "DAMAGE", facts, frozenset({"LATE_NOTICE"}))

    deadlines = step_of(traced, "deadlines")
    assert (traced.outcome, deadlines.result) == ("APPROVED", Result.PASSED)
    assert [str(reason) for reason in deadlines.overridden] == ["LATE_NOTICE"]
    # What nobody may override stands, whatever is asked.
    causes = {**facts, "causes": ("fraud",)}
    assert trace(CSSECURE, "DAMAGE", causes, frozenset({"EXCLUDED_CAUSE"})).outcome == "DENIED"


# --- The route -------------------------------------------------------------------------------


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token, tmp_path: Path) -> Any:
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(app_of, db_of, token, policy_url=url, evidence=str(tmp_path))
        await desk.hears(*way_of(tracking=tracked()))
        yield desk


async def traced_of(desk: Desk, claim: Json) -> Json:
    response = await desk.get(f"/v1/claims/{claim['claim_id']}/trace")
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


async def test_a_claims_whole_way_is_told_in_order(desk: Desk) -> None:
    await desk.at("2024-02-20T09:00")
    claim = await desk.a_claim()
    late = tracked(state="RUN_OFF", delivered_at="2024-03-02T07:00")
    await desk.at(NOW)
    await desk.hears(told(late, 9))
    await fire_due(desk.client, NOW)
    payout_id = (await desk.show(claim))["payouts"][0]["payout_id"]
    await desk.post(
        f"/v1/payouts/{payout_id}/settlement", {"state": "CONFIRMED", "reference": "bank-1"}
    )

    whole = await traced_of(desk, claim)

    assert (whole["claim_id"], whole["policy_id"]) == (claim["claim_id"], POLICY_ID)
    assert whole["state"] == "PAID"
    assert [moment["what"] for moment in whole["moments"]] == [
        "FirstContact",
        "ClaimFiled",
        "ClaimDecided",
        "ClaimDecided",
        "PayoutSent",
        "PayoutSettled",
    ]
    first, filed, deferred, approved, sent, settled = whole["moments"]
    assert (first["by"], first["told"]) == ("tests", {"peril": "DELAY", "cause": None})
    assert first["at"] == filed["at"] == "2024-02-20T09:00:00Z"
    assert (filed["by"], settled["by"]) == ("tests", "tests")
    assert sent["by"] == "deadline:send_payout"
    assert sent["told"]["amount"] == {"amount_minor": 7_000, "currency": "CNY"}
    assert [one["decision"] for one in (first, filed, sent, settled)] == [None] * 4
    numbers = [moment["decision"]["number"] for moment in (deferred, approved)]
    assert numbers == [1, 2]
    assert [moment["decision"]["agrees"] for moment in (deferred, approved)] == [True, True]
    assert deferred["decision"]["outcome"] == "DEFERRED"
    (decisive,) = [s for s in deferred["decision"]["steps"] if s["result"] == "DECISIVE"]
    assert (decisive["step"], decisive["reasons"][0]["code"]) == (10, "TOO_EARLY")
    assert decisive["inputs"]["submitted_at"] == "2024-01-01T01:00:00Z"
    last = approved["decision"]
    assert (last["is_settled"], last["waits_because"], last["signals"]) == (True, None, [])
    assert [payout["payout_id"] for payout in last["payouts"]] == [payout_id]
    assert len(last["steps"]) == 12
    assert {step["result"] for step in last["steps"]} == {"PASSED"}
    assert last["steps"][11]["lines"][-1] == {
        "label": "ROUNDED",
        "before": "70.0000",
        "after": "70.00",
        "limit": None,
    }


async def test_a_claim_on_no_policy_has_a_trace_too(desk: Desk) -> None:
    await desk.at(NOW)
    response = await desk.post("/v1/claims", {"tracking_number": "NOBODYS1", "peril": "LOSS"})
    assert response.status_code == 201, response.text

    whole = await traced_of(desk, response.json())

    assert [moment["what"] for moment in whole["moments"]] == [
        "FirstContact",
        "ClaimFiled",
        "ClaimDecided",
    ]
    decision = whole["moments"][-1]["decision"]
    assert (decision["outcome"], decision["agrees"]) == ("DENIED", True)
    assert decision["steps"][0]["reasons"][0]["code"] == "NOT_INSURED"
    assert decision["steps"][2]["result"] == "NOT_ASKED"


async def test_another_claim_of_the_policy_and_another_tenant_are_not_in_it(desk: Desk) -> None:
    await desk.at(NOW)
    delay, loss = await desk.a_claim(), await desk.a_claim("LOSS")

    moments = (await traced_of(desk, loss))["moments"]

    assert {moment["told"].get("claim_id") for moment in moments[1:]} == {loss["claim_id"]}
    other = await desk.of(OTHER_TENANT).get(f"/v1/claims/{delay['claim_id']}/trace")
    assert (other.status_code, other.json()["code"]) == (404, "unknown-claim")
