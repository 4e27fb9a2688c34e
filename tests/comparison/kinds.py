"""Delta's primitive types, and values that are hard on readers: limits, roundings, and what lies next to them."""

from __future__ import annotations

import math
import random
import struct
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa

Dice = random.Random

DIGITS = Context(prec=80)
"""In which decimals are reckoned with: they have 38 digits, Python's own context 28."""


def single(value: float) -> float:
    """Returns the nearest number of 32 bits."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def shortest(value: float, *, narrow: bool) -> str:
    """Returns the text with the fewest digits that is nearest to a number, among those of 32 bits or of 64."""
    texts = (f"{value:.{count}g}" for count in range(1, 18))
    return next(text for text in texts if _read(text, narrow=narrow) == value)


def _read(text: str, *, narrow: bool) -> float:
    try:
        return single(float(text)) if narrow else float(text)
    except OverflowError:
        return math.inf


def is_nan(value: Any) -> bool:
    """Whether a value is NaN."""
    return isinstance(value, float) and math.isnan(value)


_LONG_TEXTS = ["", "a", "b", "customer-1", "customer-10", "x" * 27, "x" * 28, "x" * 29, "x" * 31, "x" * 32, "x" * 33]
_LONG_TEXTS += ["x" * 27 + "y", "x" * 40 + "y", "é" * 13, "é" * 14, "é" * 15, "é" * 40, "日本" * 20, "日本" * 20 + "語"]
_LONG_TEXTS += ["😀" * 7, "😀" * 8, "😀" * 33, "x" * 31 + "😀", "\U0010ffff" * 20, "a\x01", "a\0b", "a\0"]
_LONG_TEXTS += ["it's", 'say "x"', "\\", "\n", "},{", "a%b", "a_b", "null", "5", "true"]
_NOON = datetime.fromisoformat("2024-01-01 12:00:00")
_MOMENTS = [_NOON + timedelta(microseconds=step) for step in (0, 1, 999, 1000, 123456, 1000000)]
_MOMENTS += [_NOON + timedelta(hours=step) for step in (-19, -12, -7, 6, 19, 36, 40)]
_FAR = ("0001-01-01", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.500000")
_MOMENTS += [datetime.fromisoformat(text) for text in _FAR]
_DOUBLES = [0.0, -0.0, 0.1, -0.1, 0.3, 0.1 + 0.2, 1.5, 2.0, 1e300, -1e300, 5e-324, 1e16, 123456.789]
_DOUBLES += [single(0.1), single(0.3), single(123456.789), math.inf, -math.inf, *[math.nan] * 4]
_SINGLES = [single(value) for value in _DOUBLES if not 1e38 < abs(value) < math.inf] + [
    single(1e-45),
    3.4028234663852886e38,
]
_WIDE = ["12345678901234567890.123456", "12345678901234567890.123457", "9007199254740993.000001"]
_WIDER = ["99999999999999999999.999999999999999999", "99999999999999999999.999999999999999998", "0.1", "-0.1"]


@dataclass(frozen=True)
class Kind:
    """A primitive type.

    Attributes:
        name: Delta's: `long`, `decimal(10,2)`, ….
        arrow: the type that holds its values.
        family: how its values compare: the name without digits, one for all integers.
        values: those that are hard on readers.
    """

    name: str
    arrow: pa.DataType
    family: str
    values: tuple[Any, ...]

    @property
    def has_nan(self) -> bool:
        """Whether NaN is one of its values."""
        return self.family in ("float", "double")


def _integers(name: str, arrow: pa.DataType) -> Kind:
    most = 2 ** (arrow.bit_width - 1) - 1
    values = [0, 1, 2, 3, 10, -5, 100, most, most - 1, -most - 1]
    values += [2**53, 2**53 + 1] if arrow == pa.int64() else []
    return Kind(name, arrow, "integer", tuple(values))


def _decimals(precision: int, scale: int, *texts: str) -> Kind:
    hundredths = [Decimal(n) / 100 for n in (0, 1, -1, 10, 150, -250, 99999)]
    values = [*map(Decimal, texts), *(value for value in hundredths if _fits(value, scale))]
    most = Decimal(10**precision - 1).scaleb(-scale, DIGITS)
    scaled = [
        value.quantize(Decimal(1).scaleb(-scale), context=DIGITS) for value in (*values, most, most.copy_negate())
    ]
    return Kind(f"decimal({precision},{scale})", pa.decimal128(precision, scale), "decimal", tuple(scaled))


def _fits(value: Decimal, scale: int) -> bool:
    return value == value.quantize(Decimal(1).scaleb(-scale))


_ALL = [
    _integers("byte", pa.int8()),
    _integers("short", pa.int16()),
    _integers("integer", pa.int32()),
    _integers("long", pa.int64()),
    Kind("float", pa.float32(), "float", tuple(_SINGLES)),
    Kind("double", pa.float64(), "double", tuple(_DOUBLES)),
    _decimals(5, 2),
    _decimals(10, 2),
    _decimals(13, 3),
    _decimals(20, 0),
    _decimals(22, 2, "9007199254740993", "9007199254740992.01"),
    _decimals(38, 6, *_WIDE),
    _decimals(38, 18, *_WIDER),
    Kind("string", pa.string(), "string", tuple(_LONG_TEXTS)),
    Kind("boolean", pa.bool_(), "boolean", (True, False)),
    Kind("binary", pa.binary(), "binary", (b"", b"a", b"b", b"ab", b"\x00", b"\xff", b"x" * 40)),
    Kind("date", pa.date32(), "date", (date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1), date(2024, 2, 29))),
    Kind("timestamp", pa.timestamp("us", "UTC"), "timestamp", tuple(m.replace(tzinfo=UTC) for m in _MOMENTS)),
    Kind("timestamp_ntz", pa.timestamp("us"), "timestamp_ntz", tuple(_MOMENTS)),
]
KINDS = {kind.name: kind for kind in _ALL}

_WEIGHTS = {"string": 4, "decimal": 3, "double": 2, "float": 2, "timestamp": 2, "timestamp_ntz": 2, "integer": 2}
"""How often a family is chosen: those whose statistics are cut or rounded more often."""


def some_kind(dice: Dice) -> Kind:
    """Returns a type, by the weight of its family."""
    family = dice.choices(_FAMILIES, [_WEIGHTS.get(each, 1) for each in _FAMILIES])[0]
    return dice.choice([kind for kind in _ALL if kind.family == family])


_FAMILIES = list(dict.fromkeys(kind.family for kind in _ALL))

WIDENINGS: dict[str, tuple[str, ...]] = {
    "byte": ("short", "integer", "long", "double", "decimal(13,3)"),
    "short": ("integer", "long", "double", "decimal(13,3)"),
    "integer": ("long", "double", "decimal(13,3)"),
    "long": ("decimal(22,2)",),
    "float": ("double",),
    "decimal(5,2)": ("decimal(10,2)", "decimal(13,3)", "decimal(22,2)"),
    "decimal(10,2)": ("decimal(13,3)", "decimal(22,2)", "decimal(38,6)"),
    "date": ("timestamp_ntz",),
}
"""PROTOCOL.md, "Type Widening"."""


def widened(value: Any, wide: Kind) -> Any:
    """Returns a value of a narrower type as one of a wider type."""
    if value is None:
        return None
    match wide.family:
        case "double":
            return float(value)
        case "decimal":
            return Decimal(value).quantize(Decimal(1).scaleb(-wide.arrow.scale), context=DIGITS)
        case "timestamp_ntz" if not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001
    return value


def some_value(dice: Dice, kind: Kind) -> Any:
    """Returns a value of a type: one that is hard on readers, or one of a few that lie close together."""
    if dice.random() < 0.5:
        return dice.choice(kind.values)
    match kind.family:
        case "integer":
            return dice.randint(-20, 20)
        case "decimal":
            scale = Decimal(1).scaleb(-kind.arrow.scale)
            return Decimal(dice.randint(-300, 300)).scaleb(-min(2, kind.arrow.scale)).quantize(scale, context=DIGITS)
        case "date":
            return date(2023, 12, 20) + timedelta(days=dice.randrange(22))
        case "string":
            return "".join(dice.choices("ab cXé~日\x7f\t0", k=dice.randrange(6)))
        case "binary":
            return bytes(dice.choices(range(256), k=dice.randrange(3)))
    return dice.choice(kind.values)


_BEGINNINGS = ["x" * 25, "x" * 31, "x" * 40, "é" * 14, "é" * 31, "日本" * 16, "😀" * 7, "😀" * 32, "\U0010ffff" * 32]


def some_values(dice: Dice, kind: Kind, count: int) -> list[Any]:
    """Returns several values of a type; texts may have a long beginning in common."""
    found = [some_value(dice, kind) for _ in range(count)]
    if kind.family == "string" and dice.random() < 0.6:
        beginning = dice.choice(_BEGINNINGS)
        return [beginning + text for text in found]
    return found


def nearby(kind: Kind, value: Any) -> list[Any]:
    """Returns a value and those next to it, at which readers cut off or round; literals are made of them."""
    near: list[Any] = []
    match kind.family:
        case "integer":
            near = [each for each in (value - 1, value + 1) if abs(each) < 2 ** (kind.arrow.bit_width - 1)]
            near += [Decimal(value) + Decimal("0.5")]
        case "decimal":
            near = _near_decimals(kind, value)
        case "float" | "double" if math.isfinite(value):
            near = [math.nextafter(value, math.inf), math.nextafter(value, -math.inf), float(f"{value:.7g}")]
        case "string":
            near = [value[:20], value[:32], value + "a", value[:31] + "~"]
        case "date" if 1 < value.year < 9999:
            near = [value + timedelta(days=step) for step in (-1, 1)]
        case "timestamp" | "timestamp_ntz" if 1 < value.year < 9999:
            near = [value + timedelta(microseconds=step) for step in (-1000, -999, -1, 1, 999, 1000)]
            near += [value + timedelta(hours=step) for step in (-12, -3, 3, 12)]
    return [value, *near]


def _near_decimals(kind: Kind, value: Decimal) -> list[Decimal]:
    step = Decimal(1).scaleb(-kind.arrow.scale)
    near = [DIGITS.add(value, step), DIGITS.subtract(value, step), Decimal(repr(float(value)))]
    return [each for each in near if len(each.as_tuple().digits) <= 38 and abs(each) < 10**30]
