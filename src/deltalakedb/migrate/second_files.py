"""Files of a log → plain actions, for the second reading alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..errors import CorruptLogError, DeltaLakeDBError, LocationNotFoundError
from ..log.path import LOG_FOLDER, SIDECAR_FOLDER, LogFile, sidecar_name
from ..log.reader import Log
from ..log.segment import Checkpoint
from .facts import vector_id
from .second_decoding import Named, json_actions, parquet_actions

Each = Callable[[], None]

_KEYS = ("add.path", "add.deletionVector", "sidecar")


@contextmanager
def understood(file: LogFile) -> Iterator[None]:
    """Raises CorruptLogError where a file holds something else than the protocol has there.

    Plain values are taken as they come, so it shows in what they lack.
    """
    try:
        yield
    except DeltaLakeDBError:  # some of them are also ValueErrors
        raise
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise CorruptLogError(f"{file.name}: not as the protocol has it ({type(error).__name__}: {error})") from error


def commit_actions(log: Log, file: LogFile, each: Each | None) -> Iterator[Named]:
    """Yields the actions of a commit; `each` is called behind the last one."""
    yield from json_actions(log.store.chunks(file.path), file.name)
    if each is not None:
        each()


def checkpoint_actions(
    log: Log, file: LogFile, each: Each | None, *, columns: Sequence[str] | None = None
) -> Iterator[Named]:
    """Yields the actions of a part of a checkpoint and of its sidecars; `each` is called behind the last one.

    With `columns`, only these are read of Parquet files.
    """
    for name, body in _checkpoint_file(log, file.path, columns):
        if name == "sidecar":
            try:
                sidecar = f"{LOG_FOLDER}/{SIDECAR_FOLDER}/{sidecar_name(body['path'])}"
                yield from _checkpoint_file(log, sidecar, columns)
            except LocationNotFoundError as error:
                raise CorruptLogError(f"{file.name} names a sidecar that is not there: {body['path']}") from error
        elif name != "checkpointMetadata":
            yield name, body
    if each is not None:
        each()


def checkpoint_keys(log: Log, checkpoint: Checkpoint) -> Iterator[tuple[str, str | None]]:
    """Yields the paths and the deletion vectors' ids of the files of a checkpoint."""
    for file in checkpoint.files:
        with understood(file):
            for name, body in checkpoint_actions(log, file, None, columns=_KEYS):
                if name == "add":
                    yield body["path"], vector_id(body.get("deletionVector"))


def _checkpoint_file(log: Log, path: str, columns: Sequence[str] | None) -> Iterator[Named]:
    name = path.rpartition("/")[2]
    if name.endswith(".json"):
        yield from json_actions(log.store.chunks(path), name)
    else:
        with log.store.open(path) as source:
            yield from parquet_actions(source, name, columns)
