"""Tables by deltalake, any version from 0.10 on: `python -m tests.writers.with_deltalake`, in their folder.

Each of its releases writes what it can; the names of arguments and methods changed on the way.
"""

import inspect
import time
from collections.abc import Callable
from typing import Any

import deltalake
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from tests.writers import source
from tests.writers.model import MadeTable

ARGUMENTS = set(inspect.signature(write_deltalake).parameters)
VERSION = tuple(map(int, deltalake.__version__.split(".")[:2]))
MANGLED = ("at", "local") if VERSION < (0, 15) else ()
"""Partition columns whose values this release escapes as if they were paths, and whose files it does not find again."""
ENGINES = ("pyarrow", "rust") if "engine" in ARGUMENTS else (None,)


def write(table: MadeTable, rows: pa.Table, engine: str | None = None, **options: Any) -> None:
    """Writes rows, with the arguments that this release knows; rows of several files take turns of its engines."""
    if options.pop("merge_schema", False):
        options["schema_mode"], engine = "merge", engine or ENGINES[-1]
    if options.pop("new_schema", False):
        name, value = ("overwrite_schema", True) if "overwrite_schema" in ARGUMENTS else ("schema_mode", "overwrite")
        options[name] = value
    if engine is not None:
        options["engine"] = engine
    write_deltalake(table.path, source.without_zone(rows) if VERSION < (0, 15) else rows, **options)


def opened(table: MadeTable) -> DeltaTable:
    """The table as it is now."""
    return DeltaTable(table.path)


def in_files(name: str, files: list[pa.Table], **options: Any) -> MadeTable:
    """A table of a commit and a file for each of these tables, written by turns of the engines."""
    table = MadeTable(name, files[0].slice(0, 0))
    for number, rows in enumerate(files):
        engine = ENGINES[number % len(ENGINES)]
        mode = {"mode": "append"} if number else options
        so_far = pa.concat_tables([table.rows, rows])
        table.do(f"file {number} by {engine}", lambda: write(table, rows, engine, **mode), so_far)
    return table


def types() -> None:
    """Every primitive type, with the values that statistics get wrong."""
    columns = accepted(source.TYPES, source.TYPE_FILES[0])
    table = in_files("types", source.files(source.TYPE_FILES, columns))
    table.do("checkpoint", lambda: opened(table).create_checkpoint())
    table.save()


def big_decimals() -> None:
    """Decimals whose statistics are wrong, or do not fit: some releases do not open the table any more then."""
    in_files("big_decimals", source.files(source.DECIMAL_FILES, source.DECIMALS)).save()


def nested() -> None:
    """Lists, structs and maps."""
    columns = accepted(source.NESTED, source.NESTED_FILES[0])
    table = in_files("nested", source.files(source.NESTED_FILES, columns))
    table.do("checkpoint", lambda: opened(table).create_checkpoint())
    table.save()


def accepted(columns: dict[str, pa.DataType], rows: list[dict[str, Any]], **options: Any) -> dict[str, pa.DataType]:
    """The columns that this release writes."""
    return {name: kind for name, kind in columns.items() if _accepts(name, kind, rows, **options)}


def _accepts(name: str, kind: pa.DataType, rows: list[dict[str, Any]], **options: Any) -> bool:
    trial = MadeTable(f"trial-{time.time_ns()}", source.schema({name: kind}).empty_table())
    parts = {"partition_by": [name]} if options.get("partitioned") else {}
    content = source.table([{name: row.get(name)} for row in rows], {name: kind})
    done = [trial.do("write", lambda: write(trial, content, engine, **parts, mode="append")) for engine in ENGINES]
    return all(done) and trial.do("open", lambda: opened(trial))


def partition_types() -> None:
    """A partition column of each type."""
    wanted = {n: k for n, k in source.TYPES.items() if n not in ("data", "dec18_6", "dec20_10", "dec38_0", *MANGLED)}
    columns = accepted(wanted, source.PARTITION_ROWS, partitioned=True)
    contents = [row for row in source.PARTITION_ROWS if not MANGLED or source.is_plain(row.get("text"))]
    files = [source.table([row], columns, number) for number, row in enumerate(contents * 2)]
    table = in_files("partition_types", files, partition_by=list(columns))
    table.do("delete", lambda: opened(table).delete("id = 1"), source.without(table.rows, lambda row: row["id"] == 1))
    table.do("checkpoint", lambda: opened(table).create_checkpoint())
    table.save()


def binary_partition() -> None:
    r"""A partition of bytes, which delta-rs spells `\u0000\u00FF`; to all readers, itself too, that is plain text."""
    files = [source.table([row], {"data": pa.binary()}, number) for number, row in enumerate(source.PARTITION_ROWS)]
    table = in_files("binary_partition", files, partition_by=["data"])
    texts = [
        value or None
        for action in table.actions()
        if "add" in action
        for value in action["add"]["partitionValues"].values()
    ]
    if len(texts) == len(files):
        spelled = [None if text is None else text.encode() for text in texts]
        table.rows = pa.table({"id": table.rows["id"], "data": pa.array(spelled, pa.binary())})
        table.save()


def negative_decimals() -> None:
    """Partitions by negative decimals."""
    columns = {name: source.TYPES[name] for name in ("dec5_2", "dec38_18")}
    files = [source.table([row], columns, number) for number, row in enumerate(source.NEGATIVE_DECIMALS)]
    in_files("negative_decimals", files, partition_by=list(columns)).save()


def partition_texts() -> None:
    """A partition of text: what has to be escaped in paths, empty text, NULL."""
    rows = source.partition_texts()
    rows = source.without(rows, lambda row: bool(MANGLED) and not source.is_plain(row["part"]))
    table = MadeTable("partition_texts", rows.slice(0, 0))
    half = rows.num_rows // 2
    for engine, part in zip(ENGINES * 2, (rows.slice(0, half), rows.slice(half))):  # noqa: B905
        so_far = pa.concat_tables([table.rows, part])
        table.do(f"write by {engine}", lambda: write(table, part, engine, partition_by=["part"], mode="append"), so_far)
    table.do("compact", opened(table).optimize.compact)
    table.rows = source.empty_is_null(table.rows, "part")
    table.save()


def names() -> None:
    """Names of columns that have to be quoted, of partitions as well."""
    part = [] if MANGLED else ["com,ma", "a b", "back`tick"]
    table = MadeTable("names", source.named([], source.NAMES))
    for engine, ids in zip(ENGINES * 2, ([1, 2], [3])):  # noqa: B905
        rows = source.named(ids, source.NAMES)
        so_far = pa.concat_tables([table.rows, rows])
        table.do(f"write by {engine}", lambda: write(table, rows, engine, partition_by=part, mode="append"), so_far)
    table.do("checkpoint", lambda: opened(table).create_checkpoint())
    table.save()


def dots() -> None:
    """A column `a.b` beside the field `b` of a struct `a`: some releases take one's statistics for the other's."""
    in_files("dots", [source.dotted([1, 2]), source.dotted([3])]).save()


def life() -> None:
    """Everything that a release does to a table."""
    first = source.people(range(10))
    table = MadeTable("life", first.slice(0, 0))
    table.do("create", lambda: write(table, first, partition_by=["region"]), first)
    append(table, range(10, 16))
    change(table)
    merge(table)
    before = table.commits()[-1], table.rows
    maintain(table)
    evolve(table)
    restore(table, *before)
    append(table, range(50, 53))
    table.do("checkpoint", lambda: opened(table).create_checkpoint())
    keep_changes(table)
    append(table, range(60, 62))
    table.save()


def append(table: MadeTable, ids: range) -> None:
    """Appends rows."""
    rows = source.people(ids, **_extra(table))
    table.do(f"append {len(ids)}", lambda: write(table, rows, mode="append"), pa.concat_tables([table.rows, rows]))


def change(table: MadeTable) -> None:
    """Deletes and updates."""
    west = source.without(table.rows, lambda row: row["region"] == "west" and row["qty"] > 11)
    table.do("delete", lambda: opened(table).delete("region = 'west' AND qty > 11"), west)
    east = source.without(table.rows, lambda row: row["region"] == "east" and row["qty"] == 1)
    table.do("delete again", lambda: opened(table).delete("region = 'east' AND qty = 1"), east)
    more = source.changed(
        table.rows, lambda row: row | {"qty": row["qty"] + 100} if row["name"] in ("n3", "n4") else row
    )
    table.do(
        "update", lambda: opened(table).update(updates={"qty": "qty + 100"}, predicate="name in ('n3', 'n4')"), more
    )


def merge(table: MadeTable) -> None:
    """Merges rows in: some are updated, others are new; then some that match are deleted."""
    given = source.people(range(8, 20))
    ids = table.rows["id"].to_pylist()
    merged = source.changed(table.rows, lambda row: row if row["id"] < 8 else _merged(row))
    rows = pa.concat_tables([merged, source.without(given, lambda row: row["id"] in ids)])

    def upsert() -> None:
        merger = _merger(table, given).when_matched_update({"name": "'merged'", "qty": "s.qty"})
        merger.when_not_matched_insert_all().execute()

    table.do("merge", upsert, rows)
    few, left = source.people(range(16, 18)), source.without(table.rows, lambda row: row["id"] in (16, 17))
    table.do("merge to delete", lambda: _merger(table, few).when_matched_delete().execute(), left)


def _merger(table: MadeTable, rows: pa.Table) -> Any:
    return opened(table).merge(rows, "t.id = s.id", source_alias="s", target_alias="t")


def _merged(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"name": "merged", "qty": row["id"]}


def maintain(table: MadeTable) -> None:
    """Compacts, orders, and writes a checkpoint."""
    table.do("compact", opened(table).optimize.compact)
    table.do("z-order", lambda: opened(table).optimize.z_order(["qty", "name"]))
    table.do("checkpoint in between", lambda: opened(table).create_checkpoint())


def evolve(table: MadeTable) -> None:
    """Adds a column, and replaces a partition."""
    wide = source.people(range(30, 34), extra=pa.string())
    old = table.rows.append_column("extra", pa.nulls(table.rows.num_rows, pa.string()))
    rows = pa.concat_tables([old, wide])
    table.do("merge schema", lambda: write(table, wide, mode="append", merge_schema=True), rows)
    replace(table)


def keep_changes(table: MadeTable) -> None:
    """Adds a constraint, has changes kept, and changes rows."""
    table.do("constraint", lambda: opened(table).alter.add_constraint({"small": "qty < 100000"}))
    switch = {"delta.enableChangeDataFeed": "true"}
    table.do("change data feed", lambda: opened(table).alter.set_table_properties(switch))
    table.do("delete with changes", lambda: opened(table).delete("qty = 2"), source.without(table.rows, _is(2)))
    twelve = source.changed(table.rows, lambda row: row | {"name": "changed"} if row["qty"] == 12 else row)
    table.do("update with changes", lambda: opened(table).update({"name": "'changed'"}, predicate="qty = 12"), twelve)


def _is(quantity: int) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row["qty"] == quantity


def replace(table: MadeTable) -> None:
    """Overwrites one partition: by a predicate, in older releases by a filter."""
    east = source.without(source.people(range(40, 49), **_extra(table)), lambda row: row["region"] != "east")
    rest = pa.concat_tables([source.without(table.rows, lambda row: row["region"] == "east"), east])
    if "predicate" in ARGUMENTS:
        options, engine = {"predicate": "region = 'east'"}, ENGINES[-1]
    else:
        options, engine = {"partition_filters": [("region", "=", "east")]}, ENGINES[0]
    table.do("replace a partition", lambda: write(table, east, engine, mode="overwrite", **options), rest)


def _extra(table: MadeTable) -> dict[str, pa.DataType]:
    return {"extra": pa.string()} if "extra" in table.rows.column_names else {}


def restore(table: MadeTable, version: int, rows: pa.Table) -> None:
    """Takes the table back. Some releases leave its newer schema as it is."""
    table.do("restore", lambda: opened(table).restore(version), rows)
    if "extra" in {field["name"] for field in table.fields} and "extra" not in rows.column_names:
        table.rows = rows.append_column("extra", pa.nulls(rows.num_rows, pa.string()))


def evolved() -> None:
    """Overwritten with other schemas; columns added, nested ones too; statistics of few columns."""
    first = pa.table({"id": pa.array([1, 2], pa.int64()), "v": ["one", "two"], "w": pa.array([1.5, None])})
    table = MadeTable("evolved", first.slice(0, 0))
    table.do("create", lambda: write(table, first), first)
    second = pa.table({"id": ["a", "b", "c"], "w": pa.array([1, 2, 3], pa.int32()), "Part": [True, False, None]})
    table.do("other schema", lambda: write(table, second, mode="overwrite", new_schema=True), second)
    few = {"delta.dataSkippingNumIndexedCols": "1", "delta.checkpoint.writeStatsAsStruct": "true"}
    table.do("few statistics", lambda: opened(table).alter.set_table_properties(few))
    grow(table)
    table.do("checkpoint", lambda: opened(table).create_checkpoint())
    third = pa.table({"id": pa.array([7, 8], pa.int64()), "s": pa.array([{"x": 1}, None])})
    table.do("overwrite", lambda: write(table, third, mode="overwrite", new_schema=True), third)
    table.do("nothing", lambda: write(table, third.slice(0, 0), mode="append"))
    table.save()


def grow(table: MadeTable) -> None:
    """Adds columns by a write, and by ALTER."""
    inner = pa.struct([("x", pa.int64())])
    wide = pa.table({"id": ["d"], "w": pa.array([4], pa.int32()), "Part": [True], "s": pa.array([{"x": 1}], inner)})
    old = table.rows.append_column("s", pa.nulls(table.rows.num_rows, inner))
    table.do("merge", lambda: write(table, wide, mode="append", merge_schema=True), pa.concat_tables([old, wide]))
    added = table.rows.append_column("later", pa.nulls(table.rows.num_rows, pa.int64()))
    table.do("add columns", lambda: _add_column(table, "later", "long"), added)


def _add_column(table: MadeTable, name: str, kind: str) -> None:
    from deltalake import Field
    from deltalake.schema import PrimitiveType

    opened(table).alter.add_columns([Field(name, PrimitiveType(kind))])


def midway() -> None:
    """A log whose beginning was cleaned up, with the statistics of one column."""
    settings = {"delta.logRetentionDuration": "interval 0 seconds", "delta.dataSkippingNumIndexedCols": "2"}
    columns = {"text": pa.string(), "late": pa.int64()}
    files = [source.table([{"text": f"t{n}", "late": n}], columns, n) for n in range(8)]
    table = MadeTable("midway", files[0].slice(0, 0))
    for number, rows in enumerate(files):
        options = {"mode": "append"} if number else {"configuration": settings}
        so_far = pa.concat_tables([table.rows, rows])
        table.do(f"file {number}", lambda: write(table, rows, **options), so_far)
        if number == 4:
            table.do("checkpoint", lambda: opened(table).create_checkpoint())
            time.sleep(1.1)
            table.do("clean up", lambda: opened(table).cleanup_metadata())
    table.save()


def empty() -> None:
    """A table without rows, and one that lost them all."""
    rows = source.people(range(4))
    table = MadeTable("empty", rows.slice(0, 0))
    table.do("create", lambda: write(table, rows.slice(0, 0), partition_by=["region"]))
    table.do("append", lambda: write(table, rows, mode="append"), rows)
    table.do("delete", lambda: opened(table).delete(), rows.slice(0, 0))
    table.save()


if __name__ == "__main__":
    for make in (
        types,
        big_decimals,
        nested,
        partition_types,
        binary_partition,
        negative_decimals,
        partition_texts,
        names,
        dots,
        life,
        evolved,
        midway,
        empty,
    ):
        make()
