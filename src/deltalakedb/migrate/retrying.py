"""Trying again where a fault may pass by itself.

What works on the catalog on behalf of nobody who waits has this patience in every step, from its first connection on:
imports, batches, syncs, and validations for keeping what they found. All other commands fail at once.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from math import inf
from typing import NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from ..catalog.database import Database
from ..errors import CatalogError, DatabaseConnectionError, DeltaLakeDBError

logger = logging.getLogger(__name__)

T = TypeVar("T")

PAUSES_SECONDS = (1, 2, 4, 8, 15, 30, 30, 30, 30, 30)
"""How long to wait before each new attempt, give or take a fifth: many importers may have met the same outage."""

FIRST_ATTEMPTS = 4
"""So many new attempts are made where nothing has ever answered: its name or port may be wrong."""

NEXT_LOOK_SECONDS = 5
"""A database that was waited for in vain is not asked again for so long, however many tables want it."""

GIVEN_UP_SECONDS = 60
"""After so long without an attempt, an outage is another one."""

_SECONDS_BETWEEN_ASKING = 0.2
"""How often a pause asks whether it is to end."""


class _Outage(NamedTuple):
    """What a database that was given up said last, and when by `time.monotonic`."""

    message: str
    hint: str | None
    seen_at: float


_waited_in_vain: WeakKeyDictionary[Database, _Outage] = WeakKeyDictionary()
"""The databases that are given up, until they answer again."""


def persistently(
    attempt: Callable[[], T],
    *,
    database: Database,
    name: str,
    progress: Callable[[], int] = lambda: 0,
    stop: Callable[[], bool] | None = None,
) -> T:
    """Returns what `attempt` does; calls it anew, after a pause, where its error is transient.

    An outage of the database is waited for once, not once a table: where it was in vain, each later call makes one
    attempt, until one succeeds. Who has many tables asks `check_given_up` before each.

    Args:
        attempt: what to do; a new call goes on where the last one was stopped.
        database: where it works.
        name: whose it is, for the log.
        progress: how far it has come. Attempts that get further are not counted.
        stop: whether to wait no longer.

    Raises:
        What `attempt` does: at once where it is not transient, else when no pause is left.
    """
    failed, reached = 0, progress()
    while True:
        try:
            result = attempt()
        except DeltaLakeDBError as error:
            if isinstance(error, CatalogError):
                database.forget_connections()  # they may be dead
            if progress() > reached:
                failed, reached = 0, progress()
            pauses = _pauses(database, error)
            if not error.transient or failed >= len(pauses) or (stop is not None and stop()):
                _give_up(database, error)
                raise
            pause = pauses[failed] * random.uniform(0.8, 1.2)
            failed += 1
            logger.warning(
                "%s: %s; trying again in %.1f s (%d of %d)",
                name,
                database.scrub(error.message),
                pause,
                failed,
                len(pauses),
            )
        else:
            _waited_in_vain.pop(database, None)
            return result
        _wait(pause, stop)


def check_given_up(database: Database) -> None:
    """Asks nothing of a database that was waited for in vain and looked at a moment ago: an attempt may take long.

    Raises:
        DatabaseConnectionError: with the words that it had then.
    """
    if _seconds_since_given_up(database) < NEXT_LOOK_SECONDS:
        outage = _waited_in_vain[database]
        raise DatabaseConnectionError(outage.message, outage.hint, transient=True)


def _pauses(database: Database, error: DeltaLakeDBError) -> tuple[float, ...]:
    if isinstance(error, CatalogError) and _seconds_since_given_up(database) < GIVEN_UP_SECONDS:
        return ()
    is_silent = isinstance(error, DatabaseConnectionError) and error.silent
    return PAUSES_SECONDS[:FIRST_ATTEMPTS] if is_silent and not database.has_answered else PAUSES_SECONDS


def _give_up(database: Database, error: DeltaLakeDBError) -> None:
    if isinstance(error, CatalogError) and error.is_outage and error.transient:
        _waited_in_vain[database] = _Outage(error.message, error.hint, time.monotonic())


def _seconds_since_given_up(database: Database) -> float:
    outage = _waited_in_vain.get(database)
    return inf if outage is None else time.monotonic() - outage.seen_at


def _wait(seconds: float, stop: Callable[[], bool] | None) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not (stop is not None and stop()):
        time.sleep(left if stop is None else min(left, _SECONDS_BETWEEN_ASKING))
