"""Quotes and policies in any order: the books stay balanced, and nothing is what it cannot become.

Hypothesis draws the operations, the real services do them, over one real database; a machine is one
sandbox whose clock moves, with a payment provider that signs. Whatever is refused is refused as a
problem, and after every step all of it is looked at in the database.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import httpx
import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.buying import Checkout, amount_of
from tests.doors import Doors, cloned, open_doors
from tests.files import PDF
from tests.policy.builders import BOOK, Json, amount
from tests.policy.signing import signed

T = TypeVar("T")

BEGINNING = datetime(2024, 5, 6, 1, tzinfo=UTC)
PARCELS = ("EZ1", "EZ2")
SHOWN = ("product_name", "picture", "price", "quantity", "actual_payment_amount")

# From each state those it may be seen in later (domain.md 2.7), however much happened between.
POLICY_STATES: dict[str, set[str]] = {
    "PENDING": {"SCHEDULED", "ACTIVE", "RUN_OFF", "CANCELLED", "INVALID", "VOID"},
    # PENDING again where the payer was given the premium back.
    "SCHEDULED": {"ACTIVE", "RUN_OFF", "CANCELLED", "VOID", "PENDING"},
    "ACTIVE": {"RUN_OFF", "CANCELLED", "VOID", "PENDING"},
    "RUN_OFF": {"ACTIVE", "PENDING"},
    "CANCELLED": set(),
    "INVALID": set(),
    "VOID": set(),
}
QUOTE_STATES: dict[str, set[str]] = {
    "DRAFT": {"UNDER_VERIFICATION", "INFO_REQUIRED", "PRICED", "DECLINED", "INVALID", "BOUND"},
    "UNDER_VERIFICATION": {"INFO_REQUIRED", "PRICED", "DECLINED", "INVALID", "BOUND"},
    "INFO_REQUIRED": {"UNDER_VERIFICATION", "PRICED", "DECLINED", "INVALID", "BOUND"},
    "PRICED": {"BOUND"},
    # A policy waits for it: its papers may still not come, its goods still be declined.
    "BOUND": {"INVALID", "DECLINED"},
    "DECLINED": set(),
    "INVALID": set(),
}
PROGRAMMES: dict[str, Json] = {
    "mypoz-cargo": {"point": "order_submission", "item_class": "phone", "kind": "consumer"},
    "bml-shipping": {"point": "checkout", "item_class": "shoes", "kind": "consumer"},
    "tks-warehouse": {"point": "shipment_order", "item_class": "shoes", "kind": "seller"},
    "jsx-cargo": {"point": "sales_contact", "item_class": "toy", "kind": "account"},
    "cssecure": {"point": "submit_to_ship", "item_class": "shoes", "kind": "consumer"},
}

minors = st.sampled_from([1, 600, 1_300, 2_500, 10_000])
references = st.sampled_from(["pi_1", "pi_2"])
events = st.sampled_from([f"msg_{number}" for number in range(20)])
kinds = st.sampled_from(
    [
        "payment.received", "payment.refunded", "dispute.opened", "dispute.won",
        "dispute.lost", "customer.created",
    ]
)  # fmt: skip


class Buying(RuleBasedStateMachine):
    """One sandbox of one programme. `doors` and `loop` are those of the test that runs it."""

    doors: ClassVar[Doors]
    loop: ClassVar[asyncio.AbstractEventLoop]
    plan: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        plan = BOOK.newest(self.plan)
        tenant = {"cssecure": "cssbuy"}.get(self.plan, self.plan.partition("-")[0])
        self.shop = Checkout(self.doors, plan, f"sbx-{tenant}-{uuid4().hex[:12]}")
        self.now = BEGINNING
        self.policies: list[str] = []
        # Of each policy the payments that were told, by whomever: reference and amount.
        self.paid: dict[str, list[tuple[str, int]]] = {}
        self.states: dict[str, str] = {}
        self.done(self.shop.at(self.now))
        hook = self.post("/v1/payment-hooks", {"provider": "standard"})
        self.hook: Json = hook.json()

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run on the test's loop, where the services live."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def post(self, path: str, body: Json) -> httpx.Response:
        return self.answer(self.shop.to_policies(path, body))

    def answer(self, asked: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
        """Done, or refused as a problem with a code; never a failure."""
        response = self.done(asked)
        assert response.status_code < 500, response.text
        assert response.is_success or response.json()["code"], response.text
        return response

    # --- quotes --------------------------------------------------------------------------

    @precondition(lambda self: not self.shop.quote)
    @rule(price=st.sampled_from([1_000, 30_000, 100_000]), is_mixed=st.booleans())
    def ask(self, price: int, is_mixed: bool) -> None:
        programme, currency = PROGRAMMES[self.plan], self.shop.plan.currency
        classes = (
            [programme["item_class"], "clothing"] if is_mixed else [programme["item_class"]]
        )
        request: Json = {
            "plan": self.plan,
            "point": programme["point"],
            "customer": {
                "customer_id": "ann",
                "kind": programme["kind"],
                "is_registered": True,
            },
            "order": {"order_ref": "order-1", "items_in_warehouse": True},
            "parcel": {"line": "EMS", "destination": "US", "mode": "air"},
            "items": [
                {
                    "item_id": str(number),
                    "item_class": item_class,
                    "quantity": 1,
                    "unit_price": amount(price, currency),
                }
                for number, item_class in enumerate(classes)
            ],
            "shipping_fee": amount(5_000, currency),
        }
        self.done(self.shop.ask_for(request))

    @precondition(lambda self: self.shop.quote)
    @rule(choice=st.sampled_from(["OPT_IN", "OPT_IN", "OPT_OUT"]))
    def consent(self, choice: str) -> None:
        body = {
            "choice": choice,
            "plan": self.plan,
            "wording_id": self.shop.quote["offers"][0]["wordings"]["en"],
            "locale": "en",
            "box_state": "TICKED_BY_CUSTOMER" if choice == "OPT_IN" else "UNTICKED",
            "channel": "checkout",
        }
        path = f"/v1/quotes/{self.shop.quote['quote_id']}/consents"
        self.answer(self.shop.to_quotes(path, body))

    @precondition(lambda self: self.shop.quote and self.shop.plan.documents)
    @rule()
    def prove(self) -> None:
        path = f"/v1/quotes/{self.shop.quote['quote_id']}/documents"
        self.answer(
            self.doors.quotes.post(
                path,
                params={"kind": "proof_of_purchase", "name": "order.pdf"},
                content=PDF,
                headers=self.doors.headers(self.shop.tenant),
            )
        )

    @precondition(lambda self: self.shop.quote and self.shop.plan.documents)
    @rule(shown=st.sampled_from([4, 5, 5]), value=st.sampled_from([None, 300, 1_000, 1_000]))
    def verify(self, shown: int, value: int | None) -> None:
        body: Json = {"shown": list(SHOWN[:shown])}
        if value is not None:
            body["verified_value"] = amount_of(self.shop.plan, Decimal(value))
        path = f"/v1/quotes/{self.shop.quote['quote_id']}/verification"
        self.answer(self.shop.to_quotes(path, body))

    @precondition(lambda self: self.shop.quote and self.shop.plan.documents)
    @rule(verdict=st.sampled_from(["ACCEPT", "DECLINE"]))
    def review(self, verdict: str) -> None:
        path = f"/v1/quotes/{self.shop.quote['quote_id']}/review"
        self.answer(self.shop.to_quotes(path, {"verdicts": {"1": verdict}}))

    # --- policies ------------------------------------------------------------------------

    @precondition(lambda self: self.shop.quote)
    @rule(parcel=st.sampled_from([None, *PARCELS]))
    def bind(self, parcel: str | None) -> None:
        more = {} if parcel is None else {"carrier": "ems", "tracking_number": parcel}
        response = self.answer(self.shop.try_to_bind(**more))
        if response.is_success:
            self.policies.append(response.json()["policy_id"])
            self.shop.policy_id = self.policies[-1]
            self.paid[self.shop.policy_id] = []

    @precondition(lambda self: self.shop.quote)
    @rule()
    def leave(self) -> None:
        """The next parcel is asked about; what has become of this quote is looked at all the same."""
        self.shop.quote = {}

    @precondition(lambda self: self.policies)
    @rule(data=st.data())
    def turn_to(self, data: st.DataObject) -> None:
        self.shop.policy_id = data.draw(st.sampled_from(self.policies))

    @precondition(lambda self: self.policies)
    @rule(minor=minors, reference=references, is_automatic=st.booleans())
    def pay(self, minor: int, reference: str, is_automatic: bool) -> None:
        self._paid(minor, reference, is_automatic=is_automatic)

    @precondition(lambda self: self.policies)
    @rule(more=st.sampled_from([0, 0, 500]))
    def pay_what_is_due(self, more: int) -> None:
        due = self.done(self.shop.show_policy())["premium_due"]["amount_minor"]
        self._paid(max(due, 0) + more, uuid4().hex)

    def _paid(self, minor: int, reference: str, *, is_automatic: bool = False) -> None:
        response = self.answer(
            self.shop.pay(minor, reference=reference, is_automatic=is_automatic)
        )
        if response.is_success:
            self.paid[self.shop.policy_id].append((reference, minor))

    @precondition(lambda self: self.policies)
    @rule(kind=kinds, event=events, data=st.data())
    def tell(self, kind: str, event: str, data: st.DataObject) -> None:
        """The payment provider says something, perhaps for the second time, perhaps too early."""
        known = st.sampled_from(self.paid[self.shop.policy_id] or [("pi_1", 600)])
        reference, minor = data.draw(st.one_of(known, known, st.tuples(references, minors)))
        told = {
            "policy_id": self.shop.policy_id,
            "reference": reference,
            "amount": amount(minor, self.shop.plan.currency),
        }
        body = msgspec.json.encode(
            {"type": kind, "timestamp": self.now.isoformat(), "data": told}
        )
        headers = signed(self.hook["secret"], event, body)
        self.answer(self.doors.policies.post(self.hook["path"], content=body, headers=headers))

    @precondition(lambda self: self.policies)
    @rule(state=st.sampled_from(["CONFIRMED", "FAILED"]), data=st.data())
    def settle(self, state: str, data: st.DataObject) -> None:
        listed = self.done(
            self.doors.policies.get("/v1/refunds", headers=self.doors.headers(self.shop.tenant))
        ).json()["items"]
        if listed:
            refund = data.draw(st.sampled_from([one["refund_id"] for one in listed]))
            self.post(f"/v1/refunds/{refund}/settlement", {"state": state, "reference": "bank"})

    @precondition(lambda self: self.policies)
    @rule(
        reason=st.sampled_from(
            ["CUSTOMER_CANCEL", "ORDER_CANCELLED", "COVER_NOT_PROVIDED", "DUPLICATE_CHARGE"]
        )
    )
    def cancel(self, reason: str) -> None:
        seen = self.answer(self.shop.on_policy("cancellation/preview", {"reason": reason}))
        done = self.answer(self.shop.cancel(reason))
        # What is shown is what is done, nothing having happened between.
        assert done.is_success == (seen.is_success and seen.json()["is_granted"])
        if done.is_success:
            assert done.json()["refund"] == seen.json()["refund"]

    @precondition(lambda self: self.policies)
    @rule(step=st.sampled_from(["address", "void", "dispatch", "acceptance", "deliver"]))
    def move(self, step: str) -> None:
        if step == "deliver":
            scan = {
                "policy_id": self.shop.policy_id,
                "status": "delivered",
                "occurred_at": self.now.isoformat(),
            }
            self.post("/v1/tracking", {"scans": [scan]})
            return
        body = {"address": {"destination": "US"}, "void": {"cause": "fraud"}}.get(step, {})
        self.answer(self.shop.on_policy(step, body))

    @rule(
        later=st.sampled_from(
            [timedelta(minutes=1), timedelta(hours=5), timedelta(hours=24), timedelta(days=9)]
        )
    )
    def wait(self, later: timedelta) -> None:
        """Time passes, events arrive, and what is due is done."""
        self.now += later
        self.done(self.shop.at(self.now))

    # --- what always holds ---------------------------------------------------------------

    @invariant()
    def the_books_are_right(self) -> None:
        for book in self.done(_books(self.doors, self.shop.tenant)):
            assert book["sum"] == 0, book
            assert book["premium_paid"] - book["refund"] == book["held"], book
            assert 0 <= book["refund"] <= book["premium_paid"], book
            assert book["refunds"] <= book["payments"], book
            assert book["settled"] <= book["refunds"], book

    @invariant()
    def states_follow_their_ways(self) -> None:
        for thing, state in self.done(_states(self.doors, self.shop.tenant)):
            before = self.states.get(thing, state)
            ways = POLICY_STATES if thing.startswith("pol_") else QUOTE_STATES
            assert state == before or state in ways[before], (thing, before, state)
            self.states[thing] = state


async def _books(doors: Doors, tenant_id: str) -> list[Json]:
    """Each policy's money as its row, its ledger, its payments and its refunds have it."""
    async with doors.policies.app.state.running.db.transaction(tenant_id) as tx:
        rows = await tx.fetch(
            """
            SELECT p.policy_id, p.state, p.premium_paid_minor AS premium_paid,
                p.refund_minor AS refund,
                (SELECT coalesce(sum(e.amount_minor), 0)::bigint
                 FROM ledger_transfers t JOIN ledger_entries e USING (transfer_id)
                 WHERE t.tenant_id = $1 AND t.policy_id = p.policy_id) AS sum,
                (SELECT coalesce(-sum(e.amount_minor), 0)::bigint
                 FROM ledger_transfers t JOIN ledger_entries e USING (transfer_id)
                 WHERE t.tenant_id = $1 AND t.policy_id = p.policy_id
                     AND e.account IN ('premium', 'deposit')) AS held,
                (SELECT coalesce(sum(amount_minor), 0)::bigint FROM payments y
                 WHERE y.tenant_id = $1 AND y.policy_id = p.policy_id) AS payments,
                (SELECT coalesce(sum(amount_minor), 0)::bigint FROM refunds r
                 WHERE r.tenant_id = $1 AND r.policy_id = p.policy_id) AS refunds,
                (SELECT coalesce(sum(settled_minor), 0)::bigint FROM refunds r
                 WHERE r.tenant_id = $1 AND r.policy_id = p.policy_id) AS settled
            FROM policies p WHERE p.tenant_id = $1
            """,
            tenant_id,
        )
    return [dict(row) for row in rows]


async def _states(doors: Doors, tenant_id: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for client, table, key in (
        (doors.policies, "policies", "policy_id"),
        (doors.quotes, "quotes", "quote_id"),
    ):
        async with client.app.state.running.db.transaction(tenant_id) as tx:
            rows = await tx.fetch(
                f"SELECT {key} AS thing, state FROM {table} WHERE tenant_id = $1", tenant_id
            )
        found += [(row["thing"], row["state"]) for row in rows]
    return found


@pytest_asyncio.fixture(scope="module")
async def doors(
    postgres_server: Any, keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    evidence = tmp_path_factory.mktemp("evidence")
    async with (
        cloned(postgres_server) as database,
        open_doors(database, keys, evidence) as opened,
    ):
        yield opened


@pytest.mark.parametrize("plan", sorted(PROGRAMMES))
async def test_in_whatever_order_the_books_are_right(doors: Doors, plan: str) -> None:
    machine = type(
        "Machine",
        (Buying,),
        {"doors": doors, "loop": asyncio.get_running_loop(), "plan": plan},
    )

    await asyncio.to_thread(
        run_state_machine_as_test,
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
