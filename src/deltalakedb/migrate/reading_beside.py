"""The second reading of a log in a process of its own, while this one reads the rows of its table."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from ..errors import DeltaLakeDBError
from ..log.reader import Log
from . import processes
from .second_files import Each
from .second_reading import Reading, Scope, read

_PAUSE_SECONDS = 0.1
"""How often the process tells what it has read."""

_NICENESS = 5
"""Two readers wait for each other in the process that asks, delta-rs and the one of the rows: this one lets them go."""


class Question(NamedTuple):
    """What to read, as `second_reading.read` takes it."""

    log: Log
    scope: Scope
    totals_at: Collection[int]


@contextmanager
def second_reading(
    log: Log, scope: Scope, *, totals_at: Collection[int] = (), each: Each | None = None
) -> Iterator[Here | Beside]:
    """Yields a reading that goes on until its result is asked for, beside this process where that is faster."""
    question = Question(log, scope, totals_at)
    if not processes.pays(scope.segment.files):
        yield Here(question, each)
        return
    process = processes.started(__name__)
    try:
        yield Beside(question, each, processes.answers(process, question))
    finally:
        processes.end(process)


@dataclass(frozen=True, slots=True)
class Here:
    """A reading that is done when it is asked for."""

    question: Question
    each: Each | None

    goes_on = False

    def look(self) -> None:
        """Does nothing: there is nothing new."""

    def result(self) -> Reading:
        """Reads; raises as `second_reading.read`."""
        log, scope, totals_at = self.question
        return read(log, scope, totals_at=totals_at, each=self.each)


class Beside:
    """A reading by another process, which goes on whatever this one does."""

    goes_on = True

    def __init__(self, question: Question, each: Each | None, answers: Iterator[Any]) -> None:
        self._log = question.log
        self._each = each or (lambda: None)
        self._heard: SimpleQueue[int | Reading | BaseException] = SimpleQueue()
        self._reading: Reading | None = None
        Thread(target=self._listen, args=(answers,), daemon=True).start()

    def look(self) -> None:
        """Passes on what has been read meanwhile; raises as `result`, should something be wrong."""
        while True:
            try:
                self._take(self._heard.get_nowait())
            except Empty:
                return

    def result(self) -> Reading:
        """Waits for the reading.

        Raises:
            As `second_reading.read`.
            DeltaLakeDBError: the process was killed, or died otherwise.
        """
        while self._reading is None:
            with suppress(Empty):
                self._take(self._heard.get(timeout=processes.PATIENCE_SECONDS))
        return self._reading

    def _take(self, heard: int | Reading | BaseException) -> None:
        if isinstance(heard, int):
            for _ in range(heard):
                self._each()
        elif isinstance(heard, Reading):
            self._reading = heard
        elif isinstance(heard, processes.SilentEnd):
            raise DeltaLakeDBError(
                f"The process that reads the log at {self._log.location} ended without a word ({heard})",
                "Was it killed, or short of memory? Nothing was changed: validate again.",
            ) from heard
        else:
            raise heard

    def _listen(self, answers: Iterator[Any]) -> None:
        try:
            for answer in answers:
                self._heard.put(answer)
        except BaseException as error:  # for who asks for the result
            self._heard.put(error)


def main() -> None:
    """What the process does."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    processes.answer(_send_reading)


def _send_reading(question: Question, send: processes.Send) -> None:
    read_since, told = 0, time.monotonic()

    def count() -> None:
        nonlocal read_since, told
        read_since += 1
        if time.monotonic() - told >= _PAUSE_SECONDS:
            send(read_since)
            read_since, told = 0, time.monotonic()

    log, scope, totals_at = question
    reading = read(log, scope, totals_at=totals_at, each=count)
    send(read_since)
    send(reading)
