"""What a caller would rather have: Accept headers as RFC 9110 reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.negotiation import MAX_ENTRIES, languages, prefers, weights

CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


@pytest.mark.parametrize(
    ("accept", "is_html"),
    [
        (CHROME, True),
        ("text/html", True),
        ("TEXT/HTML; charset=utf-8", True),
        ("text/*", True),
        ("application/json;q=0.5, text/html;q=0.51", True),
        ("application/json, text/html", False),
        ("application/json;q=0.9, text/html;q=0.8", False),
        ("text/html;q=0", False),
        ("*/*", False),
        ("", False),
        ("text/html;q=nan", False),
        ("text/html;q=2", False),
    ],
)
def test_a_page_is_sent_only_where_it_is_liked_better_than_json(
    accept: str, is_html: bool
) -> None:
    assert prefers(accept, "text/html", instead_of="application/json") is is_html


def test_the_most_specific_range_gives_the_weight() -> None:
    accept = "text/*;q=0.9, text/html;q=0.1, */*;q=0.5"

    assert not prefers(accept, "text/html", instead_of="application/json")


@pytest.mark.parametrize(
    ("header", "welcome"),
    [
        ("ms-MY, ms;q=0.9, en;q=0.8", ["ms-my", "ms", "en"]),
        ("en;q=0.3, zh-CN;q=0.9, fr;q=0", ["zh-cn", "en"]),
        ("*", ["*"]),
        ("", []),
        (";;,,q=1;", ["q=1"]),
    ],
)
def test_languages_come_best_first_without_those_refused(
    header: str, welcome: list[str]
) -> None:
    assert languages(header) == welcome


def test_of_a_name_given_twice_the_first_counts_and_a_long_list_is_not_read_out() -> None:
    assert weights("en;q=0.1, en") == {"en": 100}
    assert len(weights(",".join(f"x{i}" for i in range(500)))) == MAX_ENTRIES


@given(st.text())
def test_no_header_is_too_strange(header: str) -> None:
    assert all(0 <= weight <= 1000 for weight in weights(header).values())
