"""Partition values, spelled in the ways in which writers spell them (PROTOCOL.md, "Partition Value Serialization")."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec

from tests.comparison.kinds import Dice, Kind, is_nan, shortest

NULL_SPELLINGS: tuple[Any, ...] = (None, None, "", ...)
"""How NULL is written; `...` is a value that is not there."""


def can_be_partition(kind: Kind, value: Any) -> bool:
    """Whether it is beyond doubt how a value is written, and that every database holds it."""
    match kind.family:
        case "string":
            return value != "" and "\0" not in value
        case "binary":
            return value != b"" and value.isascii() and not set(value) & set(b"\0\\")
    return True


def spelled(dice: Dice, kind: Kind, value: Any, *, odd: bool) -> Any:
    """Returns a value as JSON has it in `partitionValues`, a text most of the time.

    Args:
        dice: by which the spelling is chosen.
        kind: the column's type when the file was added.
        value: the value, of this type.
        odd: whether other spellings than those of delta-rs and Spark are chosen, too.
    """
    if value is None:
        return dice.choice(NULL_SPELLINGS)
    plain, others = _spellings(kind, value)
    return dice.choice(others if odd and others and dice.random() < 0.6 else plain)


def _spellings(kind: Kind, value: Any) -> tuple[list[Any], list[Any]]:
    """What delta-rs or Spark write, and what others do."""
    match kind.family:
        case "integer":
            return [str(value)], [value, *([f"+{value}"] if value >= 0 else [])]
        case "decimal":
            return _of_decimal(value)
        case "float" | "double":
            return _of_real(value, narrow=kind.family == "float")
        case "boolean":
            return [str(value).lower()], [value, str(value).upper()]
        case "date":
            return [value.isoformat()], [re.sub(r"-0(\d)", r"-\1", value.isoformat())]
        case "timestamp":
            return _of_moment(value)
        case "timestamp_ntz":
            return [_blank(value)], _longer(value)
        case "binary":
            return [value.decode("ascii")], []
    return [value], []


def _of_decimal(value: Decimal) -> tuple[list[Any], list[Any]]:
    text = f"{value:f}"
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return [text], [short, f"+{text}" if value > 0 else text, _number(text)]


def _of_real(value: float, *, narrow: bool) -> tuple[list[Any], list[Any]]:
    if is_nan(value):
        return ["NaN"], []
    if math.isinf(value):
        return ["Infinity" if value > 0 else "-Infinity"], ["inf" if value > 0 else "-inf"]
    text = shortest(value, narrow=narrow)
    text = text if any(mark in text for mark in ".e") else f"{text}.0"
    return [text, text.upper()], [repr(value), _number(text), text.removesuffix("0") if text.endswith(".0") else text]


def _of_moment(value: datetime) -> tuple[list[Any], list[Any]]:
    local = value.replace(tzinfo=None)
    utc = value.isoformat("T", "microseconds").replace("+00:00", "Z")
    others = _longer(local)
    if 1 < value.year < 9999:
        others.append(value.astimezone(timezone(timedelta(hours=1))).isoformat())
    return [_blank(local), utc], [*others, utc[:-1] + "+00:00"]


def _blank(value: datetime) -> str:
    digits = "" if not value.microsecond else "milliseconds" if value.microsecond % 1000 == 0 else "microseconds"
    return value.isoformat(" ", digits or "seconds")


def _longer(value: datetime) -> list[Any]:
    texts: list[Any] = [value.isoformat(" ", "microseconds") + "0", value.isoformat("T", "microseconds")]
    if value.hour < 10 and value.minute:
        texts.append(re.sub(" 0", " ", _blank(value)))
    if value.time() == datetime.min.replace(tzinfo=UTC).time():
        texts.append(value.date().isoformat())
    return texts


def _number(text: str) -> Any:
    return msgspec.Raw(text.encode())
