"""What somebody should look at: imports that failed, tables behind their logs, differences at the last validation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, func, or_, select, true

from . import registry, validations
from .owner import people_say
from .schema import delta_tables, delta_validations, migration_status

KINDS = ("unreachable", "failed", "interrupted", "stalled", "behind", "not_synced", "drift")
"""In the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of a table, or of the catalog as a whole where `table_id` is None.

    `kind` is one of `KINDS`: `stalled` is a running import without a heartbeat, `behind` a table at an older version
    than its log, `not_synced` one that nobody has held against its log for long, `drift` one whose last validation
    found differences.
    """

    kind: str
    table_id: str | None
    message: str


def problems(
    connection: Connection, table_id: str | None = None, *, max_lag: int = 0, max_age: timedelta | None = None
) -> list[Problem]:
    """Returns what is wrong, by kind and table id; one query a kind, whatever the number of tables.

    Args:
        connection: to the catalog; one that may only read is enough.
        table_id: the only table that is asked for; by default all are.
        max_lag: versions that a table may be behind its log, as the last look at it saw it.
        max_age: how long ago a table may have been held against its log; by default that isn't asked.
    """
    of_one = true() if table_id is None else migration_status.c.table_id == table_id
    found = [*_unfinished(connection, of_one), *_behind(connection, max_lag, of_one), *_drifted(connection, of_one)]
    if max_age is not None:
        found += _not_synced(connection, max_age, of_one)
    return sorted(found, key=lambda problem: (KINDS.index(problem.kind), problem.table_id or ""))


def _unfinished(connection: Connection, which: ColumnElement[bool]) -> Iterator[Problem]:
    for status in registry.unfinished(connection, which):
        if status.status != registry.RUNNING:
            yield Problem(status.status, status.table_id, status.error_message or _how_far(status))
        elif status.heartbeat_at is not None and registry.now() - status.heartbeat_at > registry.STALE_AFTER:
            silent = (registry.now() - status.heartbeat_at).total_seconds()
            yield Problem("stalled", status.table_id, f"no heartbeat of {people_say(status.owner)} for {silent:.0f} s")


def _how_far(status: registry.TableStatus) -> str:
    return f"after {status.commits_processed} of {status.commits_total or '?'} commits"


def _behind(connection: Connection, max_lag: int, which: ColumnElement[bool]) -> Iterator[Problem]:
    lag = delta_tables.c.log_version - delta_tables.c.version
    query = select(delta_tables.c.table_id, delta_tables.c.version, lag.label("lag")).join(migration_status)
    for row in connection.execute(query.where(lag > max_lag, which)):
        yield Problem("behind", row.table_id, f"at version {row.version}, its log at {row.version + row.lag}")


def _not_synced(connection: Connection, max_age: timedelta, which: ColumnElement[bool]) -> Iterator[Problem]:
    in_step = func.coalesce(migration_status.c.completed_at, delta_tables.c.synced_at)
    query = (
        select(delta_tables.c.table_id, in_step.label("in_step"))
        .join(migration_status, migration_status.c.table_id == delta_tables.c.table_id)
        .where(in_step < registry.now() - max_age, which)
        .where(or_(migration_status.c.status != registry.RUNNING, migration_status.c.completed_at.is_not(None)))
    )
    for row in connection.execute(query):
        when = registry.in_utc(row._mapping)["in_step"]
        yield Problem("not_synced", row.table_id, f"last held against its log at {when:%Y-%m-%d %H:%M:%S} UTC")


def _drifted(connection: Connection, which: ColumnElement[bool]) -> Iterator[Problem]:
    query = select(delta_validations).join(migration_status)
    for row in connection.execute(query.where(delta_validations.c.valid.is_(False), which)):
        yield Problem("drift", row.table_id, validations.said(row.difference_count, row.version))
