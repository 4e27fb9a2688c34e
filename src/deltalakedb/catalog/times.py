"""A time → the version that was the newest one then (PROTOCOL.md, "In-Commit Timestamps")."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, func, select

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
        return found
    begun: int | None = connection.execute(
        select(func.min(delta_commits.c.version)).where(own, within.is_not(None))
    ).scalar()
    newest = entry.version if begun is None else begun - 1
    return max(_by_files(connection, own, entry.first_version, newest, timestamp_ms), entry.first_version)


def _by_files(connection: Connection, own: ColumnElement[bool], low: int, high: int, timestamp_ms: int) -> int:
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
