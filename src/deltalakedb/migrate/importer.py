"""One table's log → the catalog."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

import msgspec
from sqlalchemy import Connection

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.gaps import Gap, gaps_of
from ..catalog.loading import append_packed, packing_for
from ..catalog.packing.base import Packed
from ..catalog.partitions import name_values
from ..catalog.registry import TableEntry, TableStatus
from ..catalog.schema import migration_status
from ..catalog.snapshot import Snapshot
from ..catalog.trail import Trail, WorkTrail
from ..errors import ArgumentError, DeltaLakeDBError, LogError, TableBusyError
from ..log.reader import Log, check_opening, open_log, plan
from ..log.segment import LogSegment
from ..log.store import Location, Store, open_store
from ..steps import step
from .ahead import Ahead
from .claimed import claimed
from .contradictions import checkpoint_warnings, dangling_warnings
from .feed import Batch, Ending, Source
from .processes import is_large
from .retrying import persistently
from .sync import log_to_sync, take_in
from .table_ids import KnownTable, check_table_id, check_text, default_table_id, table_at
from .told import Listener, Told

logger = logging.getLogger(__name__)

DEFAULT_BATCH_SIZE = 1000
"""Files a transaction, unless the user says otherwise or the log is large (`Dialect.large_batch`)."""

MOST_AT_ONCE = 500
"""Files that are packed at once: what is decoded together should fit the processor's cache. A transaction has more."""

_ORDER_OF_ROWS = "the checkpoint before its own commit"
"""Changes whenever a replay makes the rows of some log in another order."""

_COUNTED = (
    "files_processed",
    "active_files",
    "active_bytes",
    "commits_processed",
    "rows_loaded",
    "log_bytes_processed",
    "files_at_claim",
    "commits_at_claim",
    "log_bytes_at_claim",
)
"""What an import counts from nothing when it begins anew."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import or a sync did.

    `files_processed` is the table's rows in `delta_files` with an `added_version`, `gaps` are versions that the log
    lost before they were taken in.
    """

    table_id: str
    location: str
    status: str
    first_version: int
    version: int
    commits: int
    files_processed: int
    active_files: int
    duration_seconds: float
    dry_run: bool
    resumed: bool
    warnings: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()


def import_table(
    database: Database,
    location: Location,
    table_id: str | None = None,
    *,
    batch_size: int | None = None,
    resume: bool = False,
    replace: bool = False,
    listener: Listener | None = None,
    storage_options: Mapping[str, str] | None = None,
    stop: Callable[[], bool] | None = None,
    command: str = "import",
    check: Callable[[TableStatus | None], None] | None = None,
    ahead: Ahead | None = None,
) -> ImportReport:
    """Imports every version that the log can rebuild.

    Without a `table_id` it is the catalog's table from that location, in whichever spelling, else a new one that is
    called by the last part.

    Each batch of at most `batch_size` files is one transaction that also moves the watermark (by default 1,000 files,
    more where the log is large). A crash at any point leaves a state that `resume` completes to what an undisturbed
    import gives. On a completed table, `resume` takes in what the log has grown by, until `stop` says so, which is
    asked before each new commit. `replace` deletes what the catalog has of the table in the transaction that begins the
    new import, so not before the log was opened and planned; from there on it is an import as any other, which `resume`
    goes on with. What may pass by itself (the database restarts, the store is away, a commit is cleaned up while the
    log is read) is tried again, with a warning to the log, from the watermark on. `command` is who asks, for the audit
    trail; `check` is given the table's state as it is claimed, and raises what is to be raised instead;
    `ahead` is what the caller has had started for this location.

    Raises:
        LogError, StorageError: the log can't be read; before anything was loaded the catalog notes the failure only.
        TableExistsError: the table is there and neither `resume` nor `replace` is given, or its id belongs to another
            location.
        TableBusyError: another process imports it.
        ArgumentError: the catalog has several tables from the location, and no `table_id` says which is meant; or both
            `resume` and `replace` are given.
        CatalogError: the database refuses.
    """
    if batch_size is not None and batch_size < 1:
        raise ArgumentError(f"The batch size must be at least 1, not {batch_size}")
    if resume and replace:
        raise ArgumentError("An import resumes a table or replaces it", "Give one of --resume and --replace.")
    begun = time.perf_counter()
    store = open_store(location, storage_options)
    check_text(store.location)
    if table_id is not None:
        check_table_id(table_id)
    told = _told(store.location, batch_size, resume, replace, storage_options)
    if command != "sync":
        _check_there(database, store, table_id, command, told)
    if table_id is None or command == "import":  # a batch and a sync have looked which table is there
        name = table_id or default_table_id(store.location)
        table = persistently(lambda: _table_at(database, store, table_id), database=database, name=name, stop=stop)
        table_id = table.table_id
        store = store if table.location == store.location else open_store(table.location, storage_options)
    trail = WorkTrail(database, command, table_id, told)
    with (
        ahead or Ahead(None if resume else location, storage_options) as reader,  # who goes on may have little to read
        claimed(database, table_id, store.location, trail, resume=resume or replace, check=check, stop=stop) as before,
    ):
        work = _Import(database, store, table_id, batch_size, listener, stop, trail, reader, reader.log, replace)
        return work.run(before, begun)


def _table_at(database: Database, store: Store, table_id: str | None) -> KnownTable:
    with database.writing() as connection, connection.begin():
        return table_at(connection, store, table_id)


def _check_there(database: Database, store: Store, table_id: str | None, command: str, told: Mapping[str, Any]) -> None:
    """Makes sure that a location is there, before the claim: one that no catalog knows leaves no trace."""
    try:
        store.check()
    except DeltaLakeDBError as error:
        try:
            _note_absence(database, store, table_id, Trail(database, command, options=told), error)
        except DeltaLakeDBError as unknown:  # who looks for a table where none is wants to know that first
            logger.info("whether the catalog knows %s: %s", store.location, unknown.message)
        raise


def _note_absence(
    database: Database, store: Store, table_id: str | None, trail: Trail, error: DeltaLakeDBError
) -> None:
    if database.has_catalog():
        with database.reading() as connection:
            known = table_at(connection, store, table_id)
        trail.table_id = known.table_id
        trail.failed(error, known.location)


def _told(
    location: str, batch_size: int | None, resume: bool, replace: bool, storage_options: Mapping[str, str] | None
) -> dict[str, Any]:
    """What of the options is written in the audit trail: of those that may be secrets the names."""
    names = sorted(storage_options or {})
    flags = {"resume": resume or None, "replace": replace or None}
    return {"location": location, "batch_size": batch_size, **flags, "storage_options": names}


@dataclass(slots=True)
class _Import:
    """One run of an import, from its claim to its end."""

    database: Database
    store: Store
    table_id: str
    batch_size: int | None
    listener: Listener | None
    stop: Callable[[], bool] | None
    trail: WorkTrail
    ahead: Ahead
    log: Log | None
    """The log as it was listed, for the first attempt."""
    replace: bool
    """Whether what the catalog has of the table is still to be deleted."""
    connection: Connection = field(init=False)
    reached: int = 0
    """The watermark that the last attempt began at."""
    completing: int | None = None
    """The version that the last attempt was about to complete the table at."""

    def run(self, before: TableStatus | None, begun: float) -> ImportReport:
        """Imports, goes on, or takes in what is new, as the catalog's state asks for; again after what may pass."""
        resumed = before is not None and (before.rows_loaded > 0 or before.version is not None) and not self.replace
        entry, status = persistently(
            self._attempt,
            database=self.database,
            name=self.table_id,
            progress=lambda: self.reached,
            stop=self.stop,
        )
        return ImportReport(
            table_id=self.table_id,
            location=entry.location,
            status=registry.COMPLETED,
            first_version=entry.first_version,
            version=entry.version,
            commits=status.commits_processed if status else 0,
            files_processed=status.files_processed if status else 0,
            active_files=status.active_files if status else 0,
            duration_seconds=time.perf_counter() - begun,
            dry_run=False,
            resumed=resumed,
            warnings=tuple(msgspec.json.decode(entry.warnings or "[]")),
            gaps=gaps_of(entry),
        )

    def _attempt(self) -> tuple[TableEntry, TableStatus | None]:
        """Goes on where the catalog's state says that the last attempt was stopped."""
        with self.database.writing() as self.connection:
            return self._go_on()

    def _go_on(self) -> tuple[TableEntry, TableStatus | None]:
        with self.connection.begin():
            self.database.dialect.relax(self.connection)
            self.database.dialect.wait_briefly(self.connection)  # after an outage the last attempt may hold locks yet
            try:
                registry.hold(self.connection, self.table_id, heartbeat_at=registry.now())
            except TableBusyError:
                done = self._completed()
                if done is None:
                    raise
                return done
            status = registry.status_of(self.connection, self.table_id)
            entry = registry.entry_of(self.connection, self.table_id)
        self.reached = 0 if status is None else status.rows_loaded + status.commits_processed
        if entry is not None and not self.replace:
            return self._sync(log_to_sync(self.store, entry), entry)
        log, self.log = self.log or open_log(self.store), None
        return self._sync(log, self._import(log, status), is_checked=True)

    def _completed(self) -> tuple[TableEntry, TableStatus] | None:
        """Returns the table where the last attempt has completed it, and only did not hear so."""
        status = registry.status_of(self.connection, self.table_id)
        entry = registry.entry_of(self.connection, self.table_id)
        if self.completing is None or status is None or entry is None:
            return None
        now = (status.status, status.owner, status.version)
        return (entry, status) if now == (registry.COMPLETED, None, self.completing) else None

    def _import(self, log: Log, before: TableStatus | None) -> TableEntry:
        segment, skip = self._plan(log, before)
        size, per_transaction = self._sizes(segment)
        told = Told(self.table_id, segment, self.listener)
        source = Source(log, segment, self.table_id, packing_for(self.database.dialect), size, skip)
        with self.ahead.reading(source) as batches:
            last = self._load_all(batches, per_transaction, told)
        assert last.ending is not None
        return self._load_last(last, last.ending, log, segment)

    def _sizes(self, segment: LogSegment) -> tuple[int, int]:
        """Returns how many files a batch has at most, and how many batches a transaction."""
        size = self.batch_size
        if size is None:
            size = self.database.dialect.large_batch if is_large(segment.files) else DEFAULT_BATCH_SIZE
        parts = -(-size // MOST_AT_ONCE)
        return -(-size // parts), parts

    def _load_all(self, batches: Iterator[Batch], per_transaction: int, told: Told) -> Batch:
        """Loads all batches but the last, which it returns."""
        last: Batch | None = None

        def all_others() -> Iterator[Batch]:
            nonlocal last
            for batch in batches:
                if batch.ending is not None:
                    last = batch
                    return
                yield batch

        others, has_looked = all_others(), False
        while (first := next(others, None)) is not None:
            begun = time.perf_counter()
            with self.connection.begin():
                self.database.dialect.relax(self.connection)
                loaded = self._load(chain((first,), islice(others, per_transaction - 1)))
            self._say_loaded(loaded, time.perf_counter() - begun)
            told.loaded(sum(each.files for each in loaded), loaded[-1].read)
            if not has_looked:
                self._let_database_look()
                has_looked = True
        assert last is not None
        return last

    def _let_database_look(self) -> None:
        """Has the planner know, after the first transaction, what the rows are like: a sync may follow right away."""
        with self.connection.begin():
            self.database.dialect.look_at_files(self.connection)

    def _say_loaded(self, loaded: Sequence[Batch], seconds: float) -> None:
        files, version = sum(batch.files for batch in loaded), loaded[-1].read.version
        told = step("batch", table_id=self.table_id, version=version, files=files, seconds=seconds)
        logger.debug("%s: %d files loaded, down to version %d", self.table_id, files, version, extra=told)

    def _load(self, batches: Iterable[Batch]) -> list[Batch]:
        """Loads batches and moves the watermark; returns what was loaded, without the rows."""
        loaded: list[Batch] = []

        def packed() -> Iterator[tuple[Mapping[str, Packed], Mapping[int, str]]]:
            for batch in batches:
                loaded.append(batch._replace(packed={}))
                yield batch.packed, batch.partitions

        # First of all, whether the table still is ours; the row is ours, too, until the transaction ends.
        registry.hold(self.connection, self.table_id, heartbeat_at=registry.now())
        append_packed(self.connection, self.database.dialect, self.table_id, packed())
        self._move_watermark(loaded)
        return loaded

    def _load_last(self, batch: Batch, ending: Ending, log: Log, segment: LogSegment) -> TableEntry:
        """Loads the last batch and makes the table readable, durably: with it, all batches before are on disk."""
        self.database.dialect.harden(self.connection)
        begun = time.perf_counter()
        with self.connection.begin():
            loaded = self._load((batch,))
            entry = self._complete(ending, log, segment)
        self._say_loaded(loaded, time.perf_counter() - begun)
        return entry

    def _plan(self, log: Log, before: TableStatus | None) -> tuple[LogSegment, int]:
        """Returns what to read, and how many of its rows are loaded already."""
        loaded = before.rows_loaded if before is not None else 0
        if before is not None and loaded and not self.replace:
            segment = self._same_as_before(log, before)
            if segment is not None:
                self._say_planned(segment)
                return segment, loaded
            logger.warning("%s: the log has changed since the import was interrupted: beginning anew", self.table_id)
        segment = plan(log)
        check_opening(log, segment)
        self._say_planned(segment)
        with self.connection.begin():
            self.database.dialect.relax(self.connection)  # the batches behind it are, too
            if self.replace:
                self._delete()
            elif before is None or before.rows_loaded or before.commits_processed:
                registry.delete_rows(self.connection, self.table_id)
            self.trail.count_anew()
            registry.hold(
                self.connection,
                self.table_id,
                location=log.location,
                started_at=registry.now(),
                first_version=segment.first_version,
                target_version=segment.version,
                commits_total=len(segment.commits),
                log_bytes_total=segment.size,
                log_fingerprint=fingerprint(segment),
                version=None,
                **dict.fromkeys(_COUNTED, 0),
            )
        self.replace = False
        return segment, 0

    def _delete(self) -> None:
        """Deletes what the catalog has of a table that is to be replaced, and says so in the audit trail."""
        self.trail.begin(self.connection)
        deleted = registry.delete_rows(self.connection, self.table_id)
        if any(deleted.values()):
            self.trail.remark(rows_replaced=sum(deleted.values()))

    def _say_planned(self, segment: LogSegment) -> None:
        told = {"commits": len(segment.commits), "log_bytes": segment.size, "first_version": segment.first_version}
        logger.info(
            "%s: versions %d to %d are to be imported",
            self.table_id,
            segment.first_version,
            segment.version,
            extra=step("planned", table_id=self.table_id, version=segment.version, **told),
        )

    @staticmethod
    def _same_as_before(log: Log, before: TableStatus) -> LogSegment | None:
        """Returns the segment whose import was interrupted, or None where the log can't give the same rows again."""
        try:
            segment = plan(log, before.target_version)
        except LogError:
            return None
        return segment if fingerprint(segment) == before.log_fingerprint else None

    def _move_watermark(self, loaded: Sequence[Batch]) -> None:
        columns = migration_status.c
        registry.hold(
            self.connection,
            self.table_id,
            rows_loaded=columns.rows_loaded + sum(batch.rows for batch in loaded),
            files_processed=columns.files_processed + sum(batch.added for batch in loaded),
            active_files=columns.active_files + sum(batch.active for batch in loaded),
            active_bytes=columns.active_bytes + sum(batch.active_bytes for batch in loaded),
            log_bytes_processed=loaded[-1].read.bytes,
            commits_processed=columns.commits_processed + sum(batch.commits for batch in loaded),
            heartbeat_at=registry.now(),
        )

    def _complete(self, ending: Ending, log: Log, segment: LogSegment) -> TableEntry:
        entry = TableEntry(
            table_id=self.table_id,
            location=log.location,
            first_version=segment.first_version,
            version=segment.version,
            log_version=segment.version,
            imported_at=registry.now(),
            synced_at=registry.now(),
            warnings=None,
            checkpoint_actions=ending.checkpoint_actions,
            commit_digest=ending.commit_digest,
        )
        warnings = [*ending.warnings, *ending.violations, *self._contradictions(ending, log, entry)]
        entry = replace(entry, warnings=msgspec.json.encode(warnings).decode() if warnings else None)
        registry.complete(self.connection, entry)
        newest = Snapshot(self.connection, entry, entry.version)
        name_values(self.connection, self.table_id, newest.metadata(), newest.protocol())
        self._record_completed(segment.version, owner=registry.this_process())  # what is new comes next
        return entry

    def _contradictions(self, ending: Ending, log: Log, entry: TableEntry) -> Iterator[str]:
        yield from dangling_warnings(self.connection, self.table_id, ending.dangling)
        yield from checkpoint_warnings(self.connection, entry, log, ending.contradiction)

    def _sync(self, log: Log, entry: TableEntry, *, is_checked: bool = False) -> tuple[TableEntry, TableStatus | None]:
        synced = take_in(self.database, self.connection, log, entry, self.trail, stop=self.stop, is_checked=is_checked)
        self.completing = synced.version
        with self.connection.begin():
            self._record_completed(synced.version, owner=None)
            self.trail.end(self.connection, registry.COMPLETED)
            return synced, registry.status_of(self.connection, self.table_id)

    def _record_completed(self, version: int, owner: str | None) -> None:
        registry.hold(
            self.connection,
            self.table_id,
            status=registry.COMPLETED,
            version=version,
            completed_at=registry.now(),
            error_message=None,
            owner=owner,
        )


def fingerprint(segment: LogSegment) -> str:
    """Returns what tells one log's files from another's: a digest of their names, sizes and times.

    A table that is made anew often has commits of the same names and sizes. The order of rows is part of it: a
    watermark of a release that makes them in another order is none.
    """
    files = (f"{file.name} {file.size} {file.modified_ms}" for file in segment.files)
    lines = "\n".join((_ORDER_OF_ROWS, *files))
    return hashlib.blake2b(lines.encode(), digest_size=32).hexdigest()
