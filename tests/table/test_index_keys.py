"""Keys of an index: in the order of the values, and never on the wrong side of them."""

import math
import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.catalog.range_keys import INDEXED, LAST_LEVEL, LEAST, MOST, key, level_of, shared_prefix

LETTERS = st.characters(exclude_categories=["Cs"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(LEAST, MOST),
    "boolean": st.booleans(),
    "date": st.dates(),
    "timestamp": st.datetimes(timezones=st.just(UTC)),
    "timestamp_ntz": st.datetimes(),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**32), max_value=10**32),
    "string": st.text(LETTERS),
}


def test_every_family_is_tested():
    assert set(VALUES) == INDEXED


@pytest.mark.parametrize("family", VALUES)
def test_order(family: str):
    @given(VALUES[family], VALUES[family], st.sampled_from(["", "ab", "é"]))
    def check(left: Any, right: Any, shared: str):
        left, right = sorted([left, right], key=lambda value: value.encode() if isinstance(value, str) else value)
        for up in (False, True):
            assert key(family, left, up=up, shared=shared) <= key(family, right, up=up, shared=shared)
        assert key(family, left, up=False, shared=shared) <= key(family, left, up=True, shared=shared)

    check()


@pytest.mark.parametrize("up", [False, True])
def test_what_is_no_value_is_the_end(up: bool):
    for family in INDEXED:
        for odd in (None, [], {}, b"", math.nan, math.inf, -math.inf, object()):
            assert key(family, odd, up=up) == (MOST if up else LEAST), (family, odd)
    for family, odd in {
        "integer": True,
        "double": "NaN",
        "date": "+10000-01-01",
        "timestamp": "soon",
        "boolean": 1,
    }.items():
        assert key(family, odd, up=up) == (MOST if up else LEAST), (family, odd)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
def test_a_text_that_was_cut_has_the_key_of_the_whole(text: str, shared: str):
    shared = shared_prefix([shared])
    for cut in (text[:32], text.encode()[:32].decode(errors="ignore"), text.encode()[:32].decode(errors="replace")):
        for up in (False, True):
            assert key("string", cut, up=up, shared=shared) == key("string", text, up=up, shared=shared)


def test_a_maximum_in_milliseconds_may_be_one_too_low():
    last = datetime(2024, 1, 1, 0, 0, 0, 123999, tzinfo=UTC)
    for text in ("2024-01-01T00:00:00.123Z", "2024-01-01T02:00:00.123+02:00"):
        assert key("timestamp", text, up=True) >= key("timestamp", last, up=False)
        assert key("timestamp", text, up=True) < key("timestamp", last + timedelta(microseconds=1), up=False)
    for text in ("2024-01-01 00:00:00.123", "2024-01-01T00:00:00.123Z"):
        assert key("timestamp_ntz", text, up=True) >= key("timestamp_ntz", last.replace(tzinfo=None), up=False)


def test_a_time_without_its_zone_may_be_of_any():
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    for hours in (-18, 18):
        moment = noon + timedelta(hours=hours)
        assert key("timestamp", "2024-01-01T12:00:00", up=False) <= key("timestamp", moment, up=False)
        assert key("timestamp", "2024-01-01T12:00:00", up=True) >= key("timestamp", moment, up=True)


def test_a_decimal_that_came_through_a_double():
    value = Decimal("12345678901234567890.12")
    assert key("decimal", float(value), up=True) >= key("decimal", value, up=False)
    assert key("decimal", float(value), up=False) <= key("decimal", value, up=True)


def test_a_float_is_what_engines_make_of_it():
    single = struct.unpack("<f", struct.pack("<f", 0.1))[0]
    for stat in (0.1, single):
        for literal in (0.1, single):
            assert key("float", stat, up=True) >= key("float", literal, up=False)
            assert key("float", stat, up=False) <= key("float", literal, up=True)


def test_dates_in_both_notations():
    assert key("date", "2024-02-29", up=True) == key("date", date(2024, 2, 29), up=False)


@given(st.integers(LEAST, MOST), st.integers(LEAST, MOST))
def test_levels(left: int, right: int):
    low, high = sorted([left, right])
    level = level_of(low, high)
    assert 0 <= level <= LAST_LEVEL
    assert level == LAST_LEVEL or high - low < 2**level
    assert level == 0 or high - low >= 2 ** (level - 1)


def test_shared_prefixes():
    assert shared_prefix(["customer-1", None, 7, "customer-20"]) == "customer-"
    assert shared_prefix([]) == ""
    assert shared_prefix(["a", "b"]) == ""
    assert shared_prefix(["a\0b", "a\0c"]) == "a"  # PostgreSQL has no NUL in texts
    assert shared_prefix(["é" * 40]) == "é" * 10  # no more than 20 bytes, and no half letter
