"""Trying again where a fault may pass by itself."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import DeltaLakeDBError

logger = logging.getLogger(__name__)

T = TypeVar("T")

PAUSES_SECONDS = (1, 2, 4, 8, 15, 30, 30, 30, 30, 30)
"""How long to wait before each new attempt, give or take a fifth: many importers may have met the same outage."""


def persistently(attempt: Callable[[], T], *, progress: Callable[[], int], name: str, scrub: Callable[[str], str]) -> T:
    """Returns what `attempt` does; calls it anew, after a pause, where its error is transient.

    Args:
        attempt: what to do; a new call goes on where the last one was stopped.
        progress: how far it has come. Attempts that get further are not counted.
        name: whose it is, for the log.
        scrub: takes passwords out of a text.

    Raises:
        What `attempt` does: at once where it is not transient, else when no pause is left.
    """
    failed, reached = 0, progress()
    while True:
        try:
            return attempt()
        except DeltaLakeDBError as error:
            if progress() > reached:
                failed, reached = 0, progress()
            if not error.transient or failed == len(PAUSES_SECONDS):
                raise
            pause = PAUSES_SECONDS[failed] * random.uniform(0.8, 1.2)
            failed += 1
            logger.warning(
                "%s: %s; trying again in %.1f s (%d of %d)",
                name,
                scrub(error.message),
                pause,
                failed,
                len(PAUSES_SECONDS),
            )
        time.sleep(pause)
