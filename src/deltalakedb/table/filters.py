"""Filters as delta-rs takes them: tuples in disjunctive normal form, or SQL text."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement

from ..catalog.snapshot import Snapshot
from ..columns import Column, TableSchema, Value
from ..errors import ArgumentError
from ..partition_values import PartitionValueError, read
from . import predicate, prune
from .exceptions import FilterError
from .opened import Opened
from .predicate.tuples import encoded

Literal = tuple[str, str, Any]
Conjunction = list[Literal]
Filters = str | Sequence[Literal] | Sequence[Sequence[Literal]]

_OF_ONE = ("=", "!=", "<", "<=", ">", ">=")
_OF_MANY = ("in", "not in")


def merged(deprecated_name: str, deprecated: Any, current: Any) -> Any:
    """Returns the filters of two parameters, of which the older one is deprecated.

    Raises:
        ValueError: both are given.
    """
    if deprecated is None:
        return current
    if current is not None:
        raise ValueError(f"`{deprecated_name}` is deprecated; pass only `file_pruning_predicate`")
    warnings.warn(
        f"`{deprecated_name}` is deprecated; pass the filters to `file_pruning_predicate` instead",
        DeprecationWarning,
        stacklevel=3,
    )
    return deprecated


def condition(opened: Opened, snapshot: Snapshot, where: Any) -> ColumnElement[bool] | None:
    """Returns the SQL condition for the files that may hold matching rows; None where that is all of them.

    It holds within the snapshot's transaction.

    Args:
        opened: the version.
        snapshot: the same, in the catalog.
        where: SQL text, a pyarrow expression, tuples, or None.

    Raises:
        FilterError: a syntax error, an unknown column, a value that its column can't have. Also a ValueError.
    """
    if where is None:
        return None
    try:
        return prune.matching(snapshot, predicate.parse(where, opened.table_schema))
    except FilterError:
        raise
    except ArgumentError as error:
        raise FilterError(error.message, error.hint) from error


def condition_if_any(opened: Opened, snapshot: Snapshot, where: Any) -> ColumnElement[bool] | None:
    """As `condition`, where an engine filters the rows, and says itself what is wrong with a filter."""
    try:
        return condition(opened, snapshot, where)
    except FilterError:
        return None


def normalized(filters: Any, known: Sequence[str]) -> str | list[Conjunction] | None:
    """Returns filters as delta-rs understands them: conjunctions of tuples whose values are texts.

    Args:
        filters: SQL text, which is returned as it is; a list of tuples, or a list of such lists.
        known: the names of the table's columns.

    Raises:
        FilterError: not in this form, a value that has no text, an unknown operator or column, or one value where many
            belong.
    """
    if isinstance(filters, str):
        return filters
    if not filters:
        return None
    try:
        conjunctions = [[_encoded(literal) for literal in conjunction] for conjunction in _conjunctions(filters)]
    except FilterError:
        raise
    except ValueError as error:  # also of a number of so many digits that Python makes no text of it
        raise FilterError(str(error)) from error
    for literal in (literal for conjunction in conjunctions for literal in conjunction):
        _check(literal, known)
    return conjunctions


def check_columns(filters: Any, known: Sequence[str]) -> None:
    """Raises FilterError for tuples on columns that aren't there, in the words that delta-rs has for `partitions`."""
    if not filters or isinstance(filters, str):
        return
    unknown = {literal[0] for each in _conjunctions(filters) for literal in each} - set(known)
    if unknown:
        raise FilterError(
            f"Filters include columns that are not in table schema: {json.dumps(sorted(unknown), ensure_ascii=False)}",
            f"Its columns are {', '.join(known)}.",
        )


def _check(literal: Literal, known: Sequence[str]) -> None:
    name, operator, value = literal
    if operator not in (_OF_MANY if isinstance(value, list) else _OF_ONE):
        shown = ", ".join(json.dumps(part, ensure_ascii=False, default=str) for part in literal)
        raise FilterError(f"Invalid partition filter found: ({shown}).")
    if name not in known:
        raise FilterError(
            f"Data does not match the schema or partitions of the table: Field '{name}' is not a root table field.",
            f"Filters include columns that are not in table schema: its columns are {', '.join(known)}.",
        )


def _conjunctions(filters: Any) -> Sequence[Sequence[Literal]]:
    conjunctions: Sequence[Sequence[Literal]]
    if all(isinstance(part, list) for part in filters):
        conjunctions = filters
    elif all(isinstance(part, tuple) for part in filters):
        conjunctions = [filters]
    else:
        raise FilterError(
            "filters must be a list of (column, op, value) tuples (a conjunction), "
            "or a list of such lists (an OR across conjunctions), not a mix of both"
        )
    if not all(conjunctions):
        raise FilterError("empty conjunction in filters; pass no filter to match all files")
    if not all(_is_literal(literal) for conjunction in conjunctions for literal in conjunction):
        raise FilterError("A filter is not of the form (column, op, value)")
    return conjunctions


def _is_literal(given: Any) -> bool:
    return isinstance(given, tuple) and len(given) == 3 and all(isinstance(part, str) for part in given[:2])


def _encoded(literal: Literal) -> Literal:
    name, operator, value = literal
    if isinstance(value, list | tuple):
        return name, operator, [encoded(one) for one in value]
    return name, operator, encoded(value)


def expression(conjunctions: Sequence[Conjunction], schema: Any, columns: TableSchema) -> Any:
    """Returns normalized filters as a pyarrow expression on rows.

    Args:
        conjunctions: of tuples whose values are texts, as partition values are; the empty text stands for null.
        schema: the table's, as `pyarrow.Schema`.
        columns: the same, as the log has it.

    Raises:
        FilterError: a value that its column can't have.
    """
    from functools import reduce
    from operator import and_, or_

    return reduce(or_, (reduce(and_, (_on_rows(one, schema, columns) for one in each)) for each in conjunctions))


def _on_rows(literal: Literal, schema: Any, columns: TableSchema) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    name, operator, value = literal
    column, kind = pc.field(name), schema.field(name).type
    texts = value if isinstance(value, list) else [value]
    values = pa.array([_read(text, columns.column((name,))) for text in texts], kind)
    if operator in _OF_MANY:
        found = column.isin(values.drop_null())
        if operator == "not in":
            return column.is_valid() & ~found  # as in SQL, null is not known to be none of them
        return found | column.is_null() if values.null_count else found
    if not values[0].is_valid:
        null = {"=": column.is_null(), "!=": column.is_valid()}
        return null.get(operator, pc.scalar(False))  # nothing is known to be less or more than null
    compare = {"=": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}
    return getattr(column, compare[operator])(values[0])


def _read(text: str, column: Column) -> Value | None:
    try:
        return read(text, column)
    except PartitionValueError as error:
        raise FilterError(f"{text!r} is no value of column {column.name!r}, which is of type {column.kind}") from error
