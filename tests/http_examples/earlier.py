"""Claims that an example says were made before: on its policy, or on other parcels of its order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from libs.common.ids import new_id
from libs.common.plans.values import Peril
from tests.buying import amount_of
from tests.http_examples.parcels import Parcel
from tests.policy.builders import Json

# What an approved claim paid, where the example does not say it and nothing rests on it.
_SOMETHING = Decimal(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A claim to be made first, and what is to come of it."""

    peril: str
    outcome: str
    statement: Json
    findings: Json
    papers: tuple[str, ...]
    # A delay is known when the parcel has come: the delivery is told, and undone by a later scan.
    needs_delivery: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Siblings:
    """The policies of the order's other parcels, each like the example's own."""

    policy_ids: tuple[str, ...]
    have_claimed: bool


def siblings_of(parcel: Parcel) -> Siblings:
    own, order = parcel.money("insured_value"), parcel.money("order_insured_value")
    others = order.amount_minor // own.amount_minor - 1 if own.amount_minor else 0
    return Siblings(
        policy_ids=tuple(new_id("pol") for _ in range(others)),
        have_claimed="order_delay_paid" in parcel.example.given,
    )


def earlier_claims(parcel: Parcel) -> list[Earlier]:
    """Those the example lists; or the one that was paid what it says was paid."""
    facts, given = parcel.facts, parcel.example.given
    listed = cast("Sequence[Mapping[str, str]]", given.get("prior_claims", ()))
    if listed:
        return [_earlier(parcel, one["peril"], one["outcome"]) for one in listed]
    if facts.number("delay_paid"):
        return [_earlier(parcel, "DELAY", "APPROVED")]
    if facts.number("paid"):
        peril = "SHORTAGE" if "SHORTAGE" in parcel.plan.perils else "DAMAGE"
        return [_earlier(parcel, peril, "APPROVED")]
    return []


def _earlier(parcel: Parcel, peril: str, outcome: str) -> Earlier:
    terms, facts = parcel.plan.perils[peril], parcel.facts
    amount = amount_of(parcel.plan, facts.number("paid") or _SOMETHING)
    statement: Json = {"peril": peril, "exception_noted": True, "refund_to_buyer": amount}
    item_ids = list(facts.codes("items_paid")) or ["own-paid"] * bool(facts.number("biy_paid"))
    if item_ids:
        statement["item_ids"] = item_ids
    elif peril not in ("DELAY", "RETURN"):
        statement["claimed_value"] = amount
    if outcome == "DENIED":
        statement["causes"] = ["fraud"]
    return Earlier(
        peril=peril,
        outcome=outcome,
        statement=statement,
        findings={"proven_value": amount, "video_elements": list(terms.video)},
        papers=all_papers(terms),
        needs_delivery=outcome == "APPROVED" and any(w.clock is None for w in terms.waits),
    )


def all_papers(terms: Peril) -> tuple[str, ...]:
    """One of each alternative, and whatever else the peril may ask for."""
    wanted = terms.evidence
    proof = () if terms.proof is None else terms.proof.kinds[:1]
    grace = () if wanted.grace is None else wanted.grace.kinds
    any_of = wanted.any_of[0] if wanted.any_of else ()
    conditional = (one.kind for one in wanted.conditional)
    return tuple(dict.fromkeys((*proof, *wanted.required, *any_of, *conditional, *grace)))
