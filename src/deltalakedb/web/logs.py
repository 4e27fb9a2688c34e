"""A look at a table's log: has it moved on, is it still there? A log that is slow or gone delays no page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Lock, Thread

from ..catalog.registry import TableEntry, now
from ..errors import DeltaLakeDBError, LogChangedError, LogGapError
from ..log.store import open_store
from ..migrate.sync import log_to_sync, newest_version

_GOOD_FOR_SECONDS = 10.0
_AT_ONCE = 8
"""Looks under way; while as many hang, no other log is looked at."""
_KEPT = 1000


@dataclass(frozen=True, slots=True)
class LogLook:
    """What was seen of a log.

    `state` is `in_step`, `ahead` (with `new_commits`), `changed` (it isn't the log that was imported any more),
    `unreachable`, or `waiting` where it has not answered yet; `message` says more.
    """

    state: str
    new_commits: int = 0
    message: str | None = None
    looked_at: datetime | None = None


_WAITING = LogLook("waiting", message="The log has not answered yet.")


class LogWatch:
    """Looks at logs beside the pages.

    Args:
        storage_options: for object stores.
        scrub: takes secrets out of a message.
        patience: seconds that a page waits for an answer that isn't there yet.
    """

    def __init__(
        self, storage_options: Mapping[str, str], scrub: Callable[[str], str], *, patience: float = 0.15
    ) -> None:
        self._options = dict(storage_options)
        self._scrub = scrub
        self._patience = patience
        self._seen: dict[tuple[str, int], tuple[float, LogLook]] = {}
        self._under_way: dict[tuple[str, int], Event] = {}
        self._lock = Lock()

    def look(self, entry: TableEntry) -> LogLook:
        """Returns what was seen within the last seconds; else waits a moment for a new look."""
        key = (entry.location, entry.version)
        with self._lock:
            seen_at, seen = self._seen.get(key, (0.0, _WAITING))
            if seen is not _WAITING and time.monotonic() - seen_at < _GOOD_FOR_SECONDS:
                return seen
            done = self._under_way.get(key) or self._begin(key, entry)
        if done is not None:
            done.wait(self._patience)
        return self._seen.get(key, (0.0, seen))[1]

    def _begin(self, key: tuple[str, int], entry: TableEntry) -> Event | None:
        if len(self._under_way) >= _AT_ONCE:
            return None
        done = self._under_way[key] = Event()
        # A daemon: a store that hangs must not keep the server from ending.
        Thread(target=self._work, args=(key, entry, done), daemon=True).start()
        return done

    def _work(self, key: tuple[str, int], entry: TableEntry, done: Event) -> None:
        try:
            found = self._asked(entry)
        finally:
            with self._lock:
                del self._under_way[key]
        with self._lock:
            if len(self._seen) >= _KEPT:
                self._seen.clear()
            self._seen[key] = (time.monotonic(), found)
        done.set()

    def _asked(self, entry: TableEntry) -> LogLook:
        try:
            new = newest_version(log_to_sync(open_store(entry.location, self._options), entry), entry) - entry.version
        except (LogChangedError, LogGapError) as error:
            return LogLook("changed", message=self._scrub(error.message), looked_at=now())
        except DeltaLakeDBError as error:
            return LogLook("unreachable", message=self._scrub(error.message), looked_at=now())
        return LogLook("ahead" if new else "in_step", new, looked_at=now())
