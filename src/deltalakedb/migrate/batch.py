"""Many tables → the catalog, several at once."""

from __future__ import annotations

import fnmatch
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import unquote

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.options import DatabaseOptions
from ..catalog.registry import TableEntry, TableStatus
from ..catalog.trail import Trail
from ..errors import ArgumentError, DeltaLakeDBError, LocationNotFoundError, TableBusyError
from ..home import home_expanded
from ..log.store import is_uri, open_store
from .assess import Assessment, assess
from .discover import FoundTable, discover
from .importer import ImportReport, default_table_id, import_table
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


Outcome = ImportReport | Assessment | TableOutcome


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of each table, in the order of their locations."""

    tables: tuple[Outcome, ...]
    completed: int
    failed: int
    skipped: int


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
    dry_run: bool = False,
    listener: Callable[[BatchProgress], None] | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> BatchReport:
    """Imports every table below `path`, or those that `from_file` lists, going on past failures.

    Interrupted imports are completed, grown tables taken in, and complete ones that are unchanged skipped, so that a
    second run does only what the first has left. Several processes, on several machines, may do so at once and share
    the work: what another one imports is skipped. With `dry_run` nothing is changed and every table is assessed.

    Args:
        database_url: where the catalog is.
        options: how the database is used.
        path: what to search; with `from_file` what its relative lines are below.
        batch_size: files a transaction; by default 1,000, more where a log is large.
        parallel: tables at once, each in a process of its own; 1 stays in this process.
        exclude: globs on a table's id or its location below `path`; a plain word matches as a part.
        from_file: a text file with one location a line; empty lines and those that begin with # don't count.
        dry_run: assess only.
        listener: called for every table that ends, and while they are read.
        storage_options: for object stores, under the names that delta-rs has for them.

    Raises:
        ArgumentError: neither path nor list, or a number below 1.
        LocationNotFoundError: `path` or `from_file` is not there.
        CatalogError: the database refuses.
    """
    for name, value in (("parallel", parallel), ("batch size", batch_size)):
        if value is not None and value < 1:
            raise ArgumentError(f"The {name} must be at least 1, not {value}")
    database = Database(database_url, options)
    asked = {"path": path, "batch_size": batch_size, "parallel": parallel, "exclude": list(exclude)}
    trail = Trail(database, "batch-import", options={**asked, "from_file": from_file})
    for_store = dict(storage_options or {})
    found = _listed(path, from_file, for_store) if from_file is not None else _discovered(path, for_store)
    root = "" if path is None else open_store(path, for_store).location
    wanted = [table for table in found if not _excluded(table, root, exclude)]
    known = _Known.of(database)
    run = _Run(len(wanted), listener)
    jobs = [
        TableJob(
            database_url, database.options, table.location, table_id, table.version, batch_size, dry_run, for_store
        )
        for table, table_id in zip(wanted, known.table_ids(wanted, root), strict=True)
        if not run.settled(table, table_id, None if dry_run else known.unchanged(table))
    ]
    database.close()
    try:
        run_jobs(jobs, _work, parallel=parallel, on_progress=run.progressed, on_result=run.ended_or_busy)
        # A second look at what others had: who was killed meanwhile has left it.
        run_jobs(run.take_busy(), _work, parallel=parallel, on_progress=run.progressed, on_result=run.ended)
    finally:
        _kept(database_url, database.options).close()  # of the jobs that this process did itself
    report = run.report()
    if not dry_run:
        trail.noted(completed=report.completed, failed=report.failed, skipped=report.skipped)
        database.close()
    return report


# ---- which tables


def _discovered(path: str | None, options: Mapping[str, str]) -> list[FoundTable]:
    if path is None:
        raise ArgumentError("Nothing to import.", "Give a folder, or a list of locations with --from-file.")
    return list(discover(path, recursive=True, storage_options=options))


def _listed(path: str | None, from_file: str, options: Mapping[str, str]) -> list[FoundTable]:
    try:
        lines = Path(home_expanded(from_file)).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise LocationNotFoundError(f"Not found: {from_file}", "Check the path of the list.") from error
    except (OSError, ValueError) as error:  # not UTF-8, or a NUL in the path
        raise ArgumentError(f"The list {from_file} can't be read: {error}") from error
    locations = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    full = [line if path is None or is_uri(line) else _joined(path, line) for line in locations]
    return [_listed_table(location, options) for location in dict.fromkeys(full)]


def _joined(path: str, line: str) -> str:
    return f"{path.rstrip('/')}/{line.lstrip('/')}" if is_uri(path) else str(Path(path, home_expanded(line)))


def _listed_table(location: str, options: Mapping[str, str]) -> FoundTable:
    """A line of the list; what is wrong with it shows when its turn comes."""
    try:
        return next(
            iter(discover(location, storage_options=options)),
            FoundTable(default_table_id(location), location, None, None),
        )
    except DeltaLakeDBError as error:
        return FoundTable(default_table_id(location), location, None, None, error.message)


def _excluded(table: FoundTable, root: str, patterns: Iterable[str]) -> bool:
    names = (table.table_id, _below(table.location, root))
    for pattern in patterns:
        glob = pattern if any(mark in pattern for mark in "*?[") else f"*{pattern}*"
        if any(fnmatch.fnmatchcase(name, glob) for name in names):
            return True
    return False


def _below(location: str, root: str) -> str:
    below = location.removeprefix(root).strip("/") or location
    return unquote(below) if is_uri(location) else below


@dataclass(frozen=True, slots=True)
class _Known:
    """What the catalog holds before the batch begins."""

    statuses: dict[str, TableStatus] = field(default_factory=dict)
    entries: dict[str, TableEntry] = field(default_factory=dict)

    @classmethod
    def of(cls, database: Database) -> _Known:
        if not database.has_catalog():
            return cls()
        with database.reading() as connection:
            statuses = {status.table_id: status for status in registry.statuses(connection)}
            return cls(statuses, {entry.location: entry for entry in registry.entries(connection)})

    def unchanged(self, table: FoundTable) -> str | None:
        """Returns why a table needs nothing; None where it does."""
        entry = self.entries.get(table.location)
        if entry is None or table.version != entry.version:
            return None
        status = self.statuses[entry.table_id].status
        return f"complete and unchanged at version {entry.version}" if status == registry.COMPLETED else None

    def table_ids(self, tables: Sequence[FoundTable], root: str) -> list[str]:
        """Returns an id for each table: the one it has already, else its last part, else (taken) its whole place."""
        own = {status.location: table_id for table_id, status in self.statuses.items()}
        names = Counter(table.table_id for table in tables)
        ids = []
        for table in tables:
            holder = self.statuses.get(table.table_id)
            taken = names[table.table_id] > 1 or (holder is not None and holder.location != table.location)
            ids.append(own.get(table.location) or (_below(table.location, root) if taken else table.table_id))
        return ids


# ---- their import


@lru_cache(maxsize=1)
def _kept(url: str, options: DatabaseOptions) -> Database:
    """A worker's connections, kept from one table to the next: PostgreSQL needs longer for one than a table takes."""
    return Database(url, options)


def _work(job: TableJob, listener: Listener) -> Outcome:
    database = _kept(job.database_url, job.database_options)
    try:
        if job.dry_run:
            return assess(database, job.location, job.table_id, listener=listener, storage_options=job.storage_options)
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

    def __init__(self, total: int, listener: Callable[[BatchProgress], None] | None) -> None:
        self._total = total
        self._listener = listener
        self._outcomes: list[Outcome] = []
        self._running: dict[str, Progress] = {}
        self._busy: list[TableJob] = []

    def settled(self, table: FoundTable, table_id: str, why: str | None) -> bool:
        """Notes a table that needs no import; tells whether it is one."""
        if why is not None:
            self._end(TableOutcome(table_id, table.location, "skipped", why))
        return why is not None

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

    def report(self) -> BatchReport:
        """Returns what became of all tables."""
        outcomes = sorted(self._outcomes, key=lambda outcome: outcome.location)
        count = Counter(o.status if isinstance(o, TableOutcome) else "completed" for o in outcomes)
        return BatchReport(tuple(outcomes), count["completed"], count["failed"], count["skipped"])

    def _end(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._tell(outcome)

    def _tell(self, outcome: Outcome | None) -> None:
        if self._listener is not None:
            running = tuple(self._running.values())
            self._listener(BatchProgress(len(self._outcomes), self._total, outcome, running))
