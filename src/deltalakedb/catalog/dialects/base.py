"""What differs from database to database, behind one interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, insert

from ...errors import DeltaLakeDBError, DriverNotInstalledError


class Dialect(ABC):
    """One kind of database.

    Attributes:
        name: SQLAlchemy's name of it.
        extra: the extra of our package that brings its driver; None where Python does.
        bytes_per_row: what a row of `delta_files` costs beside the text in it, indexes included; for estimates.
        rows_per_second: files loaded in a second on the machine of docs/benchmarks.md; for estimates.
    """

    name: str
    extra: str | None = None
    bytes_per_row: int
    rows_per_second: int

    @abstractmethod
    def engine(self, url: URL, *, read_only: bool) -> Engine:
        """Returns an engine whose transactions are ours to begin and end."""

    def missing(self, url: URL) -> bool:  # noqa: ARG002 (a server is asked by connecting)
        """Tells whether it is known without connecting that the database is not there."""
        return False

    @abstractmethod
    def explain(self, error: BaseException, where: str) -> DeltaLakeDBError | None:
        """Returns our error for one of the driver's, or None where it is not of the database's making.

        Args:
            error: the driver's error, without SQLAlchemy's wrapping.
            where: the database's URL without its password.
        """

    def relax(self, connection: Connection) -> None:  # noqa: B027 (not every database can)
        """Lets the current transaction be lost in a crash of the machine, if those after it are too."""

    def harden(self, connection: Connection) -> None:  # noqa: B027 (not every database must)
        """Called before a transaction begins whose commit must survive a crash of the machine, with all before it."""

    def lock_schema(self, connection: Connection) -> None:  # noqa: B027 (not every database must)
        """Lets one process at a time make or upgrade the tables, until the transaction ends."""

    def load(self, connection: Connection, table: Table, table_id: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Appends rows, whose fields are the table's columns after the table id."""
        names = [column.name for column in table.columns][1:]
        values = [{"table_id": table_id, **dict(zip(names, row, strict=True))} for row in rows]
        if values:
            connection.execute(insert(table), values)

    def driver_missing(self, error: ImportError) -> DriverNotInstalledError:
        """Returns the error for a driver that can't be imported."""
        return DriverNotInstalledError(
            f"The driver for {self.name} is not installed ({error.name})",
            f"pip install 'deltalakedb[{self.extra}]'",
        )
