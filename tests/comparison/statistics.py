"""Honest statistics of a file, in all the ways in which writers write them (PROTOCOL.md, "Per-file Statistics").

    text = written(dice, [Leaf(("i",), KINDS["long"], [1, None, 3]), …], records=3)

Bounds are cut, rounded, loose or missing, and yet no value lies where no reader may expect it: a reader that leaves out
a file with a matching row is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from tests.comparison.kinds import Dice, Kind, is_nan, shortest, some_value


@dataclass(frozen=True)
class Leaf:
    """A column of primitive values, maybe within a struct.

    Attributes:
        path: its physical names from the top.
        kind: its type when the file was written.
        values: of all rows, those that a deletion vector hides included.
    """

    path: tuple[str, ...]
    kind: Kind
    values: Sequence[Any]


@dataclass(frozen=True)
class Branch:
    """A column of lists or maps, of which some writers count the null elements.

    Attributes:
        path: its physical names from the top.
        nulls: what such a writer says.
    """

    path: tuple[str, ...]
    nulls: int


def written(
    dice: Dice, columns: Sequence[Leaf | Branch], records: int, *, counted: bool = False, odd: bool = False
) -> str | None:
    """Returns the statistics of a file; None where there are none.

    Args:
        dice: by which everything is chosen.
        columns: the file's.
        records: the number of its rows.
        counted: whether the number of rows must be known, as it must where a deletion vector is.
        odd: whether they may be what no writer writes: broken, or with bounds that mean nothing.
    """
    if not counted and dice.random() < 0.1:
        plain = [None, None, "", "{}", f'{{"numRecords":{records}}}']
        return dice.choice([*plain, *_BROKEN] if odd else plain)
    stats: dict[str, Any] = {"numRecords": records} if counted or dice.random() < 0.95 else {}
    loose, leaves = dice.random() < 0.3, [column for column in columns if isinstance(column, Leaf)]
    known = [leaf for leaf in leaves if dice.random() < 0.94]
    for name, high in (("minValues", False), ("maxValues", True)):
        if dice.random() < 0.94:
            stats[name] = _nested({leaf.path: _bound_of(dice, leaf, loose=loose, high=high) for leaf in known})
            for leaf in known if odd and name in stats else ():
                _spoil(dice, stats[name], leaf)
    if dice.random() < 0.9:
        stats["nullCount"] = _nested({each.path: _null_count(dice, each, records, loose=loose) for each in columns})
    if loose or dice.random() < 0.3:
        stats["tightBounds"] = not loose
    return _text(dice, stats)


def _text(dice: Dice, stats: dict[str, Any]) -> str:
    if dice.random() < 0.1:
        stats = dict(dice.sample(list(stats.items()), len(stats)))
    text = msgspec.json.encode(stats)
    return (msgspec.json.format(text, indent=1) if dice.random() < 0.1 else text).decode()


def _nested(values: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in values.items():
        if value is not ...:
            inside = found
            for name in path[:-1]:
                inside = inside.setdefault(name, {})
            inside[path[-1]] = value
    return found


_BROKEN = ["no JSON", "[]", "{", "null", '{"numRecords":1}}', '{"numRecords":"x"}']
_BROKEN += [
    '{"numRecords":2,"minValues":[],"maxValues":7,"nullCount":"x"}',
    '{"numRecords":1,"minValues":{"i":1e999999}}',
]
_ODD: list[Any] = [None, True, "text", 5, {"a": 1}, [7], [], "NaN", "Infinity", "+10000-01-01", "-0001-01-01", "2024"]
_ODD += ["a\0b", "99"]


def _spoil(dice: Dice, bounds: dict[str, Any], leaf: Leaf) -> None:
    odd, (name, *inner) = dice.choice(_ODD), leaf.path
    if not inner and dice.random() < 0.06 and _means_nothing(odd, leaf.kind.family):
        bounds[name] = odd


def _means_nothing(odd: Any, family: str) -> bool:
    if isinstance(odd, bool):
        return family != "boolean"
    if isinstance(odd, int):
        return family not in ("integer", "decimal", "float", "double")
    return family != "string" or not isinstance(odd, str)


def _null_count(dice: Dice, column: Leaf | Branch, records: int, *, loose: bool) -> Any:
    if dice.random() < 0.06:
        return ...
    if isinstance(column, Branch):
        return column.nulls
    count = sum(value is None for value in column.values)
    if loose and 0 < count < records:
        return dice.randrange(1, records)  # only none and all mean anything then
    return count


def _bound_of(dice: Dice, leaf: Leaf, *, loose: bool, high: bool) -> Any:
    known = [value for value in leaf.values if value is not None]
    numbers = [value for value in known if not is_nan(value)]
    if not numbers or dice.random() < 0.06:
        return ...
    if len(numbers) < len(known) and high and dice.random() < 0.5:
        return "NaN"  # as Spark has it; others leave NaN out
    value = (max if high else min)(numbers)
    return bound(dice, leaf.kind, _further(dice, leaf.kind, value, high=high) if loose else value, high=high)


def _further(dice: Dice, kind: Kind, value: Any, *, high: bool) -> Any:
    others = [other for other in (some_value(dice, kind) for _ in range(2)) if not is_nan(other)]
    return (max if high else min)([value, *others])


def bound(dice: Dice, kind: Kind, value: Any, *, high: bool) -> Any:
    """Returns what a writer makes of a minimum or a maximum; `...` where it writes nothing."""
    match kind.family:
        case "string":
            return _cut(dice, value, high=high)
        case "date":
            return value.isoformat()
        case "timestamp" | "timestamp_ntz":
            return _moment(dice, value, local=kind.family == "timestamp_ntz")
        case "decimal":
            return _number(dice.choice([f"{value:f}", repr(float(value))]))
        case "float" | "double":
            return _real(dice, value, narrow=kind.family == "float")
        case "boolean":
            return value if dice.random() < 0.5 else ...
        case "binary":
            return value.decode("latin-1") if dice.random() < 0.1 else ...
    return value


def _number(text: str) -> Any:
    return msgspec.Raw(text.encode())


def _real(dice: Dice, value: float, *, narrow: bool) -> Any:
    if math.isinf(value):
        return dice.choice([None, ..., "Infinity" if value > 0 else "-Infinity"])
    if value == 0:
        return _number(dice.choice(["0.0", "-0.0", "0"]))
    text = dice.choice([repr(value), f"{value:.17g}", shortest(value, narrow=narrow)])
    return _number(text if any(mark in text for mark in ".e") else text + ".0")


def _cut(dice: Dice, value: str, *, high: bool) -> str:
    if len(value) <= 32 and dice.random() < 0.5:
        return value
    way = dice.choice(["letters", "bytes", "last", "next", "none"])
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


def _moment(dice: Dice, value: datetime, *, local: bool) -> str:
    cut = value if dice.random() < 0.1 else value.replace(microsecond=value.microsecond // 1000 * 1000)
    try:
        zoned = cut if local else cut.astimezone(dice.choice(_ZONES))
    except OverflowError:
        zoned = cut
    digits = "microseconds" if zoned.microsecond % 1000 else "milliseconds" if zoned.microsecond else "auto"
    digits = dice.choice(["auto", "milliseconds"]) if digits == "auto" else digits
    text = zoned.isoformat(dice.choice("T ") if local else "T", digits)
    if local:
        return text + dice.choice(["", "Z"])
    return text.replace("+00:00", dice.choice(["Z", "Z", "+00:00"]))
