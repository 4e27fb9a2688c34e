"""What a file's statistics prove of its rows (PROTOCOL.md, "Per-file Statistics").

Statistics are bounds as writers write them, not always the values: strings are cut off, times too, decimals come by way
of doubles, floats have the digits of 32 bits. `limit` moves a bound outwards, beyond all that it may stand for: indexes
of columns and pyarrow's datasets go by that. A predicate moves its literals inwards instead, by the same constants
(`table/prune/bounds.py`), so that a million files are only compared; a test holds the two against each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .columns import Column, Family

KEPT_BYTES = 28
"""So much of a long string is in its bound for sure: writers cut at 32 letters or bytes, maybe within a letter."""

EXACT_DIGITS = 15
"""So many digits come through a double unharmed. Some writers (delta-rs) write decimals by way of doubles."""

CUT_OFF = timedelta(milliseconds=1) - timedelta(microseconds=1)
"""Writers cut times off at milliseconds, the maximum too."""

WIDEST_ZONE = timedelta(hours=18)
"""With a zone that is not what the column has, a text tells the time to within this."""

CLAMPED = frozenset((-(2**63), 2**63 - 1, 2**63))
"""Bounds of decimals that prove nothing: deltalake to 1.6 writes what lies farther out as these ends of 64 bits."""

SINGLE = 2.0**-21
"""How far a number of 32 bits may lie from what engines or writers make of it, as a part of itself."""

Limit = int | float | bool | str | date | datetime


def counts_nulls(column: Column) -> bool:
    """Tells whether `nullCount` is of a column's rows: deltalake 0.22 to 1.5.1 counts the elements of lists."""
    return column.is_primitive


def limit(family: Family, bound: Any, *, up: bool) -> Limit | None:
    """Returns what all values lie at or below (or above) where statistics have a bound; None where that is unknown.

    NaN is in no bounds.

    Args:
        family: how the column's values compare: its `Column.bounds_family`.
        bound: as JSON has it, or as Python does.
        up: whether it is the maximum.
    """
    reader = _LIMITS.get(family)
    try:
        return None if reader is None or bound is None else reader(bound, up)
    except OverflowError:
        return None


def _integer(bound: Any, up: bool) -> int | None:  # noqa: ARG001 (integers are exact)
    return int(bound) if isinstance(bound, int) and not isinstance(bound, bool) else None


def _boolean(bound: Any, up: bool) -> bool | None:  # noqa: ARG001
    return bound if isinstance(bound, bool) else None


def _date(bound: Any, up: bool) -> date | None:  # noqa: ARG001
    if isinstance(bound, str) and len(bound) == len("2024-01-01"):
        try:
            return date.fromisoformat(bound)
        except ValueError:
            return None
    return bound if isinstance(bound, date) and not isinstance(bound, datetime) else None


def _timestamp(bound: Any, up: bool) -> datetime | None:
    """A text without a zone may be of any."""
    return _moved(bound, up, of_any_zone=lambda moment: moment.tzinfo is None)


def _timestamp_ntz(bound: Any, up: bool) -> datetime | None:
    moment = _moved(bound, up, of_any_zone=lambda moment: bool(moment.utcoffset()))
    return None if moment is None else moment.replace(tzinfo=None)


def _moved(bound: Any, up: bool, of_any_zone: Callable[[datetime], bool]) -> datetime | None:
    if isinstance(bound, datetime):
        return _in_utc(bound)
    try:
        moment = datetime.fromisoformat(bound)
    except (ValueError, TypeError):
        return None
    wide = WIDEST_ZONE if of_any_zone(moment) else timedelta(0)
    return _in_utc(moment) + (wide + CUT_OFF if up else -wide)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _decimal(bound: Any, up: bool) -> float | None:
    return None if isinstance(bound, int | float | Decimal) and bound in CLAMPED else _double(bound, up)


def _double(bound: Any, up: bool) -> float | None:
    number = _number(bound)
    return None if number is None else math.nextafter(number, math.inf if up else -math.inf)


def _single(bound: Any, up: bool) -> float | None:
    number = _number(bound)
    if number is None:
        return None
    wide = abs(number) * SINGLE + 2.0**-148
    return number + wide if up else number - wide


def _number(bound: Any) -> float | None:
    if isinstance(bound, bool) or not isinstance(bound, int | float | Decimal):
        return None
    number = float(bound)
    return number if math.isfinite(number) else None


def _string(bound: Any, up: bool) -> str | None:
    if not isinstance(bound, str):
        return None
    encoded = bound.encode(errors="replace")
    if len(encoded) <= KEPT_BYTES:
        return bound
    kept = encoded[:KEPT_BYTES].decode(errors="ignore")
    return following(kept) if up else kept


def following(prefix: str) -> str | None:
    """Returns the least text greater than all that begin with a prefix; None where there is none."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    last = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if last == 0xD800 else last)


_LIMITS: dict[Family, Callable[[Any, bool], Limit | None]] = {
    Family.INTEGER: _integer,
    Family.DECIMAL: _decimal,
    Family.FLOAT: _single,
    Family.DOUBLE: _double,
    Family.STRING: _string,
    Family.BOOLEAN: _boolean,
    Family.DATE: _date,
    Family.TIMESTAMP: _timestamp,
    Family.TIMESTAMP_NTZ: _timestamp_ntz,
}
