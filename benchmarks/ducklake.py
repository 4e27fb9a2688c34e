"""DuckLake's planning: `python -m benchmarks.ducklake fill|plan POSTGRESQL_URL TABLE_ID WHERE`.

Needs `duckdb` with the extension packages of its own version on the path, which may be older than the newest duckdb.
A million Parquet files would have to be written to be registered, so DuckLake makes the table and its metadata, and
`fill` adds one row a file, partition value and column statistic to DuckLake's documented tables, as its own inserts do:
of the files and the statistics that our catalog has in the same database.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

SCHEMA = "ducklake"
DATA = "/nowhere/data/"
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
    """Fills, or plans twice and prints the seconds of both times and the first file that it opens."""
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


def _plan(url: str, where: str) -> tuple[float, str]:
    """From a new connection until DuckLake opens the first file that it has planned to read; the extensions are loaded.

    EXPLAIN does not read the list of files: only the query does. There are no files, so the query ends there.

    Raises:
        RuntimeError: it ended otherwise.
    """
    import duckdb

    lake = _duckdb()
    begun = time.perf_counter()
    _attach(lake, url)
    try:
        lake.execute(f"SELECT id FROM lake.t WHERE {where}").fetchall()
    except duckdb.IOException as error:
        seconds = time.perf_counter() - begun
        if opened := re.search(r'Cannot open file "([^"]+)"', str(error)):
            return seconds, opened[1].removeprefix(DATA)
        raise
    finally:
        lake.close()
    raise RuntimeError(f"DuckLake has planned no file for {where}")


def _attached(url: str) -> Any:
    lake = _duckdb()
    _attach(lake, url)
    return lake


def _attach(lake: Any, url: str) -> None:
    lake.execute(f"ATTACH 'ducklake:postgres:{url}' AS lake (DATA_PATH '{DATA}', METADATA_SCHEMA '{SCHEMA}')")


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
