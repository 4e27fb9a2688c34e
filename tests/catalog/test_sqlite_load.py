"""Rows that are packed for SQLite come out of it as they were, whatever their values share."""

from typing import Any

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.catalog.dialects import dialect_for
from deltalakedb.catalog.dialects.base import shapes_of
from deltalakedb.catalog.packing.base import columns_of
from deltalakedb.catalog.schema import delta_cdc_files

NAMES = [column.name for column in delta_cdc_files.columns]
NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(max_size=20) | st.sampled_from(["", "\0", "a\0b", "'", "''", "x" * 2000])
NONE = st.none()
ROWS = st.tuples(NUMBERS, TEXTS, st.just("{}"), NONE | NUMBERS, NONE | st.booleans(), NONE | TEXTS, NONE | TEXTS)


def through_sqlite(table_id: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    dialect = dialect_for("sqlite")
    with sa.create_engine("sqlite://").begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE delta_cdc_files ({', '.join(f'{name} BLOB' for name in NAMES)})")
        shapes = shapes_of(delta_cdc_files)
        packed = dialect.pack(shapes, table_id, columns_of(shapes, rows))
        dialect.load(connection, delta_cdc_files, [packed])
        return [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM delta_cdc_files ORDER BY rowid")]


@given(st.lists(ROWS, min_size=1, max_size=5), st.integers(1, 150), st.sampled_from(["t", "o'clock"]))
def test_all_rows_come_back(rows: list[tuple[Any, ...]], times: int, table_id: str):
    rows = rows * times
    assert through_sqlite(table_id, rows) == [(table_id, *row) for row in rows]
