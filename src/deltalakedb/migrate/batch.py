"""Many tables → the catalog, several at once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.options import DatabaseOptions
from ..catalog.registry import TableStatus
from ..catalog.trail import Trail
from ..errors import ArgumentError, DeltaLakeDBError, TableBusyError, TableExistsError
from .assess import Assessment, assess
from .batch_tables import BatchTable, Candidates, read_list, search, select
from .discover import Unlisted
from .importer import ImportReport, import_table
from .retrying import check_given_up, persistently
from .told import Listener, Progress
from .workers import Lost, run_jobs

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """A table that was not imported: `status` is "failed" or "skipped", `error` says why."""

    table_id: str
    location: str
    status: str
    error: str


@dataclass(frozen=True, slots=True)
class BusyTable(TableOutcome):
    """A table that another process works on."""


@dataclass(frozen=True, slots=True)
class ExcludedTable(TableOutcome):
    """A table that the caller has excluded."""


Outcome = ImportReport | Assessment | TableOutcome


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of each table, in the order of their locations.

    Of the `skipped` tables so many were `excluded`. `not_listed` are the places below the path that could not be looked
    at: nobody knows what tables are there.
    """

    tables: tuple[Outcome, ...]
    completed: int
    failed: int
    skipped: int
    excluded: int = 0
    not_listed: tuple[Unlisted, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no table failed and every place was looked at."""
        return not self.failed and not self.not_listed


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a batch has come: `outcome` is set when a table has just ended, `running` says what goes on."""

    done: int
    total: int
    outcome: Outcome | None
    running: tuple[Progress, ...]


@dataclass(frozen=True, slots=True)
class TableJob:
    """What a worker has to do."""

    database_url: str = field(repr=False)
    database_options: DatabaseOptions
    location: str
    table_id: str
    version: int | None
    batch_size: int | None
    dry_run: bool
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)


def batch_import(
    database_url: str,
    path: str | None = None,
    *,
    options: DatabaseOptions | None = None,
    batch_size: int | None = None,
    parallel: int = 1,
    exclude: Sequence[str] = (),
    from_file: str | None = None,
    id_prefix: str | None = None,
    dry_run: bool = False,
    listener: Callable[[BatchProgress], None] | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> BatchReport:
    """Imports every table below `path`, or those that `from_file` lists, going on past failures.

    Interrupted imports are completed, grown tables taken in, and complete ones that are unchanged skipped, so that a
    second run does only what the first has left. A table that the catalog has from below `path`, and that is no longer
    there, fails. Several processes, on several machines, may do so at once and share the work: what another one imports
    is skipped. With `dry_run` nothing is changed and every table is assessed.

    Args:
        database_url: where the catalog is.
        options: how the database is used.
        path: what to search; with `from_file` what its relative lines are below.
        batch_size: files a transaction; by default 1,000, more where a log is large.
        parallel: tables at once, each in a process of its own; 1 stays in this process.
        exclude: globs on a table's id or its location below `path`; a plain word matches as a part.
        from_file: a text file with one location a line, `-` for stdin; empty lines and those that begin with # don't
            count.
        id_prefix: what the ids of new tables begin with.
        dry_run: assess only.
        listener: called for every table that ends, and while they are read.
        storage_options: for object stores, under the names that delta-rs has for them.

    Raises:
        ArgumentError: neither path nor list, a number below 1, or a text that is empty.
        LocationNotFoundError: `from_file` is not there, or `path`, and the catalog has no table below it.
        CatalogError: the database refuses.
    """
    for name, value in (("parallel", parallel), ("batch size", batch_size)):
        if value is not None and value < 1:
            raise ArgumentError(f"The {name} must be at least 1, not {value}")
    texts = [("path", path), ("list", from_file), ("prefix of ids", id_prefix)]
    for name, text in (*texts, *(("pattern to exclude", pattern) for pattern in exclude)):
        if text is not None and not text.strip():  # a part of every name: it would exclude all of them
            raise ArgumentError(f"The {name} is empty.", "Is it a variable that is not set?")
    database = Database(database_url, options)
    asked = {"path": path, "batch_size": batch_size, "parallel": parallel, "exclude": list(exclude)}
    trail = Trail(database, "batch-import", options={**asked, "from_file": from_file, "id_prefix": id_prefix})
    for_store = dict(storage_options or {})
    candidates = _candidates(path, from_file, for_store)
    tables, not_listed = persistently(
        lambda: select(database, candidates, exclude, id_prefix or ""), database=database, name="batch-import"
    )
    for place in not_listed:
        logger.warning("not looked at: %s: %s", place.location, place.error)
    run = _Run(tables, listener)
    jobs = [
        TableJob(
            database_url,
            database.options,
            table.location,
            table.table_id,
            table.version,
            batch_size,
            dry_run,
            for_store,
        )
        for table in tables
        if not run.settled(table, dry_run=dry_run)
    ]
    database.close()
    try:
        run_jobs(jobs, _work, parallel=parallel, on_progress=run.progressed, on_result=run.ended_or_busy)
        # A second look at what others had: who was killed meanwhile has left it.
        run_jobs(run.take_busy(), _work, parallel=parallel, on_progress=run.progressed, on_result=run.ended)
    finally:
        own = _kept(database_url, database.options)  # of the jobs that this process did itself
        own.close()
        _kept.cache_clear()
    report = run.report(not_listed)
    if not dry_run:
        _note(own, trail, report)
        database.close()
    return report


def _note(database: Database, trail: Trail, report: BatchReport) -> None:
    """Writes what a batch did to the audit trail: what was done stands without it.

    `database` is that of the jobs: where they have waited for it in vain, this does not wait once more.
    """
    counts = {"completed": report.completed, "failed": report.failed, "skipped": report.skipped}
    counts |= {"excluded": report.excluded, "not_listed": len(report.not_listed)}
    try:
        persistently(lambda: trail.write(**counts), database=database, name="batch-import")
    except DeltaLakeDBError as error:
        trail.say_unwritten(registry.COMPLETED, error)


def _candidates(path: str | None, from_file: str | None, options: Mapping[str, str]) -> Candidates:
    if from_file is not None:
        return read_list(from_file, path, options)
    if path is None:
        raise ArgumentError("Nothing to import.", "Give a folder, or a list of locations with --from-file.")
    return search(path, options)


# ---- their import


@lru_cache(maxsize=1)
def _kept(url: str, options: DatabaseOptions) -> Database:
    """A worker's connections, kept from one table to the next: PostgreSQL needs longer for one than a table takes."""
    return Database(url, options)


def _work(job: TableJob, listener: Listener) -> Outcome:
    database = _kept(job.database_url, job.database_options)
    database.has_answered = True  # when the batch began
    try:
        if job.dry_run:
            return assess(database, job.location, job.table_id, listener=listener, storage_options=job.storage_options)
        check_given_up(database)
        return import_table(
            database,
            job.location,
            job.table_id,
            batch_size=job.batch_size,
            resume=True,
            listener=listener,
            storage_options=job.storage_options,
            command="batch-import",
            check=partial(_check_needed, job),
        )
    except _NothingLeftError as error:
        return TableOutcome(job.table_id, job.location, "skipped", str(error))
    except TableBusyError as error:
        return BusyTable(job.table_id, job.location, "skipped", error.message)
    except TableExistsError as error:
        return TableOutcome(job.table_id, job.location, "failed", f"{error.message}; --id-prefix tells two lakes apart")
    except DeltaLakeDBError as error:
        return TableOutcome(job.table_id, job.location, "failed", database.scrub(error.message))
    except Exception as error:  # a mistake of ours in one table must not keep the others out
        logger.exception("%s", job.location)
        return TableOutcome(job.table_id, job.location, "failed", database.scrub(f"{type(error).__name__}: {error}"))


class _NothingLeftError(Exception):
    """Another process has imported the table since this batch began."""


def _check_needed(job: TableJob, before: TableStatus | None) -> None:
    """Raises where nothing is left to do for a job, by the table's state when it was claimed."""
    version = None if before is None or before.status != registry.COMPLETED else before.version
    if version is not None and job.version is not None and version >= job.version:
        raise _NothingLeftError(f"complete and unchanged at version {version}")


class _Run:
    """Collects outcomes, and tells the listener."""

    def __init__(self, tables: Sequence[BatchTable], listener: Callable[[BatchProgress], None] | None) -> None:
        self._total = sum(not table.is_excluded for table in tables)
        self._listener = listener
        self._excluded: list[Outcome] = []
        self._outcomes: list[Outcome] = []
        self._running: dict[str, Progress] = {}
        self._busy: list[TableJob] = []

    def settled(self, table: BatchTable, *, dry_run: bool) -> bool:
        """Notes a table that nothing is to be done for; tells whether it is one."""
        if table.skipped is None or (dry_run and table.is_unchanged):
            return False
        if table.is_excluded:  # whoever watches has asked for that
            self._excluded.append(ExcludedTable(table.table_id, table.location, "skipped", table.skipped))
        else:
            self._end(TableOutcome(table.table_id, table.location, "skipped", table.skipped))
        return True

    def progressed(self, progress: Progress) -> None:
        """Notes how far a table has come."""
        self._running[progress.table_id] = progress
        self._tell(None)

    def ended_or_busy(self, job: TableJob, result: Outcome | Lost) -> None:
        """Notes what became of a table, or sets it aside where another process works on it."""
        if isinstance(result, BusyTable):
            self._busy.append(job)
        else:
            self.ended(job, result)

    def take_busy(self) -> list[TableJob]:
        """Returns what was set aside."""
        busy, self._busy = self._busy, []
        return busy

    def ended(self, job: TableJob, result: Outcome | Lost) -> None:
        """Notes what became of a table."""
        self._running.pop(job.table_id, None)
        if isinstance(result, Lost):
            result = TableOutcome(job.table_id, job.location, "failed", result.reason)
        self._end(result)

    def report(self, not_listed: Sequence[Unlisted]) -> BatchReport:
        """Returns what became of all tables."""
        outcomes = sorted([*self._outcomes, *self._excluded], key=lambda outcome: outcome.location)
        count = Counter(o.status if isinstance(o, TableOutcome) else "completed" for o in outcomes)
        counts = (count["completed"], count["failed"], count["skipped"])
        return BatchReport(tuple(outcomes), *counts, len(self._excluded), tuple(not_listed))

    def _end(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._tell(outcome)

    def _tell(self, outcome: Outcome | None) -> None:
        if self._listener is not None:
            running = tuple(self._running.values())
            self._listener(BatchProgress(len(self._outcomes), self._total, outcome, running))
