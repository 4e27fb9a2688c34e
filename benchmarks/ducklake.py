"""DuckLake's planning: `python -m benchmarks.ducklake fill|plan POSTGRESQL_URL TABLE_ID WHERE`.

Needs `duckdb` with the extension packages of its own version on the path, which may be older than the newest duckdb.
A million Parquet files would have to be written to be registered, so DuckLake makes the table and its metadata, and
`fill` adds one row a file, partition value and column statistic to DuckLake's documented tables, as its own inserts do:
of the files and the statistics that our catalog has in the same database.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

SCHEMA = "ducklake"
EXTENSIONS = ("ducklake", "postgres_scanner")
COLUMNS = {
    "id": "BIGINT",
    "customer": "VARCHAR",
    "amount": "DOUBLE",
    "quantity": "BIGINT",
    "created": "TIMESTAMPTZ",
    "updated": "TIMESTAMPTZ",
    "status": "VARCHAR",
    "country": "VARCHAR",
    "day": "DATE",
}
_FILES = """
INSERT INTO ducklake.ducklake_data_file (data_file_id, table_id, begin_snapshot, path, path_is_relative, file_format,
    record_count, file_size_bytes, footer_size, row_id_start, partition_id)
SELECT number, 1, 2, path, true, 'parquet', num_records, size, 1000, number * 100, 2
FROM (SELECT row_number() OVER () - 1 AS number, * FROM delta_files WHERE table_id = %s AND removed_version IS NULL) f
"""
_PARTITIONS = """
INSERT INTO ducklake.ducklake_file_partition_value (data_file_id, table_id, partition_key_index, partition_value)
SELECT f.data_file_id, 1, 0, d.partition_values::json ->> 'day'
FROM ducklake.ducklake_data_file f JOIN delta_files d ON d.path = f.path AND d.removed_version IS NULL
"""
_STATS = """
INSERT INTO ducklake.ducklake_file_column_stats (data_file_id, table_id, column_id, column_size_bytes, value_count,
    null_count, min_value, max_value)
SELECT f.data_file_id, 1, c.column_id, 1000, f.record_count, 0,
    CASE c.column_name WHEN 'day' THEN d.partition_values::json ->> 'day'
        ELSE d.stats::json -> 'minValues' ->> c.column_name END,
    CASE c.column_name WHEN 'day' THEN d.partition_values::json ->> 'day'
        ELSE d.stats::json -> 'maxValues' ->> c.column_name END
FROM ducklake.ducklake_data_file f JOIN delta_files d ON d.path = f.path AND d.removed_version IS NULL
CROSS JOIN ducklake.ducklake_column c
"""
_OF_THE_TABLE = """
INSERT INTO ducklake.ducklake_table_stats (table_id, record_count, next_row_id, file_size_bytes)
SELECT 1, sum(record_count), sum(record_count), sum(file_size_bytes) FROM ducklake.ducklake_data_file
"""
_NEXT_FILE = """
UPDATE ducklake.ducklake_snapshot SET next_file_id = (SELECT count(*) FROM ducklake.ducklake_data_file)
WHERE snapshot_id = 2
"""


def main() -> None:
    """Fills, or plans twice and prints the seconds of both times and how many files are left to scan."""
    what, url, table_id, *where = sys.argv[1:]
    if what == "fill":
        _fill(url, table_id)
        return
    (first, _), (seconds, plan) = _plan(url, where[0]), _plan(url, where[0])
    print(json.dumps({"first": first, "seconds": seconds, "answer": plan}))


def _fill(url: str, table_id: str) -> None:
    import psycopg

    lake = _attached(url)
    lake.execute(f"CREATE TABLE lake.t ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
    lake.execute("ALTER TABLE lake.t SET PARTITIONED BY (day)")
    lake.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FILES, [table_id])
        connection.execute("ANALYZE")
        for statement in (_PARTITIONS, _STATS, _OF_THE_TABLE, _NEXT_FILE):
            connection.execute(statement)
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def _plan(url: str, where: str) -> tuple[float, int]:
    """From a new connection to the plan; the extensions are loaded before."""
    lake = _duckdb()
    begun = time.perf_counter()
    _attach(lake, url)
    rows = lake.execute(f"EXPLAIN (FORMAT json) SELECT id FROM lake.t WHERE {where}").fetchall()
    seconds = time.perf_counter() - begun
    lake.close()
    return seconds, _scanned(json.loads(rows[0][1]))


def _scanned(plan: list[dict[str, Any]]) -> int:
    for node in plan:
        if (files := node.get("extra_info", {}).get("Total Files Read")) is not None:
            return int(files)
        if (below := _scanned(node.get("children", []))) >= 0:
            return below
    return -1


def _attached(url: str) -> Any:
    lake = _duckdb()
    _attach(lake, url)
    return lake


def _attach(lake: Any, url: str) -> None:
    data = Path("/nowhere/data/")
    lake.execute(f"ATTACH 'ducklake:postgres:{url}' AS lake (DATA_PATH '{data}/', METADATA_SCHEMA '{SCHEMA}')")


def _duckdb() -> Any:
    import duckdb

    lake = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    for name in EXTENSIONS:
        package = importlib.import_module(f"duckdb_extension_{name}")
        (path,) = Path(str(package.__file__)).parent.glob("extensions/*/*.duckdb_extension")
        lake.execute(f"LOAD '{path}'")
    return lake


if __name__ == "__main__":
    main()
