"""The rows of one log in batches that are ready to be loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from ..catalog.packing.base import Packed, Packing
from ..log.path import LogFile, LogFileKind
from ..log.reader import Log
from ..log.segment import LogSegment
from ..replay.backward import BackwardReplay
from ..replay.dangling import Dangling
from ..replay.state import others_json
from ..rows import Rows
from .batches import batches
from .checkpoint_sums import CheckpointWatch, Contradiction
from .replayed import replayed


@dataclass(frozen=True, slots=True)
class Source:
    """What to read, and for whom.

    Attributes:
        log: the log.
        segment: which of its files.
        table_id: the table that owns the rows.
        packing: how the database takes them.
        batch_size: files in a batch, at most.
        skip: so many rows at the beginning are left out; they are loaded already.
    """

    log: Log
    segment: LogSegment
    table_id: str
    packing: Packing
    batch_size: int
    skip: int


class Ending(NamedTuple):
    """What is known when a log has been read.

    Attributes:
        warnings: what was passed over, and what to say of its features.
        violations: what it does against the protocol.
        dangling: removes that found nothing.
        contradiction: what its newest checkpoint says against its commits.
        checkpoint_actions: what we don't model of the checkpoint that it begins with.
        commit_digest: of the newest version's commit; None where it is not there.
    """

    warnings: list[str]
    violations: list[str]
    dangling: list[Dangling]
    contradiction: Contradiction | None
    checkpoint_actions: str | None
    commit_digest: str | None


class Batch(NamedTuple):
    """Rows for one transaction.

    Attributes:
        packed: the rows of each SQL table, by its name in `Rows`.
        partitions: those that no earlier batch had, their values by their keys.
        rows: how many rows there are: by so many the watermark moves.
        files: how many of them are files.
        added: how many of these have an `added_version`.
        active: how many of these nothing has ended.
        active_bytes: their sizes, together.
        commits: how many commits end in the batch.
        read: how far the log has been read.
        ending: set in the last batch.
    """

    packed: dict[str, Packed]
    partitions: dict[int, str]
    rows: int
    files: int
    added: int
    active: int
    active_bytes: int
    commits: int
    read: Read
    ending: Ending | None


class Read(NamedTuple):
    """How far a log has been read: the version that came last, and how many commits and bytes."""

    version: int
    commits: int
    bytes: int

    def and_file(self, file: LogFile) -> Read:
        """Returns how far it is with one more file."""
        return Read(file.version, self.commits + (file.kind is LogFileKind.COMMIT), self.bytes + file.size)


def feed(source: Source) -> Iterator[Batch]:
    """Reads a log, the newest commit first; the last batch has an ending.

    Raises:
        CorruptLogError, UnsupportedTableError, StorageError: a file can't be read, or not be understood.
    """
    read = Read(source.segment.version, 0, 0)

    def note(file: LogFile) -> None:
        nonlocal read
        read = read.and_file(file)

    seen: set[int] = set()
    watch, digest = CheckpointWatch(source.log, source.segment), sha256()
    with BackwardReplay() as replay:
        rows = watch.passed(replayed(source.log, source.segment, replay, each=note, digest=digest))
        for batch, last in batches(rows, source.batch_size, source.skip):
            ending = _ending(source, replay, watch, digest.hexdigest()) if last else None
            yield _packed(source, batch, seen, read, ending)


def _ending(source: Source, replay: BackwardReplay, watch: CheckpointWatch, digest: str) -> Ending:
    contradiction = watch.contradiction()
    others = others_json(replay.checkpoint_actions)
    warnings = [*source.log.warnings, *replay.cautions]
    newest = source.segment.commits[-1:]
    known = digest if newest and newest[0].version == source.segment.version else None
    return Ending(warnings, replay.violations, replay.dangling.found, contradiction, others, known)


def _packed(source: Source, batch: Rows, seen: set[int], read: Read, ending: Ending | None) -> Batch:
    files = batch.files
    ends, sizes = files.column("removed_version"), files.column("size")
    new = {key: values for key, values in files.partitions().items() if key not in seen}
    seen.update(new)
    return Batch(
        {
            name: source.packing.packed(name, source.table_id, rows)
            for name in source.packing.shapes
            if (rows := getattr(batch, name))
        },
        new,
        len(batch),
        len(files),
        len(files) - files.column("added_version").count(None),
        ends.count(None),
        sum(size or 0 for size, end in zip(sizes, ends, strict=True) if end is None),
        len(batch.commits),
        read,
        ending,
    )
