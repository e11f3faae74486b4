"""The sections of a plan file that concern the quote, the policy and the service promises."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from libs.common.calendar import UnknownCalendar, public_holidays
from libs.common.plans import codes
from libs.common.plans.clocks import Duration, WorkingCalendar
from libs.common.plans.documents import Entry
from libs.common.plans.draft import Draft
from libs.common.plans.facts import START_RULES
from libs.common.plans.registry import FLAG_FACTS
from libs.common.plans.values import (
    AdvanceTerms,
    AppealTier,
    Condition,
    Cover,
    Deposit,
    Document,
    ExtraDays,
    FoundAfterPayout,
    Goods,
    Instruction,
    LimitRow,
    Line,
    Offer,
    OverValue,
    Premium,
    Priority,
    RefundRow,
    Sla,
    SlaCategory,
    Verification,
)

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_BUYERS = ("consumer", "seller", "account")
_MODES = ("", "air", "sea", "rail", "road")

Fields = Mapping[str, Entry]


def read_calendar(fields: Fields) -> WorkingCalendar:
    """The working week, and the holidays: listed days, or a country's calendar."""
    week = fields["working_week"].words(_WEEK, "a day of the week")
    if not week:
        fields["working_week"].fail("at least one day of the week is worked")
    days = frozenset(_WEEK.index(day) for day in week)
    holidays = fields.get("holidays")
    if holidays is None:
        return WorkingCalendar(week=days)
    if isinstance(holidays.value, list):
        listed = frozenset(entry.day() for entry in holidays.sequence())
        return WorkingCalendar(
            week=days,
            holidays=lambda year: frozenset(day for day in listed if day.year == year),
        )
    return _public_calendar(holidays, days)


def _public_calendar(entry: Entry, week: frozenset[int]) -> WorkingCalendar:
    fields = entry.fields(required="country", optional="subdivision")
    country = fields["country"].text()
    subdivision = fields["subdivision"].text() if "subdivision" in fields else None

    def holidays(year: int) -> frozenset[date]:
        return public_holidays(country, subdivision, year)

    try:
        holidays(2024)
    except UnknownCalendar as refusal:
        entry.fail(f"no holiday calendar: {refusal.detail.rstrip('.')}")
    return WorkingCalendar(week=week, holidays=holidays)


def read_offer(draft: Draft, entry: Entry | None) -> Offer:
    if entry is None:
        return Offer()
    fields = entry.fields(optional="buyers points requires reminder_when available_when")
    return Offer(
        buyers=fields["buyers"].words(_BUYERS, "a kind of buyer") if "buyers" in fields else (),
        points=fields["points"].texts() if "points" in fields else (),
        requires=fields["requires"].texts() if "requires" in fields else (),
        available_when=_condition(draft, fields, "available_when"),
        reminder_when=_condition(draft, fields, "reminder_when"),
        rules=draft.rules_of("offer"),
    )


def read_goods(draft: Draft, entry: Entry) -> Goods:
    fields = entry.fields(required="accept decline otherwise")
    accept = fields["accept"].words(codes.ITEM_CLASSES, "an item class")
    decline = fields["decline"].words(codes.ITEM_CLASSES, "an item class")
    both = sorted(set(accept) & set(decline))
    if both:
        fields["decline"].fail(f"{', '.join(both)} cannot be both accepted and declined")
    verdict = fields["otherwise"].word([v.value for v in codes.Verdict], "a verdict")
    return Goods(
        accept=frozenset(accept),
        decline=frozenset(decline),
        otherwise=codes.Verdict(verdict),
        rules=draft.rules_of("goods"),
    )


def read_documents(draft: Draft, entry: Entry | None) -> tuple[Document, ...]:
    documents = []
    for row in _rows(entry):
        fields = row.fields(required="kind must_show", optional="before")
        documents.append(
            Document(
                kind=fields["kind"].word(codes.EVIDENCE, "an evidence kind"),
                must_show=fields["must_show"].texts(),
                before=fields["before"].text() if "before" in fields else "",
                rules=draft.rules_of("documents"),
            )
        )
    return tuple(documents)


def read_verification(draft: Draft, entry: Entry | None) -> Verification | None:
    if entry is None:
        return None
    fields = entry.fields(required="by", optional="target insufficient lapse")
    lapse = fields.get("lapse")
    if lapse is not None:
        lapse.fields(required="state", optional=_DURATIONS)
    return Verification(
        by=fields["by"].text(),
        target=_duration(draft, fields.get("target")),
        insufficient=fields["insufficient"].text() if "insufficient" in fields else "",
        lapse=None if lapse is None else draft.duration(lapse),
        lapse_state=""
        if lapse is None
        else lapse.mapping()["state"].word(codes.FILE_STATES, "a state of a quote"),
        rules=draft.rules_of("verification"),
    )


def read_premium(draft: Draft, entry: Entry) -> Premium:
    fields = entry.fields(
        required="base rate_param minimum", optional="autopay_before_confirmed deposit"
    )
    name = fields["rate_param"].text()
    rate = draft.params.get(name)
    if not isinstance(rate, Decimal):
        fields["rate_param"].fail(f'params has no decimal {name!r}, such as {name}: "0.03"')
    if rate > 1:
        fields["rate_param"].fail(f"a rate of {rate} is more than the whole base")
    autopay = fields.get("autopay_before_confirmed")
    word = "allow" if autopay is None else autopay.word(("block", "allow"), "block or allow")
    return Premium(
        base=draft.amount(fields["base"]),
        rate=rate,
        minimum=fields["minimum"].decimal(),
        blocks_autopay_before_confirmed=word == "block",
        deposit=_deposit(draft, fields.get("deposit")),
        rules=draft.rules_of("premium"),
    )


def _deposit(draft: Draft, entry: Entry | None) -> Deposit | None:
    if entry is None:
        return None
    fields = entry.fields(required="amount top_up on_lapse")
    top_up = fields["top_up"].fields(required="from", optional=_DURATIONS)
    lapse = fields["on_lapse"].fields(required="state refund")
    return Deposit(
        amount=fields["amount"].decimal(),
        top_up_from=draft.time_fact(top_up["from"]),
        top_up=draft.duration(fields["top_up"]),
        lapse_state=lapse["state"].word(codes.POLICY_STATES, "a state of a policy"),
        refunds_all=lapse["refund"].word(("all", "none"), "all or none") == "all",
        rules=draft.rules_of("premium.deposit"),
    )


def read_limits(draft: Draft, entry: Entry | None) -> tuple[LimitRow, ...]:
    rows = []
    for row in _rows(entry):
        fields = row.fields(required="when max", optional="goods_max")
        rows.append(
            LimitRow(
                when=draft.condition(fields["when"]),
                maximum=draft.amount(fields["max"]),
                goods_maximum=draft.amount(fields["goods_max"])
                if "goods_max" in fields
                else None,
                rules=draft.rules_of("limits"),
            )
        )
    return tuple(rows)


def read_over_value(draft: Draft, entry: Entry | None) -> OverValue | None:
    if entry is None:
        return None
    fields = entry.fields(optional="warn reject")
    return OverValue(
        warn=draft.amount(fields["warn"]) if "warn" in fields else None,
        reject=draft.amount(fields["reject"]) if "reject" in fields else None,
        rules=draft.rules_of("over_value"),
    )


def read_cover(draft: Draft, entry: Entry) -> Cover:
    fields = entry.fields(required="start", optional="not_before end void_on")
    return Cover(
        start=fields["start"].word(START_RULES, "a start rule of cover"),
        not_before=draft.time_fact(fields["not_before"]) if "not_before" in fields else "",
        end=draft.time_fact(fields["end"]) if "end" in fields else "",
        void_on=fields["void_on"].texts() if "void_on" in fields else (),
        rules=draft.rules_of("cover"),
        void_rules=draft.rules_of("cover.void_on"),
    )


def read_undeliverable(draft: Draft, entry: Entry | None) -> Instruction | None:
    if entry is None:
        return None
    fields = entry.fields(required="instruction then", optional="costs")
    instruction = fields["instruction"].fields(required="from", optional=_DURATIONS)
    return Instruction(
        since=draft.time_fact(instruction["from"]),
        length=draft.duration(fields["instruction"]),
        then=fields["then"].text(),
        costs=fields["costs"].text() if "costs" in fields else "",
        rules=draft.rules_of("undeliverable"),
    )


def read_refunds(draft: Draft, entry: Entry | None) -> tuple[RefundRow, ...]:
    rows: list[RefundRow] = []
    for row in _rows(entry):
        fields = row.fields(required="reason when amount")
        reason = fields["reason"].text()
        if any(earlier.reason == reason for earlier in rows):
            fields["reason"].fail(f"{reason} has a row already")
        rows.append(
            RefundRow(
                reason=reason,
                when=draft.condition(fields["when"]),
                amount=draft.amount(fields["amount"]),
                rules=draft.rules_of(f"refunds.{reason}"),
            )
        )
    return tuple(rows)


def read_sla(draft: Draft, entry: Entry | None) -> Sla | None:
    if entry is None:
        return None
    fields = entry.fields(required="categories", optional="pay")
    categories = tuple(_category(draft, row) for row in fields["categories"].sequence())
    if not categories:
        fields["categories"].fail("at least one category is needed")
    return Sla(
        categories=categories,
        pay=_duration(draft, fields.get("pay")),
        rules=draft.rules_of("sla"),
    )


def _category(draft: Draft, entry: Entry) -> SlaCategory:
    fields = entry.fields(required="name when due", optional="target")
    due = fields["due"].fields(optional=f"from until {_DURATIONS}")
    return SlaCategory(
        name=fields["name"].text(),
        when=draft.condition(fields["when"]),
        target=_duration(draft, fields.get("target")),
        due=draft.duration(fields["due"]),
        since=draft.time_fact(due["from"]) if "from" in due else "complete_at",
        until=due["until"].word(("decision", "payout_confirmed"), "what ends the clock")
        if "until" in due
        else "decision",
        rules=draft.rules_of(f"sla.{fields['name'].text()}"),
    )


def read_priority(draft: Draft, entry: Entry | None) -> Priority | None:
    if entry is None:
        return None
    fields = entry.fields(required="any factor", optional="minimum")
    return Priority(
        any_of=tuple(_priority(draft, row) for row in fields["any"].sequence()),
        factor=fields["factor"].decimal(),
        minimum=fields["minimum"].integer() if "minimum" in fields else 1,
        rules=draft.rules_of("priority"),
    )


def _priority(draft: Draft, entry: Entry) -> Condition:
    if isinstance(entry.value, dict):
        return draft.condition(entry.fields(required="when")["when"])
    entry.word(FLAG_FACTS, "a flag; a condition is written {when: …}")
    return draft.condition(entry)


def read_appeal(draft: Draft, entry: Entry | None) -> tuple[AppealTier, ...]:
    if entry is None:
        return ()
    tiers: list[AppealTier] = []
    for row in entry.fields(required="tiers")["tiers"].sequence():
        fields = row.fields(required="tier body file decide", optional="final")
        number = fields["tier"].integer(least=1, most=9)
        if number != len(tiers) + 1:
            fields["tier"].fail(f"tiers are counted from 1; this is tier {len(tiers) + 1}")
        tiers.append(
            AppealTier(
                tier=number,
                body=fields["body"].text(),
                file=draft.duration(fields["file"]),
                decide=draft.duration(fields["decide"]),
                is_final="final" in fields and fields["final"].flag(),
                rules=draft.rules_of("appeal"),
            )
        )
    return tuple(tiers)


def read_advance(draft: Draft, entry: Entry | None) -> AdvanceTerms | None:
    if entry is None:
        return None
    fields = entry.fields(required="when fraction due", optional="shortfall clawback")
    fraction = fields["fraction"].decimal()
    if fraction > 1:
        fields["fraction"].fail("an advance is at most 1.00 of the assessed payout")
    shortfall, clawback = fields.get("shortfall"), fields.get("clawback")
    return AdvanceTerms(
        when=draft.condition(fields["when"]),
        fraction=fraction,
        due=draft.duration(fields["due"]),
        shortfall="provider"
        if shortfall is None
        else shortfall.word(("provider", "claimant"), "who bears a shortfall"),
        clawback="fraud_only"
        if clawback is None
        else clawback.word(("fraud_only", "never"), "when an advance is clawed back"),
        rules=draft.rules_of("advance"),
    )


def read_found(draft: Draft, entry: Entry | None) -> FoundAfterPayout | None:
    if entry is None:
        return None
    repay = entry.fields(required="repay")["repay"]
    if repay.decimal() > 1:
        repay.fail("nobody repays more than 1.00 of the compensation")
    return FoundAfterPayout(repay=repay.decimal(), rules=draft.rules_of("found_after_payout"))


def read_lines(entry: Entry | None) -> dict[str, Line]:
    lines: dict[str, Line] = {}
    for row in _rows(entry):
        fields = row.fields(required="code", optional="tags mode standard_days extra_days")
        code = fields["code"].text()
        if code in lines:
            fields["code"].fail(f"the line {code} stands here twice")
        standard = fields["standard_days"].mapping() if "standard_days" in fields else {}
        lines[code] = Line(
            code=code,
            tags=fields["tags"].texts() if "tags" in fields else (),
            mode=fields["mode"].word(_MODES, "a mode") if "mode" in fields else "",
            standard_days={to: days.integer(most=365) for to, days in standard.items()},
            extra_days=tuple(_extra(row) for row in _rows(fields.get("extra_days"))),
        )
    return lines


def _extra(entry: Entry) -> ExtraDays:
    fields = entry.fields(required="from to days")
    first, last = fields["from"].day(), fields["to"].day()
    if last < first:
        entry.fail(f"the period ends on {last}, before it begins on {first}")
    return ExtraDays(first=first, last=last, days=fields["days"].integer(most=365))


_DURATIONS = " ".join(
    f"{unit} {unit}_param" for unit in ("hours", "days", "working_days", "months")
)


def _duration(draft: Draft, entry: Entry | None) -> Duration | None:
    if entry is None:
        return None
    entry.fields(optional=_DURATIONS)
    return draft.duration(entry)


def _condition(draft: Draft, fields: Fields, name: str) -> Condition | None:
    return draft.condition(fields[name]) if name in fields else None


def _rows(entry: Entry | None) -> list[Entry]:
    return [] if entry is None else entry.sequence()
