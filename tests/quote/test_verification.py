"""Proof of purchase as work for the staff: its clocks, its queue, and what ends it (MP-07..MP-14)."""

import asyncio
from datetime import datetime, timedelta

import pytest

from libs.common.pagination import Page
from services.quote.api.work import WorkView
from services.quote.store.quotes import get_quote
from tests.files import PDF
from tests.quote.builders import a_request, wire
from tests.quote.desk import (
    COAT,
    KUALA_LUMPUR,
    MONDAY,
    PHONE,
    Desk,
    answered,
    refused,
)

TICK = timedelta(microseconds=1)
OTHER = "sbx-mypoz-others"


def kl(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2024, month, day, hour, tzinfo=KUALA_LUMPUR)


# --- what is opened --------------------------------------------------------------------------


async def test_a_quote_that_wants_papers_is_work_from_the_start(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask()

    (work,) = await desk.queue()

    assert (work["quote_id"], work["state"], work["kinds"]) == (
        quote["quote_id"],
        "AWAITING_DOCUMENTS",
        ["documents"],
    )
    # Seven working days: the whole of Wednesday week (MP-13, G-07).
    assert work["lapses_at"] == wire(kl(5, 16))
    assert (work["opened_at"], work["due_at"]) == (wire(MONDAY), None)


async def test_a_priced_quote_and_a_declined_one_are_nobodys_work(desk: Desk) -> None:
    desk.tenant = "sbx-cssbuy-tests"
    priced = answered(await desk.send("/v1/quotes", a_request()))
    declined = answered(await desk.send("/v1/quotes", a_request(point="checkout")))

    assert (priced["state"], declined["state"]) == ("PRICED", "DECLINED")
    assert await desk.queue() == []
    assert await desk.due_deadlines() == 0


async def test_a_repeated_ask_opens_no_second_verification(desk: Desk) -> None:
    headers = desk.token(desk.tenant)
    request = {
        "point": "order_submission",
        "customer": {"customer_id": "ann"},
        "order": {"order_ref": "MPZ-1"},
        "parcel": {"line": "SEA-MY", "destination": "MY"},
        "items": [PHONE],
        "shipping_fee": {"amount_minor": 4_500, "currency": "MYR"},
    }
    answers = [
        await desk.client.post("/v1/quotes", json=request, headers=headers) for _ in range(2)
    ]

    assert answers[0].content == answers[1].content
    assert len(await desk.queue()) == 1


# --- DOCS_LAPSE ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opened", "lapses"),
    [
        (kl(5, 6, 9), kl(5, 16)),  # Monday: the seventh working day is Wednesday week
        (kl(5, 10, 23), kl(5, 22)),  # Friday evening: the weekend counts nothing
        (kl(5, 11), kl(5, 22)),  # Saturday: Monday is the first
    ],
)
async def test_mp_13_papers_may_come_until_the_seventh_working_day_is_over(
    desk: Desk, opened: datetime, lapses: datetime
) -> None:
    await desk.at(opened)
    in_time, late = await desk.ask(), await desk.ask()

    await desk.at(lapses - TICK)
    answered(await desk.upload(in_time))
    await desk.at(lapses)

    assert (await desk.shown(in_time))["state"] == "UNDER_VERIFICATION"
    assert (await desk.shown(late))["state"] == "INVALID"
    refused(await desk.upload(late), 409, "nothing-to-verify")
    assert (await desk.said(late))[-1] == (
        "QuoteInvalidated",
        {
            "quote_id": late["quote_id"],
            "cause": "DOCUMENTS_LAPSED",
            "invalidated_at": wire(lapses),
        },
    )


async def test_mp_13_papers_are_too_late_even_before_the_clock_has_struck(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask()
    await desk.set_clock(kl(5, 16))

    refused(await desk.upload(quote), 409, "documents-too-late")

    assert await desk.due_deadlines() == 1
    await desk.fire_due()
    assert await desk.due_deadlines() == 0


async def test_mp_13_a_quote_that_waits_for_papers_outlives_the_days_of_a_price(
    desk: Desk,
) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask()

    await desk.at(MONDAY + timedelta(days=9))

    assert datetime.fromisoformat(quote["valid_until"]) == MONDAY + timedelta(days=7)
    assert (await desk.shown(quote))["state"] == "DRAFT"


async def test_mp_13_a_bound_quote_whose_papers_do_not_come_is_invalid_too(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask()
    await desk.bind(quote)
    assert (await desk.shown(quote))["state"] == "BOUND"
    (work,) = await desk.queue()
    assert (work["policy_id"], work["state"]) == ("pol_1", "AWAITING_DOCUMENTS")

    await desk.at(kl(5, 16))

    assert (await desk.shown(quote))["state"] == "INVALID"
    assert await desk.names_said(quote) == ["QuoteBound", "QuoteInvalidated"]


async def test_mp_13_a_policy_bound_while_its_quote_lapsed_hears_of_it(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask()
    await desk.at(kl(5, 16))

    await desk.bind(quote, at=kl(5, 15, 23))

    assert (await desk.shown(quote))["state"] == "INVALID"
    said = await desk.said(quote)
    assert [name for name, _ in said] == [
        "QuoteInvalidated",
        "QuoteBound",
        "QuoteInvalidated",
    ]
    assert said[0] == said[2]


async def test_mp_13_a_policy_of_a_verified_quote_does_not_lapse(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    answered(await desk.verify(quote))
    await desk.bind(quote, confirmed_at=MONDAY)

    await desk.at(MONDAY + timedelta(days=60))

    assert (await desk.shown(quote))["state"] == "BOUND"
    assert "QuoteInvalidated" not in await desk.names_said(quote)


async def test_mp_11_better_papers_are_awaited_from_the_first_day_anew(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    await desk.at(kl(5, 15, 12))

    asked = answered(await desk.verify(quote, shown=["price", "quantity"]))

    missing = ["product_name", "picture", "actual_payment_amount"]
    assert (asked["state"], asked["missing"]) == ("INFO_REQUIRED", missing)
    assert (await desk.said(quote))[-1] == (
        "QuoteInfoRequired",
        {"quote_id": quote["quote_id"], "missing": missing, "lapses_at": wire(kl(5, 25))},
    )
    await desk.at(kl(5, 25) - TICK)
    assert (await desk.shown(quote))["state"] == "INFO_REQUIRED"
    await desk.at(kl(5, 25))
    assert (await desk.shown(quote))["state"] == "INVALID"


async def test_mp_11_better_papers_bring_it_back_to_the_staff(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    answered(await desk.verify(quote, shown=["price"]))
    await desk.at(MONDAY + timedelta(days=1))

    answered(await desk.upload(quote))

    work = await desk.file_of(quote)
    assert (work["state"], work["lapses_at"], work["missing"]) == (
        "UNDER_VERIFICATION",
        None,
        [],
    )
    assert work["due_at"] == wire(MONDAY + timedelta(days=1, hours=4))


# --- VERIFY ----------------------------------------------------------------------------------


async def test_mp_10_a_missed_target_escalates_and_never_approves(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    due_at = MONDAY + timedelta(hours=4)

    await desk.at(due_at)
    in_time = await desk.file_of(quote)
    await desk.at(due_at + TICK)
    late = await desk.file_of(quote)

    assert (in_time["due_at"], in_time["is_overdue"], in_time["escalated_at"]) == (
        wire(due_at),
        False,
        None,
    )
    assert (late["state"], late["is_overdue"], late["escalated_at"]) == (
        "UNDER_VERIFICATION",
        True,
        wire(due_at + TICK),
    )
    said = await desk.said(quote)
    assert [name for name, _ in said] == ["QuoteDocumentAdded", "VerificationOverdue"]
    assert said[-1][1]["due_at"] == wire(due_at)


async def test_mp_10_q15_the_four_hours_run_by_the_wall_clock(desk: Desk) -> None:
    """Over the night and the weekend too (domain.md Q15)."""
    await desk.at(kl(5, 10, 23))
    quote = await desk.ask()
    answered(await desk.upload(quote))

    assert (await desk.file_of(quote))["due_at"] == wire(kl(5, 11, 3))


async def test_mp_10_a_quote_with_the_staff_never_ends_by_their_slowness(desk: Desk) -> None:
    quote = await desk.asked_and_proven()

    await desk.at(MONDAY + timedelta(days=100))

    assert (await desk.shown(quote))["state"] == "UNDER_VERIFICATION"
    assert answered(await desk.verify(quote))["state"] == "PRICED"


async def test_mp_10_verified_in_time_escalates_nothing(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    answered(await desk.verify(quote))

    await desk.at(MONDAY + timedelta(hours=5))

    assert await desk.names_said(quote) == ["QuoteDocumentAdded", "QuoteVerified"]
    assert await desk.queue() == []
    (work,) = await desk.queue(state="VERIFIED")
    assert (work["decided_by"], work["is_overdue"]) == ("tests", False)


async def test_mp_08_another_kind_of_paper_is_not_the_proof(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask()
    answered(await desk.upload(quote, "parcel_numbers"))

    assert (await desk.file_of(quote))["state"] == "AWAITING_DOCUMENTS"
    problem = refused(await desk.verify(quote), 409, "documents-missing")
    assert "proof_of_purchase" in problem["detail"]


# --- the amount ------------------------------------------------------------------------------


async def test_mp_12_a_confirmed_price_can_be_accepted_for_the_days_of_a_price(
    desk: Desk,
) -> None:
    quote = await desk.asked_and_proven()
    confirmed = MONDAY + timedelta(days=20)
    await desk.at(confirmed)
    answered(await desk.verify(quote))

    shown = await desk.shown(quote)
    await desk.at(confirmed + timedelta(days=7, microseconds=1))
    late = await desk.shown(quote)

    assert (shown["state"], shown["confirmed_at"]) == ("PRICED", wire(confirmed))
    assert shown["valid_until"] == wire(confirmed + timedelta(days=7))
    assert late["state"] == "EXPIRED"


async def test_mp_17_q13_the_lower_of_value_and_payment_counts_up_to_the_plans_cap(
    desk: Desk,
) -> None:
    cheaper, dearer = await desk.asked_and_proven(), await desk.asked_and_proven()
    answered(
        await desk.verify(cheaper, actual_payment={"amount_minor": 90_000, "currency": "MYR"})
    )
    answered(await desk.verify(dearer, 9_000_000))

    (paid,), (capped,) = [(await desk.shown(one))["offers"] for one in (cheaper, dearer)]
    assert paid["insured_value"]["amount_minor"] == 90_000
    assert capped["insured_value"]["amount_minor"] == 5_000_000
    assert capped["premium"]["amount_minor"] == 190_000


@pytest.mark.parametrize(
    ("minor", "more"),
    [(0, {}), (5, {"actual_payment": {"amount_minor": 0, "currency": "MYR"}})],
)
async def test_mp_17_goods_that_are_worth_nothing_are_not_insured(
    desk: Desk, minor: int, more: dict[str, object]
) -> None:
    quote = await desk.asked_and_proven()

    refused(await desk.verify(quote, minor, **more), 422, "nothing-insured")

    assert (await desk.file_of(quote))["state"] == "UNDER_VERIFICATION"


async def test_mp_10_papers_that_suffice_leave_it_with_the_staff(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    before = await desk.file_of(quote)

    answer = answered(await desk.verify(quote, None))

    assert (answer["state"], answer["missing"]) == ("UNDER_VERIFICATION", [])
    assert await desk.file_of(quote) == before


async def test_mp_11_papers_that_suffice_after_all_bring_it_back_to_the_staff(
    desk: Desk,
) -> None:
    """By a call (MP-11): no better paper had to come."""
    quote = await desk.asked_and_proven()
    answered(await desk.verify(quote, shown=["price"]))
    later = MONDAY + timedelta(days=2)
    await desk.at(later)

    answer = answered(await desk.verify(quote, None))

    assert (answer["state"], answer["missing"]) == ("UNDER_VERIFICATION", [])
    due_at = wire(later + timedelta(hours=4))
    assert (await desk.said(quote))[-1] == (
        "VerificationResumed",
        {"quote_id": quote["quote_id"], "due_at": due_at},
    )
    await desk.at(MONDAY + timedelta(days=60))
    assert (await desk.shown(quote))["state"] == "UNDER_VERIFICATION"


async def test_a_bound_quote_stays_bound_when_it_is_verified(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    await desk.bind(quote)

    verified = answered(await desk.verify(quote))

    assert verified["state"] == "BOUND"
    shown = await desk.shown(quote)
    assert shown["valid_until"] == quote["valid_until"]
    assert await desk.names_said(quote) == [
        "QuoteDocumentAdded",
        "QuoteBound",
        "QuoteVerified",
    ]


# --- two at once -----------------------------------------------------------------------------


async def test_of_twenty_who_verify_at_once_one_does(desk: Desk) -> None:
    quote = await desk.asked_and_proven()

    answers = await asyncio.gather(*(desk.verify(quote) for _ in range(20)))

    codes = sorted(answer.json().get("code", "") for answer in answers)
    assert codes == ["", *["already-verified"] * 19]
    assert (await desk.names_said(quote)).count("QuoteVerified") == 1


async def test_who_has_seen_an_older_version_is_told_so(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    path = f"/v1/verifications/{quote['quote_id']}"
    seen = (await desk.see(path)).headers["etag"]
    answered(await desk.upload(quote))

    problem = refused(await desk.verify(quote, if_match=seen), 412, "changed-meanwhile")
    current = (await desk.see(path)).headers["etag"]
    verified = await desk.verify(quote, if_match=current)

    assert (seen, problem["version"], current) == ('"2"', 3, '"3"')
    assert verified.headers["etag"] == '"4"'
    refused(await desk.verify(quote, if_match="4"), 422, "bad-etag")


# --- the queue -------------------------------------------------------------------------------


async def test_the_queue_has_what_is_due_first_at_its_head(desk: Desk) -> None:
    await desk.at(MONDAY)
    waiting, first, second, done = [await desk.ask() for _ in range(4)]
    answered(await desk.upload(first))
    await desk.at(MONDAY + timedelta(hours=1))
    answered(await desk.upload(second))
    answered(await desk.upload(done))
    answered(await desk.verify(done))

    pages = [answered(await desk.see("/v1/verifications", limit=1))]
    while pages[-1]["next_cursor"]:
        cursor = pages[-1]["next_cursor"]
        pages.append(answered(await desk.see("/v1/verifications", limit=1, cursor=cursor)))

    listed = [item["quote_id"] for page in pages for item in page["items"]]
    assert listed == [one["quote_id"] for one in (first, second, waiting)]
    assert Page[WorkView].model_validate(pages[0])


async def test_the_queue_is_filtered(desk: Desk) -> None:
    await desk.at(MONDAY)
    waiting = await desk.ask()
    late = await desk.ask()
    answered(await desk.upload(late))
    await desk.at(MONDAY + timedelta(hours=5))
    fresh = await desk.ask()
    answered(await desk.upload(fresh))
    path = f"/v1/verifications/{fresh['quote_id']}/assignment"
    answered(await desk.send(path, {"is_taken": True}))

    async def found(**params: object) -> list[str]:
        return [item["quote_id"] for item in await desk.queue(**params)]

    noon = wire(MONDAY + timedelta(hours=3))
    assert await found(state="AWAITING_DOCUMENTS") == [waiting["quote_id"]]
    assert await found(is_overdue=True) == [late["quote_id"]]
    assert await found(is_overdue=False) == [fresh["quote_id"], waiting["quote_id"]]
    assert await found(assigned_to="tests") == [fresh["quote_id"]]
    assert await found(plan="mypoz-cargo", since=noon) == [fresh["quote_id"]]
    assert await found(until=noon) == [late["quote_id"], waiting["quote_id"]]
    assert await found(plan="cssecure") == []
    refused(await desk.see("/v1/verifications", cursor="x"), 422, "bad-cursor")


async def test_a_verification_is_taken_and_given_back(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    path = f"/v1/verifications/{quote['quote_id']}/assignment"

    taken = await desk.send(path, {"is_taken": True}, if_match='"2"')
    answered(await desk.send(path, {"is_taken": True}))
    refused(
        await desk.send(path, {"is_taken": False}, if_match='"2"'), 412, "changed-meanwhile"
    )
    given_back = await desk.send(path, {"is_taken": False})

    assert (answered(taken)["assigned_to"], taken.headers["etag"]) == ("tests", '"3"')
    assert answered(given_back)["assigned_to"] is None
    assert [(n, s["assigned_to"]) for n, s in (await desk.said(quote))[1:]] == [
        ("VerificationAssigned", "tests"),
        ("VerificationAssigned", None),
    ]


async def test_what_another_has_taken_is_given_back_first(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    async with desk.db.transaction(desk.tenant) as tx:
        await tx.execute(
            "UPDATE verifications SET assigned_to = 'bob' WHERE tenant_id = $1", desk.tenant
        )
    path = f"/v1/verifications/{quote['quote_id']}/assignment"

    problem = refused(await desk.send(path, {"is_taken": True}), 409, "already-assigned")

    assert "bob" in problem["detail"]
    answered(await desk.send(path, {"is_taken": False}))
    answered(await desk.send(path, {"is_taken": True}))


async def test_what_is_decided_is_not_taken_any_more(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    answered(await desk.verify(quote))
    path = f"/v1/verifications/{quote['quote_id']}/assignment"

    refused(await desk.send(path, {"is_taken": True}), 409, "nothing-to-verify")


async def test_the_file_has_all_that_the_staff_need(desk: Desk) -> None:
    quote = await desk.asked_and_proven(PHONE, COAT)

    file = await desk.file_of(quote)

    assert file["request"]["items"][1]["item_class"] == "clothing"
    assert [one["kind"] for one in file["documents"]] == ["proof_of_purchase"]
    assert [one["verdict"] for one in file["offer"]["items"]] == ["ACCEPT", "REFER"]
    assert (file["kinds"], file["review"]) == (["documents", "goods"], None)


# --- papers ----------------------------------------------------------------------------------


async def test_staff_download_a_paper_as_what_it_is_and_to_be_saved(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    name = 'Rechnung "1"; größe.pdf'
    paper = answered(await desk.upload(quote, name=name))
    path = f"/v1/quotes/{quote['quote_id']}/documents"

    listed = answered(await desk.see(path))
    bytes_ = await desk.see(f"{path}/{paper['evidence_id']}")

    assert [one["name"] for one in listed["items"]] == ["a.pdf", name]
    assert (bytes_.content, bytes_.headers["content-type"]) == (PDF, "application/pdf")
    assert bytes_.headers["x-content-type-options"] == "nosniff"
    assert bytes_.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''Rechnung%20%221%22%3B%20gr%C3%B6%C3%9Fe.pdf"
    )


async def test_the_papers_of_another_quote_are_not_there(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    other = await desk.ask()
    paper = (await desk.file_of(quote))["documents"][0]["evidence_id"]

    assert answered(await desk.see(f"/v1/quotes/{other['quote_id']}/documents"))["items"] == []
    refused(
        await desk.see(f"/v1/quotes/{other['quote_id']}/documents/{paper}"), 404, "not-found"
    )


async def test_a_quote_has_a_bounded_number_of_papers(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.quote.usecases.verification.MAX_DOCUMENTS", 2)
    quote = await desk.asked_and_proven()
    answered(await desk.upload(quote))

    refused(await desk.upload(quote), 409, "too-many-documents")


# --- tenants ---------------------------------------------------------------------------------


async def test_another_tenants_verification_is_not_there(desk: Desk) -> None:
    quote = await desk.asked_and_proven(PHONE, COAT)
    quote_id = quote["quote_id"]
    paper = (await desk.file_of(quote))["documents"][0]["evidence_id"]
    desk.tenant = OTHER

    seen = [
        await desk.see(path)
        for path in (
            f"/v1/verifications/{quote_id}",
            f"/v1/quotes/{quote_id}/documents",
            f"/v1/quotes/{quote_id}/documents/{paper}",
        )
    ]
    sent = [
        await desk.send(f"/v1/verifications/{quote_id}/assignment", {"is_taken": True}),
        await desk.review(quote, coat="ACCEPT"),
        await desk.verify(quote),
    ]

    for answer in (*seen, *sent):
        refused(answer, 404, "not-found")
    assert await desk.queue() == []


# --- a quote of several plans ----------------------------------------------------------------


async def test_the_offer_that_was_bound_is_the_one_whose_papers_are_awaited(
    desk: Desk,
) -> None:
    """A PRICED quote may hold an offer that wants papers: they are awaited once it is bound."""
    await desk.at(MONDAY)
    quote = await desk.ask()
    async with desk.db.transaction(desk.tenant) as tx:
        await tx.execute("DELETE FROM verifications WHERE tenant_id = $1", desk.tenant)
        await tx.execute("UPDATE quotes SET state = 'PRICED' WHERE tenant_id = $1", desk.tenant)
    refused(await desk.upload(quote), 409, "nothing-to-verify")

    await desk.bind(quote, at=MONDAY + timedelta(days=1))

    (work,) = await desk.queue()
    assert (work["state"], work["lapses_at"]) == ("AWAITING_DOCUMENTS", wire(kl(5, 17)))
    answered(await desk.upload(quote))
    async with desk.db.transaction(desk.tenant) as tx:
        kept = await get_quote(tx, quote["quote_id"], tenant_id=desk.tenant)
    assert kept.state == "BOUND"
