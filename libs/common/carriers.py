"""Carriers' names, as they are compared wherever a parcel is told by its carrier and its number."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def carrier_key(name: str) -> str:
    """A carrier's name as names are compared: `UPS`, `ups` and `U.P.S.` are one."""
    return "".join(character for character in name.casefold() if character.isalnum())


def may_be_one_carrier(one: str, other: str) -> bool:
    """A carrier that is not named may be any."""
    key, other_key = carrier_key(one), carrier_key(other)
    return not key or not other_key or key == other_key
