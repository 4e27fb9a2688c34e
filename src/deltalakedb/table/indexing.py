"""Indexes of columns, for pruning by their minimum and maximum: made and dropped."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ..catalog import ranges, registry
from ..catalog.database import Database
from ..catalog.range_keys import INDEXED
from ..catalog.snapshot import snapshot
from ..catalog.trail import Trail
from ..columns import Column, TableSchema
from ..errors import ArgumentError


def index(database: Database, table_id: str, columns: Sequence[str], *, drop: bool = False) -> list[str]:
    """Makes or drops indexes of columns; returns the names of all columns of the table that have one then.

    An index that is there already is made anew. Either all columns get theirs, or none.

    Args:
        database: where the catalog is.
        table_id: the table.
        columns: names of columns, in dotted form within structs.
        drop: whether to drop them.

    Raises:
        TableNotFoundError, ImportIncompleteError: there is no such table, or its import has not completed.
        TableBusyError: another process works on it.
        ArgumentError: there is no such column, or no index can be made of it, or there is none to drop.
        CatalogError: the database refuses.
    """
    trail = Trail(database, "index", table_id, {"columns": list(columns), "drop": drop or None})
    with trail.failures_noted(), database.transaction() as connection:
        schema = _schema(connection, table_id)
        for name in columns:
            if drop:
                _drop(connection, table_id, name)
            else:
                column = _checked(schema.column(name))
                family = column.bounds_family.value
                ranges.create(connection, database.dialect, table_id, column.name, column.physical, family)
        indexed = [each.column_name for each in ranges.indexes_of(connection, table_id)]
        trail.note(connection, indexed=indexed)
        return indexed


def _schema(connection: Connection, table_id: str) -> TableSchema:
    """Returns a table's newest schema; nobody else changes the table before the transaction ends."""
    status = registry.lock(connection, table_id)
    if status is not None and registry.is_worked_on(status):
        raise registry.busy(status)
    newest = snapshot(connection, registry.readable(connection, table_id))
    metadata, protocol = newest.metadata(), newest.protocol()
    if metadata is None or protocol is None:
        raise ArgumentError(f"{table_id!r} has no columns")
    return TableSchema.of(metadata, protocol)


def _checked(column: Column) -> Column:
    if column.partition:
        raise ArgumentError(f"{column.name!r} is a partition column", "Partitions are indexed from the start.")
    if column.family not in INDEXED or column.collated:
        raise ArgumentError(f"No index can be made of {column.name!r}, which is of type {column.kind}")
    return column


def _drop(connection: Connection, table_id: str, name: str) -> None:
    if not ranges.drop(connection, table_id, name):
        known = [each.column_name for each in ranges.indexes_of(connection, table_id)]
        raise ArgumentError(f"{table_id!r} has no index of {name!r}", f"It has {', '.join(known) or 'none at all'}.")
