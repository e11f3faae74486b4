"""Plan files read, checked and compiled; a broken one is refused with its place and the remedy."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from libs.common.errors import Fault
from libs.common.plans.book import PlanBook
from libs.common.plans.compiling import compile_plan
from libs.common.plans.documents import BrokenDocument, broken, read_bytes, read_document
from libs.common.plans.expressions import Param
from libs.common.plans.values import Plan

MAX_FILES = 1_000


class BrokenPlan(BrokenDocument):
    code = "broken-plan"
    title = "A plan file is broken"


def load(folder: Path) -> PlanBook:
    """Every `*.yaml` of the folder, all versions; BrokenPlan with the first fault of each file."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise BrokenPlan(f"There is no plan file (*.yaml) in {folder}.")
    if len(paths) > MAX_FILES:
        raise BrokenPlan(
            f"{folder} holds {len(paths)} plan files; at most {MAX_FILES} are read."
        )
    plans: list[Plan] = []
    refusals: list[BrokenDocument] = []
    for path in paths:
        try:
            plans.append(read_plan(path))
        except BrokenDocument as refusal:
            refusals.append(refusal)
    if refusals:
        raise _all(refusals)
    return book_of(plans)


def read_plan(path: Path, overrides: Mapping[str, Param] | None = None) -> Plan:
    """One plan file; `overrides` replace params, as the `with` of a worked example does."""
    try:
        content = read_bytes(path)
    except BrokenDocument as refusal:
        raise _all([refusal]) from None
    return read_plan_bytes(content, path.name, overrides)


def read_plan_bytes(
    content: bytes, file: str, overrides: Mapping[str, Param] | None = None
) -> Plan:
    """The plan in these bytes, pinned to their sha256; BrokenPlan where it is broken."""
    return _compiled(content, file, overrides) if overrides else _published(content, file)


# The same bytes are the same plan: what is made of it, such as its wordings, is made once.
@lru_cache(maxsize=MAX_FILES)
def _published(content: bytes, file: str) -> Plan:
    return _compiled(content, file, {})


def _compiled(content: bytes, file: str, overrides: Mapping[str, Param]) -> Plan:
    try:
        document = read_document(content, file)
        digest = hashlib.sha256(content).hexdigest()
        return compile_plan(
            document, sha256=digest, source=content.decode(), overrides=overrides
        )
    except BrokenDocument as refusal:
        raise _all([refusal]) from None


def book_of(plans: Sequence[Plan]) -> PlanBook:
    """The plans in a book; BrokenPlan where two versions overlap or stand in the wrong order."""
    versions: dict[str, list[Plan]] = {}
    for plan in sorted(plans, key=lambda plan: (plan.plan, plan.version)):
        versions.setdefault(plan.plan, []).append(plan)
    for group in versions.values():
        for earlier, later in pairwise(group):
            _check_order(earlier, later)
    return PlanBook(versions={name: tuple(group) for name, group in versions.items()})


def _check_order(earlier: Plan, later: Plan) -> None:
    place = f"{later.plan}.v{later.version}.yaml"
    if earlier.version == later.version:
        raise _all([broken(place, 1, "version", f"{later.name} is published twice")])
    if earlier.valid_from == later.valid_from:
        reason = (
            f"{earlier.name} and {later.name} overlap: both are valid from {later.valid_from};"
            " a version ends where the next begins"
        )
        raise _all([broken(place, 1, "valid_from", reason)])
    if later.valid_from < earlier.valid_from:
        reason = (
            f"{later.name} begins on {later.valid_from}, before {earlier.name}"
            f" ({earlier.valid_from}); a later version begins later"
        )
        raise _all([broken(place, 1, "valid_from", reason)])


def _all(refusals: Sequence[BrokenDocument]) -> BrokenPlan:
    faults: list[Fault] = [fault for refusal in refusals for fault in refusal.faults]
    return BrokenPlan("\n".join(refusal.detail for refusal in refusals), faults=faults)
