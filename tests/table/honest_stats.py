"""Random rows, and honest statistics of them, written in all the ways in which writers write them.

pools = draw(pools_of("s", "i"))   # a few values for each of these columns: what rows and literals are made of
file = draw(files(pools))          # rows, and what a writer would say of them
"""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st

from tests.table.pruning import File, field_of, schema_of, struct_of

_LONG_TEXTS = ["", "a", "b", "customer-1", "customer-10", "x" * 27, "x" * 28, "x" * 29, "x" * 31, "x" * 32, "x" * 33]
_LONG_TEXTS += ["x" * 27 + "y", "x" * 40 + "y", "é" * 13, "é" * 14, "é" * 15, "é" * 40, "日本" * 20, "日本" * 20 + "語"]
_LONG_TEXTS += [
    "😀" * 7,
    "😀" * 8,
    "😀" * 33,
    "x" * 31 + "😀",
    "\U0010ffff" * 20,
    "a\x01",
    "a\0b",
    "a\0",
    "it's",
    'say "x"',
    "\\",
    "\n",
    "},{",
]
_NOON = datetime.fromisoformat("2024-01-01 12:00:00")
_MOMENTS = [_NOON + timedelta(microseconds=step) for step in (0, 1, 999, 1000, 123456, 1000000)]
_MOMENTS += [_NOON + timedelta(hours=step) for step in (-19, -7, 6, 19, 40)]
_FAR = ("0001-01-01", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.500000")
_MOMENTS += [datetime.fromisoformat(text) for text in _FAR]


def _single(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


_DOUBLES = [0.0, -0.0, 0.1, -0.1, 0.3, 0.1 + 0.2, 1.5, 2.0, 1e300, -1e300, 5e-324, 1e16, 123456.789, *[math.nan] * 4]
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.sampled_from([0, 1, 2, 3, 10, -5, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]) | st.integers(-20, 20),
    "s": st.sampled_from(_LONG_TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "d": st.sampled_from([date(1, 1, 1), date(9999, 12, 31)]) | st.dates(date(2023, 12, 20), date(2024, 1, 10)),
    "ts": st.sampled_from([moment.replace(tzinfo=UTC) for moment in _MOMENTS]),
    "nz": st.sampled_from(_MOMENTS),
    "de": st.integers(-1000, 1000).map(lambda n: Decimal(n) / 100),
    "big": st.sampled_from(
        ["12345678901234567890.123456", "12345678901234567890.123457", "9007199254740993.000001"]
    ).map(Decimal)
    | st.integers(-300, 300).map(lambda n: Decimal(n) / 100),
    "f": st.sampled_from([_single(value) if abs(value) < 1e38 else value / 1e270 for value in _DOUBLES]).map(_single),
    "x": st.sampled_from(_DOUBLES),
    "b": st.booleans(),
    "bin": st.binary(max_size=2),
    "a": st.integers(-3, 3),
}
"""The columns of the tables, `a` within the struct `st`, and their values."""

KINDS = {"i": "long", "s": "string", "d": "date", "ts": "timestamp", "nz": "timestamp_ntz", "de": "decimal(10,2)"}
KINDS |= {"big": "decimal(38,6)", "f": "float", "x": "double", "b": "boolean", "bin": "binary", "a": "long"}
PATHS = {name: ("st", "a") if name == "a" else (name,) for name in KINDS}

SCHEMA = schema_of(
    *(field_of(name, kind) for name, kind in KINDS.items() if name != "a"),
    field_of("st", struct_of(field_of("a", "long"))),
)


# ---- statistics, as the writers of this world write them


def _number(text: str) -> Any:
    return msgspec.Raw(text.encode())


def _real(draw: Any, value: float, *, single: bool = False) -> Any:
    texts = [repr(value), f"{value:.17g}"]
    if single:
        texts.append(next(text for digits in range(1, 18) if _single(float(text := f"{value:.{digits}g}")) == value))
    text = draw(st.sampled_from(texts))
    return _number(text if any(mark in text for mark in ".e") else text + ".0")


def _decimal(draw: Any, value: Decimal) -> Any:
    return _number(draw(st.sampled_from([str(value), repr(float(value))])))


def _cut(draw: Any, value: str, high: bool) -> str:
    if len(value) <= 32 and not draw(st.booleans()):
        return value
    way = draw(st.sampled_from(["letters", "bytes", "last", "next", "none"]))
    if way == "none":
        return value
    if way == "bytes":
        return value.encode()[:32].decode(errors="ignore")
    cut = value[:32]
    if not high or cut == value or way == "letters":
        return cut
    if way == "last" or ord(cut[-1]) in (0xD7FF, 0x10FFFF):
        return cut + "\U0010ffff"
    return cut[:-1] + chr(ord(cut[-1]) + 1)


_ZONES = [UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-7)), timezone(-timedelta(hours=11, minutes=30))]


def _moment(draw: Any, value: datetime, *, local: bool) -> str:
    cut = value.replace(microsecond=value.microsecond // 1000 * 1000)
    if draw(st.integers(0, 9)) == 0:
        cut = value
    try:
        zoned = cut if local else cut.astimezone(draw(st.sampled_from(_ZONES)))
    except OverflowError:
        zoned = cut
    digits = draw(st.sampled_from(["milliseconds", "auto"]))
    digits = "microseconds" if zoned.microsecond % 1000 else digits
    if digits == "auto" and zoned.microsecond:
        digits = "milliseconds"
    text = zoned.isoformat(draw(st.sampled_from("T ")) if local else "T", digits)
    if local:
        return text + draw(st.sampled_from(["", "Z"]))
    return text.replace("+00:00", draw(st.sampled_from(["Z", "Z", "+00:00"])))


def _bound(draw: Any, name: str, value: Any, high: bool) -> Any:
    match name:
        case "s":
            return _cut(draw, value, high)
        case "d":
            return value.isoformat()
        case "ts" | "nz":
            return _moment(draw, value, local=name == "nz")
        case "de" | "big":
            return _decimal(draw, value)
        case "f" | "x":
            return _real(draw, value, single=name == "f")
        case _:
            return value


def _loose(draw: Any, name: str, value: Any, high: bool) -> Any:
    """Now and then a value further out, from the column's own ones."""
    if draw(st.integers(0, 3)):
        return value
    others = [draw(VALUES[name]) for _ in range(2)]
    return (max if high else min)([value, *(each for each in others if not is_nan(each))])


def is_nan(value: Any) -> bool:
    """Whether a value is NaN."""
    return isinstance(value, float) and math.isnan(value)


_BROKEN = [
    None,
    None,
    "",
    "no JSON",
    "[]",
    "{",
    "null",
    '{"numRecords":1}',
    '{"numRecords":1}}',
    '{"numRecords":"x"}',
    "{}",
]
_BROKEN += [
    '{"numRecords":2,"minValues":[],"maxValues":7,"nullCount":"x"}',
    '{"numRecords":1,"minValues":{"i":1e999999}}',
]
_ODD = [
    None,
    True,
    "text",
    5,
    {"a": 1},
    [7],
    [],
    "NaN",
    "Infinity",
    "+10000-01-01",
    "-0001-01-01",
    "2024",
    "a\0b",
    "99",
]


def _is_honest(odd: Any, kind: str) -> bool:
    """Whether an odd bound is one that no writer means as a bound of a column's type."""
    if isinstance(odd, bool):
        return kind != "b"
    if isinstance(odd, int):
        return kind not in ("i", "a", "de", "big", "f", "x")
    return kind != "s" or not isinstance(odd, str)


@st.composite
def stats_of(draw: Any, rows: list[dict[str, Any]]) -> str | None:
    """Honest statistics of a file with these rows, deleted ones included."""
    if draw(st.integers(0, 11)) == 0:
        return draw(st.sampled_from(_BROKEN))
    stats: dict[str, Any] = {"numRecords": len(rows)}
    for name, high in (("minValues", False), ("maxValues", True)):
        if draw(st.integers(0, 15)):
            columns = [column for column in rows[0] if column != "bin"]
            stats[name] = _nested({column: _one_bound(draw, column, rows, high) for column in columns})
    if draw(st.integers(0, 9)):
        counts = {column: sum(row[column] is None for row in rows) for column in rows[0] if draw(st.integers(0, 9))}
        stats["nullCount"] = _nested(counts)
    if draw(st.booleans()):
        stats["tightBounds"] = draw(st.booleans())
    if draw(st.integers(0, 5)) == 0:
        stats = dict(draw(st.permutations(list(stats.items()))))
    text = msgspec.json.encode(stats).decode()
    if draw(st.integers(0, 5)) == 0:
        text = msgspec.json.format(text, indent=1)
    return text


def _one_bound(draw: Any, name: str, rows: list[dict[str, Any]], high: bool) -> Any:
    found = [row[name] for row in rows if row[name] is not None]
    numbers = [value for value in found if not is_nan(value)]
    chance = draw(st.integers(0, 15))
    if chance == 0 or not numbers:
        return ...
    if chance == 1:
        odd = draw(st.sampled_from(_ODD))
        return odd if _is_honest(odd, name) else ...
    if len(numbers) < len(found) and high and draw(st.booleans()):
        return "NaN"  # as Spark has it
    return _bound(draw, name, _loose(draw, name, (max if high else min)(numbers), high), high)


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in values.items() if value is not ...}
    inner = {"st": {"a": known.pop("a")}} if "a" in known else {}
    return {**inner, **known}


Pools = dict[str, list[Any]]


_BEGINNINGS = [
    "",
    "",
    "x" * 25,
    "x" * 31,
    "x" * 40,
    "é" * 14,
    "é" * 31,
    "日本" * 16,
    "😀" * 7,
    "😀" * 32,
    "\U0010ffff" * 32,
]


@st.composite
def pools_of(draw: Any, *names: str) -> Pools:
    """A few values for each column; texts may have a long beginning in common."""
    pools = {name: draw(st.lists(VALUES[name], min_size=1, max_size=4)) for name in names}
    if "s" in pools:
        beginning = draw(st.sampled_from(_BEGINNINGS))
        pools["s"] = [beginning + text for text in pools["s"]]
    return pools


@st.composite
def files(draw: Any, pools: Pools) -> File:
    """A file of a few rows, some of which a deletion vector may hide."""
    pools = {name: [*pool, None] if draw(st.booleans()) else pool for name, pool in pools.items()}
    rows = [{name: draw(st.sampled_from(pool)) for name, pool in pools.items()} for _ in range(draw(st.integers(1, 2)))]
    stats = draw(stats_of(rows))
    return File(rows[draw(st.integers(0, len(rows) - 1)) :], stats)
