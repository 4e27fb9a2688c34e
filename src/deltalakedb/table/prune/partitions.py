"""Predicate and the values of one partition → what is left of the predicate for the partition's files.

Partition values are compared as values of their column's type, whatever their spelling (`partition_values`), and never
taken from a path. Where engines make different things of a value or a comparison, the files are kept.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from ...columns import Column, Family, Value
from ...partition_values import NULL_IN_PATHS, PartitionValueError, Texts, rounded, value_of
from ..predicate.tree import (
    FALSE,
    NULL,
    TRUE,
    And,
    Compare,
    In,
    IsNull,
    Leaf,
    Literal,
    Not,
    Or,
    Predicate,
    StartsWith,
    Unknown,
    conjunction,
    disjunction,
    negation,
)


class _Unclear:
    """A partition value that is none of its column's type, or that engines read in different ways."""


_UNCLEAR: Final = _Unclear()
_MAYBE_NULL: Final = _Unclear()

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def in_partition(predicate: Predicate, values: Texts | None) -> Predicate:
    """Returns what is left of a predicate for rows of a partition: partition columns are replaced by their values.

    Args:
        predicate: the predicate.
        values: the partition's values as in the log; None where they are nothing that has values.
    """
    match predicate:
        case And(operands):
            return conjunction(in_partition(each, values) for each in operands)
        case Or(operands):
            return disjunction(in_partition(each, values) for each in operands)
        case Not(operand):
            return negation(in_partition(operand, values))
        case Literal() | Unknown():
            return predicate
        case _ if predicate.column.partition:
            return _judged(predicate, _value(values, predicate.column))
        case _:
            return predicate


def _value(texts: Texts | None, column: Column) -> Value | _Unclear | None:
    """Returns a partition's value for a column, as far as all engines agree on it."""
    if texts is None or _has_other_case(texts, column.physical[0]):
        return _MAYBE_NULL
    try:
        value = value_of(texts, column)
    except PartitionValueError:
        return _UNCLEAR
    if texts.get(column.physical[0]) == NULL_IN_PATHS:
        return _MAYBE_NULL  # to some NULL, to others a text
    return _UNCLEAR if _is_unclear(value, column) else value


def _is_unclear(value: Value | None, column: Column) -> bool:
    match value:
        case float():
            return value != value  # NaN
        case bytes():
            # One letter a byte. Some writers escape the letters, others decode the bytes: only plain ASCII is sure.
            return not value.isascii() or b"\\" in value
        case _:
            return column.collated and value is not None


def _has_other_case(texts: Texts, name: str) -> bool:
    return name not in texts and any(name.lower() == other.lower() for other in texts)


def _judged(leaf: Leaf, value: Value | _Unclear | None) -> Predicate:
    if isinstance(value, _Unclear) and (value is _MAYBE_NULL or not isinstance(leaf, IsNull)):
        return Unknown(f"a value of partition column {leaf.column.name}")
    if isinstance(leaf, IsNull):
        return TRUE if value is None else FALSE
    if value is None:
        return NULL
    holds = _holds(leaf, value)
    if any(holds != other for other in _otherwise(leaf, value)):
        return Unknown("engines differ")
    return TRUE if holds else FALSE


def _otherwise(leaf: Leaf, value: Any) -> Iterator[bool | None]:
    """What other engines may make of a comparison; None for what nobody knows."""
    match leaf.column.family:
        case Family.FLOAT:
            yield _holds(_narrow(leaf), value)
        case Family.DECIMAL:
            yield _holds(_as_double(leaf), float(value))
            yield _holds(_as_double(leaf), value)
    if leaf.column.family in (Family.FLOAT, Family.DOUBLE) and value == 0 and 0.0 in _literals(leaf):
        yield None  # to some, -0.0 is less than 0.0


def _literals(leaf: Leaf) -> tuple[Value, ...]:
    match leaf:
        case Compare(_, _, bound):
            return (bound,)
        case In(_, values):
            return values
        case _:
            return ()


def _as_double(leaf: Leaf) -> Leaf:
    match leaf:
        case Compare(column, op, Decimal() | int() as bound):
            return Compare(column, op, float(bound))
        case In(column, values):
            return In(column, tuple(float(each) for each in values if isinstance(each, Decimal | int)))
        case _:
            return leaf


def _holds(leaf: Leaf, value: Any) -> bool:
    match leaf:
        case Compare(_, op, bound):
            return _COMPARISONS[op](value, bound)
        case In(_, values):
            return value in values
        case StartsWith(_, prefix):
            return bool(value.startswith(prefix))
    raise AssertionError(f"not a comparison: {leaf}")


def _narrow(leaf: Leaf) -> Leaf:
    match leaf:
        case Compare(column, op, float(bound)):
            return Compare(column, op, rounded(bound))
        case In(column, values):
            return In(column, tuple(rounded(each) for each in values if isinstance(each, float)))
        case _:
            return leaf
