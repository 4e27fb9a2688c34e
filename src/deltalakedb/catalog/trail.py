"""How the runs of commands get into the audit trail (catalog/events.py)."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select, update

from ..errors import ArgumentError, DeltaLakeDBError, LogError, StorageError, TableNotFoundError
from ..steps import step
from . import events, registry
from .database import Database
from .registry import TableEntry
from .schema import migration_events, migration_status

logger = logging.getLogger(__name__)

_columns = migration_events.c


def _always(_connection: Connection) -> bool:
    return True


class Trail:
    """One run of a command, which is written when it has ended.

    Args:
        database: where the catalog is.
        command: the command.
        table_id: the table; None where it is not about one.
        options: what it was called with, as far as that is no secret; those that were not given are left out.
    """

    def __init__(
        self, database: Database, command: str, table_id: str | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        given = {name: value for name, value in (options or {}).items() if value not in (None, [])}
        self.command = command
        self.table_id = table_id
        self._database = database
        self._options = events.as_json(given, database.scrub)
        self._started_at = registry.now()

    def note(self, connection: Connection, *, forgotten: TableEntry | None = None, **changes: Any) -> None:
        """Writes that the run has ended well, in the caller's transaction; `forgotten` is the table that it deleted."""
        versions = self._version(connection) if forgotten is None else {"version_before": forgotten.version}
        self._add(connection, registry.COMPLETED, changes=changes, **versions)

    def write(self, **changes: Any) -> None:
        """Writes that the run has ended well, in a transaction of its own, where there is a catalog."""
        self._write_after(_always, registry.COMPLETED, changes=changes)

    def noted(self, **changes: Any) -> None:
        """Writes that the run has ended well, if this role may write: what was done stands without it."""
        self._try(registry.COMPLETED, changes=changes)

    @contextmanager
    def failures_noted(self, *, also_on_table: bool = False) -> Iterator[None]:
        """Writes that the run failed, if it does and this role may write. What can't be asked for is no run.

        `also_on_table` has it written there, too, where it was the table's log that could not be looked at.
        """
        try:
            yield
        except (TableNotFoundError, ArgumentError):
            raise
        except DeltaLakeDBError as error:
            if also_on_table:
                self.failed(error)
            else:
                self._try(registry.FAILED, error_message=self._database.scrub(error.message))
            raise

    def failed(self, error: DeltaLakeDBError, location: str | None = None) -> None:
        """Writes that the run failed, and on the table where its log could not be looked at, if this role may write.

        A `location` that is not the table's leaves no trace.
        """
        message = self._database.scrub(error.message)

        def note(connection: Connection) -> bool:
            status = registry.status_of(connection, self.table_id or "")
            if status is None or location not in (None, status.location):
                return False
            if _is_of_log(error):
                registry.note_failure(connection, status.table_id, message)
            return True

        self._try(registry.FAILED, note, error_message=message)

    def ended(self, keep: Callable[[Connection], bool], failure: str | None, **changes: Any) -> None:
        """Keeps what the run has found and writes that it has ended, in one transaction of its own.

        Args:
            keep: keeps it; tells whether there is anything to keep it for.
            failure: what it found to be wrong, as one line; None where all is well.
            **changes: what it found, in numbers.
        """
        status = registry.COMPLETED if failure is None else registry.FAILED
        message = None if failure is None else self._database.scrub(failure)
        self._write_after(keep, status, changes=changes, error_message=message)

    def _try(self, status: str, first: Callable[[Connection], bool] = _always, **values: Any) -> None:
        """Writes an event as `_write_after`, if this role may write."""
        try:
            self._write_after(first, status, **values)
        except DeltaLakeDBError as error:
            self.say_unwritten(status, error)

    def _write_after(self, first: Callable[[Connection], bool], status: str, **values: Any) -> None:
        """Writes an event, where there is a catalog, after what comes `first`, which tells whether there is one."""
        if self._database.has_catalog():
            with self._database.transaction() as connection:
                if first(connection) and not self._again(connection, status, values.get("error_message")):
                    self._add(connection, status, **values, **self._version(connection))

    def say_unwritten(self, status: str, error: DeltaLakeDBError) -> None:
        """Logs that a run is not in the audit trail, and why."""
        unwritten = step("unrecorded", table_id=self.table_id, status=status)
        logger.info("%s is not in the audit trail: %s", self.command, error.message, extra=unwritten)

    def _again(self, connection: Connection, status: str, message: str | None, but: int | None = None) -> bool:
        """Counts a failure that is the table's last one over again: a sync every 30 s would say it every 30 s.

        Returns whether it is that one. `but` is the number of this run's own event.
        """
        if status != registry.FAILED or self.table_id is None:
            return False
        latest = (event for event in events.events_of(connection, self.table_id, 2))
        last = next((event for event in latest if event.event_id != but), None)
        if last is None:
            return False
        told = (last.status, last.command, last.error_message, last.os_user, last.host)
        if told != (status, self.command, message, events.os_user(), socket.gethostname()):
            return False
        again = {"times": _columns.times + 1, "ended_at": registry.now(), "owner": registry.this_process()}
        connection.execute(update(migration_events).where(_columns.event_id == last.event_id).values(**again))
        self._tell(last.event_id, status=status, error_message=message, times=last.times + 1, version=last.version)
        return True

    def _tell(self, event_id: int, **values: Any) -> None:
        events.tell(event_id, self.command, self.table_id, started_at=self._started_at, **values)

    def _version(self, connection: Connection) -> dict[str, int]:
        entry = None if self.table_id is None else registry.entry_of(connection, self.table_id)
        return {} if entry is None else {"version_before": entry.version, "version": entry.version}

    def _add(self, connection: Connection, status: str, **values: Any) -> int:
        return events.add(
            connection,
            self._database.dialect,
            self.command,
            self.table_id,
            options=self._options,
            status=status,
            started_at=self._started_at,
            **values,
        )


def _is_of_log(error: DeltaLakeDBError) -> bool:
    return isinstance(error, LogError | StorageError) and not error.of_database


class WorkTrail(Trail):
    """One run that works on a table which it has claimed: written when it begins, and again when it ends.

    A run that found nothing to do leaves nothing.
    """

    def __init__(self, database: Database, command: str, table_id: str, options: Mapping[str, Any]) -> None:
        super().__init__(database, command, table_id, options)
        self._table_id = table_id
        self._event_id: int | None = None
        self._version_before: int | None = None
        self._before = (0, 0)
        self._remarks: dict[str, Any] = {}

    def begin(self, connection: Connection) -> None:
        """Writes that the run is at work, in the caller's transaction; what it changes is counted from here.

        Later calls do nothing.
        """
        if self._is_there(connection):
            return
        theirs = (_columns.table_id == self._table_id) & (_columns.status == registry.RUNNING)
        # Who has claimed a table has made sure that nobody else is at work: these were killed.
        connection.execute(update(migration_events).where(theirs).values(status=registry.INTERRUPTED))
        self._version_before = self._version_of(connection)
        self._before = self._counted(connection)
        self._event_id = self._add(connection, registry.RUNNING, version_before=self._version_before)

    def _is_there(self, connection: Connection) -> bool:
        """Tells whether what the run began with is written: a transaction that was tried again may have taken it."""
        query = select(_columns.event_id).where(self._is_mine())
        return self._event_id is not None and connection.execute(query).one_or_none() is not None

    def _is_mine(self) -> ColumnElement[bool]:
        """What our event has; in SQLite, the number of one that was taken back is given to the next one."""
        mine = (_columns.event_id == (self._event_id or 0)) & (_columns.owner == registry.this_process())
        return mine & (_columns.table_id == self._table_id) & (_columns.status == registry.RUNNING)

    def count_anew(self) -> None:
        """Notes that everything that earlier runs had loaded was deleted."""
        self._before = (0, 0)

    def remark(self, **changes: Any) -> None:
        """Notes what the run changes beside commits and files, to be written when it ends."""
        self._remarks |= changes

    def end(self, connection: Connection, status: str, message: str | None = None) -> None:
        """Writes how the run ended, in the caller's transaction; `message` is one line without secrets."""
        begun = self._event_id is not None
        if not begun and status == registry.COMPLETED:
            return
        version = self._version_of(connection)
        if not begun:
            self._version_before, self._before = version, self._counted(connection)
        if version == self._version_before and self._again(connection, status, message, self._event_id):
            connection.execute(delete(migration_events).where(_columns.event_id == (self._event_id or 0)))
            return
        now = self._counted(connection)
        changes = {name: max(0, now[at] - self._before[at]) for at, name in enumerate(("commits", "files"))}
        changed = {**changes, **self._remarks} if any(changes.values()) or self._remarks else None
        self._write(connection, status, version, message, changed)

    def _write(
        self,
        connection: Connection,
        status: str,
        version: int | None,
        message: str | None,
        changes: dict[str, Any] | None,
    ) -> None:
        values: dict[str, Any] = {"status": status, "version": version, "error_message": message}
        mine = update(migration_events).where(self._is_mine())
        text = None if changes is None else events.as_json(changes)
        before = self._version_before
        if connection.execute(mine.values(ended_at=registry.now(), changes=text, **values)).rowcount:
            self._tell(self._event_id or 0, version_before=before, changes=changes, **values)
        else:  # what it began with was rolled back
            self._add(connection, changes=changes, version_before=before, **values)

    def _version_of(self, connection: Connection) -> int | None:
        entry = registry.entry_of(connection, self._table_id)
        return None if entry is None else entry.version

    def _counted(self, connection: Connection) -> tuple[int, int]:
        columns = migration_status.c
        query = select(columns.commits_processed, columns.files_processed).where(columns.table_id == self._table_id)
        row = connection.execute(query).one_or_none()
        return (0, 0) if row is None else (row[0], row[1])
