"""A time → the version that was the newest one then (PROTOCOL.md, "In-Commit Timestamps")."""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, Connection, and_, func, select

from .gaps import gaps_of, gone, histories
from .registry import TableEntry
from .schema import delta_commits


def version_at(connection: Connection, entry: TableEntry, timestamp_ms: int) -> int:
    """Returns the newest version committed at a time or before; the oldest one where all came later, as delta-rs does.

    In-commit timestamps decide where a table has them. Elsewhere it is the times of the log's files, as for delta-rs
    and for Spark, and not what writers noted: a table goes to the same version whoever is asked.

    Args:
        connection: to the catalog.
        entry: the table.
        timestamp_ms: in milliseconds since the epoch.

    Raises:
        VersionNotFoundError: it may be a version of a gap.
    """
    own = and_(
        delta_commits.c.table_id == entry.table_id,
        delta_commits.c.version.between(entry.first_version, entry.version),
    )
    within = delta_commits.c.in_commit_timestamp
    found: int | None = connection.execute(
        select(func.max(delta_commits.c.version)).where(own, within <= timestamp_ms)
    ).scalar()
    if found is not None:
        return _before_gap(connection, entry, found, within, timestamp_ms)
    begun: int | None = connection.execute(
        select(func.min(delta_commits.c.version)).where(own, within.is_not(None))
    ).scalar()
    newest = entry.version if begun is None else begun - 1
    return _by_files(connection, entry, own, newest, timestamp_ms)


def _by_files(
    connection: Connection, entry: TableEntry, own: ColumnElement[bool], newest: int, timestamp_ms: int
) -> int:
    time = delta_commits.c.file_timestamp
    for first, last in reversed(histories(entry)):
        if first > newest and first != entry.first_version:
            continue
        begun = connection.execute(
            select(time).where(own, delta_commits.c.version >= first).order_by(delta_commits.c.version).limit(1)
        ).scalar()
        if first == entry.first_version or (begun is not None and begun <= timestamp_ms):
            found = max(_halved(connection, own, first, min(last, newest), timestamp_ms), first)
            return _before_gap(connection, entry, found, time, timestamp_ms)
    raise AssertionError("the oldest part of a history takes every time")


def _before_gap(connection: Connection, entry: TableEntry, version: int, column: Column[int], timestamp_ms: int) -> int:
    """Returns a version that was found by its time, unless it ends before a gap that may have a later one."""
    for gap in gaps_of(entry):
        if version == gap.first_version - 1:
            query = select(column).where(delta_commits.c.table_id == entry.table_id, delta_commits.c.version == version)
            time: int | None = connection.execute(query).scalar()
            if time is None or time < timestamp_ms:
                raise gone(entry, gap, "can't tell its version at that time")
    return version


def _halved(connection: Connection, own: ColumnElement[bool], low: int, high: int, timestamp_ms: int) -> int:
    """Halves the versions by the times of their files, as delta-rs does: copied files' times may be in any order."""
    while low <= high:
        middle = (low + high) // 2
        query = select(delta_commits.c.file_timestamp).where(own, delta_commits.c.version == middle)
        time: int | None = connection.execute(query).scalar()  # None: the floor's commit is gone, its checkpoint is not
        if time == timestamp_ms:
            return middle
        if time is None or time < timestamp_ms:
            low = middle + 1
        else:
            high = middle - 1
    return high
