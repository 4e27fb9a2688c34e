"""A log's files, read and replayed: the one stream of rows that imports, assessments and validations share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ..log.actions import Actions
from ..log.path import LogFile
from ..log.reader import Digest, Log, commit_pieces, expect, read_checkpoint, read_commit, understood
from ..log.segment import Checkpoint, LogSegment
from ..replay.backward import BackwardReplay
from ..replay.floor import CheckpointSource
from ..replay.state import CommitSource
from ..rows import Rows


def replayed(
    log: Log,
    segment: LogSegment,
    replay: BackwardReplay,
    *,
    each: Callable[[LogFile], None] | None = None,
    digest: Digest | None = None,
) -> Iterator[Rows]:
    """Yields all rows of a log, the newest commit's first; the same log gives the same rows in the same order.

    `each` is called when a file has been read; the bytes of the newest version's commit are added to `digest`.

    Raises:
        CorruptLogError, UnsupportedTableError, StorageError: a file can't be read, or not be understood.
    """
    above = [commit for commit in reversed(segment.commits) if commit is not segment.own_commit]
    expect(log, (*above, *segment.floor_files))
    for commit in above:
        pieces = partial(_pieces, log, commit, digest if commit.version == segment.version else None)
        yield from replay.commit(CommitSource(commit.version, commit.name, commit.modified_ms, pieces))
        if each is not None:
            each(commit)
    if segment.checkpoint is not None:
        only = digest if segment.version == segment.first_version else None
        yield from _floor(log, segment.checkpoint, segment.own_commit, replay, only)
    if each is not None:
        for file in segment.floor_files:
            each(file)
    yield from replay.finish()


def _pieces(log: Log, commit: LogFile, digest: Digest | None) -> Iterator[Actions]:
    return understood(read_commit(log, commit, digest), commit.name)


def _floor(
    log: Log, checkpoint: Checkpoint, own: LogFile | None, replay: BackwardReplay, digest: Digest | None
) -> Iterator[Rows]:
    commit = None
    if own is not None:
        commit = CommitSource(own.version, own.name, own.modified_ms, commit_pieces(log, own, digest), at_floor=True)
    pieces = understood(read_checkpoint(log, checkpoint), checkpoint.name)
    yield from replay.floor(CheckpointSource(checkpoint.version, checkpoint.name, pieces), commit)
