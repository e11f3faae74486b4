"""Ids: a prefix that tells the kind, and 26 characters that sort by the time they were made."""

import os
import re
import time

# The whole of a tenant's id. It is put into a comma separated database setting.
TENANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")

_last = 0
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two characters at a time: an id is made for every quote, policy, claim and event.
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS = tuple(range(120, -1, -10))


def new_id(prefix: str) -> str:
    """A fresh id such as `pol_01JQZX7Y5V0000000000000000`: a ULID behind its prefix.

    One process's ids rise, within a millisecond too. Only uniqueness and rough order rest on the
    machine's clock here, never business time.
    """
    global _last
    number = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10))
    _last = number if number > _last else _last + 1
    return f"{prefix}_{_crockford(_last)}"


def _crockford(number: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])
