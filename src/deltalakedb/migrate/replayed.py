"""A log's files, read and replayed: the one stream of rows that imports, assessments and validations share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..log.actions import Actions, Metadata
from ..log.path import LogFile
from ..log.reader import Digest, Log, check_format, expect, read_checkpoint, read_commit
from ..log.segment import LogSegment
from ..replay.backward import BackwardReplay
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
    checkpoint = segment.checkpoint.files if segment.checkpoint is not None else ()
    expect(log, (*reversed(segment.commits), *checkpoint))
    for commit in reversed(segment.commits):
        at_floor = segment.checkpoint is not None and commit.version == segment.first_version
        pieces = _checked(read_commit(log, commit, digest if commit.version == segment.version else None))
        source = CommitSource(commit.version, commit.name, commit.modified_ms, pieces, at_floor)
        yield from replay.commit(source)
        if each is not None:
            each(commit)
    if segment.checkpoint is not None:
        yield from replay.checkpoint(segment.first_version, read_checkpoint(log, segment.checkpoint))
        if each is not None:
            for file in segment.checkpoint.files:
                each(file)
    yield from replay.finish()


def _checked(pieces: Iterator[Actions]) -> Iterator[Actions]:
    """Passes pieces on whose metadata we can follow: a table's format may change with any commit."""
    for piece in pieces:
        for action in piece.others:
            if isinstance(action, Metadata):
                check_format(action)
        yield piece
