"""Predicate → the SQL condition on `delta_files` that every file with a matching row fulfils.

    condition = prune.matching(connection, table_id, predicate, schema)   # what readers call
    query.where(active_at(version), *([] if condition is None else [condition]))

A file is left out only where it is certain that none of its rows makes the predicate true. Partition values are
certain, so partitions are decided here, one by one; statistics are bounds, and are asked in the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, and_, any_, bindparam, false, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from ..catalog.partitions import Partition, partitions_of
from ..catalog.schema import delta_files
from .predicate import FALSE, NULL, TRUE, Predicate, columns_of, disjunction
from .prune_partitions import in_partition
from .prune_sql import stats_sql
from .prune_stats import proof_of_none
from .types import TableSchema

_MOST_REMAINDERS = 16
"""Into so many different conditions a predicate may fall over its partitions; more are put together."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog knows of a table that helps to prune: its partitions, and the columns that have an index."""

    partitions: Sequence[Partition] = ()


def matching(
    connection: Connection, table_id: str, predicate: Predicate, schema: TableSchema
) -> ColumnElement[bool] | None:
    """Returns the condition for the files that may hold a matching row of a table; None where that is all of them.

    To be ANDed with `delta_files.table_id == table_id` and `catalog.snapshot.active_at(version)`; `schema` must be
    that of the same version.

    Raises:
        CatalogError: the database refuses.
    """
    by_partition = any(column.partition for column in columns_of(predicate))
    known = Known(partitions=partitions_of(connection, table_id) if by_partition else ())
    return may_match(predicate, schema, connection.dialect.name, known)


def may_match(predicate: Predicate, schema: TableSchema, dialect_name: str, known: Known) -> ColumnElement[bool] | None:
    """As `matching`, for one who has looked up what the catalog knows."""
    if not any(column.partition for column in columns_of(predicate)):
        return _by_stats(predicate, dialect_name)
    remainders = _remainders(predicate, schema, known.partitions)
    if set(remainders) == {TRUE}:
        return None
    conditions = [
        _conjunction(_in_partitions(keys, dialect_name), _by_stats(remainder, dialect_name))
        for remainder, keys in remainders.items()
        if remainder not in (FALSE, NULL)
    ]
    return or_(false(), *conditions)


def _by_stats(predicate: Predicate, dialect_name: str) -> ColumnElement[bool] | None:
    return stats_sql(dialect_name).unless(proof_of_none(predicate))


def _remainders(
    predicate: Predicate, schema: TableSchema, partitions: Sequence[Partition]
) -> dict[Predicate, list[int | None]]:
    """Returns what is left of a predicate within the partitions, and the keys of those in which it is that."""
    found: dict[Predicate, list[int | None]] = {}
    for key, values in _values(schema, partitions):
        found.setdefault(in_partition(predicate, values), []).append(key)
    partial = [each for each in found if each not in (TRUE, FALSE, NULL)]
    if len(partial) > _MOST_REMAINDERS:
        keys = [key for each in partial for key in found.pop(each)]
        found[disjunction(partial)] = keys
    return found


def _values(schema: TableSchema, partitions: Sequence[Partition]) -> Iterator[tuple[int | None, Mapping[str, Any]]]:
    """Yields the partitions' keys and values, first of all the one whose values are all NULL."""
    yield None, {}
    names = [schema.column((name,)).physical[0] for name in schema.partition_columns]
    for key, text in partitions:
        values = msgspec.json.decode(text)
        # What is no object at all has values that nobody knows.
        yield key, values if isinstance(values, dict) else dict.fromkeys(names, False)


def _in_partitions(keys: Sequence[int | None], dialect_name: str) -> ColumnElement[bool]:
    """The condition that a file is in one of some partitions, as one parameter however many they are."""
    column, known = delta_files.c.partition_key, sorted(key for key in keys if key is not None)
    conditions: list[ColumnElement[bool]] = []
    if known and dialect_name == "postgresql":
        conditions.append(column == any_(bindparam(None, known, ARRAY(BigInteger))))
    elif known:
        listed = func.json_each(msgspec.json.encode(known).decode()).table_valued("value")
        conditions.append(column.in_(select(listed.c.value)))
    if len(known) < len(keys):
        conditions.append(column.is_(None))
    return or_(false(), *conditions)


def _conjunction(*conditions: ColumnElement[bool] | None) -> ColumnElement[bool]:
    return and_(*(condition for condition in conditions if condition is not None))
