"""Who acts: a caller, one of our services, an event or the clock; noted beside what is changed."""

from contextvars import ContextVar
from typing import Final

# Set at each door; a change that no door began is nobody's.
acting: Final[ContextVar[str]] = ContextVar("acting", default="")
