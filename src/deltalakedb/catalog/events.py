"""The audit trail: who ran which command, when, with which options, and what that changed.

A row a run, which stays when its table is forgotten. Commands that change the catalog write theirs in the transaction
of the change, so that neither is there without the other.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib.metadata import version as package_version
from typing import Any

import psutil
from sqlalchemy import Connection, Select, insert, select

from ..steps import step
from . import registry
from .dialects.base import Dialect
from .schema import migration_events, migration_status

logger = logging.getLogger(__name__)

_columns = migration_events.c


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `migration_events`: one run of one command. Times are in UTC.

    Attributes:
        event_id: ascends with the time at which the run began.
        table_id: the table; None where the run was not about one.
        command: the command, also where a program called the library.
        options: JSON; of storage options and the like the names alone.
        status: `running`, `completed`, `failed` or `interrupted`, as in `migration_status`.
        started_at: when it began.
        ended_at: when it ended; None while it runs, or where it was killed.
        version_before: the table's version before it; None where the table could not be read then.
        version: the table's version after it.
        changes: JSON, what it changed or found; None where it changed nothing.
        error_message: why it failed.
        times: how many times in a row it failed in just this way, the last time at `ended_at`.
        database_user: as whom it was let into the database; None in SQLite, which knows no users.
        os_user: as whom it ran.
        host: where it ran.
        owner: the process, as in `migration_status`.
        program: the release that did it.
    """

    event_id: int
    table_id: str | None
    command: str
    options: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    version_before: int | None
    version: int | None
    changes: str | None
    error_message: str | None
    times: int
    database_user: str | None
    os_user: str
    host: str
    owner: str
    program: str


def document(event: Event) -> dict[str, Any]:
    """Returns an event for programs: by the names of its columns, its JSON as what it says."""
    values = {name: getattr(event, name) for name in event.__slots__}
    return values | {name: json.loads(values[name] or "null") for name in ("options", "changes")}


# ---- reading


def events_of(connection: Connection, table_id: str, limit: int | None = 50) -> list[Event]:
    """Returns what was done to a table, the latest first; also to one that has been forgotten since."""
    return _events(connection, _latest(limit).where(_columns.table_id == table_id))


def events(connection: Connection, limit: int | None = 50) -> list[Event]:
    """Returns what was done in the whole catalog, the latest first."""
    return _events(connection, _latest(limit))


def _latest(limit: int | None) -> Select[Any]:
    return select(migration_events).order_by(_columns.event_id.desc()).limit(limit)


def _events(connection: Connection, query: Select[Any]) -> list[Event]:
    found = [Event(**registry.in_utc(row._mapping)) for row in connection.execute(query)]
    at_work = {event.table_id for event in found if event.status == registry.RUNNING}
    if not at_work:
        return found
    at_work_on = select(migration_status).where(migration_status.c.table_id.in_(at_work))
    statuses = [registry.status_from(registry.in_utc(row._mapping)) for row in connection.execute(at_work_on)]
    alive = {(each.table_id, each.owner) for each in statuses if each.status == registry.RUNNING}
    return [_as_it_is(event, alive) for event in found]


def _as_it_is(event: Event, alive: set[tuple[str, str | None]]) -> Event:
    """A run that was killed could not say so."""
    if event.status == registry.RUNNING and (event.table_id, event.owner) not in alive:
        return replace(event, status=registry.INTERRUPTED)
    return event


# ---- writing


def add(
    connection: Connection,
    dialect: Dialect,
    command: str,
    table_id: str | None = None,
    *,
    options: str = "{}",
    status: str = registry.COMPLETED,
    started_at: datetime | None = None,
    changes: Mapping[str, Any] | None = None,
    **values: Any,
) -> int:
    """Writes an event of this process, in the caller's transaction; returns its number.

    `values` are other columns. An event that isn't running has ended now.
    """
    moment = registry.now()
    started_at = started_at or moment
    written = insert(migration_events).values(
        table_id=table_id,
        command=command,
        options=options,
        status=status,
        started_at=started_at,
        ended_at=None if status == registry.RUNNING else moment,
        changes=as_json(changes) if changes else None,
        times=1,
        database_user=dialect.user(connection),
        os_user=os_user(),
        host=socket.gethostname(),
        owner=registry.this_process(),
        program=f"deltalakedb {package_version('deltalakedb')}",
        **values,
    )
    number: Any = connection.execute(written).inserted_primary_key
    tell(int(number[0]), command, table_id, status, started_at, changes=changes or None, **values)
    return int(number[0])


def tell(event_id: int, command: str, table_id: str | None, status: str, started_at: datetime, **values: Any) -> None:
    """Logs what an event says, as it is written."""
    told = {"event_id": event_id, "command": command, "table_id": table_id, "status": status, **values}
    if status == registry.RUNNING:
        logger.info("%s: %s begins", table_id or "catalog", command, extra=step("run_started", **told))
        return
    if status == registry.FAILED:  # whoever fails says so to people, too
        told["level"] = "error"
    told["seconds"] = (registry.now() - started_at).total_seconds()
    logger.info("%s: %s %s", table_id or "catalog", command, status, extra=step("run_ended", **told))


@cache
def os_user() -> str:
    """Returns as whom this process runs."""
    return str(psutil.Process().username())


def as_json(value: Mapping[str, Any], scrub: Callable[[str], str] = str) -> str:
    """Returns options or changes as they are written; `scrub` takes the passwords out of a text."""

    def plain(one: Any) -> Any:
        match one:
            case None | bool() | int() | float():
                return one
            case dict():
                return {name: plain(item) for name, item in one.items()}
            case list() | tuple():
                return [plain(item) for item in one]
        return scrub(str(one))

    return json.dumps(plain(dict(value)))
