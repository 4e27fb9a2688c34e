"""What a sync did, table by table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ..migrate.importer import ImportReport


@dataclass(frozen=True, slots=True)
class SyncedTable:
    """A table that is at its log's newest version now, and the version at which it was before."""

    report: ImportReport
    from_version: int

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to take in."""
        return self.report.version == self.from_version


@dataclass(frozen=True, slots=True)
class UnsyncedTable:
    """A table that could not be brought there; it stays readable at `from_version`.

    That is None where it can't be read at all: it is not in the catalog, or its import has not completed.
    """

    table_id: str
    location: str | None
    from_version: int | None
    error: str
    hint: str | None = None
    is_idle: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class SyncReport:
    """All tables of one round."""

    tables: tuple[SyncedTable | UnsyncedTable, ...]

    @property
    def news(self) -> SyncReport:
        """The tables that took something in, or failed."""
        return SyncReport(tuple(table for table in self.tables if not table.is_idle))

    @property
    def failed(self) -> int:
        """How many tables could not be synced."""
        return sum(isinstance(table, UnsyncedTable) for table in self.tables)

    @property
    def hints(self) -> list[str]:
        """What to do about those that could not, each hint once."""
        hints = (table.hint for table in self.tables if isinstance(table, UnsyncedTable))
        return list(dict.fromkeys(hint for hint in hints if hint is not None))

    @property
    def completed(self) -> int:
        """How many tables were synced."""
        return len(self.tables) - self.failed
