"""Ids: their form, and that one process's rise."""

import re

from libs.common.ids import new_id


def test_an_id_is_its_prefix_and_26_characters_of_crockfords_alphabet() -> None:
    assert re.fullmatch(r"pol_[0-7][0-9A-HJKMNP-TV-Z]{25}", new_id("pol"))


def test_ids_of_one_process_rise_within_a_millisecond_too() -> None:
    made = [new_id("evt") for _ in range(10_000)]
    assert made == sorted(set(made))
