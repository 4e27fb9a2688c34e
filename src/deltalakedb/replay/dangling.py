"""Removes that find nothing, while their file is live under another deletion vector (or under none).

A file's key is its path and its deletion vector (PROTOCOL.md, "Add File and Remove File"), so such a remove removes
nothing. Some writers mean the path: Trino's OPTIMIZE does (trinodb/trino#31253), and rows are there twice afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..log.actions import Remove, deletion_vector_id
from .samples import PathSample

LOOKED_AT = 1000
"""So many removes are looked at, the others are taken for what they are: nothing bounds how many a log has."""


class Dangling(NamedTuple):
    """A remove that found nothing at its version."""

    path: str
    deletion_vector_id: str | None
    version: int


class Lifetime(NamedTuple):
    """When a file was live: from the version that added it up to the one that ended it, if any."""

    path: str
    deletion_vector_id: str | None
    added_version: int
    removed_version: int | None


class DanglingRemoves:
    """Collects removes that found nothing."""

    def __init__(self) -> None:
        self.found: list[Dangling] = []

    def note(self, remove: Remove, version: int) -> None:
        """Notes a remove of a version; raises msgspec.MsgspecError as `deletion_vector_id`."""
        if len(self.found) < LOOKED_AT:
            self.found.append(Dangling(remove.path, deletion_vector_id(remove.deletion_vector), version))


def under_another_vector(dangling: Iterable[Dangling], lifetimes: Iterable[Lifetime]) -> Iterator[str]:
    """Yields a line on the removes whose files were live under another vector, and stayed so.

    Args:
        dangling: removes that found nothing.
        lifetimes: lifetimes of files, those of the same paths among them.
    """
    of_path: dict[str, list[Lifetime]] = {}
    for lifetime in lifetimes:
        of_path.setdefault(lifetime.path, []).append(lifetime)
    sample = PathSample()
    for remove in sorted(set(dangling), key=lambda remove: (remove.version, remove.path)):
        if any(_stays(lifetime, remove) for lifetime in of_path.get(remove.path, ())):
            sample.add(f"{remove.path} in version {remove.version}")
    if sample:
        yield f"Removes found nothing, since their files are there under another deletion vector: {sample}"


def _stays(lifetime: Lifetime, remove: Dangling) -> bool:
    _, vector, added, ended = lifetime
    is_live = added < remove.version and (ended is None or ended > remove.version)
    return is_live and vector != remove.deletion_vector_id
