"""Answers that are good for a moment: fifty readers of one page ask the database once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, TypeVar, cast

_T = TypeVar("_T")
_NOTHING = object()


class _Place:
    def __init__(self) -> None:
        self.lock = Lock()
        self.until = 0.0
        self.value: Any = _NOTHING


class Recent(Generic[_T]):
    """Keeps what was made for `seconds`, the last `size` of them. An error is not kept.

    Threads that ask for the same key at once get what the first of them makes.
    """

    def __init__(self, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Returns what is kept, else what `make` returns."""
        place = self._place(key)
        with place.lock:
            if time.monotonic() >= place.until:
                place.value = make()
                place.until = time.monotonic() + self._seconds
            return cast(_T, place.value)

    def peek(self, key: Hashable) -> _T | None:
        """Returns what is kept and still good; never waits."""
        place = self._places.get(key)
        return cast(_T, place.value) if place is not None and time.monotonic() < place.until else None

    def _place(self, key: Hashable) -> _Place:
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            if len(self._places) > self._size:
                self._places.popitem(last=False)
            return place
