"""An example's claim, made as a shop and its staff make it; the answer, and the facts behind it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from deploy.plans_check import Example
from libs.common import testclock
from libs.common.bus import Inbound
from libs.common.events import Event
from libs.common.ids import new_id
from libs.common.plans.clocks import local_day
from libs.common.plans.facts import Facts, verdict_of
from services.claims import store
from services.claims.domain.filing import OPEN_STATES
from services.claims.usecases import Rules
from services.claims.usecases.proposing import propose
from tests.buying import amount_of, shown
from tests.claims.desk import Desk, told
from tests.doors import Doors, naive_utc, wire
from tests.files import file_for
from tests.http_examples.doors import facts_given, tenant_of
from tests.http_examples.earlier import Earlier, earlier_claims, siblings_of
from tests.http_examples.parcels import TRACKING, Parcel
from tests.policy.builders import Json

# Told by staff while the claim is open; the rest of the claim is the claimant's statement.
FINDINGS = frozenset(
    {
        "proven_value",
        "insurer_approved",
        "insurer_decided",
        "video_elements",
        "packing",
        "freight_paid",
        "biy_misdeclared",
        "fraud",
    }
)
# Perils that may be settled as soon as the papers are in: what staff found goes before these.
_SETTLED_ALONE = frozenset({"LOSS", "DELAY", "RETURN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A claim as it stands at the example's `as_of`. `policy_id` None: there was no policy."""

    parcel: Parcel
    desk: Desk
    policy_id: str | None
    claim: Json
    # Denied by the calendar or the policy as soon as it was filed: nobody looked at it any more.
    is_closed_at_once: bool = False

    @property
    def answer(self) -> dict[str, object]:
        """The results by their names in the examples."""
        decision = self.claim["decision"]
        decisive = _decisive(decision)
        return {
            "outcome": decision["outcome"],
            "reason": None if decisive is None else _code(decisive),
            "discretionary": decisive is not None and decisive["is_discretionary"],
            "payout": shown(decision["payout"]),
            "caps": decision["caps"],
            "notes": [_code(note) for note in decision["notes"]],
            "instrument": decision["instrument"],
            "eligible_on": decision["eligible_on"],
            "missing": [gap["label"] for gap in decision["missing"]],
            "grace_until": decision["grace_until"],
        }

    @property
    def decided_at(self) -> datetime:
        return datetime.fromisoformat(self.claim["decision"]["decided_at"])

    async def facts(self) -> Facts:
        """What the service knows of the case now, by the facts' names."""
        running = self.desk.client.app.state.running
        rules = Rules(plans=running.plans, tenants=running.tenants)
        tenant = self.desk.tenant
        async with self.desk.db.transaction(tenant) as tx:
            filed = await store.get_claim(tx, self.claim["claim_id"], tenant_id=tenant)
            assert filed.policy_id is not None
            cover = await store.get_cover(tx, filed.policy_id, tenant_id=tenant)
            now = await testclock.now_in(tx, tenant)
            proposal = await propose(tx, rules, cover, filed, now=now)
        return Facts(self.parcel.plan, proposal.facts)

    async def facts_that_differ(self) -> dict[str, tuple[object, object]]:
        """Of the facts the example gives: those that the service knows otherwise, with both."""
        given, known = facts_given(self.parcel.example), await self.facts()
        told_names = set(self.parcel.example.given) - ({"cause"} | self._untold())
        names = told_names | ({"causes"} if "cause" in self.parcel.example.given else set())
        pairs = {
            name: (self._comparable(name, given), self._comparable(name, known))
            for name in names
        }
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def _untold(self) -> frozenset[str]:
        """Facts that nobody could tell any more, and times that are still to come."""
        given = facts_given(self.parcel.example)
        to_come = {
            name
            for name in TRACKING
            if (at := given.time(name)) is not None and at > self.parcel.seen_at
        }
        # A claim that is closed at once took no papers that were held back for staff's findings.
        untold = FINDINGS | {"evidence"} if self.is_closed_at_once else frozenset()
        return frozenset(to_come | untold)

    def _comparable(self, name: str, facts: Facts) -> object:
        value: Any = facts[name]
        if name == "info_requested_at":
            # The service asks in the instant of filing, the examples an hour or two later; the
            # window is counted in whole local days.
            return None if value is None else local_day(value, self.parcel.plan.zone)
        if name == "items":
            # A policy's items bear the verdict they were sold by; an example's are the plan's.
            plan = self.parcel.plan
            return {item.id: replace(item, verdict=verdict_of(plan, item)) for item in value}
        if name == "prior_claims":
            return sorted((claim.peril, claim.outcome) for claim in value)
        return sorted(value) if isinstance(value, tuple) else value


class Staged:
    """One example on stage: its policy, heard of; its earlier claims, made; then its claim."""

    def __init__(self, doors: Doors, example: Example) -> None:
        self.parcel = Parcel.of(example)
        self.desk = doors.desk(tenant_of(example))
        self.policy_id = new_id("pol")
        self._sequence = count(1)

    async def claimed(self) -> Claimed:
        filed_at, told_at = self.parcel.filed_at, self.parcel.facts.time("notified_at")
        is_told_before = told_at is not None and told_at < filed_at
        await self._clock_at(told_at if is_told_before and told_at is not None else filed_at)
        if self.parcel.facts.code("policy_state") == "NONE":
            return await self._claimed_uninsured()
        await self._hear_of_policies()
        for earlier in earlier_claims(self.parcel):
            await self._claim_earlier(earlier)
        if is_told_before and told_at is not None:
            await self._give_notice(told_at)
        await self._hear_of_way(filed_at)
        return await self._claimed()

    async def _give_notice(self, told_at: datetime) -> None:
        """The first contact, some time before the claim is filed."""
        await self._hear_of_way(told_at)
        notice = await self._post(
            "claims/notices", policy_id=self.policy_id, peril=self.parcel.example.peril
        )
        assert notice["state"] == "NOTIFIED", notice
        await self._clock_at(self.parcel.filed_at)

    async def _claimed(self) -> Claimed:
        parcel, findings = self.parcel, self._findings()
        kinds = parcel.papers
        held_back = findings and parcel.example.peril in _SETTLED_ALONE
        ids = await self._upload(kinds, self.policy_id)
        claim = await self._file(() if held_back else ids)
        is_closed_at_once = claim["state"] == "DENIED"
        if findings and _is_open(claim):
            claim = await self._decide(claim, findings=findings)
        if held_back and ids and _is_open(claim):
            claim = await self._post(f"claims/{claim['claim_id']}/evidence", evidence_ids=ids)
        claim = await self._look_again(claim)
        return Claimed(
            parcel=parcel,
            desk=self.desk,
            policy_id=self.policy_id,
            claim=claim,
            is_closed_at_once=is_closed_at_once,
        )

    async def _claimed_uninsured(self) -> Claimed:
        claim = await self._post(
            "claims",
            tracking_number="NOBODY-INSURED-THIS",
            **self._statement(),
        )
        return Claimed(parcel=self.parcel, desk=self.desk, policy_id=None, claim=claim)

    # --- what is known before the claim ------------------------------------------------------

    async def _hear_of_policies(self) -> None:
        """Of the policy, and of those of the order's other parcels, which claimed before."""
        parcel, terms = self.parcel, self.parcel.terms
        messages = self._told(parcel.sold(self.policy_id, terms))
        siblings = siblings_of(parcel)
        for policy_id in siblings.policy_ids:
            way = parcel.on_its_way(policy_id, parcel.filed_at)
            messages += self._told([*parcel.sold(policy_id, terms), way])
        await self.desk.hears(*messages)
        if siblings.have_claimed:
            for policy_id in siblings.policy_ids:
                ids = await self._upload(parcel.papers, policy_id)
                claim = await self._post(
                    "claims", policy_id=policy_id, peril="DELAY", evidence_ids=ids
                )
                assert claim["decision"]["is_settled"], claim

    async def _hear_of_way(self, at: datetime, **changes: datetime | None) -> None:
        update = self.parcel.on_its_way(self.policy_id, at, **changes)
        if any(getattr(update, name) is not None for name in TRACKING):
            await self.desk.hears(*self._told([update]))

    async def _claim_earlier(self, earlier: Earlier) -> None:
        """A claim made and answered before, or taken back."""
        if earlier.needs_delivery:
            before = self.parcel.filed_at - timedelta(days=2)
            await self._hear_of_way(before, delivered_at=before)
        ids = await self._upload(earlier.papers, self.policy_id)
        claim = await self._post(
            "claims", policy_id=self.policy_id, evidence_ids=ids, **earlier.statement
        )
        if earlier.outcome == "WITHDRAWN":
            await self._post(f"claims/{claim['claim_id']}/withdrawal")
            return
        if _is_open(claim):
            claim = await self._decide(claim, findings=earlier.findings, settles=True)
        assert claim["decision"]["outcome"] == earlier.outcome, claim
        assert claim["decision"]["is_settled"], claim

    # --- the claim ---------------------------------------------------------------------------

    async def _file(self, evidence_ids: Iterable[str]) -> Json:
        return await self._post(
            "claims",
            policy_id=self.policy_id,
            evidence_ids=list(evidence_ids),
            **self._statement(),
        )

    def _statement(self) -> Json:
        """What the claimant says."""
        facts, given = self.parcel.facts, self.parcel.example.given
        body: Json = {
            "peril": self.parcel.example.peril,
            "is_whole_parcel": facts.flag("whole_parcel"),
            "exception_noted": facts.flag("exception_noted"),
            "causes": list(facts.codes("causes")),
            "item_ids": list(facts.codes("claimed_items")),
            "unavailable_evidence": list(facts.codes("evidence_unavailable")),
        }
        if "claimed_biy_value" in given:
            body["item_ids"] = ["own"]
        for name in ("claimed_value", "carrier_paid", "refund_to_buyer"):
            if name in given:
                body[name] = amount_of(self.parcel.plan, facts.number(name))
        if (event_at := facts.time("event_at")) is not None:
            body["event_at"] = wire(event_at)
        return body

    def _findings(self) -> Json:
        """What staff establish, by the names of the door."""
        facts = self.parcel.facts
        found: Json = {}
        for name in FINDINGS & self.parcel.example.given.keys():
            value: Any = facts[name]
            if name in ("proven_value", "insurer_approved"):
                value = amount_of(self.parcel.plan, value)
            found["is_misdeclared" if name == "biy_misdeclared" else name] = value
        return found

    async def _look_again(self, claim: Json) -> Json:
        """The claim at the example's `as_of`, all that fell due until then done."""
        parcel = self.parcel
        if (moved_at := parcel.news()) is not None:
            await self._clock_at(moved_at)
            await self._hear_of_way(moved_at)
        if parcel.seen_at == parcel.filed_at:
            return claim
        await self._clock_at(parcel.seen_at)
        claim = await self.desk.show(claim)
        return await self._decide(claim) if _is_open(claim) else claim

    async def _decide(
        self, claim: Json, findings: Json | None = None, *, settles: bool = False
    ) -> Json:
        path = f"claims/{claim['claim_id']}/decision"
        return await self._post(path, findings=findings or {}, settles=settles)

    # --- the doors ---------------------------------------------------------------------------

    async def _clock_at(self, at: datetime) -> None:
        await self.desk.at(naive_utc(at))

    async def _upload(self, kinds: Iterable[str], policy_id: str) -> list[str]:
        uploaded = []
        for kind in kinds:
            response = await self.desk.client.post(
                "/v1/evidence",
                params={"policy_id": policy_id, "kind": kind, "name": f"{kind}.pdf"},
                content=file_for(kind),
                headers=self.desk.token(self.desk.tenant),
            )
            assert response.status_code == 201, response.text
            uploaded.append(response.json()["evidence_id"])
        return uploaded

    async def _post(self, path: str, **body: object) -> Json:
        response = await self.desk.post(f"/v1/{path}", body)
        assert response.status_code in (200, 201), response.text
        answer: Json = response.json()
        return answer

    def _told(self, events: Iterable[Event]) -> list[Inbound]:
        """The policies' events, counted on; a higher count than the policy's own is no harm."""
        return [told(event, next(self._sequence), tenant=self.desk.tenant) for event in events]


def _is_open(claim: Json) -> bool:
    return claim["state"] in OPEN_STATES


def _decisive(decision: Json) -> Json | None:
    """The first reason, where it is the outcome's: an approval or a request for papers has none."""
    reasons: list[Json] = decision["reasons"]
    return next((r for r in reasons[:1] if r["outcome"] == decision["outcome"]), None)


def _code(reason: Json) -> str:
    return f"{reason['code']}:{reason['detail']}" if reason["detail"] else str(reason["code"])
