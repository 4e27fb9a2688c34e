"""SQLite: one file, one writer."""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import NullPool
from sqlalchemy.util import asbool

from ...errors import (
    ArgumentError,
    CatalogError,
    DatabaseBusyError,
    DatabaseConnectionError,
    DatabaseTimeoutError,
    DeltaLakeDBError,
    DiskFullError,
    PermissionDeniedError,
)
from ..options import DatabaseOptions
from ..packing import value_format
from ..packing.base import Packed
from . import sqlite_unwritable as unwritable
from .base import Dialect


def _seconds(text: str) -> bool:
    return 0 <= float(text) < math.inf


def _whole(text: str) -> bool:
    return int(text) >= 0


def _flag(text: str) -> bool:
    return isinstance(asbool(text), bool)


_OPTIONS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "timeout": (_seconds, "a number of seconds"),
    "isolation_level": (lambda _text: True, "a text"),
    "detect_types": (_whole, "a whole number"),
    "check_same_thread": (_flag, "true or false"),
    "cached_statements": (_whole, "a whole number"),
    "uri": (_flag, "true or false"),
}
"""What Python's driver takes behind the `?` of a URL; with `uri` all the rest is SQLite's own."""

BUSY_SECONDS = 30
"""How long a writer waits for another one."""

_PAUSE_SECONDS = 0.01

_STEPS_BETWEEN_LOOKS = 100_000
"""Of SQLite's own machine, after which it is seen whether a statement's time is up: some milliseconds."""

PAGE_BYTES = 16384
WAL_BYTES = 64 << 20
CACHE_BYTES = 64 << 20
"""Loading 300,000 files took 6.3 s with SQLite's own sizes (pages of 4 KiB, log 4 MB, cache 2 MB), 2.6 s
with this log and cache and pages of 8 KiB; a million took 7.2 s with pages of 16 KiB where 8 KiB took 7.5 s."""


class SQLiteDialect(Dialect):
    """SQLite in WAL mode: readers go on while a writer loads.

    `synchronous` is NORMAL while batches are loaded: after a power cut the last of them may be missing, never a part
    of one, and the watermark goes with them. The transaction that completes an import is FULL.
    """

    name = "sqlite"
    bytes_per_row = 190
    rows_per_second = 60_000
    large_batch = 50_000  # each transaction writes nearly every page of the index by key anew
    pack = staticmethod(value_format.pack)

    def engine(self, url: URL, options: DatabaseOptions, *, read_only: bool) -> Engine:  # noqa: ARG002 (of servers)
        unknown = set(url.query) - {*_OPTIONS}
        if unknown and "uri" not in url.query:
            raise ArgumentError(
                f"SQLite does not know {', '.join(sorted(unknown))} in a URL.",
                "It has the form sqlite:///path/to/file.db.",
            )
        for name, (is_right, kind) in _OPTIONS.items():
            _check_option(name, url.query.get(name), is_right, kind)
        if url.database and not url.database.startswith("file:") and read_only:
            query = {**url.query, "mode": "ro", "uri": "true"}
            url = url.set(database=f"file:{quote(str(Path(url.database).absolute()))}", query=query)
        waits = {} if "timeout" in url.query else {"timeout": BUSY_SECONDS}
        engine = create_engine(
            url.set(drivername="sqlite"),
            connect_args={**waits, "isolation_level": None},
            poolclass=NullPool if url.database and ":memory:" not in url.database else None,
        )

        @event.listens_for(engine, "connect")
        def _configure(connection: sqlite3.Connection, _record: Any) -> None:
            connection.execute("PRAGMA foreign_keys = ON")
            if not read_only:
                connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file; others keep theirs
                _write_ahead(connection)
                connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_BYTES // PAGE_BYTES}")
                connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA cache_size = -{CACHE_BYTES >> 10}")

        if url.query.get("mode") == "ro":
            unwritable.let_read(engine)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # A writer takes its lock at once: upgrading later would fail, not wait, where another one was faster.
            connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

        return engine

    def missing(self, url: URL) -> bool:
        name = url.database or ""
        try:
            return not name.startswith("file:") and not Path(name).exists()
        except OSError:  # somebody else's folder: SQLite says it
            return False

    def harden(self, connection: Connection) -> None:
        _driver(connection).execute("PRAGMA synchronous = FULL")

    def limit(self, connection: Connection, seconds: float) -> None:
        end = time.monotonic() + seconds
        _driver(connection).set_progress_handler(lambda: time.monotonic() > end, _STEPS_BETWEEN_LOOKS)

    def identity(self, connection: Connection, url: URL) -> tuple[Any, ...]:  # noqa: ARG002 (the driver knows the file)
        (file,) = (row[2] for row in connection.exec_driver_sql("PRAGMA database_list") if row[1] == "main")
        there = Path(file).stat()
        return there.st_dev, there.st_ino

    def load(self, connection: Connection, table: Table, pieces: Iterable[Packed]) -> None:
        cursor = _driver(connection).cursor()
        for packed in pieces:
            marks, rows = value_format.unpacked(packed)
            names = ", ".join(f'"{name}"' for name in ("table_id", *packed.columns))
            statement = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join(marks)})"
            cursor.executemany(statement, rows)
        cursor.close()

    def user(self, connection: Connection) -> None:
        """Returns None: whoever may write the file is in."""

    def insert_missing(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            connection.execute(insert(table).on_conflict_do_nothing(), rows)

    def explain(self, error: BaseException, where: str) -> DeltaLakeDBError | None:
        if not isinstance(error, sqlite3.Error):
            return None
        text, code = str(error), getattr(error, "sqlite_errorname", "") or ""
        for codes, kind, message, hint in _ANSWERS:
            if code.startswith(codes):
                said = message.format(where=where, text=text, holder=_holder(where) if "{holder}" in message else "")
                found = kind(said, hint)
                if isinstance(found, DatabaseBusyError):
                    found.is_outage = True  # one writer has all of the file
                return found
        return CatalogError(f"The database refused: {text} ({where})")


_ANSWERS: tuple[tuple[tuple[str, ...], type[DeltaLakeDBError], str, str], ...] = (
    ((unwritable.UNREADABLE,), PermissionDeniedError, "Permission denied: {where} ({text})", unwritable.HINT),
    ((unwritable.CHANGED,), DatabaseBusyError, "The database is busy: {where} ({text})", "Try again."),
    (
        ("SQLITE_FULL",),
        DiskFullError,
        "Disk space exhausted: {where}",
        "Free some space, then go on with --resume.",
    ),
    (
        ("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH"),
        PermissionDeniedError,
        "Permission denied: {where} ({text})",
        "Check who may write the file and its folder.",
    ),
    (
        # How network drives fail: no locks, or no memory that processes share.
        (
            *("SQLITE_PROTOCOL", "SQLITE_NOLFS", "SQLITE_IOERR_LOCK", "SQLITE_IOERR_UNLOCK", "SQLITE_IOERR_RDLOCK"),
            *("SQLITE_IOERR_CHECKRESERVEDLOCK", "SQLITE_IOERR_SHM"),
        ),
        DatabaseConnectionError,
        "Database connection failed: {where} is on a file system without the locks that SQLite needs ({text})",
        "Keep the file on a local disk; what several machines share belongs into PostgreSQL or MariaDB.",
    ),
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        DatabaseBusyError,
        "The database is locked by {holder}: {where}",
        "Wait for it to finish, then try again.",
    ),
    (
        ("SQLITE_INTERRUPT",),
        DatabaseTimeoutError,
        "The database gave up: {where} (the question took too long)",
        "Try again.",
    ),
    (
        ("SQLITE_NOTADB",),
        DatabaseConnectionError,
        "Database connection failed: {where} is not a SQLite database",
        "Name another file.",
    ),
    (
        ("SQLITE_CANTOPEN",),
        DatabaseConnectionError,
        "Database connection failed: {where} can't be opened",
        "Check that its folder is there and writable.",
    ),
    (
        ("SQLITE_CORRUPT",),
        CatalogError,
        "The database file is damaged: {where}",
        "Restore it from a backup, or import anew.",
    ),
)
"""What is said to the codes that begin so."""


def _check_option(name: str, given: str | Sequence[str] | None, is_right: Callable[[str], bool], kind: str) -> None:
    values = (given,) if isinstance(given, str) else given or ()
    for value in values:
        try:
            right = is_right(value)
        except ValueError:
            right = False
        if not right or len(values) > 1:
            raise ArgumentError(f"In the URL of an SQLite database {name} is {kind}, given once, and not {value!r}.")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Has a file written ahead. SQLite does not wait there for who makes or writes the same file: so we do."""
    (milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()
    deadline = time.monotonic() + milliseconds / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE_SECONDS)


_WAL_WRITE_LOCK, _RESERVED_LOCK = 120, 0x40000001
"""The bytes that a writer locks: of the -shm file in WAL mode, else of the database."""


def _holder(where: str) -> str:
    """Returns who holds the write lock, as far as the system tells; that may be over by now.

    Linux' /proc/locks is asked, and not the files: closing one would let go of all locks that this process has on it.
    """
    name = make_url(where).database or ""
    locks = {f"{name}-shm": _WAL_WRITE_LOCK, name: _RESERVED_LOCK}
    try:
        inodes = {Path(file).stat().st_ino: byte for file, byte in locks.items() if Path(file).exists()}
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        holders = {pid for line in lines if (pid := _writer_of(line.split(), inodes))} - {os.getpid()}
        return f"process {min(holders)} ({psutil.Process(min(holders)).name()})"
    except (OSError, ValueError, psutil.Error):
        return "another process"  # nobody holds it any more, or it is us


def _writer_of(fields: list[str], inodes: dict[int, int]) -> int | None:
    """Returns the process behind a line of /proc/locks, where it locks one of these bytes for writing."""
    if len(fields) != 8 or fields[3] != "WRITE":
        return None  # a line with -> is about who waits
    byte = inodes.get(int(fields[5].rpartition(":")[2]))
    end = 1 << 63 if fields[7] == "EOF" else int(fields[7])
    return int(fields[4]) if byte is not None and int(fields[6]) <= byte <= end else None


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
