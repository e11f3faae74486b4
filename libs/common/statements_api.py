"""Statements over HTTP: a policy's money, and a month of a tenant's books. Each sums to zero."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path

from libs.common import ledger, statements, web
from libs.common.auth import Caller, requires
from libs.common.errors import NotFound
from libs.common.money import format_minor
from libs.common.problems import problem_responses
from libs.common.service import Db
from libs.common.statements import Balances, Month, Movement, Posted
from libs.common.wire import View


class NothingBooked(NotFound):
    code = "nothing-booked"
    title = "No money of yours was ever booked for this"


class BalanceView(View):
    """Debit positive, credit negative; a sum may be more than one amount can be."""

    account: str
    currency: str
    amount_minor: int
    formatted: str

    @classmethod
    def of(cls, account: str, currency: str, minor: int) -> "BalanceView":
        return cls(
            account=account,
            currency=currency,
            amount_minor=minor,
            formatted=format_minor(minor, currency),
        )


class PostedView(View):
    transfer_id: str
    kind: str
    reference: str
    """What it is for: the id of a payment, payout, decision, voucher, ..."""
    occurred_at: datetime
    entries: list[BalanceView]
    balances: list[BalanceView]
    """What the accounts come to after it."""

    @classmethod
    def of(cls, posted: Posted) -> "PostedView":
        booked = posted.booked
        return cls(
            transfer_id=booked.transfer_id,
            kind=booked.transfer.kind,
            reference=booked.transfer.reference,
            occurred_at=booked.occurred_at,
            entries=[
                BalanceView.of(entry.account, entry.amount.currency, entry.amount.amount_minor)
                for entry in booked.transfer.entries
            ],
            balances=balance_views(posted.after),
        )


class StatementView(View):
    """Transfers in the order they were booked, and the final balances."""

    transfers: list[PostedView]
    balances: list[BalanceView]

    @classmethod
    def of(cls, posted: Sequence[Posted]) -> "StatementView":
        final = balance_views(posted[-1].after) if posted else []
        return cls(transfers=[PostedView.of(one) for one in posted], balances=final)


class MovementView(View):
    """What the month's transfers of a kind did to an account, all together."""

    kind: str
    account: str
    currency: str
    amount_minor: int
    formatted: str
    transfers: int

    @classmethod
    def of(cls, moved: Movement) -> "MovementView":
        return cls(
            kind=moved.kind,
            account=moved.account,
            currency=moved.currency,
            amount_minor=moved.minor,
            formatted=format_minor(moved.minor, moved.currency),
            transfers=moved.transfers,
        )


class MonthView(View):
    """From `since` up to but without `until`, the calendar month in UTC."""

    since: datetime
    until: datetime
    opening: list[BalanceView]
    movements: list[MovementView]
    closing: list[BalanceView]

    @classmethod
    def of(cls, month: Month) -> "MonthView":
        return cls(
            since=month.since,
            until=month.until,
            opening=balance_views(month.opening),
            movements=[MovementView.of(moved) for moved in month.movements],
            closing=balance_views(month.closing),
        )


def balance_views(balances: Balances) -> list[BalanceView]:
    return [
        BalanceView.of(account, currency, minor)
        for (account, currency), minor in sorted(balances.items())
    ]


def router_for(scope: str) -> APIRouter:
    """For a service whose ledger callers with that scope may see."""
    router = web.api_router("/v1/statements", tags=["statements"])

    @router.get("/policies/{policy_id}", responses=problem_responses(NothingBooked))
    async def show_policy_statement(
        policy_id: str, caller: Annotated[Caller, requires(scope)], db: Db
    ) -> StatementView:
        """All this service booked for a policy, with running balances."""
        async with db.transaction(caller.tenant_id) as tx:
            booked = await ledger.list_transfers(tx, caller.tenant_id, policy_id)
        if not booked:
            raise NothingBooked(f"Nothing was booked here for policy {policy_id}.")
        return StatementView.of(statements.statement_of(booked))

    @router.get("/months/{month}")
    async def show_month(
        month: Annotated[
            str,
            Path(
                pattern=r"^20\d\d-(0[1-9]|1[0-2])$",
                description="A calendar month in UTC, such as 2024-05.",
            ),
        ],
        caller: Annotated[Caller, requires(scope)],
        db: Db,
    ) -> MonthView:
        """A month of this service's books: opening balances, movements, closing balances."""
        year, number = month.split("-")
        since, until = statements.instants_of(int(year), int(number))
        async with db.transaction(caller.tenant_id) as tx:
            found = await statements.month_of(tx, caller.tenant_id, since, until)
        return MonthView.of(found)

    return router
