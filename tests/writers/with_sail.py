"""Tables by PySail, which runs Spark's DataFrames and SQL: `python -m tests.writers.with_sail`, in their folder."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pysail.spark import SparkConnectServer
from pyspark.sql import SparkSession

from tests.writers import source
from tests.writers.model import MadeTable

SPARK_TYPES = {
    "int64": "BIGINT",
    "int32": "INT",
    "string": "STRING",
    "double": "DOUBLE",
    "timestamp[us, tz=UTC]": "TIMESTAMP",
    "decimal128(10, 2)": "DECIMAL(10, 2)",
    "date32[day]": "DATE",
}


class Sail:
    """A session, and what the tables need of it."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark

    def write(self, table: MadeTable, rows: pa.Table, mode: str = "append", *parts: str, **options: str) -> None:
        """Writes rows as a DataFrame."""
        writer = self.spark.createDataFrame(rows).write.format("delta").mode(mode).options(**options)
        (writer.partitionBy(*parts) if parts else writer).save(table.path)

    def sql(self, text: str) -> None:
        """Runs a statement."""
        self.spark.sql(text).collect()

    def create(self, table: MadeTable, *parts: str, properties: dict[str, str] | None = None) -> None:
        """Creates a table with the columns of its rows, under its name."""
        columns = ", ".join(f"`{field.name}` {SPARK_TYPES[str(field.type)]}" for field in table.rows.schema)
        partitions = f"PARTITIONED BY ({', '.join(parts)})" if parts else ""
        pairs = ", ".join(f"'{key}' = '{value}'" for key, value in (properties or {}).items())
        place = f"LOCATION '{Path(table.path).resolve()}' {f'TBLPROPERTIES ({pairs})' if pairs else ''}"
        self.sql(f"CREATE TABLE {table.name} ({columns}) USING delta {partitions} {place}")

    def insert(self, table: MadeTable, rows: pa.Table) -> None:
        """Appends rows to a table by its name."""
        self.spark.createDataFrame(rows).createOrReplaceTempView("new_rows")
        self.sql(f"INSERT INTO {table.name} SELECT * FROM new_rows")

    def in_files(self, name: str, files: list[pa.Table], *parts: str, **options: str) -> MadeTable:
        """A table of a commit for each of these tables."""
        table = MadeTable(name, files[0].slice(0, 0))
        for number, rows in enumerate(files):
            so_far = pa.concat_tables([table.rows, rows])
            table.do(f"file {number}", lambda: self.write(table, rows, "append", *parts, **options), so_far)
        return table


def types(sail: Sail) -> None:
    """Every primitive type, every nested one, and decimals whose statistics do not fit."""
    sail.in_files("types", source.files(source.TYPE_FILES, source.TYPES)).save()
    sail.in_files("nested", source.files(source.NESTED_FILES, source.NESTED)).save()
    sail.in_files("big_decimals", source.files(source.DECIMAL_FILES, source.DECIMALS)).save()


def partitions(sail: Sail) -> None:
    """Partitions by each type, and by texts that have to be escaped."""
    left_out = ("data", "dec18_6", "dec20_10", "dec38_0")
    columns = {name: kind for name, kind in source.TYPES.items() if name not in left_out}
    files = [source.table([row], columns, number) for number, row in enumerate(source.PARTITION_ROWS * 2)]
    sail.in_files("partition_types", files, *columns).save()
    columns = {name: source.TYPES[name] for name in ("dec5_2", "dec38_18")}
    files = [source.table([row], columns, number) for number, row in enumerate(source.NEGATIVE_DECIMALS)]
    sail.in_files("negative_decimals", files, *columns).save()
    table = sail.in_files("partition_texts", [source.partition_texts()], "part")
    table.rows = source.empty_is_null(table.rows, "part")
    table.save()


def names(sail: Sail) -> None:
    """Names that have to be quoted, plain and with column mapping."""
    parts = ("com,ma", "a b", "back`tick")
    for mode in ("none", "name", "id"):
        files = [source.named([1, 2], source.NAMES), source.named([3], source.NAMES)]
        sail.in_files(f"names_{mode}", files, *parts, **{"delta.columnMapping.mode": mode}).save()


DELETING = {
    "delta.enableDeletionVectors": "true",
    "delta.columnMapping.mode": "name",
    "delta.enableInCommitTimestamps": "true",
    "delta.checkpointInterval": "4",
}


def deletes(sail: Sail) -> None:
    """Deletion vectors, column mapping, in-commit timestamps, and checkpoints."""
    table = MadeTable("deletes", source.people(range(0)))
    table.do("create", lambda: sail.create(table, "region", properties=DELETING))
    change(sail, table)
    table.save()


def life(sail: Sail) -> None:
    """What Sail does to a table without features."""
    table = MadeTable("life", source.people(range(0)))
    table.do("create", lambda: sail.create(table, "region"))
    change(sail, table)
    wide = source.people(range(30, 34), extra=pa.string())
    grown = pa.concat_tables([table.rows.append_column("extra", pa.nulls(table.rows.num_rows, pa.string())), wide])
    table.do("merge schema", lambda: sail.write(table, wide, "append", "region", mergeSchema="true"), grown)
    east = source.without(source.people(range(40, 49), extra=pa.string()), lambda row: row["region"] != "east")
    rest = pa.concat_tables([source.without(table.rows, lambda row: row["region"] == "east"), east])
    where = {"replaceWhere": "region = 'east'"}
    table.do("replace a partition", lambda: sail.write(table, east, "overwrite", "region", **where), rest)
    other = pa.table({"id": ["a", None], "w": pa.array([1.5, None])})
    table.do("overwrite", lambda: sail.write(table, other, "overwrite", overwriteSchema="true"), other)
    table.save()


def change(sail: Sail, table: MadeTable) -> None:
    """Appends, deletes, updates and merges."""
    for ids in (range(8), range(8, 16), range(16, 20)):
        rows = source.people(ids)
        table.do(f"insert {ids}", lambda: sail.insert(table, rows), pa.concat_tables([table.rows, rows]))
    for low in (3, 12):
        left = source.without(table.rows, lambda row: low <= row["qty"] < low + 2)
        table.do("delete", lambda: sail.sql(f"DELETE FROM {table.name} WHERE qty IN ({low}, {low + 1})"), left)
    update = f"UPDATE {table.name} SET name = 'changed' WHERE qty < 6"
    table.do("update", lambda: sail.sql(update), _renamed(table.rows, range(6)))
    merge(sail, table)
    left = source.without(table.rows, lambda row: row["region"] == "north")
    table.do("delete a partition", lambda: sail.sql(f"DELETE FROM {table.name} WHERE region = 'north'"), left)


def _renamed(rows: pa.Table, ids: range, name: str = "changed") -> pa.Table:
    return source.changed(rows, lambda row: row | {"name": name} if row["id"] in ids else row)


def merge(sail: Sail, table: MadeTable) -> None:
    """Updates rows, and inserts new ones."""
    given = source.people(range(14, 24))
    ids = table.rows["id"].to_pylist()
    merged = _renamed(table.rows, range(14, 24), "merged")
    rows = pa.concat_tables([merged, source.without(given, lambda row: row["id"] in ids)])

    def run() -> None:
        sail.spark.createDataFrame(given).createOrReplaceTempView("given")
        sail.sql(
            f"MERGE INTO {table.name} t USING given s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'merged'"
            " WHEN NOT MATCHED THEN INSERT *"
        )

    table.do("merge", run, rows)


def generated(sail: Sail) -> None:
    """A generated column, NOT NULL, a constraint: what only writers have to know."""
    rows = pa.table({"id": pa.array([1, 2], pa.int64()), "twice": pa.array([2, 4], pa.int64())})
    table = MadeTable("generated", rows.slice(0, 0))
    place = Path(table.path).resolve()
    columns = "id BIGINT NOT NULL COMMENT 'the key', twice BIGINT GENERATED ALWAYS AS (id * 2)"
    table.do("create", lambda: sail.sql(f"CREATE TABLE generated ({columns}) USING delta LOCATION '{place}'"))
    table.do("insert", lambda: sail.sql("INSERT INTO generated (id) VALUES (1), (2)"), rows)
    table.save()


def empty(sail: Sail) -> None:
    """A table that was only created."""
    table: Any = MadeTable("empty", source.people(range(0)))
    table.do("create", lambda: sail.create(table, "region"))
    table.save()


def main() -> None:
    """Has all tables made."""
    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    spark = SparkSession.builder.remote(f"sc://localhost:{server.listening_address[1]}").getOrCreate()
    for make in (types, partitions, names, deletes, life, generated, empty):
        make(Sail(spark))
    spark.stop()
    server.stop()


if __name__ == "__main__":
    main()
