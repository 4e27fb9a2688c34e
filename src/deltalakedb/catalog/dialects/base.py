"""What differs from database to database, behind one interface."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import URL, Boolean, Column, Connection, Engine, Integer, Table, func, select

from ...errors import DeltaLakeDBError, DriverNotInstalledError
from ..options import DatabaseOptions
from ..packing.base import Pack, Packed, Shape, Shapes
from ..schema import REPEATS


def quoted(name: str) -> str:
    """Returns an identifier as it stands in SQL."""
    return '"' + name.replace('"', '""') + '"'


def is_unknown_host(text: str) -> bool:
    """Tells whether a driver's words are that a host's name is unknown: on Linux, macOS or Windows."""
    return re.search(r"\[Errno (-2|-5|8|11001)\]", text) is not None


@lru_cache(maxsize=32)
def shapes_of(table: Table) -> Shapes:
    """Returns the columns of a table after the table id, as who packs rows has to know them."""
    return {column.name: Shape(_kind_of(column), REPEATS in column.info) for column in list(table.columns)[1:]}


def _kind_of(column: Column[Any]) -> type[int | bool | str]:
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
        keeps_order: whether rows without a key lie in the order in which they came, to the last of them.
        pack: packs rows as `load` takes them.
    """

    name: str
    extra: str | None = None
    bytes_per_row: int
    rows_per_second: int
    large_batch: int
    has_schemas = False
    keeps_order = True
    pack: Pack

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

    def check_sight(self, connection: Connection, where: str) -> None:  # noqa: B027 (not every database hides rows)
        """Raises PermissionDeniedError where the database hides all rows of a table of ours: it isn't empty."""

    def user(self, connection: Connection) -> str | None:
        """Returns the name under which the database lets us in; None where it knows no names."""
        return connection.execute(select(func.current_user())).scalar()

    @abstractmethod
    def identity(self, connection: Connection, url: URL) -> tuple[Any, ...]:
        """Returns what only this very catalog has, by whatever URL it is reached; its tables are there."""

    def sees_all(self, connection: Connection) -> bool:  # noqa: ARG002 (not every database holds rows back)
        """Tells whether this role reads all rows, and not only those that a policy lets it see."""
        return True

    def go_on_behind(self, connection: Connection, column: Column[int]) -> None:  # noqa: B027 (most do by themselves)
        """Lets the numbers that the database gives go on behind the greatest one, where rows came with theirs."""

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
