"""The catalog as Python programs see it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from .catalog import events, registry
from .catalog.database import DEFAULT_URL, Database
from .catalog.events import Event
from .catalog.options import POOL_SIZE, DatabaseOptions
from .catalog.registry import TableEntry
from .log.store import Location
from .migrate.export import ExportReport, export_table
from .migrate.importer import ImportReport, import_table
from .migrate.rollback import RollbackCheck, RollbackReport, rollback, verify_rollback
from .migrate.sync import tables_to_sync
from .migrate.told import Listener
from .migrate.validate import ValidationReport, validate_and_keep
from .table.absolute import AbsolutePaths
from .table.delta_table import DeltaTable
from .table.indexing import index as index_columns


def connect(
    url: str = DEFAULT_URL,
    *,
    read_url: str | None = None,
    schema: str | None = None,
    pool_size: int = POOL_SIZE,
    connect_timeout: int | None = None,
    statement_timeout: float | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> Catalog:
    """Returns the catalog in a database. Nothing is opened before it is needed, nothing is made before it is written.

    Args:
        url: `sqlite:///file.db` or `postgresql://user:password@host/database`, query options included.
        read_url: a copy of that database, such as a read replica: `table` and `tables` read there.
        schema: where the tables are; by default where the role's search path leads. PostgreSQL only.
        pool_size: how many connections to read by, and to write by, are open at most.
        connect_timeout: seconds to wait for a server; by default what the URL says, or 10.
        statement_timeout: seconds after which the server gives up on a statement; by default what the server says.
        storage_options: for tables in object stores, under the names that delta-rs has for them. Kept in memory only.

    Raises:
        ArgumentError: not a URL, a kind of database that we don't know, or an option that it doesn't have.
    """
    options = DatabaseOptions(schema, pool_size, connect_timeout, statement_timeout)
    replica = None if read_url is None else Database(read_url, options)
    return Catalog(Database(url, options), storage_options, replica)


class Catalog:
    """A catalog of Delta tables in a SQL database; a context manager that closes its connections.

    Every method raises CatalogError where the database refuses.
    """

    def __init__(
        self,
        database: Database,
        storage_options: Mapping[str, str] | None = None,
        replica: Database | None = None,
    ) -> None:
        self._database = database
        self._read_from = replica or database
        self._storage_options = dict(storage_options or {})

    @property
    def url(self) -> str:
        """The database's URL, without its password."""
        return self._database.where

    def import_table(
        self,
        location: Location,
        table_id: str | None = None,
        *,
        batch_size: int | None = None,
        resume: bool = False,
        replace: bool = False,
        listener: Listener | None = None,
        storage_options: Mapping[str, str] | None = None,
    ) -> ImportReport:
        """Imports every version that a table's log can rebuild; see `migrate.importer.import_table`.

        `location` is a path, as text or as a path object, or a URI.
        `resume` goes on with an import, or takes in what the log has grown by. `replace` deletes what the catalog has
        of the table, when the new log has been opened, and imports it anew.
        `storage_options` go on top of those of the catalog, for this call.

        Raises:
            LogError, StorageError: the log can't be read.
            TableExistsError, TableBusyError: the table is there already, or being imported.
            ArgumentError: both `resume` and `replace` are given.
        """
        return import_table(
            self._database,
            location,
            table_id,
            batch_size=batch_size,
            resume=resume,
            replace=replace,
            listener=listener,
            storage_options=self._storage_options | dict(storage_options or {}),
        )

    def sync(self, table_id: str) -> ImportReport:
        """Takes in what a table's log has grown by.

        Raises:
            TableNotFoundError, ImportIncompleteError: there is no such table, or its import has not completed.
            LogChangedError: the log is not the one that was imported.
        """
        (entry,) = tables_to_sync(self._database, [table_id])
        assert isinstance(entry, TableEntry)  # what can't be read is an error where nothing else was asked for
        return import_table(
            self._database,
            entry.location,
            table_id,
            resume=True,
            storage_options=self._storage_options,
            command="sync",
        )

    def validate(
        self,
        table_id: str,
        *,
        all_versions: bool = False,
        listener: Callable[[int, int], None] | None = None,
    ) -> ValidationReport:
        """Compares a table with its log as an independent reader sees it; by default at the newest version.

        Raises:
            TableNotFoundError, ImportIncompleteError: there is no such table, or its import has not completed.
            LogError, StorageError: the log can't be read.
        """
        with self._database.reading() as connection:
            entry = registry.readable(connection, table_id)
        report, _kept = validate_and_keep(
            self._database,
            entry.location,
            table_id,
            all_versions=all_versions,
            listener=listener,
            storage_options=self._storage_options,
        )
        return report

    def verify_rollback(self, table_id: str) -> RollbackCheck:
        """Finds out whether a table could be read from its log if the catalog forgot it.

        Raises:
            TableNotFoundError: there is no such table.
        """
        return verify_rollback(self._database, table_id, storage_options=self._storage_options)

    def rollback(self, table_id: str) -> RollbackReport:
        """Forgets a table, after it has been verified that its log is all there.

        Raises:
            RollbackUnsafeError: it isn't.
            TableNotFoundError, TableBusyError: there is no such table, or it is being imported.
        """
        return rollback(self._database, table_id, storage_options=self._storage_options)

    def export(
        self,
        table_id: str,
        destination: str | os.PathLike[str],
        version: int | None = None,
        *,
        absolute_paths: bool = False,
    ) -> ExportReport:
        """Writes a `_delta_log` from SQL alone: every commit that SQL has, and a checkpoint.

        Args:
            table_id: the table.
            destination: a local folder that is not there yet.
            version: the version to end with, by default the newest.
            absolute_paths: whether its paths lead to the original table's files.

        Raises:
            TableNotFoundError, ImportIncompleteError: there is no such table, or its import has not completed.
            VersionNotFoundError: SQL doesn't have the version.
            ArgumentError, StorageError: the destination is there already, or can't be written to.
        """
        absolute = AbsolutePaths if absolute_paths else None
        return export_table(self._database, table_id, destination, version=version, absolute=absolute)

    def table(
        self, table_id: str, *, version: int | None = None, timestamp: str | datetime | None = None
    ) -> DeltaTable:
        """Opens a table, by default at its newest version.

        Args:
            table_id: the table.
            version: the version.
            timestamp: in place of a version, the time at which it was the newest; text needs a zone.

        Raises:
            TableNotFoundError, ImportIncompleteError: there is no such table, or its import has not completed.
            VersionNotFoundError: below the table's first version, beyond the catalog's newest, or in a gap.
        """
        return DeltaTable(self, table_id=table_id, version=version, timestamp=timestamp)

    def index(self, table_id: str, columns: Sequence[str], *, drop: bool = False) -> list[str]:
        """Gives columns a typed, indexed minimum and maximum for each file, by which files are pruned at index speed.

        Args:
            table_id: the table.
            columns: names of columns; `a.b` is field `b` of struct `a`.
            drop: whether to drop their indexes instead.

        Returns:
            The names of all columns of the table that have an index then.

        Raises:
            TableNotFoundError, ImportIncompleteError: there is no such table, or its import has not completed.
            TableBusyError: another process works on it.
            ArgumentError: there is no such column, or no index can be made of it, or there is none to drop.
        """
        return index_columns(self._database, table_id, columns, drop=drop)

    def tables(self) -> list[TableEntry]:
        """Returns the tables that can be read, by table id; none where there is no catalog yet."""
        if not self._read_from.has_catalog():
            return []
        with self._read_from.reading() as connection:
            return registry.entries(connection)

    def events(self, table_id: str | None = None, *, limit: int = 50) -> list[Event]:
        """Returns who ran which command, the latest first.

        Of one table, also where it was rolled back since, or of the whole catalog.

        Args:
            table_id: the table; None for the whole catalog.
            limit: their number at most.
        """
        with self._database.reading() as connection:
            if table_id is None:
                return events.events(connection, limit)
            return events.events_of(connection, table_id, limit)

    def close(self) -> None:
        """Closes every connection; the catalog opens new ones when it is used again."""
        self._database.close()
        self._read_from.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Catalog({self.url!r})"
