"""The rows that writers get: values of every type of Delta, with those at which readers go wrong.

Runs in the writers' environments too, so it needs nothing but pyarrow, of any version from 12 on.
"""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa

UTC = dt.UTC
MOMENT = pa.timestamp("us", tz="UTC")
INF, NAN = float("inf"), float("nan")

TYPES = {
    "i8": pa.int8(),
    "i16": pa.int16(),
    "i32": pa.int32(),
    "i64": pa.int64(),
    "f32": pa.float32(),
    "f64": pa.float64(),
    "dec5_2": pa.decimal128(5, 2),
    "dec18_6": pa.decimal128(18, 6),
    "dec20_10": pa.decimal128(20, 10),
    "dec38_18": pa.decimal128(38, 18),
    "dec38_0": pa.decimal128(38, 0),
    "text": pa.string(),
    "data": pa.binary(),
    "flag": pa.bool_(),
    "day": pa.date32(),
    "at": MOMENT,
    "local": pa.timestamp("us"),
}
"""The primitive types by the names of their columns."""

_PLAIN: list[dict[str, Any]] = [
    {
        "i8": n - 2,
        "i16": n * 300 - 400,
        "i32": n * 70_000,
        "i64": n * 5_000_000_000,
        "f32": n + 0.1,
        "f64": n / 3,
        "dec5_2": Decimal(n) + Decimal("0.25"),
        "dec18_6": Decimal(n) * Decimal("1000.000001"),
        "dec20_10": Decimal(n) * Decimal("123456789.0123456789"),
        "dec38_18": Decimal(n) + Decimal("0.1"),
        "dec38_0": Decimal(10) ** 15 + n,
        "text": f"text {n}",
        "data": bytes([n, 255, 0]),
        "flag": n % 2 == 0,
        "day": dt.date(2024, 2, 28 + n % 2),
        "at": dt.datetime(2024, 2, 29, n, 0, 0, 1 + n, UTC),
        "local": dt.datetime(2024, 2, 29, n, 0, 0, 999_999 - n),
    }
    for n in range(4)
]
_HIGH: list[dict[str, Any]] = [
    {
        "i8": 127,
        "i16": 32_767,
        "i32": 2**31 - 1,
        "i64": 2**63 - 1,
        "f32": 3.4028234663852886e38,
        "f64": 1.7976931348623157e308,
        "dec5_2": Decimal("999.99"),
        "dec18_6": Decimal("99999999999.999999"),
        "dec20_10": Decimal("999999999.9999999999"),
        "dec38_18": Decimal("9999999999999.999999999999999999"),
        "dec38_0": Decimal(2**53 + 1),
        "text": "z" * 70,
        "data": b"\xff" * 70,
        "flag": True,
        "day": dt.date(9999, 12, 31),
        "at": dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
        "local": dt.datetime(9999, 12, 31, 23, 59, 59, 999_999),
    },
    {"i8": 126, "f32": INF, "f64": INF, "text": "z" * 33, "at": dt.datetime(2030, 1, 1, 0, 0, 0, 999_999, UTC)},
]
_LOW: list[dict[str, Any]] = [
    {
        "i8": -128,
        "i16": -32_768,
        "i32": -(2**31),
        "i64": -(2**63),
        "f32": -INF,
        "f64": -INF,
        "dec5_2": Decimal("-999.99"),
        "dec18_6": Decimal("-99999999999.999999"),
        "dec20_10": Decimal("-999999999.9999999999"),
        "dec38_18": Decimal("-9999999999999.999999999999999999"),
        "dec38_0": Decimal(-(2**53) - 1),
        "text": "",
        "data": b"",
        "flag": False,
        "day": dt.date(1582, 10, 1),
        "at": dt.datetime(1600, 2, 28, 0, 0, 0, 1, UTC),
        "local": dt.datetime(1600, 2, 28, 0, 0, 0, 1),
    },
    {"f32": -0.0, "f64": -0.0, "text": " leading", "day": dt.date(1969, 12, 31)},
    {"f32": 1e-45, "f64": 5e-324, "text": "a" * 31, "at": dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)},
]
_TEXTS = [
    "a" * 32,
    "a" * 33,
    "a" * 63 + "bc",
    "é" * 40,
    "\U0001f600" * 33,
    "a" * 31 + "\U0010ffff" * 3,
    "\U0010ffff" * 35,
    "\uffff" * 65,
    "quote ' and \" and `",
    "line\nbreak\ttab \\ backslash %20 %",
    "a\x7f",
]
_ODD: list[dict[str, Any]] = [{"text": text, "data": text.encode("utf-16-le")} for text in _TEXTS]
_NOT_A_NUMBER: list[dict[str, Any]] = [{"f32": NAN, "f64": NAN}, {"f32": 1.5, "f64": 2.5}]
TYPE_FILES = (_PLAIN, _LOW, _ODD, [{}, {}], _NOT_A_NUMBER, [{"f32": NAN, "f64": NAN, "i8": 7}], _HIGH)
"""Rows of the table of types, a file each; a missing column is NULL."""

_INNER = pa.struct([("x", pa.int64()), ("y.z", pa.string()), ("when", MOMENT)])
NESTED = {
    "tags": pa.list_(pa.string()),
    "numbers": pa.list_(pa.int32()),
    "inner": _INNER,
    "labels": pa.map_(pa.string(), pa.int64()),
    "matrix": pa.list_(pa.list_(pa.float64())),
    "people": pa.list_(pa.struct([("name", pa.string()), ("born", pa.date32())])),
    "deep": pa.struct([("mid", pa.struct([("leaf", pa.decimal128(10, 2)), ("list", pa.list_(pa.string()))]))]),
    "by_name": pa.map_(pa.string(), _INNER),
    "groups": pa.map_(pa.int32(), pa.list_(pa.string())),
}
"""The nested types by the names of their columns."""

DECIMALS = {name: TYPES[name] for name in ("dec18_6", "dec20_10", "dec38_18", "dec38_0")}
DECIMAL_FILES: tuple[list[dict[str, Any]], ...] = (
    [{"dec38_0": Decimal(10) ** 18 + n, "dec20_10": Decimal(n), "dec18_6": Decimal(n)} for n in (1, 2)],
    [{"dec38_0": Decimal(2**63 + n), "dec20_10": Decimal(n), "dec18_6": Decimal(n)} for n in (1, 2)],
    [{"dec38_0": Decimal(-(10**20) - n), "dec38_18": Decimal(-n)} for n in (1, 2)],
    [{"dec38_0": Decimal("9" * 37), "dec38_18": Decimal("99999999999999999999.999999999999999999")}, {"dec38_0": 5}],
    [{"dec18_6": Decimal("999999999999.999999"), "dec20_10": Decimal("9999999999.9999999999")}, {"dec18_6": 1}],
    [{"dec38_0": Decimal("9" * 38)}, {"dec38_0": Decimal("-" + "9" * 38)}],
)
"""Decimals, a file each: beyond 64 bits, and with a nearest double that does not fit into their type."""

_FULL = {
    "tags": ["a", "b"],
    "numbers": [1, None, 3],
    "inner": {"x": 1, "y.z": "one", "when": dt.datetime(2024, 1, 1, 0, 0, 0, 1, UTC)},
    "labels": [("k", 1), ("l", None)],
    "matrix": [[1.0, -0.0], [], [NAN]],
    "people": [{"name": "Ada", "born": dt.date(1815, 12, 10)}, {"name": None, "born": None}],
    "deep": {"mid": {"leaf": Decimal("1.25"), "list": ["x"]}},
    "by_name": [("first", {"x": 2, "y.z": "two", "when": None})],
    "groups": [(1, ["g"]), (2, [])],
}
_EMPTY = {"tags": [], "numbers": [], "labels": [], "matrix": [], "people": [], "by_name": [], "groups": []}
_INSIDE = {
    "tags": [None, None],
    "numbers": [None],
    "inner": {"x": None, "y.z": None, "when": None},
    "labels": [("n", None)],
    "matrix": [None, [None]],
    "people": [None],
    "deep": {"mid": None},
    "by_name": [("none", None)],
    "groups": [(3, None)],
}
_OTHER = {
    "tags": ["a"],
    "inner": {"x": 9, "y.z": "n" * 40, "when": dt.datetime(2025, 1, 1, tzinfo=UTC)},
    "deep": {"mid": {"leaf": Decimal("-1.25"), "list": []}},
}
NESTED_FILES = ([_FULL, _OTHER], [_EMPTY, _EMPTY], [_INSIDE], [{}, {}], [_OTHER, _INSIDE, {}], [_OTHER, _EMPTY])
"""Rows of the table of nested types, a file each."""

PARTITION_ROWS: list[dict[str, Any]] = [
    {
        "i8": -128,
        "i16": -32_768,
        "i32": -1,
        "i64": -(2**63),
        "f32": 0.1,
        "f64": 0.1,
        "dec5_2": Decimal("1.50"),
        "dec38_18": Decimal("0.000000000000000001"),
        "text": "plain",
        "data": b"\x00\xff'",
        "flag": True,
        "day": dt.date(2024, 1, 5),
        "at": dt.datetime(2024, 1, 5, 10, 0, 0, 123_456, UTC),
        "local": dt.datetime(2024, 1, 5, 10, 0, 0, 123_456),
    },
    {
        "i8": 127,
        "i16": 7,
        "i32": 2**31 - 1,
        "i64": 2**63 - 1,
        "f32": 3.4028234663852886e38,
        "f64": 1234567890123.5,
        "dec5_2": Decimal("999.99"),
        "dec38_18": Decimal("99999999999999999999.999999999999999999"),
        "text": "ü / % # ? & = + '",
        "data": b"plain",
        "flag": False,
        "day": dt.date(9999, 12, 31),
        "at": dt.datetime(2024, 1, 5, 10, 0, 0, tzinfo=UTC),
        "local": dt.datetime(2024, 1, 5),
    },
    {
        "i8": 0,
        "i16": 0,
        "i32": 0,
        "i64": 0,
        "f32": -1.5,
        "f64": -1e-7,
        "dec5_2": Decimal("0.00"),
        "dec38_18": Decimal(0),
        "text": "0",
        "data": b"0",
        "flag": False,
        "day": dt.date(1969, 12, 31),
        "at": dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        "local": dt.datetime(1969, 12, 31, 23, 59, 59, 100_000),
    },
    {},
]
"""One row a partition; a missing column is NULL."""

NEGATIVE_DECIMALS: list[dict[str, Any]] = [
    {"dec5_2": Decimal("-1.50"), "dec38_18": Decimal("-0.000000000000000001")},
    {"dec5_2": Decimal("-0.25"), "dec38_18": Decimal("-2.000000000000000000")},
    {"dec5_2": Decimal("3.00"), "dec38_18": Decimal("-99999999999999999999.999999999999999999")},
]
"""Decimals as partitions that delta-rs spelled `-1.-50` for a while."""

PARTITION_TEXTS = [
    "plain",
    "Plain",
    "a b",
    "a%20b",
    "a+b",
    "a/b",
    "a=b",
    "a:b",
    "ä ö",
    "\U0001f600",
    "'",
    '"',
    "`",
    "#?&",
    " blank ",
    "null",
    "x" * 70,
    ".",
    "\\",
    "{a,b}",
    "line\nbreak",
    "",
    None,
]
"""The values of a text partition. Empty text is NULL, PROTOCOL.md says ("Partition Value Serialization")."""

NAMES = [
    "id",
    "a b",
    "a.b",
    "a",
    'double"quote',
    "single'quote",
    "back`tick",
    "com,ma",
    "semi;colon",
    "eq=ual",
    "(paren)",
    "{brace}",
    "[bracket]",
    "per%cent",
    "sl/ash",
    "back\\slash",
    "ünïcödé",
    "\U0001f600",
    "UPPER",
    "MixedCase",
    "select",
    "1digit",
    "$dollar",
    "#hash",
    " blank ",
    "new\nline",
]
"""Names of columns that have to be quoted somewhere."""


REGIONS = ("west", "east", "north")
"""The partitions of the tables with a life."""


def schema(columns: dict[str, pa.DataType]) -> pa.Schema:
    """The columns, behind the whole number `id`."""
    return pa.schema([("id", pa.int64()), *columns.items()])


def table(rows: list[dict[str, Any]], columns: dict[str, pa.DataType], first_id: int = 0) -> pa.Table:
    """The rows with ids from `first_id` on."""
    numbered = [{"id": first_id + number, **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(numbered, schema(columns))


def files(contents: Any, columns: dict[str, pa.DataType]) -> list[pa.Table]:
    """Rows file by file, with ids that go on from one to the next."""
    starts = [sum(len(rows) for rows in contents[:number]) for number in range(len(contents))]
    return [table(rows, columns, start) for rows, start in zip(contents, starts)]  # noqa: B905


def partition_texts() -> pa.Table:
    """A row for each text of a partition."""
    return pa.table({"id": list(range(len(PARTITION_TEXTS))), "part": pa.array(PARTITION_TEXTS, pa.string())})


def is_plain(text: str | None) -> bool:
    """Whether no writer has to escape a text in a path."""
    return text is None or re.fullmatch(r"[\w.-]*", text, re.ASCII) is not None


def empty_is_null(rows: pa.Table, *names: str) -> pa.Table:
    """The rows as they are to be read where these columns are partitions: empty texts and bytes are NULL there."""
    for name in names:
        values = [None if value in ("", b"") else value for value in rows[name].to_pylist()]
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type))
    return rows


def without_zone(rows: pa.Table) -> pa.Table:
    """The rows with moments as times of UTC that do not say so, for writers that know no zone."""
    return pa.Table.from_pylist(
        rows.to_pylist(), pa.schema([(field.name, _naive(field.type)) for field in rows.schema])
    )


def _naive(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp(kind.unit)
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _naive(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, _naive(kind.item_type))
    return pa.list_(_naive(kind.value_type)) if pa.types.is_list(kind) else kind


def named(ids: list[int], names: list[str]) -> pa.Table:
    """Rows with a text in each column of these names, which tells name and row."""
    arrays = {name: pa.array([f"{name}: {number}" for number in ids], pa.string()) for name in names}
    arrays["id"] = pa.array(ids, pa.int64())
    return pa.table({name: arrays[name] for name in names})


def dotted(ids: list[int]) -> pa.Table:
    """Rows with a column `a.b` beside the field `b` of a struct `a`."""
    inside = [{"b": number, "c d": f"inner {number}"} for number in ids]
    inside_type = pa.struct([("b", pa.int64()), ("c d", pa.string())])
    text = pa.array([f"a.b: {number}" for number in ids], pa.string())
    return pa.table({"id": pa.array(ids, pa.int64()), "a.b": text, "a": pa.array(inside, inside_type)})


def without(rows: pa.Table, drops: Callable[[dict[str, Any]], bool]) -> pa.Table:
    """The rows that are not dropped."""
    return changed(rows, lambda row: None if drops(row) else row)


def changed(rows: pa.Table, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> pa.Table:
    """The rows as `change` returns them; None drops one."""
    kept = [row for row in map(change, rows.to_pylist()) if row is not None]
    return pa.Table.from_pylist(kept, rows.schema)


def people(ids: range, **more: pa.DataType) -> pa.Table:
    """Rows of the tables with a life."""
    columns = {"region": pa.string(), "name": pa.string(), "qty": pa.int64(), "at": MOMENT, **more}
    day = dt.datetime(2024, 1, 1, 12, 0, 0, 7, UTC)
    rows = [{"region": REGIONS[n % 3], "name": f"n{n}", "qty": n, "at": day + dt.timedelta(hours=n)} for n in ids]
    rows = [{**row, **{name: f"{name} {row['qty']}" for name in more}} for row in rows]
    return table(rows, columns, ids.start)
