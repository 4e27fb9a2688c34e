"""A log read ahead, by a process of its own, while this one loads what has been read.

A process and not a thread: decoding holds the interpreter's lock nearly all the time, and so would hold up the loading.
Not `multiprocessing` either, which would run the main module of whoever uses this library a second time.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Any, Self

from ..errors import DeltaLakeDBError
from ..log.path import LogFile, LogFileKind
from ..log.segment import LogSegment
from .feed import Batch, Source, feed

LARGE_FROM_BYTES = 64 << 20
"""Logs from this size on are read ahead: below, a process takes longer to start than it saves."""

_PACKED_TIMES = 8
"""A checkpoint's bytes stand for about so many times as many of JSON."""

_PIPE_BYTES = 1 << 20
_RUN = "from deltalakedb.migrate.ahead import main; main()"


class Ahead:
    """The process that reads one log ahead, where the log is large enough for it. A context manager: it ends with that.

    It is started before it is known what to read, since it takes a third of a second to get ready: in that time, the
    importer claims the table.
    """

    def __init__(self, files: Iterable[LogFile]) -> None:
        """`files` are what lies in the log, by which a guess is made whether there will be enough to read."""
        self._ready = _started() if _size(files) >= LARGE_FROM_BYTES and _processors() > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ready is not None:
            _end(self._ready)

    @contextmanager
    def reading(self, source: Source) -> Iterator[Iterator[Batch]]:
        """Yields what `feed` does, from a process of its own where that is faster.

        Raises:
            As `feed`, when a batch is asked for.
        """
        if not is_large(source.segment) or _processors() == 1:
            yield feed(source)
            return
        process, self._ready = self._ready or _started(), None
        try:
            yield _received(process, source)
        finally:
            _end(process)


def is_large(segment: LogSegment) -> bool:
    """Tells whether a log is so large that its import is worth some preparation."""
    checkpoint = segment.checkpoint.files if segment.checkpoint is not None else ()
    return _size((*segment.commits, *checkpoint)) >= LARGE_FROM_BYTES


def _size(files: Iterable[LogFile]) -> int:
    """Returns the bytes of commits and checkpoints, as if all were JSON."""
    times = {LogFileKind.COMMIT: 1, LogFileKind.CHECKPOINT: _PACKED_TIMES}
    return sum(times.get(file.kind, 0) * file.size for file in files)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _started() -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-c", _RUN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        process_group=0,  # Ctrl-C is for us alone; we end it
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def _received(process: subprocess.Popen[bytes], source: Source) -> Iterator[Batch]:
    assert process.stdin is not None
    assert process.stdout is not None
    _enlarge(process.stdout)
    try:
        pickle.dump(source, process.stdin)
        process.stdin.flush()
        while True:
            batch = pickle.load(process.stdout)
            if isinstance(batch, BaseException):
                raise batch
            yield batch
            if batch.ending is not None:
                return
    except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
        code = process.wait()
        raise DeltaLakeDBError(
            f"The process that reads the log of {source.table_id!r} ended without a word (exit code {code})",
            "Was it killed, or short of memory? Go on with --resume.",
        ) from error


def _enlarge(pipe: IO[bytes]) -> None:
    """Lets the reader run ahead while a transaction is committed, where the system can."""
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        try:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            return  # more than the system allows: then as it was


def main() -> None:
    """What the process does: reads a source from its input, and writes the batches to its output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # rows by the million and no cycles among them: collecting took a tenth of the time
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # should anybody print
    try:
        source = pickle.load(sys.stdin.buffer)
    except EOFError:
        os._exit(1)  # who would have said what to read is gone
    threading.Thread(target=_end_with_the_importer, daemon=True).start()
    try:
        for batch in _answers(source):
            pickle.dump(batch, out, protocol=5)
            out.flush()
    except BrokenPipeError:
        os._exit(1)  # nobody listens any more


def _end_with_the_importer() -> None:
    """Waits for the end of our input, which the importer never closes: also while the store keeps us waiting."""
    sys.stdin.buffer.read()
    os._exit(1)


def _answers(source: Source) -> Iterator[Any]:
    try:
        yield from feed(source)
    except DeltaLakeDBError as error:
        yield error
