"""Which worked examples cannot be had through HTTP, and why; all others are run.

An example stands here or is run, never neither: see test_every_example.py, which also holds each
reason to the example it is given for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from deploy.plans_check import Example, read_examples

FOLDER = Path(__file__).parents[1] / "plans" / "examples"
EXAMPLES = tuple(
    example for file in sorted(FOLDER.glob("*.yaml")) for example in read_examples(file)
)


class Why(StrEnum):
    """All the reasons there are."""

    OTHER_PARAMS = "the services serve the plans as they are published"
    NO_ENDPOINT = "there is no endpoint for it yet"
    FACT_NOT_TAKEN = "no door takes this fact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """`fact` is the one that no door takes."""

    why: Why
    fact: str = ""


# What no endpoint answers, with the word its path would hold.
WITHOUT_ENDPOINT: Mapping[str, str] = {
    "undeliverable": "instruction",
}

_PARAMS = Listed(why=Why.OTHER_PARAMS)
_ENDPOINT = Listed(why=Why.NO_ENDPOINT)

# By plan and id.
NOT_BY_HTTP: Mapping[tuple[str, str], Listed] = {
    # A quote of this plan is priced at once: it is never a draft that could be charged.
    ("bml-shipping", "X05"): Listed(why=Why.FACT_NOT_TAKEN, fact="quote_state"),
    ("cssecure", "C77"): _PARAMS,
    ("jsx-cargo", "J51"): _ENDPOINT,
    ("jsx-cargo", "J52"): _ENDPOINT,
    ("mypoz-cargo", "M03"): _PARAMS,
    ("mypoz-cargo", "M04"): _PARAMS,
    ("mypoz-cargo", "M44"): _PARAMS,
}

# Results of examples that are run which no answer holds.
NOT_SHOWN: Mapping[tuple[str, str], frozenset[str]] = {}

# Where a service answers otherwise than the engine, with what is wrong: an xfail each, strictly.
ANSWERED_OTHERWISE: Mapping[tuple[str, str], str] = {}


def key_of(example: Example) -> tuple[str, str]:
    return example.plan, example.id


def run_through_http(*asks: str) -> tuple[Example, ...]:
    """The examples of these operations that are not listed."""
    return tuple(
        example
        for example in EXAMPLES
        if example.ask in asks and key_of(example) not in NOT_BY_HTTP
    )
