"""A plan while it is read: its params, the names its expressions may use, its rule ids."""

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from libs.common.errors import Refusal
from libs.common.plans.clocks import MAX_COUNT, Duration, Unit
from libs.common.plans.documents import Entry, hint
from libs.common.plans.expressions import (
    Expression,
    Param,
    Vocabulary,
    compile_expression,
)
from libs.common.plans.registry import (
    BARRED_FACTS,
    CODE_FACTS,
    EXPRESSION_FACTS,
    FACTS,
    TIME_FACTS,
)
from libs.common.plans.terms import Band, Kind
from libs.common.plans.values import Amount, Clock, Condition, Rules

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RULE_ID = re.compile(r"[A-Z]{1,4}-[0-9]{2,3}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_FUNCTIONS = frozenset({"min", "max", "iff", "band"})
UNITS = tuple(unit.value for unit in Unit)
MAX_TABLE_ROWS = 200


class Draft:
    """What the sections of one document need of each other."""

    def __init__(self, params: Mapping[str, Param], rules: Mapping[str, Rules]) -> None:
        self.params = params
        self.rules = rules
        self.lets: dict[str, Expression[Any]] = {}
        self._places: set[str] = set()

    # --- expressions

    def condition(self, entry: Entry) -> Condition:
        return self._compile(entry, Kind.BOOL)

    def amount(self, entry: Entry) -> Amount:
        return self._compile(entry, Kind.NUMBER)

    def limit(self, entry: Entry) -> Amount:
        """An amount that may also be no limit at all, such as `insurer_approved`."""
        return self._compile(entry, Kind.NUMBER, Kind.LIMIT)

    def let(self, name: str, entry: Entry) -> None:
        """Names a sub-expression; those after it may use it."""
        check_name(entry, name, taken=(*self.params, *self.lets))
        self.lets[name] = self._compile(entry, *Kind)

    def _compile(self, entry: Entry, *expects: Kind) -> Expression[Any]:
        # A bare 0 or true in YAML is as clear as "0" or "True".
        text = str(entry.value) if isinstance(entry.value, bool | int) else entry.text()
        vocabulary = Vocabulary(
            facts=EXPRESSION_FACTS, params=self.params, lets=self.lets, barred=BARRED_FACTS
        )
        try:
            return compile_expression(text, vocabulary, expects=expects)
        except Refusal as refusal:
            entry.fail(f"{text!r}: {refusal.detail.rstrip('.')}")

    # --- clocks

    def clock(self, entry: Entry, units: Sequence[str] = UNITS) -> Clock:
        """The one length among the entry's keys: `days`, `days_param` or `days_by`, of any unit."""
        fields = entry.mapping()
        keys = [
            key
            for unit in units
            for key in (unit, f"{unit}_param", f"{unit}_by")
            if key in fields
        ]
        if len(keys) != 1:
            found = [key for key in fields if key.startswith(UNITS)]
            entry.fail(
                f"a clock needs one unit, exactly one of {', '.join(units)}"
                f" (or {units[0]}_param, {units[0]}_by); found {', '.join(found) or 'none'}"
            )
        key, value = keys[0], fields[keys[0]]
        unit = Unit(key.removesuffix("_param").removesuffix("_by"))
        if key.endswith("_by"):
            return self._chosen(value, unit)
        count = self._param_count(value) if key.endswith("_param") else value.integer()
        return Clock(duration=_duration(value, unit, count))

    def duration(self, entry: Entry, units: Sequence[str] = UNITS) -> Duration:
        """A length that no fact chooses."""
        clock = self.clock(entry, units)
        if clock.by:
            entry.fail("the length of this clock is one number, not a table")
        return clock.duration

    def param_duration(self, entry: Entry, name: str, unit: Unit) -> Duration | None:
        """The length a well-known param gives; None where the plan has no such param."""
        if name not in self.params:
            return None
        return _duration(entry, unit, self._whole(entry, name))

    def _chosen(self, entry: Entry, unit: Unit) -> Clock:
        fields = entry.fields(required="param key")
        key = fields["key"].word(CODE_FACTS, "a code fact")
        table = self.params.get(fields["param"].text())
        if not isinstance(table, Mapping):
            fields["param"].fail(
                f"params has no table {fields['param'].text()!r} of counts by {key}"
            )
        words = FACTS[key].words
        for word, count in table.items():
            if words is not None and word not in words:
                fields["param"].fail(f"{word!r} is never a {key}{hint(word, words)}")
            _duration(fields["param"], unit, count)
        longest = max(table.values())
        return Clock(duration=Duration(unit=unit, count=longest), by=key, table=table)

    def _param_count(self, entry: Entry) -> int:
        name = entry.text()
        if name not in self.params:
            entry.fail(f"params has no {name!r}{hint(name, self.params)}")
        return self._whole(entry, name)

    def _whole(self, entry: Entry, name: str) -> int:
        value = self.params[name]
        if not isinstance(value, Decimal) or value != value.to_integral_value():
            entry.fail(f"params.{name} is a whole number here, such as 7")
        return int(value)

    # --- facts and rules

    def time_fact(self, entry: Entry) -> str:
        return entry.word(TIME_FACTS, "a time fact")

    def rules_of(self, place: str) -> Rules:
        """The rule ids given for that place of the plan, or for the nearest place around it."""
        steps = place.split(".")
        around = [".".join(steps[:size]) for size in range(len(steps), 0, -1)]
        self._places.update(around)
        return next((self.rules[one] for one in around if one in self.rules), ())

    def check_rules(self, entry: Entry) -> None:
        """Refuses rule ids given for a place the plan doesn't have."""
        for place, ids in entry.mapping().items():
            if place not in self._places:
                ids.fail(f"the plan has no place {place!r}{hint(place, self._places)}")


def read_rules(entry: Entry) -> dict[str, Rules]:
    rules: dict[str, Rules] = {}
    for place, ids in entry.mapping().items():
        rules[place] = ids.texts()
        for rule in rules[place]:
            if not _RULE_ID.fullmatch(rule):
                ids.fail(f"{rule!r} is not a rule id such as CS-21")
    return rules


def read_params(entry: Entry, overrides: Mapping[str, Param]) -> dict[str, Param]:
    """The params, with those of a worked example's `with` in place of the plan's."""
    params: dict[str, Param] = {}
    for name, value in entry.mapping().items():
        params[name] = read_param(value)
        check_name(value, name, taken=(), is_table=_is_table(params[name]))
    for name, override in overrides.items():
        if name not in params:
            entry.fail(f"'with' names {name!r}, which params has not{hint(name, params)}")
        params[name] = override
    return params


def read_param(entry: Entry) -> Param:
    """A decimal, a text, a list of texts, a table of bands, or a table of counts by code."""
    if isinstance(entry.value, dict):
        return _counts(entry)
    if isinstance(entry.value, list):
        rows = entry.sequence()
        if rows and isinstance(rows[0].value, dict):
            return _bands(rows)
        return entry.texts()
    if isinstance(entry.value, bool) or entry.value is None:
        entry.fail("a param is a decimal in quotes, a whole number, a text, a list or a table")
    if isinstance(entry.value, str) and not _DECIMAL.fullmatch(entry.value):
        return entry.text()
    return entry.decimal()


def check_name(
    entry: Entry, name: str, taken: Iterable[str], *, is_table: bool = False
) -> None:
    """A name an author gives: short, in lower case, and nobody else's.

    A table is only ever named in quotes, so it may be called like a fact (`tier`).
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        entry.fail(f"{name!r} is no name; a name is lower case letters, digits and _")
    if (name in FACTS and not is_table) or name in _FUNCTIONS or name in taken:
        entry.fail(f"{name!r} is already the name of a fact, a function, a param or a let")


def _is_table(param: Param) -> bool:
    if isinstance(param, tuple):
        return any(isinstance(row, Band) for row in param)
    return isinstance(param, Mapping)


def _counts(entry: Entry) -> Mapping[str, int]:
    rows = entry.mapping()
    if not 0 < len(rows) <= MAX_TABLE_ROWS:
        entry.fail(f"a table has 1 to {MAX_TABLE_ROWS} rows")
    return {code: count.integer(most=max(MAX_COUNT.values())) for code, count in rows.items()}


def _bands(rows: Sequence[Entry]) -> tuple[Band, ...]:
    bands: list[Band] = []
    for place, row in enumerate(rows):
        fields = row.fields(required="upto pct")
        is_last = place == len(rows) - 1
        if fields["upto"].value is None:
            upto = None
            if not is_last:
                row.fail("only the last band is without an end (upto: null)")
        else:
            upto = fields["upto"].decimal()
            lowest = bands[-1].upto if bands else Decimal(0)
            if lowest is not None and upto <= lowest:
                fields["upto"].fail(f"bands rise: {upto} does not lie above {lowest}")
            if is_last:
                row.fail("the last band ends nowhere: write upto: null")
        bands.append(Band(upto=upto, pct=fields["pct"].decimal()))
    return tuple(bands)


def _duration(entry: Entry, unit: Unit, count: int) -> Duration:
    if count > MAX_COUNT[unit.value]:
        entry.fail(f"a clock of {count} {unit} is longer than {MAX_COUNT[unit.value]}")
    return Duration(unit=unit, count=count)
