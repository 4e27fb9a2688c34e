"""Random conditions on rows: as SQL text, as a pyarrow expression, and judged row by row.

The judge knows nothing of the code under test. NaN and zeros are judged both as IEEE has it (NaN matches no
comparison, -0.0 is 0.0) and in total order (NaN is greater than every number, -0.0 less than 0.0): a row matches where
one of them says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import strategies as st

from tests.table.honest_stats import PATHS, VALUES, Pools, is_nan

Truth = bool | None


@dataclass(frozen=True)
class Condition:
    """A condition on rows in two notations, and as a judge of rows: `judge(row, nan_is_greatest)`."""

    sql: str
    expression: pc.Expression
    judge: Callable[[dict[str, Any], bool], Truth]

    def matches(self, row: dict[str, Any]) -> bool:
        """Whether a row matches to at least one engine."""
        return self.judge(row, False) is True or self.judge(row, True) is True


def sql_name(name: str) -> str:
    """A column as SQL has it."""
    return ".".join(PATHS[name])


def sql_literal(value: Any) -> str:
    """A value as SQL has it."""
    match value:
        case bool():
            return str(value).upper()
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bytes():
            return f"X'{value.hex()}'"
        case datetime() if value.tzinfo is not None:
            return f"'{value.isoformat()}'"
        case datetime():
            return f"TIMESTAMP '{value.isoformat(' ')}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case float():
            return f"CAST('{value!r}' AS DOUBLE)"
        case _:
            return str(value)


_ARROW = {
    "i": pa.int64(),
    "s": pa.string(),
    "d": pa.date32(),
    "ts": pa.timestamp("us", "UTC"),
    "nz": pa.timestamp("us"),
}
_ARROW |= {"de": pa.decimal128(10, 2), "big": pa.decimal128(38, 6), "f": pa.float32(), "x": pa.float64()}
_ARROW |= {"b": pa.bool_(), "bin": pa.binary(), "a": pa.int64()}


def _compared(left: Any, op: str, right: Any, greatest: bool) -> Truth:
    if left is None:
        return None
    if greatest and is_nan(left):
        return op in (">", ">=", "!=")
    if greatest and isinstance(left, float) and left == right == 0:
        left, right = (math.copysign(1, value) for value in (left, right))
    return {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[op]


def _all(truths: Iterable[Truth]) -> Truth:
    found = set(truths)
    return False if False in found else None if None in found else True


def _any(truths: Iterable[Truth]) -> Truth:
    found = set(truths)
    return True if True in found else None if None in found else False


def _scalar(name: str, value: Any) -> pa.Scalar:
    # Not of the column's type: a literal may have more digits, or be no 32-bit number.
    return pa.scalar(value) if name in ("de", "big", "f") else pa.scalar(value, _ARROW[name])


def _literals(pools: Pools, name: str) -> st.SearchStrategy[Any]:
    """A column's values, and those next to them."""
    pool = [each for value in pools[name] if not is_nan(value) for each in _around(name, value)]
    anything = VALUES[name].filter(lambda each: not is_nan(each))
    return st.sampled_from(pool) if pool else anything


def _around(name: str, value: Any) -> list[Any]:
    near: list[Any] = []
    match name:
        case "ts" | "nz" if 1 < value.year < 9999:
            near = [value + timedelta(microseconds=step) for step in (-1000, -999, -1, 1, 999, 1000)]
            near += [value + timedelta(hours=step) for step in (-12, -3, 3, 12)]
        case "x" | "f":
            near = [math.nextafter(value, math.inf), math.nextafter(value, -math.inf), float(f"{value:.7g}")]
        case "de" | "big":
            near = [value + Decimal("0.005"), value - Decimal("0.000001"), Decimal(repr(float(value)))]
        case "s":
            near = [value[:20], value[:32], value + "a", value[:31] + "~"]
        case "i" | "a":
            near = [each for each in (value - 1, value + 1) if abs(each) < 2**63]
    return [value, *near]


@st.composite
def comparisons(draw: Any, pools: Pools) -> Condition:
    """A column compared with one of its values."""
    name = draw(st.sampled_from(list(pools)))
    op = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
    value = draw(_literals(pools, name))
    field_ref, scalar = pc.field(*PATHS[name]), _scalar(name, value)
    expression = {
        "=": field_ref == scalar,
        "!=": field_ref != scalar,
        "<": field_ref < scalar,
        "<=": field_ref <= scalar,
        ">": field_ref > scalar,
        ">=": field_ref >= scalar,
    }[op]
    return Condition(
        f"{sql_name(name)} {op} {sql_literal(value)}",
        expression,
        lambda row, greatest: _compared(row[name], op, value, greatest),
    )


@st.composite
def memberships(draw: Any, pools: Pools) -> Condition:
    """A column IN some of its values."""
    name = draw(st.sampled_from(list(pools)))
    values = draw(st.lists(_literals(pools, name), min_size=1, max_size=4))
    return Condition(
        f"{sql_name(name)} IN ({', '.join(map(sql_literal, values))})",
        pc.field(*PATHS[name]).isin(pa.array(values, None if name in ("de", "big", "f") else _ARROW[name])),
        lambda row, greatest: _any(_compared(row[name], "=", value, greatest) for value in values),
    )


@st.composite
def ranges(draw: Any, pools: Pools) -> Condition:
    """A column BETWEEN two of its values."""
    name = draw(st.sampled_from(list(pools)))
    low, high = (draw(_literals(pools, name)) for _ in range(2))
    column, bounds = pc.field(*PATHS[name]), [_scalar(name, value) for value in (low, high)]
    return Condition(
        f"{sql_name(name)} BETWEEN {sql_literal(low)} AND {sql_literal(high)}",
        (column >= bounds[0]) & (column <= bounds[1]),
        lambda row, greatest: _all(_compared(row[name], *bound, greatest) for bound in ((">=", low), ("<=", high))),
    )


@st.composite
def prefixes(draw: Any, pools: Pools) -> Condition:
    """A text LIKE something that begins with a piece of one of its values."""
    prefix = draw(_literals(pools, "s"))[: draw(st.integers(1, 40))]
    prefix = "".join(letter for letter in prefix if letter not in "%_\\") or "a"
    return Condition(
        f"s LIKE {sql_literal(prefix + '%')}",
        pc.starts_with(pc.field("s"), prefix),
        lambda row, _: None if row["s"] is None else row["s"].startswith(prefix),
    )


@st.composite
def nulls(draw: Any, pools: Pools) -> Condition:
    """A column IS NULL."""
    name = draw(st.sampled_from(list(pools)))
    return Condition(f"{sql_name(name)} IS NULL", pc.field(*PATHS[name]).is_null(), lambda row, _: row[name] is None)


def _negated(one: Condition) -> Condition:
    def judge(row: dict[str, Any], greatest: bool) -> Truth:
        found = one.judge(row, greatest)
        return None if found is None else not found

    return Condition(f"NOT ({one.sql})", ~one.expression, judge)


def _both(pair: tuple[Condition, Condition]) -> Condition:
    def judge(row: dict[str, Any], greatest: bool) -> Truth:
        return _all(each.judge(row, greatest) for each in pair)

    left, right = pair
    return Condition(f"({left.sql}) AND ({right.sql})", left.expression & right.expression, judge)


def _either(pair: tuple[Condition, Condition]) -> Condition:
    def judge(row: dict[str, Any], greatest: bool) -> Truth:
        return _any(each.judge(row, greatest) for each in pair)

    left, right = pair
    return Condition(f"({left.sql}) OR ({right.sql})", left.expression | right.expression, judge)


def conditions(pools: Pools) -> st.SearchStrategy[Condition]:
    """Conditions on some columns, up to a few of them put together."""
    leaves = comparisons(pools) | comparisons(pools) | memberships(pools) | ranges(pools) | nulls(pools)
    leaves = leaves | prefixes(pools) if "s" in pools else leaves
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(_negated), st.tuples(inner, inner).map(_both), st.tuples(inner, inner).map(_either)
        ),
        max_leaves=3,
    )
