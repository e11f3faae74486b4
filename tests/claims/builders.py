"""A valid world for claims: a paid cover, a parcel on its way, a claim; a test names what differs."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from libs.common.money import Money, money
from libs.common.plans.book import PlanBook
from libs.common.plans.reading import load
from libs.common.settings import PROGRAMMES
from services.claims.domain.cases import Case, Claim, Cover, Item, Statement, Terms, Tracking

BOOK: PlanBook = load(PROGRAMMES)


def cny(amount: str) -> Money:
    return money(Decimal(amount), "CNY")


def at(text: str) -> datetime:
    """An instant in UTC, from `2024-05-01T08:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def an_item(item_id: str = "i1", **changes: Any) -> Item:
    return replace(Item(item_id=item_id, item_class="shoes", value=cny("850")), **changes)


def some_terms(currency: str = "CNY", **changes: Any) -> Terms:
    def amount(text: str) -> Money:
        return money(Decimal(text), currency)

    standard = Terms(
        insured_value=amount("1200"),
        goods_value=amount("850"),
        eligible_goods_value=amount("850"),
        shipping_fee=amount("350"),
        premium=amount("36"),
        line="EMS",
        destination="US",
        scope="international",
        submitted_at=at("2024-01-01T01:00"),
    )
    return replace(standard, **changes)


def a_cover(plan: str = "cssecure", version: int | None = None, **changes: Any) -> Cover:
    pinned = BOOK.newest(plan) if version is None else BOOK.get(plan, version)
    standard = Cover(
        policy_id="pol_1",
        tenant_id="sbx-cssbuy-tests",
        plan=pinned.plan,
        plan_version=pinned.version,
        plan_sha256=pinned.sha256,
        state="ACTIVE",
        terms=some_terms(pinned.currency),
        paid_at=at("2024-01-01T02:00"),
        confirmed_at=at("2024-01-01T02:00"),
        sequence=3,
    )
    return replace(standard, **changes)


def a_claim(peril: str, filed_at: datetime, **changes: Any) -> Claim:
    statement = Statement(peril=peril, **changes.pop("statement", {}))
    standard = Claim(
        claim_id="clm_1", statement=statement, notified_at=filed_at, filed_at=filed_at
    )
    return replace(standard, **changes)


def a_case(cover: Cover, claim: Claim, **changes: Any) -> Case:
    return replace(Case(cover=cover, claim=claim), **changes)


def tracked(**times: str) -> Tracking:
    return Tracking(**{name: at(text) for name, text in times.items()})
