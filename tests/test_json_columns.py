"""JSON texts → Arrow: the fast way and the careful one give the same, and nothing breaks them."""

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb import json_columns
from deltalakedb.json_columns import parse

KIND = pa.struct(
    {
        "long": pa.int64(),
        "byte": pa.int8(),
        "double": pa.float64(),
        "flag": pa.bool_(),
        "text": pa.string(),
        "day": pa.date32(),
        "utc": pa.timestamp("us", "UTC"),
        "ntz": pa.timestamp("us"),
        "price": pa.decimal128(6, 2),
        "inside": pa.struct({"x": pa.int64(), "day": pa.date32()}),
    }
)


def one(text: str | None, **trust: list[bool]) -> dict | None:
    return parse([text], KIND, **trust)[0].as_py()


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("long", "9223372036854775807", 2**63 - 1),
        ("long", "5.0", 5),
        ("long", "5.5", None),
        ("long", '"x"', None),
        ("byte", "128", None),
        ("double", "1.5", 1.5),
        ("double", '"Infinity"', math.inf),
        ("flag", "true", True),
        ("text", '"é😀\\n"', "é😀\n"),
        ("text", "5", None),
        ("day", '"2024-02-29"', date(2024, 2, 29)),
        ("day", '"2024-02-30"', None),
        ("utc", '"2024-01-01T01:00:00.123+01:00"', datetime(2024, 1, 1, 0, 0, 0, 123000, UTC)),
        ("utc", '"2024-01-01T00:00:00Z"', datetime(2024, 1, 1, tzinfo=UTC)),
        ("utc", '"soon"', None),
        ("ntz", '"2024-01-01T00:00:00.5"', datetime(2024, 1, 1, 0, 0, 0, 500000)),  # noqa: DTZ001
        ("price", "1.5", Decimal("1.50")),
        ("price", "-0E-10", Decimal("0.00")),
        ("price", "123456.78", None),
        ("inside", '{"x":1,"day":"2024-02-29","y":2}', {"x": 1, "day": date(2024, 2, 29)}),
        ("inside", "7", None),
    ],
)
def test_a_value(name, written, value):
    nothing = dict.fromkeys((field.name for field in KIND), None)
    assert one(f'{{"{name}":{written},"unknown":[1]}}') == {**nothing, name: value}
    # Beside it, a row that is read the fast way.
    rows = parse([f'{{"{name}":{written}}}', '{"long":1}'], KIND).to_pylist()
    assert rows == [{**nothing, name: value}, {**nothing, "long": 1}]


def test_a_nan_is_a_nan():
    assert math.isnan(one('{"double":"NaN"}')["double"])


@pytest.mark.parametrize(
    "text", ["null", "5", '"x"', "[]", "", "{", "{}}", '{"long":1}{"long":2}', "[" * 100_000, "\0"]
)
def test_what_is_no_object_is_null(text):
    # Arrow's reader crashes on some of these: they are not trusted.
    rows = parse([text, '{"long":1}', None], KIND, trusted=[False, True, False])
    assert rows.is_null().to_pylist() == [True, False, True]
    assert rows[1].as_py()["long"] == 1


def test_nulls_and_absence():
    assert parse([None, "{}", '{"inside":null}'], KIND).is_valid().to_pylist() == [False, True, True]
    assert parse([], KIND).type == KIND
    assert parse(["{}", None], pa.struct([])).to_pylist() == [{}, None]


_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "long": st.none() | st.integers(-(2**63), 2**63 - 1),
        "byte": st.integers(-128, 127),
        "double": st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.booleans(),
        "text": st.text(st.characters(codec="utf-8")),
        "day": st.dates(date(1, 1, 1)).map(str),
        "utc": st.datetimes(datetime(1, 1, 1), datetime(9999, 1, 1)).map(lambda at: at.isoformat() + "Z"),  # noqa: DTZ001
        "inside": st.none()
        | st.fixed_dictionaries({}, optional={"x": st.integers(-9, 9), "more": st.lists(st.text())}),
        "other": st.recursive(st.none() | st.text(), st.lists, max_leaves=5),
    },
)


@given(st.lists(_VALUES, min_size=1, max_size=6))
def test_both_ways_agree(values):
    texts = [json.dumps(value) for value in values]
    fast = json_columns._read(texts, KIND)
    careful = pa.array([json_columns._decoded(text, KIND) for text in texts], KIND)
    assert fast is not None
    assert fast.to_pylist() == careful.to_pylist()
    assert parse(texts, KIND).to_pylist() == careful.to_pylist()


def test_many_rows_come_in_their_order():
    texts = [f'{{"long":{n}}}' if n % 7 else None for n in range(5000)]
    found = [row and row["long"] for row in parse(texts, KIND).to_pylist()]
    assert found == [n if n % 7 else None for n in range(5000)]
