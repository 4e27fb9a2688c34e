"""delta-rs' tuples → predicate: `[(column, op, value), …]`, or a list of such lists, which is an OR."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ...columns import Column, Family, TableSchema
from ...errors import ArgumentError
from .build import OPERATORS, compare, is_in
from .tree import NULL, TRUE, IsNull, Operator, Predicate, conjunction, disjunction, negation


def parse(filters: Any, schema: TableSchema) -> Predicate:
    """Returns the predicate of filters in disjunctive normal form; none at all match every row.

    Raises:
        ArgumentError: not in this form, an unknown column or operator, or a value that the column can't have.
    """
    if not isinstance(filters, Sequence):
        raise ArgumentError(
            f"Not a predicate: {type(filters).__name__}", "Give SQL text, a pyarrow expression, or a list of tuples."
        )
    if not filters:
        return TRUE
    if all(isinstance(each, list) for each in filters):
        return disjunction([_conjunction(each, schema) for each in filters])
    if all(isinstance(each, tuple) for each in filters):
        return _conjunction(filters, schema)
    raise ArgumentError(
        "filters must be a list of (column, op, value) tuples (a conjunction), "
        "or a list of such lists (an OR across conjunctions), not a mix of both"
    )


def _conjunction(filters: Sequence[Any], schema: TableSchema) -> Predicate:
    if not filters:
        raise ArgumentError("empty conjunction in filters; pass no filter to match all files")
    return conjunction([_filter(each, schema) for each in filters])


def _filter(given: Any, schema: TableSchema) -> Predicate:
    if not isinstance(given, tuple) or len(given) != 3 or not isinstance(given[0], str):
        raise ArgumentError(f"Not a filter: {given!r}", "It has the form (column, op, value).")
    name, op, value = given
    column = schema.column(name)
    if op in ("in", "not in"):
        if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
            raise ArgumentError(f"{op!r} takes a list of values, not {value!r}")
        found = _in(column, [encoded(one) for one in value])
        return found if op == "in" else negation(found)
    if op not in OPERATORS:
        raise ArgumentError(f"Unknown operator in a filter: {op!r}", "Known are = != < <= > >= in, and not in.")
    return _compare(column, op, encoded(value))


def _compare(column: Column, op: Operator, text: str) -> Predicate:
    """Compares with a text as partition values have it: an empty one stands for NULL."""
    if text:
        return compare(column, op, text)
    if op not in ("=", "!="):
        return NULL
    null: Predicate = IsNull(column)
    if op == "=" and column.family is Family.STRING and not column.partition:
        null = disjunction((null, compare(column, "=", "")))
    return null if op == "=" else negation(null)


def _in(column: Column, texts: list[str]) -> Predicate:
    """One of some texts; an empty one stands for NULL, and in a column of texts for itself, too."""
    found = is_in(column, [text for text in texts if text or column.family is Family.STRING])
    return disjunction((found, IsNull(column))) if "" in texts else found


def encoded(value: Any) -> str:
    """Returns a value's text as in a partition (PROTOCOL.md, "Partition Value Serialization"), as delta-rs does.

    Raises:
        ArgumentError: no type that has one.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    raise ArgumentError(f"Could not encode partition value for type: {value}")
