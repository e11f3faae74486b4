"""The words all programmes share: perils, causes, evidence kinds, item classes, outcomes, states."""

from enum import StrEnum


class Outcome(StrEnum):
    """What a claim is answered with. APPROVED with any cap is shown as partially approved."""

    APPROVED = "APPROVED"
    DENIED = "DENIED"
    DEFERRED = "DEFERRED"
    INFO_REQUIRED = "INFO_REQUIRED"
    ON_HOLD = "ON_HOLD"
    REFERRED = "REFERRED"


class Verdict(StrEnum):
    """What an item's class means for the quote."""

    ACCEPT = "ACCEPT"
    DECLINE = "DECLINE"
    REFER = "REFER"


class Supplier(StrEnum):
    """Who has to bring a piece of evidence."""

    CLAIMANT = "claimant"
    PROVIDER = "provider"
    PLATFORM = "platform"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PERILS = _words("LOSS SHORTAGE DAMAGE SEIZURE RETURN DELAY TAX")
# Those that pay for goods; an exhausted sum insured closes them and leaves the others open.
GOODS_PERILS = _words("LOSS SHORTAGE DAMAGE SEIZURE")

POLICY_STATES = _words(
    "NONE PENDING SCHEDULED ACTIVE RUN_OFF EXHAUSTED EXPIRED INVALID VOID CANCELLED LAPSED"
)

SCOPES = _words("domestic international")

# What "force majeure" includes: an excluded force_majeure excludes them all.
FORCE_MAJEURE = _words("natural_disaster war hostile_act military_action riot strike")
CAUSES = FORCE_MAJEURE | _words(
    """force_majeure looting detainment customs_act third_party_act human_related inherent_vice
    electromagnetic consequential wrong_address bad_documents recipient_refused unclaimed
    undeliverable prohibited_goods contraband counterfeit manufacturing_defect packaging_only
    customer_damage post_delivery_theft fraud
    water minor_deformation crush breakage unknown"""
)

PROVIDER_EVIDENCE = _words(
    """carrier_loss_letter agent_loss_confirmation provider_loss_confirmation
    provider_seizure_query carrier_damage_report"""
)
PLATFORM_EVIDENCE = _words("tracking_snapshot return_tracking")
EVIDENCE = (
    PROVIDER_EVIDENCE
    | PLATFORM_EVIDENCE
    | _words(
        """proof_of_purchase parcel_numbers value_document proof_of_insured_value
        order_value_proof logistics_document delivery_record delivery_certificate
        official_tracking_screenshot customer_loss_letter police_report customs_letter
        unboxing_video product_images damage_photos damage_list outer_packaging_photos
        weight_photo dispute_or_refund_screenshot courier_communication"""
    )
)
# A loss the carrier or its agent has put in writing (2.5, straight-through settlement).
CARRIER_LOSS_EVIDENCE = _words("carrier_loss_letter agent_loss_confirmation")

ITEM_CLASSES = _words(
    """phone tablet smart_watch game_console other_3c
    acrylic vase picture_frame antique glass house_model other_fragile
    refrigerator washing_machine large_appliance
    restricted prohibited contraband counterfeit
    jewellery cash live_animal perishable
    clothing shoes bag cosmetics book toy other"""
)

# Codes a plan may put on a gate, a hold, a referral or a stopped clock.
GATE_CODES = _words(
    """LINE_EXCLUDED MODE_NOT_COVERED GOODS_EXCLUDED NOT_DELAYED CLEAN_RECEIPT FALSE_EVIDENCE
    WATERPROOF_NOT_SELECTED MINOR_DEFORMATION ORIGINAL_PACKING BIY_NOT_MARKED DELIVERED
    BENEFIT_USED COVER_EXHAUSTED PREMIUM_INCOMPLETE NO_RESIDUAL_LOSS"""
)
HOLD_CODES = _words("FREIGHT_UNPAID")
REFER_CODES = _words("AWAITING_CARRIER AWAITING_INSURER")
CAP_CODES = _words(
    """CAP_INSURED CAP_PROGRAMME CAP_TIER CAP_TOTAL_VALUE CAP_DELAY_PCT CAP_DELAY_ABS
    CAP_INSURER_APPROVED CAP_BIY CAP_ACTUAL_VALUE"""
)
NOTE_CODES = CAP_CODES | GATE_CODES

FILE_STATES = _words(
    "DRAFT UNDER_VERIFICATION INFO_REQUIRED PRICED DECLINED INVALID EXPIRED BOUND"
)


def supplier(kind: str, platform_supplies: frozenset[str] = frozenset()) -> Supplier:
    """Who brings this kind of evidence, where the plan lists what its platform attaches itself."""
    if kind in platform_supplies or kind in PLATFORM_EVIDENCE:
        return Supplier.PLATFORM
    return Supplier.PROVIDER if kind in PROVIDER_EVIDENCE else Supplier.CLAIMANT
