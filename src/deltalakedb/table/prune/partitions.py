"""Predicate and the values of one partition → what is left of the predicate for the partition's files.

Partition values are compared as values of their column's type, whatever their spelling (PROTOCOL.md, "Partition Value
Serialization"), and never taken from a path. Null, the empty text and an absent value all are NULL.
"""

from __future__ import annotations

import math
import operator
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

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
    Value,
    conjunction,
    disjunction,
    negation,
)
from ..predicate.values import parse_date, parse_timestamp
from ..types import Column, Family


class Unreadable:
    """A partition value that is none of its column's type, or that engines read in different ways."""


UNREADABLE: Final = Unreadable()
MAYBE_NULL: Final = Unreadable()

_NULL_IN_PATHS = "__HIVE_DEFAULT_PARTITION__"
"""What NULL is in the names of folders. In a log some readers take it for NULL, too, and others for a text."""

_INTEGER = re.compile(r"[+-]?\d{1,100}", re.ASCII)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def in_partition(predicate: Predicate, values: Mapping[str, Any]) -> Predicate:
    """Returns what is left of a predicate for rows of a partition: partition columns are replaced by their values.

    Args:
        predicate: the predicate.
        values: the partition's values as in the log, by physical name.
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
            return _judged(predicate, partition_value(_raw(predicate.column, values), predicate.column))
        case _:
            return predicate


def _raw(column: Column, values: Mapping[str, Any]) -> Any:
    """A partition value as in the log: None where there is none, and no text where it has a name of another case."""
    name = column.physical[0]
    if name in values or not any(name.lower() == other.lower() for other in values):
        return values.get(name)
    return False


def partition_value(text: Any, column: Column) -> Value | Unreadable | None:
    """Returns a partition value as one of its column's type; None for NULL."""
    if text is None or text == "":
        return None
    if text == _NULL_IN_PATHS or not isinstance(text, str):
        return MAYBE_NULL
    return _typed(text, column)


@lru_cache(maxsize=10_000)
def _typed(text: str, column: Column) -> Value | Unreadable:
    if column.collated:
        return UNREADABLE
    reader = _READERS.get(column.family)
    value = None if reader is None else reader(text)
    return UNREADABLE if value is None else value


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _binary(text: str) -> bytes | None:
    # One letter a byte. Some writers escape the letters, others decode the bytes: only plain ASCII is beyond doubt.
    return text.encode() if text.isascii() and "\\" not in text else None


def _timestamp(text: str) -> datetime | None:
    found = parse_timestamp(text)
    try:
        return None if found is None else found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:
        return None


def _timestamp_ntz(text: str) -> datetime | None:
    found = parse_timestamp(text)
    return None if found is None or found.utcoffset() else found.replace(tzinfo=None)


_READERS: dict[Family, Callable[[str], Value | None]] = {
    Family.INTEGER: _integer,
    Family.DECIMAL: _decimal,
    Family.FLOAT: _float,
    Family.DOUBLE: _float,
    Family.STRING: str,
    Family.BOOLEAN: _boolean,
    Family.BINARY: _binary,
    Family.DATE: parse_date,
    Family.TIMESTAMP: _timestamp,
    Family.TIMESTAMP_NTZ: _timestamp_ntz,
}


def _judged(leaf: Leaf, value: Value | Unreadable | None) -> Predicate:
    if isinstance(value, Unreadable) and (value is MAYBE_NULL or not isinstance(leaf, IsNull)):
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
            return _COMPARISONS[op](_single(value, bound), bound)
        case In(_, values):
            return any(_single(value, bound) == bound for bound in values)
        case StartsWith(_, prefix):
            return bool(value.startswith(prefix))
    raise AssertionError(f"not a comparison: {leaf}")


class _Single(float):
    """A literal that was rounded to 32 bits: what is compared with it is rounded, too."""


def _single(value: Any, bound: Any) -> Any:
    return _rounded(value) if isinstance(bound, _Single) else value


def _narrow(leaf: Leaf) -> Leaf:
    match leaf:
        case Compare(column, op, float(bound)):
            return Compare(column, op, _Single(_rounded(bound)))
        case In(column, values):
            return In(column, tuple(_Single(_rounded(each)) for each in values if isinstance(each, float)))
        case _:
            return leaf


def _rounded(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)
