"""What happens next to each file of a log that is replayed backwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from ..log.actions import NO_RAW, Extra, Remove, key_of

KEPT = 50_000
"""So many removes wait for their adds in memory as they are: about 30 MB."""

SPOOL_BYTES = 8 << 20
"""Those beyond wait encoded, in memory up to this size, then on disk."""

_encode = msgspec.json.Encoder(enc_hook=str).encode  # an Extra is a str, but msgspec takes no subclasses


class End(NamedTuple):
    """What ends a file: a remove, or (without one) the same file added again."""

    version: int
    remove: Remove | None


class Ends:
    """The next thing that happens to each file, seen from where the replay stands.

    Kept as one integer a key: a remove's place, or -1 - version for an add. Places of removes that are kept in memory
    are even, the others are twice their place in the spool and one.
    """

    def __init__(self) -> None:
        self._next: dict[bytes, int] = {}
        self._kept: dict[int, End] = {}
        self._count = 0
        self._spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 (close() does)
        self._length = 0

    def close(self) -> None:
        """Gives the spool's memory and disk back."""
        self._spool.close()

    def spool(self, remove: Remove, version: int) -> tuple[bytes, int]:
        """Stores a remove; returns its file's key and its place."""
        if len(self._kept) < KEPT:
            self._count += 2
            self._kept[self._count] = End(version, _detached(remove))
            return key_of(remove), self._count
        record = _encode((version, remove))
        place, self._length = self._length, self._length + len(record) + 4
        self._spool.write(len(record).to_bytes(4, "little"))
        self._spool.write(record)
        return key_of(remove), 2 * place + 1

    def put(self, key: bytes, place: int) -> None:
        """Says that the remove at `place` comes next for the file."""
        self._next[key] = place

    def begin(self, keys: Sequence[bytes], version: int) -> dict[int, End]:
        """Says that adds at `version` come next for files; returns what came next until now, by the keys' places."""
        later, begun = self._next, -1 - version
        fresh = dict.fromkeys(keys, begun)
        if len(fresh) < len(keys):  # one key twice: one after the other, so that the second meets the first
            return {at: end for at, key in enumerate(keys) for end in self.begin((key,), version).values()}
        found = list(map(later.get, keys))
        later.update(fresh)
        if found.count(None) == len(found):
            return {}
        return {at: self._taken(value) for at, value in enumerate(found) if value is not None}

    def begin_if_new(self, keys: Sequence[bytes], version: int) -> bool:
        """As `begin`, but only where nothing is known of any file and each is there once; tells whether it is so."""
        if len(set(keys)) < len(keys) or any(map(self._next.__contains__, keys)):
            return False
        self._next.update(dict.fromkeys(keys, -1 - version))
        return True

    def get(self, key: bytes) -> End | None:
        """Returns what comes next for the file."""
        value = self._next.get(key)
        return None if value is None else self._of(value)

    def at(self, place: int) -> End:
        """Returns the remove at a place, and leaves the spool ready to grow."""
        if place % 2 == 0:
            return self._kept[place]
        self._spool.seek(place // 2)
        length = int.from_bytes(self._spool.read(4), "little")
        version, remove = _SPOOLED.decode(self._spool.read(length))
        self._spool.seek(self._length)
        return End(version, remove)

    def remove_at(self, place: int) -> Remove:
        """Returns the remove at a place, without its version."""
        remove = self.at(place).remove
        assert remove is not None
        return remove

    def waiting(self) -> Iterator[tuple[int, Remove]]:
        """Yields the removes whose add was not met."""
        for value in self._next.values():
            if value >= 0:
                version, remove = self.at(value)
                assert remove is not None
                yield version, remove

    def _taken(self, value: int) -> End:
        """As `_of`, for the last time: an add comes before it now."""
        end = self._of(value)
        self._kept.pop(value, None)
        return end

    def _of(self, value: int) -> End:
        return self.at(value) if value >= 0 else End(-1 - value, None)


def _detached(remove: Remove) -> Remove:
    """Lets a remove outlive the bytes that it was decoded from: each piece of raw JSON holds on to all of them."""
    for name in ("partition_values", "tags", "deletion_vector"):
        raw = getattr(remove, name)
        if raw is not NO_RAW:
            setattr(remove, name, raw.copy())
    return remove


def _as_extra(kind: type, value: Any) -> Any:
    """Lets our own spool fill the field that the log may not."""
    if kind is Extra:
        return Extra(value)
    raise NotImplementedError(kind)


_SPOOLED = msgspec.json.Decoder(tuple[int, Remove], dec_hook=_as_extra)
