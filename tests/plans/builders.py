"""A small valid plan, and ways to break it."""

import textwrap

from libs.common.plans.reading import read_plan_bytes
from libs.common.plans.values import Plan

PLAN = textwrap.dedent(
    """\
    plan: test-plan
    version: 1
    tenant: tester
    valid_from: "2024-01-01"
    currency: CNY
    timezone: Asia/Shanghai
    working_week: [mon, tue, wed, thu, fri]
    params: {rate: "0.02", info_days: 7, quote_days: 7, quiet: {domestic: 7, international: 20}}
    goods: {accept: [], decline: [prohibited], otherwise: ACCEPT}
    premium: {base: "insured_value", rate_param: rate, minimum: "1.00"}
    limits: [{when: "True", max: "10000"}]
    cover: {start: on_payment, end: delivered_at}
    refunds:
      - {reason: CUSTOMER_CANCEL, when: "not dispatched", amount: "premium"}
    exclusions: [force_majeure]
    claim_rule: per_item
    let:
      loss: "claimed_value - carrier_paid"
    perils:
      LOSS:
        proof: [{evidence: carrier_loss_letter}, {elapsed: {from: dispatched_at, days: 30}}]
        notice: {from: [dispatched_at], days: 60}
        gates: [{code: DELIVERED, when: "delivered"}]
        holds: [{code: FREIGHT_UNPAID, when: "not freight_paid"}]
        evidence:
          required: [value_document]
          any: [[police_report]]
          grace: {kinds: [carrier_damage_report], from: filed_at, days: 30}
        refers: [{code: AWAITING_INSURER, when: "not insurer_decided"}]
        payout: "loss"
        caps: [{code: CAP_INSURED, amount: "insured_value - paid"}]
    sla: {categories: [{name: any, when: "True", due: {working_days: 5}}]}
    appeal: {tiers: [{tier: 1, body: second, file: {days: 14}, decide: {working_days: 10}}]}
    """
)


def a_plan(text: str = PLAN, **replaced: str) -> Plan:
    """The plan, with texts of it replaced: a_plan(**{"days: 60": "days: 10"})."""
    return read_plan_bytes(with_replaced(text, **replaced).encode(), "test-plan.v1.yaml")


def with_replaced(text: str = PLAN, **replaced: str) -> str:
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def a_plan_with_holidays(holidays: str) -> Plan:
    return a_plan(PLAN + f"holidays: {holidays}\n")
