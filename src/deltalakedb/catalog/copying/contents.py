"""All that a catalog holds of a table, SQL table by SQL table: out of one database, and into another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, func, insert, or_, select, union_all

from .. import registry
from ..dialects.base import Dialect, shapes_of
from ..packing.base import columns_of
from ..places import order_of
from ..schema import (
    delta_cdc_files,
    delta_commits,
    delta_domain_metadata,
    delta_files,
    delta_indexes,
    delta_metadata,
    delta_partitions,
    delta_protocols,
    delta_ranges,
    delta_tables,
    delta_transactions,
    delta_validations,
    migration_status,
)
from ..streaming import PIECE, streamed

PLACED = (delta_files, delta_cdc_files)
"""Their rows have no key, and the order in which they lie is that of the log."""

BULK = (
    *PLACED,
    delta_ranges,
    delta_commits,
    delta_metadata,
    delta_protocols,
    delta_transactions,
    delta_domain_metadata,
    delta_partitions,
)
"""Of texts and numbers alone: their rows go from driver to driver. In the order in which they are copied."""

FEW = (delta_indexes, delta_validations, delta_tables)
"""A handful of rows a table, with times. The last one makes a table readable."""

_STATE = (migration_status, *FEW)
"""What changes with whatever else of a table changes."""

_ALIVE = "heartbeat_at"

Row = tuple[Any, ...]


# ---- out of a database


def rows(connection: Connection, table: Table, table_id: str, skip: int = 0) -> Generator[Row, None, None]:
    """Yields the rows of a table in one of `BULK`, without the table id, as they arrive.

    They come in an order that is the same each time, in which the first `skip` are left out.
    """
    query = select(*list(table.c)[1:]).where(_found(connection, table, [table_id]))
    with closing(streamed(connection, query.order_by(*_order(connection, table)))) as found:
        yield from islice(found, skip, None)


def rows_of_many(connection: Connection, table: Table, table_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Returns the rows of several small tables in one of `BULK`, by table id, as `rows` yields them."""
    found: dict[str, list[Row]] = defaultdict(list)
    query = select(*table.c).where(_found(connection, table, table_ids)).order_by(*_order(connection, table))
    for owner, *row in streamed(connection, query):
        found[owner].append(tuple(row))
    return found


def _order(connection: Connection, table: Table) -> Sequence[Any]:
    if table in PLACED:
        return (order_of(connection, table),)
    return list(table.primary_key) or list(table.c)


def _found(connection: Connection, table: Table, table_ids: Sequence[str]) -> ColumnElement[bool]:
    """Returns the condition that a row is of some tables; SQLite puts numbers in order by it, and not whole rows."""
    sides = _sides(table, table_ids)
    if table not in PLACED or connection.dialect.name != "sqlite":
        return or_(*sides)
    place = order_of(connection, table)
    return place.in_(union_all(*(select(place).select_from(table).where(side).correlate(None) for side in sides)))


def owned(table: Table, table_ids: Sequence[str]) -> ColumnElement[bool]:
    """Returns the condition that a row is of some tables, for which every database has an index."""
    return or_(*_sides(table, table_ids))


def _sides(table: Table, table_ids: Sequence[str]) -> Sequence[ColumnElement[bool]]:
    # What is live and what has ended by themselves: each has an index, both together would be looked for everywhere.
    own = table.c.table_id.in_(table_ids) if len(table_ids) > 1 else table.c.table_id == table_ids[0]
    if table is not delta_files:
        return (own,)
    ended = table.c.removed_version
    return (own & ended.is_(None), own & ended.is_not(None))


def pieces(found: Iterator[Row]) -> Iterator[list[Row]]:
    """Yields rows in pieces of a few thousand."""
    while piece := list(islice(found, PIECE)):
        yield piece


def counts(connection: Connection, table_id: str) -> dict[str, int]:
    """Returns how many rows a table has in each of `BULK`, by that one's name."""
    queries = {table.name: select(func.count()).select_from(table).where(owned(table, [table_id])) for table in BULK}
    return {name: connection.execute(query).scalar_one() for name, query in queries.items()}


def few(connection: Connection, table: Table, table_ids: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yields rows with times, by the names of their columns and in UTC: those of some tables, or of all."""
    query = select(table) if table_ids is None else select(table).where(owned(table, table_ids))
    for row in connection.execute(query.order_by(*table.primary_key)):
        yield registry.in_utc(row._mapping)


def fingerprints(connection: Connection, table_id: str | None = None) -> dict[str, str]:
    """Returns what stands for the state of each table, or of one, by table id: the same in every database.

    It is another one as soon as an import, a sync, an index or a validation has changed anything.
    """
    found: dict[str, bytes] = {}
    for table in _STATE:
        for row in few(connection, table, None if table_id is None else [table_id]):
            owner = row["table_id"]
            said = msgspec.msgpack.encode([plain(value) for name, value in row.items() if name != _ALIVE])
            found[owner] = sha256(found.get(owner, b"") + table.name.encode() + said).digest()
    return {owner: digest.hex() for owner, digest in found.items()}


def plain(value: Any) -> Any:
    """Returns a value as it is the same from every driver."""
    if isinstance(value, datetime):
        return value.isoformat()
    return int(value) if isinstance(value, bool) else value


# ---- into a database


def append(connection: Connection, dialect: Dialect, table: Table, found: Mapping[str, Sequence[Row]]) -> None:
    """Appends rows, as `rows` yields them, by the ids of their tables, in the caller's transaction."""
    shapes = shapes_of(table)
    packed = (dialect.pack(shapes, table_id, columns_of(shapes, rows)) for table_id, rows in found.items())
    dialect.load(connection, table, packed)


def append_few(connection: Connection, table: Table, found: Sequence[dict[str, Any]]) -> None:
    """Appends rows, as `few` yields them, in the caller's transaction."""
    if found:
        connection.execute(insert(table), found)
