"""A plan in plain words: as JSON for a checkout, as a page for people."""

import base64
import hashlib
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Final

from fastapi import Header, Query, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from libs.common import words
from libs.common.negotiation import languages, prefers
from libs.common.plans.book import UnknownPlan
from libs.common.plans.tenants import Tenant
from libs.common.problems import problem_responses
from libs.common.service import Db, Parts
from libs.common.web import api_router
from libs.common.wire import View
from services.quote.api.plans import Reader, Version, sold_plan
from services.quote.domain.wording import Section, Wording
from services.quote.usecases import wording_of

router = api_router("/v1", tags=["plans"])

TEMPLATES: Final = Path(__file__).parents[1] / "templates"
_HTML: Final = "text/html"
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
        200: {"content": {_HTML: {"schema": {"type": "string"}}}},
        **problem_responses(UnknownPlan),
    },
)
async def show_wording(
    plan: str,
    caller: Reader,
    db: Db,
    parts: Parts,
    version: Version = None,
    locale: Annotated[
        str | None,
        Query(
            pattern="^[A-Za-z0-9_-]{2,35}$",
            description="The reader's language (BCP 47); English where we do not write it. "
            "Unset: by Accept-Language, or else your first language.",
            examples=["zh-Hans"],
        ),
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
    accept_language: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """What a plan covers and what not, in plain words: JSON, or a page where `text/html` is
    preferred."""
    found, _ = await sold_plan(plan, version, caller, db, parts)
    language = language_for(locale, accept_language, parts.tenants.get(caller.tenant_id))
    wording = wording_of(found, language)
    is_page = prefers(accept, _HTML, instead_of=_JSON)
    return Response(
        page(wording) if is_page else WordingView.of(wording).model_dump_json(),
        media_type=_HTML if is_page else _JSON,
        headers={
            "Content-Language": language,
            "Vary": _VARY,
            **({"Content-Security-Policy": page_policy()} if is_page else {}),
        },
    )


def language_for(locale: str | None, accept_language: str, tenant: Tenant | None) -> str:
    """The one asked for, or the first welcome one that we write, or the tenant's first."""
    if locale is not None:
        return words.language_of(locale)
    welcome = (words.spoken(one) for one in languages(accept_language))
    first = next((one for one in welcome if one is not None), None)
    if first is not None:
        return first
    spoken = () if tenant is None else tenant.languages
    return words.language_of(next(iter(spoken), words.FALLBACK))


# --- the page --------------------------------------------------------------------------------


@lru_cache(maxsize=MAX_PAGES)
def page(wording: Wording) -> str:
    """One file without scripts that loads nothing; it reads and prints as it is."""
    template = _templates().get_template("wording.html.jinja")
    return template.render(wording=wording, style=Markup(_style()))


@cache
def page_policy() -> str:
    """Nothing but the style that stands in the page, by its hash."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


@cache
def _style() -> str:
    return (TEMPLATES / "wording.css").read_text()


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
