"""Tables by Polars, `write_delta` and `sink_delta`: `python -m tests.writers.with_polars`, in their folder.

It writes by deltalake, with types of its own: large strings, views of strings, its own order of columns.
"""

from typing import Any

import polars as pl
import pyarrow as pa

from tests.writers import source
from tests.writers.model import MadeTable


def write(table: MadeTable, rows: pa.Table, *, lazily: bool = False, mode: str = "append", **options: Any) -> None:
    """Writes rows from a frame."""
    frame: Any = pl.from_arrow(rows)
    if lazily:
        frame.lazy().sink_delta(table.path, mode=mode, delta_write_options=options or None)
    else:
        frame.write_delta(table.path, mode=mode, delta_write_options=options or None)


def in_files(name: str, files: list[pa.Table], **options: Any) -> MadeTable:
    """A table of a commit for each of these tables."""
    table = MadeTable(name, files[0].slice(0, 0))
    for number, rows in enumerate(files):
        so_far = pa.concat_tables([table.rows, rows])
        table.do(f"file {number}", lambda: write(table, rows, lazily=number % 2 == 1, **options), so_far)
    return table


def life() -> None:
    """Appended, merged into, overwritten."""
    table = in_files("life", [source.people(range(10)), source.people(range(10, 16))], partition_by=["region"])
    given = source.people(range(12, 20))
    ids = table.rows["id"].to_pylist()
    rest = source.without(table.rows, lambda row: row["id"] >= 12)
    rows = pa.concat_tables([rest, source.without(given, lambda row: row["id"] in ids and row["id"] < 12)])

    def merge() -> None:
        frame: Any = pl.from_arrow(given)
        options = {"predicate": "s.id = t.id", "source_alias": "s", "target_alias": "t"}
        merger = frame.write_delta(table.path, mode="merge", delta_merge_options=options)
        merger.when_matched_update_all().when_not_matched_insert_all().execute()

    table.do("merge", merge, rows)
    other = pa.table({"id": ["a", None], "w": pa.array([1.5, None])})
    table.do("overwrite", lambda: write(table, other, mode="overwrite", schema_mode="overwrite"), other)
    table.save()


def main() -> None:
    """Has all tables made."""
    nested = {name: kind for name, kind in source.NESTED.items() if not pa.types.is_map(kind)}  # Polars has no maps
    in_files("types", source.files(source.TYPE_FILES, source.TYPES)).save()
    in_files("nested", source.files(source.NESTED_FILES, nested)).save()
    left_out = ("data", "dec18_6", "dec20_10", "dec38_0")
    columns = {name: kind for name, kind in source.TYPES.items() if name not in left_out}
    files = [source.table([row], columns, number) for number, row in enumerate(source.PARTITION_ROWS * 2)]
    in_files("partition_types", files, partition_by=list(columns)).save()
    texts = in_files("partition_texts", [source.partition_texts()], partition_by=["part"])
    texts.rows = source.empty_is_null(texts.rows, "part")
    texts.save()
    life()


if __name__ == "__main__":
    main()
