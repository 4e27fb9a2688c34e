"""What a sync changes in one transaction: written, and counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Connection

from ..catalog import ranges, registry
from ..catalog.dialects.base import Dialect
from ..catalog.files import end_live, find_live
from ..catalog.loading import append, append_files
from ..catalog.partitions import name_values
from ..catalog.registry import TableEntry
from ..catalog.schema import migration_status
from ..catalog.snapshot import Snapshot
from ..log.path import LogFile
from ..log.reader import Log, commit_pieces
from ..replay.files import decoding
from ..replay.forward import FindLive, ForwardReplay, Step
from ..replay.state import CommitSource, CommitState
from ..rows import Rows


@dataclass(slots=True)
class Change:
    """Changes to a table's rows in the caller's transaction."""

    connection: Connection
    dialect: Dialect
    table_id: str
    find_live: FindLive = field(init=False)
    _indexes: Any = field(init=False)
    _partitions: set[int] = field(default_factory=set)
    _has_new_columns: bool = False
    _digest: str | None = None
    _added: int = 0
    _active_files: int = 0
    _active_bytes: int = 0

    def __post_init__(self) -> None:
        self.find_live = lambda hashes: find_live(self.connection, self.table_id, hashes)
        self._indexes = ranges.indexes_of(self.connection, self.table_id)

    def append(self, rows: Rows) -> None:
        """Appends rows that are not files."""
        self._has_new_columns |= bool(rows.metadata or rows.protocols)
        append(self.connection, self.dialect, self.table_id, rows)

    def write(self, steps: Iterable[Step]) -> None:
        """Ends files and appends new ones."""
        for step in steps:
            end_live(self.connection, self.table_id, step.ended)
            append_files(self.connection, self.dialect, self.table_id, step.added)
            ranges.append(self.connection, self.dialect, self._indexes, step.added)
            self._partitions.update(step.added.partitions())
            self._count(step)

    def _count(self, step: Step) -> None:
        self._added += sum(file.added_version is not None for file in step.added)
        for files, sign in ((step.added, 1), (step.ended, -1)):
            sizes = [file.size or 0 for file in files if sign < 0 or file.removed_version is None]
            self._active_files += sign * len(sizes)
            self._active_bytes += sign * sum(sizes)

    def commit(self, log: Log, commit: LogFile, *, at_floor: bool = False) -> tuple[CommitState, ForwardReplay]:
        """Applies a commit, but for what `CommitState.finish` makes rows of; `at_floor` as for `CommitSource`.

        Raises:
            CorruptLogError, UnsupportedTableError, StorageError: it can't be read, or not be understood.
        """
        digest = sha256()
        pieces = commit_pieces(log, commit, digest)
        state = CommitState(CommitSource(commit.version, commit.name, commit.modified_ms, pieces, at_floor))
        replay = ForwardReplay(state, self.find_live)
        with decoding(commit.name):
            for piece in pieces():
                self.append(state.take(piece))
            self.write(replay.remove(chain.from_iterable(piece.removes for piece in pieces())))
            self.write(replay.add(chain.from_iterable(piece.adds for piece in pieces())))
        self._digest = digest.hexdigest()
        return state, replay

    def move_on(
        self, entry: TableEntry, version: int, files: Iterable[LogFile], *, commits: int, warnings: list[str]
    ) -> TableEntry:
        """Moves the table on to a version, for which files of the log were read, `commits` of them commits."""
        told = msgspec.json.decode(entry.warnings or "[]")
        told += [warning for warning in warnings if warning not in told]
        moved = replace(
            entry,
            version=version,
            synced_at=registry.now(),
            warnings=msgspec.json.encode(told).decode() if told else None,
            commit_digest=self._digest,
        )
        registry.complete(self.connection, moved)
        self._name_partitions(moved)
        columns = migration_status.c
        registry.hold(
            self.connection,
            self.table_id,
            version=version,
            target_version=version,
            files_processed=columns.files_processed + self._added,
            active_files=columns.active_files + self._active_files,
            active_bytes=columns.active_bytes + self._active_bytes,
            commits_processed=columns.commits_processed + commits,
            log_bytes_processed=columns.log_bytes_processed + sum(file.size for file in files),
            heartbeat_at=registry.now(),
        )
        return moved

    def _name_partitions(self, entry: TableEntry) -> None:
        if self._has_new_columns or self._partitions:
            newest = Snapshot(self.connection, entry, entry.version)
            keys = None if self._has_new_columns else self._partitions
            name_values(self.connection, self.table_id, newest.metadata(), newest.protocol(), keys)
