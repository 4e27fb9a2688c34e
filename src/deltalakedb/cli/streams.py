"""stdin, stdout and stderr as whoever started the process left them: closed, or in another encoding than UTF-8."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def make_usable() -> None:
    """Sees to it that all three are there, and that whatever is said can be written."""
    _open_closed()
    _let_any_name_pass()


def close_stdout() -> None:
    """Leaves nothing for the interpreter to flush at its end: it would complain once more."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed() -> None:
    """What is said to a closed stream goes nowhere; else the next file that is opened, the database, would get it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # the lowest that is free is the one that is opened
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (until the process ends)


def _let_any_name_pass() -> None:
    """File names are bytes: those that are no text leave as they came, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            is_utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")
