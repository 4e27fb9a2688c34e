"""Calls as applications of delta-rs make them, on tables of its test suite: answers, rows in order, and errors."""

import datetime
import warnings
from unittest.mock import Mock

import deltalake
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from deltalake.exceptions import DeltaProtocolError
from deltalake.table import ProtocolVersions
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from tests.support.shared_tables import shared_params
from tests.table.catalogs import imported, opened

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated.*:DeprecationWarning")


def on(name):
    return pytest.mark.parametrize("shared", shared_params(lambda table: table.name == f"drs/{name}"))


def same(shared, ask):
    """Asserts that a call has one outcome on both sides: an answer, or an error that is caught in the same way."""
    theirs, ours = (outcome(ask, table) for table in (deltalake.DeltaTable(shared.location), opened(shared)))
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), ours
        if str(theirs).startswith(("Invalid partition", "Data does not match", "Filters include", "filters must")):
            assert str(ours) == str(theirs)
    else:
        assert ours == theirs
    return ours


def outcome(ask, table):
    try:
        return ask(table)
    except Exception as error:
        return error


FILTERS = [
    [("day", "=", "3")],
    [("day", "=", 3)],
    [("day", "!=", "3")],
    [("day", "in", ["3", "20"])],
    [("day", "in", ("3",))],
    [("day", "in", {"3"})],
    [("day", "in", "3")],
    [("day", "not in", ["3", "20"])],
    [("day", "not in", ["3", "20"]), ("year", "=", "2021")],
    [[("day", "=", "3")], [("day", "=", "4"), ("month", "=", "12")]],
    [("year", ">=", "2021")],
    [("day", ">", ["3"])],
    [("day", "=", "")],
    [("day", "=", None)],
    [("day", "=", {"a": 1})],
    [("day", "=", b"3")],
    [("day", "=", datetime.date(2020, 1, 1))],
    [("day", "=", 1.5)],
    [("day", "=")],
    [("value", "=", "6")],
    [("invalid_operation", "=>", "3")],
    [("invalid_operation", "=", ["3", "20"])],
    [("unknown", "=", "3")],
    [],
    [[]],
    ("day", "=", "3"),
    [("day", "=", "3"), [("day", "=", "3")]],
    "day = '3'",
    "day = 3",
    "value = '6'",
    "year >= '2021' AND NOT (day IN ('4'))",
    "day IS NULL",
    "1 = 1",
    "day = ",
    "nope = 1",
    "DAY = '3'",
]


@pytest.mark.parametrize("filters", FILTERS, ids=repr)
@on("delta-0.8.0-partitioned")
def test_files_and_partitions_by_filters(shared, filters):
    same(shared, lambda table: table.file_uris(filters))
    same(shared, lambda table: table.file_uris(file_pruning_predicate=filters))
    same(shared, lambda table: sorted(sorted(each.items()) for each in table.partitions(filters)))


@on("delta-0.8.0-partitioned")
def test_two_filters_at_once(shared):
    found = same(shared, lambda table: table.file_uris([("day", "=", "3")], file_pruning_predicate="day = '3'"))
    assert isinstance(found, ValueError)


YEAR_AND_MONTH = (ds.field("year") == "2021") & (ds.field("month") == "12")
WIDE = pa.schema({name: pa.large_string() for name in ("value", "year", "month", "day")})
DATASETS = {
    "whole": lambda table: table.to_pyarrow_dataset().to_table().to_pydict(),
    "partitions": lambda table: table.to_pyarrow_dataset([("year", "=", "2021")]).to_table().to_pydict(),
    "columns": lambda table: table.to_pyarrow_dataset().to_table(columns=["value", "day"]).to_pydict(),
    "filter": lambda table: table.to_pyarrow_dataset().to_table(filter=YEAR_AND_MONTH).to_pydict(),
    "fragments": lambda table: len(list(table.to_pyarrow_dataset().get_fragments(filter=YEAR_AND_MONTH))),
    "large types": lambda table: table.to_pyarrow_dataset(as_large_types=True).schema,
    "schema": lambda table: table.to_pyarrow_dataset(schema=WIDE).to_table().to_pydict(),
    "dictionaries": lambda table: (
        table.to_pyarrow_dataset(parquet_read_options=ds.ParquetReadOptions(dictionary_columns={"value"}))
        .to_table()
        .schema
    ),
    "duplicates": lambda table: table.to_pyarrow_table(columns=["day", "value", "day"]).column_names,
    "no columns": lambda table: table.to_pyarrow_table(columns=[]).num_rows,
    "unknown column": lambda table: table.to_pyarrow_table(columns=["nope"]),
    "unknown filter": lambda table: table.to_pyarrow_table(filters=[("nope", "=", 1)]),
    "frame": lambda table: table.to_pandas(columns=["value"], filters=[[("day", "in", ["3"])]]).to_dict(),
}


@pytest.mark.parametrize("ask", DATASETS.values(), ids=DATASETS)
@on("delta-0.8.0-partitioned")
def test_rows_by_pyarrow(shared, ask):
    same(shared, ask)


SCANS = [
    {},
    {"columns": ["value", "year"]},
    {"predicate": "value = '6'"},
    {"columns": ["value"], "predicate": "year = '2021'"},
    {"columns": ["year"], "predicate": "value = '6'"},
    {"predicate": "nonexistent = 1"},
    {"columns": ["nonexistent"]},
]


@pytest.mark.parametrize("given", SCANS, ids=repr)
@on("delta-0.8.0-partitioned")
def test_scan_in_the_form_of_delta_rs(shared, given):
    found = same(shared, lambda table: sorted(map(repr, pa.table(table.scan(**given).read_all()).to_pylist())))
    if isinstance(found, Exception):
        assert "nonexistent" in str(found)
    columns = given.get("columns")
    if columns:
        same(shared, lambda table: [*table.scan(columns).read_all().schema.names])


PRIMITIVES = [
    [("year", "=", 2020)],
    [("year", "=", 2021.0)],
    [("year", "in", [2020, 2022.0])],
    [("is_active", "=", True)],
    [("is_active", "in", [True, False])],
    [("event_date", "=", datetime.date(2023, 1, 1))],
    [("category", "=", "A")],
    [("category", "=", {"invalid": "dict"})],
    [("category", "in", [{"invalid": "dict"}, "A"])],
]


@pytest.mark.parametrize("filters", PRIMITIVES, ids=repr)
@on("partition-type-primitives")
def test_partition_filters_of_python_types(shared, filters):
    same(shared, lambda table: table.to_pyarrow_dataset(filters).to_table().to_pydict())


@on("simple_table")
def test_a_filesystem_of_the_callers_own(shared):
    filesystem = SubTreeFileSystem(shared.location, LocalFileSystem())
    same(shared, lambda table: table.to_pandas(filesystem=filesystem).to_dict())


@on("simple_table")
def test_a_protocol_that_pyarrow_does_not_know(shared):
    table = imported(shared).table(shared.name)
    table.protocol = Mock(return_value=ProtocolVersions(4, 1, None, None))
    for read in (table.to_pyarrow_dataset, table.to_pyarrow_table, table.to_pandas, table.scan):
        with pytest.raises(DeltaProtocolError):
            read()


@on("simple_table")
def test_limits_of_the_history(shared):
    for limit in (None, 0, 1, 2, 99, -1, "x", 2.5):
        same(shared, lambda table, limit=limit: table.history(limit))


@on("simple_table")
def test_versions_that_are_not_there(shared):
    for version in (5, 99, -1, "x", None, 1.5):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            same_error(shared, version)


def same_error(shared, version):
    theirs = outcome(lambda table: table.load_as_version(version), deltalake.DeltaTable(shared.location))
    ours = outcome(lambda table: table.load_as_version(version), imported(shared).table(shared.name))
    assert isinstance(theirs, Exception)
    assert isinstance(ours, type(theirs))
