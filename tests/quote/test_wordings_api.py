"""Wordings through the door: the language and form the reader wants, and only of one's own plans."""

import base64
import hashlib
import html
import re
from typing import Any

import httpx
import pytest

from libs.common.auth import CLAIMS_READ
from services.quote.domain.wording import LANGUAGES
from tests.conftest import AppOf, Token
from tests.quote.builders import a_request

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
WORDING = "/v1/plans/cssecure/wording"


@pytest.fixture
async def quote_app(app_of: AppOf) -> httpx.AsyncClient:
    return await app_of("quote")


@pytest.fixture
def show(quote_app: httpx.AsyncClient, token: Token) -> Any:
    async def get(
        path: str = WORDING, *, tenant: str = "cssbuy", **headers: str
    ) -> httpx.Response:
        return await quote_app.get(
            path,
            headers={**token(tenant), **{k.replace("_", "-"): v for k, v in headers.items()}},
        )

    return get


async def test_shows_a_plan_in_words_with_the_id_of_its_text(show: Any) -> None:
    response = await show()

    told = response.json()
    digest = hashlib.sha256(told["text"].encode()).hexdigest()[:12]
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert told["wording_id"] == f"cssecure.v2.en.{digest}"
    assert (told["plan"], told["version"], told["locale"]) == ("cssecure", 2, "en")
    assert told["sections"][0] == {
        "heading": "What is insured",
        "sentences": ["All goods are insured."],
    }
    for section in told["sections"]:
        assert "\n".join([section["heading"], *section["sentences"]]) in told["text"]


async def test_shows_an_older_version_on_request(show: Any) -> None:
    first, second = await show(f"{WORDING}?version=1"), await show(f"{WORDING}?version=2")

    assert "The premium is 2% of the value of the goods." in first.json()["text"]
    assert "The premium is 3% of the sum insured." in second.json()["text"]


@pytest.mark.parametrize(
    ("tenant", "query", "accepted", "language"),
    [
        ("cssbuy", "", "", "en"),
        ("cssbuy", "?locale=zh-CN", "", "zh-Hans"),
        ("cssbuy", "?locale=zh_CN", "ms", "zh-Hans"),
        ("cssbuy", "?locale=de", "ms", "en"),
        ("cssbuy", "", "ms-MY, en;q=0.5", "ms"),
        ("cssbuy", "", "de, zh;q=0.8, en;q=0.2", "zh-Hans"),
        ("cssbuy", "", "de, zh-TW", "en"),
        ("cssbuy", "", "*", "en"),
        ("sbx-cssbuy-1", "", "", "en"),
    ],
)
async def test_speaks_the_language_asked_for_or_welcome_or_else_the_tenants_first(
    show: Any, tenant: str, query: str, accepted: str, language: str
) -> None:
    headers = {"accept_language": accepted} if accepted else {}

    response = await show(f"{WORDING}{query}", tenant=tenant, **headers)

    assert response.json()["locale"] == language
    assert response.headers["content-language"] == language
    assert response.headers["vary"] == "Accept, Accept-Language"


async def test_only_whoever_sells_the_plan_may_read_it(
    show: Any, quote_app: httpx.AsyncClient, token: Token
) -> None:
    refused = [
        await show(tenant="mypoz"),
        await show("/v1/plans/nowhere/wording"),
        await show(f"{WORDING}?version=99"),
    ]
    scopeless = await quote_app.get(WORDING, headers=token("cssbuy", [CLAIMS_READ]))
    nobody = await quote_app.get(WORDING)

    assert [(one.status_code, one.json()["code"]) for one in refused] == [
        (404, "unknown-plan")
    ] * 3
    assert (scopeless.status_code, nobody.status_code) == (403, 401)


@pytest.mark.parametrize("locale", ["", "x", "en'--", "a" * 36, "<b>"])
async def test_a_locale_that_is_none_is_refused(show: Any, locale: str) -> None:
    response = await show(f"{WORDING}?locale={locale}")

    assert (response.status_code, response.json()["code"]) == (422, "invalid-request")


# --- the page --------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", LANGUAGES)
async def test_a_browser_gets_a_page_with_the_same_words(show: Any, locale: str) -> None:
    told = (await show(f"{WORDING}?locale={locale}")).json()

    response = await show(f"{WORDING}?locale={locale}", accept=BROWSER)

    page = response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert f'<html lang="{locale}">' in page
    assert told["wording_id"] in page
    for section in told["sections"]:
        for sentence in section["sentences"]:
            assert f"<p>{html.escape(sentence, quote=False)}</p>" in page.replace("&#39;", "'")


async def test_the_page_loads_nothing_runs_nothing_and_its_policy_says_so(show: Any) -> None:
    response = await show(accept="text/html")

    page, policy = response.text, response.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.findall(
        r"<script|<link|<img|<iframe|<form| on\w+=|style=|url\(|@import", page
    )
    assert "@media print" in style
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_json_is_sent_where_no_page_is_preferred(show: Any) -> None:
    for accept in ("*/*", "application/json", "application/json, text/html"):
        response = await show(accept=accept)

        assert response.headers["content-type"] == "application/json"


# --- what a consent names --------------------------------------------------------------------


async def test_every_offer_and_every_plan_name_the_ids_of_their_wordings(
    show: Any, quote_app: httpx.AsyncClient, token: Token
) -> None:
    ids = {
        language: (await show(f"{WORDING}?locale={language}")).json()["wording_id"]
        for language in LANGUAGES
    }

    quote = await quote_app.post("/v1/quotes", json=a_request(), headers=token("cssbuy"))
    listed = await show("/v1/plans")
    older = await show("/v1/plans/cssecure?version=1")

    assert [offer["wordings"] for offer in quote.json()["offers"]] == [ids]
    assert [plan["wordings"] for plan in listed.json()["items"]] == [ids]
    assert older.json()["wordings"].keys() == ids.keys()
    assert not set(older.json()["wordings"].values()) & set(ids.values())
