"""One commit on top of a state that is already in rows: what it adds to them, and which of them it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from ..log.actions import Add, Remove, deletion_vector_id, file_key, key_of
from ..rows import FileLifetime, Files
from .dangling import DanglingRemoves
from .files import key_hash, lifetime, removed, tombstone
from .state import CommitState

FileKey = tuple[str, str | None]
FindLive = Callable[[Iterable[int]], dict[FileKey, FileLifetime]]
"""Returns the live files among those with one of the given key hashes."""

_CHUNK = 500
_T = TypeVar("_T")


@dataclass(slots=True)
class Step:
    """What a piece of a commit changes: live rows that end, and new rows."""

    ended: list[FileLifetime] = field(default_factory=list)
    added: Files = field(default_factory=Files)


class ForwardReplay:
    """Applies one commit. Call `remove` for all of its removes, then `add` for all of its adds.

    Gives the rows that a backward replay of the whole log gives.

    Attributes:
        dangling: removes that found nothing.
    """

    def __init__(self, state: CommitState, find_live: FindLive) -> None:
        self._state = state
        self._find_live = find_live
        self.dangling = DanglingRemoves()
        self._removed: set[bytes] = set()
        self._added: set[bytes] = set()

    @property
    def added(self) -> set[bytes]:
        """The keys of the files that the commit has added so far."""
        return self._added

    @property
    def removed(self) -> set[bytes]:
        """The keys of the files that the commit has removed so far."""
        return self._removed

    def remove(self, removes: Iterable[Remove]) -> Iterator[Step]:
        """Yields what the removes change, in pieces; the caller writes each before it asks for the next."""
        version = self._state.version
        for chunk in chunks(removes):
            keyed = [(remove, deletion_vector_id(remove.deletion_vector)) for remove in chunk]
            keys = [file_key(remove.path, dv_id) for remove, dv_id in keyed]
            live = self._find_live({key_hash(key) for key in keys})
            self._removed.update(keys)
            step = Step()
            for remove, dv_id in keyed:
                file = live.pop((remove.path, dv_id), None)
                if file is None:
                    step.added.append(tombstone(remove, version, self._state.own))
                    self.dangling.note(remove, version)
                else:
                    step.ended.append(removed(file, version, remove, self._state.own))
            yield step

    def add(self, adds: Iterable[Add]) -> Iterator[Step]:
        """Yields what the adds change, in pieces; the caller writes each before it asks for the next."""
        version = self._state.version
        for chunk in chunks(adds):
            step, hashes = Step(), set[int]()
            for add in chunk:
                key = key_of(add)
                if key in self._added:
                    self._state.duplicate("add", add)
                    continue
                if key in self._removed:
                    self._state.add_and_remove(add.path)
                self._added.add(key)
                hashes.add(key_hash(key))
                step.added.append(lifetime(add, key, version, self._state.own))
            live = self._find_live(hashes)
            again = (live.get((file.path, file.deletion_vector_id)) for file in step.added)
            step.ended = [file._replace(removed_version=version) for file in again if file is not None]
            yield step


def chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    """Yields items in lists of as many as are looked up at once."""
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
