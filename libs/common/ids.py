"""Ids: a prefix that tells the kind, and 26 characters that sort by the time they were made."""

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(prefix: str) -> str:
    """A fresh id such as `pol_01JQZX7Y5V0000000000000000`: a ULID behind its prefix.

    Only uniqueness and rough order rest on the machine's clock here, never business time.
    """
    number = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10))
    return f"{prefix}_{_crockford(number)}"


def _crockford(number: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
