"""Files as they are shown, and what the claimant is asked for."""

from dataclasses import asdict
from datetime import date, datetime

from libs.common.wire import View
from services.claims.domain.requests import InformationRequest
from services.claims.store import Evidence


class EvidenceView(View):
    evidence_id: str
    policy_id: str
    claim_id: str | None
    kind: str
    name: str
    sha256: str
    size_bytes: int
    media_type: str
    """What the file is by its content."""
    width: int | None
    height: int | None
    """In pixels, of a picture or film."""
    duration_ms: int | None
    pages: int | None
    scan_state: str
    """WAITING for the virus scanner, CLEAN, INFECTED (it is not handed out and counts as not on file),
    or SKIPPED: no scanner is set."""
    submitted_by: str
    uploaded_at: datetime
    also_in: list[str]
    """Your other claims that have the same bytes."""
    forgotten_at: datetime | None
    """When its bytes and name were removed, years after its claim had ended; null: they are here."""

    @classmethod
    def of(cls, evidence: Evidence) -> "EvidenceView":
        return cls(**{**asdict(evidence), "also_in": list(evidence.also_in)})


class EvidenceLinkView(View):
    url: str
    """At this API's address. Whoever has it gets the file, until it expires."""
    expires_at: datetime


class InformationRequestView(View):
    request_id: str
    missing: list[str]
    """As in the decision: `a|b+c` is a, or both b and c."""
    message: str
    asked_by: str
    asked_at: datetime
    info_until: date | None
    grace_until: date | None
    replies: list[str]

    @classmethod
    def of(cls, request: InformationRequest) -> "InformationRequestView":
        told = asdict(request)
        return cls(**{name: told[name] for name in cls.model_fields})
