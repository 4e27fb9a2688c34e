"""The version that a log begins with: its checkpoint, and its own commit where that is still there.

Other readers begin at the checkpoint and never read that commit, so the state is the checkpoint's (PROTOCOL.md,
"Checkpoints"). Nearly always the commit says the same of its files, and more: it keeps statistics, tags, and whether
data changed. A checkpoint that was written too early, or from another state, lacks files that the commit adds, and has
files that it removes. Then the checkpoint is followed, and what the commit says is kept without counting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..log.actions import Actions, Add, OtherAction, Remove, key_of
from ..log.add_columns import AddColumns
from ..rows import FileLifetime, Files, Rows
from .dangling import DanglingRemoves
from .ends import End, Ends
from .files import begin, check_partition, decoding, end, ended, lifetimes, tombstone
from .samples import PathSample
from .state import CheckpointState, CommitSource, CommitState


class CheckpointSource(NamedTuple):
    """A checkpoint to replay, and the name of its first file."""

    version: int
    name: str
    pieces: Iterable[Actions]


class FloorReplay:
    """Replays a checkpoint and its version's own commit, which are the last of a log that is read backwards.

    The commit is read twice, before the checkpoint and behind it: only then it is known which of the files that it adds
    count. Memory holds 16 bytes a file that it adds.
    """

    def __init__(
        self, ends: Ends, checkpoint: CheckpointSource, own: CommitSource | None, dangling: DanglingRemoves
    ) -> None:
        self._ends = ends
        self._dangling = dangling
        self._checkpoint = checkpoint
        self._version = checkpoint.version
        self._own = None if own is None else CommitState(own)
        self._state = CheckpointState(checkpoint.version, self._own)
        self._removes: list[tuple[bytes, int]] = []
        self._removed: frozenset[bytes] = frozenset()
        self._added: set[bytes] = set()
        self._confirmed: set[bytes] = set()
        self._absent: set[bytes] = set()
        self._lacks, self._has = PathSample(), PathSample()

    @property
    def others(self) -> list[OtherAction]:
        """What the checkpoint holds that we don't model."""
        return self._state.others

    @property
    def cautions(self) -> list[str]:
        """What to say of the features that the protocol asks for."""
        return [*self._state.cautions, *(self._own.cautions if self._own else ())]

    @property
    def violations(self) -> list[str]:
        """What the commit does against the protocol, and what the checkpoint says against it."""
        if self._own is None:
            return []
        names = self._own.source.name, self._checkpoint.name
        return [*self._own.violations, *contradictions(*names, self._lacks, self._has)]

    def rows(self) -> Iterator[Rows]:
        """Yields the rows of both.

        Raises:
            CorruptLogError: something in them is not what the protocol has there.
        """
        if self._own is not None:
            with decoding(self._own.source.name):
                yield from self._note_own(self._own)
        with decoding(self._checkpoint.name):
            yield from self._checkpoint_rows()
        if self._own is not None:
            with decoding(self._own.source.name):
                yield from self._own_rows(self._own)

    def _checkpoint_rows(self) -> Iterator[Rows]:
        for piece in self._checkpoint.pieces:
            rows = self._state.take(piece)
            rows.files = self._begin(AddColumns.of(piece.adds))
            rows.files.extend(tombstone(remove, self._version) for remove in piece.removes if self._is_news(remove))
            yield rows

    def _note_own(self, own: CommitState) -> Iterator[Rows]:
        """Yields what of the commit isn't about the table's files, and notes the rest."""
        for piece in own.source.pieces():
            yield own.take(piece)
            self._added.update(AddColumns.of(piece.adds).keys())
            for remove in piece.removes:
                check_partition(remove)
                self._removes.append(self._ends.spool(remove, self._version))
        self._removed = frozenset(key for key, _ in self._removes)

    def _begin(self, adds: AddColumns) -> Files:
        """Returns the rows of the checkpoint's files, but for those of which the commit says more."""
        keys = adds.keys()
        files = lifetimes(adds, keys, self._version)
        is_new = self._added.isdisjoint(keys) and self._removed.isdisjoint(keys)
        if is_new and self._ends.begin_if_new(keys, self._version):
            return files  # nearly always: a checkpoint is large, and what came after it is small
        told = zip(keys, adds, files, strict=True)
        return Files(row for of_file in told if (row := self._row(*of_file)) is not None)

    def _row(self, key: bytes, add: Add, file: FileLifetime) -> FileLifetime | None:
        if key in self._added:
            self._confirmed.add(key)
            return None
        later = self._ends.get(key)
        if later is not None and later.version == self._version:
            return None  # the checkpoint has it twice
        if key in self._removed:
            self._has.add(add.path)
        self._ends.begin((key,), self._version)
        return file if later is None else ended(file, later)

    def _is_news(self, remove: Remove) -> bool:
        return key_of(remove) not in self._removed

    def _own_rows(self, own: CommitState) -> Iterator[Rows]:
        """Yields the rows of the commit's files, and at last those of everything else that it says."""
        if self._added:
            for piece in own.source.pieces():
                yield Rows(files=self._begin_own(AddColumns.of(piece.adds), own))
        rows = own.finish()
        rows.files = Files(self._end_own(own))
        yield rows

    def _begin_own(self, adds: AddColumns, own: CommitState) -> Files:
        if self._confirmed.issuperset(adds.keys()):
            return begin(self._ends, adds, self._version, own)
        files = Files()
        for at, key in enumerate(adds.keys()):
            one = adds[at : at + 1]
            if key in self._confirmed:
                files.extend(begin(self._ends, one, self._version, own))
            elif key in self._absent:
                own.duplicate("add", adds[at])
            else:
                files.extend(self._without_effect(key, one, own))
        return files

    def _without_effect(self, key: bytes, adds: AddColumns, own: CommitState) -> Files:
        """Returns the row of a file that the checkpoint lacks: it ends with the version that adds it."""
        self._absent.add(key)
        self._lacks.add(adds.path[0])
        files = lifetimes(adds, [key], self._version, own.own)
        end(files, {0: End(self._version, None)})
        return files

    def _end_own(self, own: CommitState) -> Iterator[FileLifetime]:
        """Yields tombstones for later removes of the same files, which turn out to have removed nothing."""
        for key, place in reversed(self._removes):
            later = self._ends.get(key)
            if later is not None and later.remove is not None:
                if later.version > self._version:
                    self._dangling.note(later.remove, later.version)
                yield tombstone(later.remove, later.version, own.own if later.version == self._version else None)
            elif key in self._confirmed:
                own.add_and_remove(self._ends.remove_at(place).path)
            self._ends.put(key, place)


def contradictions(commit: str, checkpoint: str, lacks: PathSample, has: PathSample) -> Iterator[str]:
    """Yields what a checkpoint says against the commit of its own version.

    Args:
        commit: the commit's name.
        checkpoint: the checkpoint's name.
        lacks: files that the commit adds and the checkpoint lacks.
        has: files that the commit removes and the checkpoint has.
    """
    if lacks:
        yield f"{checkpoint} lacks files that {commit} adds, and was followed: {lacks}"
    if has:
        yield f"{checkpoint} has files that {commit} removes, and was followed: {has}"
