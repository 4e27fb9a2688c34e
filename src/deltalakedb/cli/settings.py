"""What holds for a command: the command line, else the environment, else a file, else what we think best."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..catalog.options import POOL_SIZE, DatabaseOptions
from ..catalog.secrets import Secrets
from ..errors import ArgumentError
from ..home import home_expanded
from ..log.remote.options import secret_values
from . import config
from .config import STORAGE

DEFAULT = "default"
STORAGE_GIVEN = "deltalakedb.storage_options"
"""Where a context keeps the storage options of its command line."""

_SOURCE = click.core.ParameterSource
_URL, _URL_FILE, _READ_URL = "database_url", "database_url_file", "read_url"
_RANKS = {_SOURCE.COMMANDLINE: 3, _SOURCE.ENVIRONMENT: 2}
_IN_FILE, _NOWHERE = 1, 0


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name, its value (None where nobody set it), and where that comes from."""

    name: str
    value: Any
    source: str


class Settings:
    """The settings of one command line.

    Args:
        context: the command's, with its parameters parsed.
        secrets: learn what they hold of passwords.

    Raises:
        ArgumentError: the configuration, or the file with the URL, can't be read or understood.
    """

    def __init__(self, context: click.Context, secrets: Secrets) -> None:
        self._context = context
        self._config = config.load(context.params.get("config"))
        self._secrets = secrets
        urls = (str(self._config.settings.get(name, "")) for name in ("database-url", "read-url"))
        secrets.learn(keys=secret_values(self._config.settings.get(STORAGE, {})), urls=filter(None, urls))

    @property
    def path(self) -> Path | None:
        """The file that was found."""
        return self._config.path

    def of(self, parameter: str) -> Setting:
        """Returns a setting by the name of its parameter."""
        name, rank = parameter.replace("_", "-"), self._rank(parameter)
        if rank == _IN_FILE:
            return Setting(name, self._config.settings[name], str(self._config.path))
        value = self._context.params.get(parameter)
        return Setting(name, value, DEFAULT if rank == _NOWHERE else self._source(parameter))

    def database_url(self) -> Setting:
        """Returns the database's URL, from whatever names it; None where nothing does.

        Raises:
            ArgumentError: the URL and a file with it are given in the same place, one of them is empty, or the file
                can't be read.
        """
        ranks = self._rank(_URL), self._rank(_URL_FILE)
        for parameter, rank in zip((_URL, _URL_FILE), ranks, strict=True):
            if rank == max(ranks):
                self._check_filled(parameter, rank)
        if ranks[0] == ranks[1] != _NOWHERE:
            names = f"{self._source(_URL)} and {self._source(_URL_FILE)}"
            raise ArgumentError(f"{names} can't both hold.", "Leave one of them out.")
        if ranks[0] >= ranks[1]:
            return self.of(_URL)
        file = self.of(_URL_FILE)
        url = _first_line(Path(home_expanded(file.value)))
        self._secrets.learn(urls=[url])
        return Setting("database-url", url, f"{file.value} ({file.source})")

    def read_url(self) -> Setting:
        """Returns the URL of a read replica; None where nothing names one.

        Raises:
            ArgumentError: it is empty.
        """
        self._check_filled(_READ_URL, self._rank(_READ_URL))
        return self.of(_READ_URL)

    def _check_filled(self, parameter: str, rank: int) -> None:
        """Refuses a variable that is not set: it must not lead to a database of its own."""
        if rank > _IN_FILE and not str(self._context.params.get(parameter) or "").strip():
            raise ArgumentError(f"{self._source(parameter)} is empty.", "Is it a variable that is not set?")

    def storage_options(self) -> dict[str, Setting]:
        """Returns the storage options by name: those of the command line on top of those of the file."""
        found = {name: Setting(name, value, str(self.path)) for name, value in self._in_file(STORAGE, {}).items()}
        given: dict[str, str] = self._context.meta.get(STORAGE_GIVEN, {})
        return found | {name: Setting(name, value, "--storage-option") for name, value in given.items()}

    def database_options(self) -> DatabaseOptions:
        """Returns how the database is used."""
        pool, schema = self.of("pool_size").value, self.of("schema").value
        timeouts = self.of("connect_timeout").value, self.of("statement_timeout").value
        return DatabaseOptions(schema, POOL_SIZE if pool is None else pool, *timeouts)

    def _in_file(self, name: str, default: Any) -> Any:
        return self._config.settings.get(name, default)

    def _rank(self, parameter: str) -> int:
        in_file = _IN_FILE if parameter.replace("_", "-") in self._config.settings else _NOWHERE
        source = self._context.get_parameter_source(parameter)
        if source is not _SOURCE.COMMANDLINE and self._is_empty_variable(parameter):
            source = _SOURCE.ENVIRONMENT
        return in_file if source is None else _RANKS.get(source, in_file)

    def _source(self, parameter: str) -> str:
        """Where a value was set, other than in the file."""
        if self._context.get_parameter_source(parameter) is _SOURCE.COMMANDLINE:
            return f"--{parameter.replace('_', '-')}"
        return f"${self._variable(parameter)}"

    def _variable(self, parameter: str) -> str | None:
        found = next(one for one in self._context.command.params if one.name == parameter)
        return found.envvar if isinstance(found.envvar, str) else None

    def _is_empty_variable(self, parameter: str) -> bool:
        """Whether the environment has a URL that is empty, which click takes for none at all."""
        return parameter in (_URL, _URL_FILE, _READ_URL) and os.environ.get(self._variable(parameter) or "") == ""


def _first_line(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ArgumentError(
            f"The file with the database URL can't be read: {path} ({reason})", "Check its path and who may read it."
        ) from error
    if not text or "\n" in text:
        raise ArgumentError(f"{path} must hold the database URL on one line, and nothing else.")
    return text
