"""Predicate → the SQL condition on `delta_files` that every file with a matching row fulfils.

    condition = prune.matching(connection, table_id, predicate, schema)   # what readers call
    query.where(active_at(version), *([] if condition is None else [condition]))

A file is left out only where it is certain that none of its rows makes the predicate true. Partition values are
certain, so partitions are decided here, one by one; statistics are bounds, and are asked in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, and_, any_, bindparam, false, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from ...catalog.partitions import Partition, partitions_of
from ...catalog.ranges import indexes_of
from ...catalog.schema import delta_files
from ..predicate.tree import FALSE, NULL, TRUE, Predicate, columns_of, disjunction
from ..types import TableSchema
from .narrowing import Narrower
from .partitions import in_partition
from .proof import proof_of_none
from .stats_sql import stats_sql

_MOST_REMAINDERS = 16
"""Into so many different conditions a predicate may fall over its partitions; more are put together."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog knows of a table that helps to prune.

    Attributes:
        partitions: the table's, where the predicate asks for one of their columns.
        narrowed: what looks a predicate up in indexes of columns; it returns the key hashes of the files that they
            leave, None where they are no help.
    """

    partitions: Sequence[Partition] = ()
    narrowed: Callable[[Predicate], set[int] | None] = lambda _: None


def matching(
    connection: Connection, table_id: str, predicate: Predicate, schema: TableSchema
) -> ColumnElement[bool] | None:
    """Returns the condition for the files that may hold a matching row of a table; None where that is all of them.

    To be ANDed with `delta_files.table_id == table_id` and `catalog.snapshot.active_at(version)`; `schema` must be
    that of the same version.

    Raises:
        CatalogError: the database refuses.
    """
    columns = set(columns_of(predicate))
    partitions = partitions_of(connection, table_id) if any(column.partition for column in columns) else ()
    indexes = indexes_of(connection, table_id) if any(not column.partition for column in columns) else ()
    known = Known(partitions, Narrower(connection, indexes)) if indexes else Known(partitions)
    return may_match(predicate, schema, connection.dialect.name, known)


def may_match(predicate: Predicate, schema: TableSchema, dialect_name: str, known: Known) -> ColumnElement[bool] | None:
    """As `matching`, for one who has looked up what the catalog knows."""
    if not any(column.partition for column in columns_of(predicate)):
        return _conjunction(*_by_data(predicate, dialect_name, known))
    remainders = _remainders(predicate, schema, known.partitions)
    if set(remainders) == {TRUE}:
        return None
    possible = {each: keys for each, keys in remainders.items() if each not in (FALSE, NULL)}
    conditions = [
        and_(_in_partitions(keys, dialect_name), *_by_data(remainder, dialect_name, known))
        for remainder, keys in possible.items()
    ]
    if len(conditions) < 2:
        return conditions[0] if conditions else false()
    # Said once more for all of them, in a form that an index of the database answers.
    return and_(_in_partitions([key for keys in possible.values() for key in keys], dialect_name), or_(*conditions))


def _by_data(predicate: Predicate, dialect_name: str, known: Known) -> Iterator[ColumnElement[bool]]:
    """Yields the conditions on files by what they hold: by indexes of columns, and exactly by statistics."""
    hashes = known.narrowed(predicate)
    if hashes is not None:
        yield _among(delta_files.c.key_hash, hashes, dialect_name)
    by_stats = stats_sql(dialect_name).unless(proof_of_none(predicate))
    if by_stats is not None:
        yield by_stats


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
    column, known = delta_files.c.partition_key, [key for key in keys if key is not None]
    if not known:
        return column.is_(None)
    among = _among(column, known, dialect_name)
    return among if len(known) == len(keys) else or_(column.is_(None), among)


def _among(column: ColumnElement[int], values: Iterable[int], dialect_name: str) -> ColumnElement[bool]:
    """The condition that a column is one of some numbers: one parameter, however many they are."""
    listed = sorted(values)
    if dialect_name == "postgresql":
        return column == any_(bindparam(None, listed, ARRAY(BigInteger)))
    rows = func.json_each(msgspec.json.encode(listed).decode()).table_valued("value")
    return column.in_(select(rows.c.value))


def _conjunction(*conditions: ColumnElement[bool]) -> ColumnElement[bool] | None:
    return and_(*conditions) if conditions else None
