"""How far an import has come, for whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..log.segment import LogSegment
from .feed import Read


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has come: `version` is the one being read, newest first."""

    table_id: str
    version: int
    commits: int
    commits_total: int
    files: int
    bytes: int
    bytes_total: int


Listener = Callable[[Progress], None]


class Told:
    """Counts what has been loaded, and tells the listener."""

    def __init__(self, table_id: str, segment: LogSegment, listener: Listener | None) -> None:
        self._table_id = table_id
        self._segment = segment
        self._listener = listener
        self._files = 0

    def loaded(self, files: int, read: Read) -> None:
        self._files += files
        if self._listener is not None:
            segment = self._segment
            self._listener(
                Progress(
                    table_id=self._table_id,
                    version=read.version,
                    commits=read.commits,
                    commits_total=len(segment.commits),
                    files=self._files,
                    bytes=read.bytes,
                    bytes_total=segment.size,
                )
            )
