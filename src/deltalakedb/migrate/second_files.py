"""Files of a log → plain actions, for the second reading alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import CorruptLogError, DeltaLakeDBError, LocationNotFoundError
from ..log.path import LOG_FOLDER, SIDECAR_FOLDER, LogFile, sidecar_name
from ..log.reader import Log
from .second_decoding import Named, json_actions, parquet_actions

Each = Callable[[], None]


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


def checkpoint_actions(log: Log, file: LogFile, each: Each | None) -> Iterator[Named]:
    """Yields the actions of a part of a checkpoint and of its sidecars; `each` is called behind the last one."""
    for name, body in _checkpoint_file(log, file.path):
        if name == "sidecar":
            try:
                yield from _checkpoint_file(log, f"{LOG_FOLDER}/{SIDECAR_FOLDER}/{sidecar_name(body['path'])}")
            except LocationNotFoundError as error:
                raise CorruptLogError(f"{file.name} names a sidecar that is not there: {body['path']}") from error
        elif name != "checkpointMetadata":
            yield name, body
    if each is not None:
        each()


def _checkpoint_file(log: Log, path: str) -> Iterator[Named]:
    name = path.rpartition("/")[2]
    if name.endswith(".json"):
        yield from json_actions(log.store.chunks(path), name)
    else:
        with log.store.open(path) as source:
            yield from parquet_actions(source, name)
