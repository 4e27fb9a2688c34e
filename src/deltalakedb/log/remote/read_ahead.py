"""Files that will be read soon, fetched before they are asked for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future

REQUESTS = 64
"""Files that are fetched or wait to be taken, at most."""

BYTES = 64 << 20
"""Their bytes, at most, apart from the one that is asked for next."""


class ReadAhead:
    """Fetches files in the order in which they will be read, some way ahead of the reader.

    Args:
        files: paths and sizes in bytes, in the order of reading.
        fetch: begins to fetch a path.
    """

    def __init__(self, files: Iterable[tuple[str, int]], fetch: Callable[[str], Future[bytes]]) -> None:
        self._left = deque(files)
        self._fetch = fetch
        self._started: dict[str, tuple[int, Future[bytes]]] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        with self._lock:
            self._top_up()

    def take(self, path: str) -> Future[bytes] | None:
        """Returns where the content of a file will be; None for one that is not being fetched."""
        with self._lock:
            size, future = self._started.pop(path, (0, None))
            self._bytes -= size
            self._top_up()
        return future

    def stop(self) -> None:
        """Forgets what was not taken."""
        with self._lock:
            self._left.clear()
            for _, future in self._started.values():
                future.cancel()
            self._started.clear()
            self._bytes = 0

    def _top_up(self) -> None:
        while self._left and len(self._started) < REQUESTS:
            path, size = self._left[0]
            if self._started and self._bytes + size > BYTES:
                return
            self._left.popleft()
            if path not in self._started:
                self._started[path] = (size, self._fetch(path))
                self._bytes += size
