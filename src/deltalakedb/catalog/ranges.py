"""Typed minimum and maximum of chosen columns, one row a file, in an index that finds the ranges around a value.

A B-tree finds what begins below a value, but not what ends above it: on average half of all ranges. So each range has
a level, that of its width; a range of level 7 around 1000 begins above 1000 - 2^7. A look-up asks for each level that
occurs, mostly one or two, and touches little more than what it finds, in every database.

A file is linked by the hash of its key alone: other lifetimes of the same key come along, and are left out by the
exact conditions that a reader has anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import islice
from operator import or_ as union
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, false, func, insert, select, union_all, update

from ..rows import FileLifetime
from .dialects.base import Dialect
from .range_keys import LAST_LEVEL, LEAST, MOST, key, level_of, shared_prefix
from .registry import now
from .schema import delta_files, delta_indexes, delta_ranges

_SAMPLE = 2_000
_PAGE = 5_000

Interval = tuple[int, int]
"""The least and the greatest key of what is looked for."""


@dataclass(frozen=True, slots=True)
class ColumnIndex:
    """An index of one column of a table.

    Attributes:
        index_id: its number; no other index ever has it.
        column_name: the column's logical name, in dotted form.
        physical_path: its names in statistics, from the top.
        family: how its values compare: `integer`, `string`, …
        shared_prefix: what its texts begin with, as far as it was known.
        levels: a bit for each level that occurs among its ranges.
    """

    index_id: int
    column_name: str
    physical_path: tuple[str, ...]
    family: str
    shared_prefix: str
    levels: int

    def range_of(self, low: Any, high: Any) -> Interval:
        """Returns the keys of a file's bounds, as its statistics have them; the widest range where they don't."""
        keys = (
            key(self.family, low, up=False, shared=self.shared_prefix),
            key(self.family, high, up=True, shared=self.shared_prefix),
        )
        return keys if keys[0] <= keys[1] else (LEAST, MOST)

    def interval(self, low: Any, high: Any) -> Interval:
        """Returns the keys of what lies between two values, both included; None stands for no bound."""
        least = LEAST if low is None else key(self.family, low, up=False, shared=self.shared_prefix)
        return least, MOST if high is None else key(self.family, high, up=True, shared=self.shared_prefix)


# ---- reading


def indexes_of(connection: Connection, table_id: str) -> list[ColumnIndex]:
    """Returns the indexes of a table, by column."""
    names = ColumnIndex.__slots__
    query = select(*(delta_indexes.c[name] for name in names)).where(delta_indexes.c.table_id == table_id)
    found = []
    for row in connection.execute(query.order_by(delta_indexes.c.column_name)):
        values = dict(zip(names, row, strict=True))
        found.append(ColumnIndex(**{**values, "physical_path": tuple(msgspec.json.decode(row.physical_path))}))
    return found


def overlapping(index: ColumnIndex, intervals: Iterable[Interval]) -> ColumnElement[bool]:
    """Returns the condition on `delta_files` that a file's range overlaps one of some intervals."""
    looks = [_look(index, level, interval) for interval in intervals for level in _levels(index)]
    if not looks:
        return false()
    hashes = [select(delta_ranges.c.key_hash).where(look) for look in looks]
    return delta_files.c.key_hash.in_(union_all(*hashes) if len(hashes) > 1 else hashes[0])


def count(connection: Connection, index: ColumnIndex, intervals: Iterable[Interval], most: int) -> int:
    """Returns how many ranges overlap one of some intervals, as far as `most` of them."""
    total = 0
    for interval in intervals:
        for level in _levels(index):
            some = select(delta_ranges.c.low).where(_look(index, level, interval)).limit(most - total).subquery()
            total += connection.execute(select(func.count()).select_from(some)).scalar_one()
            if total >= most:
                return total
    return total


def _levels(index: ColumnIndex) -> Iterator[int]:
    return (level for level in range(LAST_LEVEL + 1) if index.levels >> level & 1)


def _look(index: ColumnIndex, level: int, interval: Interval) -> ColumnElement[bool]:
    least, greatest = interval
    begin = LEAST if level == LAST_LEVEL else max(LEAST, least - 2**level + 1)
    ranges = delta_ranges.c
    return and_(
        ranges.index_id == index.index_id,
        ranges.level == level,
        ranges.low.between(begin, greatest),
        ranges.high >= least,
    )


# ---- writing


def create(
    connection: Connection, dialect: Dialect, table_id: str, column_name: str, path: Sequence[str], family: str
) -> ColumnIndex:
    """Makes an index of a column, from the statistics that the catalog has, in the caller's transaction.

    Args:
        connection: the transaction.
        dialect: the kind of database.
        table_id: the table.
        column_name: the column's logical name, in dotted form.
        path: its names in statistics, from the top.
        family: how its values compare, one of `range_keys.INDEXED`.
    """
    drop(connection, table_id, column_name)
    _clear(connection)
    bounds = _reader(tuple(path))
    shared = _shared_prefix(connection, table_id, bounds) if family == "string" else ""
    values = {
        "table_id": table_id,
        "column_name": column_name,
        "physical_path": msgspec.json.encode(path).decode(),
        "family": family,
        "shared_prefix": shared,
        "levels": 0,
        "created_at": now(),
    }
    number = connection.execute(insert(delta_indexes).values(**values)).inserted_primary_key
    assert number is not None
    index = ColumnIndex(number[0], column_name, tuple(path), family, shared, 0)
    _write(connection, dialect, index, _files(connection, table_id))
    return index


def drop(connection: Connection, table_id: str, column_name: str) -> bool:
    """Deletes the index of a column, in the caller's transaction; returns whether there was one."""
    found = [index for index in indexes_of(connection, table_id) if index.column_name == column_name]
    for index in found:
        connection.execute(delete(delta_ranges).where(delta_ranges.c.index_id == index.index_id))
        connection.execute(delete(delta_indexes).where(delta_indexes.c.index_id == index.index_id))
    return bool(found)


def append(
    connection: Connection, dialect: Dialect, indexes: Sequence[ColumnIndex], files: Sequence[FileLifetime]
) -> None:
    """Takes files into the indexes of their table, in the transaction that adds their rows.

    Args:
        connection: the transaction.
        dialect: the kind of database.
        indexes: as `indexes_of` returns them.
        files: the rows that are added.
    """
    for index in indexes:
        _write(connection, dialect, index, ((file.key_hash, file.stats) for file in files))


def forget(connection: Connection, table_id: str) -> None:
    """Deletes all indexes of a table."""
    for index in indexes_of(connection, table_id):
        drop(connection, table_id, index.column_name)


def _clear(connection: Connection) -> None:
    """Deletes the ranges of tables that a shell deleted."""
    known = select(delta_indexes.c.index_id)
    connection.execute(delete(delta_ranges).where(delta_ranges.c.index_id.not_in(known)))


def _write(
    connection: Connection, dialect: Dialect, index: ColumnIndex, files: Iterable[tuple[int, str | None]]
) -> None:
    bounds, levels, rest = _reader(index.physical_path), 0, iter(files)
    while page := list(islice(rest, _PAGE)):
        rows = []
        for key_hash, stats in page:
            low, high = index.range_of(*bounds(stats))
            rows.append((level_of(low, high), low, high, key_hash))
        dialect.load(connection, delta_ranges, index.index_id, rows)
        levels |= reduce(union, (1 << row[0] for row in rows), 0)
    changed = delta_indexes.c.levels.op("|")(levels)
    connection.execute(update(delta_indexes).where(delta_indexes.c.index_id == index.index_id).values(levels=changed))


def _files(connection: Connection, table_id: str) -> Iterator[tuple[int, str | None]]:
    query = select(delta_files.c.key_hash, delta_files.c.stats).where(
        delta_files.c.table_id == table_id, delta_files.c.added_version.is_not(None)
    )
    for row in connection.execute(query, execution_options={"yield_per": _PAGE}):
        yield row._tuple()


def _shared_prefix(connection: Connection, table_id: str, bounds: Callable[[str | None], tuple[Any, Any]]) -> str:
    """What the texts of some files begin with: those with the least hashes, which is as good as any choice."""
    query = select(delta_files.c.stats).where(delta_files.c.table_id == table_id)
    sample = connection.execute(query.order_by(delta_files.c.key_hash).limit(_SAMPLE)).scalars()
    return shared_prefix([text for stats in sample for text in bounds(stats)])


@cache
def _reader(path: tuple[str, ...]) -> Callable[[str | None], tuple[Any, Any]]:
    """Returns what reads a column's minimum and maximum from statistics: None for what isn't there."""
    kind: Any = Any
    for name in reversed(path):
        kind = msgspec.defstruct("Object", [("member", kind | None, None)], rename={"member": name})
    decode = msgspec.json.Decoder(
        msgspec.defstruct("Stats", [("minValues", kind | None, None), ("maxValues", kind | None, None)])
    ).decode

    def bounds(stats: str | None) -> tuple[Any, Any]:
        try:
            found: Any = None if stats is None else decode(stats)
        except (msgspec.MsgspecError, RecursionError):
            found = None
        return _inner(getattr(found, "minValues", None)), _inner(getattr(found, "maxValues", None))

    def _inner(value: Any) -> Any:
        for _ in path:
            value = getattr(value, "member", None)
        return value

    return bounds
