"""Which partitions a table has had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Text, cast, func, select

from .schema import delta_files

_FEW = 2_000
"""Up to so many are looked up one after the other in the index; beyond, one pass over the table is faster."""


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
    rows: Sequence[Any] = connection.execute(_by_index(table_id).limit(_FEW + 1)).all()
    if len(rows) > _FEW:
        rows = connection.execute(_by_scan(table_id)).all()
    return [Partition(*row) for row in rows]


def _by_index(table_id: str) -> Select[tuple[int, str]]:
    """From each key to the next larger one: as many look-ups in the index as there are partitions."""
    files, others = delta_files.alias(), delta_files.alias()
    key = files.c.partition_key
    first = select(func.min(key)).where(files.c.table_id == table_id, key.is_not(None))
    keys = select(first.scalar_subquery().label("key")).cte("partition_keys", recursive=True)
    following = first.where(key > keys.c.key).correlate(keys).scalar_subquery()
    keys = keys.union_all(select(following).where(keys.c.key.is_not(None)))
    values = (
        select(others.c.partition_values)
        .where(others.c.table_id == table_id, others.c.partition_key == keys.c.key)
        .limit(1)
        .scalar_subquery()
    )
    return select(keys.c.key, values).where(keys.c.key.is_not(None))


def _by_scan(table_id: str) -> Select[tuple[int, str]]:
    text = func.min(cast(delta_files.c.partition_values, Text))
    key = delta_files.c.partition_key
    return select(key, text).where(delta_files.c.table_id == table_id, key.is_not(None)).group_by(key)
