"""Partition values as writers spell them: read in the same way by every way of reading, or refused by name in all."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from deltalakedb.client import connect
from deltalakedb.errors import StorageError
from deltalakedb.table.delta_table import DeltaTable
from tests.support.logs import LogBuilder, metadata, protocol
from tests.table.rows_on_disk import WAYS, data_file

SPELLINGS: list[tuple[str, Any, Any]] = [
    ("date", "2024-1-5", date(2024, 1, 5)),
    ("integer", "+1", 1),
    ("integer", 2024, 2024),
    ("boolean", True, True),
    ("boolean", "TRUE", True),
    ("double", "1.", 1.0),
    ("double", 0.5, 0.5),
    ("float", "0.1", 0.10000000149011612),
    ("decimal(10,2)", "1.5", Decimal("1.50")),
    ("decimal(10,2)", "-0.25", Decimal("-0.25")),
    ("timestamp", "2024-01-05", datetime(2024, 1, 5, tzinfo=UTC)),
    ("timestamp", "2024-01-05 01:02:03.1234567", datetime(2024, 1, 5, 1, 2, 3, 123456, tzinfo=UTC)),
    ("timestamp", "2024-01-05T01:02:03+01:00", datetime(2024, 1, 5, 0, 2, 3, tzinfo=UTC)),
    ("timestamp_ntz", "2024-01-05T01:02:03Z", datetime(2024, 1, 5, 1, 2, 3, tzinfo=UTC).replace(tzinfo=None)),
    ("string", "__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__"),
    ("string", "a b/c=%é", "a b/c=%é"),
    ("string", "", None),
    ("string", 1.50, "1.5"),
    ("binary", "é", "é".encode()),
    ("long", "__HIVE_DEFAULT_PARTITION__", None),
]


def table_with(url: str, folder: Any, kind: str, spelling: Any) -> DeltaTable:
    log = LogBuilder(folder / "t")
    features = ["timestampNtz"] if kind == "timestamp_ntz" else []
    log.commit(
        protocol(features=features),
        metadata({"id": "long", "p": kind}, ["p"]),
        data_file(log, "a.parquet", pa.table({"id": [1]}), partitionValues={"p": spelling}),
    )
    with connect(url) as catalog:
        catalog.import_table(str(log.root))
    return DeltaTable(url, table_id="t")


@pytest.mark.parametrize(("kind", "spelling", "value"), SPELLINGS, ids=[f"{k}-{s}" for k, s, _ in SPELLINGS])
def test_every_way_reads_the_same(tmp_path, sqlite_url, kind, spelling, value):
    table = table_with(sqlite_url, tmp_path, kind, spelling)
    for name, way in WAYS.items():
        assert way(table) == [{"id": 1, "p": value}], name
    assert pa.table(table.get_add_actions(flatten=True))["partition.p"].to_pylist() == [value]
    text = spelling if isinstance(spelling, str) else str(spelling).lower()
    assert table.partitions() == [{"p": text or None}]
    assert table.files()["partition_values"].to_pylist() == [{"p": text}]
    literal = "p" if value is None else repr(value)
    for filters in (
        [("p", "=", value if value is not None else "")],
        [("p", "in", [value if value is not None else ""])],
    ):
        assert table.scan(filters).read_all().num_rows == 1, literal
        assert len(table.file_uris(file_pruning_predicate=filters)) == 1, literal


@pytest.mark.parametrize(
    ("kind", "spelling"), [("byte", "200"), ("decimal(10,2)", "-3.-25"), ("date", "soon"), ("timestamp", "1e5")]
)
def test_what_no_reader_makes_sense_of_is_refused_by_name_in_every_way(tmp_path, sqlite_url, kind, spelling):
    table = table_with(sqlite_url, tmp_path, kind, spelling)
    ways = {
        **WAYS,
        "get_add_actions": lambda table: table.get_add_actions(),
        "where": lambda table: table.scan("p IS NOT NULL"),
    }
    for name, way in ways.items():
        with pytest.raises(Exception, match=r"a\.parquet") as failure:
            way(table)
        assert repr(spelling) in str(failure.value), name
        assert "'p'" in str(failure.value), name
    with pytest.raises(StorageError):
        table.scan()
    # What needs no value still answers; `partitions` has the log's text, as delta-rs does.
    assert table.partitions() == [{"p": spelling}]
    assert table.scan("id = 1 AND false").read_all().num_rows == 0


def test_a_float_partition_is_compared_as_32_bits(tmp_path, database_url):
    log = LogBuilder(tmp_path / "t")
    log.commit(
        protocol(),
        metadata({"id": "long", "p": "float"}, ["p"]),
        data_file(log, "a.parquet", pa.table({"id": [1]}), partitionValues={"p": "0.1"}),
        data_file(log, "b.parquet", pa.table({"id": [2]}), partitionValues={"p": "1.5"}),
    )
    with connect(database_url) as catalog:
        catalog.import_table(str(log.root))
        table = catalog.table("t")
        for where in ("p > 0.1", "p != 0.1", "p IS DISTINCT FROM 0.1", "NOT (p <= 0.1)"):
            assert sorted(table.scan(where).read_all()["id"].to_pylist()) == [1, 2], where
        assert table.scan("p < 0.1").read_all().num_rows == 0
        assert table.scan([("p", "=", 0.1)]).read_all()["id"].to_pylist() == [1]


def test_a_value_of_two_spellings_is_two_partitions_of_the_log_and_one_of_values(tmp_path, database_url):
    log = LogBuilder(tmp_path / "t")
    log.commit(
        protocol(),
        metadata({"id": "long", "day": "date"}, ["day"]),
        data_file(log, "a.parquet", pa.table({"id": [1]}), partitionValues={"day": "2024-1-5"}),
        data_file(log, "b.parquet", pa.table({"id": [2]}), partitionValues={"day": "2024-01-05"}),
    )
    with connect(database_url) as catalog:
        catalog.import_table(str(log.root))
        table = catalog.table("t")
        assert sorted(each["day"] for each in table.partitions()) == ["2024-01-05", "2024-1-5"]
        for where in ("day = '2024-01-05'", "day = '2024-1-5'", [("day", "=", date(2024, 1, 5))]):
            assert table.scan(where).read_all().num_rows == 2
            assert table.files(where).num_rows == 2
