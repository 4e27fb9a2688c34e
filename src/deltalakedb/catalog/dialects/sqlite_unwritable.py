"""Reading an SQLite file in WAL mode where nothing can be written: on a medium, or in a folder of somebody else.

SQLite can't make there what readers and writers share. The file is read as it lies there then, without locks: that is
right as long as nobody writes the file itself, so it must hold all that was written, and be the same at the end.
Source: SQLite, "Write-Ahead Logging", "Read-Only Databases".
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, Engine, event

UNREADABLE, CHANGED = "DELTALAKEDB_UNREADABLE", "DELTALAKEDB_CHANGED"
"""What is found here, as names of errors beside SQLite's own."""

HINT = (
    "Run a command as somebody who may write there, such as `deltalakedb migration-status`, or read a copy of the file "
    "together with its -wal."
)

_SEEN = "deltalakedb_seen"


def let_read(engine: Engine) -> None:
    """Has the connections of a reader read files beside which nothing can be written."""

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, record: Any, args: Any, parameters: Any) -> Any:
        connection = sqlite3.connect(*args, **parameters)
        try:
            connection.execute("PRAGMA schema_version")
            return connection
        except sqlite3.OperationalError as error:
            connection.close()
            if not error.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
                raise
        file = Path(unquote(args[0].removeprefix("file:").partition("?")[0]))
        if _size(file.with_name(f"{file.name}-wal")):
            raise _error(UNREADABLE, "its folder can't be written, and its -wal holds what is not in the file yet")
        record.info[_SEEN] = file, _version_of(file)
        return sqlite3.connect(f"{args[0]}&immutable=1", **parameters)

    @event.listens_for(engine, "commit")
    def _check(connection: Connection) -> None:
        seen = connection.info.get(_SEEN)
        if seen is not None and _version_of(seen[0]) != seen[1]:
            raise _error(CHANGED, "the file was written while it was read without locks")


def _error(name: str, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return error


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _version_of(file: Path) -> tuple[int, int, int]:
    stat = file.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
