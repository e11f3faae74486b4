"""The words of the codes of letters in English."""

from collections.abc import Mapping
from typing import Final

ENGLISH: Final[Mapping[str, Mapping[str, str]]] = {
    "outcome": {
        "APPROVED": "approved",
        "PARTIAL": "partially approved",
        "DENIED": "declined",
        "DEFERRED": "too early to decide",
        "INFO_REQUIRED": "more papers are needed",
        "ON_HOLD": "on hold",
    },
    "instrument": {
        "cash": "payment",
        "wallet": "account credit",
        "voucher": "voucher",
    },
    "cancellation": {
        "CUSTOMER_CANCEL": "you asked for it",
        "ORDER_CANCELLED": "the order was cancelled",
        "DUPLICATE_CHARGE": "the premium was charged twice",
        "COVER_NOT_PROVIDED": "the cover could not be provided",
    },
    "line": {
        "GROSS": "Amount by the plan's formula",
        "CAP_INSURED": "After the limit of the insured value",
        "CAP_PROGRAMME": "After the programme's limit",
        "CAP_TIER": "After the limit of your tier",
        "CAP_TOTAL_VALUE": "After the limit of the total value",
        "CAP_DELAY_PCT": "After the limit for delay, by share",
        "CAP_DELAY_ABS": "After the limit for delay, by amount",
        "CAP_INSURER_APPROVED": "After the amount the insurer approved",
        "CAP_BIY": "After the limit for goods you bought yourself",
        "CAP_ACTUAL_VALUE": "After the limit of the actual value",
        "ROUNDED": "Rounded to the smallest coin",
    },
    "reason": {
        "NOT_INSURED": "This parcel is not insured with us. You may still ask the carrier "
        "for its own compensation.",
        "NOT_IN_FORCE": "The insurance was not in force when this happened.",
        "PREMIUM_INCOMPLETE": "The premium had not been paid in full when this happened.",
        "POLICY_INVALID": "The insurance is invalid: its documents were not confirmed in time.",
        "POLICY_VOID": "The insurance became void before this happened.",
        "POLICY_CANCELLED": "The insurance was cancelled before this happened.",
        "BEFORE_COVER_START": "This happened before the cover began.",
        "AFTER_COVER_END": "This happened after the cover had ended.",
        "PERIL_NOT_COVERED": "The insurance does not cover this kind of event.",
        "LINE_EXCLUDED": "This is not covered on the shipping line that you chose.",
        "MODE_NOT_COVERED": "This is not covered for this mode of transport.",
        "GOODS_EXCLUDED": "Goods of this kind are not insured.",
        "EXCLUDED_CAUSE": "What caused it is not covered: {detail}.",
        "DUPLICATE_CLAIM": "There already is a claim for the same thing.",
        "OTHER_PERIL_CLAIMED": "There already is a claim on this parcel for another event, and "
        "the insurance answers for one only.",
        "BENEFIT_USED": "This benefit has been used already.",
        "COVER_EXHAUSTED": "The insured value has been paid out already.",
        "TOO_EARLY": "It is too early: the waiting time is not over yet.",
        "LATE_NOTICE": "We were told too late.",
        "NOT_DELAYED": "The parcel was not late by the plan's measure.",
        "EVIDENCE_NOT_PROVIDED": "Evidence that is needed did not come in time: {detail}.",
        "VIDEO_ELEMENT_MISSING": "The unboxing video does not show what it must: {detail}.",
        "CLEAN_RECEIPT": "The parcel was received without a note of missing items or damage.",
        "FALSE_EVIDENCE": "The evidence is not genuine.",
        "WATERPROOF_NOT_SELECTED": "Waterproof packing was not chosen for this parcel.",
        "MINOR_DEFORMATION": "The damage is a minor deformation, which is not covered.",
        "ORIGINAL_PACKING": "The goods were shipped in the seller's own packing, whose damage is "
        "not covered.",
        "BIY_NOT_MARKED": "The goods that you bought yourself were not declared as such.",
        "DELIVERED": "The carrier recorded the parcel as delivered.",
        "FREIGHT_UNPAID": "The freight has not been paid yet; the claim goes on when it is.",
        "AWAITING_CARRIER": "We are waiting for the carrier's answer.",
        "AWAITING_INSURER": "We are waiting for the insurer's answer.",
        "CAP_INSURED": "No more than the insured value can be paid.",
        "CAP_PROGRAMME": "No more than the programme's limit can be paid.",
        "CAP_TIER": "No more than the share for this value can be paid.",
        "CAP_TOTAL_VALUE": "Together with what the carrier paid, no more than the goods' value "
        "can be paid.",
        "CAP_DELAY_PCT": "For a delay, only a share of the insured value or of the freight can "
        "be paid.",
        "CAP_DELAY_ABS": "For a delay, only a fixed highest amount can be paid for an order.",
        "CAP_INSURER_APPROVED": "No more than the insurer approved can be paid.",
        "CAP_BIY": "For goods that you bought yourself, payment is limited by weight and value.",
        "CAP_ACTUAL_VALUE": "The actual value of the goods counts.",
        "NO_RESIDUAL_LOSS": "After what others have paid, no loss is left to pay.",
        "OVER_LIMIT": "The value is above the highest that can be insured.",
        "OVER_VALUE": "The insured value is far above the declared value.",
        "APPEAL_LATE": "The appeal came after its last day.",
        "APPEAL_TIER_SKIPPED": "The appeal before this one has to be decided first.",
        "APPEAL_EXHAUSTED": "There is no further appeal.",
        "PARCEL_FOUND": "There is news of the parcel: it was heard of again.",
        "OTHER": "Another reason applies ({detail}).",
    },
    # What the carrier said of the parcel.
    "scan": {
        "lost": "seems to be lost",
        "destroyed": "seems to have been destroyed",
        "damaged": "seems to be damaged",
        "seized": "seems to have been seized by an authority",
        "returned": "was sent back",
    },
    "paper_field": {
        "product_name": "the name of the product",
        "picture": "a picture of the product",
        "price": "its price",
        "quantity": "the quantity",
        "actual_payment_amount": "the amount that was actually paid",
    },
    "invalid_cause": {
        "DOCUMENTS_LAPSED": "the proof of purchase that we asked for did not come in time",
        "GOODS_DECLINED": "goods of this kind cannot be insured",
    },
    "void_cause": {
        "address_changed": "the delivery address was changed after the insurance was bought",
        "fraud": "what we were told was false",
    },
    "refund_reason": {
        "OVERPAID": "you paid more than was due",
        "DUPLICATE_CHARGE": "the premium was charged twice",
        "LATE": "your payment came after its deadline",
        "POLICY_ENDED": "the insurance had ended before your payment came",
        "NOT_CONFIRMED": "you paid before the premium was confirmed",
    },
    "reversal": {
        "REFUNDED": "the payment was refunded to you",
        "DISPUTE_LOST": "the payment was disputed and returned to you",
    },
    # Why the customer owes money back.
    "repayment_why": {
        "CARRIER_PAID_LATE": "the carrier has paid you as well, and together it is more than the loss",
        "PARCEL_FOUND": "the parcel was found after the claim had been paid",
        "FRAUD": "the claim was paid on false statements",
    },
    # What should have been done by the day that passed.
    "clock": {
        "DECIDE": "decision on the claim",
        "PAY": "payment",
        "ADVANCE": "advance",
        "CARRIER_REPLY": "carrier's answer",
        "APPEAL_DECIDE": "decision on the appeal",
    },
    # What a second person has to agree to.
    "approval": {
        "decision": "a decision",
        "payout": "a payout",
        "appeal": "a decision on an appeal",
    },
}
