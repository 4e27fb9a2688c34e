"""Which partitions a table has had."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from .dialects.base import Dialect
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
