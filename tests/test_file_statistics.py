"""What statistics prove: limits hold all that a bound may stand for, and literals are moved by the same rule."""

import json
import math
import struct
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.columns import Column, Family
from deltalakedb.file_statistics import counts_nulls, limit
from deltalakedb.table.prune.bounds import above, below
from deltalakedb.table.prune.proof import AnyOf
from deltalakedb.table.prune.statistics import check_of

EARLY, LATE = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (2, 9998))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "long": st.integers(-(2**63), 2**63 - 1),
    "decimal(38,0)": st.decimals(-(10**37), 10**37, places=0, allow_nan=False)
    | st.integers(2**63 - 3, 2**63 + 3).map(Decimal)
    | st.integers(-(2**63) - 3, -(2**63) + 3).map(Decimal),
    "decimal(38,6)": st.decimals(-(10**31), 10**31, places=6, allow_nan=False),
    "decimal(9,2)": st.decimals(-(10**6), 10**6, places=2, allow_nan=False),
    "float": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "string": TEXT,
    "boolean": st.booleans(),
    "date": st.dates(),
    "timestamp": st.datetimes(EARLY, LATE, timezones=st.just(UTC)),
    "timestamp_ntz": st.datetimes(EARLY, LATE),
}


def single(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:  # few digits of the greatest ones lie beyond them all
        return math.copysign(math.inf, value)


def shortest_of_32_bits(value: float) -> float:
    return next(number for n in range(1, 18) if single(number := float(f"{value:.{n}g}")) == value)


def written(kind: str, value: Any, way: int) -> Any:
    """A bound of a file whose only value this is, as writers write it in several ways."""
    match value:
        case Decimal():
            clamped = max(-(2**63), min(2**63 - 1, int(value))) if value == int(value) else value
            return [value, float(value), clamped][way % 3]
        case float() if kind == "float":
            return [value, shortest_of_32_bits(value)][way % 2]
        case str():
            return [value, value[:32], value.encode()[:32].decode(errors="ignore")][way % 3]
        case datetime():
            moment = [value, value.replace(microsecond=value.microsecond // 1000 * 1000)][way % 2]
            text = moment.replace(tzinfo=None).isoformat("T", ["auto", "milliseconds", "microseconds"][way % 3])
            return text if kind == "timestamp_ntz" else f"{text}Z"
        case date():
            return value.isoformat()
        case _:
            return value


def proves(tests: Any, bound: Any, side: str, name: str) -> bool:
    """Whether one of some tests holds of a file that has this bound."""
    if not tests:
        return False
    check = check_of(AnyOf(tuple(tests)))
    assert check is not None
    return not check(json.dumps({side: {name: bound}}, default=float))


def test_every_family_is_tested():
    families = {Column(("x",), kind, ("x",)).family for kind in VALUES}
    assert families == set(Family) - {Family.BINARY, Family.OTHER}


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("kind", VALUES)
def test_a_limit_holds_whatever_a_bound_stands_for(kind: str, up: bool):
    family = Column(("x",), kind, ("x",)).bounds_family

    @given(VALUES[kind], st.integers(0, 5))
    def check(value: Any, way: int):
        bound = written(kind, value, way)
        found = limit(family, bound, up=up)
        if found is not None:
            assert ordered(found) >= ordered(value) if up else ordered(found) <= ordered(value)

    check()


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("kind", VALUES)
def test_what_a_moved_literal_proves_is_so_of_all_that_a_bound_stands_for(kind: str, up: bool):
    column = Column(("x",), kind, ("x",))
    side = "maxValues" if up else "minValues"

    @given(VALUES[kind], VALUES[kind] | st.none(), st.integers(0, 5), st.booleans())
    def check(value: Any, other: Any, way: int, or_equal: bool):
        literal = value if other is None else other
        tests = (below if up else above)(column, literal, or_equal=or_equal)
        if proves(tests, written(kind, value, way), side, "x"):
            one, two = (value, literal) if up else (literal, value)
            assert ordered(one) <= ordered(two) if or_equal else ordered(one) < ordered(two)

    check()


@pytest.mark.parametrize("or_equal", [False, True])
@pytest.mark.parametrize(("test", "side", "sign"), [(below, "maxValues", -1), (above, "minValues", 1)])
def test_nothing_lies_beyond_the_greatest_double(test: Any, side: str, sign: int, or_equal: bool):
    greatest = sign * sys.float_info.max
    assert proves(test(Column(("x",), "double", ("x",)), greatest, or_equal=or_equal), greatest, side, "x") == or_equal


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.floats(allow_nan=False), st.booleans())
def test_a_double_that_was_a_float_has_bounds_of_that_time(value: float, literal: float, up: bool):
    column = Column(("x",), "double", ("x",), was_float=True)
    bound = shortest_of_32_bits(value)
    found = limit(column.bounds_family, bound, up=up)
    assert found is None or (found >= value if up else found <= value)
    tests = (below if up else above)(column, literal, or_equal=False)
    if proves(tests, bound, "maxValues" if up else "minValues", "x"):
        assert value < literal if up else value > literal


def ordered(value: Any) -> Any:
    """A value in the order of its type."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return value


def test_bounds_that_say_nothing_have_no_limit():
    for family, bound in (
        (Family.INTEGER, "1"),
        (Family.INTEGER, True),
        (Family.DATE, "soon"),
        (Family.TIMESTAMP, 5),
        (Family.DOUBLE, float("nan")),
        (Family.STRING, 5),
        (Family.BINARY, "a"),
        (Family.OTHER, 1),
    ):
        assert limit(family, bound, up=True) is None
    assert limit(Family.STRING, "\U0010ffff" * 40, up=True) is None
    assert limit(Family.TIMESTAMP, "9999-12-31T23:59:59.999Z", up=True) == datetime(
        9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC
    )
    assert limit(Family.TIMESTAMP, "9999-12-31T23:59:59.999", up=True) is None  # of any zone


def test_a_maximum_that_was_cut_may_be_a_millisecond_later():
    assert limit(Family.TIMESTAMP, "2024-01-01T00:00:00.123Z", up=True) == datetime(
        2024, 1, 1, 0, 0, 0, 123_999, tzinfo=UTC
    )
    assert limit(Family.TIMESTAMP_NTZ, "2024-01-01T00:00:00+05:00", up=False) == datetime(
        2023, 12, 31, 19, tzinfo=UTC
    ).replace(tzinfo=None) - timedelta(hours=18)


def test_only_columns_with_values_of_their_own_have_their_nulls_counted():
    assert counts_nulls(Column(("x",), "long", ("x",)))
    for kind in ("array", "map", "struct", "variant"):
        assert not counts_nulls(Column(("x",), kind, ("x",)))
