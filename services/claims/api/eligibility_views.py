"""What could be claimed now, as it is shown."""

from datetime import date, datetime

from libs.common.wire import View
from services.claims.domain import Eligibility


class PerilView(View):
    """One peril as if it were claimed now."""

    peril: str
    is_covered: bool
    is_open: bool
    reasons: list[str]
    earliest: date | None
    opens_at: datetime | None
    awaits: str
    """The event that must come first, where it is not a date."""
    latest: date | None
    closes_at: datetime | None
    required: list[str]
    present: list[str]
    missing: list[str]
    supporting: list[str]
    instrument: str

    @classmethod
    def of(cls, peril: Eligibility) -> "PerilView":
        return cls(
            peril=peril.peril,
            is_covered=peril.is_covered,
            is_open=peril.is_open,
            reasons=[str(reason) for reason in peril.reasons],
            earliest=peril.earliest,
            opens_at=peril.opens_at,
            awaits=peril.awaits,
            latest=peril.latest,
            closes_at=peril.closes_at,
            required=list(peril.required),
            present=list(peril.present),
            missing=[str(gap) for gap in peril.missing],
            supporting=list(peril.supporting),
            instrument=peril.instrument,
        )


class EligibilityView(View):
    policy_id: str
    as_of: datetime
    perils: list[PerilView]
