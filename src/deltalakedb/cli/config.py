"""What a file says where the command line and the environment say nothing.

The file is `deltalakedb.toml`, or a `pyproject.toml` with `[tool.deltalakedb]`: the first of them that is in the
working folder or in one above it. Paths in it start from its own folder.
"""

from __future__ import annotations

import logging
import os
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArgumentError
from ..home import home_expanded

logger = logging.getLogger(__name__)

FILE = "deltalakedb.toml"
_PROJECT = "pyproject.toml"
_RELATIVE = "sqlite:///"

STORAGE = "storage-options"

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class _Kind(NamedTuple):
    """What a value must be, and how to say that."""

    accepts: Callable[[Any], bool]
    name: str


_TEXT = _Kind(lambda value: isinstance(value, str) and value != "", "a text")
_COUNT = _Kind(lambda value: type(value) is int and value >= 1, "a whole number from 1 on")
_SECONDS = _Kind(lambda value: type(value) in (int, float) and value > 0, "a number of seconds")
_TEXTS = _Kind(
    lambda value: isinstance(value, dict) and all(isinstance(one, str) for one in value.values()), "a table of texts"
)

SETTINGS = {
    "database-url": _TEXT,
    "database-url-file": _TEXT,
    "read-url": _TEXT,
    "schema": _TEXT,
    "pool-size": _COUNT,
    "connect-timeout": _COUNT,
    "statement-timeout": _SECONDS,
    "batch-size": _COUNT,
    "parallel": _COUNT,
    STORAGE: _TEXTS,
}
"""By their names, which are those of the options."""


@dataclass(frozen=True, slots=True)
class Config:
    """What a file says: its settings by name. `path` is None where there is no file."""

    path: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)


def load(given: str | None) -> Config:
    """Returns what a file says.

    Args:
        given: the file; None to look for it.

    Raises:
        ArgumentError: it can't be read, or says something that we don't understand.
    """
    if given is None:
        try:
            here = Path.cwd()
        except OSError:  # it has been deleted; whoever names everything needs none
            return Config()
        return next(_found(here), Config())
    path = Path(home_expanded(given)).absolute()
    return Config(path, _checked(path, _section(path, _parsed(path))))


def _found(folder: Path) -> Iterator[Config]:
    for place in (folder, *folder.parents):
        path = place / FILE
        if _is_file(path) and _is_ours(path):
            yield Config(path, _checked(path, _parsed(path)))
        path = place / _PROJECT
        if _is_file(path) and (document := _concerning_us(path)) is not None and _is_ours(path):
            yield Config(path, _checked(path, _section(path, document)))


def _is_file(path: Path) -> bool:
    """Tells whether a file is there; in a folder that can't be searched, none is."""
    try:
        return path.is_file()
    except OSError:
        return False


def _is_ours(path: Path) -> bool:
    """Tells whether a file that was found is obeyed: a stranger's would lead passwords and keys to the stranger."""
    if os.name != "posix":
        return True
    found = path.stat()
    if found.st_uid in (0, os.geteuid()) and not found.st_mode & _OTHERS_WRITE:
        return True
    why = "others may write it" if found.st_mode & _OTHERS_WRITE else "it is another user's"
    logger.warning("%s is passed over: %s (--config names it all the same)", path, why)
    return False


def _concerning_us(path: Path) -> dict[str, Any] | None:
    """Returns a project's file that has settings of ours. One that is broken elsewhere is for others to find."""
    try:
        if b"deltalakedb" not in path.read_bytes():
            return None
    except OSError as error:
        logger.debug("%s can't be read: %s", path, error.strerror)
        return None
    document = _parsed(path)
    tool = document.get("tool")
    return document if isinstance(tool, dict) and "deltalakedb" in tool else None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{path} is not TOML: {error}") from error
    except OSError as error:
        raise ArgumentError(f"{path} can't be read: {error.strerror}") from error


def _section(path: Path, document: dict[str, Any]) -> Any:
    if path.name != _PROJECT:
        return document
    tool = document.get("tool")
    return tool.get("deltalakedb", {}) if isinstance(tool, dict) else {}


def _checked(path: Path, section: Any) -> dict[str, Any]:
    if not isinstance(section, dict):
        raise ArgumentError(f"{path}: tool.deltalakedb must be a table")
    for name, value in section.items():
        if name not in SETTINGS:
            close = get_close_matches(name, SETTINGS)
            known = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(SETTINGS)}."
            raise ArgumentError(f"{path}: there is no setting {name!r}", known)
        kind = SETTINGS[name]
        if not kind.accepts(value):
            raise ArgumentError(f"{path}: {name} must be {kind.name}")  # the value is not repeated: it may be a secret
    if "database-url" in section and "database-url-file" in section:
        raise ArgumentError(f"{path}: database-url and database-url-file can't both hold", "Leave one of them out.")
    return {name: _placed(path.parent, name, value) for name, value in section.items()}


def _placed(folder: Path, name: str, value: Any) -> Any:
    """Lets what is relative in a file start from the file's folder."""
    if name == "database-url-file":
        return str(folder / home_expanded(value))
    if name in ("database-url", "read-url") and value.lower().startswith(_RELATIVE):
        file = value[len(_RELATIVE) :]
        if file and not file.startswith(("/", "~", "file:", ":")):
            return f"{_RELATIVE}{folder / file}"
    return value
