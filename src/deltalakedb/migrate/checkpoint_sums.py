"""Does the newest checkpoint of a log hold the files that its commits lead to?

Whoever reads a table starts at that checkpoint, while an import follows the commits from the floor on. Where the two
differ (a writer went by paths where a deletion vector is part of the key, or lagged behind), the import says so.

What is compared are sums of keys in BUCKETS: memory doesn't grow with the table, and where sums differ, few files are
to be looked at to name those that do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..errors import LogError, StorageError
from ..log.actions import Only, deletion_vector_id, file_key
from ..log.add_columns import AddColumns
from ..log.reader import Log, newest_checkpoint, read_checkpoint
from ..log.segment import Checkpoint, LogSegment
from ..replay.files import key_hashes
from ..replay.samples import PathSample
from ..rows import FileLifetime, Files, Rows

BUCKETS = 4096


class KeySums:
    """Sums of the hashes of files' keys, by buckets."""

    def __init__(self) -> None:
        self._sums = [0] * BUCKETS

    def add(self, hashes: Iterable[int]) -> None:
        """Adds files by their `key_hash`."""
        sums = self._sums
        for value in hashes:
            sums[value % BUCKETS] += value

    def differ(self, other: KeySums) -> frozenset[int]:
        """Returns the buckets whose files are not the same."""
        pairs = enumerate(zip(self._sums, other._sums, strict=True))
        return frozenset(bucket for bucket, (mine, theirs) in pairs if mine != theirs)


class Contradiction(NamedTuple):
    """A checkpoint whose files are not those of its commits; they are in these buckets."""

    checkpoint: Checkpoint
    buckets: frozenset[int]


class FileAt(NamedTuple):
    """A file that is active at a checkpoint's version by the commits."""

    path: str
    deletion_vector_id: str | None
    key_hash: int


class CheckpointWatch:
    """Looks at the rows of a replay as they pass, and at last at the checkpoint.

    Attributes:
        checkpoint: what is compared; None where the log begins with its newest checkpoint, or has none.
    """

    def __init__(self, log: Log, segment: LogSegment) -> None:
        above = segment.first_version + (segment.checkpoint is not None)
        self.checkpoint = newest_checkpoint(log, above, segment.version)
        self._log = log
        self._sums = KeySums()

    def passed(self, rows: Iterable[Rows]) -> Iterator[Rows]:
        """Yields the rows as they come."""
        if self.checkpoint is None:
            yield from rows
            return
        for piece in rows:
            self._sums.add(_active_at(piece.files, self.checkpoint.version))
            yield piece

    def contradiction(self) -> Contradiction | None:
        """Reads the checkpoint when all rows have passed; one that can't be read is noted in the log's warnings."""
        if self.checkpoint is None:
            return None
        sums = KeySums()
        try:
            for adds in _keys(self._log, self.checkpoint):
                sums.add(key_hashes(adds.keys()))
        except (LogError, StorageError) as error:
            self._log.warnings.append(f"Checkpoint not compared with its commits: {error.message}")
            return None
        buckets = sums.differ(self._sums)
        return Contradiction(self.checkpoint, buckets) if buckets else None


def contradiction_warnings(log: Log, contradiction: Contradiction, files: Iterable[FileAt]) -> Iterator[str]:
    """Yields what to say of a checkpoint that differs from its commits.

    Args:
        log: the log.
        contradiction: what differs.
        files: the files that the commits lead to; those of other buckets are passed over.
    """
    checkpoint, buckets = contradiction
    try:
        theirs = _names(log, checkpoint, buckets)
    except (LogError, StorageError) as error:
        yield f"{_differs(checkpoint)} see other files, which can't be named: {error.message}"
        return
    ours: list[str] = []
    for file in files:
        if file.key_hash % BUCKETS in buckets:
            key = file_key(file.path, file.deletion_vector_id)
            if theirs.pop(key, None) is None:
                ours.append(_named(file.path, file.deletion_vector_id))
    lacks, has = PathSample.of(sorted(ours)), PathSample.of(sorted(theirs.values()))
    seen = [*([f"don't see {lacks}"] if lacks else ()), *([f"see {has}"] if has else ())]
    if seen:
        yield f"{_differs(checkpoint)} {', and '.join(seen)}"


def _differs(checkpoint: Checkpoint) -> str:
    return (
        f"{checkpoint.name} differs from the commits that it stands for, which were followed; readers that start at it"
    )


def _names(log: Log, checkpoint: Checkpoint, buckets: frozenset[int]) -> dict[bytes, str]:
    """Returns the files of a checkpoint that are in some buckets, by their keys."""
    names: dict[bytes, str] = {}
    for adds in _keys(log, checkpoint):
        keys = adds.keys()
        for at, (key, value) in enumerate(zip(keys, key_hashes(keys), strict=True)):
            if value % BUCKETS in buckets:
                names[key] = _named(adds.path[at], deletion_vector_id(adds.deletion_vector[at]))
    return names


def _keys(log: Log, checkpoint: Checkpoint) -> Iterator[AddColumns]:
    for piece in read_checkpoint(log, checkpoint, only=Only.KEYS):
        yield AddColumns.of(piece.adds)


def _active_at(files: Files, version: int) -> list[int]:
    rows = zip(*map(files.column, ("added_version", "removed_version", "key_hash")), strict=True)
    return [
        value
        for added, ended, value in rows
        if added is not None and added <= version and (ended is None or ended > version)
    ]


def active_files(files: Iterable[FileLifetime], version: int) -> Iterator[FileAt]:
    """Yields those of a replay's files that are active at a version."""
    for file in files:
        added, ended = file.added_version, file.removed_version
        if added is not None and added <= version and (ended is None or ended > version):
            yield FileAt(file.path, file.deletion_vector_id, file.key_hash)


def _named(path: str, vector: str | None) -> str:
    return path if vector is None else f"{path} (with a deletion vector)"
