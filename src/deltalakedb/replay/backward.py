"""A log from its newest commit back to its floor → rows.

Backwards, a file's end is known before its beginning is met: every lifetime is written once and never updated, and a
database takes the load as pure appends.

Within a commit removes apply before adds (PROTOCOL.md, "Action Reconciliation"); seen backwards, adds come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

import msgspec

from ..errors import CorruptLogError
from ..log.actions import Actions, Add, OtherAction, Remove
from ..log.add_columns import AddColumns
from ..rows import FileLifetime, Files, Rows
from .ends import Ends
from .files import check_partition, end, ended, lifetimes, tombstone
from .state import CheckpointState, CommitSource, CommitState


class BackwardReplay:
    """Replays a log from its newest commit to its floor.

    Call `commit` for each version, newest first, then `checkpoint` where the log begins with one, then `finish`;
    each yields the rows that became certain. The same log gives the same rows in the same order every time.

    A context manager: at its end the removes that wait are given up.

    Memory holds 16 bytes and an integer a file key, and of the removes that wait for their adds KEPT and SPOOL_BYTES.

    Attributes:
        violations: what the log does against the protocol, one line each.
        checkpoint_actions: what the checkpoint holds that we don't model.
    """

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.checkpoint_actions: list[OtherAction] = []
        self._ends = Ends()
        self._floor_commit: CommitState | None = None
        self._floor_adds = 0
        self._added_and_removed = set[bytes]()  # by the commit that was replayed last

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def commit(self, source: CommitSource) -> Iterator[Rows]:
        """Yields the rows of one commit, those of its files first."""
        state, removes, adds = CommitState(source), list[tuple[bytes, int]](), 0
        try:
            for piece in source.pieces:
                rows = state.take(piece)
                rows.files = self._begin(AddColumns.of(piece.adds), state)
                adds += len(rows.files)
                removes += [self._spooled(remove, source.version) for remove in piece.removes]
                yield rows
        except msgspec.MsgspecError as error:
            raise CorruptLogError(f"{source.name}: {error}") from error
        rows = state.finish()
        self._floor_commit, self._floor_adds = state, adds
        rows.files = Files(self._end(removes, source.version))
        self.violations[:0] = state.violations  # in the order of the log
        yield rows

    def checkpoint(self, version: int, pieces: Iterable[Actions]) -> Iterator[Rows]:
        """Yields the rows of the state that the log begins with.

        The floor's own commit may be there too and come first: it says more of its files than the checkpoint does.
        """
        own = self._floor_commit if self._floor_commit and self._floor_commit.version == version else None
        state, confirmed = CheckpointState(version, own), 0
        try:
            for piece in pieces:
                rows = state.take(piece)
                rows.files = self._begin_at_floor(AddColumns.of(piece.adds), version)
                confirmed += len(piece.adds) - len(rows.files)
                rows.files.extend(
                    tombstone(remove, version) for remove in piece.removes if not self._ends.ended_at(remove, version)
                )
                yield rows
        except msgspec.MsgspecError as error:
            raise CorruptLogError(f"The checkpoint of version {version}: {error}") from error
        if own is not None and confirmed != self._floor_adds:
            self.violations.append(f"version {version}: its checkpoint lacks files that its commit adds")
        self.checkpoint_actions = state.others

    def finish(self) -> Iterator[Rows]:
        """Yields the tombstones of files whose add is not in the log any more, or never was."""
        rows = Rows()
        for version, remove in self._ends.waiting():
            rows.files.append(self._tombstone(remove, version))
            if len(rows.files) >= 10_000:
                yield rows
                rows = Rows()
        yield rows

    def _spooled(self, remove: Remove, version: int) -> tuple[bytes, int]:
        check_partition(remove)  # now, when it is known which file says it; the row is made later
        return self._ends.spool(remove, version)

    def _begin(self, adds: AddColumns, state: CommitState) -> Files:
        keys, version = adds.keys(), state.version
        ends = self._ends.begin(keys, version)
        files = lifetimes(adds, keys, version, state.own)
        if not ends:
            return files
        twice = {at for at, of_file in ends.items() if of_file.version == version}
        end(files, {at: of_file for at, of_file in ends.items() if at not in twice})
        for at in sorted(twice):
            state.duplicate("add", adds[at])
        return Files(file for at, file in enumerate(files) if at not in twice) if twice else files

    def _begin_at_floor(self, adds: AddColumns, version: int) -> Files:
        """Returns the rows of a checkpoint's files, without those that the floor's own commit has made."""
        keys = adds.keys()
        files = lifetimes(adds, keys, version)
        if self._ends.begin_if_new(keys, version):
            return files  # nearly always: a checkpoint is large, and what came after it is small
        known = zip(keys, adds, files, strict=True)
        return Files(row for known_file in known if (row := self._row_at_floor(*known_file, version)) is not None)

    def _row_at_floor(self, key: bytes, add: Add, file: FileLifetime, version: int) -> FileLifetime | None:
        later = self._ends.get(key)
        if later is None or later.version > version:
            self._ends.begin((key,), version)
            return file if later is None else ended(file, later)
        if later.remove is None or key in self._added_and_removed:
            return None
        self.violations.append(f"version {version}: its commit removes {add.path}, its checkpoint has it")
        return file

    def _tombstone(self, remove: Remove, version: int) -> FileLifetime:
        """Returns the row of a commit's remove that removed nothing, or what is older than the floor."""
        floor = self._floor_commit
        return tombstone(remove, version, floor.own if floor is not None and version == floor.version else None)

    def _end(self, removes: list[tuple[bytes, int]], version: int) -> Iterator[FileLifetime]:
        """Yields tombstones for later removes of the same files, which turn out to have removed nothing."""
        self._added_and_removed.clear()
        for key, place in reversed(removes):
            later = self._ends.get(key)
            if later is not None and later.remove is not None:
                yield self._tombstone(later.remove, later.version)
            elif later is not None and later.version == version:
                path = self._ends.at(place).remove.path  # type: ignore[union-attr]
                self.violations.append(f"version {version} adds and removes {path}; taken as added")
                self._added_and_removed.add(key)
            self._ends.put(key, place)
