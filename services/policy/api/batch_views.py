"""A batch and its rows' answers, as they are answered: JSON, JSON lines, or CSV without formulas."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from libs.common.money import format_minor
from libs.common.wire import MoneyView, View
from services.policy.domain.batches import Answer, Batch, Refused

# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_CSV_HEADER: Final = (
    "line", "reference", "result", "policy_id", "quote_id", "premium", "currency", "state", "code",
    "detail", "pointer",
)  # fmt: skip


class BatchView(View):
    batch_id: str
    name: str
    form: str
    """`csv` or `ndjson`."""
    uploaded_by: str
    state: str
    """RUNNING, DONE or CANCELLED."""
    rows: int
    done: int
    booked: int
    repeated: int
    """Their reference was booked before, here or in another batch."""
    refused: int
    premium: list[MoneyView]
    """Of the rows booked, by currency."""
    paid: list[MoneyView]
    """What of it is paid."""
    rows_per_second: float | None
    """Of the rows worked so far."""
    started_at: datetime
    """In real time, as the others here: a test clock does not move it."""
    finished_at: datetime | None
    estimated_end_at: datetime | None

    @classmethod
    def of(cls, batch: Batch) -> "BatchView":
        worked = batch.done - batch.unreadable
        return cls(
            batch_id=batch.batch_id,
            name=batch.name,
            form=batch.form,
            uploaded_by=batch.uploaded_by,
            state=batch.state,
            rows=batch.rows,
            done=batch.done,
            booked=batch.booked,
            repeated=batch.repeated,
            refused=batch.refused,
            premium=_totals(batch.premium),
            paid=_totals(batch.paid),
            rows_per_second=round(worked / batch.took.total_seconds(), 1) if worked else None,
            started_at=batch.started_at,
            finished_at=batch.finished_at,
            estimated_end_at=batch.estimated_end(),
        )


class RowProblemView(View):
    code: str
    detail: str
    pointer: str
    """Into the row: `#/<column>` of a CSV, a JSON Pointer of JSON lines. Empty: the whole row."""
    reasons: list[str]
    """Why each plan declined."""

    @classmethod
    def of(cls, refused: Refused) -> "RowProblemView":
        return cls(
            code=refused.code,
            detail=refused.detail,
            pointer=refused.pointer,
            reasons=list(refused.reasons),
        )


class AnswerView(View):
    """What became of a row."""

    line: int
    """In the file, from 1; a CSV's header is the first."""
    reference: str
    result: str
    """waiting, booked, repeated, refused, or cancelled: never worked."""
    policy_id: str | None
    quote_id: str | None
    premium: MoneyView | None
    state: str | None
    """The policy's, when it was booked."""
    problem: RowProblemView | None

    @classmethod
    def of(cls, answer: Answer) -> "AnswerView":
        return cls(
            line=answer.line,
            reference=answer.reference,
            result=answer.result,
            policy_id=answer.policy_id or None,
            quote_id=answer.quote_id or None,
            premium=None if answer.premium is None else MoneyView.of(answer.premium),
            state=answer.state or None,
            problem=None if answer.refused is None else RowProblemView.of(answer.refused),
        )


def as_ndjson(answers: Iterable[Answer]) -> bytes:
    return b"".join(
        AnswerView.of(answer).model_dump_json().encode() + b"\n" for answer in answers
    )


def csv_header() -> bytes:
    return _lines([_CSV_HEADER])


def as_csv(answers: Iterable[Answer]) -> bytes:
    return _lines(_cells(answer) for answer in answers)


def _cells(answer: Answer) -> list[str]:
    why, premium = answer.refused, answer.premium
    return [
        str(answer.line),
        answer.reference,
        answer.result,
        answer.policy_id,
        answer.quote_id,
        "" if premium is None else str(premium.decimal),
        "" if premium is None else premium.currency,
        answer.state,
        "" if why is None else why.code,
        "" if why is None else why.detail,
        "" if why is None else why.pointer,
    ]


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _harmless(cell: str) -> str:
    """The cell as a text, whatever a spreadsheet would make of it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _totals(minor_by_currency: Mapping[str, int]) -> list[MoneyView]:
    return [
        MoneyView(
            amount_minor=minor, currency=currency, formatted=format_minor(minor, currency)
        )
        for currency, minor in sorted(minor_by_currency.items())
    ]
