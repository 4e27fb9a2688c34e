"""A log whose commits were cleaned up before a sync could take them in: it goes on from the checkpoint behind them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import msgspec
from sqlalchemy import Connection

from ..catalog.database import Database
from ..catalog.files import find_removed
from ..catalog.gaps import Gap, with_gap
from ..catalog.registry import TableEntry
from ..catalog.snapshot import Snapshot
from ..errors import CorruptLogError
from ..log.reader import Log, read_checkpoint, understood
from ..log.segment import Checkpoint, LogSegment
from ..replay.floor import contradictions
from ..replay.rebase import RebaseReplay
from ..replay.state import CheckpointState, CommitState, others_json
from ..rows import DomainMetadataRow, Rows
from .changes import Change


def rebase(
    database: Database, connection: Connection, log: Log, entry: TableEntry, segment: LogSegment
) -> tuple[TableEntry, Gap]:
    """Brings a table to the version of the log's checkpoint, in the caller's transaction; what SQL has before stays.

    Args:
        database: where the catalog is; what it had before the transaction is read from there beside it.
        connection: the transaction.
        log: the log.
        entry: the table, at a version before the checkpoint's.
        segment: what is left of the log.

    Returns:
        The table's new entry, and the versions that are gone.

    Raises:
        CorruptLogError, UnsupportedTableError, StorageError: the checkpoint can't be read, or not be understood.
    """
    assert segment.checkpoint is not None
    version, change = segment.first_version, Change(connection, database.dialect, entry.table_id)
    own = segment.own_commit
    own_state, own_replay = (None, None) if own is None else change.commit(log, own, at_floor=True)
    state = CheckpointState(version, own_state)
    replay = RebaseReplay(
        version, own_replay, change.find_live, lambda hashes: find_removed(connection, entry.table_id, hashes)
    )
    domains = _read(log, segment.checkpoint, state, replay, change)
    if own_state is not None:
        domains |= own_state.domains.keys()
        change.append(own_state.finish())
    with database.reading() as beside:
        before = Snapshot(beside, entry, entry.version, is_newest=True)
        with closing(before.files()) as live:
            change.write(replay.rest(live))
        gone = [row.domain for row in before.domain_metadata() if row.domain not in domains]
    change.append(Rows(domain_metadata=[DomainMetadataRow(domain, version, "", True, None) for domain in gone]))
    gap = Gap(entry.version + 1, version - 1, others_json(state.others))
    moved = replace(entry, gaps=with_gap(entry, gap))
    warnings = _warnings(segment.checkpoint, state, own_state, replay)
    warnings.append(f"{gap} in the log before a sync could take it in")
    commits = 0 if own is None else 1
    return change.move_on(moved, version, segment.floor_files, commits=commits, warnings=warnings), gap


def _warnings(
    checkpoint: Checkpoint, state: CheckpointState, own: CommitState | None, replay: RebaseReplay
) -> list[str]:
    if own is None:
        return state.cautions
    against = contradictions(own.source.name, checkpoint.name, replay.lacks, replay.has)
    return [*state.cautions, *own.cautions, *own.violations, *against]


def _read(log: Log, checkpoint: Checkpoint, state: CheckpointState, replay: RebaseReplay, change: Change) -> set[str]:
    """Applies a checkpoint; returns the domains that it names."""
    domains = set[str]()
    try:
        for piece in understood(read_checkpoint(log, checkpoint), checkpoint.name):
            rows = state.take(piece)
            domains.update(row.domain for row in rows.domain_metadata)
            change.append(rows)
            change.write(replay.add(piece.adds))
            change.write(replay.remove(piece.removes))
    except msgspec.MsgspecError as error:
        raise CorruptLogError(f"The checkpoint of version {checkpoint.version}: {error}") from error
    return domains
