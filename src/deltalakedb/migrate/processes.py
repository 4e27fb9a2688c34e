"""Work that a process of its own does, while this one goes on.

A process and not a thread: decoding holds the interpreter's lock nearly all the time, and so would hold up the rest.
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
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import IO, Any

from ..errors import DeltaLakeDBError
from ..log.path import LogFile, LogFileKind

LARGE_FROM_BYTES = 64 << 20
"""Logs from this size on are worth a process: below, one takes longer to start than it saves."""

_PACKED_TIMES = 8
"""A checkpoint's bytes stand for about so many times as many of JSON."""

_PIPE_BYTES = 1 << 20

_ANSWERS_KEPT = 16
"""Answers that wait for who takes them, at most: about 6 MB of an import's."""

FETCHER = "deltalakedb-fetcher"
"""The name of a thread that fetches answers."""

PATIENCE_SECONDS = 0.5
"""How long a wait may be. A signal that comes just before one does not end it."""

Send = Callable[[Any], None]


class SilentEnd(Exception):
    """A process that ended before its last answer; the text tells its exit code."""


def is_large(files: Iterable[LogFile]) -> bool:
    """Tells whether a log's files are so large, as if all were JSON, that reading them is worth some preparation."""
    times = {LogFileKind.COMMIT: 1, LogFileKind.CHECKPOINT: _PACKED_TIMES}
    return sum(times.get(file.kind, 0) * file.size for file in files) >= LARGE_FROM_BYTES


def pays(files: Iterable[LogFile]) -> bool:
    """Tells whether a process of its own reads a log's files faster: there is enough to read, and a processor."""
    return _processors() > 1 and is_large(files)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def started(module: str) -> subprocess.Popen[bytes]:
    """Starts a process that runs a module's `main`, which calls `answer`; whoever starts it has to `end` it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        # -P: what lies in the working folder is somebody's data, however its files are called.
        [sys.executable, "-P", "-c", f"from {module} import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        process_group=0,  # Ctrl-C is for us alone; we end it
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process, whatever it does."""
    process.kill()
    process.communicate()


def answers(process: subprocess.Popen[bytes], question: Any) -> Iterator[Any]:
    """Yields what a process answers; like the question, the answers are pickled.

    Raises:
        DeltaLakeDBError: what the process raised.
        SilentEnd: the process was killed, or died otherwise.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    _enlarge(process.stdout)
    try:
        pickle.dump(question, process.stdin)
        process.stdin.flush()
        while (answer := pickle.load(process.stdout)) is not None:
            if isinstance(answer, BaseException):
                raise answer
            yield answer
    except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
        raise SilentEnd(f"exit code {process.wait()}") from error


def early(answers: Iterable[Any]) -> Generator[Any, None, None]:
    """Yields what a process answers, some of it fetched before it is asked for.

    The process goes on while who takes the answers waits for something else, as a database does for its disk. With what
    a pipe holds, 10 ms of work, an import took a tenth longer. Has to be closed where it is not needed whole.
    """
    fetched: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    room, closed = threading.Semaphore(_ANSWERS_KEPT), threading.Event()

    def fetch() -> None:
        try:
            for each in answers:
                fetched.put((each, None))
                room.acquire()
                if closed.is_set():
                    return
            fetched.put((None, None))
        except BaseException as error:  # for who asks for the next one
            fetched.put((None, error))

    threading.Thread(target=fetch, name=FETCHER, daemon=True).start()
    try:
        while True:
            try:
                answer, error = fetched.get(timeout=PATIENCE_SECONDS)
            except Empty:
                continue
            if error is not None:
                raise error
            if answer is None:
                return
            yield answer
            room.release()
    finally:
        closed.set()
        room.release()


def _enlarge(pipe: IO[bytes]) -> None:
    """Lets the process run ahead of who listens, where the system can."""
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        try:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            return  # more than the system allows: then as it was


def answer(work: Callable[[Any, Send], None]) -> None:
    """What the process does: reads a question from its input, and writes the answers to its output.

    An error of ours is an answer, too; None comes after the last one.

    Args:
        work: gets the question, and what sends an answer.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # rows by the million and no cycles among them: collecting took a tenth of the time
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # should anybody print
    try:
        question = pickle.load(sys.stdin.buffer)
    except EOFError:
        os._exit(1)  # who would have said what to do is gone
    threading.Thread(target=_end_with_the_listener, daemon=True).start()

    def send(each: Any) -> None:
        try:
            pickle.dump(each, out, protocol=5)
            out.flush()
        except BrokenPipeError:
            os._exit(1)  # nobody listens any more

    try:
        work(question, send)
    except DeltaLakeDBError as error:
        send(error)
    send(None)
    os._exit(0)  # an orderly end would stumble over the thread that reads


def _end_with_the_listener() -> None:
    """Waits for the end of our input, which the listener never closes: also while the store keeps us waiting."""
    sys.stdin.buffer.read()
    os._exit(1)
