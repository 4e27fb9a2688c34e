"""A checkpoint on top of a state that is already in rows, where the commits between the two are gone.

What the checkpoint has and the rows have not was added at its version, as far as anybody can tell, and what the rows
have and the checkpoint has not was removed at its version. A file that both have goes on. Where the commit of its
version contradicts it, the checkpoint is followed, as at the beginning of a log (replay/floor.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from ..log.actions import Add, Remove, deletion_vector_id, file_key, key_of
from ..log.add_columns import AddColumns
from ..rows import FileLifetime
from .files import key_hash, lifetimes, removed, tombstone
from .forward import FileKey, FindLive, ForwardReplay, Step, chunks
from .samples import PathSample

FindRemoved = Callable[[Iterable[int]], set[tuple[FileKey, int | None]]]
"""Returns the files that a remove ended, among those with one of the key hashes, with the remove's timestamp."""

_PLAIN = ("size", "modification_time", "base_row_id", "default_row_commit_version", "clustering_provider")
_JSON = ("partition_values", "stats", "tags", "deletion_vector")


class RebaseReplay:
    """Applies a checkpoint. Call `add` and `remove` for all that it holds, then `rest` for the rows of before.

    Memory holds 16 bytes of each file's key.

    Attributes:
        lacks: files that its own commit adds and the checkpoint lacks, once `rest` is used up.
        has: files that its own commit removes and the checkpoint has.

    Args:
        version: the checkpoint's version.
        own: the replay of the commit of that version, which comes before; None where that is gone, too.
        find_live: finds live rows.
        find_removed: finds rows that have ended.
    """

    def __init__(self, version: int, own: ForwardReplay | None, find_live: FindLive, find_removed: FindRemoved) -> None:
        self._version = version
        self._find_live = find_live
        self._find_removed = find_removed
        self._own_added = own.added if own else set[bytes]()
        self._own_removed = own.removed if own else set[bytes]()
        self._seen: set[bytes] = set()
        self._confirmed: set[bytes] = set()
        self.lacks, self.has = PathSample(), PathSample()

    def add(self, adds: Iterable[Add]) -> Iterator[Step]:
        """Yields what files of the checkpoint change; the caller writes each step before it asks for the next."""
        for chunk in chunks(adds):
            told = dict(zip(map(key_of, chunk), chunk, strict=True))
            new = {key: add for key, add in told.items() if key not in self._own_added and key not in self._seen}
            self._confirmed |= told.keys() & self._own_added
            for key in new.keys() & self._own_removed:
                self.has.add(new[key].path)
            self._seen.update(new)
            rows = lifetimes(AddColumns.of(list(new.values())), list(new), self._version)
            live = self._find_live({row.key_hash for row in rows})
            step = Step()
            for row in rows:
                before = live.get((row.path, row.deletion_vector_id))
                if before is not None and goes_on(before, row):
                    continue
                step.added.append(row)
                if before is not None:
                    step.ended.append(before._replace(removed_version=self._version))
            yield step

    def remove(self, removes: Iterable[Remove]) -> Iterator[Step]:
        """Yields what tombstones of the checkpoint change, as `add` does; those that the rows have change nothing."""
        for chunk in chunks(removes):
            keyed = [(remove, deletion_vector_id(remove.deletion_vector)) for remove in chunk]
            keys = [file_key(remove.path, dv_id) for remove, dv_id in keyed]
            hashes = {key_hash(key) for key in keys}
            live, known = self._find_live(hashes), self._find_removed(hashes)
            step = Step()
            for (remove, dv_id), key in zip(keyed, keys, strict=True):
                if key in self._own_removed or key in self._seen or key in self._own_added:
                    continue
                self._seen.add(key)
                file = live.get((remove.path, dv_id))
                if file is not None:
                    step.ended.append(removed(file, self._version, remove))
                elif ((remove.path, dv_id), remove.deletion_timestamp) not in known:
                    step.added.append(tombstone(remove, self._version))
            yield step

    def rest(self, live_before: Iterable[FileLifetime]) -> Iterator[Step]:
        """Yields the ends of files that the checkpoint knows nothing of: those that were live before it, or its own."""
        for chunk in chunks(file for file in live_before if self._is_gone(file)):
            yield Step(ended=[file._replace(removed_version=self._version) for file in chunk])
        for keys in chunks(self._own_added - self._confirmed):
            live = self._find_live(map(key_hash, keys)).values()
            own = [file for file in live if file_key(file.path, file.deletion_vector_id) in self._own_added]
            for file in own:
                self.lacks.add(file.path)
            yield Step(ended=[file._replace(removed_version=self._version) for file in own])

    def _is_gone(self, file: FileLifetime) -> bool:
        key = file_key(file.path, file.deletion_vector_id)
        return not (key in self._seen or key in self._own_added or key in self._own_removed)


def goes_on(before: FileLifetime, now: FileLifetime) -> bool:
    """Tells whether a checkpoint says of a file what its row says.

    A checkpoint without statistics says nothing about them: those of the file's commit are kept then. Nor does it say
    whether the file changed data, or what we don't model.
    """
    if now.stats is None:
        now = now._replace(stats=before.stats)
    if any(getattr(before, name) != getattr(now, name) for name in _PLAIN):
        return False
    if now.extra is not None and _parsed(now.extra) != _parsed(before.extra):
        return False
    pairs = ((getattr(before, name), getattr(now, name)) for name in _JSON)
    return all(old == new or _parsed(old) == _parsed(new) for old, new in pairs)


def _parsed(text: str | None) -> object:
    """Returns what a text of JSON says; what can't be read says itself."""
    try:
        return None if text is None else msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return text
