"""Tables by DuckDB's delta extension: `python -m tests.writers.with_duckdb`, in the folder for the tables.

It can append, and no more; deltalake makes the empty tables.
"""

import importlib
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import write_deltalake

from tests.writers import source
from tests.writers.model import MadeTable

UNESCAPED = ("at", "local")
"""Partition columns whose files nobody finds again, DuckDB neither: their paths are escaped once, and not once more."""


def connection() -> duckdb.DuckDBPyConnection:
    """A connection with the extension, which a package of its own brings."""
    package = importlib.import_module("duckdb_extension_delta")
    (extension,) = Path(str(package.__file__)).parent.glob("extensions/*/*.duckdb_extension")
    connected = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connected.execute(f"LOAD '{extension}'")
    connected.execute("SET timezone = 'UTC'")
    return connected


def insert(table: MadeTable, rows: pa.Table) -> None:
    """Appends rows."""
    with connection() as connected:
        connected.execute(f"ATTACH '{Path(table.path).resolve()}' AS made (TYPE delta)")
        connected.register("new_rows", rows)
        connected.execute("INSERT INTO made SELECT * FROM new_rows")


def in_files(name: str, files: list[pa.Table], *parts: str) -> MadeTable:
    """A table of a commit for each of these tables, behind that of deltalake; one commit takes one partition only."""
    table = MadeTable(name, files[0].slice(0, 0))
    table.do("create by deltalake", lambda: write_deltalake(table.path, table.rows, partition_by=list(parts)))
    if parts:
        files = [rows.slice(at, 1) for rows in files for at in range(rows.num_rows)]
    for number, rows in enumerate(files):
        so_far = pa.concat_tables([table.rows, rows])
        table.do(f"file {number}", lambda: insert(table, rows), so_far)
    return table


def main() -> None:
    """Has all tables made."""
    in_files("types", source.files(source.TYPE_FILES, source.TYPES)).save()
    nested = {name: kind for name, kind in source.NESTED.items() if not pa.types.is_map(kind)}  # writes no maps
    in_files("nested", source.files(source.NESTED_FILES, nested)).save()
    in_files("big_decimals", source.files(source.DECIMAL_FILES, source.DECIMALS)).save()
    left_out = ("data", "dec18_6", "dec20_10", "dec38_0", *UNESCAPED)
    columns = {name: kind for name, kind in source.TYPES.items() if name not in left_out}
    contents = [row for row in source.PARTITION_ROWS if source.is_plain(row.get("text"))]
    files = [source.table([row], columns, number) for number, row in enumerate(contents * 2)]
    in_files("partition_types", files, *columns).save()
    columns = {name: source.TYPES[name] for name in ("dec5_2", "dec38_18")}
    files = [source.table([row], columns, number) for number, row in enumerate(source.NEGATIVE_DECIMALS)]
    in_files("negative_decimals", files, *columns).save()
    rows = source.without(source.partition_texts(), lambda row: not source.is_plain(row["part"]))
    texts = in_files("partition_texts", [rows], "part")
    texts.rows = source.empty_is_null(texts.rows, "part")
    texts.save()
    in_files("names", [source.named([1, 2], source.NAMES), source.named([3], source.NAMES)]).save()
    in_files("life", [source.people(range(5))], "region").save()


if __name__ == "__main__":
    main()
