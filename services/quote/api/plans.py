"""The catalogue: what this tenant sells."""

from datetime import date
from typing import Annotated

from fastapi import Query

from libs.common.auth import QUOTES_READ, Caller, requires
from libs.common.db import Database
from libs.common.money import money
from libs.common.plans.book import UnknownPlan
from libs.common.plans.values import LimitRow, Plan
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts, Running, now_of
from libs.common.web import api_router
from libs.common.wire import MoneyView, View
from services.quote.usecases import (
    current_plan,
    takes_insured_value,
    unknown_plan,
    wording_ids,
)

router = api_router("/v1", tags=["plans"])

Reader = Annotated[Caller, requires(QUOTES_READ, or_service=True)]
Version = Annotated[
    int | None, Query(ge=1, le=9_999, description="An older one; the current one if unset.")
]


class PremiumView(View):
    rate: str
    """A decimal: "0.03" is 3 % of `base`."""
    base: str
    """What the rate applies to, in the plan's own words."""
    minimum: MoneyView


class LimitView(View):
    """The first row whose `when` holds decides; all three in the plan's own words."""

    when: str
    max: str
    goods_max: str | None

    @classmethod
    def of(cls, row: LimitRow) -> "LimitView":
        goods = row.goods_maximum
        return cls(
            when=row.when.text,
            max=row.maximum.text,
            goods_max=None if goods is None else goods.text,
        )


class PlanView(View):
    plan: str
    version: int
    sha256: str
    """Of the plan's document. Policies are pinned to it."""
    valid_from: date
    valid_to: date | None
    """The last day it is sold; null until the next version begins."""
    is_on_sale: bool
    currency: str
    timezone: str
    """Days are counted here."""
    buyers: list[str]
    points: list[str]
    """Where it is offered: send one of them as `point`."""
    takes_insured_value: bool
    """False: the sum insured is the goods' own value, and `insured_value` is not taken."""
    premium: PremiumView
    limits: list[LimitView]
    perils: list[str]
    exclusions: list[str]
    documents: list[str]
    """Papers a person looks at before the premium is confirmed."""
    quote_days: int | None
    wordings: dict[str, str]
    """By language: the id of the plan in plain words, which a consent names."""

    @classmethod
    def of(cls, plan: Plan, *, is_on_sale: bool) -> "PlanView":
        return cls(
            plan=plan.plan,
            version=plan.version,
            sha256=plan.sha256,
            valid_from=plan.valid_from,
            valid_to=plan.valid_to,
            is_on_sale=is_on_sale,
            currency=plan.currency,
            timezone=plan.timezone,
            buyers=list(plan.offer.buyers),
            points=list(plan.offer.points),
            takes_insured_value=takes_insured_value(plan),
            premium=PremiumView(
                rate=f"{plan.premium.rate:f}",
                base=plan.premium.base.text,
                minimum=MoneyView.of(money(plan.premium.minimum, plan.currency)),
            ),
            limits=[LimitView.of(row) for row in plan.limits],
            perils=[name for name, peril in plan.perils.items() if peril.enabled],
            exclusions=list(plan.exclusions),
            documents=[document.kind for document in plan.documents],
            quote_days=None if plan.quote_validity is None else plan.quote_validity.count,
            wordings=wording_ids(plan),
        )


class CatalogueView(View):
    items: list[PlanView]


@router.get("/plans")
async def list_plans(caller: Reader, db: Db, parts: Parts) -> CatalogueView:
    """The plans you sell today, each in its current version."""
    now = await now_of(db, caller)
    plans = [current_plan(parts.plans, name, now) for name in sold_by(parts, caller.tenant_id)]
    return CatalogueView(
        items=[PlanView.of(plan, is_on_sale=True) for plan in plans if plan is not None]
    )


@router.get("/plans/{plan}", responses=problem_responses(UnknownPlan))
async def show_plan(
    plan: str,
    caller: Reader,
    db: Db,
    parts: Parts,
    version: Version = None,
) -> PlanView:
    """A plan you sell. A plan that is nowhere and another's are the same 404."""
    found, is_on_sale = await sold_plan(plan, version, caller, db, parts)
    return PlanView.of(found, is_on_sale=is_on_sale)


async def sold_plan(
    plan: str, version: int | None, caller: Caller, db: Database, parts: Running
) -> tuple[Plan, bool]:
    """That version, or the current one, and whether it is on sale; UnknownPlan where not sold."""
    sold = sold_by(parts, caller.tenant_id)
    if plan not in sold:
        raise unknown_plan(plan, sold)
    current = current_plan(parts.plans, plan, await now_of(db, caller))
    if version is None:
        if current is None:
            raise UnknownPlan(f"{plan} is not on sale today; ask for a version of it.")
        return current, True
    found = parts.plans.get(plan, version)
    return found, found is current


def sold_by(parts: Running, tenant_id: str) -> tuple[str, ...]:
    """The ids of the plans the tenant sells; none for a tenant that nobody knows."""
    tenant = parts.tenants.get(tenant_id)
    return () if tenant is None else tenant.plans
