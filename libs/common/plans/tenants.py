"""Which tenants sell which plans, in which currency and languages, and up to what without a person."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from libs.common.errors import Refusal
from libs.common.money import Money, money
from libs.common.plans.documents import Entry, hint, read_file
from libs.common.plans.values import Plan

# Straight-through settlement without a person (domain.md 2.5), where a tenant sets no limit.
STRAIGHT_THROUGH_LIMIT = Decimal(500)

# How long the files of a claim are kept after its end (Q47), where a tenant says nothing else.
EVIDENCE_YEARS = 2
MAX_EVIDENCE_YEARS = 30

_TENANT_ID = re.compile(r"[a-z][a-z0-9]{0,39}")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z][A-Za-z]{1,3})?")
# Of one mailbox, in letters that every mail server takes.
_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+")
_SANDBOX = re.compile(r"sbx-([a-z][a-z0-9]{0,39})-([A-Za-z0-9_-]{1,64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """An operator of one programme or several. Limits are in its currency.

    A sandbox is another tenant that sells the same: it keeps its own id, and `sells_as` is whose
    entry it follows.
    """

    tenant_id: str
    sells_as: str
    name: str
    plans: tuple[str, ...]
    currency: str
    languages: tuple[str, ...]
    # An approved loss up to this may be paid without a person.
    straight_through_limit: Money
    # A payout above this needs two people.
    four_eyes_above: Money
    # What an adjudicator may approve alone; more is for a manager.
    adjudicator_limit: Money
    # Whether a policy is bound only once the customer's opt-in is recorded.
    requires_consent: bool = False
    # Where its staff are told what waits for them; None where nobody wants to be.
    staff_email: str | None = None
    # How many years the files of a claim are kept after its end.
    evidence_years: int = EVIDENCE_YEARS

    @property
    def is_sandbox(self) -> bool:
        return self.tenant_id != self.sells_as


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """All tenants by id; sandboxes need no entry."""

    by_id: Mapping[str, Tenant]

    def get(self, tenant_id: str) -> Tenant | None:
        """That tenant, or the sandbox `sbx-<tenant>-<suffix>` of one; None for anybody else."""
        known = self.by_id.get(tenant_id)
        if known is not None:
            return known
        sandbox = _SANDBOX.fullmatch(tenant_id)
        original = None if sandbox is None else self.by_id.get(sandbox[1])
        return None if original is None else _sandbox(original, tenant_id)


def load_tenants(path: Path) -> Tenants:
    """The tenants of the file; BrokenDocument with the place of what is wrong."""
    _, document = read_file(path)
    entries = document.fields(required="tenants")["tenants"].mapping()
    return Tenants(by_id={name: _tenant(name, entry) for name, entry in entries.items()})


def _tenant(name: str, entry: Entry) -> Tenant:
    if not _TENANT_ID.fullmatch(name):
        entry.fail(f"{name!r} is no tenant id: lower case letters and digits")
    fields = entry.fields(
        required="name plans currency languages four_eyes_above",
        optional="straight_through_limit adjudicator_limit requires_consent staff_email "
        "evidence_years",
    )
    languages = fields["languages"].texts()
    for language in languages:
        if not _LANGUAGE.fullmatch(language):
            fields["languages"].fail(f"{language!r} is no language tag such as en or zh-Hans")
    currency = fields["currency"].text()
    limit = fields.get("straight_through_limit")
    authority = fields.get("adjudicator_limit", fields["four_eyes_above"])
    return Tenant(
        tenant_id=name,
        sells_as=name,
        name=fields["name"].text(),
        plans=fields["plans"].texts(),
        currency=currency,
        languages=languages,
        straight_through_limit=_money(
            fields["currency"],
            STRAIGHT_THROUGH_LIMIT if limit is None else limit.decimal(),
            currency,
        ),
        four_eyes_above=_money(
            fields["currency"], fields["four_eyes_above"].decimal(), currency
        ),
        adjudicator_limit=_money(fields["currency"], authority.decimal(), currency),
        requires_consent="requires_consent" in fields and fields["requires_consent"].flag(),
        staff_email=_email(fields["staff_email"]) if "staff_email" in fields else None,
        evidence_years=_years(fields["evidence_years"])
        if "evidence_years" in fields
        else EVIDENCE_YEARS,
    )


def check_plans(tenants: Tenants, known: Mapping[str, Sequence[Plan]], path: Path) -> None:
    """Refuses a tenant that sells a plan no file defines, or one its limits cannot be compared with."""
    _, document = read_file(path)
    entries = document.mapping()["tenants"].mapping()
    for tenant in tenants.by_id.values():
        place = entries[tenant.tenant_id].mapping()["plans"]
        for plan in tenant.plans:
            if plan not in known:
                place.fail(f"there is no plan {plan!r}{hint(plan, known)}")
            for version in known[plan]:
                if version.currency != tenant.currency:
                    place.fail(
                        f"{plan!r} pays in {version.currency}, and the tenant's limits are in "
                        f"{tenant.currency}: give it a tenant of its own"
                    )


def _years(place: Entry) -> int:
    return place.integer(least=1, most=MAX_EVIDENCE_YEARS)


def _email(place: Entry) -> str:
    text = place.text()
    if not _EMAIL.fullmatch(text):
        place.fail(f"{text!r} is no address such as claims@example.com")
    return text


def _money(place: Entry, amount: Decimal, currency: str) -> Money:
    try:
        return money(amount, currency)
    except Refusal as refusal:
        place.fail(refusal.detail.rstrip("."))


def _sandbox(original: Tenant, tenant_id: str) -> Tenant:
    return replace(original, tenant_id=tenant_id, name=f"{original.name} (sandbox)")
