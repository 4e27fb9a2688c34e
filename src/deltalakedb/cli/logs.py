"""What the library logs, on stderr: warnings always, everything with --verbose, passwords never."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def logging_to_stderr(*, verbose: bool, scrub: Callable[[str], str]) -> Iterator[None]:
    """Shows log records until the end; `scrub` takes the passwords out of them."""
    handler = _Stderr(scrub, verbose=verbose)
    root, ours = logging.getLogger(), logging.getLogger("deltalakedb")
    before = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.DEBUG if verbose else logging.WARNING)
    try:
        with warnings.catch_warnings():
            if not verbose and not sys.warnoptions:
                warnings.simplefilter("ignore")  # for programmers, not for users
            yield
    finally:
        ours.setLevel(before)
        root.removeHandler(handler)


class _Stderr(logging.Handler):
    """Writes to whatever stderr is at that moment: a progress bar takes its place while it is shown."""

    def __init__(self, scrub: Callable[[str], str], *, verbose: bool) -> None:
        super().__init__(logging.NOTSET if verbose else logging.WARNING)
        self._scrub = scrub
        self._verbose = verbose
        self._begun = time.time()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self._scrub(self.format(record)) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)

    def format(self, record: logging.LogRecord) -> str:
        if not self._verbose:
            return f"{record.levelname.capitalize()}: {record.getMessage()}"
        text = f"{record.created - self._begun:9.3f} s  {record.levelname.lower():7}  {record.name}: "
        text += record.getMessage()
        return f"{text}\n{logging.Formatter().formatException(record.exc_info)}" if record.exc_info else text
