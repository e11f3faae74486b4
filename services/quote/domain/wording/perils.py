"""What a wording says of each event: when it counts, what it takes to claim, what is paid."""

from collections.abc import Iterator, Sequence

from libs.common.plans.clocks import Duration, Unit
from libs.common.plans.codes import Supplier, supplier
from libs.common.plans.values import Check, Clock, Deadline, Line, Peril, Proof
from services.quote.domain.wording.chapter import Chapter, Section
from services.quote.domain.wording.terms import NOTHING, Sum, Term

_STANDARD = "days_over_standard"
_ELSEWHERE = "*"


def of_peril(chapter: Chapter, peril: Peril) -> Section:
    here = Chapter(
        chapter.plan, chapter.speaker, chapter.reader.of_peril(peril.peril, peril.parts)
    )
    sentences = [
        *_lines(here, peril),
        *_timing(here, peril),
        *_checks(here, peril),
        *_papers(here, peril),
        *_payout(here, peril),
    ]
    name = here.speaker.word("peril", peril.peril)
    return here.section("peril", sentences, peril=name)


def _lines(chapter: Chapter, peril: Peril) -> Iterator[str]:
    if not peril.lines_excluded:
        return
    lines = chapter.plan.lines.values()
    excluded = [line.code for line in lines if not peril.lines_excluded.isdisjoint(line.tags)]
    known = {tag for line in lines for tag in line.tags}
    named = [*excluded, *sorted(peril.lines_excluded - known)]
    speaker = chapter.speaker
    yield chapter.say("lines", lines=speaker.listed(speaker.line(line) for line in named))


# --- time ------------------------------------------------------------------------------------


def _timing(chapter: Chapter, peril: Peril) -> Iterator[str]:
    if peril.proof is not None:
        yield from _proof(chapter, peril.proof)
    clocks = [
        _since(chapter, "passed", wait.clock, wait.fact)
        for wait in peril.waits
        if wait.clock is not None
    ]
    if clocks:
        yield chapter.say("wait", waits=chapter.speaker.clauses(clocks, "all"))
    for wait in peril.waits:
        if wait.clock is None:
            yield chapter.say("wait_event", time=chapter.time(wait.fact))
    for deadline in peril.deadlines:
        yield from _deadline(chapter, deadline)


def _proof(chapter: Chapter, proof: Proof) -> Iterator[str]:
    speaker = chapter.speaker
    kinds = [speaker.word("evidence", kind) for kind in proof.kinds]
    code = "elapsed" if kinds else "passed"
    elapsed = [_since(chapter, code, one.clock, one.since) for one in proof.elapsed]
    proofs = speaker.itemised([*kinds, *elapsed])
    if kinds:
        yield chapter.say(
            "proof" if len(kinds) + len(elapsed) > 1 else "proof_one", proofs=proofs
        )
    else:
        yield chapter.say("proof_waiting", proofs=proofs)
    for alternative in proof.elapsed:
        if alternative.until:
            yield chapter.say("stopped", until=chapter.time(alternative.until))


def _since(chapter: Chapter, code: str, clock: Clock, fact: str) -> str:
    length, since = chapter.speaker.clock(clock), chapter.time(fact)
    return chapter.speaker.say(code, length=length, since=since)


def _deadline(chapter: Chapter, deadline: Deadline) -> Iterator[str]:
    speaker = chapter.speaker
    since = chapter.time(deadline.since[-1])
    for earlier in reversed(deadline.since[:-1]):
        since = speaker.say("or_else", first=chapter.time(earlier), next=since)
    yield chapter.say(deadline.act, length=speaker.clock(deadline.clock), since=since)
    yield chapter.say("late_discretionary" if deadline.is_discretionary else "late")


# --- what else counts ------------------------------------------------------------------------


def _checks(chapter: Chapter, peril: Peril) -> Iterator[str]:
    """Gates close a claim, holds and referrals keep it waiting; notes only explain a payout."""
    for gate in peril.gates:
        code = "gate_discretionary" if gate.is_discretionary else "gate"
        yield _check(chapter, code, gate)
    for check in (*peril.holds, *peril.refers):
        yield _check(chapter, "hold", check)


def _check(chapter: Chapter, code: str, check: Check) -> str:
    return chapter.say(code, condition=chapter.condition(check.when))


# --- papers ----------------------------------------------------------------------------------


def _papers(chapter: Chapter, peril: Peril) -> Iterator[str]:
    evidence, speaker = peril.evidence, chapter.speaker
    ours = [kind for kind in evidence.required if not _is_claimants(peril, kind)]
    theirs = [kind for kind in evidence.required if _is_claimants(peril, kind)]
    if theirs:
        yield chapter.say("send", papers=_named(chapter, theirs))
    if evidence.any_of:
        sets = [
            speaker.together(speaker.word("evidence", kind) for kind in one)
            for one in evidence.any_of
        ]
        code = "one_of" if theirs else "one_of_only"
        yield chapter.say(code, papers=speaker.itemised(sets))
    for extra in evidence.conditional:
        condition = chapter.condition(extra.when)
        yield chapter.say("send_if", condition=condition, papers=_named(chapter, [extra.kind]))
    if evidence.grace is not None:
        yield chapter.say(
            "grace",
            papers=_named(chapter, evidence.grace.kinds),
            length=speaker.clock(evidence.grace.clock),
            since=chapter.time(evidence.grace.since),
        )
    if evidence.supporting:
        yield chapter.say("supporting", papers=_named(chapter, evidence.supporting))
    if ours:
        yield chapter.say("we_obtain", papers=_named(chapter, ours))
    if _needs_nothing(peril):
        yield chapter.say("no_papers")
    if peril.video:
        elements = speaker.itemised(speaker.word("element", one) for one in peril.video)
        yield chapter.say("video", elements=elements)


def _needs_nothing(peril: Peril) -> bool:
    evidence, proof = peril.evidence, peril.proof
    asked = (
        evidence.required,
        evidence.any_of,
        evidence.conditional,
        evidence.grace,
        peril.video,
    )
    return not any(asked) and (proof is None or not proof.kinds)


def _is_claimants(peril: Peril, kind: str) -> bool:
    return supplier(kind, peril.evidence.platform_supplies) is Supplier.CLAIMANT


def _named(chapter: Chapter, kinds: Sequence[str]) -> str:
    speaker = chapter.speaker
    return speaker.itemised(speaker.word("evidence", kind) for kind in kinds)


# --- what is paid ----------------------------------------------------------------------------


def _payout(chapter: Chapter, peril: Peril) -> Iterator[str]:
    if peril.payout is not None:
        yield from _paid(chapter, chapter.reader.read(peril.payout))
    for let, part in chapter.reader.parts.items():
        of = chapter.speaker.word("part", part)
        yield chapter.tell("part", chapter.reader.inside(let), part=of)
    for cap in peril.caps:
        yield chapter.tell("cap", chapter.reader.read(cap.amount))
    if peril.instrument == "voucher" and chapter.plan.voucher_validity is not None:
        length = chapter.speaker.duration(chapter.plan.voucher_validity)
        yield chapter.say("voucher", length=length)
    if peril.instrument == "wallet":
        yield chapter.say("wallet")
    if peril.max_uses is not None:
        uses = str(peril.max_uses)
        yield chapter.say("uses.1" if peril.max_uses == 1 else "uses", n=uses)


def _paid(chapter: Chapter, payout: Term) -> Iterator[str]:
    """What is added and what is taken off, a sentence each."""
    plus, minus = (payout.plus, payout.minus) if isinstance(payout, Sum) else ((payout,), ())
    first, *more = plus or (NOTHING,)
    yield chapter.tell("pay", first)
    for term in more:
        yield chapter.tell("add", term)
    if minus:
        yield chapter.say("deduct", amount=chapter.phrases.amounts(minus))


# --- what counts as late ---------------------------------------------------------------------


def standard_times(chapter: Chapter) -> Section | None:
    """The lines' standard delivery times, where what is paid depends on them."""
    lines = [line for line in chapter.plan.lines.values() if line.standard_days]
    if not lines or not any(_goes_by_standard(peril) for peril in chapter.plan.perils.values()):
        return None
    sentences = [chapter.say("standard")]
    sentences += [_standard(chapter, line) for line in lines]
    for line in lines:
        sentences += _extra(chapter, line)
    return chapter.section("standard", sentences)


def _goes_by_standard(peril: Peril) -> bool:
    expressions = (
        *(check.when for check in (*peril.gates, *peril.holds, *peril.refers)),
        *(cap.amount for cap in peril.caps),
        *(() if peril.payout is None else (peril.payout,)),
    )
    return peril.enabled and any(_STANDARD in one.names for one in expressions)


def _standard(chapter: Chapter, line: Line) -> str:
    speaker = chapter.speaker
    by_days: dict[int, list[str]] = {}
    for country, days in line.standard_days.items():
        if country != _ELSEWHERE:
            by_days.setdefault(days, []).append(speaker.word("country", country))
    times = [
        speaker.say("standard_to", length=_days(chapter, days), countries=speaker.listed(to))
        for days, to in by_days.items()
    ]
    elsewhere = line.standard_days.get(_ELSEWHERE)
    if elsewhere is not None:
        code = "standard_else" if times else "standard_all"
        times.append(speaker.say(code, length=_days(chapter, elsewhere)))
    named = speaker.line_with_mode(line)
    return chapter.say("standard_line", line=named, times=speaker.itemised(times))


def _extra(chapter: Chapter, line: Line) -> Iterator[str]:
    for row in line.extra_days:
        yield chapter.say(
            "extra",
            line=chapter.speaker.line(line.code),
            first=chapter.speaker.day(row.first),
            last=chapter.speaker.day(row.last),
            length=_days(chapter, row.days),
        )


def _days(chapter: Chapter, days: int) -> str:
    return chapter.speaker.duration(Duration(unit=Unit.DAYS, count=days))
