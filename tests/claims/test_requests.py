"""What a claimant is asked for, as pure decisions: once, with everything, until it comes or lapses."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from libs.common.plans.codes import Outcome
from services.claims.domain import requests
from services.claims.domain.decision import Decision, Gap
from services.claims.domain.requests import InformationRequest
from tests.claims.builders import BOOK, at
from tests.claims.test_clocks import MONDAY, a_decision, a_gap

PLAN = "cssecure"
LAPSES_AT = at("2024-05-13T16:00")
JUST_BEFORE = LAPSES_AT - timedelta(microseconds=1)


def asking(*gaps: Gap, **changes: Any) -> Decision:
    windows: dict[str, Any] = {"info_until": date(2024, 5, 13), "lapses_at": LAPSES_AT}
    return a_decision(PLAN, Outcome.INFO_REQUIRED, missing=gaps, **{**windows, **changes})


def of_engine(*gaps: Gap) -> InformationRequest:
    return requests.asked_by_engine(asking(*gaps), "inf_1", MONDAY)


def of_person(*kinds: str) -> InformationRequest:
    plan = BOOK.newest(PLAN)
    return requests.asked_by_person(plan, kinds, "Please.", "inf_1", "carol", MONDAY)


def moved(
    request: InformationRequest, decision: Decision, now: datetime, *, is_settled: bool = False
) -> InformationRequest:
    return requests.moved_on(request, decision, now, is_settled=is_settled)


REFERRED = a_decision(PLAN)


def test_g_12_all_gaps_are_asked_for_at_once() -> None:
    asked = of_engine(a_gap("damage_photos"), a_gap("product_images"))

    assert asked.missing == ("damage_photos", "product_images")
    assert (asked.info_until, asked.lapses_at) == (date(2024, 5, 13), LAPSES_AT)


def test_g_12_a_changed_list_is_the_same_request() -> None:
    asked = of_engine(a_gap("damage_photos"), a_gap("product_images"))

    after = moved(asked, asking(a_gap("product_images")), MONDAY)

    assert after == replace(asked, missing=("product_images",))


def test_mp_11_a_persons_request_has_the_plans_window_and_holds_until_it_comes() -> None:
    asked = of_person("product_images", "weight_photo", "product_images")

    assert asked.missing == ("product_images", "weight_photo")
    assert (asked.info_until, asked.lapses_at) == (date(2024, 5, 13), LAPSES_AT)
    assert asked.holds(MONDAY)
    assert asked.holds(JUST_BEFORE)
    assert not asked.holds(LAPSES_AT)

    half = requests.answered(asked, ["product_images"], "")
    assert half.holds(MONDAY)
    assert moved(half, REFERRED, MONDAY).missing == ("weight_photo",)
    whole = requests.answered(half, ["weight_photo", "damage_photos"], "")
    assert not whole.holds(MONDAY)
    assert moved(whole, REFERRED, MONDAY).answered_at == MONDAY


def test_what_the_plan_misses_meanwhile_stands_beside_a_persons_request() -> None:
    asked = of_person("product_images")

    after = moved(asked, asking(a_gap("damage_photos")), MONDAY)

    assert (after.missing, after.lapses_at) == (
        ("damage_photos", "product_images"),
        LAPSES_AT,
    )


@pytest.mark.parametrize("request_", [of_engine(a_gap()), of_person("product_images")])
def test_it_lapses_at_its_end_and_is_answered_before(request_: InformationRequest) -> None:
    late = moved(request_, a_decision(PLAN, Outcome.DENIED), LAPSES_AT)
    assert (late.lapsed_at, late.answered_at) == (LAPSES_AT, None)

    come = replace(request_, outstanding=())
    in_time = moved(come, REFERRED, JUST_BEFORE)
    assert (in_time.lapsed_at, in_time.answered_at) == (None, JUST_BEFORE)


def test_a_settled_decision_ends_what_was_asked() -> None:
    denied = a_decision(PLAN, Outcome.DENIED)

    assert not moved(of_person("product_images"), denied, MONDAY, is_settled=True).is_open


def test_g_08_a_claimants_deadline_never_pauses() -> None:
    """However often the claim went back and forth, the window is the one that was said."""
    asked = of_person("product_images", "weight_photo")

    later = moved(
        requests.answered(asked, ["weight_photo"], "Tomorrow."),
        asking(a_gap(), lapses_at=at("2024-06-01T16:00")),
        at("2024-05-10T01:00"),
    )

    assert (later.info_until, later.lapses_at) == (asked.info_until, asked.lapses_at)


def test_the_claimant_is_reminded_two_days_before_the_end_once() -> None:
    asked, decision = of_engine(a_gap()), asking(a_gap())
    remind_at = requests.remind_at(asked, decision)

    assert remind_at == at("2024-05-11T16:00")
    assert requests.last_day(asked, BOOK.newest(PLAN)) == date(2024, 5, 13)
    for done in (
        replace(asked, reminded_at=remind_at),
        replace(asked, answered_at=MONDAY),
        replace(asked, lapsed_at=LAPSES_AT),
        replace(asked, lapses_at=None),
        # A window no longer than that.
        replace(asked, asked_at=at("2024-05-11T16:00")),
    ):
        assert requests.remind_at(done, decision) is None


def test_nobody_is_reminded_of_papers_only_the_provider_brings() -> None:
    letter = a_gap("carrier_loss_letter", awaits_provider=True)

    assert requests.remind_at(of_engine(letter), asking(letter)) is None
    both = (letter, a_gap())
    assert requests.remind_at(of_engine(*both), asking(*both)) is not None
    assert requests.remind_at(of_person("product_images"), asking(letter)) is not None


def test_replies_are_kept_up_to_a_number() -> None:
    asked = of_engine(a_gap())
    for number in range(requests.MAX_REPLIES):
        asked = requests.answered(asked, (), f"reply {number}")

    assert asked.replies[-1] == f"reply {requests.MAX_REPLIES - 1}"
    with pytest.raises(requests.TooManyReplies):
        requests.answered(asked, (), "one more")
