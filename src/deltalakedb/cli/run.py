"""What every command starts from: its database, its output, its words to whoever watches."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..catalog.options import DatabaseOptions
from ..catalog.secrets import Secrets
from .logs import say
from .output import Output
from .settings import Settings

if TYPE_CHECKING:
    from ..catalog.database import Database

logger = logging.getLogger(__name__)

_NOTES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Run:
    """One command at work.

    Attributes:
        output: what prints results.
        secrets: what may not be printed.
        settings: what the command line, the environment and a file say.
    """

    output: Output
    secrets: Secrets
    settings: Settings = field(repr=False)

    def database_url(self) -> str:
        """Returns the database's URL, and says so where nobody named it."""
        given: str | None = self.settings.database_url().value
        if given is not None:
            return given
        from ..catalog.database import DEFAULT_URL

        self.note(f"Database: {DEFAULT_URL} (no --database-url given)")
        return DEFAULT_URL

    def database_options(self) -> DatabaseOptions:
        """Returns how the database is used."""
        return self.settings.database_options()

    @property
    def storage_options(self) -> dict[str, str]:
        """What opens the object store of the tables."""
        return {name: setting.value for name, setting in self.settings.storage_options().items()}

    @contextmanager
    def database(self, *, to_read: bool = False) -> Iterator[Database]:
        """Yields the database, and closes it; `to_read` means that a read replica does as well."""
        from ..catalog.database import Database

        replica = self.settings.read_url().value if to_read else None
        database = Database(self.database_url() if replica is None else replica, self.database_options())
        logger.debug("database: %s", self.where(database))
        try:
            yield database
        finally:
            database.close()

    def where(self, database: Database) -> str:
        """Returns the database's URL for people, without a password in any place."""
        return self.secrets.scrub(database.where)

    def note(self, text: str) -> None:
        """Says something to whoever watches; never on stdout."""
        say(text, dim=True)

    def warn(self, text: str | None) -> None:
        """Warns of something about a result that stands all the same; None is nothing."""
        self.notes("Warning", () if text is None else (text,))

    def notes(self, kind: str, texts: Sequence[str]) -> None:
        """Says what the user should know about a result that stands all the same; `kind` is Warning or Note."""
        for text in texts[:_NOTES_SHOWN]:
            say(f"{kind}: {text}", dim=True, level=logging.WARNING if kind == "Warning" else logging.INFO)
        if len(texts) > _NOTES_SHOWN:
            self.note(f"… and {len(texts) - _NOTES_SHOWN:,} more")
