"""What breaks a reader is told, by its place; what does not is let pass."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from deploy import asyncapi as published
from libs.common.events import Event
from libs.common.money import Money
from tests.contracts import refresh, snapshots
from tests.contracts.compatibility import breaks

PAID = "io.parcelcover.PolicyPaid.v1"


class Reason(msgspec.Struct, frozen=True):
    code: str
    weight: Decimal = Decimal(0)


class ReasonWithMore(msgspec.Struct, frozen=True):
    """A part that has grown."""

    code: str
    weight: Decimal = Decimal(0)
    detail: str = ""


class ReasonWithLess(msgspec.Struct, frozen=True):
    code: str


class ReasonThatAsksMore(msgspec.Struct, frozen=True):
    code: str
    detail: str
    weight: Decimal = Decimal(0)


Members = dict[str, Any]

NOTHING = object()

# By name the type, and the default where there is one.
MEMBERS: Members = {
    "policy_id": str,
    "state": Literal["ACTIVE", "EXPIRED"],
    "amount": Money,
    "paid_at": datetime,
    "reasons": (tuple[Reason, ...], ()),
    "note": (str | None, None),
    "refund": (Money | None, None),
    "marks": (dict[str, int], {}),
}


def schema(topic: str = "policies", **changes: Any) -> snapshots.Json:
    """The schema of an event with these members, one changed, added or (NOTHING) left out."""
    members = {**MEMBERS, **changes}
    fields = [
        (name, *(member if isinstance(member, tuple) else (member,)))
        for name, member in members.items()
        if member is not NOTHING
    ]
    event: Any = msgspec.defstruct(
        "Happened",
        fields,
        bases=(Event,),
        namespace={"topic": topic, "source": "/tests"},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )
    return snapshots.schema_of(event)


BREAKING: dict[str, tuple[Members, str]] = {
    "a member is gone": ({"paid_at": NOTHING}, "paid_at is gone"),
    "an optional member is gone": ({"note": NOTHING}, "note is gone"),
    "a new member is required": ({"channel": str}, "channel is new and is required"),
    "an optional member is required now": ({"note": str | None}, "note was optional"),
    "a member may be missing now": ({"amount": (Money, None)}, "amount was always there"),
    "a number became a text": ({"marks": (dict[str, str], {})}, "marks[] was type integer"),
    "an instant became any text": (
        {"paid_at": str},
        "paid_at was format date-time, type string",
    ),
    "a text became a list": ({"policy_id": tuple[str, ...]}, "policy_id was type string"),
    "a member may be null now": ({"paid_at": datetime | None}, "paid_at was"),
    "a member may not be null now": ({"note": (str, "")}, "note was one of 2 kinds"),
    "a choice more": ({"state": Literal["ACTIVE", "EXPIRED", "VOID"]}, "state was enum"),
    "a part lost a member": (
        {"reasons": (tuple[ReasonWithLess, ...], ())},
        "reasons[].weight is gone",
    ),
    "a part asks for more": (
        {"reasons": (tuple[ReasonThatAsksMore, ...], ())},
        "reasons[].detail is new and is required",
    ),
    "an optional part became another": (
        {"refund": (Reason | None, None)},
        "refund.amount_minor is gone",
    ),
    "another topic": ({"topic": "claims"}, "the event was"),
}


@pytest.mark.parametrize(("changes", "says"), BREAKING.values(), ids=BREAKING.keys())
def test_a_breaking_change_is_told_with_its_place(changes: Members, says: str) -> None:
    found = breaks(schema(), schema(**changes))

    assert any(one.startswith(says) for one in found), found


HARMLESS: dict[str, Members] = {
    "nothing": {},
    "an optional member more": {"channel": (str, "mail")},
    "an optional part more": {"fee": (Money | None, None)},
    "a part has an optional member more": {"reasons": (tuple[ReasonWithMore, ...], ())},
    "another default": {"note": (str | None, "none")},
}


@pytest.mark.parametrize("changes", HARMLESS.values(), ids=HARMLESS.keys())
def test_growth_is_let_pass(changes: Members) -> None:
    assert breaks(schema(), schema(**changes)) == []


# --- the refreshing command ------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Snapshots and document of their own, as the code has them now."""
    refresh.main(tmp_path / "snapshots", tmp_path / "asyncapi.yaml")
    return tmp_path


def refreshed(folder: Path) -> int:
    return refresh.main(folder / "snapshots", folder / "asyncapi.yaml")


def test_refreshing_keeps_what_the_code_has(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert snapshots.kept(folder / "snapshots") == snapshots.now()
    assert (folder / "asyncapi.yaml").read_text() == published.text()
    capsys.readouterr()

    assert refreshed(folder) == 0
    assert capsys.readouterr().out == ""


def test_refreshing_takes_an_event_that_has_grown(folder: Path) -> None:
    path = folder / "snapshots" / f"{PAID}.json"
    before = json.loads(path.read_text())
    del before["$defs"]["PolicyPaid"]["properties"]["cover_start"]
    path.write_text(json.dumps(before))

    assert refreshed(folder) == 0
    assert snapshots.kept(folder / "snapshots")[PAID] == snapshots.now()[PAID]


def test_refreshing_refuses_what_breaks_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "snapshots" / f"{PAID}.json"
    path.write_text(path.read_text().replace('"paid_at"', '"paid_on"'))
    was = path.read_text()

    assert refreshed(folder) == 1
    told = capsys.readouterr().err
    assert f"{PAID}: paid_on is gone" in told
    assert f"{PAID}: paid_at is new and is required" in told
    assert "version: ClassVar[int] = 2" in told
    assert path.read_text() == was


def test_an_event_that_nobody_says_any_more_is_told(folder: Path) -> None:
    kept, now = snapshots.kept(folder / "snapshots"), snapshots.now()
    del now[PAID]

    assert snapshots.broken(kept, now) == [f"{PAID}: nobody says it any more"]
