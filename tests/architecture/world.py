"""Two tenants in four running services: theirs has one thing of every kind, ours has almost nothing.

What one service says is handed to the others as the broker would, so every row is one that the
services wrote themselves.
"""

import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from libs.common import deadletter
from libs.common.bus import Inbound
from libs.common.clock import system_now
from libs.common.consumer import deliver
from libs.common.deadlines import DeadlineRunner
from libs.common.events import with_sequence
from libs.common.migrate import SERVICES
from libs.common.settings import PROGRAMMES
from libs.common.testclock import SANDBOX_PREFIX
from services.policy.tracking import PROVIDERS
from tests.conftest import AppOf, Token
from tests.files import a_pdf
from tests.policy.builders import Json, a_quote_request, amount
from tests.policy.posting import a_detail, a_tracker_event, read_waiting
from tests.policy.serving import served

OURS = f"{SANDBOX_PREFIX}cssbuy-ours"
THEIRS = f"{SANDBOX_PREFIX}cssbuy-theirs"

SUBMITTED, SHIPPED, DELIVERED = (
    "2024-01-01T01:00:00Z",
    "2024-01-04T01:00:00Z",
    "2024-03-02T07:00:00Z",
)
TOLD_LATE = "2024-03-07T07:00:00Z"
A_PDF = a_pdf()
A_CHOICE: Json = {
    "choice": "OPT_IN",
    "plan": "cssecure",
    "wording_id": "cssecure/summary",
    "locale": "en",
    "box_state": "TICKED_BY_CUSTOMER",
    "channel": "checkout",
}
# A plan of the tenants that has the staff look at a paper first, so that there is one of theirs.
_PAPERS = """
documents: [{kind: proof_of_purchase, must_show: [price], before: submit_to_ship}]
verification: {by: staff, target: {hours: 4}, lapse: {working_days: 7, state: INVALID}}
"""


def plans_with_papers(folder: Path) -> Path:
    folder.mkdir()
    for file in PROGRAMMES.glob("*.yaml"):
        papers = _PAPERS if file.name == "cssecure.v2.yaml" else ""
        (folder / file.name).write_text(file.read_text() + papers)
    return folder


@dataclass(slots=True, kw_only=True)
class World:
    """`clients` by service; `ids` of what is theirs, by the name a path has for it.

    `paper_id`: the quote service's own of that name, behind its quote's id.
    """

    clients: Mapping[str, Any]
    token: Token
    ids: dict[str, str] = field(default_factory=dict)
    paper_id: str = ""
    _offsets: Any = field(default_factory=count)

    @classmethod
    @asynccontextmanager
    async def build(cls, app_of: AppOf, token: Token, files: Path) -> AsyncIterator["World"]:
        async with AsyncExitStack() as stack:
            evidence, plans = str(files), plans_with_papers(files / "plans")
            clients: dict[str, Any] = {
                "quote": await app_of("quote", evidence=evidence, plans=plans)
            }
            quote_url = await stack.enter_async_context(served(clients["quote"].app))
            clients["policy"] = await app_of("policy", quote_url=quote_url, plans=plans)
            policy_url = await stack.enter_async_context(served(clients["policy"].app))
            clients["claims"] = await app_of(
                "claims", policy_url=policy_url, evidence=evidence, plans=plans
            )
            clients["notifier"] = await app_of("notifier", policy_url=policy_url)
            world = cls(clients=clients, token=token)
            await world._live()
            yield world

    def ids_in(self, service: str) -> dict[str, str]:
        return self.ids | ({"evidence_id": self.paper_id} if service == "quote" else {})

    async def post(self, service: str, path: str, body: Json, tenant: str = THEIRS) -> Json:
        response = await self.clients[service].post(path, json=body, headers=self.token(tenant))
        assert response.is_success, response.text
        answer: Json = response.json()
        return answer

    async def get(self, service: str, path: str) -> Json:
        response = await self.clients[service].get(path, headers=self.token(THEIRS))
        assert response.is_success, response.text
        answer: Json = response.json()
        return answer

    async def _live(self) -> None:
        """Theirs insures a parcel that comes late, claims, and is owed a fifth of the freight."""
        for tenant in (OURS, THEIRS):
            clock = await self.post("policy", "/v1/test-clocks", {"now": SUBMITTED}, tenant)
        self.ids["clock_id"] = clock["clock_id"]
        # A plan that exists, and that neither sells.
        self.ids["plan"] = "mypoz-cargo"
        await self.settle()
        rate = await self.clients["quote"].put(
            "/v1/exchange-rates/CNY/2024-01-01",
            json={"rate": "0.1409"},
            headers=self.token(THEIRS),
        )
        assert rate.is_success, rate.text
        quote = await self.post("quote", "/v1/quotes", a_quote_request("cssecure"))
        self.ids["quote_id"] = quote["quote_id"]
        await self._verify()
        policy = await self.post("policy", "/v1/policies", {"quote_id": quote["quote_id"]})
        self.ids["policy_id"] = policy["policy_id"]
        path = f"/v1/policies/{policy['policy_id']}"
        premium = {name: policy["premium"][name] for name in ("amount_minor", "currency")}
        for reference in ("r-1", "r-2"):
            paid = {"reference": reference, "amount": premium}
            await self.post("policy", f"{path}/payments", paid)
        # The second was not due.
        self.ids["refund_id"] = (await self.get("policy", "/v1/refunds"))["items"][0][
            "refund_id"
        ]
        hook = await self.post("policy", "/v1/payment-hooks", {"provider": "standard"})
        self.ids["hook_id"] = hook["hook_id"]
        await self._upload()
        await self._hear()
        await self._at(SHIPPED)
        await self.post("policy", f"{path}/dispatch", {"tracking_number": "EZ1000000001CN"})
        await self._at(DELIVERED)
        delivered = {"status": "delivered", "occurred_at": DELIVERED}
        scan = {"policy_id": policy["policy_id"], **delivered}
        await self.post("policy", "/v1/tracking", {"scans": [scan]})
        await self.settle()
        await self._claim()

    async def _upload(self) -> None:
        row = {"reference": "row-1", "quote": a_quote_request("cssecure")}
        uploaded = await self.clients["policy"].post(
            "/v1/batches",
            content=msgspec.json.encode(row),
            headers=self.token(THEIRS) | {"content-type": "application/x-ndjson"},
        )
        assert uploaded.status_code == 202, uploaded.text
        self.ids["batch_id"] = uploaded.json()["batch_id"]
        await self._fire_due("policy")
        batch = await self.get("policy", uploaded.headers["location"])
        assert batch["booked"] == 1, batch

    async def _hear(self) -> None:
        """A carrier posts of a parcel that is nobody's, with a code that nobody knows."""
        hook = await self.post("policy", "/v1/tracking-hooks", {"provider": "easypost"})
        body = a_tracker_event("EZ2", a_detail("flying", SUBMITTED))
        scheme = PROVIDERS["easypost"].schemes[hook["scheme"]]
        signed = scheme.sign(hook["secret"], body, path=hook["path"], now=system_now())
        client = self.clients["policy"]
        answer = await client.post(
            hook["path"], content=signed.body, headers=dict(signed.headers)
        )
        assert answer.status_code == 200, answer.text
        self.ids["notice_id"] = answer.json()["notice_id"]
        await read_waiting(client)

    async def _verify(self) -> None:
        path = f"/v1/quotes/{self.ids['quote_id']}"
        uploaded = await self.clients["quote"].post(
            f"{path}/documents",
            params={"kind": "proof_of_purchase", "name": "receipt.pdf"},
            content=A_PDF,
            headers=self.token(THEIRS),
        )
        assert uploaded.status_code == 201, uploaded.text
        self.paper_id = uploaded.json()["evidence_id"]
        await self.post("quote", f"{path}/consents", A_CHOICE)
        body = {
            "shown": ["price"],
            "verified_value": {"amount_minor": 85_000, "currency": "CNY"},
        }
        await self.post("quote", f"{path}/verification", body)

    async def _claim(self) -> None:
        policy_id = self.ids["policy_id"]
        uploaded = await self.clients["claims"].post(
            "/v1/evidence",
            params={"policy_id": policy_id, "kind": "value_document", "name": "receipt.pdf"},
            content=A_PDF,
            headers=self.token(THEIRS),
        )
        assert uploaded.status_code == 201, uploaded.text
        self.ids["evidence_id"] = uploaded.json()["evidence_id"]
        filed = {
            "policy_id": policy_id,
            "peril": "DELAY",
            "evidence_ids": [self.ids["evidence_id"]],
        }
        claim = await self.post("claims", "/v1/claims", filed)
        self.ids["claim_id"] = claim["claim_id"]
        self.ids["payout_id"] = claim["payouts"][0]["payout_id"]
        path = f"/v1/claims/{claim['claim_id']}/appeals"
        appeal = await self.post("claims", path, {"grounds": "It came later than that."})
        self.ids["appeal_id"] = appeal["appeal_id"]
        await self.settle()
        await self._forgive()
        await self._owe_and_be_owed()
        listed = await self.get("notifier", "/v1/notifications")
        self.ids["notification_id"] = listed["items"][0]["notification_id"]

    async def _forgive(self) -> None:
        """A damage told too late, which somebody would forgive: another person is asked."""
        await self._at(TOLD_LATE)
        value = {"amount_minor": 1_000, "currency": "CNY"}
        filed = {"policy_id": self.ids["policy_id"], "peril": "DAMAGE", "claimed_value": value}
        damage = await self.post("claims", "/v1/claims", filed)
        override = {"code": "LATE_NOTICE", "why": "They were in hospital."}
        path = f"/v1/claims/{damage['claim_id']}/decision"
        proposed = await self.post("claims", path, {"overrides": [override]})
        self.ids["approval_id"] = proposed["approvals"][0]["approval_id"]
        await self.settle()

    async def _owe_and_be_owed(self) -> None:
        """The payout is confirmed, the carrier pays too, and a return is paid by a voucher."""
        confirmed = {"state": "CONFIRMED", "reference": "r-1"}
        await self.post("claims", f"/v1/payouts/{self.ids['payout_id']}/settlement", confirmed)
        path = f"/v1/claims/{self.ids['claim_id']}"
        late = {"source": "carrier", "reference": "r-1", "amount": amount(30_000)}
        await self.post("claims", f"{path}/recoveries", late)
        self.ids["repayment_id"] = (await self.get("claims", path))["repayments"][0][
            "repayment_id"
        ]
        filed = {"policy_id": self.ids["policy_id"], "peril": "RETURN"}
        claim = await self.post("claims", "/v1/claims", filed)
        await self.settle()
        shown = await self.get("claims", f"/v1/claims/{claim['claim_id']}")
        self.ids["voucher_id"] = shown["vouchers"][0]["voucher_id"]

    async def _at(self, now: str) -> None:
        await self.post(
            "policy", f"/v1/test-clocks/{self.ids['clock_id']}/advance", {"now": now}
        )
        await self.settle()

    async def settle(self) -> None:
        """Hand over what is said and let happen what is due, until nothing moves any more."""
        while any([await self._relay(service) for service in SERVICES]):
            for service in ("policy", "claims"):
                await self._fire_due(service)

    async def _relay(self, service: str) -> int:
        """Everything in the service's outbox to all that listen; nobody may park any of it."""
        async with self.clients[service].app.state.running.db.worker() as connection:
            rows = await connection.fetch(
                "DELETE FROM outbox RETURNING id, topic, key, sequence, envelope"
            )
        messages = [
            Inbound(
                row["topic"],
                0,
                next(self._offsets),
                row["key"],
                with_sequence(row["envelope"], row["sequence"]),
            )
            for row in sorted(rows, key=lambda row: row["id"])
        ]
        for listener in SERVICES:
            running = self.clients[listener].app.state.running
            topics = importlib.import_module(f"services.{listener}.app").SERVICE.topics
            heard = [message for message in messages if message.topic in topics]
            await deliver(running.db, listener, running.handlers, heard)
            assert await deadletter.list_letters(running.db) == []
        return len(messages)

    async def _fire_due(self, service: str) -> None:
        running = self.clients[service].app.state.running
        runner = DeadlineRunner(running.jobs)
        async with running.db.worker() as connection:
            while await runner.fire_due(connection, datetime.fromisoformat(DELIVERED)):
                pass
