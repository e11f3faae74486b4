"""What a measured child process is told."""

import msgspec


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """`count` is how much each round is of; `only_ours` leaves the baseline out, for a profile."""

    count: int
    repeats: int
    database_url: str = ""
    admin_url: str = ""
    bootstrap: str = ""
    is_idempotent: bool = True
    only_ours: bool = False
