"""Literals, however they are written → values of a column's type.

A literal is read as its column's type has it: in `day = '2024-01-01'` a date, if `day` is one. Times without a zone
are UTC, as in delta-rs.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation

from ...columns import Column, Family, Value
from ...errors import ArgumentError

_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?)?"
    r"\s*(Z|z|UTC|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_TRUTHS = {"true": True, "false": False, **dict.fromkeys(("t", "f", "y", "n", "yes", "no", "on", "off", "1", "0"))}
"""Texts of a boolean; what not every engine takes for one is None."""

_FAR_YEAR = re.compile(r"[+-]\d{4,}-\d.*|\d{5,}-\d.*", re.ASCII)


def typed(raw: object, column: Column) -> Value | None:
    """Returns a literal as a value of the column's type; None where it has none that compares for sure.

    Args:
        raw: a Python value, not None. Text is read as a value of the column's type.
        column: the column that it is compared with.

    Raises:
        ArgumentError: the type can't have such a value.
    """
    if column.collated:
        return None
    match column.family:
        case Family.INTEGER | Family.DECIMAL:
            return _number(raw, column)
        case Family.FLOAT | Family.DOUBLE:
            return _float(raw, column)
        case Family.STRING:
            return _text(raw) if isinstance(raw, str) else None
        case Family.BOOLEAN:
            return _boolean(raw, column)
        case Family.BINARY:
            return (
                raw.encode(errors="surrogateescape")
                if isinstance(raw, str)
                else bytes(raw)
                if isinstance(raw, bytes)
                else None
            )
        case Family.DATE:
            return _date(raw, column)
        case Family.TIMESTAMP | Family.TIMESTAMP_NTZ:
            return _timestamp(raw, column)
        case _:
            return None


def parse_date(text: str) -> date | None:
    """Returns the date that a text means, None where it means none of the years 1 to 9999."""
    found = _DATE.fullmatch(text)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def parse_timestamp(text: str) -> datetime | None:
    """Returns the time that a text means, with its zone if it has one.

    None where it isn't one, lies outside the years 1 to 9999, or is finer than microseconds.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    *numbers, fraction, zone = found.groups()
    if fraction and fraction[6:].strip("0"):
        return None
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    try:
        moment = datetime(*(int(number or 0) for number in numbers), micros)  # type: ignore[arg-type, call-arg]  # noqa: DTZ001
        return moment if zone is None else moment.replace(tzinfo=_zone(zone))
    except (ValueError, OverflowError):
        return None


def _zone(text: str) -> timezone:
    if text in ("Z", "z", "UTC"):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _number(raw: object, column: Column) -> int | Decimal | None:
    value = _decimal(raw, column)
    if value is None or not value.is_finite() or value.adjusted() > 1000:
        return None
    if column.family is not Family.INTEGER:
        return value
    if value == value.to_integral_value():
        return int(value)
    return None if isinstance(raw, str) else value  # some engines cut a text off behind the point


def _decimal(raw: object, column: Column) -> Decimal | None:
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int | Decimal):
        return Decimal(raw)
    if isinstance(raw, float):
        return Decimal(repr(raw))
    if not isinstance(raw, str):
        return None
    try:
        return Decimal(raw.strip())
    except InvalidOperation as error:
        raise _no_such(raw, column) from error


def _float(raw: object, column: Column) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal | str):
        return None
    try:
        value = float(raw)
    except OverflowError:
        return None
    except ValueError as error:
        raise _no_such(raw, column) from error
    return value + 0.0 if math.isfinite(value) else None  # -0.0 is 0.0


def _text(raw: str) -> str:
    try:
        raw.encode()
    except UnicodeEncodeError as error:
        raise ArgumentError(f"Not UTF-8: {raw!a}") from error
    return raw


def _boolean(raw: object, column: Column) -> bool | None:
    if isinstance(raw, str):
        word = raw.strip().lower()
        if word not in _TRUTHS:
            raise _no_such(raw, column)
        return _TRUTHS[word]
    return raw if isinstance(raw, bool) else None


def _bytes(raw: object) -> bytes | None:
    if isinstance(raw, str):
        return raw.encode(errors="surrogateescape")
    return bytes(raw) if isinstance(raw, bytes) else None


def _date(raw: object, column: Column) -> date | None:
    if isinstance(raw, str):
        found = parse_date(raw.strip())
        raw = found if found is not None else _moment(raw, column)
    if isinstance(raw, datetime):
        return raw.date() if raw.tzinfo is None and raw.time() == time() else None
    return raw if isinstance(raw, date) else None


def _timestamp(raw: object, column: Column) -> datetime | None:
    if isinstance(raw, str):
        raw = _moment(raw, column)
    elif isinstance(raw, date) and not isinstance(raw, datetime):
        raw = datetime.combine(raw, time())
    if not isinstance(raw, datetime):
        return None
    if column.family is Family.TIMESTAMP:
        return _utc(raw if raw.tzinfo else raw.replace(tzinfo=UTC))
    if raw.tzinfo is None:
        return raw
    return raw.replace(tzinfo=None) if not raw.utcoffset() else None


def _utc(moment: datetime) -> datetime | None:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def _moment(text: str, column: Column) -> datetime | None:
    found = parse_timestamp(text)
    if found is None and not _TIME.fullmatch(text.strip()) and not _FAR_YEAR.fullmatch(text.strip()):
        raise _no_such(text, column)
    return found


def _no_such(raw: object, column: Column) -> ArgumentError:
    return ArgumentError(f"{raw!r} is no value of column {column.name!r}, which is of type {column.kind}")
