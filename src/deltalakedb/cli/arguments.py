"""The command line as it was typed: what has to be known of it even where click can't parse it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

DATABASE_VARIABLE = "DELTALAKEDB_DATABASE_URL"
READ_VARIABLE = "DELTALAKEDB_READ_URL"
CONFIG_VARIABLE = "DELTALAKEDB_CONFIG"
WEBHOOK_VARIABLE = "DELTALAKEDB_WEBHOOK"
TOKEN_VARIABLE = "DELTALAKEDB_TOKEN"
LOG_FORMAT_VARIABLE = "DELTALAKEDB_LOG_FORMAT"

_RESUMABLE = ("import", "batch-import", "copy-catalog")


@dataclass(frozen=True, slots=True)
class Arguments:
    """The words after the program's name."""

    words: tuple[str, ...]

    @property
    def output(self) -> str:
        """The output that was asked for: `json`, else `text`."""
        return "json" if self._last("--output") == "json" else "text"

    @property
    def verbose(self) -> bool:
        """Whether details were asked for."""
        return any(word in ("--verbose", "-v") for word in self._options())

    @property
    def log_format(self) -> str:
        """The form of what goes to stderr that was asked for: `json`, else `text`."""
        given = self._last("--log-format") or os.environ.get(LOG_FORMAT_VARIABLE)
        return "json" if given == "json" else "text"

    @property
    def command(self) -> str | None:
        """The command's name."""
        return self.words[0] if self.words and not self.words[0].startswith("-") else None

    @property
    def webhook(self) -> str | None:
        """The webhook: many of them are secrets as a whole."""
        return self._last("--webhook")

    @property
    def database_urls(self) -> list[str]:
        """What was given as the URL of a database, whatever it looks like."""
        return [url for url in (self._last("--database-url"), self._last("--read-url")) if url]

    @property
    def can_resume(self) -> bool:
        """Whether the command can go on where it was interrupted."""
        return self.command in _RESUMABLE and "--dry-run" not in self._options()

    def resuming(self, scrub: Callable[[str], str] = str) -> str:
        """Returns the command line that goes on after an interrupt, fit for a shell; `scrub` takes out passwords."""
        if self.command == "copy-catalog":  # a second run goes on by itself
            return shlex.join(["deltalakedb", *map(scrub, self.words)])
        options = [word for word in self._options() if word not in ("--resume", "--replace", "--yes")]
        rest = self.words[len(self._options()) :]
        return shlex.join(["deltalakedb", *map(scrub, options), "--resume", *map(scrub, rest)])

    def storage_options(self) -> dict[str, str]:
        """Returns the storage options, as far as they have the form of one."""
        words = self._options()
        given = [two for one, two in pairwise(words) if one == "--storage-option"]
        given += [word.partition("=")[2] for word in words if word.startswith("--storage-option=")]
        return {name: value for name, _, value in (one.partition("=") for one in given)}

    def _options(self) -> tuple[str, ...]:
        return self.words[: self.words.index("--")] if "--" in self.words else self.words

    def _last(self, name: str) -> str | None:
        words = self._options()
        for place in range(len(words) - 1, -1, -1):
            if words[place].startswith(f"{name}="):
                return words[place].partition("=")[2]
            if words[place] == name:
                return words[place + 1] if place + 1 < len(words) else None
        return None
