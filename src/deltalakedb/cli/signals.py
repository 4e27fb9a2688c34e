"""SIGTERM ends a command as Ctrl-C does: with its state recorded."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM has arrived. Whoever records that it was interrupted need not know the difference."""


@contextmanager
def terminable() -> Iterator[None]:
    """Raises Terminated where SIGTERM arrives."""
    with _handling({signal.SIGTERM: _terminate}):
        yield


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """Yields an event that SIGTERM and Ctrl-C set; the second signal raises, as if nobody had waited."""
    asked = threading.Event()

    def ask(number: int, _frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        asked.set()

    with _handling({signal.SIGTERM: ask, signal.SIGINT: ask}):
        yield asked


@contextmanager
def _handling(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hands signals to the main thread alone
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(_number: int, _frame: Any) -> NoReturn:
    raise Terminated
