"""What happens next to each file of a log that is replayed backwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from ..log.actions import Extra, Remove, key_of

SPOOL_BYTES = 32 << 20
"""Removes wait for their adds in memory up to this size, beyond it on disk."""

_encode = msgspec.json.Encoder(enc_hook=str).encode  # an Extra is a str, but msgspec takes no subclasses


class End(NamedTuple):
    """What ends a file: a remove, or (without one) the same file added again."""

    version: int
    remove: Remove | None


class Ends:
    """The next thing that happens to each file, seen from where the replay stands.

    Kept as one integer a key: a place in the spool for a remove, or -1 - version for an add.
    """

    def __init__(self) -> None:
        self._next: dict[bytes, int] = {}
        self._spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 (close() does)
        self._length = 0

    def close(self) -> None:
        """Gives the spool's memory and disk back."""
        self._spool.close()

    def spool(self, remove: Remove, version: int) -> tuple[bytes, int]:
        """Stores a remove; returns its file's key and its place."""
        record = _encode((version, remove))
        place, self._length = self._length, self._length + len(record) + 4
        self._spool.write(len(record).to_bytes(4, "little"))
        self._spool.write(record)
        return key_of(remove), place

    def put(self, key: bytes, place: int) -> None:
        """Says that the remove at `place` comes next for the file."""
        self._next[key] = place

    def begin(self, keys: Iterable[bytes], version: int) -> list[End | None]:
        """Says that adds at `version` come next for files; returns what came next for each until now."""
        later, begun, found = self._next, -1 - version, []
        for key in keys:
            value = later.get(key)
            later[key] = begun
            found.append(None if value is None else self._of(value))
        return found

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
        self._spool.seek(place)
        length = int.from_bytes(self._spool.read(4), "little")
        version, remove = _SPOOLED.decode(self._spool.read(length))
        self._spool.seek(self._length)
        return End(version, remove)

    def ended_at(self, remove: Remove, version: int) -> bool:
        """Tells whether the file's next event is a remove at `version`."""
        end = self.get(key_of(remove))
        return end is not None and end.remove is not None and end.version == version

    def waiting(self) -> Iterator[tuple[int, Remove]]:
        """Yields the removes whose add was not met."""
        for value in self._next.values():
            if value >= 0:
                version, remove = self.at(value)
                assert remove is not None
                yield version, remove

    def _of(self, value: int) -> End:
        return self.at(value) if value >= 0 else End(-1 - value, None)


def _as_extra(kind: type, value: Any) -> Any:
    """Lets our own spool fill the field that the log may not."""
    if kind is Extra:
        return Extra(value)
    raise NotImplementedError(kind)


_SPOOLED = msgspec.json.Decoder(tuple[int, Remove], dec_hook=_as_extra)
