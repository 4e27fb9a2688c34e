"""What DuckDB and Polars are given: only the files that a query needs, and as many rows as are asked for."""

import datetime
import subprocess
import sys
from pathlib import Path

import deltalake
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deltalakedb.client import connect
from deltalakedb.table import mini_log
from deltalakedb.table.delta_table import DeltaTable
from tests.support.logs import LogBuilder, add, metadata, protocol

DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=n) for n in range(4)]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """A table of eight files: two for each `day`, of ten ids each, in order."""
    folder = tmp_path_factory.mktemp("engines")
    for number in range(8):
        ids = range(number * 10, number * 10 + 10)
        rows = {
            "id": pa.array(ids, pa.int64()),
            "name": [f"n{i % 5}" for i in ids],
            "price": [i / 2 for i in ids],
            "at": pa.array([i * 1_000_000 for i in ids], pa.timestamp("us", "UTC")),
            "inside": [{"x": i} for i in ids],
            "day": [DAYS[number // 2]] * 10,
        }
        deltalake.write_deltalake(folder / "t", pa.table(rows), mode="append", partition_by=["day"])
    with connect(f"sqlite:///{folder}/catalog.db") as catalog:
        catalog.import_table(str(folder / "t"))
        yield catalog


@pytest.fixture
def table(catalog):
    return DeltaTable(catalog, table_id="t")


@pytest.fixture
def given(monkeypatch):
    """The numbers of files that delta-rs was given, one for each reading."""
    counts = []
    real = mini_log.delta_table

    def counting(opened, files, *rest):
        files = list(files)
        counts.append(len(files))
        return real(opened, files, *rest)

    monkeypatch.setattr(mini_log, "delta_table", counting)
    return counts


QUERIES = [
    ("SELECT count(*) FROM t", [(80,)], 8),
    ("SELECT count(*) FROM t WHERE day = '2024-01-02'", [(20,)], 2),
    ("SELECT sum(id) FROM t WHERE id = 33", [(33,)], 1),
    ("SELECT id FROM t WHERE id BETWEEN 38 AND 41 ORDER BY id", [(38,), (39,), (40,), (41,)], 2),
    ("SELECT count(*) FROM t WHERE id < 5 OR id >= 75", [(10,)], 2),
    ("SELECT count(*) FROM t WHERE day IN ('2024-01-01', '2024-01-04')", [(40,)], 4),
    ("SELECT max(price) FROM t WHERE name = 'n4' AND id < 20", [(9.5,)], 2),
    ("SELECT count(*) FROM t WHERE name = 'zz'", [(0,)], 0),
    ("SELECT count(*) FROM t WHERE id IS NULL", [(0,)], 0),
    ("SELECT count(*) FROM t WHERE \"at\" >= '1970-01-01 00:01:10+00'", [(10,)], 1),
    ("SELECT count(*) FROM t WHERE id % 2 = 0", [(40,)], 8),
    ("SELECT inside.x FROM t WHERE id = 7", [(7,)], 1),
    ("SELECT count(*) FROM t AS a JOIN t AS b USING (id) WHERE a.id < 3", [(3,)], None),
]


@pytest.mark.parametrize(("query", "rows", "files"), QUERIES)
def test_duckdb_reads_only_the_files_that_a_query_needs(table, given, query, rows, files):
    with duckdb.connect() as connection:
        connection.execute("SET timezone = 'UTC'")
        table.to_duckdb(connection, "t")
        assert given == []  # nothing is read before a query runs
        assert connection.execute(query).fetchall() == rows
    if files is not None:
        assert given == [files]


DAY = pl.col("day")
ID = pl.col("id")
FRAMES = [
    (None, 80, 8),
    (DAY.eq(DAYS[1]), 20, 2),
    (pl.lit(DAYS[1]) == DAY, 20, 2),
    (ID == 33, 1, 1),
    (ID.is_between(38, 41), 4, 2),
    ((ID < 5) | (ID >= 75), 10, 2),
    (DAY.is_in([DAYS[0], DAYS[3]]), 40, 4),
    (pl.col("name").is_in(["n1", "zz"]) & (ID > 69), 2, 1),
    (pl.col("name") == "zz", 0, 0),
    (ID.is_null(), 0, 0),
    (ID.is_not_null() & (ID < 10), 10, 1),
    (pl.col("at") >= datetime.datetime(1970, 1, 1, 0, 1, 10, tzinfo=datetime.UTC), 10, 1),
    ((ID % 2 == 0) & (ID < 10), 5, 1),  # what can't be told is left out of an AND …
    ((ID % 2 == 0) | (ID < 10), 45, 8),  # … and ends an OR
    (~(ID < 70), 10, None),
    (pl.col("price") > 39.0, 1, None),
    (pl.col("inside").struct.field("x") == 7, 1, None),
    (pl.col("name").str.starts_with("n") & (ID == 1), 1, 1),
]


@pytest.mark.parametrize(("condition", "rows", "files"), FRAMES, ids=[str(c)[:60] for c, _, _ in FRAMES])
def test_polars_reads_only_the_files_that_a_query_needs(table, given, condition, rows, files):
    frame = table.to_polars()
    assert given == []
    found = (frame if condition is None else frame.filter(condition)).collect()
    assert found.height == rows
    assert found.columns == ["id", "name", "price", "at", "inside", "day"]
    assert len(given) == 1
    if files is not None:
        assert given == [files]


def test_polars_reads_only_the_columns_that_a_query_needs(table, monkeypatch):
    wanted = []
    real = deltalake.DeltaTable.scan
    monkeypatch.setattr(
        deltalake.DeltaTable,
        "scan",
        lambda self, columns, predicate: wanted.append(columns) or real(self, columns, predicate),
    )
    frame = table.to_polars().filter(ID > 77).select("name")
    assert frame.collect()["name"].to_list() == ["n3", "n4"]
    assert sorted(wanted.pop()) == ["id", "name"]
    assert table.to_polars().select(pl.len()).collect().item() == 80
    assert len(wanted.pop()) == 1
    assert table.to_polars().head(3).collect().height == 3


def test_an_engine_sees_the_version_that_was_open(table, catalog):
    table.load_as_version(3)
    with duckdb.connect() as connection:
        table.to_duckdb(connection, "t")
        frame = table.to_polars()
        table.load_as_version(7)
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(40,)]
    assert frame.select(pl.len()).collect().item() == 40
    assert DeltaTable(catalog, table_id="t").to_polars().select(pl.len()).collect().item() == 80


def test_two_tables_in_one_query(table):
    with duckdb.connect() as connection:
        table.to_duckdb(connection, "now")
        table.load_as_version(0)
        table.to_duckdb(connection, "before")
        query = "SELECT count(*) FROM now ANTI JOIN before USING (id)"
        assert connection.execute(query).fetchall() == [(70,)]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="nobody says how much memory was used")
def test_a_table_larger_than_the_memory_is_streamed(tmp_path, sqlite_url):
    rows, files = 1_000_000, 12  # of ten columns: 960 MB
    log = LogBuilder(tmp_path / "t")
    ids = pa.array(range(rows), pa.int64())
    pq.write_table(pa.table({f"c{n}": ids for n in range(10)}), log.root / "0.parquet")
    for number in range(1, files):
        (log.root / f"{number}.parquet").hardlink_to(log.root / "0.parquet")
    size = (log.root / "0.parquet").stat().st_size
    adds = [add(f"{number}.parquet", size=size) for number in range(files)]
    log.commit(protocol(), metadata({f"c{n}": "long" for n in range(10)}), *adds)
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(log.root), table_id="t")
    script = f"""
from deltalakedb.table.delta_table import DeltaTable
print(sum(batch.num_rows for batch in DeltaTable({sqlite_url!r}, table_id="t").scan()))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    count, peak_kb = map(int, found.stdout.split())
    assert count == files * rows
    assert peak_kb < 700_000
