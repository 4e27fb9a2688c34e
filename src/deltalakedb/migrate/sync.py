"""New commits of an imported table → the catalog, one transaction a commit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
from sqlalchemy import Connection

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.files import find_added
from ..catalog.registry import TableEntry
from ..catalog.schema import migration_status
from ..catalog.snapshot import snapshot
from ..catalog.trail import WorkTrail
from ..errors import CorruptLogError, LogChangedError, command_line
from ..log.actions import Add, CommitInfo, deletion_vector_id, key_of
from ..log.path import LogFile, LogFileKind
from ..log.reader import (
    Log,
    check_opening,
    expect,
    metadata_at_floor,
    open_log,
    open_log_since,
    plan,
    read_commit,
)
from ..log.segment import LogSegment
from ..log.store import Store
from ..replay.files import key_hash
from ..steps import step
from .changes import Change
from .contradictions import dangling_warnings
from .rebase import rebase

logger = logging.getLogger(__name__)

_ADDS_COMPARED = 500
"""So many files of a commit without commitInfo are looked for in the catalog before the next one is taken in."""


def log_to_sync(store: Store, entry: TableEntry) -> Log:
    """Lists as much of a table's log as tells what is new: from the catalog's version on where that is enough.

    It is where the catalog's newest commit is still there and no commit behind it is missing; else all is listed, to
    tell what became of the log.
    """
    log = open_log_since(store, entry.version)
    commits = sorted(file.version for file in log.files if file.kind is LogFileKind.COMMIT)
    newest = max((file.version for file in log.files if file.kind is not LogFileKind.CHECKSUM), default=-1)
    return log if commits and commits == list(range(entry.version, newest + 1)) else open_log(store)


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
        raise _older(log, segment, entry)
    return segment.version


def _older(log: Log, segment: LogSegment, entry: TableEntry) -> LogChangedError:
    return LogChangedError(
        f"The log at {log.location} ends with version {segment.version}, the catalog has {entry.version}: "
        "it was restored to an older state",
        _anew(entry),
    )


def check_same_table(log: Log, segment: LogSegment | None, connection: Connection, entry: TableEntry) -> None:
    """Makes sure that a log is the one that was imported.

    By the newest imported commit where it is still there, else by the table's id.

    Args:
        log: the log.
        segment: what it rebuilds; None where it was listed from the catalog's version on.
        connection: to the catalog.
        entry: the table.

    Raises:
        LogChangedError: it is another table's, or was restored to an older state.
    """
    commit = next((file for file in log.files if file.name == f"{entry.version:020d}.json"), None)
    if commit is not None:
        _check_commit(log, commit, connection, entry)
    if segment is not None and (commit is None or segment.first_version > entry.version):
        _check_table(log, segment, connection, entry)


def _check_commit(log: Log, commit: LogFile, connection: Connection, entry: TableEntry) -> None:
    kept = snapshot(connection, entry).commits(limit=1)
    if not kept or kept[0].version != entry.version:
        return  # the catalog began with a checkpoint whose commit was not there
    infos, adds = list[str](), list[Add]()
    for piece in read_commit(log, commit):
        infos += [action.text for action in piece.others if isinstance(action, CommitInfo)]
        adds += piece.adds[: _ADDS_COMPARED - len(adds)]
    info = infos[-1] if infos else None
    if info != kept[0].commit_info or (info is None and not _added_by(connection, entry, commit, adds)):
        raise LogChangedError(
            f"Version {entry.version} of the log at {log.location} is not the one that was imported: "
            "the table was made anew or restored",
            _anew(entry),
        )


def _check_table(log: Log, segment: LogSegment, connection: Connection, entry: TableEntry) -> None:
    metadata = metadata_at_floor(log, segment)
    found = None if metadata is None else metadata.id
    rows = snapshot(connection, entry).all_metadata()
    is_older = segment.version < entry.version
    known = {row.id for row in (rows if is_older else rows[-1:])}
    if found is not None and known and None not in known and found not in known:
        raise LogChangedError(
            f"The table at {log.location} was deleted and made anew: its id is {found} now, the catalog's table has "
            f"{rows[-1].id}",
            _anew(entry),
        )
    if is_older:
        raise _older(log, segment, entry)


def _anew(entry: TableEntry) -> str:
    return (
        f"Import it under another --table-id; `{command_line('verify-rollback', entry.table_id)}` lists the statements "
        "that delete what the catalog has."
    )


def _added_by(connection: Connection, entry: TableEntry, commit: LogFile, adds: list[Add]) -> bool:
    """Tells whether the catalog's newest version added these files: what tells commits without commitInfo apart."""
    try:
        added = find_added(connection, entry.table_id, {key_hash(key_of(add)) for add in adds}, entry.version)
        return added.issuperset((add.path, deletion_vector_id(add.deletion_vector)) for add in adds)
    except msgspec.MsgspecError as error:
        raise CorruptLogError(f"{commit.name}: {error}") from error


def take_in(
    database: Database,
    connection: Connection,
    log: Log,
    entry: TableEntry,
    trail: WorkTrail,
    *,
    stop: Callable[[], bool] | None = None,
) -> TableEntry:
    """Brings a completed table to the log's newest version, or as far as it came before `stop` says true.

    Returns its new entry.

    Readers see each commit wholly or not at all. Where commits were cleaned up before they could be taken in, the table
    goes on from the checkpoint behind them (migrate/rebase.py).

    Raises:
        LogChangedError: the log is not the one that was imported.
        LogGapError, CorruptLogError, StorageError: a new commit is missing or can't be read.
    """
    segment = None if log.since is not None else plan(log)
    with connection.begin():
        check_same_table(log, segment, connection, entry)
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
