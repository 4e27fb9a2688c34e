"""New commits of an imported table → the catalog, one transaction a commit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.registry import TableEntry
from ..catalog.schema import migration_status
from ..catalog.trail import WorkTrail
from ..errors import ImportIncompleteError, TableNotFoundError
from ..log.path import LogFile, LogFileKind
from ..log.reader import (
    Log,
    check_opening,
    expect,
    open_log,
    open_log_since,
    plan,
)
from ..log.segment import LogSegment
from ..log.store import Store
from ..steps import step
from .changes import Change
from .contradictions import dangling_warnings
from .rebase import rebase
from .retrying import persistently
from .same_table import check_same_table, older

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnreadableTable:
    """A table that can't be synced, and why; without a location where nobody knows it."""

    table_id: str
    location: str | None
    error: TableNotFoundError | ImportIncompleteError


def tables_to_sync(
    database: Database, table_ids: Sequence[str] = (), stop: Callable[[], bool] | None = None
) -> Sequence[TableEntry | UnreadableTable]:
    """Returns the tables that are asked for, each once; all that can be read where none is named.

    A database that is away is waited for.

    Raises:
        TableNotFoundError, ImportIncompleteError: none of those that are named can be read.
    """

    def look() -> Sequence[TableEntry | UnreadableTable]:
        with database.reading() as connection:
            if not table_ids:
                return registry.entries(connection)
            return [_readable(connection, table_id) for table_id in dict.fromkeys(table_ids)]

    found = persistently(look, database=database, name="sync", stop=stop)
    errors = [one.error for one in found if isinstance(one, UnreadableTable)]
    if errors and len(errors) == len(found):
        raise errors[0]
    return found


def _readable(connection: Connection, table_id: str) -> TableEntry | UnreadableTable:
    try:
        return registry.readable(connection, table_id)
    except (TableNotFoundError, ImportIncompleteError) as error:
        status = registry.status_of(connection, table_id)
        return UnreadableTable(table_id, None if status is None else status.location, error)


def log_to_sync(store: Store, entry: TableEntry) -> Log:
    """Lists as much of a table's log as tells what is new: from the catalog's version on where that is enough.

    It is where the catalog's newest commit is still there and no commit behind it is missing; else all is listed, to
    tell what became of the log.
    """
    log = open_log_since(store, entry.version)
    commits = sorted(file.version for file in log.files if file.kind is LogFileKind.COMMIT)
    return log if commits and commits == list(range(entry.version, log.newest + 1)) else open_log(store)


def newest_version(log: Log, entry: TableEntry) -> int:
    """Returns the newest version of a log that `log_to_sync` listed.

    Raises:
        LogChangedError: the catalog has newer ones.
        LogGapError: a commit is missing.
    """
    if log.since is not None:
        return max(file.version for file in log.files if file.kind is LogFileKind.COMMIT)
    segment = plan(log)
    if segment.version < entry.version:
        raise older(log, segment, entry)
    return segment.version


def take_in(
    database: Database,
    connection: Connection,
    log: Log,
    entry: TableEntry,
    trail: WorkTrail,
    *,
    stop: Callable[[], bool] | None = None,
    is_checked: bool = False,
) -> TableEntry:
    """Brings a completed table to the log's newest version, or as far as it came before `stop` says true.

    Returns its new entry. `is_checked` says that the log is known to be the table's: it has just been imported from it.

    Readers see each commit wholly or not at all. Where commits were cleaned up before they could be taken in, the table
    goes on from the checkpoint behind them (migrate/rebase.py).

    Raises:
        LogChangedError: the log is not the one that was imported.
        LogGapError, CorruptLogError, StorageError: a new commit is missing or can't be read.
    """
    segment = None if log.since is not None else plan(log)
    if not is_checked:
        with connection.begin():
            entry = check_same_table(log, segment, connection, entry)
    news = _news(log, segment, entry)
    files = [file for each in news for file in _files(each)]
    database.dialect.harden(connection)
    if files:
        with connection.begin():  # said before it is done, so that a table that falls behind is seen to
            entry = replace(entry, log_version=files[-1].version)
            registry.complete(connection, entry)
            _expect(connection, entry.table_id, files)
            trail.begin(connection)
    expect(log, files)
    for each in news:
        if stop is not None and stop():
            break
        if isinstance(each, LogSegment):
            entry = _rebase(database, connection, log, entry, each, trail)
            continue
        begun = time.perf_counter()
        with connection.begin():
            entry = _apply(database, connection, log, entry, each)
        told = step("commit", table_id=entry.table_id, version=each.version, seconds=time.perf_counter() - begun)
        logger.info("%s: version %d taken in", entry.table_id, each.version, extra=told)
    return entry


def _news(log: Log, segment: LogSegment | None, entry: TableEntry) -> list[LogFile | LogSegment]:
    """Returns what the log has beyond the catalog: commits, and where some are gone the segment to go on from."""
    commits = (file for file in log.files if file.kind is LogFileKind.COMMIT and file.version > entry.version)
    there = {file.version: file for file in commits}
    newest = max(there, default=entry.version) if segment is None else segment.version
    missing = next((version for version in range(entry.version + 1, newest + 1) if version not in there), None)
    if segment is None or missing is None:
        return [there[version] for version in sorted(there)]
    before = [there[version] for version in range(entry.version + 1, missing)]
    return [*before, segment, *(commit for commit in segment.commits if commit.version > segment.first_version)]


def _files(news: LogFile | LogSegment) -> tuple[LogFile, ...]:
    """Returns the files that are read for a commit, or for what the table goes on from."""
    return news.floor_files if isinstance(news, LogSegment) else (news,)


def _expect(connection: Connection, table_id: str, files: Sequence[LogFile]) -> None:
    columns = migration_status.c
    commits = sum(file.kind is LogFileKind.COMMIT for file in files)
    registry.hold(
        connection,
        table_id,
        commits_total=columns.commits_processed + commits,
        log_bytes_total=columns.log_bytes_processed + sum(file.size for file in files),
    )


def _rebase(
    database: Database, connection: Connection, log: Log, entry: TableEntry, floor: LogSegment, trail: WorkTrail
) -> TableEntry:
    check_opening(log, floor)
    with connection.begin():
        entry, gap = rebase(database, connection, log, entry, floor)
    trail.remark(gap=[gap.first_version, gap.last_version], rebased_on=gap.floor)
    logger.warning(
        "%s: %s in the log before a sync could take it in; went on from the checkpoint of version %d",
        entry.table_id,
        gap,
        gap.floor,
        extra=step("rebase", table_id=entry.table_id, version=gap.floor, gap=[gap.first_version, gap.last_version]),
    )
    return entry


def _apply(database: Database, connection: Connection, log: Log, entry: TableEntry, commit: LogFile) -> TableEntry:
    change = Change(connection, database.dialect, entry.table_id)
    state, replay = change.commit(log, commit)
    change.append(state.finish())
    warnings = [
        *state.cautions,
        *state.violations,
        *dangling_warnings(connection, entry.table_id, replay.dangling.found),
    ]
    return change.move_on(entry, commit.version, (commit,), commits=1, warnings=warnings)
