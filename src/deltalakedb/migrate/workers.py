"""Jobs in processes of their own, one at a time each. Knows nothing of what a job is."""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, NoReturn, TypeVar

logger = logging.getLogger(__name__)

Job = TypeVar("Job")
Result = TypeVar("Result")

_PROCESSES = multiprocessing.get_context("spawn")  # forked ones would share the parent's threads and connections
_SECONDS_TO_END = 30
_SAFE_PATH = "PYTHONSAFEPATH"


@dataclass(frozen=True, slots=True)
class Lost:
    """A job whose process ended without a result."""

    reason: str


def run_jobs(
    jobs: Sequence[Job],
    work: Callable[[Job, Callable[[Any], None]], Result],
    *,
    parallel: int,
    on_progress: Callable[[Any], None],
    on_result: Callable[[Job, Result | Lost], None],
) -> None:
    """Runs `work(job, tell)` for every job, `parallel` at once; what is told arrives at `on_progress`.

    With one at once, or one job, everything stays in this process. A process that dies costs its job, not the others.
    When this process is interrupted, so are the others; each is given the time to say so in the catalog.
    """
    if parallel == 1 or len(jobs) <= 1:
        for job in jobs:
            on_result(job, work(job, on_progress))
        return
    pool = _Pool(jobs, work, on_progress, on_result)
    try:
        pool.run(min(parallel, len(jobs)))
    finally:
        pool.stop()


@contextmanager
def _safe_path() -> Iterator[None]:
    """Keeps the working folder off the path of processes that begin: its files are somebody's data."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


class _Pool(Generic[Job, Result]):
    def __init__(
        self,
        jobs: Sequence[Job],
        work: Callable[[Job, Callable[[Any], None]], Result],
        on_progress: Callable[[Any], None],
        on_result: Callable[[Job, Result | Lost], None],
    ) -> None:
        self._left = list(reversed(jobs))
        self._work = work
        self._on_progress = on_progress
        self._on_result = on_result
        self._busy: dict[Connection[Any, Any], tuple[Any, Job]] = {}

    def run(self, count: int) -> None:
        for _ in range(count):
            self._start()
        while self._busy:
            for ready in wait(list(self._busy)):
                assert isinstance(ready, Connection)
                self._receive(ready)

    def stop(self) -> None:
        for connection, (process, _) in self._busy.items():
            process.terminate()
            connection.close()
        for process, _ in self._busy.values():
            process.join(_SECONDS_TO_END)
            if process.is_alive():
                process.kill()
                process.join()
        self._busy.clear()

    def _start(self) -> None:
        if not self._left:
            return
        ours, theirs = _PROCESSES.Pipe()
        level = logging.getLogger("deltalakedb").getEffectiveLevel()
        process = _PROCESSES.Process(target=_serve, args=(theirs, self._work, level), daemon=True)
        with _safe_path():
            process.start()
        theirs.close()
        self._give(ours, process)

    def _give(self, connection: Connection[Any, Any], process: Any) -> None:
        job = self._left.pop()
        self._busy[connection] = (process, job)
        connection.send(job)

    def _receive(self, connection: Connection[Any, Any]) -> None:
        process, job = self._busy[connection]
        try:
            kind, value = connection.recv()
        except (EOFError, ConnectionResetError):
            self._lose(connection)
            return
        if kind == "progress":
            self._on_progress(value)
            return
        if kind == "log":
            logging.getLogger(value.name).handle(value)
            return
        del self._busy[connection]
        if self._left:
            self._give(connection, process)
        else:
            connection.close()
            process.join()
        self._on_result(job, value)

    def _lose(self, connection: Connection[Any, Any]) -> None:
        process, job = self._busy.pop(connection)
        connection.close()
        process.join()
        self._start()
        self._on_result(job, Lost(f"its process ended without a word (exit code {process.exitcode})"))


def _serve(connection: Connection[Any, Any], work: Callable[[Any, Callable[[Any], None]], Any], level: int) -> None:
    """What a worker process does: one job after another, until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; our parent tells us what to do
    signal.signal(signal.SIGTERM, _interrupt)
    lock = threading.Lock()

    def tell(kind: str, value: Any) -> None:
        with lock:  # the heart of an import logs beside it
            connection.send((kind, value))

    def told(progress: Any) -> None:
        try:
            tell("progress", progress)
        except OSError as error:
            raise KeyboardInterrupt from error  # our parent was interrupted, and its signal has not arrived yet

    logging.getLogger("deltalakedb").setLevel(level)
    logging.getLogger().addHandler(_ToParent(tell))
    try:
        while True:
            job = connection.recv()
            tell("result", work(job, told))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        pass


class _ToParent(QueueHandler):
    """Hands records to the parent process, which knows how they are shown and what must not be."""

    def __init__(self, tell: Callable[[str, Any], None]) -> None:
        super().__init__(queue.SimpleQueue())  # which stays empty
        self._tell = tell

    def enqueue(self, record: logging.LogRecord) -> None:
        self._tell("log", record)


def _interrupt(_signal: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt
