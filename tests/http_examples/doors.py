"""The services as the examples meet them, and what every example has: plan, facts, tenant, answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from deploy.plans_check import Example
from libs.common.money import Money, money
from libs.common.plans.facts import Facts
from libs.common.plans.reading import load
from libs.common.plans.values import Plan
from libs.common.plans.wire import from_wire
from libs.common.settings import PROGRAMMES
from tests.claims.desk import Desk
from tests.http_examples.not_by_http import NOT_SHOWN, key_of
from tests.policy.builders import Json

BOOK = load(PROGRAMMES)
PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF\n"
# For examples without any time: in the validity of every plan's newest version.
SOME_DAY = "2024-06-03T09:00:00"

# Results of a claim that are empty where an example does not name them.
_EMPTY_UNLESS_EXPECTED = ("caps", "notes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Clients of the running services. `headers` makes those of a tenant's caller, all scopes."""

    quotes: Any
    policies: Any
    claims: Any
    headers: Callable[[str], dict[str, str]]

    def desk(self, tenant: str) -> Desk:
        running = self.claims.app.state.running
        return Desk(client=self.claims, db=running.db, token=self.headers, tenant=tenant)


def plan_of(example: Example) -> Plan:
    if example.version is None:
        return BOOK.newest(example.plan)
    return BOOK.get(example.plan, example.version)


def tenant_of(example: Example) -> str:
    """A sandbox of the plan's publisher for this example alone."""
    return f"sbx-{plan_of(example).tenant}-{example.id.lower()}"


def facts_given(example: Example, **more: object) -> Facts:
    """The example's facts, with what the plan language makes of those it leaves out."""
    plan = plan_of(example)
    given = from_wire({**example.given, **more}, plan.zone)
    return Facts(plan, {**given, "peril": example.peril} if example.peril else given)


def expected_of(example: Example) -> dict[str, object]:
    """The example's results, but for those that no answer shows."""
    hidden = NOT_SHOWN.get(key_of(example), frozenset())
    expected = {name: value for name, value in example.expect.items() if name not in hidden}
    if example.ask == "claim":
        for name in _EMPTY_UNLESS_EXPECTED:
            expected.setdefault(name, [])
    return expected


def only_expected(example: Example, answer: Mapping[str, object]) -> dict[str, object]:
    """Of the answer, the results that the example names."""
    return {name: answer[name] for name in expected_of(example)}


def naive_utc(at: datetime) -> str:
    """As the tests' clocks take it: UTC, without its offset."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()


def wire(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def amount_of(plan: Plan, value: Decimal) -> Json:
    """The fact as an amount in a request."""
    made = money(value, plan.currency)
    return {"amount_minor": made.amount_minor, "currency": made.currency}


def shown(amount: Json) -> str:
    """The amount of an answer as an example writes it."""
    return f"{Money(amount['amount_minor'], amount['currency']).decimal:f}"
