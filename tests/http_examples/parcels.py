"""From an example's facts to the parcel behind it: what the policy service would have said of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from deploy.plans_check import Example
from libs.common.events import Event
from libs.common.money import Money, money
from libs.common.plans.facts import Facts
from libs.common.plans.registry import TIME_FACTS
from libs.common.plans.terms import NO_LIMIT
from libs.common.plans.values import Plan
from services.policy.domain.policies import Document, Item, PlanPin, Terms
from services.policy.events import (
    PolicyActivated,
    PolicyIssued,
    PolicyLapsed,
    PolicyPaid,
    TrackingUpdated,
)
from tests.http_examples.doors import SOME_DAY, facts_given, plan_of
from tests.policy.builders import QUOTE_ID

ORDER = "order-1"
TRACKING = (
    "accepted_at",
    "dispatched_at",
    "last_update_at",
    "delivered_at",
    "returned_at",
    "loss_confirmed_at",
)
# Papers that the quote service sees before the policy is sold (MP-08).
_PURCHASE_PAPERS = frozenset({"proof_of_purchase"})
# A line with a platform standard, to be late on: `days_over_standard` is reckoned, never said.
_LATE_ON = {"line": "EMS", "destination": "US"}

# Facts that the example leaves out and its earlier claims need.
_NEEDED_BEFORE: Mapping[str, Mapping[str, str]] = {
    # The delay that was refunded before the parcel was lost.
    "C46": {"submitted_at": "2024-01-08T10:00:00"},
    # The delay that was paid before the loss.
    "J14": {"line": "EMS", "destination": "US", "dispatched_at": "2024-05-01T09:00:00"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """An example's parcel. `filed_at` is when it is claimed on, `seen_at` when the answer is read."""

    example: Example
    plan: Plan
    facts: Facts
    filed_at: datetime
    seen_at: datetime

    @classmethod
    def of(cls, example: Example) -> "Parcel":
        plan = plan_of(example)
        facts = facts_given(example, **_more(example))
        filed_at = _filed_at(example, facts)
        seen_at = facts.as_of if "as_of" in example.given else filed_at
        return cls(example=example, plan=plan, facts=facts, filed_at=filed_at, seen_at=seen_at)

    @property
    def terms(self) -> Terms:
        """As the quote had them."""
        facts = self.facts
        limit = facts.number("goods_limit")
        return Terms(
            insured_value=self.money("insured_value"),
            goods_value=self.money("goods_value"),
            eligible_goods_value=self.money("eligible_goods_value"),
            shipping_fee=self.money("shipping_fee"),
            premium=self.money("premium"),
            rate=self.plan.premium.rate,
            goods_limit=None if limit == NO_LIMIT else money(limit, self.plan.currency),
            items=tuple(self._items()),
            documents=tuple(
                Document(kind=kind, sha256="0" * 64, evidence_id="evd_1")
                for kind in facts.codes("evidence")
                if kind in _PURCHASE_PAPERS
            ),
            order_ref=ORDER,
            submitted_at=facts.time("submitted_at"),
            line=facts.code("line"),
            line_tags=facts.codes("line_tags"),
            mode=facts.code("mode"),
            destination=facts.code("destination"),
            scope=facts.code("scope"),
            options=facts.codes("options"),
            is_vip=facts.flag("vip"),
            # Known, and without another claim: whose claim comes first (BM-26).
            customer_id="ann" if self.example.given.get("priority") else "",
        )

    @property
    def papers(self) -> tuple[str, ...]:
        """The kinds to be uploaded for the claim."""
        return tuple(k for k in self.facts.codes("evidence") if k not in _PURCHASE_PAPERS)

    @property
    def pin(self) -> PlanPin:
        return PlanPin(plan=self.plan.plan, version=self.plan.version, sha256=self.plan.sha256)

    def money(self, fact: str) -> Money:
        return money(self.facts.number(fact), self.plan.currency)

    def sold(self, policy_id: str, terms: Terms) -> list[Event]:
        """The policy's events up to its state, without those of its parcel's way."""
        paid_at = self.facts.time("paid_at") or min(self._times()) - timedelta(days=1)
        issued = PolicyIssued(
            policy_id=policy_id, quote_id=QUOTE_ID, plan=self.pin, terms=terms, state="PENDING"
        )
        paid = PolicyPaid(
            policy_id=policy_id,
            quote_id=QUOTE_ID,
            plan=self.pin,
            terms=terms,
            state="SCHEDULED",
            premium_paid=terms.premium,
            paid_at=paid_at,
            confirmed_at=self.facts.time("confirmed_at") or paid_at,
        )
        state = self.facts.code("policy_state")
        if state == "PENDING":
            return [issued]
        if state == "VOID":
            return [issued, paid, _voided(policy_id, terms, paid_at)]
        return [issued, paid, PolicyActivated(policy_id=policy_id, cover_start=paid_at)]

    def on_its_way(
        self, policy_id: str, at: datetime, **changes: datetime | None
    ) -> TrackingUpdated:
        """Where the parcel is at that instant: what is yet to happen is not known."""
        known = {
            name: when
            for name in TRACKING
            if (when := self.facts.time(name)) is not None and when <= at
        }
        position: dict[str, Any] = {**known, **changes}
        delivered = position.get("delivered_at") is not None
        return TrackingUpdated(
            policy_id=policy_id,
            state="RUN_OFF" if delivered else "ACTIVE",
            status="delivered" if delivered else "in_transit",
            carrier="ems",
            **position,
        )

    def news(self) -> datetime | None:
        """The last instant at which the parcel moved between the claim and the answer."""
        moved = [self.facts.time(name) for name in TRACKING]
        later = [at for at in moved if at is not None and self.filed_at < at <= self.seen_at]
        return max(later, default=None)

    def _times(self) -> list[datetime]:
        known = [self.facts.time(name) for name in TRACKING]
        return [*(at for at in known if at is not None), self.filed_at]

    def _items(self) -> list[Item]:
        """The example's items, or lines that add up to its values."""
        if self.facts.items_of:
            return [self._item(i.id, i.item_class, i.value) for i in self.facts.items_of]
        named = [*self._own_items(), *self._named_items()]
        rest = self.facts.number("eligible_goods_value") - sum(
            (item.value.decimal for item in named), Decimal(0)
        )
        declined = self.facts.number("goods_value") - self.facts.number("eligible_goods_value")
        accepted_class = next(iter(self.plan.goods.accept), "other")
        lines = [("rest", accepted_class, rest), ("declined", "vase", declined)]
        return [*named, *(self._item(*line) for line in lines if line[2] > 0)]

    def _own_items(self) -> list[Item]:
        """Buy-yourself goods: those that were paid before, and those claimed or all there are."""
        facts, claimed = self.facts, "claimed_biy_value" in self.example.given
        kind = "claimed_biy" if claimed else "biy"
        lines = [
            ("own-paid", facts.number("biy_paid"), Decimal(10)),
            ("own", facts.number(f"{kind}_value"), facts.number(f"{kind}_weight_kg")),
        ]
        return [
            self._item(item_id, "other", value, weight_kg=weight, source="buy_yourself")
            for item_id, value, weight in lines
            if value
        ]

    def _named_items(self) -> list[Item]:
        """Items an example names without describing them."""
        named = self.facts.codes("claimed_items")
        value = self.facts.number("claimed_value")
        return [self._item(item_id, "other", value / len(named)) for item_id in named]

    def _item(
        self,
        item_id: str,
        item_class: str,
        value: Decimal,
        *,
        weight_kg: Decimal = Decimal(0),
        source: str = "agent",
    ) -> Item:
        return Item(
            item_id=item_id,
            item_class=item_class,
            quantity=1,
            value=money(value, self.plan.currency),
            weight_kg=weight_kg,
            source=source,
            verdict=self.plan.goods.verdict(item_class).value,
        )


def _filed_at(example: Example, facts: Facts) -> datetime:
    """As it is told, or the first contact; else the moment of the answer, or after all that happened."""
    if (filed_at := facts.time("filed_at")) is not None:
        return filed_at
    if (notified_at := facts.time("notified_at")) is not None:
        return notified_at
    if "as_of" in example.given:
        return facts.as_of
    times = [facts.time(name) for name in TIME_FACTS & example.given.keys()]
    some_day = facts_given(example, as_of=SOME_DAY).as_of
    return max((at for at in times if at is not None), default=some_day)


def _more(example: Example) -> dict[str, object]:
    """Facts from which others that an example gives are reckoned."""
    return {**_NEEDED_BEFORE.get(example.id, {}), **_late(example)}


def _late(example: Example) -> dict[str, object]:
    """A way as many days over the line's standard as the example says."""
    days = example.given.get("days_over_standard")
    if not isinstance(days, int):
        return {}
    standard = plan_of(example).lines[_LATE_ON["line"]].standard(_LATE_ON["destination"])
    assert standard is not None
    arrived = str(example.given.get("delivered_at", example.given.get("as_of")))
    left = datetime.fromisoformat(arrived) - timedelta(days=standard + days)
    return {**_LATE_ON, "dispatched_at": left.isoformat()}


def _voided(policy_id: str, terms: Terms, at: datetime) -> PolicyLapsed:
    nothing = Money(0, terms.premium.currency)
    return PolicyLapsed(policy_id=policy_id, state="VOID", refund=nothing, lapsed_at=at)
