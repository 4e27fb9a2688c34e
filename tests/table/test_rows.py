"""Rows of the shared tables, by every way to read them, as Spark or delta-rs' own engine read them."""

import datetime
from collections.abc import Callable

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import DeltaError, DeltaProtocolError

from deltalakedb.table.delta_table import DeltaTable
from tests.support.shared_tables import shared_params
from tests.table.catalogs import by_delta_rs, comparable, opened

PACIFIC = "gold/data-reader-partition-values"  # took its zoneless partition timestamp for Pacific time
WIDENED = {"gold/type-widening", "krs/type-widening"}
REFUSED = {
    "drs/simple_table_features": "reader version 5",
    "gold/deltalog-invalid-protocol-version": "reader version 99",
    "edge/unknown_reader_feature": "quantumRows",
    "krs/table-with-geo": "geospatial",
    "spark/variant-stats-no-checkpoint": "variantShredding-preview",
    "spark/variant-stats-with-struct-no-checkpoint": "variantShredding-preview",
}
"""Tables whose rows no engine here reads, and what the refusal names."""


def by_duckdb(table: DeltaTable) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET timezone = 'UTC'")
        return table.to_duckdb(connection, "rows").to_arrow_table()


def by_pandas(table: DeltaTable) -> pa.Table:
    import pandas as pd

    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return pa.Table.from_pandas(frame, table.to_pyarrow_table().schema, preserve_index=False)


WAYS: dict[str, Callable[[DeltaTable], pa.Table]] = {
    "scan": lambda table: table.scan().read_all(),
    "to_pyarrow_dataset": lambda table: table.to_pyarrow_dataset().to_table(),
    "to_pyarrow_table": lambda table: table.to_pyarrow_table(),
    "to_pandas": by_pandas,
    "to_polars": lambda table: table.to_polars().collect().to_arrow(),
    "to_duckdb": by_duckdb,
}


def assert_rows(way: str, table: DeltaTable, expected: list[str], *, may_refuse: bool) -> None:
    try:
        found = WAYS[way](table)
    except DeltaProtocolError:
        assert may_refuse, "refused"
        assert way == "to_pyarrow_dataset", "only pyarrow's own dataset may refuse what an engine can read"
        return
    assert comparable(found) == expected


def needs_more_than_pyarrow(table: DeltaTable) -> bool:
    features = set(table.protocol().reader_features or ())
    mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none"
    widened = any("idening" in feature for feature in features)
    return mapped or widened or "deletionVectors" in features


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok and table.rows is not None))
def test_rows_are_those_that_spark_read(shared, way):
    expected = pq.read_table(shared.rows)
    if shared.name == PACIFIC:
        expected = _seven_hours_earlier(expected, "as_timestamp")
    table = opened(shared)
    assert_rows(way, table, comparable(expected), may_refuse=needs_more_than_pyarrow(table))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok and table.rows is None))
def test_rows_are_those_that_delta_rs_reads(shared, way):
    if shared.name in WIDENED | set(REFUSED):
        pytest.skip("a test of its own")
    try:
        expected = comparable(by_delta_rs(shared).scan().read_all())
    except Exception as error:
        pytest.skip(f"delta-rs does not read it: {str(error)[:80]}")
    if shared.name == "edge/empty_string_partition_value":  # NULL by PROTOCOL.md; delta-rs takes it literally
        expected = sorted(
            row.replace("['p', '']", "['p', None]").replace("('p', '')", "('p', None)") for row in expected
        )
    table = opened(shared)
    assert_rows(way, table, expected, may_refuse=needs_more_than_pyarrow(table))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shared", shared_params(lambda table: table.name in WIDENED))
def test_widened_types(shared, way):
    # Each file has the types of its day; cast by hand to the table's.
    schema = pa.schema(opened(shared).schema().to_arrow())
    files = [pq.read_table(path).cast(schema) for path in opened(shared).file_uris()]
    assert_rows(way, opened(shared), comparable(pa.concat_tables(files)), may_refuse=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shared", shared_params(lambda table: table.name in REFUSED))
def test_what_no_engine_reads_is_refused_by_name(shared, way):
    with pytest.raises(DeltaProtocolError, match=REFUSED[shared.name]):
        WAYS[way](opened(shared))
    assert opened(shared).history() is not None
    assert opened(shared).files().num_rows >= 0


@pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok and table.rows is not None))
def test_rows_in_the_order_and_types_of_delta_rs(shared):
    theirs = by_delta_rs(shared)
    try:
        expected = theirs.to_pyarrow_table()
    except (DeltaError, pa.ArrowException) as error:
        pytest.skip(f"delta-rs does not read it: {str(error)[:80]}")
    if needs_more_than_pyarrow(opened(shared)):
        pytest.skip("delta-rs gives NULLs")
    ours = opened(shared).to_pyarrow_table()
    assert ours.schema.equals(expected.schema, check_metadata=True)
    if theirs.file_uris() == opened(shared).file_uris():
        assert ours.equals(expected)


@pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok and table.rows is not None))
def test_older_versions(shared):
    for version in shared.expected["versions"]:
        try:
            expected = comparable(by_delta_rs(shared, int(version)).scan().read_all())
        except Exception:
            continue  # vacuumed
        assert comparable(opened(shared, int(version)).scan().read_all()) == expected, version


def _seven_hours_earlier(table: pa.Table, name: str) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(at, name, pc.subtract(table[name], pa.scalar(datetime.timedelta(hours=7))))


def test_a_refusal_is_one_of_the_protocol_for_callers_of_delta_rs():
    from deltalakedb.errors import UnsupportedTableError
    from deltalakedb.table import exceptions

    assert issubclass(exceptions.UnsupportedTableError, DeltaProtocolError)
    assert issubclass(exceptions.UnsupportedTableError, UnsupportedTableError)
