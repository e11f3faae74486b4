"""The facts of a claim (domain.md 2.3): which event or paper each of them comes from.

A fact that is not known is left out; the plan language gives it its default.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from libs.common.money import Money
from services.claims.domain.cases import (
    IN_FORCE,
    Case,
    Claim,
    Cover,
    EarlierClaim,
    Item,
    Statement,
    Tracking,
    total,
)

T = TypeVar("T")

WHOLE = Decimal(1)


def facts(case: Case, now: datetime) -> dict[str, Any]:
    """Facts by name for `adjudicate`: money and weights as Decimal, instants aware."""
    cover, claim = case.cover, case.claim
    known: dict[str, Any] = {
        "as_of": now,
        "peril": claim.statement.peril,
        "policy_state": _state(case),
        **_of_terms(cover),
        **_of_tracking(cover.tracking),
        **_of_claim(cover, claim),
        **_of_claimed_items(cover, claim),
        **_of_earlier(case.earlier, cover.currency),
    }
    if case.order is not None:
        known["order_insured_value"] = case.order.insured_value.decimal
        known["order_delay_paid"] = case.order.delay_paid.decimal
    return {name: value for name, value in known.items() if value is not None}


def _of_terms(cover: Cover) -> Mapping[str, Any]:
    """PolicyPaid: `terms`, `paid_at`, `confirmed_at`."""
    terms = cover.terms
    own = [item for item in terms.items if item.is_buy_yourself]
    return {
        "goods_value": terms.goods_value.decimal,
        "eligible_goods_value": terms.eligible_goods_value.decimal,
        "shipping_fee": terms.shipping_fee.decimal,
        "insured_value": terms.insured_value.decimal,
        "premium": terms.premium.decimal,
        "goods_limit": _decimal(terms.goods_limit),
        "biy_value": total([item.value for item in own], cover.currency).decimal,
        "biy_weight_kg": sum((item.weight_kg for item in own), Decimal(0)),
        "items": tuple(
            {
                "id": item.item_id,
                "class": item.item_class,
                "value": item.value.decimal,
                # As it was sold: a line that a person accepted counts (MP-28).
                "verdict": item.verdict,
            }
            for item in terms.items
        ),
        "line": terms.line,
        "line_tags": terms.line_tags,
        "mode": terms.mode,
        "destination": terms.destination,
        "scope": terms.scope,
        "options": terms.options,
        "submitted_at": terms.submitted_at,
        "registered_user": terms.is_registered,
        "vip": terms.is_vip,
        "paid_at": cover.paid_at,
        "confirmed_at": cover.confirmed_at,
    }


def _of_tracking(tracking: Tracking) -> Mapping[str, Any]:
    """ParcelDispatched and TrackingUpdated, field by field."""
    return {
        "accepted_at": tracking.accepted_at,
        "dispatched_at": tracking.dispatched_at,
        "last_update_at": tracking.last_update_at,
        "delivered_at": tracking.delivered_at,
        "returned_at": tracking.returned_at,
    }


def _of_claim(cover: Cover, claim: Claim) -> Mapping[str, Any]:
    """ClaimFiled's statement, EvidenceAdded's kinds, and what adjudicators established.

    Where claimant and adjudicator both say something, the adjudicator's word stands.
    """
    said, found = claim.statement, claim.findings
    purchase_documents = tuple(document.kind for document in cover.terms.documents)
    return {
        "notified_at": claim.notified_at,
        "filed_at": claim.filed_at,
        # The customer's first contact is the report that starts the search (MP-33).
        "reported_at": claim.notified_at,
        "info_requested_at": claim.info_requested_at,
        "complete_at": claim.complete_at,
        "insurer_accepted_at": found.insurer_accepted_at,
        "clean_first_submission": claim.is_clean,
        "event_at": said.event_at,
        "causes": said.causes,
        "whole_parcel": _is_whole(said),
        "evidence": tuple(dict.fromkeys((*purchase_documents, *claim.evidence))),
        "evidence_unavailable": said.unavailable,
        "loss_confirmed_at": _first(found.loss_confirmed_at, cover.tracking.loss_confirmed_at),
        "packing": _first(found.packing, cover.terms.packing),
        "exception_noted": _first(found.exception_noted, said.exception_noted),
        "freight_paid": _first(found.is_freight_paid, cover.terms.is_freight_paid),
        "carrier_paid": _decimal(_first(found.carrier_paid, said.carrier_paid)),
        "refund_to_buyer": _decimal(_first(found.refund_to_buyer, said.refund_to_buyer)),
        "proven_value": _decimal(found.proven_value),
        "insurer_approved": _decimal(found.insurer_approved),
        "insurer_decided": found.insurer_decided,
        "video_elements": found.video_elements,
        "biy_misdeclared": found.is_misdeclared,
        "carrier_investigation": found.is_investigated,
        "fraud": found.is_fraud,
    }


def _of_claimed_items(cover: Cover, claim: Claim) -> Mapping[str, Any]:
    """The items claimed, each at its grade; a whole parcel is left to the plan language.

    `claimed_value` said without items stands as it is said.
    """
    said = claim.statement
    claimed = [item for item in cover.terms.items if item.item_id in said.item_ids]
    if not claimed:
        return {"claimed_value": _decimal(said.claimed_value)}
    insured = [item for item in claimed if item.is_insured]
    own = [item for item in insured if item.is_buy_yourself]
    grades = claim.findings.grades if said.peril == "DAMAGE" else {}

    def graded(items: list[Item], measure: Callable[[Item], Decimal]) -> Decimal:
        return sum((measure(i) * grades.get(i.item_id, WHOLE) for i in items), Decimal(0))

    return {
        "claimed_items": tuple(item.item_id for item in claimed),
        "claimed_value": graded(insured, lambda item: item.value.decimal),
        "claimed_biy_value": graded(own, lambda item: item.value.decimal),
        "claimed_biy_weight_kg": graded(own, lambda item: item.weight_kg),
    }


def _of_earlier(earlier: tuple[EarlierClaim, ...], currency: str) -> Mapping[str, Any]:
    """Earlier claims on the policy and what they were paid, goods and shipping apart."""
    paid_items = {i for claim in earlier if claim.outcome == "APPROVED" for i in claim.item_ids}
    return {
        "prior_claims": tuple({"peril": c.peril, "outcome": c.outcome} for c in earlier),
        "items_paid": tuple(sorted(paid_items)),
        "paid": total([claim.goods_paid for claim in earlier], currency).decimal,
        "biy_paid": total([claim.buy_yourself_paid for claim in earlier], currency).decimal,
        "shipping_paid": total([claim.shipping_paid for claim in earlier], currency).decimal,
        "delay_paid": total([claim.delay_paid for claim in earlier], currency).decimal,
    }


def _is_whole(said: Statement) -> bool:
    """A loss that names neither items nor a value is of the whole parcel (CS-15)."""
    names_less = said.item_ids or said.claimed_value is not None
    return said.is_whole_parcel or (said.peril == "LOSS" and not names_less)


def _state(case: Case) -> str:
    """The policy's state, EXHAUSTED where its goods were paid in full (2.7)."""
    cover = case.cover
    goods_paid = total([claim.goods_paid for claim in case.earlier], cover.currency)
    is_spent = goods_paid >= cover.terms.insured_value
    if cover.state in IN_FORCE and is_spent:
        return "EXHAUSTED"
    return cover.state


def _first(established: T | None, said: T | None) -> T | None:
    return said if established is None else established


def _decimal(amount: Money | None) -> Decimal | None:
    return None if amount is None else amount.decimal
