"""Is a log still that of the table that was imported from it? A table may have been made anew at its place."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import msgspec
from sqlalchemy import Connection

from ..catalog import registry
from ..catalog.files import FileSums, find_added, sums_of_commit
from ..catalog.gaps import histories
from ..catalog.registry import TableEntry
from ..catalog.snapshot import Snapshot, snapshot
from ..errors import CorruptLogError, LogChangedError, LogFileGoneError, command_line
from ..log.actions import Add, CommitInfo, deletion_vector_id, key_of
from ..log.path import LogFile
from ..log.reader import Log, commit_digest, metadata_at_floor, metadata_of, read_commit
from ..log.segment import LogSegment
from ..replay.files import key_hash
from ..rows import MetadataRow

_ADDS_COMPARED = 500
"""So many files of a commit without commitInfo are looked for in the catalog where no digest is known."""


def check_same_table(log: Log, segment: LogSegment | None, connection: Connection, entry: TableEntry) -> TableEntry:
    """Makes sure that a log is the one that was imported, in the caller's transaction.

    By the bytes of the newest imported commit where it is still there, and by the table's id. The commit that has the
    newest metadata tells it; where both commits are gone, what the log begins with.

    Args:
        log: the log.
        segment: what it rebuilds; None where it was listed from the catalog's version on.
        connection: to the catalog.
        entry: the table.

    Returns:
        The table, with the digest of its newest commit where the catalog did not know it until now.

    Raises:
        LogChangedError: it is another table's, or was restored to an older state.
    """
    commit = next((file for file in log.files if file.name == f"{entry.version:020d}.json"), None)
    if commit is not None:
        entry = _check_commit(log, commit, connection, entry)
    if segment is not None and (commit is None or segment.first_version > entry.version):
        _check_floor(log, segment, connection, entry)
    _check_id(log, connection, entry, has_commit=commit is not None)
    return entry


def older(log: Log, segment: LogSegment, entry: TableEntry) -> LogChangedError:
    """Returns the error for a log that ends before the catalog's newest version."""
    return LogChangedError(
        f"The log at {log.location} ends with version {segment.version}, the catalog has {entry.version}: "
        "it was restored to an older state",
        _anew(entry),
    )


def _anew(entry: TableEntry) -> str:
    again = command_line("import", entry.location, "--table-id", entry.table_id, "--replace")
    return (
        f"`{again}` imports it anew and gives up what the catalog has, which no log has any more: "
        "export it before, or import the log under another --table-id."
    )


# ---- by the newest commit


def _check_commit(log: Log, commit: LogFile, connection: Connection, entry: TableEntry) -> TableEntry:
    if entry.commit_digest is None:
        return _compared_without_digest(log, commit, connection, entry)
    digest = commit_digest(log, commit)
    if digest == entry.commit_digest:
        return entry
    if not _says_the_same(log, commit, connection, entry):
        raise _another(log, entry)
    entry = replace(entry, commit_digest=digest)
    registry.complete(connection, entry)
    return entry


def _says_the_same(log: Log, commit: LogFile, connection: Connection, entry: TableEntry) -> bool:
    """Tells whether a commit of other bytes is the imported one spelled anew, as an export of the catalog has it.

    Its files must be those of the catalog, to the last one, with sizes and times, and its commitInfo the same JSON.
    """
    infos, files = list[str](), FileSums()
    try:
        for piece in read_commit(log, commit):
            infos += [action.text for action in piece.others if isinstance(action, CommitInfo)]
            for add in piece.adds:
                files.add(add.path, deletion_vector_id(add.deletion_vector), add.size, add.modification_time)
            for remove in piece.removes:
                files.remove(remove.path, deletion_vector_id(remove.deletion_vector), remove.deletion_timestamp)
    except msgspec.MsgspecError as error:
        raise CorruptLogError(f"{commit.name}: {error}") from error
    kept = snapshot(connection, entry).commits(limit=1)
    info = kept[0].commit_info if kept and kept[0].version == entry.version else None
    if info is None or not infos or msgspec.json.decode(infos[-1]) != msgspec.json.decode(info):
        return False  # without a commitInfo, too: then nothing tells one commit from another for sure
    return files == sums_of_commit(connection, entry.table_id, entry.version)


def _another(log: Log, entry: TableEntry) -> LogChangedError:
    return LogChangedError(
        f"Version {entry.version} of the log at {log.location} is not the one that was imported: "
        "the table was made anew or restored",
        _anew(entry),
    )


def _compared_without_digest(log: Log, commit: LogFile, connection: Connection, entry: TableEntry) -> TableEntry:
    """Compares what the catalog has of a commit: catalogs of schema version 3 had no digests."""
    kept = snapshot(connection, entry).commits(limit=1)
    if not kept or kept[0].version != entry.version:
        return entry  # the catalog began with a checkpoint whose commit was not there
    digest, infos, adds = sha256(), list[str](), list[Add]()
    for piece in read_commit(log, commit, digest):
        infos += [action.text for action in piece.others if isinstance(action, CommitInfo)]
        adds += piece.adds[: _ADDS_COMPARED - len(adds)]
    info = infos[-1] if infos else None
    if info != kept[0].commit_info or (info is None and not _added_by(connection, entry, commit, adds)):
        raise _another(log, entry)
    entry = replace(entry, commit_digest=digest.hexdigest())
    registry.complete(connection, entry)
    return entry


def _added_by(connection: Connection, entry: TableEntry, commit: LogFile, adds: list[Add]) -> bool:
    """Tells whether the catalog's newest version added these files: what tells commits without commitInfo apart."""
    try:
        added = find_added(connection, entry.table_id, {key_hash(key_of(add)) for add in adds}, entry.version)
        return added.issuperset((add.path, deletion_vector_id(add.deletion_vector)) for add in adds)
    except msgspec.MsgspecError as error:
        raise CorruptLogError(f"{commit.name}: {error}") from error


# ---- by the table's id


def _check_id(log: Log, connection: Connection, entry: TableEntry, *, has_commit: bool) -> None:
    """Compares the table's id in the commit that has the catalog's newest metadata, where that is still there."""
    state = snapshot(connection, entry)
    row = state.metadata()
    if row is None or (has_commit and row.version == entry.version):
        return  # the digest tells
    if _is_of_checkpoint(state, row):
        return
    found = None
    try:
        for metadata in metadata_of(log, row.version):
            if metadata.id == row.id:
                return
            found = metadata.id
    except LogFileGoneError:
        return
    raise _made_anew(log, entry, found, row.id)


def _is_of_checkpoint(state: Snapshot, row: MetadataRow) -> bool:
    """Tells whether metadata may be known from a checkpoint alone, and not from the commit of its version."""
    if row.version not in [first for first, _ in histories(state.entry) if first > 0]:
        return False
    commits = replace(state, version=row.version).commits(limit=1)
    return not commits or "metaData" not in msgspec.json.decode(commits[0].own_actions or "{}", type=dict)


def _check_floor(log: Log, segment: LogSegment, connection: Connection, entry: TableEntry) -> None:
    metadata = metadata_at_floor(log, segment)
    found = None if metadata is None else metadata.id
    rows = snapshot(connection, entry).all_metadata()
    is_older = segment.version < entry.version
    known = {row.id for row in (rows if is_older else rows[-1:])}
    if found is not None and known and None not in known and found not in known:
        # A commit that nobody has any more may have given the same table another id, as CREATE OR REPLACE TABLE does.
        raise _made_anew(log, entry, found, rows[-1].id, for_sure=segment.first_version <= entry.version)
    if is_older:
        raise older(log, segment, entry)


def _made_anew(
    log: Log, entry: TableEntry, found: str | None, known: str | None, *, for_sure: bool = True
) -> LogChangedError:
    what = "was deleted and made anew" if for_sure else "may have been deleted and made anew, or replaced, in a gap"
    return LogChangedError(
        f"The table at {log.location} {what}: its id is {found} now, the catalog's table has {known}", _anew(entry)
    )
