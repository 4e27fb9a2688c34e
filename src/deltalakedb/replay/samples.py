"""Paths for messages: the first few are named, the others counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

NAMED = 10


class PathSample:
    """Paths of files, of which a message names ten and counts the rest; false where there are none."""

    def __init__(self) -> None:
        self.count = 0
        self._named: list[str] = []

    @classmethod
    def of(cls, paths: Iterable[str]) -> Self:
        """Returns a sample of paths, of which the first are named."""
        sample = cls()
        for path in paths:
            sample.add(path)
        return sample

    def add(self, path: str) -> None:
        """Adds a path."""
        self.count += 1
        if len(self._named) < NAMED:
            self._named.append(path)

    def __bool__(self) -> bool:
        return self.count > 0

    def __str__(self) -> str:
        more = self.count - len(self._named)
        return ", ".join(self._named) + (f" and {more:,} more" if more else "")
