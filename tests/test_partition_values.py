"""Partition values: what Spark reads is read, in one way for all; what it can't read is an error, never NULL."""

import math
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.columns import Column, Family
from deltalakedb.partition_values import PartitionValueError, read, rounded, spell, texts_of


def column(kind: str) -> Column:
    return Column(("p",), kind, ("p",), partition=True)


def single(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


READ: list[tuple[str, str, Any]] = [
    ("byte", "-128", -128),
    ("short", "+7", 7),
    ("integer", "007", 7),
    ("integer", " 12 ", 12),
    ("integer", "1.9", 1),
    ("long", "9223372036854775807", 2**63 - 1),
    ("float", "0.1", single(0.1)),
    ("float", "1e400", math.inf),
    ("float", "-Infinity", -math.inf),
    ("double", "1.", 1.0),
    ("double", ".5", 0.5),
    ("double", "1d", 1.0),
    ("double", "inf", math.inf),
    ("decimal(10,2)", "1.5", Decimal("1.50")),
    ("decimal(10,2)", "-0.005", Decimal("-0.01")),
    ("decimal(10,2)", "1e2", Decimal("100.00")),
    ("decimal(5,0)", "12", Decimal("12")),
    ("decimal(38,18)", "12345678901234567890.123456789012345678", Decimal("12345678901234567890.123456789012345678")),
    ("string", " a b ", " a b "),
    ("string", "null", "null"),
    ("string", "__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__"),
    ("varchar(3)", "abc", "abc"),
    ("boolean", "TRUE", True),
    ("boolean", "no", False),
    ("boolean", "1", True),
    ("binary", "é", "é".encode()),
    ("binary", "\x00\x01", b"\x00\x01"),
    ("date", "2024-1-5", date(2024, 1, 5)),
    ("date", "2024-01", date(2024, 1, 1)),
    ("date", "2024", date(2024, 1, 1)),
    ("date", "2024-01-05 23:59:59", date(2024, 1, 5)),
    ("timestamp", "2024-01-05", at(2024, 1, 5)),
    ("timestamp", "2024-01-05 1:02:03", at(2024, 1, 5, 1, 2, 3)),
    ("timestamp", "2024-01-05 01:02", at(2024, 1, 5, 1, 2)),
    ("timestamp", "2024-01-05T01:02:03.1234567Z", at(2024, 1, 5, 1, 2, 3, 123456)),
    ("timestamp", "2024-01-05T01:02:03+01:00", at(2024, 1, 5, 0, 2, 3)),
    ("timestamp", "2024-01-05 01:02:03 UTC+1", at(2024, 1, 5, 0, 2, 3)),
    ("timestamp", "2024-07-05 12:00:00 Europe/Berlin", at(2024, 7, 5, 10)),
    ("timestamp_ntz", "2024-01-05T01:02:03.5", at(2024, 1, 5, 1, 2, 3, 500_000).replace(tzinfo=None)),
    ("timestamp_ntz", "2024-01-05T01:02:03+01:00", at(2024, 1, 5, 1, 2, 3).replace(tzinfo=None)),
]


@pytest.mark.parametrize(("kind", "text", "value"), READ, ids=[f"{kind}-{text[:20]}" for kind, text, _ in READ])
def test_what_spark_reads_is_read(kind: str, text: str, value: Any):
    found = read(text, column(kind))
    assert (found, type(found)) == (value, type(value))


REFUSED = [
    ("byte", "200"),
    ("integer", "2147483648"),
    ("integer", "1_000"),
    ("long", "ten"),
    ("long", "\u0661"),  # a digit, but not of ASCII
    ("float", "0x1p3"),
    ("double", "1,5"),
    ("decimal(10,2)", "-3.-25"),
    ("decimal(10,2)", "99999999.995"),
    ("decimal(10,2)", "1e999999999"),
    ("decimal(10,2)", "NaN"),
    ("boolean", "maybe"),
    ("date", "2024-02-30"),
    ("date", "5.1.2024"),
    ("date", "99999-01-01"),
    ("timestamp", "soon"),
    ("timestamp", "2024-01-05 25:00:00"),
    ("timestamp", "2024-01-05 01:02:03 Atlantis/Poseidonis"),
    ("timestamp", "2024-01-05 01:02:03 ../../etc/passwd"),
    ("timestamp", "0001-01-01T00:00:00+01:00"),
    ("struct", "{}"),
]


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_what_no_reader_makes_sense_of_is_an_error_that_names_it(kind: str, text: str):
    with pytest.raises(PartitionValueError) as failure:
        read(text, column(kind))
    assert repr(text) in str(failure.value)
    assert "'p'" in str(failure.value)


@pytest.mark.parametrize("kind", ["string", "integer", "date", "timestamp", "decimal(5,2)", "binary", "boolean"])
def test_nothing_and_the_empty_text_are_null(kind: str):
    assert read(None, column(kind)) is None
    assert read("", column(kind)) is None
    if kind != "string":
        assert read("__HIVE_DEFAULT_PARTITION__", column(kind)) is None


def test_numbers_and_booleans_of_json_are_the_text_that_they_are():
    found = texts_of('{"a": 2024, "b": 1.50, "c": true, "d": null, "e": "x\\u00e9", "f": 1E2, "g": -0}')
    assert found == {"a": "2024", "b": "1.50", "c": "true", "d": None, "e": "xé", "f": "1E2", "g": "-0"}


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "byte": st.integers(-128, 127),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32),
    "double": st.floats(),
    "decimal(10,2)": st.decimals(-99999999, 99999999, places=2),
    "decimal(38,38)": st.decimals(Decimal("-0.99"), Decimal("0.99"), places=38),
    "string": st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    "boolean": st.booleans(),
    "binary": st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.encode),
    "date": st.dates(),
    "timestamp": st.datetimes(timezones=st.just(UTC)),
    "timestamp_ntz": st.datetimes(),
}


def test_every_family_is_tested():
    assert {column(kind).family for kind in VALUES} == set(Family) - {Family.OTHER}


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_that_is_spelled_is_read_again(kind: str):
    @given(VALUES[kind])
    def check(value: Any):
        text = spell(value, column(kind))
        found = read(text, column(kind))
        assert repr(found) == repr(value) or found == value
        assert spell(found, column(kind)) == text

    check()


@given(st.sampled_from(list(VALUES)), st.text() | st.text("0123456789+-.eE: TZ"))
def test_any_text_is_read_or_refused(kind: str, text: str):
    try:
        value = read(text, column(kind))
    except PartitionValueError:
        return
    assert value is None or read(spell(value, column(kind)), column(kind)) == value or value != value


def test_numbers_of_32_bits():
    assert rounded(0.1) == 0.10000000149011612
    assert rounded(1e39) == math.inf
    assert spell(rounded(0.1), column("float")) == "0.1"
    assert spell(16777216.0, column("float")) == "16777216"
