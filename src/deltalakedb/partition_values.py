"""Partition values: what the log spells → values of their columns' types.

Source: PROTOCOL.md, "Partition Value Serialization".

Every way of reading a table takes them from here: rows, listings, predicates, views and pages. Spark decides what a
spelling means, since its tables have the most of them: it reads `2024-1-5`, `+1`, seven digits of a second. Where Spark
finds no value it gives NULL, as it does where there is none; here that is an error.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from .columns import Column, Family, Value

NULL_IN_PATHS = "__HIVE_DEFAULT_PARTITION__"
"""What NULL is in the names of folders. In a log it is a text where the column has texts, and NULL elsewhere."""


class PartitionValueError(ValueError):
    """A partition value that is none of its column's type."""


Texts = Mapping[str, str | None]
"""A file's partition values as texts, by physical name."""

_RAW_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


@lru_cache(maxsize=10_000)
def texts_of(partition_values: str) -> Texts:
    """Returns the texts of an add's `partitionValues`, which is a JSON object. Nothing may change what is returned.

    Some writers have numbers and booleans there: they are the text that they are.
    """
    return {name: _text(bytes(raw)) for name, raw in _RAW_OBJECT.decode(partition_values).items()}


def _text(raw: bytes) -> str | None:
    if raw == b"null":
        return None
    return msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else raw.decode()


def value_of(texts: Texts, column: Column) -> Value | None:
    """Returns the value of one partition column; None for NULL, which a missing value and the empty text are, too.

    Raises:
        PartitionValueError: no value of the column's type.
    """
    return read(texts.get(column.physical[0]), column)


def values_of(partition_values: str, columns: Sequence[Column]) -> tuple[Value | None, ...]:
    """Returns the values that a file has for partition columns; `partition_values` are those of its add, as JSON.

    Raises:
        PartitionValueError: one of them is no value of its column's type.
    """
    texts = texts_of(partition_values)
    return tuple(value_of(texts, column) for column in columns)


def read(text: str | None, column: Column) -> Value | None:
    """Returns a partition value as one of its column's type; None for NULL.

    Floats are rounded to 32 bits, decimals to their column's scale; a time without a zone is in UTC.

    Raises:
        PartitionValueError: it is none: a word, a number out of range, a date that there isn't.
    """
    if text is None or text == "" or (text == NULL_IN_PATHS and column.family is not Family.STRING):
        return None
    return _read(text, column)


@lru_cache(maxsize=10_000)
def _read(text: str, column: Column) -> Value:
    reader = _READERS.get(column.family)
    value = None if reader is None else reader(text, column)
    if value is None:
        raise PartitionValueError(
            f"partition column {column.name!r}, which is of type {column.kind}, has the value {text!r}"
        )
    return value


def spell(value: Value | None, column: Column) -> str | None:
    """Returns the text of a value in the form that every reader understands."""
    match column.family, value:
        case _, None:
            return None
        case Family.BOOLEAN, bool():
            return str(value).lower()
        case Family.DECIMAL, Decimal():
            return f"{value:f}"
        case ((Family.FLOAT | Family.DOUBLE), float()):
            return _spell_float(value, single=column.family is Family.FLOAT)
        case _, datetime():
            return value.replace(tzinfo=None).isoformat(" ")
        case _, date():
            return value.isoformat()
        case _, bytes():
            return value.decode(errors="surrogateescape")
        case _:
            return str(value)


def _spell_float(value: float, *, single: bool) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if single:  # as few digits as tell it from its neighbours
        return next(text for digits in range(1, 18) if rounded(float(text := f"{value:.{digits}g}")) == value)
    return repr(value)


def rounded(value: float) -> float:
    """Returns the nearest number of 32 bits."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


# ---- one type after the other, as Spark casts them: None where it has NULL

_INTEGER = re.compile(r"([+-]?\d{1,100})(?:\.\d*)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?", re.ASCII)
_FLOAT = re.compile(rf"({_DECIMAL.pattern})[dDfF]?", re.ASCII)
_WORDS = re.compile(r"[+-]?(?:inf|infinity)|nan", re.IGNORECASE)
_BITS = {"byte": 7, "short": 15, "integer": 31, "long": 63}
_TRUE, _FALSE = frozenset({"t", "true", "y", "yes", "1"}), frozenset({"f", "false", "n", "no", "0"})
_DAY = r"([+-]?\d{4,7})(?:-(\d{1,2})(?:-(\d{1,2})"
_DATE = re.compile(rf"{_DAY}(?:[ T].*)?)?)?", re.ASCII | re.DOTALL)
_TIME = re.compile(
    rf"{_DAY}(?:[ T](?:(\d{{1,2}}):(\d{{1,2}})(?::(\d{{1,2}})(?:\.(\d*))?)?)?\s*(\S.*)?)?)?)?", re.ASCII | re.DOTALL
)
_OFFSET = re.compile(r"(?:UTC|GMT|UT)?([+-])(\d{1,2})(?::?(\d{2})(?::?(\d{2}))?)?", re.ASCII)


def _integer(text: str, column: Column) -> int | None:
    """What is behind a point is cut off."""
    match = _INTEGER.fullmatch(text.strip())
    value = None if match is None else int(match[1])
    limit = 1 << _BITS[column.kind]
    return value if value is not None and -limit <= value < limit else None


def _decimal(text: str, column: Column) -> Decimal | None:
    if not _DECIMAL.fullmatch(text.strip()):
        return None
    number = Decimal(text.strip())
    if number and number.adjusted() >= column.precision - column.scale:
        return None
    with localcontext(prec=100):
        value = number.quantize(Decimal(1).scaleb(-column.scale), ROUND_HALF_UP)
    if not value:
        return abs(value)  # there is no -0 among decimals
    return value if value.adjusted() < column.precision - column.scale else None


def _double(text: str, _: Column) -> float | None:
    stripped = text.strip()
    if _WORDS.fullmatch(stripped):
        return float(stripped)
    match = _FLOAT.fullmatch(stripped)
    return None if match is None else float(match[1])


def _float(text: str, column: Column) -> float | None:
    value = _double(text, column)
    return None if value is None else rounded(value)


def _string(text: str, _: Column) -> str:
    return text


def _boolean(text: str, _: Column) -> bool | None:
    word = text.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _binary(text: str, _: Column) -> bytes:
    """The bytes of the text: readers leave the escapes that delta-rs writes as they are."""
    return text.encode(errors="surrogateescape")


def _date(text: str, _: Column) -> date | None:
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    try:
        return date(*(int(part or 1) for part in match.groups()))
    except ValueError:
        return None


def _timestamp(text: str, _: Column) -> datetime | None:
    moment, zone = _moment(text)
    try:
        return None if moment is None else moment.replace(tzinfo=zone or UTC).astimezone(UTC)
    except OverflowError:
        return None


def _timestamp_ntz(text: str, _: Column) -> datetime | None:
    """A zone counts for nothing."""
    return _moment(text)[0]


def _moment(text: str) -> tuple[datetime | None, tzinfo | None]:
    """Returns a time, cut off at microseconds, and its zone if it has one."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None, None
    year, month, day, hour, minute, second, fraction, name = match.groups()
    zone = None if name is None else _zone(name.strip())
    if name is not None and (zone is None or hour is None):
        return None, None
    parts = (int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
    try:
        return datetime(*parts, int((fraction or "")[:6].ljust(6, "0"))), zone  # noqa: DTZ001 (the zone is apart)
    except ValueError:
        return None, None


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo | None:
    if name in ("Z", "UTC", "GMT", "UT"):
        return UTC
    match = _OFFSET.fullmatch(name)
    try:
        if match is None:
            return ZoneInfo(name)
        sign, hours, minutes, seconds = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0), seconds=int(seconds or 0))
        return timezone(-offset if sign == "-" else offset)
    except (ValueError, OSError, LookupError):
        return None


_READERS: dict[Family, Callable[[str, Column], Value | None]] = {
    Family.INTEGER: _integer,
    Family.DECIMAL: _decimal,
    Family.FLOAT: _float,
    Family.DOUBLE: _double,
    Family.STRING: _string,
    Family.BOOLEAN: _boolean,
    Family.BINARY: _binary,
    Family.DATE: _date,
    Family.TIMESTAMP: _timestamp,
    Family.TIMESTAMP_NTZ: _timestamp_ntz,
}
