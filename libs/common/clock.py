"""The one place that reads the machine's clock. Everything else takes `now` as an argument."""

from datetime import UTC, datetime


def system_now() -> datetime:
    """This instant, aware, in UTC."""
    return datetime.now(UTC)
