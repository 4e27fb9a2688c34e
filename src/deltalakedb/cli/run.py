"""What every command starts from: its database, its output, its words to whoever watches."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from ..catalog.secrets import Secrets
from .output import Output

if TYPE_CHECKING:
    from ..catalog.database import Database

logger = logging.getLogger(__name__)

_NOTES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Run:
    """One command at work.

    Attributes:
        given_url: the database as it was given, None where it was not.
        output: what prints results.
        secrets: what may not be printed.
        storage_options: for the object store of the tables.
    """

    given_url: str | None
    output: Output
    secrets: Secrets
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def database_url(self) -> str:
        """Returns the database's URL, and says so where nobody named it."""
        if self.given_url is not None:
            return self.given_url
        from ..catalog.database import DEFAULT_URL

        self.note(f"Database: {DEFAULT_URL} (no --database-url given)")
        return DEFAULT_URL

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Yields the database, and closes it."""
        from ..catalog.database import Database

        database = Database(self.database_url())
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
        click.secho(text, dim=True, err=True)

    def notes(self, kind: str, texts: Sequence[str]) -> None:
        """Says what the user should know about a result that stands all the same; `kind` is Warning or Note."""
        for text in texts[:_NOTES_SHOWN]:
            self.note(f"{kind}: {text}")
        if len(texts) > _NOTES_SHOWN:
            self.note(f"… and {len(texts) - _NOTES_SHOWN:,} more")
