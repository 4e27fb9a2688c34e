"""A log from its newest commit back to its floor → rows.

Backwards, a file's end is known before its beginning is met: every lifetime is written once and never updated, and a
database takes the load as pure appends.

Within a commit removes apply before adds (PROTOCOL.md, "Action Reconciliation"); seen backwards, adds come first.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from ..log.actions import OtherAction, Remove
from ..log.add_columns import AddColumns
from ..rows import FileLifetime, Files, Rows
from .dangling import DanglingRemoves
from .ends import Ends
from .files import begin, check_partition, decoding, tombstone
from .floor import CheckpointSource, FloorReplay
from .state import CommitSource, CommitState


class BackwardReplay:
    """Replays a log from its newest commit to its floor.

    Call `commit` for each version, newest first, then `floor` where the log begins with a checkpoint, then `finish`;
    each yields the rows that became certain. The same log gives the same rows in the same order every time.

    A context manager: at its end the removes that wait are given up.

    Memory holds 16 bytes and an integer a file key, and of the removes that wait for their adds KEPT and SPOOL_BYTES.

    Attributes:
        violations: what the log does against the protocol, one line each.
        cautions: what to say of the features that its protocols ask for.
        checkpoint_actions: what the checkpoint holds that we don't model.
        dangling: removes that found nothing, in versions whose files are all known; complete behind `finish`.
    """

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.cautions: list[str] = []
        self.checkpoint_actions: list[OtherAction] = []
        self.dangling = DanglingRemoves()
        self._ends = Ends()
        self._floor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def commit(self, source: CommitSource) -> Iterator[Rows]:
        """Yields the rows of one commit, those of its files first."""
        state, removes = CommitState(source), list[tuple[bytes, int]]()
        with decoding(source.name):
            for piece in source.pieces():
                rows = state.take(piece)
                rows.files = begin(self._ends, AddColumns.of(piece.adds), source.version, state)
                removes += [self._spooled(remove, source.version) for remove in piece.removes]
                yield rows
        rows = state.finish()
        rows.files = Files(self._end(removes, state))
        self._note(state.violations, state.cautions)
        yield rows

    def floor(self, checkpoint: CheckpointSource, own: CommitSource | None) -> Iterator[Rows]:
        """Yields the rows of the state that the log begins with; `own` is the commit of the same version, if any."""
        self._floor = checkpoint.version
        floor = FloorReplay(self._ends, checkpoint, own, self.dangling)
        yield from floor.rows()
        self.checkpoint_actions = floor.others
        self._note(floor.violations, floor.cautions)

    def finish(self) -> Iterator[Rows]:
        """Yields the tombstones of files whose add is not in the log any more, or never was."""
        rows = Rows()
        for version, remove in self._ends.waiting():
            own = True if version == self._floor else None  # of a checkpoint's removes, none waits
            rows.files.append(tombstone(remove, version, own))
            if version > self._floor:
                self.dangling.note(remove, version)
            if len(rows.files) >= 10_000:
                yield rows
                rows = Rows()
        yield rows

    def _note(self, violations: list[str], cautions: list[str]) -> None:
        self.violations[:0] = violations  # in the order of the log
        self.cautions += [caution for caution in cautions if caution not in self.cautions]

    def _spooled(self, remove: Remove, version: int) -> tuple[bytes, int]:
        check_partition(remove)  # now, when it is known which file says it; the row is made later
        return self._ends.spool(remove, version)

    def _end(self, removes: list[tuple[bytes, int]], state: CommitState) -> Iterator[FileLifetime]:
        """Yields tombstones for later removes of the same files, which turn out to have removed nothing."""
        for key, place in reversed(removes):
            later = self._ends.get(key)
            if later is not None and later.remove is not None:
                self.dangling.note(later.remove, later.version)
                yield tombstone(later.remove, later.version)
            elif later is not None and later.version == state.version:
                state.add_and_remove(self._ends.remove_at(place).path)
            self._ends.put(key, place)
