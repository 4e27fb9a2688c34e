"""Column, operator, literal → predicate: the rules that every form of a predicate shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import get_args

from ...columns import Column, Family, family_of
from .tree import (
    NULL,
    Compare,
    In,
    IsNull,
    Operator,
    Predicate,
    StartsWith,
    Unknown,
    agreed,
    conjunction,
    disjunction,
    negation,
)
from .values import typed

OPERATORS: tuple[Operator, ...] = get_args(Operator)

_FLIPPED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_EXACT_DOUBLE = 2**53
"""Up to here every integer is a double."""

_WIDTHS = ("byte", "short", "integer", "long")


def flipped(op: Operator) -> Operator:
    """Returns the operator that says the same with its sides exchanged."""
    return _FLIPPED[op]


def compare(column: Column, op: Operator, raw: object) -> Predicate:
    """Returns the comparison of a column with a literal.

    Raises:
        ArgumentError: the column's type can't have such a value.
    """
    if raw is None:
        return NULL
    value = typed(raw, column)
    if value is None:
        return Unknown(f"{column.name} {op} …")
    if column.family is Family.INTEGER and isinstance(value, int | Decimal):
        if not isinstance(raw, int | str) and not -_EXACT_DOUBLE < value < _EXACT_DOUBLE:
            return Unknown(f"{column.name} {op} …")  # some engines compare with a double
        return _compare_integer(column, op, value)
    if op == "!=":
        return negation(Compare(column, "=", value))
    return Compare(column, op, value)


def _compare_integer(column: Column, op: Operator, value: int | Decimal) -> Predicate:
    """Compares with what no integer equals, too: `id > 9.5`, or a number that no database's integers hold."""
    if op == "!=":
        return negation(_compare_integer(column, "=", value))
    if not -(2**63) <= value < 2**63:
        if -(2**64) <= value <= 2**64:
            return Unknown(f"{column.name} {op} …")  # as a double it may be the greatest or least integer
        always = op in ("<", "<=") if value > 0 else op in (">", ">=")
        return negation(never(column)) if always else never(column)
    if isinstance(value, int):
        return Compare(column, op, value)
    if op == "=":
        return never(column)
    if op in ("<", "<="):
        return Compare(column, "<=", int(value.to_integral_value(ROUND_FLOOR)))
    return Compare(column, ">=", int(value.to_integral_value(ROUND_CEILING)))


def never(column: Column) -> Predicate:
    """Returns what is false for every value of a column, and NULL for NULL."""
    return conjunction((IsNull(column), NULL))


def is_in(column: Column, raws: Iterable[object]) -> Predicate:
    """Returns whether a column is one of some literals; as in SQL, a null among them makes NULL of false."""
    found = [compare(column, "=", raw) for raw in raws]
    values = tuple(dict.fromkeys(each.value for each in found if isinstance(each, Compare)))
    rest = [each for each in found if not isinstance(each, Compare)]
    if not values:
        return disjunction(rest)
    one: Predicate = In(column, values) if len(values) > 1 else Compare(column, "=", values[0])
    return disjunction((one, *rest))


def compare_number(column: Column, op: Operator, number: object, text: str) -> Predicate:
    """Returns the comparison of a string column with a number: engines compare the number's text, or the numbers.

    Bounds of texts say nothing of numbers, but the value of a partition may be the same in both readings.
    """
    if not column.partition:
        return Unknown(f"{column.name} {op} {text}")
    as_number = replace(column, kind="long")
    return agreed(compare(column, op, text), compare(as_number, op, number))


def starts_with(column: Column, prefix: object) -> Predicate:
    """Returns whether a string column begins with a literal."""
    if prefix is None:
        return NULL
    if column.family is not Family.STRING or column.collated or not isinstance(prefix, str):
        return Unknown(f"{column.name} begins with …")
    return StartsWith(column, prefix) if prefix else negation(never(column))


def like(column: Column, pattern: object) -> Predicate:
    r"""Returns whether a string column is LIKE a pattern. With `\` in it, engines disagree on what it means."""
    if pattern is None:
        return NULL
    if not isinstance(pattern, str) or "\\" in pattern:
        return Unknown(f"{column.name} LIKE …")
    end = min((at for at in map(pattern.find, "%_") if at >= 0), default=-1)
    if end < 0:
        return compare(column, "=", pattern) if column.family is Family.STRING else Unknown(f"{column.name} LIKE …")
    begins = starts_with(column, pattern[:end])
    return begins if pattern[end:] == "%" else conjunction((begins, Unknown(f"{column.name} LIKE …")))


def same(column: Column, raw: object) -> Predicate:
    """Returns whether a column IS NOT DISTINCT FROM a literal: never NULL."""
    if raw is None:
        return IsNull(column)
    return conjunction((compare(column, "=", raw), negation(IsNull(column))))


def truth(column: Column) -> Predicate:
    """Returns a column that stands where a condition is expected."""
    return compare(column, "=", True) if column.family is Family.BOOLEAN else Unknown(column.name)


def compare_cast(column: Column, kind: str, op: Operator, raw: object) -> Predicate:
    """Returns the comparison of a column, cast to a Delta type, with a literal.

    Raises:
        ArgumentError: that type can't have such a value.
    """
    if raw is None:
        return NULL
    shown = Unknown(f"CAST({column.name} AS {kind}) {op} …")
    cast = Column(column.path, kind, column.physical, collated=column.collated)
    value = typed(raw, cast)
    if value is None:
        return shown
    match column.family, family_of(kind):
        case (Family.INTEGER, Family.INTEGER):
            # In a narrower type, some engines let a number begin anew at its other end.
            narrower = _WIDTHS.index(kind) < _WIDTHS.index(column.kind)
            return shown if narrower else compare(column, op, value)
        case (Family.INTEGER, Family.DECIMAL) | (Family.STRING, Family.STRING):
            return compare(column, op, value)
        case (Family.INTEGER, Family.DOUBLE) if isinstance(value, float) and abs(value) < _EXACT_DOUBLE:
            return compare(column, op, value)
        case (Family.FLOAT, Family.DOUBLE):
            return compare(column, op, value)
        case (Family.DATE, Family.TIMESTAMP | Family.TIMESTAMP_NTZ) if isinstance(value, datetime):
            return compare(column, op, value.replace(tzinfo=None))
        case (Family.TIMESTAMP | Family.TIMESTAMP_NTZ, Family.DATE) if isinstance(value, date):
            return _compare_day(column, op, value)
        case _:
            return compare(column, op, value) if column.kind == kind else shown


def _compare_day(column: Column, op: Operator, day: date) -> Predicate:
    """Compares the day of a time, in UTC."""
    if day == date.max:
        return Unknown(f"CAST({column.name} AS date) {op} …")
    after = day + timedelta(days=1)
    match op:
        case "=":
            return conjunction((compare(column, ">=", day), compare(column, "<", after)))
        case "!=":
            return negation(_compare_day(column, "=", day))
        case "<" | ">=":
            return compare(column, op, day)
        case "<=":
            return compare(column, "<", after)
        case _:
            return compare(column, ">=", after)
