"""Statements: a claim's money, a policy's, and a month of the books, each to the cent."""

import asyncio
import io
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from rich.console import Console

from deploy.statements import show_month, unsound
from libs.common.ids import new_id
from libs.common.money import Money
from tests.claims.desk import Desk, done, refused, way_of
from tests.claims.money import (
    a_paid_loss,
    a_voucher,
    accept,
    books_are_sound,
    instant,
    paid,
    recover,
)
from tests.conftest import AppOf, DbOf, Token
from tests.policy.builders import OTHER_TENANT, Json, amount
from tests.policy.serving import served

Books = Counter[tuple[str, str]]


@pytest.fixture
async def desk(app_of: AppOf, db_of: DbOf, token: Token) -> AsyncIterator[Desk]:
    policies: Any = await app_of("policy")
    async with served(policies.app) as url:
        desk = await Desk.open(app_of, db_of, token, policy_url=url)
        yield desk
        await books_are_sound(desk)


async def a_loss_to_be_decided(desk: Desk) -> Json:
    """Goods of 1,650.00 and freight of 350.00, lost by the agent's word."""
    policy_id, goods = new_id("pol"), Money(165_000, "CNY")
    terms = {"goods_value": goods, "eligible_goods_value": goods}
    await desk.hears(*way_of(policy_id, insured_value=Money(200_000, "CNY"), **terms))
    ids = await desk.papers("agent_loss_confirmation", policy_id=policy_id)
    return await desk.a_claim(
        "LOSS", policy_id=policy_id, is_whole_parcel=True, evidence_ids=ids
    )


async def lived(desk: Desk) -> tuple[Json, Json]:
    """Three months: a loss found again in March, a dear one in April, a voucher used in May."""
    await desk.at("2024-03-02T09:00")
    loss = await a_paid_loss(desk, new_id("pol"))
    body = {"found_at": "2024-03-02T08:00:00Z", "note": "It lay in the depot."}
    done(await desk.post(f"/v1/claims/{loss['claim_id']}/found", body))
    # The last instant of March in UTC, which is April in Shanghai.
    await desk.at("2024-03-31T23:59:59.999999")
    dear = await a_loss_to_be_decided(desk)
    await desk.at("2024-04-01T00:00")
    dear = await paid(desk, await accept(desk, dear), "2024-04-01T00:00")
    done(await recover(desk, dear, amount(50_000)))
    voucher = await a_voucher(desk, new_id("pol"))
    await desk.at("2024-05-05T09:00")
    path = f"/v1/vouchers/{voucher['voucher_id']}/redemption"
    done(await desk.post(path, {"second_fee": amount(30_000), "reference": "second-1"}))
    return await desk.show(loss), await desk.show(dear)


def books(balances: Iterable[Json]) -> Books:
    """Minor units by account and currency."""
    found: Books = Counter()
    for one in balances:
        found[one["account"], one["currency"]] += one["amount_minor"]
    return found


def nothing_left(balances: Iterable[Json]) -> bool:
    sums: defaultdict[str, int] = defaultdict(int)
    for one in balances:
        sums[one["currency"]] += one["amount_minor"]
    return not any(sums.values())


def without_zeros(found: Books) -> dict[tuple[str, str], int]:
    return {key: minor for key, minor in found.items() if minor}


async def test_a_month_closes_with_what_it_opened_with_and_what_moved(desk: Desk) -> None:
    await lived(desk)
    months = [
        done(await desk.get(f"/v1/statements/months/2024-{number:02}"))
        for number in range(2, 7)
    ]

    before: list[Json] = []
    for month in months:
        assert month["opening"] == before
        opening, moved = books(month["opening"]), books(month["movements"])
        opening.update(moved)
        assert without_zeros(opening) == books(month["closing"])
        for part in ("opening", "movements", "closing"):
            assert nothing_left(month[part]), (month["since"], part)
        before = month["closing"]
    kinds = [{moved["kind"] for moved in month["movements"]} for month in months]
    assert kinds == [
        set(),
        {"payout", "payout-settled", "repayment-due", "reserve"},
        {"payout", "payout-settled", "repayment-due", "reserve"},
        {"voucher-used", "voucher-lapsed"},
        set(),
    ]
    # A month is one of UTC: the dear loss was reserved in March and released in April.
    assert books(months[1]["closing"])["reserve", "CNY"] == -200_000
    assert ("reserve", "CNY") not in books(months[2]["closing"])
    assert without_zeros(books(months[4]["closing"])) == {
        ("cash", "CNY"): -350_000,
        ("claims", "CNY"): 240_000,
        ("recovery", "CNY"): 110_000,
    }


async def test_a_claims_and_a_policys_statement_run_to_their_balances(desk: Desk) -> None:
    loss, dear = await lived(desk)

    for claim in (loss, dear):
        of_claim = done(await desk.get(f"/v1/claims/{claim['claim_id']}/statement"))
        path = f"/v1/statements/policies/{claim['policy_id']}"
        assert done(await desk.get(path)) == of_claim
        running: Books = Counter()
        for transfer in of_claim["transfers"]:
            assert nothing_left(transfer["entries"])
            running.update(books(transfer["entries"]))
            assert without_zeros(running) == books(transfer["balances"])
        assert books(of_claim["balances"]) == without_zeros(running)
    kinds = [transfer["kind"] for transfer in of_claim["transfers"]]
    assert kinds == ["reserve", "reserve", "payout", "payout-settled", "repayment-due"]
    # Another claim on the policy is in the policy's statement alone.
    other = await desk.a_claim("SEIZURE", policy_id=loss["policy_id"])
    empty = done(await desk.get(f"/v1/claims/{other['claim_id']}/statement"))
    assert not {t["kind"] for t in empty["transfers"]} & {"payout", "repayment-due"}


async def test_a_statement_is_of_the_callers_own_books(desk: Desk) -> None:
    loss, _ = await lived(desk)
    other = desk.of(OTHER_TENANT)

    path = f"/v1/statements/policies/{loss['policy_id']}"
    refused(await other.get(path), 404, "nothing-booked")
    refused(await other.get(f"/v1/claims/{loss['claim_id']}/statement"), 404, "unknown-claim")
    march = done(await other.get("/v1/statements/months/2024-03"))
    assert (march["opening"], march["movements"], march["closing"]) == ([], [], [])
    assert instant(march["until"]) == instant("2024-04-01T00:00:00+00:00")
    for wrong in ("2024-13", "2024-3", "march"):
        refused(await desk.get(f"/v1/statements/months/{wrong}"), 422, "invalid-request")


# --- the command -------------------------------------------------------------------------------


async def test_the_command_shows_both_services_books_in_one_table(
    desk: Desk, app_of: AppOf
) -> None:
    await lived(desk)
    policies: Any = await app_of("policy")
    bearer = desk.token(desk.tenant)["authorization"].removeprefix("Bearer ")
    console = Console(record=True, width=120, file=io.StringIO())
    async with served(policies.app) as policy_url, served(desk.client.app) as claims_url:
        urls = {"policy": policy_url, "claims": claims_url}
        code = await asyncio.to_thread(show_month, "2024-04", urls, bearer, console)
        refused_code = await asyncio.to_thread(show_month, "2024-04", urls, "wrong", console)

    printed = console.export_text()
    assert code == 0, printed
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines()]
    assert ["reserve", "-¥2,000.00", "¥2,000.00", "¥0.00"] in rows
    assert ["claims", "payout-settled", "cash", "1", "-¥2,000.00"] in rows
    assert "2024-04 in UTC: every column sums to zero in each currency." in printed
    assert refused_code == 2


def test_books_that_do_not_sum_to_zero_are_found() -> None:
    def balance(account: str, minor_units: int) -> Json:
        return {"account": account, "currency": "CNY", "amount_minor": minor_units}

    sound: Json = {
        "opening": [balance("cash", -1), balance("claims", 1)],
        "movements": [balance("cash", -2), balance("claims", 2)],
        "closing": [balance("cash", -3), balance("claims", 3)],
    }
    assert unsound([sound, sound]) == []
    lost = {**sound, "closing": [balance("cash", -3), balance("claims", 2)]}
    assert unsound([sound, lost]) == [
        "closing: -¥0.01 too much.",
        "claims: opens with ¥0.02, moves by ¥0.04, and closes with ¥0.05.",
    ]
