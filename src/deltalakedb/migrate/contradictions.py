"""What a log says against itself, by the rows that were made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from ..catalog.files import lifetimes_of
from ..catalog.registry import TableEntry
from ..catalog.snapshot import Snapshot
from ..log.reader import Log
from ..replay.dangling import Dangling, Lifetime, under_another_vector
from .checkpoint_sums import Contradiction, FileAt, contradiction_warnings


def dangling_warnings(connection: Connection, table_id: str, dangling: Sequence[Dangling]) -> Iterator[str]:
    """Yields what to say of removes that found nothing, once the rows of their versions are there."""
    if dangling:
        paths, since = sorted({remove.path for remove in dangling}), min(remove.version for remove in dangling)
        lifetimes = lifetimes_of(connection, table_id, paths, since)
        yield from under_another_vector(dangling, (Lifetime(*lifetime) for lifetime in lifetimes))


def checkpoint_warnings(
    connection: Connection, entry: TableEntry, log: Log, contradiction: Contradiction | None
) -> Iterator[str]:
    """Yields what to say of a checkpoint that differs from its commits, whose rows are there."""
    if contradiction is None:
        return
    at = Snapshot(connection, entry, contradiction.checkpoint.version)
    pieces = at.file_columns(FileAt._fields)
    files = (FileAt(*row[: len(FileAt._fields)]) for piece in pieces for row in piece)
    yield from contradiction_warnings(log, contradiction, files)
