"""Goods that the plan refers: a person's verdicts, and the price that follows from them (MP-28)."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from libs.common.settings import PROGRAMMES
from tests.conftest import AppOf, Token
from tests.quote.builders import Json, wire
from tests.quote.desk import COAT, MONDAY, PHONE, TOY, Desk, answered, refused


def verdicts_of(quote: Json) -> dict[str, str]:
    (offer,) = quote["offers"]
    return {item["item_id"]: item["verdict"] for item in offer["items"]}


async def test_mp_28_goods_on_neither_list_are_work_for_the_staff(desk: Desk) -> None:
    await desk.at(MONDAY)
    await desk.ask(PHONE)
    await desk.ask(PHONE, COAT)
    await desk.ask(COAT)

    kinds = [work["kinds"] for work in await desk.queue()]

    assert kinds == [["documents"], ["documents", "goods"], ["documents", "goods"]]


async def test_mp_28_accepted_goods_are_priced_and_go_on_to_their_papers(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask(PHONE, COAT)

    reviewed = answered(await desk.review(quote, coat="ACCEPT"))

    shown = await desk.shown(quote)
    (offer,) = shown["offers"]
    assert (reviewed["state"], shown["state"], reviewed["confirmed_at"]) == (
        "DRAFT",
        "DRAFT",
        None,
    )
    assert verdicts_of(shown) == {"phone": "ACCEPT", "coat": "ACCEPT"}
    # 3.8 % of RM 1,700.
    assert reviewed["premium"] == offer["premium"]
    assert offer["premium"]["amount_minor"] == 6_460
    assert [item["verdict"] for item in offer["terms"]["items"]] == ["ACCEPT", "ACCEPT"]
    assert offer["terms"]["eligible_goods_value"]["amount_minor"] == 170_000


async def test_mp_28_of_half_accepted_goods_the_accepted_half_is_insured(desk: Desk) -> None:
    quote = await desk.asked_and_proven(COAT, TOY)
    assert quote["offers"][0]["terms"] is None
    answered(await desk.review(quote, coat="ACCEPT", toy="DECLINE"))

    verified = answered(await desk.verify(quote, 70_000))

    shown = await desk.shown(quote)
    assert verified["state"] == shown["state"] == "PRICED"
    assert verdicts_of(shown) == {"coat": "ACCEPT", "toy": "DECLINE"}
    assert shown["offers"][0]["insured_value"]["amount_minor"] == 70_000
    (verified_said,) = [
        said for name, said in await desk.said(quote) if name == "QuoteVerified"
    ]
    assert [item["verdict"] for item in verified_said["terms"]["items"]] == [
        "ACCEPT",
        "DECLINE",
    ]


async def test_mp_28_where_nothing_is_accepted_the_quote_is_declined(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask(COAT, TOY)

    reviewed = answered(await desk.review(quote, coat="DECLINE", toy="DECLINE"))

    shown = await desk.shown(quote)
    (offer,) = shown["offers"]
    assert (reviewed["state"], shown["state"]) == ("DECLINED", "DECLINED")
    assert (offer["is_available"], offer["reasons"]) == (False, ["GOODS_EXCLUDED"])
    assert (await desk.said(quote)) == [
        (
            "QuoteDeclined",
            {
                "quote_id": quote["quote_id"],
                "cause": "GOODS_DECLINED",
                "declined_at": wire(MONDAY),
            },
        )
    ]
    await desk.at(MONDAY + timedelta(days=30))
    assert (await desk.shown(quote))["state"] == "DECLINED"
    refused(await desk.review(quote, coat="ACCEPT", toy="ACCEPT"), 409, "nothing-to-verify")


async def test_mp_28_declined_goods_leave_the_rest_insured(desk: Desk) -> None:
    quote = await desk.asked_and_proven(PHONE, COAT)

    reviewed = answered(await desk.review(quote, coat="DECLINE"))

    assert reviewed["state"] == "UNDER_VERIFICATION"
    assert reviewed["premium"]["amount_minor"] == 3_800
    name, said = (await desk.said(quote))[-1]
    assert (name, said["state"], said["verdicts"]) == (
        "QuoteReviewed",
        "UNDER_VERIFICATION",
        [{"item_id": "coat", "verdict": "DECLINE"}],
    )


async def test_no_amount_is_confirmed_before_the_goods_are_reviewed(desk: Desk) -> None:
    quote = await desk.asked_and_proven(PHONE, COAT)

    refused(await desk.verify(quote), 409, "goods-not-reviewed")

    answered(await desk.verify(quote, shown=["price"]))
    answered(await desk.review(quote, coat="ACCEPT"))
    assert answered(await desk.verify(quote))["state"] == "PRICED"


async def test_verdicts_are_for_the_referred_lines_and_all_of_them(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask(PHONE, COAT, TOY)

    for verdicts in (
        {"coat": "ACCEPT"},
        {"coat": "ACCEPT", "toy": "ACCEPT", "phone": "DECLINE"},
    ):
        problem = refused(await desk.review(quote, **verdicts), 422, "verdicts-incomplete")
        assert "coat, toy" in problem["detail"]
    refused(await desk.review(quote, coat="REFER", toy="ACCEPT"), 422, "invalid-request")
    refused(await desk.review(quote), 422, "invalid-request")


async def test_goods_are_reviewed_once(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote, plain = await desk.ask(PHONE, COAT), await desk.ask(PHONE)

    answers = await asyncio.gather(*(desk.review(quote, coat="ACCEPT") for _ in range(5)))

    codes = sorted(answer.json().get("code", "") for answer in answers)
    assert codes == ["", *["already-reviewed"] * 4]
    refused(await desk.review(plain, phone="ACCEPT"), 409, "nothing-to-review")


async def test_a_review_by_an_older_version_is_refused(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask(PHONE, COAT)
    seen = (await desk.see(f"/v1/quotes/{quote['quote_id']}")).headers["etag"]
    answered(await desk.upload(quote))

    refused(await desk.review(quote, coat="ACCEPT", if_match=seen), 412, "changed-meanwhile")


async def test_the_file_says_who_reviewed_and_why(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask(PHONE, COAT)
    answered(await desk.review(quote, coat="ACCEPT"))

    assert (await desk.file_of(quote))["review"] == {
        "verdicts": {"coat": "ACCEPT"},
        "note": "Seen with the customer.",
        "reviewed_by": "tests",
        "reviewed_at": wire(MONDAY),
    }


async def test_a_bound_quotes_policy_hears_the_reviewed_terms(desk: Desk) -> None:
    quote = await desk.asked_and_proven(PHONE, COAT)
    await desk.bind(quote)

    assert answered(await desk.review(quote, coat="ACCEPT"))["state"] == "BOUND"
    assert answered(await desk.verify(quote, 170_000))["state"] == "BOUND"

    name, said = (await desk.said(quote))[-1]
    assert (name, said["terms"]["insured_value"]["amount_minor"]) == ("QuoteVerified", 170_000)
    assert [item["verdict"] for item in said["terms"]["items"]] == ["ACCEPT", "ACCEPT"]


# --- a plan that refers goods and asks for no papers -----------------------------------------


@pytest.fixture
async def paperless(app_of: AppOf, token: Token, tmp_path: Path) -> Desk:
    """MyPoz as it would be without a proof of purchase."""
    plans = tmp_path / "plans"
    plans.mkdir()
    for file in PROGRAMMES.glob("*.yaml"):
        lines = file.read_text().splitlines(keepends=True)
        if file.name.startswith("mypoz"):
            lines = [one for one in lines if not one.startswith(("documents:", "  documents:"))]
        (plans / file.name).write_text("".join(lines))
    return Desk(await app_of("quote", evidence=str(tmp_path), plans=plans), token)


async def test_mp_28_goods_without_papers_are_with_the_staff_at_once(paperless: Desk) -> None:
    desk = paperless
    await desk.at(MONDAY)
    plain, quote = await desk.ask(PHONE), await desk.ask(PHONE, COAT)

    (work,) = await desk.queue()

    assert (plain["state"], quote["state"]) == ("PRICED", "UNDER_VERIFICATION")
    assert (work["state"], work["kinds"]) == ("UNDER_VERIFICATION", ["goods"])
    assert (work["due_at"], work["lapses_at"]) == (wire(MONDAY + timedelta(hours=4)), None)
    refused(await desk.upload(quote), 409, "nothing-to-verify")
    refused(await desk.verify(quote), 409, "nothing-to-verify")


async def test_mp_28_their_verdict_makes_the_price(paperless: Desk) -> None:
    desk = paperless
    await desk.at(MONDAY)
    quote = await desk.ask(PHONE, COAT)
    later = MONDAY + timedelta(days=10)
    await desk.at(later)

    reviewed = answered(await desk.review(quote, coat="ACCEPT"))

    shown = await desk.shown(quote)
    assert (reviewed["state"], reviewed["confirmed_at"]) == ("PRICED", wire(later))
    assert shown["valid_until"] == wire(later + timedelta(days=7))
    assert await desk.names_said(quote) == ["VerificationOverdue", "QuoteReviewed"]
    refused(await desk.review(quote, coat="ACCEPT"), 409, "already-verified")


async def test_mp_28_a_policy_that_waits_for_their_verdict_hears_the_amount(
    paperless: Desk,
) -> None:
    desk = paperless
    await desk.at(MONDAY)
    quote = await desk.ask(PHONE, COAT)
    await desk.bind(quote)

    answered(await desk.review(quote, coat="ACCEPT"))

    assert await desk.names_said(quote) == ["QuoteBound", "QuoteReviewed", "QuoteVerified"]
