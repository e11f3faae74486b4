"""A claim of each programme that is approved as it stands; a test names what differs.

Times are local to the plan and money is decimal text, as in the worked examples.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from libs.common.plans.codes import Outcome
from libs.common.plans.reading import load
from libs.common.plans.values import Plan
from libs.common.settings import PROGRAMMES
from services.claims.domain import Decision, Eligibility, adjudicate, eligibility

BOOK = load(PROGRAMMES)
PLANS: Mapping[str, Plan] = {
    "mypoz": BOOK.get("mypoz-cargo", 1),
    "bml": BOOK.get("bml-shipping", 1),
    "tks": BOOK.get("tks-warehouse", 1),
    "jsx": BOOK.get("jsx-cargo", 1),
    "cssecure": BOOK.get("cssecure", 2),
}

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")

Given = Mapping[str, object]

_MYPOZ: Given = {
    "goods_value": "1500",
    "insured_value": "1500",
    "claimed_value": "1500",
    "evidence": (
        "proof_of_purchase",
        "outer_packaging_photos",
        "weight_photo",
        "damage_photos",
    ),
}
_MYPOZ_DELIVERED: Given = {
    **_MYPOZ,
    "claimed_value": "500",
    "delivered_at": "2024-06-03T09:00",
    "notified_at": "2024-06-03T20:00",
    "exception_noted": True,
    "packing": "repacked",
}
_BML: Given = {"goods_value": "2000", "insured_value": "2000", "claimed_value": "2000"}
_TKS: Given = {
    "insured_value": "5000",
    "claimed_value": "4200",
    "proven_value": "4200",
    "refund_to_buyer": "4000",
    "dispatched_at": "2024-05-01T22:00",
    "filed_at": "2024-05-20T10:00",
    "notified_at": "2024-05-20T10:00",
    "as_of": "2024-05-20T10:00",
}
_TKS_PAPERS = (
    "delivery_record",
    "proof_of_insured_value",
    "delivery_certificate",
    "dispute_or_refund_screenshot",
)
_JSX: Given = {
    "insured_value": "3000",
    "order_insured_value": "3000",
    "claimed_value": "2500",
    "paid_at": "2024-05-10T10:00",
    "notified_at": "2024-06-02T09:00",
    "as_of": "2024-06-02T09:00",
}
_CSS: Given = {
    "line": "EMS",
    "destination": "US",
    "goods_value": "1000",
    "shipping_fee": "200",
    "insured_value": "1200",
    "submitted_at": "2024-01-08T10:00",
    "dispatched_at": "2024-01-10T10:00",
    "notified_at": "2024-02-20T10:00",
    "as_of": "2024-02-20T10:00",
}
_CSS_VIDEO: Given = {
    "delivered_at": "2024-02-19T18:00",
    "video_elements": ("unboxing_shown", "always_in_frame"),
}

# What the programmes cover (domain.md 2.2), each claim in order and worth its full amount.
APPROVED: Mapping[tuple[str, str], Given] = {
    ("mypoz", "LOSS"): {
        **_MYPOZ,
        "loss_confirmed_at": "2024-06-03T09:00",
        "reported_at": "2024-06-03T12:00",
        "notified_at": "2024-06-03T12:00",
        "evidence": ("proof_of_purchase", "provider_loss_confirmation", "police_report"),
    },
    ("mypoz", "SHORTAGE"): _MYPOZ_DELIVERED,
    ("mypoz", "DAMAGE"): _MYPOZ_DELIVERED,
    ("bml", "LOSS"): {
        **_BML,
        "scope": "international",
        "last_update_at": "2024-05-01T08:00",
        "notified_at": "2024-05-25T08:00",
        "as_of": "2024-05-25T08:00",
    },
    ("bml", "DAMAGE"): {
        **_BML,
        "claimed_value": "400",
        "delivered_at": "2024-05-01T08:00",
        "notified_at": "2024-05-02T08:00",
        "evidence": ("unboxing_video", "product_images"),
        "video_elements": ("sealed_six_sides_label", "continuous_in_frame", "damage_shown"),
    },
    ("tks", "LOSS"): {
        **_TKS,
        "last_update_at": "2024-05-08T10:00",
        "evidence": (*_TKS_PAPERS, "carrier_loss_letter"),
    },
    ("tks", "DAMAGE"): {
        **_TKS,
        "claimed_value": "800",
        "delivered_at": "2024-05-12T10:00",
        "evidence": (*_TKS_PAPERS, "damage_photos", "carrier_damage_report"),
    },
    ("jsx", "LOSS"): {
        **_JSX,
        "loss_confirmed_at": "2024-06-01T09:00",
        "evidence": ("value_document", "logistics_document", "carrier_loss_letter"),
    },
    ("jsx", "DAMAGE"): {
        **_JSX,
        "claimed_value": "900",
        "delivered_at": "2024-06-01T09:00",
        "evidence": ("value_document", "logistics_document", "damage_photos"),
    },
    ("jsx", "DELAY"): {
        **_JSX,
        "days_over_standard": 5,
        "delivered_at": "2024-06-01T09:00",
        "evidence": ("value_document", "logistics_document"),
    },
    ("cssecure", "LOSS"): {
        **_CSS,
        "whole_parcel": True,
        "evidence": ("agent_loss_confirmation",),
    },
    ("cssecure", "SEIZURE"): {**_CSS, "whole_parcel": True, "evidence": ("customs_letter",)},
    ("cssecure", "DAMAGE"): {
        **_CSS,
        **_CSS_VIDEO,
        "claimed_value": "400",
        "evidence": ("unboxing_video", "damage_list", "damage_photos"),
    },
    ("cssecure", "SHORTAGE"): {
        **_CSS,
        **_CSS_VIDEO,
        "claimed_value": "120",
        "evidence": ("unboxing_video",),
    },
    ("cssecure", "DELAY"): {
        **_CSS,
        "shipping_fee": "350",
        "submitted_at": "2024-01-01T09:00",
        "notified_at": "2024-03-05T09:00",
        "as_of": "2024-03-05T09:00",
    },
    ("cssecure", "RETURN"): {**_CSS, "evidence": ("return_tracking",)},
}


def facts_of_claim(programme: str, peril: str, **changes: object) -> dict[str, object]:
    """The approved claim's facts, changed; None takes a fact away."""
    plan = PLANS[programme]
    given = {**APPROVED.get((programme, peril), {}), **changes}
    return {name: _value(plan, value) for name, value in given.items() if value is not None}


def decided(programme: str, peril: str, **changes: object) -> Decision:
    return adjudicate(PLANS[programme], peril, facts_of_claim(programme, peril, **changes))


def answer(programme: str, peril: str, **changes: object) -> tuple[str, str]:
    """Outcome and decisive reason; an approval's is its payout."""
    decision = decided(programme, peril, **changes)
    if decision.outcome is Outcome.APPROVED:
        return decision.outcome.value, str(decision.payout.decimal)
    return decision.outcome.value, str(decision.reason or "")


def paid(programme: str, peril: str, **changes: object) -> str:
    """What an approval pays, as `1500.00`."""
    outcome, amount = answer(programme, peril, **changes)
    assert outcome == "APPROVED", (outcome, amount)
    return amount


def missing(programme: str, peril: str, **changes: object) -> list[str]:
    """What the claimant is asked for."""
    decision = decided(programme, peril, **changes)
    assert decision.outcome is Outcome.INFO_REQUIRED, (decision.outcome, decision.reasons)
    return [gap.label for gap in decision.missing]


def open_perils(programme: str, **given: object) -> dict[str, Eligibility]:
    """What eligibility says of each peril of the plan."""
    plan = PLANS[programme]
    known = {name: _value(plan, value) for name, value in given.items()}
    return {one.peril: one for one in eligibility(plan, known)}


def _value(plan: Plan, value: object) -> object:
    if not isinstance(value, str):
        return value
    if _TIME.fullmatch(value):
        return datetime.fromisoformat(value).replace(tzinfo=plan.zone)
    return Decimal(value) if _NUMBER.fullmatch(value) else value
