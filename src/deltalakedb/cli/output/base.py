"""The interface of the two outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from ...catalog.copying.copy import CopyReport
    from ...catalog.events import Event
    from ...catalog.grants import Grants
    from ...catalog.registry import TableStatus
    from ...catalog.snapshot import Snapshot
    from ...migrate.assess import Assessment
    from ...migrate.batch import BatchReport
    from ...migrate.discover import FoundTable
    from ...migrate.export import ExportReport
    from ...migrate.importer import ImportReport
    from ...migrate.rollback import RollbackCheck, RollbackReport
    from ...migrate.validate import ValidationReport
    from ...table.compare import PerformanceReport
    from ...table.opened import Opened
    from ..checked import CheckReport
    from ..failures import Failure
    from ..settings import Setting
    from ..synced import SyncReport


class Output(ABC):
    """Prints the result of each command; `where` is the database's URL without its password."""

    @abstractmethod
    def failed(self, failure: Failure) -> None:
        """Prints why a command failed."""

    @abstractmethod
    def discovered(self, tables: Iterable[FoundTable]) -> int:
        """Prints tables as they are found, and returns how many."""

    @abstractmethod
    def imported(self, report: ImportReport | Assessment, where: str) -> None:
        """Prints what an import did, or would do."""

    @abstractmethod
    def batch_imported(self, report: BatchReport) -> None:
        """Prints what became of many tables."""

    @abstractmethod
    def validated(self, report: ValidationReport) -> None:
        """Prints the verdict, and what differs."""

    @abstractmethod
    def compared(self, report: PerformanceReport) -> None:
        """Prints times from the log and from SQL."""

    @abstractmethod
    def statuses(self, statuses: Sequence[TableStatus], *, detailed: bool) -> None:
        """Prints the state of tables; `detailed` where one was asked for."""

    @abstractmethod
    def rollback_checked(self, check: RollbackCheck) -> None:
        """Prints whether a table can be rolled back."""

    @abstractmethod
    def rolled_back(self, report: RollbackReport) -> None:
        """Prints what a rollback deleted, or would delete."""

    @abstractmethod
    def exported(self, report: ExportReport) -> None:
        """Prints what an export wrote."""

    @abstractmethod
    def synced(self, report: SyncReport) -> None:
        """Prints what a round of syncs took in."""

    @abstractmethod
    def checked(self, report: CheckReport) -> None:
        """Prints what is wrong; nothing where nothing is."""

    @abstractmethod
    def files(self, opened: Opened, snapshot: Snapshot, where: ColumnElement[bool] | None = None) -> None:
        """Prints the active files of a version, those that a condition on `delta_files` lets pass."""

    @abstractmethod
    def indexed(self, table_id: str, columns: Sequence[str]) -> None:
        """Prints which columns of a table have an index now."""

    @abstractmethod
    def granted(self, found: Grants) -> None:
        """Prints the statements that make a role."""

    @abstractmethod
    def upgraded(self, where: str, schema_version: int) -> None:
        """Prints that the tables are those of this release."""

    @abstractmethod
    def copied(self, report: CopyReport) -> None:
        """Prints what became of a copy of the catalog."""

    @abstractmethod
    def configured(self, path: Path | None, settings: Sequence[Setting]) -> None:
        """Prints what holds, and where each of it comes from; without secrets."""

    @abstractmethod
    def history(self, snapshot: Snapshot, limit: int | None) -> None:
        """Prints the commits up to a version, the newest first, at most `limit`."""

    @abstractmethod
    def events(self, events: Sequence[Event]) -> None:
        """Prints what was done in the catalog, the latest first."""
