"""A plan in plain words: as JSON for a checkout, as a page for people."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final

from fastapi import Header, Response

from libs.common.negotiation import prefers
from libs.common.pages import HTML, Layout, Locale, language_for
from libs.common.plans.book import UnknownPlan
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts
from libs.common.web import api_router
from libs.common.wire import View
from services.quote.api.plans import Reader, Version, sold_plan
from services.quote.domain.wording import Section, Wording
from services.quote.usecases import wording_of

router = api_router("/v1", tags=["plans"])

LAYOUT: Final = Layout(Path(__file__).parents[1] / "templates", "wording")
_JSON: Final = "application/json"
_VARY: Final = "Accept, Accept-Language"
# The least recently read is laid out again.
MAX_PAGES: Final = 256


class SectionView(View):
    heading: str
    sentences: list[str]

    @classmethod
    def of(cls, section: Section) -> "SectionView":
        return cls(heading=section.heading, sentences=list(section.sentences))


class WordingView(View):
    """A plan in words. Everything in it is read off the plan; the plan decides."""

    wording_id: str
    """What a consent names: another text has another id."""
    plan: str
    version: int
    locale: str
    """The language it is written in: en, zh-Hans or ms."""
    title: str
    sections: list[SectionView]
    text: str
    """All of it as plain text; the id's last part is from its SHA-256."""

    @classmethod
    def of(cls, wording: Wording) -> "WordingView":
        return cls(
            wording_id=wording.wording_id,
            plan=wording.plan,
            version=wording.version,
            locale=wording.locale,
            title=wording.title,
            sections=[SectionView.of(section) for section in wording.sections],
            text=wording.text,
        )


@router.get(
    "/plans/{plan}/wording",
    response_model=WordingView,
    responses={
        200: {"content": {HTML: {"schema": {"type": "string"}}}},
        **problem_responses(UnknownPlan),
    },
)
async def show_wording(
    plan: str,
    caller: Reader,
    db: Db,
    parts: Parts,
    version: Version = None,
    locale: Locale = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    accept_language: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """What a plan covers and what not, in plain words: JSON, or a page where `text/html` is
    preferred."""
    found, _ = await sold_plan(plan, version, caller, db, parts)
    language = language_for(locale, accept_language, parts.tenants.get(caller.tenant_id))
    wording = wording_of(found, language)
    is_page = prefers(accept, HTML, instead_of=_JSON)
    return Response(
        page(wording) if is_page else WordingView.of(wording).model_dump_json(),
        media_type=HTML if is_page else _JSON,
        headers={
            "Content-Language": language,
            "Vary": _VARY,
            **({"Content-Security-Policy": LAYOUT.policy} if is_page else {}),
        },
    )


@lru_cache(maxsize=MAX_PAGES)
def page(wording: Wording) -> str:
    return LAYOUT.render(wording=wording)
