"""What the library logs, on stderr: warnings always, everything with --verbose, passwords never.

With --log-format json each line is an event, and nothing else is on stderr: what people are told comes as events, too.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from ..catalog.secrets import Secrets
from ..steps import step

logger = logging.getLogger(__name__)

_LIBRARY = "deltalakedb"


@contextmanager
def logging_to_stderr(
    *, verbose: bool, secrets: Secrets, for_machines: bool = False, command: str | None = None
) -> Iterator[None]:
    """Shows log records until the end, without the secrets.

    Args:
        verbose: whether all is shown.
        secrets: what may not be shown.
        for_machines: whether each line is an event in JSON.
        command: the command that runs, for events.
    """
    handler = _Events(secrets, command) if for_machines else _Stderr(secrets, verbose=verbose)
    root, ours = logging.getLogger(), logging.getLogger(_LIBRARY)
    before = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.DEBUG if verbose else logging.INFO if for_machines else logging.WARNING)
    logging.captureWarnings(for_machines)
    try:
        with warnings.catch_warnings():
            if not verbose and not sys.warnoptions:
                warnings.simplefilter("ignore")  # for programmers, not for users
            yield
    finally:
        logging.captureWarnings(False)
        ours.setLevel(before)
        root.removeHandler(handler)


def are_for_machines() -> bool:
    """Tells whether stderr is for machines: then people's words may only come as events."""
    return any(isinstance(handler, _Events) for handler in logging.getLogger().handlers)


def say(text: str, *, dim: bool = False, level: int = logging.INFO, **fields: Any) -> None:
    """Says something to whoever watches stderr, people or machines; `fields` are for machines."""
    if are_for_machines():
        logger.log(level, "%s", text, extra=step(fields.pop("step", "note"), **fields))
    else:
        click.secho(text, dim=dim or None, err=True)


class _Lines(logging.Handler):
    """Writes to whatever stderr is at that moment: a progress bar takes its place while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


class _Stderr(_Lines):
    """Lines for people."""

    def __init__(self, secrets: Secrets, *, verbose: bool) -> None:
        super().__init__(logging.NOTSET if verbose else logging.WARNING)
        self._scrub = secrets.scrub
        self._verbose = verbose
        self._begun = time.time()

    def format(self, record: logging.LogRecord) -> str:
        if not self._verbose:
            return self._scrub(f"{record.levelname.capitalize()}: {record.getMessage()}")
        text = f"{record.created - self._begun:9.3f} s  {record.levelname.lower():7}  {record.name}: "
        text += record.getMessage()
        return self._scrub(f"{text}\n{_traceback(record)}" if record.exc_info or record.exc_text else text)


class _Events(_Lines):
    """An object a line: time, level, command, step, table id, version, seconds as far as they apply, and a message."""

    def __init__(self, secrets: Secrets, command: str | None) -> None:
        super().__init__()
        self._secrets = secrets
        self._command = command

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "command": self._command,
            "step": "log",
            **getattr(record, "fields", {}),
            "message": record.getMessage(),
            "logger": record.name,
            "process": record.process,
        }
        if record.exc_info or record.exc_text:
            event["traceback"] = _traceback(record)
        plain = (
            (name, _plain(value, self._secrets.scrub_name if name in _NAMES else self._secrets.scrub))
            for name, value in event.items()
            if value is not None
        )
        return json.dumps(dict(plain))


_NAMES = ("table_id", "location")


def _plain(value: Any, scrub: Callable[[str], str]) -> Any:
    """Returns what JSON can hold, without passwords: they are looked for before JSON may write them otherwise."""
    match value:
        case bool() | int() | None:
            return value
        case float():
            return round(value, 6)
        case dict():
            return {scrub(str(name)): _plain(item, scrub) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item, scrub) for item in value]
        case _:
            return scrub(str(value))


def _traceback(record: logging.LogRecord) -> str | None:
    return record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info else None)
