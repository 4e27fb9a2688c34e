"""A whole catalog → another database: table by table, resumable, and compared at the end."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, RootTransaction, Table

from ...errors import (
    ArgumentError,
    CatalogError,
    DatabaseBusyError,
    DatabaseConnectionError,
    DatabaseTimeoutError,
    DeltaLakeDBError,
    DiskFullError,
    PermissionDeniedError,
    SchemaVersionError,
    TableBusyError,
    was_interrupted,
)
from .. import events, registry
from ..database import Database
from ..registry import COPYING, TableStatus
from ..schema import delta_files, migration_events, migration_status
from . import contents, trail
from .proof import Compared, Proof, Side

logger = logging.getLogger(__name__)

_ROUNDS = 3
"""How often a table is copied at most that goes on changing meanwhile."""

_SMALL_ROWS, _TOGETHER_ROWS, _TOGETHER = 200, 5_000, 200
"""Tables of so few rows are copied together, up to so many rows and so many tables: one by one each takes 20 ms."""

_SMALL = (migration_status, *contents.FEW)
_MARK_LETTERS = 64
_ENDING = (
    DatabaseBusyError,
    DatabaseConnectionError,
    DatabaseTimeoutError,
    DiskFullError,
    PermissionDeniedError,
    SchemaVersionError,
)
"""What is wrong with a database, and not with one table."""

COPIED, SKIPPED, FAILED = "copied", "skipped", "failed"


class CopyProgress(NamedTuple):
    """How far a copy is: the step, `copying` or `comparing`, and rows; `total` is what there may be."""

    step: str
    done: int
    total: int


Listener = Callable[[CopyProgress], None]


@dataclass(slots=True)
class CopiedTable:
    """What became of one table.

    Attributes:
        table_id: the table.
        status: `copied`, `skipped` (the copy has it already), or `failed`.
        version: its version in the copy; None where it can't be read.
        rows: how many rows the copy has of it, in all SQL tables.
        error: why it failed, or what differs.
        differs: whether it was copied, and is not equal.
    """

    table_id: str
    status: str
    version: int | None = None
    rows: int = 0
    error: str | None = None
    differs: bool = False


@dataclass(slots=True)
class CopyReport:
    """What a copy did; `source` and `target` are the databases' URLs without passwords.

    Attributes:
        source: what was copied.
        target: the copy.
        tables: what became of each table, by table id.
        rows: how many rows the copy has, by SQL table.
        equal: whether both hold the same: all tables, and all events.
        differences: what differs beside the tables, in words.
        duration_seconds: how long it took.
    """

    source: str
    target: str
    tables: list[CopiedTable] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    equal: bool = False
    differences: list[str] = field(default_factory=list)
    duration_seconds: float = 0.0

    @property
    def copied(self) -> int:
        return self._count(COPIED)

    @property
    def skipped(self) -> int:
        return self._count(SKIPPED)

    @property
    def failed(self) -> int:
        return self._count(FAILED)

    @property
    def differs(self) -> bool:
        """Whether something was copied and is not equal."""
        return bool(self.differences) or any(table.differs for table in self.tables)

    def _count(self, status: str) -> int:
        return sum(table.status == status for table in self.tables)


def copy_catalog(
    source: Database, target: Database, *, listener: Listener | None = None, batch_size: int | None = None
) -> CopyReport:
    """Copies a catalog with all its versions and its audit trail, and compares both.

    A copy that was stopped goes on where it was. A table that can't be copied doesn't stop the others.

    Args:
        source: the catalog; it is only read.
        target: an empty database, or one where a copy of this catalog was begun.
        listener: is told how far it is.
        batch_size: rows a transaction, about; by default as many as suit the database.

    Raises:
        ArgumentError: both are one and the same catalog.
        SchemaVersionError: the catalog is of another release.
        CatalogError: the other database has something else in it, this role can't see all tables, or a database
            refuses.
    """
    return _Copy(source, target, listener, batch_size).run()


class _Copy:
    """One run of `copy_catalog`."""

    def __init__(self, source: Database, target: Database, listener: Listener | None, batch_size: int | None) -> None:
        self._source = source
        self._target = target
        self._listener = listener
        self._batch_size = batch_size or target.dialect.large_batch
        self._report = CopyReport(source.where, target.where)
        self._outcomes: dict[str, CopiedTable] = {}
        self._rows: dict[str, dict[str, int]] = {}
        self._fresh: set[str] = set()  # copied by this run, from the first row on
        self._given_up: set[str] = set()  # can't be copied, however often that is tried
        self._begun = registry.now()
        self._expected = self._done = 0

    def run(self) -> CopyReport:
        begun = time.perf_counter()
        self._check()
        with self._failures_noted():
            self._copy_until_equal()
            self._end()
        self._report.duration_seconds = time.perf_counter() - begun
        return self._report

    @contextmanager
    def _reading(self) -> Iterator[tuple[Connection, Connection]]:
        with self._source.reading() as source, self._target.reading() as target:
            yield source, target

    # ---- what may be copied, and where

    def _check(self) -> None:
        with self._source.reading() as connection:
            if not self._source.dialect.sees_all(connection):
                raise PermissionDeniedError(
                    f"Permission denied: this role sees only some of the tables in {self._source.where}",
                    "Read the catalog as a role that no row-level security holds back.",
                )
            identity = self._source.dialect.identity(connection, self._source.url)
            statuses = registry.statuses(connection)
            self._expected = sum(status.files_processed + status.commits_processed for status in statuses)
        if self._target.has_catalog():
            with self._reading() as (source, target):
                self._check_target(identity, source, target)

    def _check_target(self, identity: tuple[Any, ...], source: Connection, target: Connection) -> None:
        same_kind = self._source.dialect.name == self._target.dialect.name
        if same_kind and self._target.dialect.identity(target, self._target.url) == identity:
            raise ArgumentError(f"{self._target.where} is the catalog itself", "Name another database to copy it to.")
        began = {status.table_id: status.started_at for status in registry.statuses(source)}
        for status in registry.statuses(target):
            is_theirs = status.is_being_copied or began.get(status.table_id) == status.started_at
            if not (is_theirs or trail.knows(source, status.table_id)):  # it may have been rolled back there
                raise self._foreign(f"it has a table {status.table_id!r} of its own")
        event = trail.foreign(source, target)
        if event is not None:
            of = "" if event["table_id"] is None else f" of {event['table_id']!r}"
            when = f"{event['started_at']:%Y-%m-%d %H:%M:%S} UTC"
            raise self._foreign(f"it has seen a run of {event['command']}{of}, {when}")

    def _foreign(self, why: str) -> CatalogError:
        return CatalogError(
            f"{self._target.where} is more than a copy of {self._source.where}: {why}", "Copy to an empty database."
        )

    # ---- round by round

    def _copy_until_equal(self) -> None:
        again = self._round(None)
        for _ in range(_ROUNDS - 1):
            if again:
                again = self._round(again)
        for table_id in again:
            error = "it went on changing while it was copied; stop what syncs it, then go on"
            outcome = self._outcomes.get(table_id)
            if outcome is None or outcome.status != FAILED or outcome.differs:
                self._outcomes[table_id] = CopiedTable(table_id, FAILED, error=error)

    def _round(self, again: Sequence[str] | None) -> list[str]:
        """Copies all tables, or some anew, and compares them; returns those that have to be copied once more."""
        self._copy_tables(again)
        return self._compare(again)

    def _copy_tables(self, again: Sequence[str] | None) -> None:
        with self._target.writing():
            pass  # the tables are made
        with self._reading() as (source, target):
            states, there = contents.fingerprints(source), contents.fingerprints(target)
            statuses = {status.table_id: status for status in registry.statuses(source)}
        if again is not None:
            for table_id in again:
                self._try_to_copy(table_id, anew=True)
            return
        same = {table_id for table_id, state in states.items() if state == there.get(table_id)}
        self._outcomes.update((table_id, CopiedTable(table_id, SKIPPED)) for table_id in same)
        left = sorted(states.keys() - same)
        new = [statuses[table_id] for table_id in left if table_id not in there]
        for some in _small_ones(new):
            self._copy_together(some)
        for table_id in left:
            if table_id not in self._outcomes:
                self._try_to_copy(table_id, anew=False)

    def _compare(self, again: Sequence[str] | None) -> list[str]:
        """Compares all tables, or some; returns those that have to be copied anew."""
        self._done = 0
        with self._reading() as (source, target):
            states, there = contents.fingerprints(source), contents.fingerprints(target)
            versions = {entry.table_id: entry.version for entry in registry.entries(target)}
            sides = Side(self._source, source), Side(self._target, target)
            for table_id, compared in Proof(*sides, self._counted).compare(again).items():
                if table_id in self._outcomes:
                    self._judge(self._outcomes[table_id], compared, versions.get(table_id))
        with self._source.reading() as source:  # once more: reading it all took its time
            states = contents.fingerprints(source)
        moved = {table_id for table_id in states.keys() | there.keys() if states.get(table_id) != there.get(table_id)}
        doubtful = {
            each.table_id for each in self._outcomes.values() if each.differs and each.table_id not in self._fresh
        }
        return sorted((moved | doubtful) - self._given_up)

    def _counted(self, rows: int) -> None:
        self._tell("comparing", rows, 2 * self._expected)

    def _judge(self, outcome: CopiedTable, compared: Compared, version: int | None) -> None:
        if outcome.table_id in self._given_up or outcome.status == FAILED:
            return
        outcome.version, outcome.rows = version, sum(compared.rows.values())
        self._rows[outcome.table_id] = compared.rows
        if compared.differences:
            outcome.status, outcome.differs = FAILED, True
            outcome.error = f"the copy differs: {'; '.join(compared.differences)}"

    def _tell(self, step: str, rows: int, total: int) -> None:
        self._done += rows
        if self._listener is not None:
            self._listener(CopyProgress(step, self._done, max(total, self._done, 1)))

    # ---- table by table

    def _copy_together(self, table_ids: Sequence[str]) -> None:
        """Copies small tables that are new in one transaction; where that is refused, they are left for one by one."""
        try:
            with self._source.reading() as source:
                few = {table: [*contents.few(source, table, table_ids)] for table in _SMALL}
                if any(registry.is_worked_on(registry.status_from({**row})) for row in few[migration_status]):
                    return
                found = {table: contents.rows_of_many(source, table, table_ids) for table in contents.BULK}
            with self._target.writing() as writer, writer.begin():
                self._target.dialect.relax(writer)
                contents.append_few(writer, migration_status, few.pop(migration_status))
                for table, rows in found.items():
                    contents.append(writer, self._target.dialect, table, rows)
                for table, some in few.items():
                    contents.append_few(writer, table, some)
        except _ENDING:
            raise
        except DeltaLakeDBError as error:
            if was_interrupted(error):
                raise KeyboardInterrupt from error
            logger.debug("%d tables could not be copied together: %s", len(table_ids), error.message)
        else:
            self._outcomes.update((table_id, CopiedTable(table_id, COPIED)) for table_id in table_ids)
            self._tell("copying", sum(len(rows) for each in found.values() for rows in each.values()), self._expected)

    def _try_to_copy(self, table_id: str, *, anew: bool) -> None:
        try:
            copied = self._copy(table_id, anew=anew)
        except TableBusyError as error:
            self._outcomes[table_id] = CopiedTable(table_id, FAILED, error=error.message)
        except (DeltaLakeDBError, KeyboardInterrupt) as error:
            if was_interrupted(error):
                self._note_status(table_id, registry.INTERRUPTED, "Interrupted")
                raise KeyboardInterrupt from error
            if isinstance(error, _ENDING):
                raise
            message = self._target.describe(error)
            self._given_up.add(table_id)
            self._outcomes[table_id] = CopiedTable(table_id, FAILED, error=message)
            self._note_status(table_id, registry.FAILED, message)
        else:
            if copied:
                self._outcomes[table_id] = CopiedTable(table_id, COPIED)
            else:
                self._outcomes.pop(table_id, None)

    def _note_status(self, table_id: str, status: str, message: str) -> None:
        # Nothing to note where not even the first transaction came to its end.
        with suppress(DeltaLakeDBError), self._target.writing() as connection, connection.begin():
            registry.hold(connection, table_id, status=status, error_message=message, owner=None)

    def _copy(self, table_id: str, *, anew: bool) -> bool:
        """Copies a table, or what is left of it; returns whether the catalog has it at all."""
        with self._source.reading() as source:
            status = registry.status_of(source, table_id)
            if status is None:
                with self._target.writing() as writer, writer.begin():
                    registry.forget(writer, table_id)
                return False
            if registry.is_worked_on(status):
                raise registry.busy(status)
            if status.is_being_copied:
                raise CatalogError(f"{table_id!r} is a copy itself, which has not been completed", status.resuming)
            (last,) = contents.few(source, migration_status, [table_id])
            few = {table: [*contents.few(source, table, [table_id])] for table in contents.FEW}
            state = contents.fingerprints(source, table_id)[table_id]
            with self._target.writing() as writer:
                transactions = _Transactions(writer, self._target, status, self._batch_size)
                done = transactions.claim(state, anew=anew)
                if done is None:
                    return True
                for table in contents.BULK:
                    rows = contents.rows(source, table, table_id, done.get(table.name, 0))
                    with closing(self._source.translated(rows)) as found:
                        for piece in contents.pieces(found):
                            transactions.append(table, piece)
                            self._tell("copying", len(piece), self._expected)
                for table, some in few.items():
                    contents.append_few(writer, table, some)
                transactions.end(last)
        if not any(done.values()):
            self._fresh.add(table_id)
        return True

    # ---- the end

    def _end(self) -> None:
        with self._reading() as (source, target):
            with self._target.writing() as writer:
                copied = trail.copy(source, target, writer, self._target)
            with self._target.reading() as after:
                self._report.differences += trail.differences(source, after)
        report = self._report
        report.tables = [self._outcomes[table_id] for table_id in sorted(self._outcomes)]
        report.equal = not (report.failed or report.differences)
        sums = Counter[str]()
        for rows in self._rows.values():
            sums.update(rows)
        report.rows = {table.name: sums[table.name] for table in (migration_status, *contents.BULK, *contents.FEW)}
        if copied or report.copied or report.failed or report.differences:
            self._note_end()

    def _note_end(self) -> None:
        report = self._report
        changes = {"copied": report.copied, "skipped": report.skipped, "failed": report.failed, "equal": report.equal}
        failed = [*(f"{table.table_id}: {table.error}" for table in report.tables if table.error), *report.differences]
        with self._target.transaction() as connection:
            if report.equal:
                self._note(connection, registry.COMPLETED, None, changes)
            else:
                self._note(connection, registry.FAILED, failed[0], changes)
            self._target.dialect.look_at_files(connection)

    @contextmanager
    def _failures_noted(self) -> Iterator[None]:
        """Writes that the run was ended by an error, or by Ctrl-C, if that can be written."""
        try:
            yield
        except (DeltaLakeDBError, KeyboardInterrupt) as error:
            status, message = registry.FAILED, self._target.describe(error)
            if was_interrupted(error):
                status, message = registry.INTERRUPTED, "Interrupted"
            with suppress(DeltaLakeDBError), self._target.transaction() as connection:
                self._note(connection, status, message)
            if status == registry.INTERRUPTED:
                raise KeyboardInterrupt from error
            raise

    def _note(
        self, connection: Connection, status: str, message: str | None, changes: dict[str, Any] | None = None
    ) -> None:
        dialect = self._target.dialect
        dialect.go_on_behind(connection, migration_events.c.event_id)
        options = self._target.scrub(events.as_json({"from": self._source.where}))
        events.add(
            connection,
            dialect,
            trail.COMMAND,
            options=options,
            status=status,
            started_at=self._begun,
            changes=changes,
            error_message=message,
        )


def _small_ones(statuses: Sequence[TableStatus]) -> Iterator[list[str]]:
    """Yields the ids of small tables, as many as are worth a transaction together."""
    some, rows = [], 0
    for status in statuses:
        expected = max(status.files_processed, status.rows_loaded) + status.commits_processed
        if expected <= _SMALL_ROWS and not status.is_being_copied:
            some.append(status.table_id)
            rows += expected
            if rows > _TOGETHER_ROWS or len(some) == _TOGETHER:
                yield some
                some, rows = [], 0
    if some:
        yield some


class _Transactions:
    """Transactions of about so many rows of one table, one after the other, which nobody else writes meanwhile."""

    def __init__(self, connection: Connection, target: Database, status: TableStatus, size: int) -> None:
        self._connection = connection
        self._dialect = target.dialect
        self._status = status
        self._size = size
        self._rows = self._files = self._pending = 0
        self._transaction = self._begin()

    def _begin(self) -> RootTransaction:
        transaction = self._connection.begin()
        self._dialect.relax(self._connection)
        return transaction

    def claim(self, state: str, *, anew: bool) -> dict[str, int] | None:
        """Takes the table for this process; returns how many rows of it are there, by SQL table.

        None where another process has copied it meanwhile. What is there is deleted where it is of another state of the
        table, or is to be made anew.
        """
        table_id, done = self._status.table_id, dict[str, int]()
        mark = f"{COPYING}{state}"[:_MARK_LETTERS]
        before = registry.lock(self._connection, table_id)
        if before is not None:
            if registry.is_worked_on(before) and before.owner != registry.this_process():
                raise registry.busy(before)
            if not anew and contents.fingerprints(self._connection, table_id)[table_id] == state:
                return None
            if anew or before.log_fingerprint != mark:
                registry.forget(self._connection, table_id)
            else:
                done = contents.counts(self._connection, table_id)
        registry.claim(self._connection, table_id, self._status.location, resume=True)
        registry.record(self._connection, table_id, log_fingerprint=mark)
        self._rows, self._files = sum(done.values()), done.get(delta_files.name, 0)
        return done

    def append(self, table: Table, piece: Sequence[contents.Row]) -> None:
        contents.append(self._connection, self._dialect, table, {self._status.table_id: piece})
        self._rows += len(piece)
        self._pending += len(piece)
        if table is delta_files:
            self._files += len(piece)
        if self._pending >= self._size:
            self._hold(rows_loaded=self._rows, files_processed=self._files, heartbeat_at=registry.now())
            self._transaction.commit()
            self._pending, self._transaction = 0, self._begin()

    def end(self, status: dict[str, Any]) -> None:
        """Ends the last transaction with the table's state as it is in the catalog."""
        self._hold(**{name: value for name, value in status.items() if name != "table_id"})
        self._transaction.commit()

    def _hold(self, **values: Any) -> None:
        registry.hold(self._connection, self._status.table_id, **values)
