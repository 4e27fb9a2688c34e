"""A table in the hands of this process, from its claim to its end: nobody else works on it, and all see that we do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.registry import TableStatus
from ..catalog.trail import WorkTrail
from ..errors import DeltaLakeDBError, TableBusyError, was_interrupted
from .retrying import persistently

logger = logging.getLogger(__name__)

BEAT_SECONDS = registry.STALE_AFTER.total_seconds() / 4


@contextmanager
def claimed(
    database: Database,
    table_id: str,
    location: str,
    trail: WorkTrail,
    *,
    resume: bool,
    check: Callable[[TableStatus | None], None] | None,
    stop: Callable[[], bool] | None,
) -> Iterator[TableStatus | None]:
    """Claims a table, and notes in the catalog how the work on it ended, unless it ended well.

    Yields its state until now; None where it is new. Where `check` raises for that state, the claim is undone. A
    database that is away is waited for, until `stop` says no.

    Raises:
        TableExistsError, TableBusyError: as `registry.claim`.
    """

    def claim() -> TableStatus | None:
        with database.writing() as connection, connection.begin():
            before = registry.claim(connection, table_id, location, resume=resume)
            if check is not None:
                check(before)
            if before is None or registry.entry_of(connection, table_id) is None:
                trail.begin(connection)
        return before

    with _alone(database, table_id):
        before = persistently(claim, database=database, name=table_id, stop=stop)
        try:
            with _beating(database, table_id):
                yield before
        except BaseException as error:
            if was_interrupted(error):
                _note(database, table_id, trail, registry.INTERRUPTED, "Interrupted", stop)
                raise KeyboardInterrupt from error
            _note(database, table_id, trail, registry.FAILED, database.describe(error), stop)
            raise


def _note(
    database: Database, table_id: str, trail: WorkTrail, status: str, message: str, stop: Callable[[], bool] | None
) -> None:
    def end() -> None:
        with database.transaction() as connection:
            registry.hold(connection, table_id, status=status, error_message=message, owner=None)
            trail.end(connection, status, message)

    try:
        if status == registry.INTERRUPTED:
            end()  # whoever interrupted it waits: one attempt has to do
        else:
            persistently(end, database=database, name=table_id, stop=stop)
    except DeltaLakeDBError as error:
        logger.warning("The catalog could not note that the import ended (%s): %s", status, error.message)


# ---- within this process

_at_work: set[tuple[str, str]] = set()
_at_work_lock = threading.Lock()


@contextmanager
def _alone(database: Database, table_id: str) -> Iterator[None]:
    """Keeps a table to one thread of this process; the claim in the catalog keeps it to one process."""
    key = (database.where, table_id)
    with _at_work_lock:
        if key in _at_work:
            raise TableBusyError(f"{table_id!r} is being imported by this process already", "Wait for it to finish.")
        _at_work.add(key)
    try:
        yield
    finally:
        _at_work.discard(key)


# ---- the heart


@contextmanager
def _beating(database: Database, table_id: str) -> Iterator[None]:
    """Moves the heartbeat until the end, however long it takes between two transactions."""
    stop = threading.Event()
    thread = threading.Thread(target=_beat, args=(database, table_id, stop), name="deltalakedb-heart", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(BEAT_SECONDS)


def _beat(database: Database, table_id: str, stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        try:
            with database.writing() as connection, connection.begin():
                database.dialect.wait_briefly(connection)
                registry.hold(connection, table_id, heartbeat_at=registry.now())
        except TableBusyError:
            return  # it is no longer ours, which the importer itself will say
        except DeltaLakeDBError as error:
            # Our own transaction holds the row, or the database is away: the importer sees to that.
            logger.debug("%s: no heartbeat: %s", table_id, error.message)
