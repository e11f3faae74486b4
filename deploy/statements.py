"""A month of a tenant's books from the command line: both services' ledgers in one table."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from deploy.asking import TIMEOUT_SECONDS, NoAnswer, patiently, why
from libs.common.money import format_minor

Json = dict[str, Any]

PARTS: Final = ("opening", "movements", "closing")


class NoStatement(Exception):
    """A service does not show its books; the message says why."""


def show_month(month: str, urls: Mapping[str, str], token: str, console: Console) -> int:
    """Exit code: 0 when all of it sums to zero, 1 when something does not, 2 without an answer."""
    try:
        found = {service: _ask(url, month, token) for service, url in urls.items()}
    except (NoStatement, NoAnswer) as refusal:
        console.print(str(refusal), markup=False)
        return 2
    console.print(_balances(found))
    console.print(_movements(found))
    wrong = unsound(list(found.values()))
    for line in wrong:
        console.print(line, markup=False)
    if not wrong:
        console.print(f"{month} in UTC: every column sums to zero in each currency.")
    return 1 if wrong else 0


def unsound(months: Sequence[Json]) -> list[str]:
    """What does not sum to zero, or does not close with what it opened with and what moved."""
    found = []
    for part in PARTS:
        sums: defaultdict[str, int] = defaultdict(int)
        for one in (one for month in months for one in month[part]):
            sums[one["currency"]] += one["amount_minor"]
        found += [
            f"{part}: {format_minor(minor, currency)} too much."
            for currency, minor in sorted(sums.items())
            if minor
        ]
    for (currency, account), (opening, moved, closing) in _by_account(months).items():
        if opening + moved != closing:
            found.append(
                f"{account}: opens with {format_minor(opening, currency)}, moves by "
                f"{format_minor(moved, currency)}, and closes with "
                f"{format_minor(closing, currency)}."
            )
    return found


def _ask(url: str, month: str, token: str) -> Json:
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS) as client:
        response = patiently(lambda: client.get(f"/v1/statements/months/{month}"))
    if response.status_code != 200:
        raise NoStatement(f"{url}: {why(response)}")
    answer: Json = response.json()
    return answer


def _by_account(months: Sequence[Json]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Opening, movements and closing by currency and account, of all books together."""
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for month in months:
        for place, part in enumerate(PARTS):
            for one in month[part]:
                sums[one["currency"], one["account"]][place] += one["amount_minor"]
    return {key: (one[0], one[1], one[2]) for key, one in sorted(sums.items())}


def _balances(found: Mapping[str, Json]) -> Table:
    table = Table("account", "opening", "moved", "closing", title="Both services together")
    for column in table.columns[1:]:
        column.justify = "right"
    for (currency, account), amounts in _by_account(list(found.values())).items():
        table.add_row(account, *(format_minor(minor, currency) for minor in amounts))
    return table


def _movements(found: Mapping[str, Json]) -> Table:
    table = Table("service", "kind", "account", "transfers", "moved", title="What moved")
    for column in table.columns[3:]:
        column.justify = "right"
    for service, month in found.items():
        for moved in month["movements"]:
            table.add_row(
                service,
                moved["kind"],
                moved["account"],
                str(moved["transfers"]),
                moved["formatted"],
            )
    return table
