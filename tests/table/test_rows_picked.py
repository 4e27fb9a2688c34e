"""Some rows and some columns, in every way of reading, are those that are picked from what Spark read."""

from collections.abc import Callable
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from deltalakedb.table.delta_table import DeltaTable
from tests.support.shared_tables import shared_params
from tests.table.catalogs import comparable, opened

SIMPLE = (pa.types.is_integer, pa.types.is_string, pa.types.is_date, pa.types.is_boolean)

PACIFIC = "gold/data-reader-partition-values"
"""Whose rows were written by somebody who took a time without a zone for Pacific time."""

WITH_ROWS = shared_params(lambda table: table.is_ok and table.rows is not None and table.name != PACIFIC)


def by_duckdb(table: DeltaTable, columns: list[str], name: str, value: Any) -> pa.Table:
    shown = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
    quoted = name.replace('"', '""')
    with duckdb.connect() as connection:
        connection.execute("SET timezone = 'UTC'")
        table.to_duckdb(connection, "t")
        query = f'SELECT {shown} FROM t WHERE "{quoted}" = ?'
        return connection.sql(query, params=[value]).to_arrow_table()


def by_polars(table: DeltaTable, columns: list[str], name: str, value: Any) -> pa.Table:
    return table.to_polars().filter(pl.col(name) == pl.lit(value)).select(columns).collect().to_arrow()


WAYS: dict[str, Callable[[DeltaTable, list[str], str, Any], pa.Table]] = {
    "scan": lambda t, columns, name, value: t.scan(where=pc.field(name) == value, columns=columns).read_all(),
    "scan by tuples": lambda t, columns, name, value: t.scan(where=[(name, "=", value)], columns=columns).read_all(),
    "to_pyarrow_table": lambda t, columns, name, value: t.to_pyarrow_table(
        columns=columns, filters=pc.field(name) == value
    ),
    "to_pandas": lambda t, columns, name, value: pa.Table.from_pandas(
        t.to_pandas(columns=columns, filters=[(name, "=", value)], types_mapper=_as_arrow), preserve_index=False
    ),
    "to_polars": by_polars,
    "to_duckdb": by_duckdb,
}


def _as_arrow(kind: pa.DataType) -> Any:
    import pandas as pd

    return pd.ArrowDtype(kind)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shared", WITH_ROWS)
def test_rows_and_columns_are_picked_by_each_column_in_turn(shared, way):
    expected, table = pq.read_table(shared.rows), opened(shared)
    simple = [field.name for field in expected.schema if any(is_one(field.type) for is_one in SIMPLE)]
    if not simple:
        pytest.skip("no column of a simple type")
    columns = [expected.column_names[-1], *expected.column_names[:-1]]
    for name in simple[:6]:
        values = expected[name].drop_null()
        if len(values):
            value = values[len(values) // 2].as_py()
            wanted = expected.filter(pc.field(name) == value).select(columns)
            found = WAYS[way](table, columns, name, value)
            assert found.column_names == columns
            assert comparable(found) == comparable(wanted), f"{name} = {value!r}"


@pytest.mark.parametrize("shared", WITH_ROWS)
def test_no_columns_are_as_many_rows(shared):
    expected, table = pq.read_table(shared.rows), opened(shared)
    assert table.scan(columns=[]).read_all().num_rows == expected.num_rows
    assert table.to_pyarrow_table(columns=[]).num_rows == expected.num_rows


@pytest.mark.parametrize("shared", WITH_ROWS)
def test_partition_columns_alone(shared):
    expected, table = pq.read_table(shared.rows), opened(shared)
    columns = table.metadata().partition_columns
    if not columns:
        pytest.skip("no partition columns")
    for found in (table.scan(columns=columns).read_all(), table.to_pyarrow_table(columns=columns)):
        assert comparable(found) == comparable(expected.select(columns))
