"""Which tables the catalog knows, in which state they are, and who works on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    RowMapping,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from ..errors import ImportIncompleteError, TableBusyError, TableExistsError, TableNotFoundError, command_line
from .owner import is_running, people_say
from .owner import this_process as this_process
from .schema import INDEX_TABLES, ROW_TABLES, delta_files, delta_tables, delta_validations, migration_status

RUNNING, COMPLETED, FAILED, INTERRUPTED = "running", "completed", "failed", "interrupted"

STALE_AFTER = timedelta(minutes=2)
"""A heartbeat older than this is a dead importer's. Of others on the same machine the process is looked for instead."""

COPYING = "copy "
"""What the fingerprint of a table begins with while it is copied from another catalog."""


@dataclass(frozen=True, slots=True)
class TableStatus:
    """A row of `migration_status`. Times are in UTC.

    `status` is what holds now: a running import whose process is gone is `interrupted`.
    """

    table_id: str
    location: str
    status: str
    version: int | None
    files_processed: int
    active_files: int
    active_bytes: int
    started_at: datetime
    completed_at: datetime | None
    error_message: str | None
    first_version: int | None
    target_version: int | None
    commits_total: int | None
    commits_processed: int
    rows_loaded: int
    log_fingerprint: str | None
    log_bytes_processed: int
    log_bytes_total: int | None
    owner: str | None
    heartbeat_at: datetime | None
    claimed_at: datetime | None
    files_at_claim: int
    commits_at_claim: int
    log_bytes_at_claim: int

    @property
    def share(self) -> float | None:
        """How much of what it works on is done, from 0 to 1: of the log for an import, of what is new for a sync.

        By bytes: a log may be one checkpoint. None where nobody knows.
        """
        if self.log_bytes_total is None:
            return None
        begun = 0 if self.version is None else self.log_bytes_at_claim
        whole = self.log_bytes_total - begun
        return min(1.0, (self.log_bytes_processed - begun) / whole) if whole > 0 else None

    @property
    def is_being_copied(self) -> bool:
        """Whether it is coming here from another catalog, and is not yet whole."""
        return (self.log_fingerprint or "").startswith(COPYING)

    @property
    def resuming(self) -> str:
        """The command line that goes on with the import, or the copy."""
        if self.is_being_copied:
            return "deltalakedb copy-catalog FROM TO"
        return command_line("import", self.location, "--table-id", self.table_id, "--resume")


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table that can be read: a row of `delta_tables`. Times are in UTC.

    `log_version` is the newest version in the log, as the last look at it found; `gaps` are read by catalog/gaps.py.
    `commit_digest` is that of the bytes of the newest version's commit, None where it isn't known.
    """

    table_id: str
    location: str
    first_version: int
    version: int
    log_version: int
    imported_at: datetime
    synced_at: datetime
    warnings: str | None
    checkpoint_actions: str | None
    gaps: str | None = None
    commit_digest: str | None = None


def now() -> datetime:
    """Returns the time that the catalog writes."""
    return datetime.now(UTC)


def is_alive(owner: str | None, heartbeat_at: datetime | None) -> bool:
    """Tells whether the process that claimed a table may still work on it."""
    if owner is None or heartbeat_at is None:
        return False
    seen = is_running(owner, heartbeat_at)
    return now() - heartbeat_at < STALE_AFTER if seen is None else seen


# ---- reading

# Joined, so that a table is unknown as soon as its row in migration_status is gone, foreign keys or not.
_ENTRIES = select(delta_tables).join(migration_status, delta_tables.c.table_id == migration_status.c.table_id)


def statuses(connection: Connection, table_id: str | None = None) -> list[TableStatus]:
    """Returns the state of all tables, or of one, the last started first."""
    query = select(migration_status).order_by(migration_status.c.started_at.desc(), migration_status.c.table_id)
    if table_id is not None:
        query = query.where(migration_status.c.table_id == table_id)
    return [_status(row) for row in connection.execute(query)]


def unfinished(connection: Connection, which: ColumnElement[bool] | None = None) -> list[TableStatus]:
    """Returns the state of the tables (of those that are `which`) that are not `completed`, the last started first."""
    query = select(migration_status).where(migration_status.c.status != COMPLETED, true() if which is None else which)
    query = query.order_by(migration_status.c.started_at.desc(), migration_status.c.table_id)
    return [_status(row) for row in connection.execute(query)]


def status_of(connection: Connection, table_id: str) -> TableStatus | None:
    """Returns the state of a table."""
    return _one_status(connection, _STATUS.where(migration_status.c.table_id == table_id))


def lock(connection: Connection, table_id: str, *, wait: bool = False) -> TableStatus | None:
    """Returns the state of a table, which nobody else changes before the transaction ends.

    Raises:
        TableBusyError: it is claimed, by a process in the middle of a transaction; unless that is to be waited for.
    """
    query = _STATUS.where(migration_status.c.table_id == table_id)
    # Rows that refer to this one are no hindrance: validations are kept while a table is synced.
    locking = query.with_for_update(key_share=True)
    if wait:
        return _one_status(connection, locking)
    found = _one_status(connection, query.with_for_update(key_share=True, skip_locked=True))
    if found is not None:
        return found
    seen = _one_status(connection, query)
    if seen is not None and seen.owner is not None:
        raise busy(seen)
    return None if seen is None else _one_status(connection, locking)  # held for a moment


def busy(status: TableStatus) -> TableBusyError:
    """Returns the error for a table that another process works on: who, and since when."""
    doing = "imported" if status.version is None else "synced"
    since = status.claimed_at or status.started_at
    return TableBusyError(
        f"{status.table_id!r} is being {doing} by {people_say(status.owner)} since {since:%Y-%m-%d %H:%M:%S} UTC",
        "Wait for it, or stop that process first.",
    )


def is_worked_on(status: TableStatus) -> bool:
    """Tells whether a living process has claimed a table."""
    return status.status == RUNNING or is_alive(status.owner, status.heartbeat_at)


_STATUS = select(migration_status)


def _one_status(connection: Connection, query: Select[Any]) -> TableStatus | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else _status(row)


def entries(connection: Connection) -> list[TableEntry]:
    """Returns every table that can be read, by table id."""
    return [_entry(row) for row in connection.execute(_ENTRIES.order_by(delta_tables.c.table_id))]


def entry_of(connection: Connection, table_id: str) -> TableEntry | None:
    """Returns a table that can be read; None where it can't or isn't known."""
    row = connection.execute(_ENTRIES.where(delta_tables.c.table_id == table_id)).one_or_none()
    return None if row is None else _entry(row)


def readable(connection: Connection, table_id: str) -> TableEntry:
    """Returns a table that can be read.

    Raises:
        TableNotFoundError: the catalog doesn't know it.
        ImportIncompleteError: its import has not completed.
    """
    entry = entry_of(connection, table_id)
    if entry is not None:
        return entry
    status = status_of(connection, table_id)
    if status is None:
        raise TableNotFoundError(
            f"There is no table {table_id!r} in the catalog", "`deltalakedb migration-status` lists the tables."
        )
    raise ImportIncompleteError(
        f"The import of {table_id!r} has not completed (status: {status.status})",
        status.resuming,
    )


def _status(row: Row[Any]) -> TableStatus:
    return status_from(in_utc(row._mapping))


def status_from(values: dict[str, Any]) -> TableStatus:
    """Returns what holds now of a row of `migration_status`, by the names of its columns and in UTC."""
    if values["status"] == RUNNING and not is_alive(values["owner"], values["heartbeat_at"]):
        values["status"] = INTERRUPTED
    return TableStatus(**values)


def _entry(row: Row[Any]) -> TableEntry:
    return TableEntry(**in_utc(row._mapping))


def in_utc(row: RowMapping) -> dict[str, Any]:
    """Returns a row by the names of its columns, with times in UTC."""
    return {str(name): _utc(value) for name, value in row.items()}


def _utc(value: Any) -> Any:
    """SQLite keeps no zones; what we wrote there was UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


# ---- writing


def claim(connection: Connection, table_id: str, location: str, *, resume: bool) -> TableStatus | None:
    """Takes a table for this process, in the caller's transaction; returns its state until now, None if new.

    The caller sees to it that no other thread of this process works on it: what this process has claimed before is left
    from a time when the database was away.

    Raises:
        TableExistsError: it is there already and `resume` is not given, or the id belongs to another location.
        TableBusyError: another process works on it.
    """
    before = lock(connection, table_id)
    if before is not None:
        _check_claim(connection, before, location, resume=resume)
    values = {
        "location": location,
        "status": RUNNING,
        "completed_at": None,
        "error_message": None,
        "owner": this_process(),
        "heartbeat_at": now(),
        "claimed_at": now(),
    }
    if before is None:
        if _owns_rows(connection, table_id):
            delete_rows(connection, table_id)  # what a shell without foreign keys has left
        _insert_status(connection, table_id, **values)
    else:
        record(connection, table_id, **values, **_so_far(before))
    return before


def _so_far(status: TableStatus) -> dict[str, int]:
    return {
        "files_at_claim": status.files_processed,
        "commits_at_claim": status.commits_processed,
        "log_bytes_at_claim": status.log_bytes_processed,
    }


def _insert_status(connection: Connection, table_id: str, **values: Any) -> None:
    zeros = {"files_processed": 0, "active_files": 0, "commits_processed": 0, "rows_loaded": 0}
    try:
        connection.execute(insert(migration_status).values(table_id=table_id, started_at=now(), **zeros, **values))
    except IntegrityError as error:
        raise TableBusyError(
            f"{table_id!r} is being imported by another process, which was faster", "Wait for it to finish."
        ) from error


def _check_claim(connection: Connection, before: TableStatus, location: str, *, resume: bool) -> None:
    quoted = repr(before.table_id)
    loaded = before.rows_loaded > 0 or entry_of(connection, before.table_id) is not None
    if is_worked_on(before) and before.owner != this_process():
        raise busy(before)
    if loaded and before.location != location:
        raise TableExistsError(
            f"The table id {quoted} is used for another location: {before.location}", "Choose another --table-id."
        )
    if loaded and not resume:
        done = before.status == COMPLETED
        what = f"is in the catalog already, at version {before.version}" if done else f"is there, {before.status}"
        raise TableExistsError(f"{quoted} {what}", "Use --resume to go on, or --replace to begin anew.")


def record(connection: Connection, table_id: str, **values: Any) -> None:
    """Updates a table's row in `migration_status`."""
    connection.execute(update(migration_status).where(migration_status.c.table_id == table_id).values(**values))


def hold(connection: Connection, table_id: str, **values: Any) -> None:
    """Updates the row of a table that this process has claimed, as `record` does.

    Raises:
        TableBusyError: another process has deleted it since, or took this one for dead and went on in its place.
    """
    mine = and_(migration_status.c.table_id == table_id, migration_status.c.owner == this_process())
    if not connection.execute(update(migration_status).where(mine).values(**values)).rowcount:
        raise TableBusyError(
            f"{table_id!r} was deleted or taken over by another process", "`deltalakedb migration-status` says by whom."
        )


def note_failure(connection: Connection, table_id: str, message: str) -> None:
    """Notes on a readable table that its log could not be looked at, and why.

    Not where somebody works on it, who will say how that ended, nor on an import that has not completed: what stopped
    it is there already.
    """
    status = lock(connection, table_id, wait=True)
    if status is not None and not is_worked_on(status) and entry_of(connection, table_id) is not None:
        record(connection, table_id, status=FAILED, error_message=message, owner=None)


def note_look(connection: Connection, table_id: str, log_version: int) -> None:
    """Notes on a readable table that its log could be looked at, and what is the newest version there.

    What failed before is over: what it left undone shows by the versions that the table is behind.
    """
    status = lock(connection, table_id, wait=True)
    entry = entry_of(connection, table_id)
    if status is None or entry is None or is_worked_on(status):
        return
    complete(connection, replace(entry, log_version=max(entry.version, log_version)))
    if status.status == FAILED:
        record(connection, table_id, status=COMPLETED, error_message=None, owner=None)


def complete(connection: Connection, entry: TableEntry) -> None:
    """Makes a table readable at the entry's version, or moves it on to there."""
    values = {name: getattr(entry, name) for name in TableEntry.__slots__}
    changed = connection.execute(
        update(delta_tables).where(delta_tables.c.table_id == entry.table_id).values(**values)
    ).rowcount
    if not changed:
        connection.execute(insert(delta_tables).values(**values))


def delete_rows(connection: Connection, table_id: str) -> dict[str, int]:
    """Deletes what a table owns beside its row in `migration_status`; returns how many rows of each SQL table.

    Everything is deleted by name and not left to the foreign keys: a shell without them (SQLite's default) may have
    deleted the owner alone.
    """
    for table in (*INDEX_TABLES, delta_validations):
        connection.execute(delete(table).where(table.c.table_id == table_id))
    deleted = {delta_files.name: _delete_files(connection, table_id)}
    for table in (*ROW_TABLES.values(), delta_tables):
        if table is not delta_files:
            deleted[table.name] = connection.execute(delete(table).where(table.c.table_id == table_id)).rowcount
    return deleted


# What has ended and what is live by themselves: each has an index, both together would be looked for in all tables.
_FILES = (delta_files.c.removed_version.is_(None), delta_files.c.removed_version.is_not(None))

_OWNED = (*INDEX_TABLES, delta_validations, *ROW_TABLES.values(), delta_tables)
_OWNS_ROWS = select(
    or_(
        *(exists().where(table.c.table_id == bindparam("owner_id")) for table in _OWNED if table is not delta_files),
        *(exists().where(delta_files.c.table_id == bindparam("owner_id"), which) for which in _FILES),
    )
)


def _owns_rows(connection: Connection, table_id: str) -> bool:
    return bool(connection.execute(_OWNS_ROWS, {"owner_id": table_id}).scalar())


def _delete_files(connection: Connection, table_id: str) -> int:
    deleted = 0
    for which in _FILES:
        deleted += connection.execute(delete(delta_files).where(delta_files.c.table_id == table_id, which)).rowcount
    return deleted


def forget(connection: Connection, table_id: str) -> dict[str, int]:
    """Deletes everything of a table; returns how many rows of each SQL table."""
    deleted = delete_rows(connection, table_id)
    gone = connection.execute(delete(migration_status).where(migration_status.c.table_id == table_id)).rowcount
    return {**deleted, migration_status.name: gone}


def count_rows(connection: Connection, table_id: str) -> dict[str, int]:
    """Returns how many rows of each SQL table a table owns."""
    tables = (*ROW_TABLES.values(), delta_tables, migration_status)
    return {
        table.name: connection.execute(
            select(func.count()).select_from(table).where(table.c.table_id == table_id)
        ).scalar_one()
        for table in tables
    }
