"""Each row of the map, by the code in a body of its provider; and what an operator adds."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from services.policy.domain.parcels import REASONS, STATUSES
from services.policy.tracking import (
    PROVIDERS,
    BadStatusMap,
    CarrierScan,
    Code,
    NeutralScan,
    ScanTime,
    StatusMap,
    carrier_of,
    neutral,
)
from services.policy.tracking.meaning import SHIPPED
from tests.policy.tracking.bodies import SAYING
from tests.policy.tracking.fixtures import KNOWN, history_of
from tests.policy.tracking.samples import SHARED

Row = dict[str, str]


def rows_of(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


ROWS = rows_of(SHIPPED)
TOP = ("status", "bizStep")

# The top-level code that a finer one comes with, where it is not any.
PARENTS = {"dhl_unified": "failure", "fedex": "DE"}


def the_scan(provider: str, status: str, sub: str) -> NeutralScan:
    (scan,) = history_of(provider, SAYING[provider](status, sub))
    return scan


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["kind"] in TOP], ids=lambda r: "-".join(r.values())
)
def test_a_top_level_code_means_what_its_row_says(row: Row) -> None:
    scan = the_scan(row["provider"], row["code"], "")

    assert (scan.status, scan.reason) == (row["status"] or "unknown", row["reason"])
    assert Code("status", row["code"]) not in scan.unknown


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["kind"] not in TOP], ids=lambda r: "-".join(r.values())
)
def test_a_finer_code_wins_over_every_top_level_code(row: Row) -> None:
    provider = row["provider"]
    tops = [other for other in ROWS if other["provider"] == provider and other["kind"] in TOP]
    if provider in PARENTS:
        tops = [top for top in tops if top["code"] == PARENTS[provider]]
    if provider == "17track":
        tops = [top for top in tops if top["code"] == row["code"].partition("_")[0]]
    if provider == "epcis":
        # What is received is delivered, though its disposition still says that it is under way.
        tops = [top for top in tops if top["code"] != "receiving"]
    assert tops

    for top in tops:
        scan = the_scan(provider, top["code"], row["code"])
        meant = row["status"] or top["status"] or "unknown"
        assert (scan.status, scan.reason, scan.unknown) == (meant, row["reason"], ()), top
        assert scan.code == f"{top['code']}/{row['code']}"


@pytest.mark.parametrize("row", ROWS, ids=lambda r: "-".join(r.values()))
def test_a_row_is_of_a_provider_and_in_our_words(row: Row) -> None:
    assert row["provider"] in PROVIDERS
    assert row["status"] in STATUSES | {""}
    assert row["reason"] in REASONS


def test_no_row_says_twice_what_a_code_means() -> None:
    codes = [(row["provider"], row["kind"], row["code"]) for row in ROWS]

    assert len(set(codes)) == len(codes)


def test_every_row_of_the_shared_map_is_in_ours_unchanged() -> None:
    shared = SHARED / "carriers-status-map.csv"
    if not shared.exists():
        pytest.skip(f"{shared} is not there")

    assert [row for row in rows_of(shared) if row not in ROWS] == []


def test_nobody_but_we_ourselves_says_seized() -> None:
    """No carrier has a code for it (carriers.md 1.10): it is an adjuster's word, or our own post's."""
    assert {row["provider"] for row in ROWS if row["status"] == "seized"} == {"neutral"}


def test_every_word_of_ours_has_a_row() -> None:
    ours = [row for row in ROWS if row["provider"] == "neutral"]

    assert {row["code"] for row in ours if row["kind"] == "status"} == STATUSES
    assert {row["code"] for row in ours if row["kind"] == "sub"} == REASONS
    assert all(row["code"] == (row["status"] or row["reason"]) for row in ours)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_code_that_no_map_has_is_named(provider: str) -> None:
    scan = the_scan(provider, "Teleported_X", "")

    assert scan.status == "unknown"
    assert (
        Code("status", "Teleported" if provider == "17track" else "Teleported_X")
        in scan.unknown
    )


# --- what an operator adds -----------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], Path]:
    def written(rows: str) -> Path:
        file = tmp_path / "own.csv"
        file.write_text(f"provider,kind,code,status,reason\n{rows}\n", encoding="utf-8")
        return file

    return written


def test_an_operators_row_counts_more_than_ours(own: Callable[[str], Path]) -> None:
    known = StatusMap.load(own("ups,sub,DM,damaged,damaged\nups,status,X,exception,info"))

    assert known.meaning("ups", "X", "DM").status == "damaged"
    assert known.meaning("ups", "X", "").reason == "info"
    assert known.meaning("ups", "D", "").status == "delivered"
    assert KNOWN.meaning("ups", "X", "DM").status == "exception"


def test_a_fedex_exception_is_taught_by_one_row(own: Callable[[str], Path]) -> None:
    known = StatusMap.load(own("fedex,sub,DE:17,,rescheduled"))

    (scan,) = history_of("fedex", SAYING["fedex"]("DE", "DE:17"), known)

    assert (scan.status, scan.reason, scan.unknown) == ("delivery_attempted", "rescheduled", ())


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("ups,type,X,exception,other", "'type' is no kind"),
        ("ups,status,X,vanished,other", "'vanished' is no status"),
        ("ups,status,X,exception,magic", "'magic' is no reason"),
        ("ups,status,X", "None is no reason"),
    ],
)
def test_a_row_that_is_wrong_is_named(own: Callable[[str], Path], row: str, why: str) -> None:
    with pytest.raises(BadStatusMap, match=why) as refused:
        StatusMap.load(own(row))

    assert "line 2" in str(refused.value)


def test_a_map_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_bytes(b"provider,kind,code,status,reason\nups,status,\xff,exception,other\n")

    with pytest.raises(BadStatusMap, match="UTF-8"):
        StatusMap.load(file)


def test_a_map_without_its_first_line_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("ups,status,X,exception,other\n", encoding="utf-8")

    with pytest.raises(BadStatusMap, match="first line"):
        StatusMap.load(file)


# --- carriers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "name", "carrier"),
    [
        ("easypost", "FedEx", "fedex"),
        ("easypost", "USPS", "usps"),
        ("ship24", "us-post", "usps"),
        ("17track", "2151", "correios"),
        ("17track", " 190012 ", "yanwen"),
        ("17track", "3011", "chinapost"),
        ("17track", "999999", ""),
        ("easypost", "2151", ""),
        ("karrio", "dhl_express", "dhl"),
        ("epcis", "", ""),
    ],
)
def test_a_carriers_names_become_one(provider: str, name: str, carrier: str) -> None:
    assert carrier_of(provider, name) == carrier


# --- texts ---------------------------------------------------------------------------------------


def test_what_a_text_column_cannot_take_is_not_in_a_scan() -> None:
    scan = CarrierScan(
        carrier="U\x00PS", number=" 1Z\x00\u202e99\n ", status="X\x00", sub="D\x00M\u2066",
        happened=ScanTime("20\x0026", None, False), location="a\x00b\nc", description="\u202eevil" * 500,
    )  # fmt: skip

    told = neutral(scan, PROVIDERS["ups"], KNOWN)

    assert (told.carrier, told.number, told.time_raw) == ("ups", "1Z99", "20 26")
    assert (told.code, told.location) == ("X /D M", "a b c")
    assert told.unknown == (Code("status", "X"), Code("sub", "D M"))
    assert len(told.description) == 500
    assert "\u202e" not in told.description


def test_long_texts_are_cut_to_their_columns() -> None:
    long = "x" * 1_000
    scan = CarrierScan(
        carrier="ups", number=long, status=long, sub=long, happened=ScanTime(long, None, False)
    )

    told = neutral(scan, PROVIDERS["ups"], KNOWN)

    assert (len(told.number), len(told.code), len(told.time_raw)) == (64, 128, 64)
    assert {len(code.code) for code in told.unknown} == {128}


def test_a_place_names_its_country_once() -> None:
    def place(location: str, country: str) -> str:
        scan = CarrierScan(
            carrier="ups", number="1", status="I", happened=ScanTime("", None, False),
            location=location, country=country,
        )  # fmt: skip
        return neutral(scan, PROVIDERS["ups"], KNOWN).location

    assert place("Fayetteville, TX, USA", "USA") == "Fayetteville, TX, USA"
    assert place("AUSTIN", "US") == "AUSTIN, US"
    assert place("", "US") == "US"
    assert place("Here", "") == "Here"
