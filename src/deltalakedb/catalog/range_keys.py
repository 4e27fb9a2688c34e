"""Bounds of any type → 64-bit integers in the same order, for one index that serves all types.

Values are only ever moved outwards: the range of a file covers all its values, though it may be wider than they are.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import Any

from ..columns import Family
from ..file_statistics import KEPT_BYTES, limit

LEAST, MOST = -(2**63), 2**63 - 1
"""The ends of a range that is not known."""

LAST_LEVEL = 62
"""The level of the widest ranges, those that are not known included."""

_BYTES = 8
_MOST_SHARED = KEPT_BYTES - _BYTES
"""So many bytes may be shared, for the next 8 to be there in a text that was cut."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def level_of(low: int, high: int) -> int:
    """Returns the level of a range: it is narrower than 2 to the power of it, except on the last."""
    return min((high - low).bit_length(), LAST_LEVEL)


def shared_prefix(texts: Sequence[Any]) -> str:
    """Returns what the texts among some bounds begin with; their keys are made of the 8 bytes behind it."""
    known = [text for text in texts if isinstance(text, str)]
    least, greatest = min(known, default=""), max(known, default="")
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(least, greatest, strict=False))
    known_to_databases = "".join(letter for letter, _ in shared).partition("\0")[0]  # PostgreSQL has no NUL in texts
    return known_to_databases.encode()[:_MOST_SHARED].decode(errors="ignore")


def key(family: str, value: Any, *, up: bool, shared: str = "") -> int:
    """Returns the key of a bound in a file's statistics, or of a value; the end of all keys where it can't be told.

    Args:
        family: how the column's bounds compare: `integer`, `string`, …
        value: as JSON has it, or as Python does.
        up: whether it bounds values from above.
        shared: what the texts of the index begin with.
    """
    if family == Family.STRING and isinstance(value, str):
        return _text(value, shared)
    found = limit(Family(family), value, up=up)
    if found is None or isinstance(found, str):
        return MOST if up else LEAST
    return max(LEAST, min(MOST, _number(found)))


def _number(value: int | float | date | datetime) -> int:
    """Returns what a value is as an integer: numbers of one type keep their order."""
    if isinstance(value, datetime):
        return ((value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    if isinstance(value, date):
        return value.toordinal()
    return _bits(value) if isinstance(value, float) else int(value)


def _bits(value: float) -> int:
    """The bits of a double as an integer that is ordered as doubles are."""
    bits: int = struct.unpack("<q", struct.pack("<d", value + 0.0))[0]
    return bits if bits >= 0 else LEAST - bits - 1


def _text(value: str, shared: str) -> int:
    """The 8 bytes behind what is shared. A text that was cut still has them."""
    encoded, common = value.encode(errors="replace"), shared.encode()
    if not encoded.startswith(common):
        return LEAST if encoded < common else MOST
    piece = encoded[len(common) : len(common) + _BYTES].ljust(_BYTES, b"\0")
    return int.from_bytes(piece, "big") + LEAST


INDEXED = frozenset(Family) - {Family.BINARY, Family.OTHER}
"""The families of columns that an index can be made for."""
