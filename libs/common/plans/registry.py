"""The registry of facts (domain.md 2.3): every name a plan may ask for, its kind and its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum

from libs.common.errors import Invalid
from libs.common.plans import codes
from libs.common.plans.expressions import Name
from libs.common.plans.terms import NO_LIMIT, Kind

# Far above any parcel, and small enough that no expression leaves what Decimal can hold.
MAX_NUMBER = Decimal(10) ** 9
MAX_DECIMALS = 12
MAX_TEXT_CHARACTERS = 200
MAX_ENTRIES = 1_000
FIRST_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(2999, 12, 31, tzinfo=UTC)
# What an unset `as_of` is: later than any fact and any clock that starts at one.
FAR = datetime(9999, 12, 30, tzinfo=UTC)

# What a fact may be given as; None is the same as not giving it.
Value = Decimal | int | bool | str | datetime | Sequence[str] | Sequence[Mapping[str, object]]


class BadFact(Invalid):
    code = "bad-fact"
    title = "A fact of the case is not one a plan can be asked about"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line of the parcel: its class decides whether it is insured; `value` is of the line.

    `verdict` is what was decided of this very line, such as by a person (MP-28): it stands.
    """

    id: str
    item_class: str
    value: Decimal
    verdict: codes.Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorClaim:
    """An earlier claim on the same policy."""

    peril: str
    outcome: str

    @property
    def counts(self) -> bool:
        """Whether it stands in the way of another: a withdrawn or denied claim does not."""
        return self.outcome not in ("WITHDRAWN", "DENIED")


class FactKind(Enum):
    NUMBER = "a decimal, zero or more"
    LIMIT = "a decimal, zero or more, or unset"
    COUNT = "a whole number, zero or more"
    FLAG = "true or false"
    CODE = "a text"
    CODES = "a list of texts"
    NUMBERS = "a list of numbers"
    TIME = "an instant with its zone"
    ITEMS = "a list of items {id, class, value, verdict}"
    CLAIMS = "a list of claims {peril, outcome}"


_KINDS = {
    FactKind.NUMBER: Kind.NUMBER,
    FactKind.COUNT: Kind.NUMBER,
    FactKind.LIMIT: Kind.LIMIT,
    FactKind.FLAG: Kind.BOOL,
    FactKind.CODE: Kind.TEXT,
    FactKind.CODES: Kind.TEXTS,
    FactKind.NUMBERS: Kind.NUMBERS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One name of the registry. `words` are all the texts it may hold."""

    name: str
    kind: FactKind
    words: frozenset[str] | None = None


def _register() -> dict[str, Fact]:
    names = {
        FactKind.NUMBER: """goods_value eligible_goods_value shipping_fee insured_value premium
            claimed_value claimed_biy_value claimed_biy_weight_kg biy_value biy_weight_kg
            proven_value refund_to_buyer carrier_paid paid biy_paid shipping_paid delay_paid
            order_insured_value order_delay_paid order_value_usd premium_charged deposit_paid
            late_received assessed_payout advanced insurer_paid voucher second_fee""",
        FactKind.LIMIT: "insurer_approved goods_limit",
        FactKind.COUNT: "transit_days days_over_standard quiet_days tier",
        FactKind.FLAG: """carrier_investigation whole_parcel freight_paid exception_noted
            biy_misdeclared registered_user items_in_warehouse rehearsal packed dispatched
            delivered cover_started insurer_decided priority vip clean_first_submission
            file_complete fraud""",
        FactKind.CODE: """line destination mode scope point cause packing peril policy_state
            quote_state reason""",
        FactKind.CODES: """line_tags causes options evidence evidence_unavailable
            video_elements shown claimed_items items_paid""",
        FactKind.NUMBERS: "tiers_exhausted",
        FactKind.TIME: """submitted_at paid_at confirmed_at accepted_at dispatched_at
            last_update_at delivered_at returned_at event_at loss_confirmed_at reported_at
            notified_at filed_at info_requested_at complete_at insurer_accepted_at
            previous_decided_at issued_at as_of""",
        FactKind.ITEMS: "items",
        FactKind.CLAIMS: "prior_claims",
    }
    words = {
        "scope": codes.SCOPES,
        "cause": codes.CAUSES,
        "causes": codes.CAUSES,
        "peril": codes.PERILS,
        "policy_state": codes.POLICY_STATES,
        "quote_state": codes.FILE_STATES | {"PAID", "CANCELLED"},
        "evidence": codes.EVIDENCE,
        "evidence_unavailable": codes.EVIDENCE,
    }
    return {
        name: Fact(name=name, kind=kind, words=words.get(name))
        for kind, text in names.items()
        for name in text.split()
    }


FACTS: Mapping[str, Fact] = _register()
TIME_FACTS = frozenset(name for name, fact in FACTS.items() if fact.kind is FactKind.TIME)
CODE_FACTS = frozenset(name for name, fact in FACTS.items() if fact.kind is FactKind.CODE)
FLAG_FACTS = frozenset(name for name, fact in FACTS.items() if fact.kind is FactKind.FLAG)

# What an expression may read, and why it may not read the rest.
EXPRESSION_FACTS: Mapping[str, Name] = {
    name: Name(kind=_KINDS[fact.kind], words=fact.words)
    for name, fact in FACTS.items()
    if fact.kind in _KINDS
}
BARRED_FACTS: Mapping[str, str] = {
    name: "it is a time; use a clock (proof, wait, notice, latest), or dispatched, delivered, …"
    if fact.kind is FactKind.TIME
    else "it is a list of things; use the sums the engine makes of it, such as claimed_value"
    for name, fact in FACTS.items()
    if fact.kind not in _KINDS
}

# What an unset fact is, unless a rule says otherwise.
EMPTY: Mapping[FactKind, object] = {
    FactKind.NUMBER: Decimal(0),
    FactKind.COUNT: Decimal(0),
    FactKind.LIMIT: NO_LIMIT,
    FactKind.FLAG: False,
    FactKind.CODE: "",
    FactKind.CODES: (),
    FactKind.NUMBERS: (),
    FactKind.TIME: None,
    FactKind.ITEMS: (),
    FactKind.CLAIMS: (),
}
