"""The `perils:` section of a plan file: what is asked and what is paid when each one happens."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from libs.common.plans import codes
from libs.common.plans.documents import Entry
from libs.common.plans.draft import UNITS, Draft
from libs.common.plans.values import (
    Cap,
    Check,
    ConditionalKind,
    Deadline,
    ElapsedProof,
    Evidence,
    Grace,
    Parts,
    Peril,
    Proof,
    Rules,
    Wait,
)

_KEYS = """enabled lines_excluded proof wait notice latest gates holds evidence video refers
    payout parts caps notes instrument max_uses"""
_LENGTHS = " ".join(f"{unit} {unit}_param {unit}_by" for unit in UNITS)
_EVIDENCE = "required any if supporting platform_supplies grace"
# A clock that has to be reached counts days; hours would need an eligible instant, not a day.
_REACHED_UNITS = ("days", "working_days", "months")
T = TypeVar("T")


def read_perils(draft: Draft, entry: Entry) -> dict[str, Peril]:
    perils: dict[str, Peril] = {}
    for name, peril in entry.mapping().items():
        if name not in codes.PERILS:
            peril.fail(f"{name!r} is not a peril; there are {', '.join(sorted(codes.PERILS))}")
        perils[name] = _Reader(draft, name, peril).read()
    return perils


class _Reader:
    """Reads one peril; remembers the rules of its parts for the whole."""

    def __init__(self, draft: Draft, name: str, entry: Entry) -> None:
        self._draft, self._name, self._entry = draft, name, entry
        self._fields: Mapping[str, Entry] = entry.fields(optional=_KEYS)

    def read(self) -> Peril:
        fields, rules = self._fields, self._rules
        enabled = "enabled" not in fields or fields["enabled"].flag()
        if enabled and "payout" not in fields:
            self._entry.fail("an enabled peril needs a payout")
        payout = self._optional("payout", self._draft.amount)
        parts: dict[str, Rules] = {part: rules(part) for part in fields if part != "enabled"}
        excluded = self._optional("lines_excluded", Entry.texts) or ()
        video = self._optional("video", Entry.texts) or ()
        gates = self._checks("gates", codes.GATE_CODES)
        caps = tuple(self._cap(row) for row in self._rows("caps"))
        inner = [*(gate.rules for gate in gates), *(cap.rules for cap in caps)]
        return Peril(
            peril=self._name,
            enabled=enabled,
            lines_excluded=frozenset(excluded),
            lines_rules=rules("lines_excluded"),
            proof=self._optional("proof", self._proof),
            waits=tuple(self._wait(row) for row in self._rows("wait")),
            deadlines=self._deadlines(),
            gates=gates,
            holds=self._checks("holds", codes.HOLD_CODES),
            evidence=self._optional("evidence", self._evidence) or Evidence(),
            video=video,
            video_rules=rules("video"),
            refers=self._checks("refers", codes.REFER_CODES),
            payout=payout,
            payout_rules=rules("payout"),
            parts=self._optional("parts", self._parts) or Parts(),
            caps=caps,
            notes=self._checks("notes", codes.NOTE_CODES),
            instrument=self._instrument(),
            max_uses=self._optional("max_uses", lambda uses: uses.integer(least=1)),
            uses_rules=rules("max_uses"),
            rules=self._draft.rules_of(f"perils.{self._name}"),
            all_rules=merged(*parts.values(), *inner),
        )

    def _rules(self, part: str) -> Rules:
        return self._draft.rules_of(f"perils.{self._name}.{part}")

    def _optional(self, name: str, read: Callable[[Entry], T]) -> T | None:
        return read(self._fields[name]) if name in self._fields else None

    def _rows(self, name: str) -> list[Entry]:
        return self._fields[name].sequence() if name in self._fields else []

    def _instrument(self) -> str:
        if "instrument" not in self._fields:
            return "cash"
        entry = self._fields["instrument"]
        instrument = entry.word(("cash", "wallet", "voucher"), "an instrument of payment")
        if instrument == "voucher" and "voucher_months" not in self._draft.params:
            entry.fail("a voucher lapses: params needs voucher_months, such as 12")
        return instrument

    def _proof(self, entry: Entry) -> Proof:
        kinds: list[str] = []
        elapsed: list[ElapsedProof] = []
        for row in entry.sequence():
            fields = row.fields(optional="evidence elapsed")
            if len(fields) != 1:
                row.fail("an alternative is either {evidence: kind} or {elapsed: {…}}")
            if "evidence" in fields:
                kinds.append(fields["evidence"].word(codes.EVIDENCE, "an evidence kind"))
            else:
                elapsed.append(self._elapsed(fields["elapsed"]))
        if not kinds and not elapsed:
            entry.fail("at least one alternative is needed")
        return Proof(kinds=tuple(kinds), elapsed=tuple(elapsed), rules=self._rules("proof"))

    def _elapsed(self, entry: Entry) -> ElapsedProof:
        fields = entry.fields(required="from", optional=f"until stopped {_LENGTHS}")
        if ("until" in fields) != ("stopped" in fields):
            entry.fail("until (an event) and stopped (its code) stand together or not at all")
        return ElapsedProof(
            since=self._draft.time_fact(fields["from"]),
            clock=self._draft.clock(entry, _REACHED_UNITS),
            until=self._draft.time_fact(fields["until"]) if "until" in fields else "",
            stopped=fields["stopped"].word(codes.GATE_CODES, "a reason")
            if "stopped" in fields
            else "",
        )

    def _wait(self, entry: Entry) -> Wait:
        if "event" in entry.mapping():
            fields = entry.fields(required="event")
            fact = self._draft.time_fact(fields["event"])
            return Wait(fact=fact, clock=None, rules=self._rules("wait"))
        fields = entry.fields(required="from", optional=_LENGTHS)
        return Wait(
            fact=self._draft.time_fact(fields["from"]),
            clock=self._draft.clock(entry, _REACHED_UNITS),
            rules=self._rules("wait"),
        )

    def _deadlines(self) -> tuple[Deadline, ...]:
        notice, latest = (
            self._optional("notice", self._notice),
            self._optional("latest", self._latest),
        )
        return tuple(deadline for deadline in (notice, latest) if deadline is not None)

    def _notice(self, entry: Entry) -> Deadline:
        fields = entry.fields(required="from", optional=f"discretionary act {_LENGTHS}")
        acts = ("notified_at", "filed_at")
        return Deadline(
            since=tuple(self._draft.time_fact(one) for one in fields["from"].sequence()),
            clock=self._draft.clock(entry),
            act=fields["act"].word(acts, "an act") if "act" in fields else "notified_at",
            is_discretionary="discretionary" in fields and fields["discretionary"].flag(),
            rules=self._rules("notice"),
        )

    def _latest(self, entry: Entry) -> Deadline:
        fields = entry.fields(required="from", optional=f"discretionary {_LENGTHS}")
        return Deadline(
            since=(self._draft.time_fact(fields["from"]),),
            clock=self._draft.clock(entry),
            act="filed_at",
            is_discretionary="discretionary" in fields and fields["discretionary"].flag(),
            rules=self._rules("latest"),
        )

    def _checks(self, part: str, known: frozenset[str]) -> tuple[Check, ...]:
        checks = []
        for row in self._rows(part):
            fields = row.fields(required="code when", optional="discretionary")
            code = fields["code"].word(known, f"a code for {part}")
            checks.append(
                Check(
                    code=code,
                    when=self._draft.condition(fields["when"]),
                    is_discretionary="discretionary" in fields
                    and fields["discretionary"].flag(),
                    rules=self._rules(f"{part}.{code}"),
                )
            )
        return tuple(checks)

    def _evidence(self, entry: Entry) -> Evidence:
        fields = entry.fields(optional=_EVIDENCE)
        required = _kinds(fields.get("required"))
        evidence = Evidence(
            required=required,
            any_of=self._alternatives(fields.get("any")),
            conditional=tuple(self._conditional(row) for row in _list(fields.get("if"))),
            supporting=_kinds(fields.get("supporting")),
            platform_supplies=frozenset(_kinds(fields.get("platform_supplies"))),
            grace=self._grace(fields["grace"]) if "grace" in fields else None,
            rules=self._rules("evidence"),
        )
        kinds = (
            *required,
            *evidence.supporting,
            *(evidence.grace.kinds if evidence.grace else ()),
        )
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            entry.fail(
                f"{', '.join(twice)} stands under two of required, supporting and grace;"
                " a kind in grace is required already"
            )
        return evidence

    def _alternatives(self, entry: Entry | None) -> tuple[tuple[str, ...], ...]:
        sets = tuple(_kinds(row) for row in _list(entry))
        if entry is not None and (not sets or not all(sets)):
            entry.fail(
                "any is a list of alternative sets, such as [[police_report], [weight_photo]]"
            )
        return sets

    def _conditional(self, entry: Entry) -> ConditionalKind:
        fields = entry.fields(required="kind when")
        kind = fields["kind"].word(codes.EVIDENCE, "an evidence kind")
        return ConditionalKind(kind=kind, when=self._draft.condition(fields["when"]))

    def _grace(self, entry: Entry) -> Grace:
        fields = entry.fields(required="kinds from", optional=_LENGTHS)
        return Grace(
            kinds=_kinds(fields["kinds"]),
            since=self._draft.time_fact(fields["from"]),
            clock=self._draft.clock(entry),
            rules=self._rules("evidence.grace"),
        )

    def _cap(self, entry: Entry) -> Cap:
        fields = entry.fields(required="code amount")
        code = fields["code"].word(codes.CAP_CODES, "a cap")
        amount = self._draft.limit(fields["amount"])
        return Cap(code=code, amount=amount, rules=self._rules(f"caps.{code}"))

    def _parts(self, entry: Entry) -> Parts:
        fields = entry.fields(optional="shipping buy_yourself")
        return Parts(
            shipping=self._draft.amount(fields["shipping"]) if "shipping" in fields else None,
            buy_yourself=self._draft.amount(fields["buy_yourself"])
            if "buy_yourself" in fields
            else None,
        )


def merged(*rules: Rules) -> Rules:
    """All of them once, in order."""
    return tuple(dict.fromkeys(rule for some in rules for rule in some))


def _kinds(entry: Entry | None) -> tuple[str, ...]:
    return () if entry is None else entry.words(codes.EVIDENCE, "an evidence kind")


def _list(entry: Entry | None) -> list[Entry]:
    return [] if entry is None else entry.sequence()
