"""What went wrong, for people and for programs: one line, a hint, an exit code."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from ..errors import DeltaLakeDBError

_FAILED, _WRONG_USAGE = 1, 2
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command failed; `type` is the error's name, `message` and `hint` are one line each."""

    type: str
    message: str
    hint: str | None
    exit_code: int


def explain(error: BaseException, scrub: Callable[[str], str] = str) -> Failure:
    """Returns what to say about an error; `scrub` takes the passwords out of it."""
    found = _explain(error)
    hint = None if found.hint is None else _one_line(scrub(found.hint))
    return Failure(found.type, _one_line(scrub(found.message)), hint, found.exit_code)


def _explain(error: BaseException) -> Failure:
    name = type(error).__name__
    if isinstance(error, DeltaLakeDBError):
        return Failure(name, error.message, error.hint, error.exit_code)
    if isinstance(error, click.UsageError):
        hint = f"{error.ctx.command_path if error.ctx else 'deltalakedb'} --help"
        return Failure("UsageError", error.format_message(), hint, _WRONG_USAGE)
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return Failure(
            "ArgumentError",
            f"Not a text in the encoding of this system: {error.object!a}",
            "Set LC_ALL to a locale with UTF-8, as C.UTF-8.",
            _WRONG_USAGE,
        )
    if isinstance(error, MemoryError):
        return Failure(name, "Out of memory", "Try a smaller --batch-size.", _FAILED)
    return Failure(
        name,
        f"{name}: {error}" if str(error) else name,
        "This should not have happened. --verbose shows the traceback.",
        _FAILED,
    )


def _of_system(error: OSError) -> Failure:
    name = type(error).__name__
    where = f": {error.filename}" if error.filename else ""
    if isinstance(error, PermissionError):
        return Failure(name, f"Permission denied{where}", "Check who may read and write it.", _FAILED)
    if error.errno == errno.ENOENT and not error.filename and not _has_working_folder():
        return Failure(
            name, "The working folder has been deleted", "Go to another one, or give absolute paths.", _FAILED
        )
    if error.errno in _NO_SPACE:
        return Failure(name, f"Disk space exhausted{where}", "Free some space, then try again.", _FAILED)
    return Failure(name, f"{error.strerror or error}{where}", "--verbose shows the traceback.", _FAILED)


def _has_working_folder() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _one_line(text: str) -> str:
    """Returns a text without its line breaks; blanks within a line may be a name's."""
    return " ".join(filter(None, map(str.strip, text.splitlines())))
