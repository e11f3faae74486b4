"""Pages for people: one file without scripts that loads nothing; it reads and prints as it is."""

import base64
import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

from fastapi import Query
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from libs.common import words
from libs.common.negotiation import languages
from libs.common.plans.tenants import Tenant

HTML: Final = "text/html"

Locale = Annotated[
    str | None,
    Query(
        pattern="^[A-Za-z0-9_-]{2,35}$",
        description="The reader's language (BCP 47); English where we do not write it. "
        "Unset: by Accept-Language, or else your first language.",
        examples=["zh-Hans"],
    ),
]


class Layout:
    """A template and its style: `<name>.html.jinja` and `<name>.css` of a folder.

    The template puts `{{ style }}` into its one style element, as it is.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name

    def render(self, **values: object) -> str:
        """All text of the values is escaped."""
        template = self._templates.get_template(f"{self._name}.html.jinja")
        return template.render(**values, style=Markup(self._style))

    @cached_property
    def policy(self) -> str:
        """Its Content-Security-Policy: nothing but the style that stands in the page, by its hash."""
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        return (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"
        )

    @cached_property
    def _style(self) -> str:
        return (self._folder / f"{self._name}.css").read_text()

    @cached_property
    def _templates(self) -> Environment:
        return Environment(
            loader=FileSystemLoader(self._folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
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
