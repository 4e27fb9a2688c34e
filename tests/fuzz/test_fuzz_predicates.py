"""Whatever is asked for: a predicate that picks files, or ArgumentError, in no time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.client import connect
from deltalakedb.errors import ArgumentError
from deltalakedb.table.delta_table import DeltaTable
from tests.fuzz import hostile
from tests.support.logs import LogBuilder, add, metadata, protocol

TYPES = {
    "id": "long",
    "small": "byte",
    "price": "decimal(10,2)",
    "x": "double",
    "f": "float",
    "name": "string",
    "ok": "boolean",
    "raw": "binary",
    "day": "date",
    "at": "timestamp",
    "nz": "timestamp_ntz",
    "part": "date",
    "region": "string",
    "s": {"type": "struct", "fields": [{"name": "y", "type": "long", "nullable": True, "metadata": {}}]},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeltaTable]:
    yield from made_table(tmp_path_factory.mktemp("lake"))


def made_table(folder: Path) -> Iterator[DeltaTable]:
    """A table with a column of every type, two of them partitions."""
    root = folder / "t"
    log = LogBuilder(root)
    adds = [
        add(f"{n}.parquet", stats=hostile.STATS, partitionValues={"part": day, "region": "x"})
        for n, day in enumerate(DAYS)
    ]
    log.commit(protocol(), metadata(TYPES, ["part", "region"]), *adds)
    with connect(f"sqlite:///{root.parent}/catalog.db") as catalog:
        catalog.import_table(str(root), table_id="t")
        catalog.index("t", ["id", "day"])
        yield catalog.table("t")


DAYS = ("2024-01-01", "2024-02-29", None, "", "not a day")

# ---- SQL

NAMES = (*TYPES, "s.y", "s['y']", '"id"', "`id`", "nobody", '"a""b"', "part.x", "ID")
LITERALS = (
    *(
        "0",
        "-1",
        "5",
        "9.5",
        ".5",
        "1e5",
        "1e400",
        "-1e400",
        "1e1000000",
        "1e-1000000",
        "9" * 400,
        "0." + "9" * 400,
        "5L",
    ),
    *(
        "1e999999999999",
        "-1e999999999999",
        "1E+99999999999999999999",
        "0x10",
        "1_000",
        "5BD",
        "1.5D",
        "NULL",
        "TRUE",
        "FALSE",
    ),
    *(
        "''",
        "'a'",
        "'it''s'",
        "'\x00'",
        "'2024-01-01'",
        "'2024-02-30'",
        "'0000-00-00'",
        "'99999-01-01'",
        "'NaN'",
        "'inf'",
    ),
    *(
        "'2024-01-01 00:00:00+99:99'",
        "'2024-01-01T24:00:00Z'",
        "'1e1000000'",
        "'" + "9" * 5000 + "'",
        "X'0f'",
        "X'f'",
        "X''",
    ),
    *("DATE '2024-01-01'", "DATE 'x'", "TIMESTAMP '2024-01-01 00:00:00'", "INTERVAL '1' day", "CAST('1' AS BIGINT)"),
    *(
        "CAST(id AS DECIMAL(10,2))",
        "CAST(id AS DECIMAL(99999999999,2))",
        "CAST(x AS DECIMAL(a,b))",
        "CAST(id AS NOTHING)",
    ),
    *(
        "CAST('1e1000000' AS DECIMAL(38,10))",
        "CAST('NaN' AS DOUBLE)",
        "CAST(1e999999999 AS BIGINT)",
        "(1, 2)",
        "[1]",
        "?",
    ),
    *(
        "upper(name)",
        "id + 1",
        "1 / 0",
        "(SELECT 1)",
        "CASE WHEN ok THEN 1 END",
        "DECIMAL '1e999999'",
        "-(-(1))",
        "- 'a'",
    ),
)
OPERATORS = (
    "=",
    "!=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "<=>",
    "LIKE",
    "NOT LIKE",
    "ILIKE",
    "IS",
    "IS NOT",
    "~",
    "!~*",
    "IN",
    "+",
)
OPERATORS += ("IS DISTINCT FROM", "IS NOT DISTINCT FROM", "SIMILAR TO", "RLIKE", "||")
operand = st.one_of(st.sampled_from(NAMES), st.sampled_from(LITERALS), st.integers().map(str), st.floats().map(str))


@st.composite
def comparison(draw: st.DrawFn) -> str:
    left, right = draw(operand), draw(operand)
    match draw(st.integers(0, 5)):
        case 0:
            return f"{left} {draw(st.sampled_from(('', 'NOT ')))}BETWEEN {right} AND {draw(operand)}"
        case 1:
            return f"{left} {draw(st.sampled_from(('', 'NOT ')))}IN ({', '.join(draw(st.lists(operand, max_size=4)))})"
        case 2:
            what = draw(st.sampled_from(("NULL", "NOT NULL", "TRUE", "NOT FALSE", "UNKNOWN", right)))
            return f"{left} IS {what}"
        case _:
            return f"{left} {draw(st.sampled_from(OPERATORS))} {right}"


def both(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.tuples(inner, st.sampled_from(("AND", "OR", "XOR")), inner).map(" ".join)
    return st.one_of(joined, inner.map("({})".format), inner.map("NOT {}".format))


conditions = st.recursive(comparison(), both, max_leaves=6)
DEEP = ("(" * 3000 + "id = 1" + ")" * 3000, "NOT " * 3000 + "ok", "id = 1 OR " * 3000 + "id = 2", "-" * 3000 + "1 = id")
DEEP += ("id IN (" + "1," * 20_000 + "1)", "[" * 3000, "'" * 3001, "/*" * 3000, "CASE WHEN " * 1000, "s" + ".y" * 3000)
WORDS = (
    b"'",
    b'"',
    b"(",
    b")",
    b"--",
    b"/*",
    b";",
    b"\x00",
    b"\xff",
    b"\\",
    b"%",
    b"{{",
    b"$$",
    b":x",
    b"\n",
    b"::",
    b"@",
)
spoiled = conditions.flatmap(lambda text: hostile.edited(text.encode(), WORDS)).map(
    lambda text: text.decode("utf-8", "surrogateescape")
)


@hostile.IN_CI
@given(text=st.one_of(conditions, conditions, spoiled, st.sampled_from(DEEP), st.text()))
def test_sql_picks_files_or_is_refused(table: DeltaTable, text: str):
    picks(table, text)


# ---- tuples

values: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    hostile.texts,
    st.binary(max_size=5),
    st.dates(),
    st.datetimes(timezones=st.sampled_from((None, UTC))),
    st.decimals(),
    st.sampled_from(
        (
            Decimal("1e999999999"),
            Decimal("-1e999999999"),
            10**5000,
            date.max,
            datetime.max.replace(tzinfo=UTC),
            object(),
            {},
            b"\xff",
        )
    ),
)
names = st.one_of(st.sampled_from((*TYPES, "s.y", "nobody", "")), hostile.texts, values)
operators = st.one_of(st.sampled_from(("=", "!=", "<", "<=", ">", ">=", "in", "not in", "", "==")), values)
one_filter = st.one_of(
    st.tuples(names, operators, st.one_of(values, st.lists(values, max_size=4))),
    st.lists(values, max_size=4).map(tuple),
    values,
)
filters = st.one_of(st.lists(one_filter, max_size=3), st.lists(st.lists(one_filter, max_size=3), max_size=3), values)


@hostile.IN_CI
@given(given=filters)
def test_tuples_pick_files_or_are_refused(table: DeltaTable, given: Any):
    picks(table, given)


def picks(table: DeltaTable, where: Any) -> None:
    with suppress(ArgumentError):
        found = table.files(where=where)
        assert set(found["path"].to_pylist()) <= {f"{n}.parquet" for n in range(len(DAYS))}
