"""A small valid plan and ways to break it, and facts at random."""

import textwrap
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from libs.common.plans.codes import EVIDENCE, PERILS
from libs.common.plans.reading import read_plan_bytes
from libs.common.plans.registry import FACTS, MAX_NUMBER, Fact, FactKind
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


# --- Facts at random ---------------------------------------------------------------------------

_START = datetime(2024, 1, 1, tzinfo=UTC)
_INSTANTS = st.one_of(
    st.integers(0, 24 * 400).map(lambda hours: _START + timedelta(hours=hours)),
    st.integers(0, 60).map(lambda days: _START + timedelta(days=days, hours=16)),
)
_AMOUNTS = st.one_of(
    st.sampled_from([Decimal(0), Decimal("0.01"), Decimal(400), Decimal(2000), MAX_NUMBER / 4]),
    st.decimals(0, 6000, places=2),
)
_CLASSES = st.sampled_from(["phone", "vase", "clothing", "prohibited", "", "unheard_of"])
_IDS = st.sampled_from(["i1", "i2", "i3"])
_TAGS = st.sampled_from(["sal", "sea", "train", "eub", "aramex", "waterproof"])
_OUTCOMES = st.sampled_from(["APPROVED", "DENIED", "WITHDRAWN", "REFERRED"])
_ITEM = st.fixed_dictionaries({"id": _IDS, "class": _CLASSES, "value": _AMOUNTS})
_PRIOR = st.fixed_dictionaries({"peril": st.sampled_from(sorted(PERILS)), "outcome": _OUTCOMES})
_LINES = st.sampled_from(["", "EMS", "SAL", "SEA", "NEW_LINE"])
_CODES: dict[str, st.SearchStrategy[str]] = {
    "line": _LINES,
    "destination": st.sampled_from(["", "DE", "US"]),
    "packing": st.sampled_from(["seller_original", "no_original_packaging", "repacked"]),
}


def _several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=4).map(tuple)


def _value(fact: Fact) -> st.SearchStrategy[Any]:
    words = st.sampled_from(sorted(fact.words)) if fact.words else _TAGS
    kinds: dict[FactKind, st.SearchStrategy[Any]] = {
        FactKind.NUMBER: _AMOUNTS,
        FactKind.LIMIT: _AMOUNTS,
        FactKind.COUNT: st.integers(0, 100),
        FactKind.FLAG: st.booleans(),
        FactKind.CODE: _CODES.get(fact.name, words),
        FactKind.CODES: _several(_IDS if "items" in fact.name else words),
        FactKind.NUMBERS: _several(st.integers(1, 4)),
        FactKind.TIME: _INSTANTS,
        FactKind.ITEMS: _several(_ITEM),
        FactKind.CLAIMS: _several(_PRIOR),
    }
    return kinds[fact.kind]


# Where a claim fails on them every time, nothing further on is ever reached.
_SELDOM = frozenset({"policy_state", "prior_claims", "causes", "cause", "fraud", "items_paid"})
_ALL = {name: _value(fact) for name, fact in FACTS.items() if name != "peril"}
_MOST = {name: value for name, value in _ALL.items() if name not in _SELDOM}


def any_facts() -> st.SearchStrategy[dict[str, Any]]:
    """Facts of every kind, each set or not, some in most and some in few of the cases."""
    certain = {
        "evidence": st.just(tuple(sorted(EVIDENCE))),
        "claimed_value": _AMOUNTS,
        "as_of": _INSTANTS,
    }
    others = {name: value for name, value in _MOST.items() if name not in certain}
    return st.one_of(
        st.fixed_dictionaries({}, optional=_ALL),
        st.fixed_dictionaries({}, optional=_MOST),
        st.fixed_dictionaries(certain, optional=others),
    )
