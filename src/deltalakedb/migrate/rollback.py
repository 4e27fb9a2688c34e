"""Back from SQL to the log: whether that is safe, and doing it.

The log was never touched, so a rollback is deleting the table's rows. What has to be made sure of first is that the
log still gives what the rows give.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from ..catalog import registry, validations
from ..catalog.database import Database
from ..catalog.gaps import versions_before
from ..catalog.registry import TableEntry, TableStatus
from ..catalog.schema import ROW_TABLES, delta_files, delta_tables, migration_status
from ..catalog.trail import Trail
from ..errors import DeltaLakeDBError, LogError, RollbackUnsafeError, command_line
from ..log.reader import Log, check_opening, open_log, plan
from ..log.segment import LogSegment
from ..log.store import open_store
from .against_delta_rs import open_version, reader_name
from .differences import UNKNOWN_FEATURE
from .second_reading import Scope, read
from .validate import ValidationReport, finding, validate

ROLLED_BACK, DRY_RUN = "rolled back", "dry run"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at before a rollback, and what was seen."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class RollbackCheck:
    """Whether a table can do without the catalog. `statements` are the SQL that a rollback amounts to."""

    table_id: str
    can_rollback: bool
    checks: tuple[Check, ...]
    statements: tuple[str, ...]

    @property
    def why(self) -> str:
        """Why a rollback would lose something, as one line."""
        failed = "; ".join(f"{one.name}: {one.detail}" for one in self.checks if not one.ok)
        return f"{self.table_id!r} can't be rolled back safely: {failed}"


@dataclass(frozen=True, slots=True)
class RollbackReport:
    """What a rollback deleted: rows of each SQL table. `opened_version` is what the log gave afterwards."""

    table_id: str
    location: str
    status: str
    deleted: dict[str, int]
    opened_version: int | None
    duration_seconds: float


def verify_rollback(
    database: Database, table_id: str, *, storage_options: Mapping[str, str] | None = None
) -> RollbackCheck:
    """Finds out whether the log alone gives back what the catalog has of a table; changes nothing of it.

    A log that could not be looked at is noted on the table, for `check` and the status page.

    Raises:
        TableNotFoundError: the catalog doesn't know the table.
        TableBusyError: another process works on it.
        CatalogError: the database refuses.
    """
    trail = Trail(database, "verify-rollback", table_id)
    found = _verify(database, table_id, storage_options or {})
    check = found.check
    if found.unreadable is not None and not check.can_rollback:
        trail.failed(found.unreadable)
        return check

    def keep(connection: Connection) -> bool:
        return found.report is None or validations.keep(connection, finding(found.report))

    try:
        trail.ended(keep, None if check.can_rollback else check.why, can_rollback=check.can_rollback)
    except DeltaLakeDBError as error:
        trail.say_unwritten(registry.COMPLETED, error)
    return check


def rollback(
    database: Database,
    table_id: str,
    *,
    dry_run: bool = False,
    storage_options: Mapping[str, str] | None = None,
) -> RollbackReport:
    """Makes the catalog forget a table, after verifying that its log is all that it needs.

    All rows go in one transaction; nothing below the table's location is touched. With `dry_run` nothing is deleted.

    Raises:
        RollbackUnsafeError: the log alone would not give back what the catalog has.
        TableNotFoundError: the catalog doesn't know the table.
        TableBusyError: another process works on it.
        CatalogError: the database refuses.
    """
    begun = time.perf_counter()
    options = storage_options or {}
    if dry_run:
        location, opened = _verified(database, table_id, options)
        with database.reading() as connection:
            deleted = registry.count_rows(connection, table_id)
    else:
        trail = Trail(database, "rollback", table_id)
        with trail.failures_noted():
            location, opened = _verified(database, table_id, options)
            deleted = _forget(database, table_id, trail)
        opened = _opened(location, options)[0]
    return RollbackReport(
        table_id=table_id,
        location=location,
        status=DRY_RUN if dry_run else ROLLED_BACK,
        deleted=deleted,
        opened_version=opened,
        duration_seconds=time.perf_counter() - begun,
    )


def _forget(database: Database, table_id: str, trail: Trail) -> dict[str, int]:
    with database.transaction() as connection:
        _idle(connection, table_id, lock=True)
        entry = registry.entry_of(connection, table_id)
        deleted = registry.forget(connection, table_id)
        trail.note(connection, forgotten=entry, deleted=deleted)
        return deleted


def _verified(database: Database, table_id: str, options: Mapping[str, str]) -> tuple[str, int | None]:
    """Returns a table's location and the version that its log gives, once it is sure that the log is enough."""
    found = _verify(database, table_id, options)
    if not found.check.can_rollback:
        raise RollbackUnsafeError(
            found.check.why,
            f"`{command_line('verify-rollback', table_id)}` tells more, and lists the statements by hand.",
            check=found.check,
        )
    return found.location, found.opened


def statements(database: Database, table_id: str) -> tuple[str, ...]:
    """Returns the SQL that makes the catalog forget a table, as a person could run it.

    The first two are those of the migration guide, and enough where foreign keys are enforced; SQLite's shell does not.
    """
    text = table_id.replace("'", "''")
    if database.dialect.name in ("mysql", "mariadb"):
        text = text.replace("\\", "\\\\")
    owned = [table for table in (*ROW_TABLES.values(), delta_tables) if table is not delta_files]
    tables = (delta_files, migration_status, *owned)
    return tuple(f"DELETE FROM {table.name} WHERE table_id = '{text}';" for table in tables)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a verification found.

    Attributes:
        check: what it says of a rollback.
        location: the table's.
        opened: the version at which the table opens without the catalog.
        report: how it compares with its log; None where that could not be done.
        unreadable: why the log could not be looked at.
    """

    check: RollbackCheck
    location: str
    opened: int | None
    report: ValidationReport | None
    unreadable: DeltaLakeDBError | None


def _verify(database: Database, table_id: str, options: Mapping[str, str]) -> _Found:
    with database.reading() as connection:
        status = _idle(connection, table_id)
        entry = registry.entry_of(connection, table_id)
        rows = registry.count_rows(connection, table_id)
    location = status.location if entry is None else entry.location
    log = _LogCheck(location, options, nothing_to_lose=entry is None and status.rows_loaded == 0)
    first, newest = (status.first_version, status.target_version) if entry is None else _versions(entry)
    opened, how = _opened(location, options)
    same, report, unreadable = _same(database, entry, options)
    checks = (
        log.is_there(whole=entry is None),
        log.has_history(first, newest, entry),
        same,
        Check("files", opened is not None or log.nothing_to_lose, how),
        Check("rows", True, ", ".join(f"{name} {count}" for name, count in rows.items())),
    )
    can = all(check.ok for check in checks)
    check = RollbackCheck(table_id, can, checks, statements(database, table_id))
    return _Found(check, location, opened, report, log.unreadable or unreadable)


def _idle(connection: Connection, table_id: str, *, lock: bool = False) -> TableStatus:
    """Returns the state of a table that nobody works on."""
    status = registry.lock(connection, table_id) if lock else registry.status_of(connection, table_id)
    if status is None:
        registry.readable(connection, table_id)  # says that it is unknown
        raise AssertionError("a table without a status is not readable")
    if registry.is_worked_on(status):
        raise registry.busy(status)
    return status


def _versions(entry: TableEntry) -> tuple[int | None, int | None]:
    return entry.first_version, entry.version


class _LogCheck:
    """Looks at the log of a table."""

    def __init__(self, location: str, options: Mapping[str, str], *, nothing_to_lose: bool) -> None:
        self._location = location
        self._options = options
        self._segment: LogSegment | None = None
        self.nothing_to_lose = nothing_to_lose
        self.unreadable: DeltaLakeDBError | None = None

    def is_there(self, *, whole: bool) -> Check:
        """Checks that the log is there and contiguous, and can be read; with `whole`, all of it is read."""
        try:
            log = open_log(open_store(self._location, self._options))
            segment = plan(log)
            self._read(log, segment, whole=whole)
        except DeltaLakeDBError as error:
            self.unreadable = error
            if self.nothing_to_lose:
                return Check("log", True, f"{error.message}; the catalog has nothing of the table either")
            return Check("log", False, error.message)
        self._segment = segment
        return Check("log", True, f"versions {segment.first_version} to {segment.version} at {self._location}")

    @staticmethod
    def _read(log: Log, segment: LogSegment, *, whole: bool) -> None:
        check_opening(log, segment)
        if whole:
            read(log, Scope(segment, segment.first_version, floors_differ=False))

    def has_history(self, first: int | None, newest: int | None, entry: TableEntry | None) -> Check:
        """Checks that the log rebuilds the versions that the catalog has, or was to have."""
        if first is None or newest is None or self.nothing_to_lose:
            return Check("history", True, "not applicable: nothing was imported")
        wanted = f"versions {first} to {newest}"
        if self._segment is None:
            return Check("history", False, f"the log does not rebuild {wanted}")
        if self._segment.first_version > first:
            begins = self._segment.first_version
            gone = f"{first} to {begins - 1}" if entry is None else versions_before(entry, begins)
            return Check("history", False, f"versions {gone} were cleaned up in the log: SQL alone has them")
        if self._segment.version < newest:
            return Check(
                "history", False, f"the log ends with version {self._segment.version}, the catalog with {newest}"
            )
        return Check("history", True, f"the log rebuilds {wanted}")


def _same(
    database: Database, entry: TableEntry | None, options: Mapping[str, str]
) -> tuple[Check, ValidationReport | None, DeltaLakeDBError | None]:
    """Checks that the log says what SQL says; returns how they compare, too, or why that could not be found out."""
    if entry is None:
        return Check("catalog", True, "not applicable: the import has not completed"), None, None
    try:
        report = validate(database, entry.location, entry.table_id, storage_options=options)
    except LogError as error:
        return Check("catalog", False, error.message), None, error
    except DeltaLakeDBError as error:
        return Check("catalog", False, f"could not be compared: {error.message}"), None, error
    # What nobody here can read of the log stays there, whatever the catalog forgets.
    differences = [difference for difference in report.differences if difference.kind != UNKNOWN_FEATURE]
    if not differences:
        unknown = ", ".join(str(difference.expected) for difference in report.differences)
        but = f", but for what {unknown} does" if unknown else ""
        detail = f"equal to the log at version {report.version}{but} ({report.reader})"
        return Check("catalog", True, detail), report, None
    kinds = sorted({difference.kind for difference in differences})
    count = f"{len(differences)} difference{'' if len(differences) == 1 else 's'}"
    return Check("catalog", False, f"{count} from the log: {', '.join(kinds)}"), report, None


def _opened(location: str, options: Mapping[str, str]) -> tuple[int | None, str]:
    """Opens a table from its files; returns its version, and by what it was opened."""
    try:
        store = open_store(location, options)
        opened = open_version(store)
        if not isinstance(opened, str):
            version = opened.table.version()
            return version, f"{reader_name()} opens version {version}"
        log = open_log(store)
        segment = plan(log)
        check_opening(log, segment)
    except DeltaLakeDBError as error:
        return None, error.message
    return segment.version, f"the log gives version {segment.version}; {reader_name()} does not open it: {opened}"
