"""Typed minimum and maximum of chosen columns, one row a file, in an index that finds the ranges around a value.

A B-tree finds what begins below a value, but not what ends above it: on average half of all ranges. So each range has
a level, that of its width; a range of level 7 around 1000 begins above 1000 - 2^7. A look-up asks for each level that
occurs, mostly one or two, and touches little more than what it finds, in every database.

A file is linked by the hash of its key alone: other lifetimes of the same key come along, and are left out by the
exact conditions that a reader has anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, takewhile
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from ..rows import FileLifetime
from .dialects.base import Dialect
from .loading import append_to
from .range_keys import LAST_LEVEL, LEAST, MOST, key, level_of, shared_prefix
from .registry import now
from .schema import delta_files, delta_indexes, delta_ranges

_UNSPEAKABLE = re.compile(r'["\\\x00-\x1f]')
_LEVELS = 64
_SAMPLE = 2_000
_PAGE = 5_000

Interval = tuple[int, int]
"""The least and the greatest key of what is looked for."""


@dataclass(frozen=True, slots=True)
class ColumnIndex:
    """An index of one column of a table.

    Attributes:
        table_id: the table.
        number: its own among the table's indexes.
        column_name: the column's logical name, in dotted form.
        physical_path: its names in statistics, from the top.
        family: how its values compare: `integer`, `string`, …
        shared_prefix: what its texts begin with, as far as it was known.
        levels: a bit for each level that occurs among its ranges.
    """

    table_id: str
    number: int
    column_name: str
    physical_path: tuple[str, ...]
    family: str
    shared_prefix: str
    levels: int

    def bucket(self, level: int) -> int:
        """Returns what stands for the index's ranges of one level."""
        return self.number * _LEVELS + level

    def range_of(self, low: Any, high: Any) -> Interval:
        """Returns the keys of a file's bounds, as its statistics have them; the widest range where they don't."""
        keys = (
            key(self.family, low, up=False, shared=self.shared_prefix),
            key(self.family, high, up=True, shared=self.shared_prefix),
        )
        return keys if keys[0] <= keys[1] else (LEAST, MOST)

    def interval(self, low: Any, high: Any) -> Interval:
        """Returns the keys of what lies between two values, both included; None stands for no bound."""
        return self._key(low, up=False), self._key(high, up=True)

    def _key(self, value: Any, *, up: bool) -> int:
        return key(self.family, value, up=up, shared=self.shared_prefix)


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


def overlapping(
    connection: Connection, index: ColumnIndex, intervals: Iterable[Interval], most: int
) -> set[int] | None:
    """Returns the key hashes of the files whose ranges overlap one of some intervals; None for more than `most`."""
    found: set[int] = set()
    for interval in intervals:
        for level in _levels(index):
            query = select(delta_ranges.c.key_hash).where(_look(index, level, interval)).limit(most + 1)
            found.update(connection.execute(query).scalars())
            if len(found) > most:
                return None
    return found


def _levels(index: ColumnIndex) -> Iterator[int]:
    return (level for level in range(LAST_LEVEL + 1) if index.levels >> level & 1)


def _look(index: ColumnIndex, level: int, interval: Interval) -> ColumnElement[bool]:
    least, greatest = interval
    begin = LEAST if level == LAST_LEVEL else max(LEAST, least - 2**level + 1)
    ranges = delta_ranges.c
    return and_(
        ranges.table_id == index.table_id,
        ranges.bucket == index.bucket(level),
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
    bounds = _reader(tuple(path))
    shared = _shared_prefix(connection, table_id, bounds) if family == "string" else ""
    number = 1 + max((index.number for index in indexes_of(connection, table_id)), default=0)
    index = ColumnIndex(table_id, number, column_name, tuple(path), family, shared, 0)
    values = {name: getattr(index, name) for name in ColumnIndex.__slots__}
    values |= {"physical_path": msgspec.json.encode(path).decode(), "created_at": now()}
    connection.execute(insert(delta_indexes).values(**values))
    _write(connection, dialect, index, _files(connection, table_id))
    return index


def drop(connection: Connection, table_id: str, column_name: str) -> bool:
    """Deletes the index of a column, in the caller's transaction; returns whether there was one."""
    found = [index for index in indexes_of(connection, table_id) if index.column_name == column_name]
    for index in found:
        ranges = delta_ranges.c
        buckets = ranges.bucket.between(index.bucket(0), index.bucket(_LEVELS - 1))
        connection.execute(delete(delta_ranges).where(ranges.table_id == table_id, buckets))
        connection.execute(delete(delta_indexes).where(_row(index)))
    return bool(found)


def append(
    connection: Connection, dialect: Dialect, indexes: Sequence[ColumnIndex], files: Iterable[FileLifetime]
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


def _row(index: ColumnIndex) -> ColumnElement[bool]:
    return and_(delta_indexes.c.table_id == index.table_id, delta_indexes.c.number == index.number)


def _write(
    connection: Connection, dialect: Dialect, index: ColumnIndex, files: Iterable[tuple[int, str | None]]
) -> None:
    bounds, levels, rest = _reader(index.physical_path), 0, iter(files)
    while page := list(islice(rest, _PAGE)):
        rows = []
        for key_hash, stats in page:
            low, high = index.range_of(*bounds(stats))
            level = level_of(low, high)
            rows.append((index.bucket(level), low, high, key_hash))
            levels |= 1 << level
        append_to(connection, dialect, delta_ranges, index.table_id, rows)
    if levels & ~index.levels:
        changed = delta_indexes.c.levels.op("|")(levels)
        connection.execute(update(delta_indexes).where(_row(index)).values(levels=changed))


def _files(connection: Connection, table_id: str) -> Iterator[tuple[int, str | None]]:
    query = select(delta_files.c.key_hash, delta_files.c.stats).where(
        delta_files.c.table_id == table_id, delta_files.c.added_version.is_not(None)
    )
    rows: Iterable[Any] = connection.execute(query, execution_options={"yield_per": _PAGE})
    yield from ((key_hash, stats) for key_hash, stats in rows)


def _shared_prefix(connection: Connection, table_id: str, bounds: Callable[[str | None], tuple[Any, Any]]) -> str:
    """What the texts of some files begin with: those with the least hashes, which is as good as any choice."""
    query = select(delta_files.c.stats).where(delta_files.c.table_id == table_id)
    sample = connection.execute(query.order_by(delta_files.c.key_hash).limit(_SAMPLE)).scalars()
    return shared_prefix([text for stats in sample for text in bounds(stats)])


def fields_of(path: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the beginning of a path whose names msgspec takes for those of fields: not with quotes or backslashes."""
    return tuple(takewhile(lambda name: not _UNSPEAKABLE.search(name), path))


@cache
def _reader(path: tuple[str, ...]) -> Callable[[str | None], tuple[Any, Any]]:
    """Returns what reads a column's minimum and maximum from statistics: None for what isn't there."""
    kind: Any = Any
    fields = fields_of(path)
    for name in reversed(fields):
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
        for _ in fields:
            value = getattr(value, "member", None)
        for name in path[len(fields) :]:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return bounds
