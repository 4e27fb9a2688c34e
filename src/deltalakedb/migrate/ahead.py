"""A log read ahead, by a process of its own, while this one loads what has been read."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Self

from ..errors import DeltaLakeDBError
from ..log.reader import Log, open_log
from ..log.store import Location, is_uri, open_store
from . import processes
from .feed import Batch, Source, feed


class Ahead:
    """The process that reads one log ahead, where the log is large enough for it. A context manager: it ends with that.

    It is started before it is known what to read, since it takes a while to get ready: in that time, the importer
    connects and claims the table.
    """

    def __init__(self, location: Location | None, storage_options: Mapping[str, str] | None = None) -> None:
        """Lists a log on a disk, and guesses by its files whether there will be enough to read.

        `log` is what was listed; None without a location, and where listing costs requests, or fails: that is said when
        the table is claimed.
        """
        self.log = None if location is None or is_uri(location) else _listed(location, storage_options)
        enough = self.log is not None and processes.pays(self.log.files)
        self._ready = processes.started(__name__) if enough else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ready is not None:
            processes.end(self._ready)

    @contextmanager
    def reading(self, source: Source) -> Iterator[Iterator[Batch]]:
        """Yields what `feed` does, from a process of its own where that is faster.

        Raises:
            As `feed`, when a batch is asked for.
        """
        if not processes.pays(source.segment.files):
            yield feed(source)
            return
        process, self._ready = self._ready or processes.started(__name__), None
        try:
            with closing(_batches(process, source)) as batches:
                yield batches
        finally:
            processes.end(process)


def _listed(location: Location, storage_options: Mapping[str, str] | None) -> Log | None:
    try:
        return open_log(open_store(location, storage_options))
    except DeltaLakeDBError:
        return None


def _batches(process: subprocess.Popen[bytes], source: Source) -> Generator[Batch, None, None]:
    try:
        yield from processes.early(processes.answers(process, source))
    except processes.SilentEnd as error:
        raise DeltaLakeDBError(
            f"The process that reads the log of {source.table_id!r} ended without a word ({error})",
            "Was it killed, or short of memory? Go on with --resume.",
        ) from error


def main() -> None:
    """What the process does."""
    processes.answer(_send_batches)


def _send_batches(source: Source, send: processes.Send) -> None:
    for batch in feed(source):
        send(batch)
