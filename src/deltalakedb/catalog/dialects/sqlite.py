"""SQLite: one file, one writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.pool import NullPool

from ...errors import (
    CatalogError,
    DatabaseBusyError,
    DatabaseConnectionError,
    DeltaLakeDBError,
    DiskFullError,
    PermissionDeniedError,
)
from .base import Dialect

BUSY_SECONDS = 30
"""How long a writer waits for another one."""


class SQLiteDialect(Dialect):
    """SQLite in WAL mode: readers go on while a writer loads.

    `synchronous` is NORMAL while batches are loaded: after a power cut the last of them may be missing, never a part
    of one, and the watermark goes with them. The transaction that completes an import is FULL.
    """

    name = "sqlite"
    bytes_per_row = 190
    rows_per_second = 60_000

    def engine(self, url: URL, *, read_only: bool) -> Engine:
        if url.database and not url.database.startswith("file:") and read_only:
            query = {**url.query, "mode": "ro", "uri": "true"}
            url = url.set(database=f"file:{quote(str(Path(url.database).absolute()))}", query=query)
        engine = create_engine(
            url,
            connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
            poolclass=NullPool if url.database and ":memory:" not in url.database else None,
        )

        @event.listens_for(engine, "connect")
        def _configure(connection: sqlite3.Connection, _record: Any) -> None:
            connection.execute("PRAGMA foreign_keys = ON")
            if not read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA temp_store = MEMORY")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # A writer takes its lock at once: upgrading later would fail, not wait, where another one was faster.
            connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

        return engine

    def missing(self, url: URL) -> bool:
        name = url.database or ""
        return not name.startswith("file:") and not Path(name).exists()

    def harden(self, connection: Connection) -> None:
        _driver(connection).execute("PRAGMA synchronous = FULL")

    def load(self, connection: Connection, table: Table, table_id: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        marks = ", ".join("?" * len(rows[0]))
        literal = "'" + table_id.replace("'", "''") + "'"
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        cursor = _driver(connection).cursor()
        cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({literal}, {marks})", rows)
        cursor.close()

    def explain(self, error: BaseException, where: str) -> DeltaLakeDBError | None:
        if not isinstance(error, sqlite3.Error):
            return None
        text = str(error)
        code = getattr(error, "sqlite_errorname", "") or ""
        if code.startswith("SQLITE_FULL"):
            return DiskFullError(f"Disk space exhausted: {where}", "Free some space, then go on with --resume.")
        if code.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
            return PermissionDeniedError(f"Permission denied: {where} ({text})", "Check who may write the file.")
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return DatabaseBusyError(
                f"The database is locked by another process: {where}", "Wait for it to finish, then try again."
            )
        if code.startswith("SQLITE_NOTADB"):
            return DatabaseConnectionError(
                f"Database connection failed: {where} is not a SQLite database", "Name another file."
            )
        if code.startswith("SQLITE_CANTOPEN"):
            return DatabaseConnectionError(
                f"Database connection failed: {where} can't be opened", "Check that its folder is there and writable."
            )
        if code.startswith("SQLITE_CORRUPT"):
            return CatalogError(f"The database file is damaged: {where}", "Restore it from a backup, or import anew.")
        return CatalogError(f"The database refused: {text} ({where})")


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
