"""A shop as the demo plays it: one sandbox tenant, its test clock, and the public APIs by HTTP."""

import asyncio
from copy import copy
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx

from deploy.local.papers import paper
from deploy.local.stack import Stack
from deploy.local.steps import Steps
from libs.common.auth import SCOPES

SETTLING_SECONDS = 60
POLL_SECONDS = 0.05

Json = dict[str, Any]


class Surprise(Exception):
    """Something answered otherwise than the story has it."""


class Shop:
    """Every call is one that any shop, carrier or claims desk could make."""

    def __init__(self, stack: Stack, sells_as: str, suffix: str, steps: Steps) -> None:
        self.sells_as = sells_as
        self.tenant_id = f"sbx-{sells_as}-{suffix}"
        self.email = f"ann@{self.tenant_id}.example"
        self.stack = stack
        self._steps = steps
        self._others: list[httpx.AsyncClient] = []
        self._http = self._caller("demo")
        self._clock: Json | None = None

    def _caller(self, subject: str) -> httpx.AsyncClient:
        token = self.stack.token(tenant=self.tenant_id, scopes=SCOPES, subject=subject)
        return httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=30)

    def acting_as(self, subject: str) -> "Shop":
        """Another person of the same sandbox, as long as the shop is open."""
        other = copy(self)
        other._http = self._caller(subject)
        self._others.append(other._http)
        return other

    async def close(self) -> None:
        for caller in (self._http, *self._others):
            await caller.aclose()

    def say(self, who: str, what: str, amount: str = "") -> None:
        self._steps.say(f"  {who:<10} {what:<68} {amount:>12}".rstrip())

    # --- requests ---------------------------------------------------------------------------

    async def post(self, service: str, path: str, body: Json) -> Json:
        response = await self._http.post(
            f"{self.stack.urls[service]}{path}",
            json=body,
            headers={"idempotency-key": uuid4().hex},
        )
        return _answer(response)

    async def enter_rate(self, currency: str, day: str, rate: str) -> Json:
        """The tenant's rate of the day: USD for one unit."""
        url = f"{self.stack.urls['quote']}/v1/exchange-rates/{currency}/{day}"
        return _answer(await self._http.put(url, json={"rate": rate}))

    async def upload(self, service: str, path: str, kind: str) -> Json:
        """A file: its bytes are the body."""
        response = await self._http.post(
            f"{self.stack.urls[service]}{path.partition('?')[0]}",
            params={"kind": kind, "name": kind} | _about(path),
            content=paper(kind),
            headers={"idempotency-key": uuid4().hex},
        )
        return _answer(response)

    async def get(self, service: str, path: str) -> Json:
        return _answer(await self._http.get(f"{self.stack.urls[service]}{path}"))

    # --- time -------------------------------------------------------------------------------

    async def at(self, instant: datetime) -> None:
        """Let the sandbox's business time come to this instant, and everything due until then."""
        body = {"now": instant.isoformat()}
        if self._clock is None:
            self._clock = await self.post("policy", "/v1/test-clocks", body)
        else:
            path = f"/v1/test-clocks/{self._clock['clock_id']}/advance"
            self._clock = await self.post("policy", path, body)
        await self.settle()

    async def later(self, **time: float) -> None:
        assert self._clock is not None
        await self.at(datetime.fromisoformat(self._clock["now"]) + timedelta(**time))

    async def settle(self) -> None:
        """Wait until every service is there and nothing moves any more."""
        assert self._clock is not None
        path = f"/v1/test-clocks/{self._clock['clock_id']}"
        try:
            async with asyncio.timeout(SETTLING_SECONDS):
                while (clock := await self.get("policy", path))["state"] != "ready":  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise Surprise(f"Time stands still: {clock['waiting_for']}") from None

    # --- one parcel's way -------------------------------------------------------------------

    async def quote(self, body: Json) -> Json:
        quote = await self.post("quote", "/v1/quotes", body)
        offer = quote["offers"][0]
        if not offer["is_available"]:
            raise Surprise(f"No offer: {offer['reasons']}")
        return quote

    async def bind(self, quote: Json, **more: object) -> Json:
        body = {
            "quote_id": quote["quote_id"],
            "contact": {"email": self.email, "locale": "en"},
            **more,
        }
        return await self.post("policy", "/v1/policies", body)

    async def pay(self, policy: Json, amount: Json, **more: object) -> Json:
        body = {"reference": f"shop-{uuid4().hex[:12]}", "amount": plain(amount), **more}
        return await self.post("policy", f"/v1/policies/{policy['policy_id']}/payments", body)

    async def dispatch(self, policy: Json, number: str, *, carrier: str = "ems") -> Json:
        body = {"carrier": carrier, "tracking_number": number}
        return await self.post("policy", f"/v1/policies/{policy['policy_id']}/dispatch", body)

    async def scan(self, policy: Json, status: str, at: datetime, **more: object) -> None:
        scan = {
            "policy_id": policy["policy_id"],
            "status": status,
            "occurred_at": at.isoformat(),
            **more,
        }
        answer = await self.post("policy", "/v1/tracking", {"scans": [scan]})
        if answer["results"][0]["result"] != "recorded":
            raise Surprise(f"The scan was {answer['results'][0]['result']}.")

    async def claim(self, policy: Json, peril: str, **more: object) -> Json:
        body = {"policy_id": policy["policy_id"], "peril": peril, **more}
        return await self.post("claims", "/v1/claims", body)

    async def evidence(self, policy: Json, *kinds: str) -> list[str]:
        """Upload papers for a policy; their ids, for a claim to name."""
        ids = []
        for kind in kinds:
            path = f"/v1/evidence?policy_id={policy['policy_id']}"
            ids.append((await self.upload("claims", path, kind))["evidence_id"])
        return ids

    async def decide(self, claim: Json, **body: object) -> Json:
        """An adjudicator's word."""
        return await self.post("claims", f"/v1/claims/{claim['claim_id']}/decision", body)

    async def recover(self, claim: Json, source: str, amount: Json) -> Json:
        body = {"source": source, "reference": f"{source}-{uuid4().hex[:8]}", "amount": amount}
        return await self.post("claims", f"/v1/claims/{claim['claim_id']}/recoveries", body)

    async def settle_payout(self, claim_id: str) -> Json:
        """The payment system hears of the payout and confirms it; the claim as it then stands."""
        await self.settle()
        claim = await self.get("claims", f"/v1/claims/{claim_id}")
        for payout in claim["payouts"]:
            if payout["state"] == "SENT":
                path = f"/v1/payouts/{payout['payout_id']}/settlement"
                await self.post(
                    "claims", path, {"state": "CONFIRMED", "reference": uuid4().hex}
                )
        await self.settle()
        return await self.get("claims", f"/v1/claims/{claim_id}")


def _about(path: str) -> dict[str, str]:
    """httpx replaces a URL's own query by `params`: keep what it says."""
    return dict(pair.split("=", 1) for pair in path.partition("?")[2].split("&") if pair)


def yuan(amount: str) -> Json:
    return of(amount, "CNY")


def of(amount: str, currency: str) -> Json:
    """A two-decimal amount as the APIs take it: "350.00" is 35000 minor units."""
    return {"amount_minor": int(Decimal(amount).scaleb(2)), "currency": currency}


def plain(amount: Json) -> Json:
    return {"amount_minor": amount["amount_minor"], "currency": amount["currency"]}


def shown(amount: Json) -> str:
    return str(amount["formatted"])


def decimal(amount: Json) -> str:
    """`70.00`: what the summary compares to the cent."""
    return str(Decimal(amount["amount_minor"]).scaleb(-2))


def _answer(response: httpx.Response) -> Json:
    if response.is_error:
        raise Surprise(
            f"{response.request.method} {response.request.url.path} answered "
            f"{response.status_code}: {response.text}"
        )
    answer: Json = response.json()
    return answer
