"""A folder that is there as a whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ArgumentError, DiskFullError, LocationNotFoundError, PermissionDeniedError, StorageError
from ..log.path import LOG_FOLDER
from ..log.store import LocalStore, open_store


def local_destination(destination: str | os.PathLike[str]) -> Path:
    """Returns the folder that an export is to make.

    Raises:
        ArgumentError: it is there already, or not on this machine.
        LocationNotFoundError: the folder around it is not there.
    """
    store = open_store(destination)
    if not isinstance(store, LocalStore):
        raise ArgumentError(f"Not a local folder: {store.location}", "Export to a local folder, then copy it.")
    path = Path(store.location)
    if os.path.lexists(path):
        raise ArgumentError(f"The destination is there already: {path}", "Name a new folder: nothing is overwritten.")
    if not path.parent.is_dir():
        raise LocationNotFoundError(f"Not found: {path.parent}", "Make that folder first.")
    return path


@contextmanager
def new_log_folder(table: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes the `_delta_log` of a new table's folder once everything is on disk.

    Until then it stands beside it under names that no reader takes for a table's. What fails leaves nothing.
    """
    with _our_errors(table):
        temporary = Path(tempfile.mkdtemp(prefix=f".{table.name[:80]}.", suffix=".partial", dir=table.parent))
        try:
            log = temporary / "log"
            log.mkdir()
            yield log
            _to_disk(log)
            log.rename(temporary / LOG_FOLDER)
            temporary.chmod(0o777 & ~_umask())  # mkdtemp's own is for its maker alone
            _sync(temporary)
            if os.path.lexists(table):  # rename would replace an empty folder
                raise ArgumentError(f"The destination is there already: {table}", "Somebody else has just made it.")
            temporary.rename(table)
            _sync(table.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _to_disk(folder: Path) -> None:
    for entry in os.scandir(folder):
        _sync(Path(entry.path))
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _our_errors(table: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise PermissionDeniedError(f"Permission denied: {table}", "Check who may write there.") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"Disk space exhausted: {table}", "Free some space, then export again.") from error
        raise StorageError(f"Can't write {table}: {error.strerror or error}") from error
