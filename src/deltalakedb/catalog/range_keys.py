"""Bounds of any type → 64-bit integers in the same order, for one index that serves all types.

Values are only ever moved outwards: the range of a file covers all its values, though it may be wider than they are.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any

LEAST, MOST = -(2**63), 2**63 - 1
"""The ends of a range that is not known."""

LAST_LEVEL = 62
"""The level of the widest ranges, those that are not known included."""

_BYTES = 8
_MOST_SHARED = 20
"""So many bytes may be shared, for the next 8 to be there in a text that was cut (29 bytes are, at least)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CUT_MICROSECONDS = 999
_WIDEST_ZONE = timedelta(hours=18)
_SINGLE = 2.0**-21
"""How far a 32-bit number may lie from what engines or writers make of it, as a part of itself."""


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
        family: how the column's values compare: `integer`, `string`, …
        value: as JSON has it, or as Python does.
        up: whether it bounds values from above.
        shared: what the texts of the index begin with.
    """
    if family == "string" and isinstance(value, str):
        return _text(value, shared)
    reader = _READERS.get(family)
    found = None if reader is None or value is None else reader(value, up)
    if found is None:
        return MOST if up else LEAST
    return max(LEAST, min(MOST, found))


def _integer(value: Any, up: bool) -> int | None:  # noqa: ARG001 (integers are exact)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _boolean(value: Any, up: bool) -> int | None:  # noqa: ARG001
    return int(value) if isinstance(value, bool) else None


def _date(value: Any, up: bool) -> int | None:  # noqa: ARG001
    if isinstance(value, str) and len(value) == len("2024-01-01"):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            return None
    return value.toordinal() if isinstance(value, date) and not isinstance(value, datetime) else None


def _timestamp(value: Any, up: bool) -> int | None:
    """Texts are cut to milliseconds; without a zone they may be of any."""
    wide = timedelta(0)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
        wide = _WIDEST_ZONE if value.tzinfo is None else wide
        return _micros(value, wide if up else -wide) + (_CUT_MICROSECONDS if up else 0)
    return _micros(value, wide) if isinstance(value, datetime) else None


def _timestamp_ntz(value: Any, up: bool) -> int | None:
    if not isinstance(value, str):
        return _micros(value, timedelta(0)) if isinstance(value, datetime) else None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    wide = _WIDEST_ZONE if moment.utcoffset() else timedelta(0)
    return _micros(moment, wide if up else -wide) + (_CUT_MICROSECONDS if up else 0)


def _micros(moment: datetime, moved: timedelta) -> int:
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (zoned - _EPOCH + moved) // _MICROSECOND


def _double(value: Any, up: bool) -> int | None:
    number = _float(value)
    return None if number is None else _bits(math.nextafter(number, math.inf if up else -math.inf))


def _single(value: Any, up: bool) -> int | None:
    number = _float(value)
    if number is None:
        return None
    wide = abs(number) * _SINGLE + 2.0**-148
    return _bits(number + wide if up else number - wide)


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


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


_READERS: dict[str, Callable[[Any, bool], int | None]] = {
    "integer": _integer,
    "decimal": _double,
    "float": _single,
    "double": _double,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "timestamp_ntz": _timestamp_ntz,
}
INDEXED = frozenset({*_READERS, "string"})
"""The families of columns that an index can be made for."""
