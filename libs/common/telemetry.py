"""What a process says about itself: one JSON line an occurrence, and numbers to be scraped.

A log line is an event name and fields; it never holds a token, a key, an address or a body.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final

import msgspec
import structlog
from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)

REGISTRY: Final = CollectorRegistry()
for _collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
    REGISTRY.register(_collector)

# A checkout's patience is about a second, so the buckets are finest below it.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0)

HTTP_REQUESTS: Final = Counter(
    "parcelcover_http_requests",
    "Requests answered, by route template.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
HTTP_SECONDS: Final = Histogram(
    "parcelcover_http_request_seconds",
    "From the first byte of a request to the last of its answer.",
    ["method", "route"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
OUTBOX_DEPTH: Final = Gauge(
    "parcelcover_outbox_depth", "Events committed and not yet acknowledged.", registry=REGISTRY
)
OUTBOX_OLDEST_SECONDS: Final = Gauge(
    "parcelcover_outbox_oldest_seconds", "Age of the oldest such event.", registry=REGISTRY
)
RELAY_SENT: Final = Counter(
    "parcelcover_relay_sent",
    "Events the broker has acknowledged.",
    ["topic"],
    registry=REGISTRY,
)
CONSUMED: Final = Counter(
    "parcelcover_consumed",
    "Events read, by what became of them: handled, repeated, skipped, parked, waiting.",
    ["consumer", "type", "result"],
    registry=REGISTRY,
)
DEADLINES_FIRED: Final = Counter(
    "parcelcover_deadlines_fired",
    "Deadlines run, by result: done, failed.",
    ["kind", "result"],
    registry=REGISTRY,
)

TRACKING_POSTS: Final = Counter(
    "parcelcover_tracking_posts",
    "What carriers posted, by provider and result: kept, repeated, refused.",
    ["provider", "result"],
    registry=REGISTRY,
)
TRACKING_NOTICES: Final = Counter(
    "parcelcover_tracking_notices",
    "Notices of carriers read, by provider and state: READ, UNREADABLE, FAILED.",
    ["provider", "state"],
    registry=REGISTRY,
)
TRACKING_LAG_SECONDS: Final = Histogram(
    "parcelcover_tracking_lag_seconds",
    "From keeping a notice of a carrier to its scans being in its parcel's history.",
    ["provider"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0, 60.0, 600.0, 3600.0),
    registry=REGISTRY,
)


@lru_cache(maxsize=4096)
def _request_metrics(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Kept, because finding a child by its labels costs more than counting."""
    return HTTP_REQUESTS.labels(method, route, status), HTTP_SECONDS.labels(method, route)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """One answered request. `route` is a template: a path as sent would never end."""
    requests, histogram = _request_metrics(method, route, status)
    requests.inc()
    histogram.observe(seconds)


@lru_cache(maxsize=4096)
def _tracking_posts(provider: str, result: str) -> Counter:
    return TRACKING_POSTS.labels(provider, result)


def count_tracking_post(provider: str, result: str) -> None:
    _tracking_posts(provider, result).inc()


@lru_cache(maxsize=1024)
def _tracking_read(provider: str, state: str) -> tuple[Counter, Histogram]:
    return TRACKING_NOTICES.labels(provider, state), TRACKING_LAG_SECONDS.labels(provider)


def count_tracking_read(provider: str, state: str, lag_seconds: float | None) -> None:
    """One notice that was read; None for one that was read before."""
    notices, lag = _tracking_read(provider, state)
    notices.inc()
    if lag_seconds is not None:
        lag.observe(lag_seconds)


request_id: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)

_SECRET = re.compile(
    r"authori[sz]ation|cookie|password|passwd|secret|signature|token$|api_?key|private|e_?mail",
    re.IGNORECASE,
)


def configure_logging(service: str, level: str = "INFO") -> None:
    """JSON lines on standard output for our own events and for what libraries log; call once."""
    shared: list[structlog.typing.Processor] = [
        _name_service(service),
        _name_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level]
        ),
        logger_factory=structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                lambda *args: _json(args[2]).decode(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _name_service(service: str) -> structlog.typing.Processor:
    def name(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        event["service"] = service
        return event

    return name


def _name_request(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    if (current := request_id.get()) is not None:
        event["request_id"] = current
    return event


def _redact(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """The second lock: nobody should log such a field, and if somebody does it says nothing."""
    for name in event:
        if _is_secret(name):
            event[name] = "[redacted]"
    return event


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def _json(event: Mapping[str, Any], **_: object) -> bytes:
    try:
        return msgspec.json.encode(event, enc_hook=repr)
    except (ValueError, TypeError, RecursionError):
        # Lone surrogates and keys that are no strings: a log line must never fail its request.
        return json.dumps(event, default=repr, skipkeys=True).encode()
