"""A plan document compiled into a Plan: the header, and what holds between its sections."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from libs.common.errors import Refusal
from libs.common.money import exponent
from libs.common.plans import codes, sections
from libs.common.plans.clocks import Unit
from libs.common.plans.documents import Entry
from libs.common.plans.draft import Draft, read_params, read_rules
from libs.common.plans.expressions import Param
from libs.common.plans.perils import read_perils
from libs.common.plans.values import Plan

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_REQUIRED = """plan version tenant valid_from currency timezone working_week params goods premium
    cover claim_rule perils"""
_OPTIONAL = """valid_to holidays offer documents verification limits over_value undeliverable
    refunds exclusions let sla priority appeal advance found_after_payout lines rules"""
_CLAIM_RULES = ("per_item", "one_per_parcel", "one_peril_per_parcel")
MAX_ID_CHARACTERS = 40
# The first is what a plan means that does not say.
REMINDER_BASES = ("order_total", "max_item")


def compile_plan(
    document: Entry, *, sha256: str, source: str, overrides: Mapping[str, Param]
) -> Plan:
    """The compiled plan; BrokenDocument with the place of the first fault."""
    fields = document.fields(required=_REQUIRED, optional=_OPTIONAL)
    params = read_params(fields["params"], overrides)
    rules = read_rules(fields["rules"]) if "rules" in fields else {}
    draft = Draft(MappingProxyType(params), rules)
    for name, let in fields["let"].mapping().items() if "let" in fields else ():
        draft.let(name, let)
    plan = _plan(fields, draft, sha256, source)
    if "rules" in fields:
        draft.check_rules(fields["rules"])
    _check_periods(fields, plan)
    _check_reminder_basis(fields, plan)
    _check_circles(fields, plan)
    return plan


def _plan(fields: Mapping[str, Entry], draft: Draft, sha256: str, source: str) -> Plan:
    exclusions = _exclusions(fields.get("exclusions"))
    zone = _zone(fields["timezone"])
    return Plan(
        plan=_id(fields["plan"], "plan"),
        version=fields["version"].integer(least=1, most=9_999),
        tenant=_id(fields["tenant"], "tenant"),
        valid_from=fields["valid_from"].day(),
        valid_to=fields["valid_to"].day() if "valid_to" in fields else None,
        currency=_currency(fields["currency"]),
        timezone=zone.key,
        zone=zone,
        calendar=sections.read_calendar(fields),
        params=draft.params,
        info=draft.param_duration(fields["params"], "info_days", Unit.DAYS),
        quote_validity=draft.param_duration(fields["params"], "quote_days", Unit.DAYS),
        carrier_reply=draft.param_duration(fields["params"], "carrier_reply_days", Unit.DAYS),
        voucher_validity=draft.param_duration(fields["params"], "voucher_months", Unit.MONTHS),
        offer=sections.read_offer(draft, fields.get("offer")),
        goods=sections.read_goods(draft, fields["goods"]),
        documents=sections.read_documents(draft, fields.get("documents")),
        verification=sections.read_verification(draft, fields.get("verification")),
        premium=sections.read_premium(draft, fields["premium"]),
        limits=sections.read_limits(draft, fields.get("limits")),
        over_value=sections.read_over_value(draft, fields.get("over_value")),
        cover=sections.read_cover(draft, fields["cover"]),
        undeliverable=sections.read_undeliverable(draft, fields.get("undeliverable")),
        refunds=sections.read_refunds(draft, fields.get("refunds")),
        exclusions=exclusions,
        excluded_causes=_with_included(exclusions),
        exclusion_rules=draft.rules_of("exclusions"),
        claim_rule=fields["claim_rule"].word(_CLAIM_RULES, "a claim rule"),
        claim_rule_rules=draft.rules_of("claim_rule"),
        lets=MappingProxyType(draft.lets),
        perils=MappingProxyType(read_perils(draft, fields["perils"])),
        perils_rules=draft.rules_of("perils"),
        sla=sections.read_sla(draft, fields.get("sla")),
        priority=sections.read_priority(draft, fields.get("priority")),
        appeal=sections.read_appeal(draft, fields.get("appeal")),
        advance=sections.read_advance(draft, fields.get("advance")),
        found_after_payout=sections.read_found(draft, fields.get("found_after_payout")),
        lines=MappingProxyType(sections.read_lines(fields.get("lines"))),
        rules=MappingProxyType(dict(draft.rules)),
        sha256=sha256,
        source=source,
    )


def _id(entry: Entry, what: str) -> str:
    text = entry.text()
    if not _ID.fullmatch(text) or len(text) > MAX_ID_CHARACTERS:
        entry.fail(f"{text!r} is no {what} id: lower case words joined by -, such as jsx-cargo")
    return text


def _zone(entry: Entry) -> ZoneInfo:
    try:
        return ZoneInfo(entry.text())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        entry.fail(f"{entry.value!r} is no time zone such as Asia/Shanghai")


def _currency(entry: Entry) -> str:
    try:
        exponent(entry.text())
    except Refusal as refusal:
        entry.fail(refusal.detail.rstrip("."))
    return entry.text()


def _exclusions(entry: Entry | None) -> tuple[str, ...]:
    return () if entry is None else entry.words(codes.CAUSES, "a cause")


def _with_included(exclusions: tuple[str, ...]) -> frozenset[str]:
    """Fraud is excluded in every programme, stated or not (G-15)."""
    included = codes.FORCE_MAJEURE if "force_majeure" in exclusions else frozenset()
    return frozenset(exclusions) | included | {"fraud"}


def _check_periods(fields: Mapping[str, Entry], plan: Plan) -> None:
    if plan.valid_to is not None and plan.valid_to < plan.valid_from:
        fields["valid_to"].fail(f"the plan ends on {plan.valid_to}, before it begins")
    for name in ("info_days", "quote_days"):
        if name not in plan.params:
            fields["params"].fail(f"{name} is missing, such as {name}: 7")


def _check_reminder_basis(fields: Mapping[str, Entry], plan: Plan) -> None:
    """What the value in USD is of (MP-06); a param that no expression need name."""
    basis = plan.params.get("reminder_basis", REMINDER_BASES[0])
    if basis not in REMINDER_BASES:
        fields["params"].fail(f"reminder_basis is {' or '.join(REMINDER_BASES)}, not {basis!r}")


def _check_circles(fields: Mapping[str, Entry], plan: Plan) -> None:
    """Refuses expressions whose derived facts would ask for themselves."""
    base = plan.premium.base.names
    reads: dict[str, frozenset[str]] = {
        "insured_value": frozenset() if "insured_value" in base else base,
        "order_insured_value": frozenset({"insured_value"}),
        "goods_limit": frozenset().union(
            *(
                expression.names
                for row in plan.limits
                for expression in (row.when, row.goods_maximum)
                if expression is not None
            )
        ),
        "priority": frozenset().union(
            *(when.names for when in (plan.priority.any_of if plan.priority else ()))
        ),
    }
    places = {"goods_limit": "limits", "priority": "priority"}
    for fact in reads:
        if fact in _reached(reads, fact):
            place = fields[places.get(fact, "premium")]
            place.fail(
                f"{fact} would be derived from itself; leave it out of the expressions here"
            )


def _reached(reads: Mapping[str, frozenset[str]], start: str) -> set[str]:
    reached: set[str] = set()
    pending = list(reads[start])
    while pending:
        fact = pending.pop()
        if fact not in reached:
            reached.add(fact)
            pending.extend(reads.get(fact, ()))
    return reached
