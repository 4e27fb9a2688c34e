"""What a sync changes in one transaction: written, and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
from ..catalog.registry import TableEntry
from ..catalog.schema import migration_status
from ..errors import CorruptLogError
from ..log.actions import Actions
from ..log.path import LogFile
from ..log.reader import Digest, Log, check_format, read_commit
from ..log.store import CHUNK_BYTES
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
    _digest: str | None = None
    _added: int = 0
    _active_files: int = 0
    _active_bytes: int = 0

    def __post_init__(self) -> None:
        self.find_live = lambda hashes: find_live(self.connection, self.table_id, hashes)
        self._indexes = ranges.indexes_of(self.connection, self.table_id)

    def append(self, rows: Rows) -> None:
        """Appends rows that are not files."""
        append(self.connection, self.dialect, self.table_id, rows)

    def write(self, steps: Iterable[Step]) -> None:
        """Ends files and appends new ones."""
        for step in steps:
            end_live(self.connection, self.table_id, step.ended)
            append_files(self.connection, self.dialect, self.table_id, step.added)
            ranges.append(self.connection, self.dialect, self._indexes, step.added)
            self._count(step)

    def _count(self, step: Step) -> None:
        self._added += sum(file.added_version is not None for file in step.added)
        for files, sign in ((step.added, 1), (step.ended, -1)):
            sizes = [file.size or 0 for file in files if sign < 0 or file.removed_version is None]
            self._active_files += sign * len(sizes)
            self._active_bytes += sign * sum(sizes)

    def commit(self, log: Log, commit: LogFile, *, at_floor: bool = False) -> tuple[CommitState, ForwardReplay]:
        """Applies a commit; `at_floor` as for `CommitSource`.

        Raises:
            CorruptLogError, UnsupportedTableError, StorageError: it can't be read, or not be understood.
        """
        digest = sha256()
        pieces = _pieces(log, commit, digest)
        state = CommitState(CommitSource(commit.version, commit.name, commit.modified_ms, (), at_floor))
        replay = ForwardReplay(state, self.find_live)
        try:
            for piece in pieces():
                self.append(state.take(piece))
            self.write(replay.remove(chain.from_iterable(piece.removes for piece in pieces())))
            self.write(replay.add(chain.from_iterable(piece.adds for piece in pieces())))
        except msgspec.MsgspecError as error:
            raise CorruptLogError(f"{commit.name}: {error}") from error
        if state.metadata is not None:
            check_format(state.metadata)
        self.append(state.finish())
        self._digest = digest.hexdigest()
        return state, replay

    def move_on(
        self, entry: TableEntry, version: int, files: Iterable[LogFile], *, commits: int, warnings: list[str]
    ) -> TableEntry:
        """Moves the table on to a version, for which files of the log were read, `commits` of them commits."""
        told = [*msgspec.json.decode(entry.warnings or "[]"), *warnings]
        moved = replace(
            entry,
            version=version,
            synced_at=registry.now(),
            warnings=msgspec.json.encode(told).decode() if told else None,
            commit_digest=self._digest,
        )
        registry.complete(self.connection, moved)
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


def _pieces(log: Log, commit: LogFile, digest: Digest) -> Callable[[], Iterator[Actions]]:
    """What reads a commit, any number of times: small ones from memory, large ones in pieces from the store.

    The first time, its bytes are added to the digest.
    """
    if commit.size > CHUNK_BYTES:
        first = iter((digest,))
        return lambda: read_commit(log, commit, next(first, None))
    whole = list(read_commit(log, commit, digest))
    return lambda: iter(whole)
