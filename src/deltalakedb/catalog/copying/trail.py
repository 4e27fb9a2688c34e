"""The audit trail of a catalog → its copy, where each event keeps its number.

What the copy has beside them are runs of `copy-catalog` itself. Where the catalog has used such a run's number since,
the run moves behind all that was copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from .. import registry
from ..database import Database
from ..schema import migration_events

COMMAND = "copy-catalog"

Event = dict[str, Any]
Pair = tuple[Event | None, Event | None]

_PAGE = 1_000
_number = migration_events.c.event_id
_SAME = ("command", "table_id", "started_at")
"""What never changes of an event."""


def pairs(source: Iterable[Event], target: Iterable[Event]) -> Iterator[Pair]:
    """Yields the events of both catalogs, number by number; None where one of them has none of that number."""
    theirs, ours = iter(source), iter(target)
    one, other = next(theirs, None), next(ours, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one["event_id"] < other["event_id"]):
            yield one, None
            one = next(theirs, None)
        elif one is None or other["event_id"] < one["event_id"]:
            yield None, other
            other = next(ours, None)
        else:
            yield one, other
            one, other = next(theirs, None), next(ours, None)


def knows(source: Connection, table_id: str) -> bool:
    """Tells whether anything was ever done to a table in the catalog."""
    query = select(_number).where(migration_events.c.table_id == table_id).limit(1)
    return source.execute(query).scalar() is not None


def foreign(source: Connection, target: Connection) -> Event | None:
    """Returns an event that is neither a copy nor of `copy-catalog`: then the other catalog has a life of its own."""
    for one, other in pairs(_events(source), _events(target)):
        if other is not None and other["command"] != COMMAND and not _is_copy(one, other):
            return other
    return None


def copy(source: Connection, reader: Connection, writer: Connection, database: Database) -> int:
    """Copies the events that a copy lacks, or has as they were before; returns how many.

    Args:
        source: reads the catalog.
        reader: reads the copy.
        writer: writes to the copy; its transactions are begun here.
        database: the copy's.
    """
    copied = 0
    changed = (pair for pair in pairs(_events(source), _events(reader)) if pair[0] is not None and pair[0] != pair[1])
    while page := list(islice(changed, _PAGE)):
        with writer.begin():
            database.dialect.relax(writer)
            _write(source, writer, page)
        copied += len(page)
    return copied


def _write(source: Connection, writer: Connection, page: list[Pair]) -> None:
    before = [other for one, other in page if other is not None]
    if before:
        numbers = [{"number": event["event_id"]} for event in before]
        writer.execute(delete(migration_events).where(_number == bindparam("number")), numbers)
    writer.execute(insert(migration_events), [one for one, _ in page if one is not None])
    moved = [other for one, other in page if other is not None and not _is_copy(one, other)]
    if moved:
        last = max(_last(source), _last(writer))
        behind = [{**event, "event_id": last + at} for at, event in enumerate(moved, 1)]
        writer.execute(insert(migration_events), behind)


def differences(source: Connection, target: Connection) -> list[str]:
    """Returns what differs in the copied events, in words."""
    wrong = sum(one != other for one, other in pairs(_events(source), _events(target)) if _counts(one, other))
    return [f"{migration_events.name}: {wrong:,} differ"] if wrong else []


def _counts(one: Event | None, other: Event | None) -> bool:
    return one is not None or (other is not None and other["command"] != COMMAND)


def _is_copy(one: Event | None, other: Event) -> bool:
    return one is not None and all(one[name] == other[name] for name in _SAME)


def _events(connection: Connection) -> Iterator[Event]:
    """Yields events by number, a page at a time, so that other statements may come between."""
    last = 0
    while True:
        query = select(migration_events).where(_number > last).order_by(_number).limit(_PAGE)
        page = [registry.in_utc(row._mapping) for row in connection.execute(query)]
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1]["event_id"]


def _last(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(_number), 0))).scalar_one())
