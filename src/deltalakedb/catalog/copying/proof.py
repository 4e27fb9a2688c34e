"""Whether two catalogs hold the same, told from their rows alone: digests made in one way on both sides.

Rows stream by, a whole SQL table at a time, and are added up by the table that owns them, so that memory holds a few
numbers a table, and nothing has to be sorted. A random key, anew for each comparison, keeps sums from being equal by
design.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Boolean, Column, Connection, Integer, Table, cast, select

from ..database import Database
from ..places import order_of
from ..schema import migration_status
from ..streaming import PIECE, streamed
from .contents import BULK, FEW, PLACED, Row, few, owned, plain

_BYTES = 16
_MASK = (1 << 8 * _BYTES) - 1

_encode = msgspec.msgpack.Encoder().encode

Each = Callable[[int], None]
"""Is told of so many more rows that have been looked at."""


@dataclass(slots=True)
class Digest:
    """Rows, added up: how many there are, which, and in which order (0 where that doesn't count)."""

    rows: int = 0
    sum: int = 0
    order: int = 0


@dataclass(slots=True)
class Compared:
    """What a table has in both catalogs.

    Attributes:
        rows: how many rows there are in the copy, by SQL table.
        differences: what differs, in words; none where the copy is equal.
    """

    rows: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two catalogs, by a connection that reads one snapshot of it."""

    database: Database
    connection: Connection


class Proof:
    """A comparison of two catalogs.

    Args:
        source: what was copied.
        target: the copy.
        each: is told of rows as they are read.
    """

    def __init__(self, source: Side, target: Side, each: Each) -> None:
        self._sides = (source, target)
        self._each = each
        self._key = secrets.token_bytes(_BYTES)
        self._ordered = target.database.dialect.keeps_order

    def compare(self, table_ids: Sequence[str] | None = None) -> dict[str, Compared]:
        """Returns what the tables of either catalog have, or some of them, by table id."""
        found: dict[str, Compared] = defaultdict(Compared)
        for table in (migration_status, *BULK, *FEW):
            source, target = (self._digests(side, table, table_ids) for side in self._sides)
            for table_id in source.keys() | target.keys():
                was, now = source.get(table_id, Digest()), target.get(table_id, Digest())
                found[table_id].rows[table.name] = now.rows
                if was != now:
                    found[table_id].differences += self._named(table, table_id, was, now)
        return found

    def _digests(self, side: Side, table: Table, table_ids: Sequence[str] | None) -> dict[str, Digest]:
        ordered = self._ordered and table in PLACED
        if table_ids is None:
            with closing(_rows(side, table, None, ordered=ordered)) as rows:
                return self._added_up(rows, ordered=ordered)
        found: dict[str, Digest] = {}
        for table_id in table_ids:
            with closing(_rows(side, table, table_id, ordered=ordered)) as rows:
                found |= self._added_up(rows, ordered=ordered)
        return found

    def _added_up(self, rows: Iterable[Row], *, ordered: bool) -> dict[str, Digest]:
        found: dict[str, Digest] = defaultdict(Digest)
        hashed, factor = self._hash, int.from_bytes(self._key) | 1
        for count, row in enumerate(rows, 1):
            number, digest = hashed(row), found[row[0]]
            digest.rows += 1
            digest.sum = digest.sum + number & _MASK
            if ordered:
                digest.order = digest.order * factor + number & _MASK
            if not count % PIECE:
                self._each(PIECE)
        return found

    def _hash(self, value: Any) -> int:
        return int.from_bytes(blake2b(_encode(value), digest_size=_BYTES, key=self._key).digest())

    def _named(self, table: Table, table_id: str, was: Digest, now: Digest) -> Iterator[str]:
        """Yields what differs between rows whose digests do: their number, their order, or the columns."""
        if was.rows != now.rows:
            yield f"{table.name} has {now.rows:,} rows in place of {was.rows:,}"
        elif was.sum == now.sum:
            yield f"{table.name} has its rows in another order"
        else:
            sums = [self._columns(side, table, table_id) for side in self._sides]
            names = [name for name in sums[0] if sums[0][name] != sums[1][name]]
            yield f"{table.name} differs in {', '.join(names) or 'how values belong together'}"

    def _columns(self, side: Side, table: Table, table_id: str) -> dict[str, int]:
        sums = dict.fromkeys(table.c.keys(), 0)
        for row in _rows(side, table, table_id, ordered=False):
            for name, value in zip(sums, row, strict=True):
                sums[name] += self._hash(value)
        return sums


def _rows(side: Side, table: Table, table_id: str | None, *, ordered: bool) -> Generator[Row, None, None]:
    """Yields whole rows, with values as they are the same from every database."""
    if table not in BULK:
        found = few(side.connection, table, None if table_id is None else [table_id])
        return side.database.translated(tuple(map(plain, row.values())) for row in found)
    query = select(*map(partial(_number, side.connection), table.c))
    if table_id is not None:
        query = query.where(owned(table, [table_id]))
    if ordered:
        query = query.order_by(order_of(side.connection, table))
    return side.database.translated(streamed(side.connection, query))


def _number(connection: Connection, column: Column[Any]) -> Any:
    """Has PostgreSQL give numbers for what others have as numbers."""
    is_flag = isinstance(column.type, Boolean) and connection.dialect.name == "postgresql"
    return cast(column, Integer) if is_flag else column
