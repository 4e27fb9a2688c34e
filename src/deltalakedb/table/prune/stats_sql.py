"""Tests of a file's statistics → SQL over their JSON text.

Statistics are whatever a writer wrote: a test of what is no JSON object, or has no such member, or one of another
type, must come out as not proven, and never as the query's error.
"""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from ...catalog.schema import delta_files
from ...errors import ArgumentError
from ..types import Column
from .bounds import Bound
from .proof import ALWAYS, NEVER, AllOf, AnyOf, NoNulls, NoValues, Test


class StatsSql(ABC):
    """What one kind of database has for tests of statistics."""

    def unless(self, proof: Test) -> ColumnElement[bool] | None:
        """Returns the condition that a proof fails for a file; None where it fails for all of them."""
        if proof == NEVER:
            return None
        if proof == ALWAYS:
            return false()
        return not_(func.coalesce(self._holds(proof), false(), type_=Boolean()))

    @abstractmethod
    def _holds(self, proof: Test) -> ColumnElement[bool]:
        """Returns the condition that a proof holds; false or NULL where it doesn't."""


class SQLiteStats(StatsSql):
    """SQLite: `json_extract` and `json_type`, which parse a text once for all of them."""

    def _holds(self, proof: Test) -> ColumnElement[bool]:
        stats = delta_files.c.stats
        # A NUL would end a text early, a maximum below itself.
        usable = and_(func.json_valid(stats) == 1, func.instr(stats, "\\u0000") == 0)
        return case((usable, self._test(proof)))

    def _test(self, test: Test) -> ColumnElement[bool]:
        match test:
            case AllOf(tests):
                return and_(true(), *map(self._test, tests))
            case AnyOf(tests):
                return or_(false(), *map(self._test, tests))
            case Bound():
                return self._bound(test)
            case NoNulls(column):
                return self._null_count(column, lambda count: count == 0)
            case NoValues(column):
                return self._null_count(column, lambda count: count == delta_files.c.num_records)

    def _null_count(
        self, column: Column, compare: Callable[[ColumnElement[Any]], ColumnElement[bool]]
    ) -> ColumnElement[bool]:
        path = _sqlite_path(("nullCount", *column.physical))
        if path is None:
            return false()
        is_number = func.json_type(delta_files.c.stats, path) == "integer"
        return and_(is_number, compare(func.json_extract(delta_files.c.stats, path)))

    def _bound(self, bound: Bound) -> ColumnElement[bool]:
        path = _sqlite_path((bound.side, *bound.column.physical))
        if path is None:
            return false()
        kind, value = func.json_type(delta_files.c.stats, path), func.json_extract(delta_files.c.stats, path)
        kinds = ("true", "false") if isinstance(bound.value, bool) else ("text",)
        if isinstance(bound.value, Decimal):
            kinds = ("integer", "real")
        tests = [kind.in_(kinds), value.op(bound.op, is_comparison=True)(_sqlite_value(bound.value))]
        if isinstance(bound.value, Decimal):
            tests.append(value.between(-_GREATEST, _GREATEST))  # numbers beyond are read as infinity
        _, glob, without = bound.shape.value
        if glob is not None:
            tests.append(value.op("GLOB", is_comparison=True)(glob))
        if without is not None:
            tests.append(not_(value.op("GLOB", is_comparison=True)(without)))
        return and_(*tests)


_GREATEST = sys.float_info.max


def _sqlite_path(names: tuple[str, ...]) -> str | None:
    """The path of a member; None where SQLite has none, since it knows no escapes in one."""
    if any(letter in '"\\' or letter < " " for name in names for letter in name):
        return None
    return "$" + "".join(f'."{name}"' for name in names)


def _sqlite_value(value: Decimal | str | bool) -> Any:
    """A value as SQLite compares it: a decimal as the nearest integer or double, as which it reads the other side."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return value
    if value == value.to_integral_value() and -(2**63) <= value < 2**63:
        return int(value)
    return float(value)


class PostgreSQLStats(StatsSql):
    """PostgreSQL: one JSON path for all tests of a file, since every access to JSON text parses the whole of it.

    A strict path knows three truth values as SQL does: what is missing, or of another type, is unknown, not an error.
    It compares texts by their bytes, and numbers without rounding.
    """

    def _holds(self, proof: Test) -> ColumnElement[bool]:
        path = _JsonPath()
        text = f"strict ({path.of(proof)})"
        stats = delta_files.c.stats
        # The importer decodes what has a `num_records`, so that is JSON; but the cast also refuses NUL letters, and
        # numbers beyond PostgreSQL's own.
        usable = and_(delta_files.c.num_records.is_not(None), stats.op("!~")(_UNUSABLE), func.length(stats) < 100_000)
        json_stats = case((usable, cast(stats, JSONB)))
        path_value, variables = cast(literal(text, Text()), JSONPATH), cast(literal(path.variables, Text()), JSONB)
        return func.jsonb_path_match(json_stats, path_value, variables, true(), type_=Boolean())


_UNUSABLE = r"[0-9][eE][-+]?[0-9]{4}|\\u0000"


class _JsonPath:
    """Writes a test as a JSON path, and its values as the path's variables."""

    def __init__(self) -> None:
        self._variables: dict[str, str] = {}

    @property
    def variables(self) -> str:
        """The JSON object with the variables."""
        return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in self._variables.items()) + "}"

    def of(self, test: Test) -> str:
        match test:
            case AllOf(tests):
                return " && ".join(f"({self.of(each)})" for each in tests) or "true == true"
            case AnyOf(tests):
                return " || ".join(f"({self.of(each)})" for each in tests) or "true == false"
            case Bound():
                return self._bound(test)
            case NoNulls(column):
                return f"{_member('nullCount', column)} == 0"
            case NoValues(column):
                return f"{_member('nullCount', column)} == $.numRecords"

    def _bound(self, bound: Bound) -> str:
        member = _member(bound.side, bound.column)
        test = f"{member} {bound.op} {self._variable(bound.value)}"
        regex = bound.shape.value[0]
        return test if regex is None else f'({test}) && ({member} like_regex "{regex}")'

    def _variable(self, value: Decimal | str | bool) -> str:
        name = f"v{len(self._variables)}"
        self._variables[name] = str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
        return f"${name}"


def _member(name: str, column: Column) -> str:
    return "$" + "".join(f".{json.dumps(part, ensure_ascii=False)}" for part in (name, *column.physical))


_DIALECTS: dict[str, StatsSql] = {"sqlite": SQLiteStats(), "postgresql": PostgreSQLStats()}


def stats_sql(dialect_name: str) -> StatsSql:
    """Returns what a database has for tests of statistics.

    Raises:
        ArgumentError: a kind of database that we can't prune in.
    """
    found = _DIALECTS.get(dialect_name)
    if found is None:
        raise ArgumentError(f"Files can't be pruned in {dialect_name}")
    return found
