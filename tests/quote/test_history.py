"""A quote's changes, and the version that its ETag names."""

from tests.quote.builders import Json, wire
from tests.quote.desk import MONDAY, Desk, answered, refused


async def pages_of(desk: Desk, quote: Json, limit: int) -> list[Json]:
    path = f"/v1/quotes/{quote['quote_id']}/history"
    pages = [answered(await desk.see(path, limit=limit))]
    while pages[-1]["next_cursor"]:
        pages.append(
            answered(await desk.see(path, limit=limit, cursor=pages[-1]["next_cursor"]))
        )
    return pages


async def test_the_first_change_is_how_it_was_issued(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask()

    ((issued,),) = [page["items"] for page in await pages_of(desk, quote, 50)]

    assert (issued["version"], issued["type"], issued["occurred_at"]) == (
        1,
        "QuoteIssued",
        wire(MONDAY),
    )
    offer = quote["offers"][0]
    assert issued["data"]["state"] == "DRAFT"
    assert issued["data"]["offers"][0]["premium"] == offer["premium"]
    assert set(issued["data"]) == {"quote_id", "state", "offers", "valid_until"}


async def test_every_change_is_there_once_in_pages_of_any_size(desk: Desk) -> None:
    quote = await desk.asked_and_proven()
    answered(await desk.verify(quote, shown=["price"]))
    answered(await desk.upload(quote))
    answered(await desk.verify(quote))
    await desk.bind(quote, confirmed_at=MONDAY)
    names = [
        "QuoteIssued",
        "QuoteDocumentAdded",
        "QuoteInfoRequired",
        "QuoteDocumentAdded",
        "QuoteVerified",
        "QuoteBound",
    ]

    for limit in (1, 2, 5, 6, 50):
        changes = [c for page in await pages_of(desk, quote, limit) for c in page["items"]]

        assert [change["type"] for change in changes] == names, limit
        assert [change["version"] for change in changes] == [1, 2, 3, 4, 5, 6]
        assert [change["acted_by"] for change in changes[1:]] == [
            *["tests"] * 4,
            "event:PolicyIssued",
        ]


async def test_the_etag_counts_the_changes(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask()
    path = f"/v1/quotes/{quote['quote_id']}"

    issued = (await desk.see(path)).headers["etag"]
    answered(await desk.upload(quote))
    proven = (await desk.see(path)).headers["etag"]

    assert (issued, proven) == ('"1"', '"2"')


async def test_what_the_clock_does_is_the_clocks(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask()
    await desk.at(MONDAY.replace(day=16))

    (page,) = await pages_of(desk, quote, 50)

    assert [change["acted_by"] for change in page["items"]] == ["", "deadline:lapse_documents"]


async def test_another_tenants_history_is_not_there(desk: Desk) -> None:
    await desk.at(MONDAY)
    quote = await desk.ask()
    desk.tenant = "sbx-mypoz-others"

    refused(await desk.see(f"/v1/quotes/{quote['quote_id']}/history"), 404, "not-found")
