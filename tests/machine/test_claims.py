"""Claims in any order: the books stay balanced, no cap is broken, and nothing is paid twice.

Hypothesis draws what claimants, staff, carriers and payment systems do, when, and how often; the real
service does it, over one real database; a machine is one sandbox whose clock moves. Whatever is refused
is refused as a problem, and after every step all of it is looked at in the database.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from libs.common.ids import new_id
from libs.common.money import Money
from services.policy.domain.policies import Item
from services.policy.events import TrackingUpdated
from tests.claims.desk import Desk, told, way_of
from tests.doors import Doors, cloned, naive_utc, open_doors
from tests.files import file_for
from tests.policy.builders import Json, amount, at

T = TypeVar("T")

PEOPLE = ("ann", "ben", "cem", "dee")
BEGINNING = at("2024-02-01T10:00")

# From each state those it may be seen in later (domain.md 2.7), however much happened between.
OPEN = {"SUBMITTED", "DEFERRED", "INFO_REQUIRED", "ON_HOLD", "REFERRED"}
DECIDED = {"APPROVED", "DENIED", "PAYING", "PAID", "UNDER_APPEAL", "RECOVERY", "CLOSED"}
ENDS = {"WITHDRAWN"}
STATES: Mapping[str, set[str]] = {
    "NOTIFIED": {"CLOSED"} | OPEN | DECIDED | ENDS,
    **{state: OPEN | DECIDED | ENDS for state in OPEN},
    # REFERRED again where fresher copies, or a second person, undo it before the money goes.
    "APPROVED": OPEN | DECIDED | ENDS,
    "DENIED": {"UNDER_APPEAL", "CLOSED", "APPROVED", "PAYING", "PAID", "RECOVERY"},
    # Open again where money that failed, or had not gone, is not owed like that any more.
    "PAYING": OPEN | DECIDED,
    "PAID": {"UNDER_APPEAL", "RECOVERY", "CLOSED", "APPROVED", "PAYING"},
    "UNDER_APPEAL": OPEN | DECIDED,
    "RECOVERY": OPEN | DECIDED,
    "CLOSED": {"RECOVERY"},
    "WITHDRAWN": set(),
}

PERILS: Mapping[str, tuple[str, ...]] = {
    "cssecure": ("LOSS", "SEIZURE", "DAMAGE", "SHORTAGE", "DELAY", "RETURN"),
    "jsx-cargo": ("LOSS", "DAMAGE", "DELAY"),
    "bml-shipping": ("LOSS", "DAMAGE"),
    "tks-warehouse": ("LOSS", "DAMAGE"),
    "mypoz-cargo": ("LOSS", "SHORTAGE", "DAMAGE"),
}
PAPERS: Mapping[str, tuple[str, ...]] = {
    "cssecure": (
        "unboxing_video", "damage_list", "damage_photos", "customs_letter",
        "agent_loss_confirmation", "order_value_proof",
    ),
    "jsx-cargo": ("value_document", "logistics_document", "damage_photos", "carrier_loss_letter"),
    "bml-shipping": ("unboxing_video", "product_images", "carrier_loss_letter"),
    "tks-warehouse": (
        "delivery_record", "proof_of_insured_value", "delivery_certificate",
        "dispute_or_refund_screenshot", "carrier_loss_letter", "damage_photos",
        "carrier_damage_report",
    ),
    "mypoz-cargo": (
        "proof_of_purchase", "police_report", "provider_loss_confirmation", "damage_photos",
    ),
}  # fmt: skip
VIDEO: Mapping[str, list[str]] = {
    "cssecure": ["unboxing_shown", "always_in_frame"],
    "bml-shipping": ["sealed_six_sides_label", "continuous_in_frame", "damage_shown"],
}
TENANTS: Mapping[str, str] = {
    "cssecure": "cssbuy", "jsx-cargo": "jsx", "bml-shipping": "bml", "tks-warehouse": "tks",
    "mypoz-cargo": "mypoz",
}  # fmt: skip

# One file of each kind: the very same one on two claims is a sign that a person looks at.
FILES: Mapping[str, bytes] = {
    kind: file_for(kind) for kinds in PAPERS.values() for kind in kinds
}
CURRENCIES: Mapping[str, str] = {"bml-shipping": "USD", "mypoz-cargo": "MYR"}

people = st.sampled_from(PEOPLE)
minors = st.sampled_from([1, 5_000, 40_000, 85_000, 120_000])


class Claiming(RuleBasedStateMachine):
    """One sandbox of one programme with one insured parcel."""

    desk_of: ClassVar[Callable[[str], Desk]]
    headers_of: ClassVar[Callable[[str, str], dict[str, str]]]
    loop: ClassVar[asyncio.AbstractEventLoop]
    plan: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.tenant = f"sbx-{TENANTS[self.plan]}-{uuid4().hex[:12]}"
        self.desk = type(self).desk_of(self.tenant)
        self.policy_id = new_id("pol")
        self.now = BEGINNING
        self.sequence = 4
        self.claims: list[str] = []
        self.states: dict[str, str] = {}
        self.awards: dict[str, int] = {}
        way = way_of(
            self.policy_id,
            self.plan,
            tenant=self.tenant,
            items=_items(CURRENCIES.get(self.plan, "CNY")),
            order_ref="order-1",
        )
        self.done(self.desk.hears(*way))
        self.done(self.desk.at(naive_utc(self.now)))

    def done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run on the test's loop, where the service lives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def post(self, path: str, body: Json, *, by: str = "shop") -> httpx.Response:
        """Done, or refused as a problem with a code; never a failure."""
        headers = type(self).headers_of(self.tenant, by)
        response: httpx.Response = self.done(
            self.desk.client.post(path, json=body, headers=headers)
        )
        assert response.status_code < 500, response.text
        assert response.is_success or response.json()["code"], response.text
        return response

    def rows(self, query: str, *values: object) -> list[Any]:
        return self.done(self.desk.rows(query, *values))

    def amount(self, minor: int) -> Json:
        return amount(minor, CURRENCIES.get(self.plan, "CNY"))

    # --- the usual way, of which the rest departs ------------------------------------------

    @initialize(
        peril=st.integers(0, 5),
        is_whole=st.booleans(),
        grade=st.sampled_from([None, "1", "0.5"]),
        is_sent=st.booleans(),
        data=st.data(),
    )
    def claim_in_good_order(
        self, data: st.DataObject, peril: int, is_whole: bool, grade: str | None, is_sent: bool
    ) -> None:
        """With all papers of the programme, on the parcel as it then is."""
        perils = PERILS[self.plan]
        chosen = perils[peril % len(perils)]
        self.scan("heard" if chosen in ("LOSS", "SEIZURE", "RETURN") else "delivered")
        self.now += timedelta(days=30 if chosen in ("LOSS", "DELAY", "RETURN") else 1)
        self.done(self.desk.at(naive_utc(self.now)))
        body: Json = {"peril": chosen, "exception_noted": True}
        body |= {"is_whole_parcel": True} if is_whole else {"item_ids": ["i1"]}
        body |= {"refund_to_buyer": self.amount(70_000)}
        body["evidence_ids"] = self._upload(PAPERS[self.plan])
        self._filed(body)
        if grade is not None:
            whole = {"findings": {**self._findings(data), "grades": {"i1": grade}}}
            self.post(f"/v1/claims/{self.claims[0]}/decision", whole, by="ann")
        if is_sent:
            self.done(self.desk.at(naive_utc(self.now)))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), by=people)
    def accept(self, data: st.DataObject, by: str) -> None:
        """A person lets the engine's answer stand, and what it owes goes out."""
        body = {"findings": self._findings(data)}
        self.post(f"/v1/claims/{self._one(data)}/decision", body, by=by)
        self.done(self.desk.at(naive_utc(self.now)))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), by=people)
    def claim_the_rest(self, data: st.DataObject, by: str) -> None:
        """Another item, with all its papers, decided by a person."""
        body: Json = {"peril": data.draw(st.sampled_from(PERILS[self.plan]))}
        body |= {"item_ids": ["i2"], "exception_noted": True}
        body |= {"refund_to_buyer": self.amount(70_000)}
        body["evidence_ids"] = self._upload(PAPERS[self.plan])
        known = len(self.claims)
        self._filed(body)
        if len(self.claims) > known:
            whole = {"findings": {**self._findings(data), "grades": {"i2": "1"}}}
            self.post(f"/v1/claims/{self.claims[-1]}/decision", whole, by=by)
            self.done(self.desk.at(naive_utc(self.now)))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), grade=st.sampled_from(["1", "1", "0.2"]))
    def appeal_what_stands(self, data: st.DataObject, grade: str) -> None:
        """And have it heard by whoever may, who sees more of the damage, or less."""
        response = self.post(f"/v1/claims/{self._one(data)}/appeals", {"grounds": "Too low."})
        if not response.is_success:
            return
        body = {"findings": {"grades": {"i1": grade}}, "note": "Read once more."}
        path = f"/v1/appeals/{response.json()['appeal_id']}/decision"
        for by in PEOPLE:
            if self.post(path, body, by=by).is_success:
                break
        self.done(self.desk.at(naive_utc(self.now)))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), state=st.sampled_from(["CONFIRMED", "CONFIRMED", "FAILED"]))
    def answer_what_is_out(self, data: st.DataObject, state: str) -> None:
        out = "SELECT payout_id AS id FROM payouts WHERE tenant_id = $1 AND state = 'SENT'"
        self._settle(self._any(data, out), state, "bank-1")

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), by=people, is_granted=st.sampled_from([True, True, False]))
    def answer_what_is_asked(self, data: st.DataObject, by: str, is_granted: bool) -> None:
        asked = (
            "SELECT approval_id AS id FROM approvals WHERE tenant_id = $1 AND state = 'OPEN'"
        )
        self._agree(self._any(data, asked), is_granted, by)
        self.done(self.desk.at(naive_utc(self.now)))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), by=people)
    def hear_what_is_appealed(self, data: st.DataObject, by: str) -> None:
        appealed = "SELECT appeal_id AS id FROM appeals WHERE tenant_id = $1 AND state = 'OPEN'"
        self._hear(data, self._any(data, appealed), by)
        self.done(self.desk.at(naive_utc(self.now)))

    # --- the claimant ----------------------------------------------------------------------

    @rule(data=st.data(), items=st.sampled_from([["i1"], ["i2"], ["i1", "i2"], []]))
    def file(self, data: st.DataObject, items: list[str]) -> None:
        self._filed(self._statement(data, items))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), kinds=st.integers(0, 7))
    def bring(self, data: st.DataObject, kinds: int) -> None:
        """Some of the papers, or all."""
        papers = self._upload(PAPERS[self.plan][: kinds or None])
        self.post(f"/v1/claims/{self._one(data)}/evidence", {"evidence_ids": papers})

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), is_swap=st.booleans(), chance=st.integers(0, 3))
    def take_claim_back(self, data: st.DataObject, is_swap: bool, chance: int) -> None:
        """Now and then, or no claim would ever be decided."""
        if chance:
            return
        path = f"/v1/claims/{self._one(data)}"
        if not is_swap:
            self.post(f"{path}/withdrawal", {})
            return
        response = self.post(f"{path}/swap", self._statement(data, []))
        if response.is_success:
            self.claims.append(response.json()["claim_id"])

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), tier=st.sampled_from([None, None, 1, 2, 3]))
    def appeal(self, data: st.DataObject, tier: int | None) -> None:
        body: Json = {"grounds": "The amount is too low."}
        if tier is not None:
            body["tier"] = tier
        self.post(f"/v1/claims/{self._one(data)}/appeals", body)

    # --- staff -----------------------------------------------------------------------------

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), by=people, settles=st.booleans(), overrides=st.booleans())
    def decide(self, data: st.DataObject, by: str, settles: bool, overrides: bool) -> None:
        body: Json = {"findings": self._findings(data), "settles": settles}
        if overrides:
            body["overrides"] = [{"code": "LATE_NOTICE", "why": "Ill in hospital for a week."}]
        self.post(f"/v1/claims/{self._one(data)}/decision", body, by=by)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), by=people, is_granted=st.booleans())
    def answer_approval(self, data: st.DataObject, by: str, is_granted: bool) -> None:
        approval = self._any(
            data, "SELECT approval_id AS id FROM approvals WHERE tenant_id = $1"
        )
        if approval:
            body = {"is_granted": is_granted, "note": "Looked at."}
            self.post(f"/v1/approvals/{approval}/answer", body, by=by)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), by=people)
    def decide_appeal(self, data: st.DataObject, by: str) -> None:
        appealed = "SELECT appeal_id AS id FROM appeals WHERE tenant_id = $1"
        self._hear(data, self._any(data, appealed), by)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), by=people)
    def ask_for_more(self, data: st.DataObject, by: str) -> None:
        body = {"kinds": ["police_report"], "message": "Please send the police report."}
        self.post(f"/v1/claims/{self._one(data)}/information-requests", body, by=by)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), by=people)
    def advance(self, data: st.DataObject, by: str) -> None:
        self.post(f"/v1/claims/{self._one(data)}/advance", {}, by=by)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), what=st.sampled_from(["found", "fraud"]))
    def take_back(self, data: st.DataObject, what: str) -> None:
        body: Json = {"why": "The photos are of another parcel."}
        if what == "found":
            body = {"found_at": self.now.isoformat(), "note": "It was delivered after all."}
        self.post(f"/v1/claims/{self._one(data)}/{what}", body, by="dee")

    # --- money -----------------------------------------------------------------------------

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), state=st.sampled_from(["CONFIRMED", "CONFIRMED", "FAILED"]),
          reference=st.sampled_from(["bank-1", "bank-2"]))  # fmt: skip
    def settle(self, data: st.DataObject, state: str, reference: str) -> None:
        payout = self._any(data, "SELECT payout_id AS id FROM payouts WHERE tenant_id = $1")
        self._settle(payout, state, reference)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        payout = self._any(data, "SELECT payout_id AS id FROM payouts WHERE tenant_id = $1")
        if payout:
            self.post(f"/v1/payouts/{payout}/retry", {}, by="bank")

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), source=st.sampled_from(["carrier", "insurer"]), minor=minors,
          reference=st.sampled_from(["r-1", "r-2"]))  # fmt: skip
    def recover(self, data: st.DataObject, source: str, minor: int, reference: str) -> None:
        body = {"source": source, "reference": reference, "amount": self.amount(minor)}
        self.post(f"/v1/claims/{self._one(data)}/recoveries", body, by="dee")

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), minor=minors, is_waived=st.booleans())
    def repay(self, data: st.DataObject, minor: int, is_waived: bool) -> None:
        found = self.rows("SELECT repayment_id, claim_id FROM repayments WHERE tenant_id = $1")
        if not found:
            return
        row = data.draw(st.sampled_from(sorted(found, key=lambda r: str(r["repayment_id"]))))
        if is_waived:
            body: Json = {"why": "The customer cannot be found."}
            self.post(f"/v1/repayments/{row['repayment_id']}/write-off", body, by="dee")
            return
        body = {
            "source": "customer",
            "reference": uuid4().hex,
            "amount": self.amount(minor),
            "repayment_id": row["repayment_id"],
        }
        self.post(f"/v1/claims/{row['claim_id']}/recoveries", body, by="dee")

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), minor=minors)
    def redeem(self, data: st.DataObject, minor: int) -> None:
        voucher = self._any(data, "SELECT voucher_id AS id FROM vouchers WHERE tenant_id = $1")
        if voucher:
            body = {"second_fee": self.amount(minor), "reference": "second-1"}
            self.post(f"/v1/vouchers/{voucher}/redemption", body, by="bank")

    # --- the parcel and time ---------------------------------------------------------------

    @rule(scan=st.sampled_from(["delivered", "lost", "returned", "heard", "damaged"]))
    def scan(self, scan: str) -> None:
        self.sequence += 1
        times: dict[str, datetime] = {"last_update_at": self.now}
        if scan != "heard":
            times[f"{scan}_at"] = self.now
        event = TrackingUpdated(
            policy_id=self.policy_id,
            state="RUN_OFF" if scan == "delivered" else "ACTIVE",
            status={"heard": "in_transit"}.get(scan, scan),
            carrier="ems",
            dispatched_at=at("2024-01-04T01:00"),
            **times,
        )
        self.done(self.desk.hears(told(event, self.sequence, tenant=self.tenant)))

    @rule(
        later=st.sampled_from(
            [timedelta(minutes=1)] * 4
            + [timedelta(hours=20), timedelta(days=8), timedelta(days=40)]
        )
    )
    def wait(self, later: timedelta) -> None:
        """Time passes, and what is due is done."""
        self.now += later
        self.done(self.desk.at(naive_utc(self.now)))

    # --- what always holds -----------------------------------------------------------------

    @invariant()
    def the_books_are_right(self) -> None:
        (book,) = self.rows(
            """
            SELECT coalesce(sum(amount_minor), 0)::bigint AS total,
                coalesce(sum(amount_minor) FILTER (WHERE account = 'payout'), 0)::bigint AS owed,
                coalesce(-sum(amount_minor) FILTER (WHERE account = 'reserve'), 0)::bigint AS reserve
            FROM ledger_entries WHERE tenant_id = $1
            """
        )
        (open_,) = self.rows(
            """
            SELECT
                (SELECT coalesce(sum(amount_minor), 0)::bigint FROM payouts
                 WHERE tenant_id = $1 AND instrument <> 'voucher'
                    AND state NOT IN ('CONFIRMED', 'VOID')) AS owed,
                (SELECT coalesce(sum(reserve_minor), 0)::bigint FROM claims
                 WHERE tenant_id = $1) AS reserve
            """
        )
        assert book["total"] == 0, book
        assert -book["owed"] == open_["owed"], (book, open_)
        assert book["reserve"] == open_["reserve"], (book, open_)

    @invariant()
    def no_decision_has_two_payouts_and_no_claim_more_than_its_award(self) -> None:
        for row in self.rows(
            """
            SELECT p.claim_id, sum(p.amount_minor)::bigint AS paid,
                max(d.payout_minor) AS award, max(a.advanced) AS advanced
            FROM payouts p
            JOIN LATERAL (
                SELECT max(payout_minor) AS payout_minor FROM decisions
                WHERE claim_id = p.claim_id AND tenant_id = $1 AND outcome = 'APPROVED'
            ) d ON true
            LEFT JOIN LATERAL (
                SELECT sum(amount_minor)::bigint AS advanced FROM payouts
                WHERE claim_id = p.claim_id AND tenant_id = $1 AND kind = 'ADVANCE'
            ) a ON true
            WHERE p.tenant_id = $1 AND p.state <> 'VOID' AND p.kind <> 'EXCESS'
            GROUP BY p.claim_id
            """
        ):
            assert row["paid"] <= row["award"], dict(row)

    @invariant()
    def no_policy_pays_goods_above_its_insured_value(self) -> None:
        (row,) = self.rows(
            """
            SELECT coalesce(sum((d.parts -> 'goods' ->> 'amount_minor')::bigint), 0)::bigint AS goods,
                (SELECT (terms -> 'insured_value' ->> 'amount_minor')::bigint FROM covers
                 WHERE tenant_id = $1) AS insured
            FROM claims c JOIN LATERAL (
                SELECT parts FROM decisions
                WHERE claim_id = c.claim_id AND tenant_id = $1 AND is_settled
                ORDER BY number DESC LIMIT 1
            ) d ON true
            WHERE c.tenant_id = $1 AND c.state <> 'WITHDRAWN'
            """
        )
        assert row["goods"] <= row["insured"], dict(row)

    @invariant()
    def what_is_over_owes_nothing_and_holds_nothing_in_reserve(self) -> None:
        for row in self.rows(
            """
            SELECT c.claim_id, c.state, c.reserve_minor, ARRAY(
                SELECT state FROM payouts p WHERE p.tenant_id = $1 AND p.claim_id = c.claim_id
            ) AS payouts
            FROM claims c WHERE c.tenant_id = $1
            """
        ):
            if row["state"] in ENDS:
                assert set(row["payouts"]) <= {"VOID"}, dict(row)
            if row["state"] not in OPEN:
                assert row["reserve_minor"] == 0, dict(row)

    @invariant()
    def nobody_owes_back_what_has_not_arrived(self) -> None:
        for row in self.rows(
            """
            SELECT c.claim_id,
                (SELECT coalesce(sum(amount_minor), 0)::bigint FROM repayments r
                 WHERE r.tenant_id = $1 AND r.claim_id = c.claim_id AND r.why <> 'PAID_TWICE') AS owed,
                (SELECT coalesce(sum(amount_minor), 0)::bigint FROM payouts p
                 WHERE p.tenant_id = $1 AND p.claim_id = c.claim_id AND p.state = 'CONFIRMED') AS had
            FROM claims c WHERE c.tenant_id = $1
            """
        ):
            assert row["owed"] <= row["had"], dict(row)

    @invariant()
    def states_follow_their_ways(self) -> None:
        for row in self.rows("SELECT claim_id, state FROM claims WHERE tenant_id = $1"):
            claim, state = row["claim_id"], row["state"]
            before = self.states.get(claim, state)
            assert state == before or state in STATES[before], (claim, before, state)
            self.states[claim] = state

    @invariant()
    def an_appeal_never_lowers(self) -> None:
        for row in self.rows(
            """
            SELECT a.appeal_id, a.result, n.payout_minor AS after, o.payout_minor AS before
            FROM (SELECT appeal_id, state AS result, decision_id, against AS against_decision_id
                  FROM appeals WHERE tenant_id = $1 AND state = 'VARIED') a
            JOIN decisions n ON n.decision_id = a.decision_id AND n.tenant_id = $1
            JOIN decisions o ON o.decision_id = a.against_decision_id AND o.tenant_id = $1
            """
        ):
            assert row["after"] > row["before"], dict(row)

    # --- helpers of the rules ----------------------------------------------------------------

    def _filed(self, body: Json) -> None:
        response = self.post("/v1/claims", {"policy_id": self.policy_id, **body})
        if response.is_success and response.json()["claim_id"] not in self.claims:
            self.claims.append(response.json()["claim_id"])

    def _agree(self, approval: str, is_granted: bool, by: str) -> None:
        if approval:
            body = {"is_granted": is_granted, "note": "Looked at."}
            self.post(f"/v1/approvals/{approval}/answer", body, by=by)

    def _hear(self, data: st.DataObject, appeal: str, by: str) -> None:
        if appeal:
            body = {"findings": self._findings(data), "note": "Read once more."}
            self.post(f"/v1/appeals/{appeal}/decision", body, by=by)

    def _settle(self, payout: str, state: str, reference: str) -> None:
        if payout:
            body = {"state": state, "reference": reference}
            self.post(f"/v1/payouts/{payout}/settlement", body, by="bank")

    def _one(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.claims))

    def _any(self, data: st.DataObject, query: str) -> str:
        found = sorted(str(row["id"]) for row in self.rows(query))
        return data.draw(st.sampled_from(found)) if found else ""

    def _statement(self, data: st.DataObject, items: list[str]) -> Json:
        body: Json = {
            "peril": data.draw(st.sampled_from(PERILS[self.plan])),
            "item_ids": items,
            "exception_noted": data.draw(st.booleans()),
            "refund_to_buyer": self.amount(90_000),
        }
        if not items:
            body["is_whole_parcel"] = True
        kinds = data.draw(st.sampled_from([(), PAPERS[self.plan], PAPERS[self.plan]]))
        body["evidence_ids"] = self._upload(kinds)
        return body

    def _findings(self, data: st.DataObject) -> Json:
        findings: Json = {
            "proven_value": self.amount(80_000),
            "packing": "repacked",
            "grades": {"i1": data.draw(st.sampled_from(["1", "0.5", "0.2"]))},
        }
        if self.plan in VIDEO:
            findings["video_elements"] = VIDEO[self.plan]
        return findings

    def _upload(self, kinds: tuple[str, ...]) -> list[str]:
        return [self._uploaded(kind) for kind in kinds]

    def _uploaded(self, kind: str) -> str:
        response: httpx.Response = self.done(
            self.desk.client.post(
                "/v1/evidence",
                params={"policy_id": self.policy_id, "kind": kind, "name": kind},
                content=FILES[kind],
                headers=type(self).headers_of(self.tenant, "dee"),
            )
        )
        assert response.status_code == 201, response.text
        return str(response.json()["evidence_id"])


def _items(currency: str) -> tuple[Item, ...]:
    return tuple(
        Item(
            item_id=item_id,
            item_class="phone",
            quantity=1,
            value=Money(minor, currency),
            weight_kg=Decimal(1),
            source="agent",
            verdict="ACCEPT",
        )
        for item_id, minor in (("i1", 50_000), ("i2", 35_000))
    )


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


@pytest.mark.parametrize("plan", sorted(PERILS))
async def test_in_whatever_order_nobody_is_paid_too_much(doors: Doors, plan: str) -> None:
    machine = type(
        "Machine",
        (Claiming,),
        {
            "desk_of": staticmethod(doors.desk),
            "headers_of": staticmethod(lambda tenant, by: doors.headers(tenant, subject=by)),
            "loop": asyncio.get_running_loop(),
            "plan": plan,
        },
    )

    await asyncio.to_thread(
        run_state_machine_as_test,
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
