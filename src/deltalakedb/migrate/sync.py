"""New commits of an imported table → the catalog, one transaction a commit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import msgspec
from sqlalchemy import Connection

from ..catalog import ranges, registry
from ..catalog.database import Database
from ..catalog.files import end_live, find_live
from ..catalog.loading import append, append_files
from ..catalog.registry import TableEntry
from ..catalog.schema import migration_status
from ..catalog.snapshot import snapshot
from ..catalog.trail import WorkTrail
from ..errors import CorruptLogError, LogChangedError
from ..log.actions import Actions, Add, CommitInfo, deletion_vector_id, key_of
from ..log.path import LogFile, LogFileKind
from ..log.reader import Log, check_format, expect, open_log, open_log_since, plan, read_commit
from ..log.store import CHUNK_BYTES, Store
from ..replay.files import key_hash
from ..replay.forward import ForwardReplay, Step
from ..replay.state import CommitSource, CommitState

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


def new_commits(log: Log, entry: TableEntry) -> tuple[LogFile, ...]:
    """Returns the commits that the log has beyond what the catalog has.

    Raises:
        LogChangedError: the log is older than the catalog, or its history up to the catalog's version is gone.
        LogGapError: a commit is missing.
    """
    if log.since is not None:  # listed by `log_to_sync`, and whole
        commits = sorted((file for file in log.files if file.kind is LogFileKind.COMMIT), key=lambda file: file.version)
        return tuple(commit for commit in commits if commit.version > entry.version)
    segment = plan(log)
    if segment.version < entry.version:
        raise LogChangedError(
            f"The log at {log.location} ends with version {segment.version}, the catalog has {entry.version}",
            f"The log was restored to an older state: `deltalakedb rollback {entry.table_id}`, then import it anew.",
        )
    new = tuple(commit for commit in segment.commits if commit.version > entry.version)
    if len(new) < segment.version - entry.version:
        raise LogChangedError(
            f"The log at {log.location} begins with version {segment.first_version} now, the catalog has "
            f"{entry.version}: the commits between them are gone",
            f"`deltalakedb rollback {entry.table_id}`, then import it anew.",
        )
    return new


def check_same_table(log: Log, connection: Connection, entry: TableEntry) -> None:
    """Raises LogChangedError where the log's newest imported commit is not the one that was imported."""
    commit = next((file for file in log.files if file.name == f"{entry.version:020d}.json"), None)
    if commit is None:
        return  # cleaned up, behind a checkpoint
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
            f"Version {entry.version} of the log at {log.location} is not the one that was imported",
            f"The table was made anew or restored: `deltalakedb rollback {entry.table_id}`, then import it again.",
        )


def _added_by(connection: Connection, entry: TableEntry, commit: LogFile, adds: list[Add]) -> bool:
    """Tells whether the catalog's newest version added these files: what tells commits without commitInfo apart."""
    try:
        live = find_live(connection, entry.table_id, {key_hash(key_of(add)) for add in adds})
        found = [live.get((add.path, deletion_vector_id(add.deletion_vector))) for add in adds]
    except msgspec.MsgspecError as error:
        raise CorruptLogError(f"{commit.name}: {error}") from error
    return all(file is not None and file.added_version == entry.version for file in found)


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

    Readers see each commit wholly or not at all.

    Raises:
        LogChangedError: the log is not the one that was imported.
        LogGapError, CorruptLogError, StorageError: a new commit is missing or can't be read.
    """
    with connection.begin():
        check_same_table(log, connection, entry)
    commits = new_commits(log, entry)
    database.dialect.harden(connection)
    if commits:
        with connection.begin():  # said before it is done, so that a table that falls behind is seen to
            entry = replace(entry, log_version=commits[-1].version)
            registry.complete(connection, entry)
            _expect(connection, entry.table_id, commits)
            trail.begin(connection)
    expect(log, commits)
    for commit in commits:
        if stop is not None and stop():
            break
        with connection.begin():
            entry = _apply(database, connection, log, entry, commit)
        logger.info("%s: version %d taken in", entry.table_id, commit.version)
    return entry


def _expect(connection: Connection, table_id: str, commits: tuple[LogFile, ...]) -> None:
    columns = migration_status.c
    registry.hold(
        connection,
        table_id,
        commits_total=columns.commits_processed + len(commits),
        log_bytes_total=columns.log_bytes_processed + sum(commit.size for commit in commits),
    )


def _apply(database: Database, connection: Connection, log: Log, entry: TableEntry, commit: LogFile) -> TableEntry:
    table_id, pieces = entry.table_id, _pieces(log, commit)
    state = CommitState(CommitSource(commit.version, commit.name, commit.modified_ms, ()))
    replay = ForwardReplay(state, lambda hashes: find_live(connection, table_id, hashes))
    indexes, change = ranges.indexes_of(connection, table_id), _Change(commit.size)

    def write(step: Step) -> None:
        change.note(step)
        end_live(connection, table_id, step.ended)
        append_files(connection, database.dialect, table_id, step.added)
        ranges.append(connection, database.dialect, indexes, step.added)

    try:
        for piece in pieces():
            append(connection, database.dialect, table_id, state.take(piece))
        for step in replay.remove(chain.from_iterable(piece.removes for piece in pieces())):
            write(step)
        for step in replay.add(chain.from_iterable(piece.adds for piece in pieces())):
            write(step)
            change.added += len(step.added)
    except msgspec.MsgspecError as error:
        raise CorruptLogError(f"{commit.name}: {error}") from error
    if state.metadata is not None:
        check_format(state.metadata)
    append(connection, database.dialect, table_id, state.finish())
    return _move_on(connection, entry, state, change)


def _pieces(log: Log, commit: LogFile) -> Callable[[], Iterator[Actions]]:
    """What reads a commit, any number of times: small ones from memory, large ones in pieces from the store."""
    if commit.size > CHUNK_BYTES:
        return lambda: read_commit(log, commit)
    whole = list(read_commit(log, commit))
    return lambda: iter(whole)


@dataclass(slots=True)
class _Change:
    """What a commit has changed: files with an `added_version`, and what is active."""

    log_bytes: int
    added: int = 0
    active_files: int = 0
    active_bytes: int = 0

    def note(self, step: Step) -> None:
        for files, sign in ((step.added, 1), (step.ended, -1)):
            sizes = [file.size or 0 for file in files if sign < 0 or file.removed_version is None]
            self.active_files += sign * len(sizes)
            self.active_bytes += sign * sum(sizes)


def _move_on(connection: Connection, entry: TableEntry, state: CommitState, change: _Change) -> TableEntry:
    warnings = [*msgspec.json.decode(entry.warnings or "[]"), *state.violations]
    moved = replace(
        entry,
        version=state.version,
        synced_at=registry.now(),
        warnings=msgspec.json.encode(warnings).decode() if warnings else None,
    )
    registry.complete(connection, moved)
    columns = migration_status.c
    registry.hold(
        connection,
        entry.table_id,
        version=state.version,
        target_version=state.version,
        files_processed=columns.files_processed + change.added,
        active_files=columns.active_files + change.active_files,
        active_bytes=columns.active_bytes + change.active_bytes,
        commits_processed=columns.commits_processed + 1,
        log_bytes_processed=columns.log_bytes_processed + change.log_bytes,
        heartbeat_at=registry.now(),
    )
    return moved
