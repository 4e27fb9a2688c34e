"""Tables by Daft, `write_deltalake`: `python -m tests.writers.with_daft`, in the folder for the tables.

It writes files and statistics itself, and commits by deltalake.
"""

from typing import Any

import daft
import pyarrow as pa

from tests.writers import source
from tests.writers.model import MadeTable


def in_files(name: str, files: list[pa.Table], *parts: str) -> MadeTable:
    """A table of a commit for each of these tables."""
    table = MadeTable(name, files[0].slice(0, 0))
    for number, rows in enumerate(files):
        so_far = pa.concat_tables([table.rows, rows])
        table.do(f"file {number}", lambda: write(table, rows, partition_cols=list(parts) or None), so_far)
    return table


def write(table: MadeTable, rows: pa.Table, mode: str = "append", **options: Any) -> None:
    """Writes rows from a frame."""
    daft.from_arrow(rows).write_deltalake(table.path, mode=mode, **options)


def main() -> None:
    """Has all tables made."""
    in_files("types", source.files(source.TYPE_FILES, source.TYPES)).save()
    in_files("nested", source.files(source.NESTED_FILES, source.NESTED)).save()
    in_files("big_decimals", source.files(source.DECIMAL_FILES, source.DECIMALS)).save()
    left_out = ("data", "dec18_6", "dec20_10", "dec38_0")
    columns = {name: kind for name, kind in source.TYPES.items() if name not in left_out}
    files = [source.table([row], columns, number) for number, row in enumerate(source.PARTITION_ROWS * 2)]
    in_files("partition_types", files, *columns).save()
    columns = {name: source.TYPES[name] for name in ("dec5_2", "dec38_18")}
    files = [source.table([row], columns, number) for number, row in enumerate(source.NEGATIVE_DECIMALS)]
    in_files("negative_decimals", files, *columns).save()
    texts = in_files("partition_texts", [source.partition_texts()], "part")
    texts.rows = source.empty_is_null(texts.rows, "part")
    texts.save()
    in_files("names", [source.named([1, 2], source.NAMES), source.named([3], source.NAMES)], "com,ma", "a b").save()


if __name__ == "__main__":
    main()
