"""What differs from database to database, behind one interface."""

from __future__ import annotations

import marshal
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import URL, Boolean, Column, Connection, Engine, Integer, Table, func, select

from ...errors import DeltaLakeDBError, DriverNotInstalledError
from ...rows import Files
from ..options import DatabaseOptions


class Packed(NamedTuple):
    """Rows of one SQL table, ready to be loaded by this process or another one on this machine.

    `columns` are those that `data` has after the table id; the others are NULL in every row.
    """

    table_id: str
    columns: tuple[str, ...]
    data: bytes


Columns = Mapping[str, Sequence[Any]]
"""Rows of an SQL table column by column, by the columns' names: plain values, all columns of one length."""


def columns_of(table: Table, rows: Files | Sequence[tuple[Any, ...]]) -> Columns:
    """Returns rows column by column, without those that are NULL in all of them.

    Args:
        table: where they belong.
        rows: at least one; the values of its columns after the table id. Plain values: text, numbers, None.
    """
    if isinstance(rows, Files):
        columns: Columns = rows.columns()
    else:
        names = [column.name for column in table.columns][1:]
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    # Counting is slow where nothing is None: each value is asked whether it equals None.
    return {name: v for name, v in columns.items() if v[0] is not None or v.count(None) < len(v)}


def quoted(name: str) -> str:
    """Returns an identifier as it stands in SQL."""
    return '"' + name.replace('"', '""') + '"'


def kind_of(column: Column[Any]) -> type[int | bool | str]:
    """Returns what the values of a column are; JSON is text."""
    if isinstance(column.type, Boolean):
        return bool
    return int if isinstance(column.type, Integer) else str


class Dialect(ABC):
    """One kind of database.

    Attributes:
        name: SQLAlchemy's name of it.
        extra: the extra of our package that brings its driver; None where Python does.
        bytes_per_row: what a row of `delta_files` costs beside the text in it, indexes included; for estimates.
        large_batch: how many files of a large log are loaded in a transaction, unless the user says.
        rows_per_second: files loaded in a second on the machine of docs/benchmarks.md; for estimates.
        has_schemas: whether a database has schemas to put the tables into.
    """

    name: str
    extra: str | None = None
    bytes_per_row: int
    rows_per_second: int
    large_batch: int
    has_schemas = False

    @abstractmethod
    def engine(self, url: URL, options: DatabaseOptions, *, read_only: bool) -> Engine:
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

    def look_at_files(self, connection: Connection) -> None:  # noqa: B027 (not every planner asks)
        """Lets the planner find out what the rows of `delta_files` are like, where it has never looked."""

    def limit(self, connection: Connection, seconds: float) -> None:  # noqa: B027 (not every database can)
        """Lets no statement of the current transaction take longer; it fails with DatabaseBusyError."""

    def wait_briefly(self, connection: Connection) -> None:  # noqa: B027 (not every database must)
        """Lets the current transaction fail, as busy, that waits for others' locks for more than some seconds."""

    def lock_schema(self, connection: Connection) -> None:  # noqa: B027 (not every database must)
        """Lets one process at a time make or upgrade the tables, until the transaction and `unlock_schema`."""

    def unlock_schema(self, connection: Connection) -> None:  # noqa: B027 (not every lock outlives its transaction)
        """Lets the next one; called after the transaction, however that ended."""

    def user(self, connection: Connection) -> str | None:
        """Returns the name under which the database lets us in; None where it knows no names."""
        return connection.execute(select(func.current_user())).scalar()

    def pack(self, table: Table, table_id: str, columns: Columns) -> Packed:  # noqa: ARG002 (types matter elsewhere)
        """Returns rows as `load` takes them; needs no connection, so that another process can do it.

        Args:
            table: where they belong.
            table_id: the table that owns them, the first column.
            columns: the other columns, as `columns_of` returns them.
        """
        values = list(zip(*columns.values(), strict=True))
        return Packed(table_id, tuple(columns), marshal.dumps(values))

    @abstractmethod
    def load(self, connection: Connection, table: Table, pieces: Iterable[Packed]) -> None:
        """Appends rows piece by piece, in the caller's transaction."""

    @abstractmethod
    def insert_missing(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Inserts those rows whose primary keys aren't there yet."""

    def driver_missing(self, error: ImportError) -> DriverNotInstalledError:
        """Returns the error for a driver that can't be imported."""
        return DriverNotInstalledError(
            f"The driver for {self.name} is not installed ({error.name})",
            f"pip install 'deltalakedb[{self.extra}]'",
        )
