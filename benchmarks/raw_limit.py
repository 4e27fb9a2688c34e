"""The raw limit of an import: `python -m benchmarks.raw_limit LOCATION POSTGRESQL_URL`.

What any import must do, with the fastest parts that Python has and nothing else, one after the other: orjson over the
lines of the log, then a binary COPY of the file rows that an import writes, into a table without indexes. Nothing is
checked, and no row but those of files is written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
import psycopg

COLUMNS = {
    "table_id": "text",
    "path": "text",
    "added_version": "int8",
    "removed_version": "int8",
    "size": "int8",
    "modification_time": "int8",
    "data_change": "bool",
    "num_records": "int8",
    "deletion_timestamp": "int8",
    "partition_values": "text",
    "stats": "text",
    "key_hash": "int8",
    "partition_key": "int8",
    "removal": "text",
}
_REMOVED, _DELETED, _REMOVAL = 3, 8, 13


def main() -> None:
    """Reads, then writes."""
    location, url = sys.argv[1:]
    rows = _rows(Path(location) / "_delta_log")
    with psycopg.connect(url) as connection:
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        connection.execute(f"CREATE TABLE raw_limit ({columns})")
        with connection.cursor().copy("COPY raw_limit FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(list(COLUMNS.values()))
            for row in rows:
                copy.write_row(row)


def _rows(log: Path) -> list[list[Any]]:
    rows: list[list[Any]] = []
    live: dict[str, list[Any]] = {}
    for version, path in enumerate(sorted(log.glob("*.json"))):
        for line in path.read_bytes().splitlines():
            action = orjson.loads(line)
            if (add := action.get("add")) is not None:
                row = live[add["path"]] = _row(add, version)
                rows.append(row)
            elif (remove := action.get("remove")) is not None:
                row = live.pop(remove["path"])
                row[_REMOVED], row[_DELETED] = version, remove["deletionTimestamp"]
                told = {name: remove[name] for name in ("dataChange", "extendedFileMetadata", "size")}
                row[_REMOVAL] = orjson.dumps({"fields": told, "same": ["partitionValues"]}).decode()
    return rows


def _row(add: dict[str, Any], version: int) -> list[Any]:
    path, partition = add["path"], orjson.dumps(add["partitionValues"]).decode()
    return [
        "table",
        path,
        version,
        None,
        add["size"],
        add["modificationTime"],
        add["dataChange"],
        orjson.loads(add["stats"])["numRecords"],
        None,
        partition,
        add["stats"],
        hash(path),
        hash(partition),
        None,
    ]


if __name__ == "__main__":
    main()
