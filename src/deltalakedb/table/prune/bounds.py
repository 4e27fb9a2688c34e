"""What a file's minimum or maximum must be for all its values to lie on one side of a literal.

Statistics are bounds, and bounds as writers write them (PROTOCOL.md, "Per-file Statistics"): not always the values.
Every rule here is on the safe side of how they are known to be cut or rounded, and the literal is what is moved, so
that files are only compared.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Literal, TypeAlias

from ...columns import Column, Family, Value
from ...file_statistics import EXACT_DIGITS, KEPT_BYTES, WIDEST_ZONE, following

Side: TypeAlias = Literal["minValues", "maxValues"]
Comparison: TypeAlias = Literal["<", "<=", ">", ">="]

_MICROSECOND = timedelta(microseconds=1)


_DAY, _TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_PARTS, _MILLISECONDS = r"([.][0-9]*)?", r"[.][0-9]{3}[0-9]*"


class Shape(Enum):
    """How the text of a bound must begin for it to be compared as text; None for any text.

    A year has four digits in all of them: `-0001` and `+10000` are no texts in the order of time.
    """

    ANY = None
    DATE = rf"{_DAY}\Z"
    ZONED = rf"{_DAY}T[0-9]{{2}}:"
    UTC = rf"{_DAY}T{_TIME}{_PARTS}Z\Z"
    UTC_FINE = rf"{_DAY}T{_TIME}{_MILLISECONDS}Z\Z"
    LOCAL = rf"{_DAY}T{_TIME}{_PARTS}Z?\Z"
    LOCAL_FINE = rf"{_DAY}T{_TIME}{_MILLISECONDS}Z?\Z"
    BLANK = rf"{_DAY} {_TIME}{_PARTS}Z?\Z"
    BLANK_FINE = rf"{_DAY} {_TIME}{_MILLISECONDS}Z?\Z"


@dataclass(frozen=True, slots=True)
class Bound:
    """A test of a file's minimum or maximum of one column: false where it is missing, of another type, or clamped.

    Numbers are compared as numbers, texts by their bytes, false before true.
    """

    side: Side
    column: Column
    op: Comparison
    value: Decimal | str | bool
    shape: Shape = Shape.ANY


def below(column: Column, value: Value, *, or_equal: bool = False) -> tuple[Bound, ...]:
    """Returns tests each of which proves that all values of a file lie below a literal (or equal it)."""
    return _tests(column, "maxValues", value, or_equal=or_equal)


def above(column: Column, value: Value, *, or_equal: bool = False) -> tuple[Bound, ...]:
    """Returns tests each of which proves that all values of a file lie above a literal (or equal it)."""
    return _tests(column, "minValues", value, or_equal=or_equal)


def _tests(column: Column, side: Side, value: Value, *, or_equal: bool) -> tuple[Bound, ...]:
    match column.bounds_family, value:
        case Family.INTEGER, int():
            return (Bound(side, column, _op(side, or_equal=or_equal), Decimal(value)),)
        case Family.DECIMAL, int() | Decimal():
            return (_decimal(column, side, Decimal(value), or_equal=or_equal),)
        case Family.DOUBLE, float():
            return _double(column, side, value, or_equal=or_equal)
        case Family.FLOAT, float():
            return _single(column, side, value, or_equal=or_equal)
        case Family.STRING, str():
            return _text(column, side, value, or_equal=or_equal)
        case Family.BOOLEAN, bool():
            return (Bound(side, column, _op(side, or_equal=or_equal), value),)
        case ((Family.TIMESTAMP | Family.TIMESTAMP_NTZ), datetime()):
            return tuple(_timestamp(column, side, value, or_equal=or_equal))
        case Family.DATE, date():
            return (Bound(side, column, _op(side, or_equal=or_equal), value.isoformat(), Shape.DATE),)
        case _:
            return ()  # binary has no bounds


def _op(side: Side, *, or_equal: bool) -> Comparison:
    if side == "maxValues":
        return "<=" if or_equal else "<"
    return ">=" if or_equal else ">"


def _decimal(column: Column, side: Side, value: Decimal, *, or_equal: bool) -> Bound:
    """Beyond the digits of a double, a bound may be the nearest double: lower than the maximum, say.

    So may the literal: DataFusion compares a decimal with all digits of the double that is nearest to it.
    """
    if column.precision <= EXACT_DIGITS and _is_double(value):
        return Bound(side, column, _op(side, or_equal=or_equal), value)
    down = side == "maxValues"
    # Some engines compare as doubles, too: what is next to the nearest one is not equal to it.
    edge = _next_double(float(value), down=down)
    safe = value if math.isinf(edge) else Decimal(repr(edge))
    return Bound(side, column, _op(side, or_equal=False), min(value, safe) if down else max(value, safe))


def _is_double(value: Decimal) -> bool:
    """Whether a number is a double itself, not only near one."""
    double = float(value)
    return math.isfinite(double) and Decimal(double) == value


def _double(column: Column, side: Side, value: float, *, or_equal: bool) -> tuple[Bound, ...]:
    """Any text of a double that is nearest to it will do: the test is against the next double, that one included."""
    # To some engines -0.0 is less than 0.0.
    edge = value if or_equal and value else _next_double(value, down=side == "maxValues")
    # Beyond the greatest one nothing lies, and its shortest text is less than it is.
    return () if math.isinf(edge) else (Bound(side, column, _op(side, or_equal=True), Decimal(repr(edge))),)


def _single(column: Column, side: Side, value: float, *, or_equal: bool) -> tuple[Bound, ...]:
    """Some engines compare floats with a literal as doubles, others round it to 32 bits first: both must agree."""
    try:
        rounded = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return ()
    down = side == "maxValues"
    agree = rounded <= value if down else rounded >= value
    edge = rounded if or_equal and agree and rounded else _next_single(rounded, down=down)
    return (Bound(side, column, _op(side, or_equal=True), Decimal(edge)),) if math.isfinite(edge) else ()


def _next_double(value: float, *, down: bool) -> float:
    return math.nextafter(value, -math.inf if down else math.inf)


def _next_single(value: float, *, down: bool) -> float:
    if value == 0:
        return -(2.0**-149) if down else 2.0**-149
    bits = struct.unpack("<i", struct.pack("<f", value))[0]
    bits += 1 if (value > 0) != down else -1
    return float(struct.unpack("<f", struct.pack("<i", bits))[0])


def _text(column: Column, side: Side, value: str, *, or_equal: bool) -> tuple[Bound, ...]:
    """A bound of a long string is a piece of it: only the bytes that are there for sure are compared."""
    kept = value.partition("\0")[0]  # no JSON of a database holds it
    encoded = kept.encode()
    if len(encoded) > KEPT_BYTES:
        kept = encoded[:KEPT_BYTES].decode(errors="ignore")
    if kept == value:
        return (Bound(side, column, _op(side, or_equal=or_equal), value),)
    if side == "maxValues":
        return (Bound(side, column, "<", kept),)
    behind = following(kept)
    return () if behind is None else (Bound(side, column, ">=", behind),)


def _timestamp(column: Column, side: Side, value: datetime, *, or_equal: bool) -> list[Bound]:
    """Tests for every way in which times are written; those that the file has not are false.

    Bounds are cut to milliseconds, a maximum too, so it may be up to one too low. With a zone that is not UTC, or with
    none where there should be one, a text tells the time to within 18 hours.
    """
    moment = value.replace(tzinfo=None)
    local = column.family is Family.TIMESTAMP_NTZ
    exact, fine = (Shape.LOCAL, Shape.LOCAL_FINE) if local else (Shape.UTC, Shape.UTC_FINE)
    if side == "maxValues":
        limit = _moved(moment, _MICROSECOND) if or_equal else moment
        wide = None if limit is None else _moved(limit, -WIDEST_ZONE)
        texts = [(exact, _shortest(limit)), (Shape.ZONED, _shortest(wide))]
        texts += [(Shape.BLANK, _shortest(limit, " "))] if local else []
        return [Bound(side, column, "<", text, shape) for shape, text in texts if text is not None]
    limit = _moved(moment, -_MICROSECOND) if or_equal else moment
    wide = None if limit is None else _moved(limit, WIDEST_ZONE)
    texts = [(fine, _to_millisecond(limit)), (exact, _to_second(limit)), (Shape.ZONED, _to_second(wide))]
    if local:
        texts += [(Shape.BLANK_FINE, _to_millisecond(limit, " ")), (Shape.BLANK, _to_second(limit, " "))]
    return [Bound(side, column, ">", text, shape) for shape, text in texts if text is not None]


def _moved(moment: datetime, by: timedelta) -> datetime | None:
    try:
        return moment + by
    except OverflowError:
        return None


def _shortest(moment: datetime | None, between: str = "T") -> str | None:
    """A text, cut to milliseconds, that every text of the same time is not less than."""
    if moment is None:
        return None
    text = _iso(moment, between, "milliseconds")
    return text.rstrip("0").rstrip(".") if text[-4] == "." else text


def _to_millisecond(moment: datetime | None, between: str = "T") -> str | None:
    """A text that every longer text of the same millisecond is not greater than."""
    return None if moment is None else _iso(moment, between, "milliseconds") + "~"


def _to_second(moment: datetime | None, between: str = "T") -> str | None:
    """A text that every text of the same second is not greater than."""
    return None if moment is None else _iso(moment, between, "seconds") + "~"


def _iso(moment: datetime, between: str, digits: str) -> str:
    return moment.isoformat(between, digits)
