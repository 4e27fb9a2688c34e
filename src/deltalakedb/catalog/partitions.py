"""Which partitions a table has had."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, select, update

from ..columns import Column, TableSchema
from ..errors import CorruptLogError
from ..partition_values import PartitionValueError, spell, texts_of, value_of
from ..rows import MetadataRow, ProtocolRow
from .dialects.base import Dialect
from .places import among
from .schema import delta_partitions


class Partition(NamedTuple):
    """One partition of a table: the key that its files share, and its values as JSON, as in the log."""

    key: int
    values: str


def partitions_of(connection: Connection, table_id: str) -> list[Partition]:
    """Returns the partitions of a table's files, of every version; those that have no values at all are not among them.

    The same values spelled in two ways are two partitions.

    Raises:
        CatalogError: the database refuses.
    """
    columns = (delta_partitions.c.partition_key, delta_partitions.c.partition_values)
    query = select(*columns).where(delta_partitions.c.table_id == table_id).order_by(columns[0])
    return [Partition(*row) for row in connection.execute(query)]


def note(connection: Connection, dialect: Dialect, table_id: str, partitions: dict[int, str]) -> None:
    """Writes down the partitions of files that are being appended, in the caller's transaction."""
    rows = [
        {"table_id": table_id, "partition_key": key, "partition_values": values} for key, values in partitions.items()
    ]
    dialect.insert_missing(connection, delta_partitions, rows)


def name_values(
    connection: Connection,
    table_id: str,
    metadata: MetadataRow | None,
    protocol: ProtocolRow | None,
    keys: Collection[int] | None = None,
) -> None:
    """Writes down what partitions' values are for people, in the caller's transaction.

    A value that is none of its column's type is left as it is.

    Args:
        connection: the transaction.
        table_id: the table.
        metadata: the newest metadata, which has the columns.
        protocol: the newest protocol.
        keys: of the partitions that may be new; None for all, since columns may have changed.
    """
    columns = _partition_columns(metadata, protocol)
    query = select(delta_partitions.c.partition_key, delta_partitions.c.partition_values)
    query = query.where(delta_partitions.c.table_id == table_id)
    if keys is not None:
        new = among(delta_partitions.c.partition_key, sorted(keys), connection.dialect.name)
        query = query.where(new, delta_partitions.c.named_values.is_(None))
    rows = [{"key": key, "named": _named(values, columns)} for key, values in connection.execute(query)]
    if rows:
        one = (delta_partitions.c.table_id == table_id) & (delta_partitions.c.partition_key == bindparam("key"))
        connection.execute(update(delta_partitions).where(one).values(named_values=bindparam("named")), rows)


def _partition_columns(metadata: MetadataRow | None, protocol: ProtocolRow | None) -> Sequence[Column]:
    """Returns the partition columns; none where nobody can read the schema: then values stay as they are."""
    if metadata is None or protocol is None:
        return []
    try:
        return [column for column in TableSchema.of(metadata, protocol).columns if column.partition]
    except CorruptLogError:
        return []


def _named(partition_values: str, columns: Sequence[Column]) -> str:
    try:
        texts = texts_of(partition_values)
    except msgspec.MsgspecError:
        return partition_values
    if not columns:
        return _json(dict(texts))
    values: dict[str, str | None] = {}
    for column in columns:
        try:
            values[column.name] = spell(value_of(texts, column), column)
        except PartitionValueError:
            values[column.name] = texts[column.physical[0]]
    return _json(values)


def _json(values: dict[str, str | None]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
