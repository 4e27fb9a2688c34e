"""Every error that deltalakedb raises on purpose, as one tree.

    DeltaLakeDBError
    ├── ArgumentError                 wrong usage (also a ValueError)
    ├── LogError                      the log can't be read, or doesn't hold what was asked of it
    │   ├── NotADeltaTableError         there is no log at the location
    │   ├── LogGapError                 commits are missing, and no checkpoint makes up for them
    │   ├── CorruptLogError             a file of the log is not what its name says
    │   ├── UnsupportedTableError       the table needs something that we refuse to guess
    │   ├── LogChangedError             the log is no longer the one that was imported
    │   ├── LogFileGoneError            a file of the log was listed, and is not there any more
    │   └── VersionNotFoundError        a version below the floor, beyond the newest, or lost by the log
    ├── StorageError                  bytes can't be read or written
    │   ├── LocationNotFoundError       nothing is there
    │   ├── PermissionDeniedError       it is there, but not for us (also raised for databases)
    │   └── DiskFullError               no space is left (also raised for databases)
    ├── RollbackUnsafeError           the log alone would not give back what the catalog has
    └── CatalogError                  the SQL database refuses
        ├── DatabaseConnectionError     it can't be reached, or doesn't let us in
        ├── DatabaseBusyError           another writer holds it
        ├── DatabaseTimeoutError        it gave up on what was asked, or was too busy to be asked
        ├── DriverNotInstalledError     the Python driver for it is missing
        ├── SchemaVersionError          its tables were made by another release
        ├── TableNotFoundError          no such table id
        ├── TableExistsError            the table id is taken
        ├── TableBusyError              another process works on the table
        └── ImportIncompleteError       the table's import has not completed

Each has a `message` (what and where, one line) and a `hint` (what to do about it, or None), and tells by `transient`
whether it may pass by itself: imports and syncs try again then.
"""

from __future__ import annotations

import shlex


def command_line(command: str, argument: str | None, *options: str) -> str:
    """Returns a command of ours for a hint, with names as a shell takes them: they may have blanks and quotes."""
    words = options
    if argument is not None:
        words = (*options, "--", argument) if argument.startswith("-") else (argument, *options)
    return shlex.join(("deltalakedb", command, *words))


def was_interrupted(error: BaseException | None) -> bool:
    """Tells whether Ctrl-C is behind an error: a driver that it stopped halfway may fail to roll back."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.append(error)
        error = error.__cause__ or error.__context__
    return False


class DeltaLakeDBError(Exception):
    """The root of all our errors.

    Args:
        message: what went wrong and where, one line.
        hint: what the user can do about it, one line, or None.
        transient: whether the same may succeed a little later; None where the class says it.

    Attributes:
        of_database: whether the database said so: some kinds of errors stores have as well.
    """

    exit_code = 1
    transient = False
    of_database = False

    def __init__(self, message: str, hint: str | None = None, *, transient: bool | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if transient is not None:
            self.transient = transient


class ArgumentError(DeltaLakeDBError, ValueError):
    """An argument or option that can't be right."""

    exit_code = 2


class LogError(DeltaLakeDBError):
    """The log can't be read, or doesn't hold what was asked of it."""


class NotADeltaTableError(LogError):
    """There is no `_delta_log` at the location, or nothing in it that begins a table."""


class LogGapError(LogError):
    """A commit is missing, and no complete checkpoint at or after it makes up for it."""


class CorruptLogError(LogError):
    """A file of the log can't be decoded; the message names the file and, for JSON, the line."""


class UnsupportedTableError(LogError):
    """The table needs a feature that can't be left out without giving wrong answers."""


class LogChangedError(LogError):
    """The log at the location is not the one that was imported from it."""


class LogFileGoneError(LogError):
    """A file of the log was there when the log was listed, and is not any more: log clean-up runs meanwhile."""

    transient = True


class VersionNotFoundError(LogError):
    """A version below the floor (its history is gone), beyond the newest, or one that the log lost before a sync."""


class StorageError(DeltaLakeDBError):
    """Bytes can't be read or written."""


class LocationNotFoundError(StorageError):
    """Nothing is at the location."""


class PermissionDeniedError(StorageError):
    """A file or a database is there, but not for us."""


class DiskFullError(StorageError):
    """No space is left where a file or a database has to be written."""


class RollbackUnsafeError(DeltaLakeDBError):
    """The log alone would not give back what the catalog has.

    Args:
        check: what was found, a `RollbackCheck`.
    """

    exit_code = 3

    def __init__(self, message: str, hint: str | None = None, *, check: object = None) -> None:
        super().__init__(message, hint)
        self.check = check


class CatalogError(DeltaLakeDBError):
    """The SQL database refuses.

    `is_outage` tells whether it would have, whatever it had been asked: it is away, or somebody else has all of it.
    """

    is_outage = False


class DatabaseConnectionError(CatalogError):
    """The database can't be reached, doesn't let us in, or is no database.

    Args:
        silent: whether no server said so: nothing answered at all.
    """

    is_outage = True

    def __init__(
        self, message: str, hint: str | None = None, *, transient: bool | None = None, silent: bool = False
    ) -> None:
        super().__init__(message, hint, transient=transient)
        self.silent = silent


class DatabaseBusyError(CatalogError):
    """Another writer holds the database, or rows of it, and went on holding it.

    Args:
        is_outage: whether it is the whole database.
    """

    transient = True

    def __init__(self, message: str, hint: str | None = None, *, is_outage: bool = False) -> None:
        super().__init__(message, hint)
        self.is_outage = is_outage


class DatabaseTimeoutError(CatalogError):
    """A statement, a lock or a transaction took longer than the database allows, or no connection came free."""


class DriverNotInstalledError(CatalogError):
    """The Python driver of the database is missing."""


class SchemaVersionError(CatalogError):
    """The tables in the database were made by another release of deltalakedb."""


class TableNotFoundError(CatalogError):
    """The catalog has no such table id."""


class TableExistsError(CatalogError):
    """The table id is taken: by this table, imported earlier, or by another location."""


class TableBusyError(CatalogError):
    """Another process imports or syncs the table."""


class ImportIncompleteError(CatalogError):
    """The table's import has not completed, so it can't be read."""
