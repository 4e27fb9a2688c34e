"""Errors that belong to two trees: ours, and the one in which callers of delta-rs look for them.

Code that says `except deltalake.exceptions.TableNotFoundError` goes on working when only its import changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deltalake.exceptions import DeltaError, DeltaProtocolError
from deltalake.exceptions import TableNotFoundError as DeltaTableNotFoundError

from .. import errors


class DeltaLakeDBWarning(UserWarning):
    """What Python's `warnings` say of a table that answers all the same: commits that only its catalog has."""


class TableNotFoundError(errors.TableNotFoundError, DeltaTableNotFoundError):
    """The catalog has no such table id."""


class ImportIncompleteError(errors.ImportIncompleteError, DeltaError):
    """The table's import has not completed, so it can't be read."""


class VersionNotFoundError(errors.VersionNotFoundError, DeltaError):
    """A version below the floor (its history is gone), beyond the newest, or one that the log lost before a sync."""


class TableChangedError(errors.CatalogError, DeltaError):
    """The catalog's table is not the one that was opened: it was rolled back, and maybe imported again."""


class UnsupportedTableError(errors.UnsupportedTableError, DeltaProtocolError):
    """The table needs a feature that the reader lacks; the message names it."""


class ReadOnlyError(errors.DeltaLakeDBError, DeltaError, NotImplementedError):
    """A method of delta-rs' class that a table read from SQL doesn't have: most of them write."""


class FilterError(errors.ArgumentError, DeltaError):
    """A filter that can't be right: also a ValueError."""


class FileOutsideTableError(errors.CorruptLogError, DeltaError):
    """A relative path in the log leads out of the table's folder."""


class ReadError(errors.StorageError, DeltaError):
    """A data file is missing, or can't be read."""


_BOTH: tuple[tuple[type[errors.DeltaLakeDBError], type[errors.DeltaLakeDBError]], ...] = (
    (errors.TableNotFoundError, TableNotFoundError),
    (errors.ImportIncompleteError, ImportIncompleteError),
    (errors.VersionNotFoundError, VersionNotFoundError),
)


@contextmanager
def in_both_trees() -> Iterator[None]:
    """Raises the errors of the catalog as those that are in delta-rs' tree, too."""
    try:
        yield
    except errors.DeltaLakeDBError as error:
        for ours, both in _BOTH:
            if isinstance(error, ours) and not isinstance(error, both):
                raise both(error.message, error.hint) from error
        raise
