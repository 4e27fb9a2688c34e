"""Tables by ClickHouse, as chDB has it: `python -m tests.writers.with_clickhouse`, in the folder for the tables.

It can append, and no more; deltalake makes the empty tables.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from chdb import session
from deltalake import write_deltalake

from tests.writers import source
from tests.writers.model import MadeTable


def in_files(clickhouse: Any, name: str, files: list[pa.Table], *parts: str) -> MadeTable:
    """A table of a commit for each of these tables, behind that of deltalake."""
    table = MadeTable(name, files[0].slice(0, 0))
    table.do("create by deltalake", lambda: write_deltalake(table.path, table.rows, partition_by=list(parts)))
    clickhouse.query(f"CREATE TABLE {name} ENGINE = DeltaLakeLocal('{Path(table.path).resolve()}')")
    for number, rows in enumerate(files):
        so_far = pa.concat_tables([table.rows, rows])
        table.do(f"file {number}", lambda: _insert(clickhouse, name, rows), so_far)
    return table


def _insert(clickhouse: Any, name: str, rows: pa.Table) -> None:
    given = Path("new_rows.parquet").resolve()
    pq.write_table(rows, given)
    clickhouse.query(f"INSERT INTO {name} SELECT * FROM file('{given}', Parquet)")


def main() -> None:
    """Has all tables made."""
    clickhouse = session.Session()
    clickhouse.query("SET allow_experimental_delta_lake_writes = 1")
    # Binary columns become texts in its files, which are no UTF-8 then.
    types = {name: kind for name, kind in source.TYPES.items() if name not in ("local", "data")}
    in_files(clickhouse, "types", source.files(source.TYPE_FILES, types)).save()
    full = source.NESTED_FILES[0][0]  # it has no NULL for a list, a map or a struct
    nested = [[full], [full | source.NESTED_FILES[1][0], full]]
    in_files(clickhouse, "nested", source.files(nested, source.NESTED)).save()
    in_files(clickhouse, "big_decimals", source.files(source.DECIMAL_FILES, source.DECIMALS)).save()
    left_out = ("data", "dec18_6", "dec20_10", "dec38_0", "local")
    columns = {name: kind for name, kind in source.TYPES.items() if name not in left_out}
    files = [source.table([row], columns, number) for number, row in enumerate(source.PARTITION_ROWS * 2)]
    in_files(clickhouse, "partition_types", files, *columns).save()
    in_files(clickhouse, "life", [source.people(range(6)), source.people(range(6, 12))], "region").save()
    texts = in_files(clickhouse, "partition_texts", [source.partition_texts()], "part")
    texts.rows = source.empty_is_null(texts.rows, "part")
    texts.save()


if __name__ == "__main__":
    main()
