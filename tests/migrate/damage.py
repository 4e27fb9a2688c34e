"""A table with every kind of action, and ways in which its rows in the catalog may be damaged."""

import base64
import json
import struct
from pathlib import Path
from typing import NamedTuple

from deltalakedb.catalog.database import Database
from deltalakedb.migrate.validate import ValidationReport
from tests.support.logs import (
    LogBuilder,
    add,
    cdc,
    commit_info,
    domain,
    dv,
    metadata,
    protocol,
    remove,
    txn,
)

DAY = {"day": "2024-02-28"}
CHANGES = "_change_data/c.parquet"


def inline_vector(*rows: int) -> str:
    """A deletion vector in Z85: a RoaringBitmapArray with one bitmap of one container (PROTOCOL.md)."""
    bitmap = struct.pack(f"<IIHHI{len(rows)}H", 12346, 1, 0, len(rows) - 1, 16, *rows)
    content = struct.pack("<IqI", 1681511377, 1, 0) + bitmap
    z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    b85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
    return base64.b85encode(content).decode().translate(str.maketrans(b85, z85))


TWO_ROWS = dv(inline_vector(1, 3), sizeInBytes=36, cardinality=2)


def stats(low: int, high: int) -> str:
    """Statistics of ten rows, with bounds of `id`."""
    return json.dumps({"numRecords": 10, "minValues": {"id": low}, "maxValues": {"id": high}, "nullCount": {"id": 0}})


def make_log(root: Path) -> LogBuilder:
    """Four versions with every kind of action; delta-rs opens all of them."""
    log = LogBuilder(root)
    log.commit(
        protocol(features=["deletionVectors"], writer_features=["domainMetadata", "rowTracking", "changeDataFeed"]),
        metadata({"id": "long", "day": "date"}, ["day"], {"delta.enableRowTracking": "true"}, name="orders"),
        add(
            "a.parquet", partitionValues=DAY, stats=stats(0, 9), tags={"k": "v"}, baseRowId=0, defaultRowCommitVersion=0
        ),
        add("b.parquet", partitionValues=DAY, stats=stats(10, 19), baseRowId=10, defaultRowCommitVersion=0),
        domain("shop", '{"floor":1}'),
        txn("loader", 1, lastUpdated=1_700_000_000_000),
        commit_info("WRITE", operationMetrics={"numFiles": "2"}, engineInfo="tests"),
    )
    log.commit(
        remove("b.parquet", size=100, partitionValues=DAY, extendedFileMetadata=True),
        add("c.parquet", partitionValues={"day": None}, stats=stats(20, 29)),
        cdc(CHANGES, partitionValues=DAY),
        txn("loader", 2, lastUpdated=1_700_000_000_000),
        commit_info("MERGE"),
    )
    log.commit(
        remove("a.parquet"),
        add("a.parquet", partitionValues=DAY, stats=stats(0, 9), deletionVector=TWO_ROWS),
        commit_info("DELETE"),
    )
    log.commit(
        remove("ghost.parquet"),
        add("d.parquet", partitionValues={"day": ""}, stats=stats(30, 39), future={"x": 1.5}),
        commit_info("WRITE", timestamp=1_700_000_009_000),
    )
    return log


def run(database: Database, *statements: str) -> None:
    """Runs statements of which each must change something."""
    with database.transaction() as connection:
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount > 0, statement


def seen(report: ValidationReport) -> set[tuple[str, int, str | None]]:
    """The differences that a validation found, without their values."""
    return {(one.kind, one.version, one.path) for one in report.differences}


class Damage(NamedTuple):
    """A statement that damages the catalog, and what a validation must say of it."""

    name: str
    statement: str
    found: set[tuple[str, int, str | None]]


def update(change: str, path: str, also: str = "") -> str:
    """A statement that changes rows of one path."""
    return f"UPDATE delta_files SET {change} WHERE path = '{path}' {also}"


MORE_DELETED = update(
    f"deletion_vector = '{json.dumps(TWO_ROWS | {'cardinality': 3})}'", "a.parquet", "AND added_version = 2"
)
IN_FILES = [
    Damage("row missing", "DELETE FROM delta_files WHERE path = 'd.parquet'", {("file_missing", 3, "d.parquet")}),
    Damage("old row missing", "DELETE FROM delta_files WHERE path = 'b.parquet'", {("file_missing", 0, "b.parquet")}),
    Damage(
        "row extra",
        "INSERT INTO delta_files (table_id, path, added_version, size, modification_time, partition_values, key_hash) "
        "VALUES ('t', 'x.parquet', 2, 1, 1, '{}', 7)",
        {("file_extra", 2, "x.parquet")},
    ),
    Damage(
        "row twice",
        "INSERT INTO delta_files SELECT * FROM delta_files WHERE path = 'c.parquet'",
        {("file_extra", 1, "c.parquet")},
    ),
    Damage(
        "path",
        update("path = 'e.parquet'", "d.parquet"),
        {("file_missing", 3, "d.parquet"), ("file_extra", 3, "e.parquet")},
    ),
    Damage("size", update("size = size + 1", "c.parquet"), {("size", 1, "c.parquet")}),
    Damage("size of a removed file", update("size = 5", "b.parquet"), {("size", 0, "b.parquet")}),
    Damage(
        "partition value",
        update('partition_values = \'{"day":"2024-02-29"}\'', "c.parquet"),
        {("partition_values", 1, "c.parquet")},
    ),
    Damage("stats", update("stats = replace(stats, '29', '28')", "c.parquet"), {("stats", 1, "c.parquet")}),
    Damage("stats gone", update("stats = NULL", "c.parquet"), {("stats", 1, "c.parquet")}),
    Damage("number of records", update("num_records = 9", "c.parquet"), {("num_records", 1, "c.parquet")}),
    Damage("modification time", update("modification_time = 1", "c.parquet"), {("modification_time", 1, "c.parquet")}),
    Damage("data change", update("data_change = FALSE", "c.parquet"), {("data_change", 1, "c.parquet")}),
    Damage("tags", update('tags = \'{"k":"w"}\'', "a.parquet", "AND added_version = 0"), {("tags", 0, "a.parquet")}),
    Damage("row id", update("base_row_id = 11", "b.parquet"), {("row_id", 0, "b.parquet")}),
    Damage(
        "row commit version",
        update("default_row_commit_version = NULL", "b.parquet"),
        {("row_id", 0, "b.parquet")},
    ),
    Damage("clustering", update("clustering_provider = 'x'", "c.parquet"), {("clustering", 1, "c.parquet")}),
    Damage("unknown field", update("extra = NULL", "d.parquet"), {("unknown_fields", 3, "d.parquet")}),
    Damage(
        "deletion vector gone",
        update("deletion_vector = NULL, deletion_vector_id = NULL", "a.parquet", "AND added_version = 2"),
        {("deletion_vector", 2, "a.parquet")},
    ),
    Damage("deletion vector's cardinality", MORE_DELETED, {("deletion_vector", 2, "a.parquet")}),
    Damage("hash", update("key_hash = 1", "c.parquet"), {("key_hash", 1, "c.parquet")}),
    Damage("partition's hash", update("partition_key = 1", "c.parquet"), {("partition_key", 1, "c.parquet")}),
    Damage("removed", update("removed_version = 3", "c.parquet"), {("removed_version", 3, "c.parquet")}),
    Damage("removed in a future", update("removed_version = 99", "c.parquet"), {("removed_version", 99, "c.parquet")}),
    Damage(
        "not removed",
        update("removed_version = NULL, removal = NULL, deletion_timestamp = NULL", "b.parquet"),
        {("removed_version", 1, "b.parquet")},
    ),
    Damage("removed later", update("removed_version = 2", "b.parquet"), {("removed_version", 1, "b.parquet")}),
    Damage("added later", update("added_version = 2", "c.parquet"), {("added_version", 1, "c.parquet")}),
    Damage("added in a future", update("added_version = 99", "c.parquet"), {("added_version", 1, "c.parquet")}),
    Damage("deletion time", update("deletion_timestamp = 1", "b.parquet"), {("tombstone", 1, "b.parquet")}),
    Damage(
        "what the remove says",
        update('removal = \'{"fields":{"dataChange":false},"same":["size"]}\'', "b.parquet"),
        {("tombstone", 1, "b.parquet")},
    ),
    Damage(
        "tombstone missing", "DELETE FROM delta_files WHERE path = 'ghost.parquet'", {("tombstone", 3, "ghost.parquet")}
    ),
    Damage(
        "tombstone extra",
        "INSERT INTO delta_files (table_id, path, removed_version, partition_values, key_hash) "
        "VALUES ('t', 'x.parquet', 2, '{}', 7)",
        {("tombstone", 2, "x.parquet")},
    ),
]

IN_STATE = [
    Damage(
        "schema",
        "UPDATE delta_metadata SET schema_string = replace(schema_string, 'long', 'short')",
        {("schema", 0, None)},
    ),
    Damage("name", "UPDATE delta_metadata SET name = 'other'", {("metadata", 0, None)}),
    Damage("partition columns", "UPDATE delta_metadata SET partition_columns = '[]'", {("metadata", 0, None)}),
    Damage("configuration", "UPDATE delta_metadata SET configuration = '{}'", {("configuration", 0, None)}),
    Damage("created time", "UPDATE delta_metadata SET created_time = NULL", {("metadata", 0, None)}),
    Damage("metadata missing", "DELETE FROM delta_metadata", {("metadata", 0, None)}),
    Damage("protocol", "UPDATE delta_protocols SET min_writer_version = 6", {("protocol", 0, None)}),
    Damage("feature", "UPDATE delta_protocols SET writer_features = '[]'", {("protocol", 0, None)}),
    Damage("protocol missing", "DELETE FROM delta_protocols", {("protocol", 0, None)}),
    Damage("commit missing", "DELETE FROM delta_commits WHERE version = 1", {("commit", 1, None)}),
    Damage("commit's column", "UPDATE delta_commits SET operation = 'UPDATE' WHERE version = 1", {("commit", 1, None)}),
    Damage(
        "commitInfo",
        'UPDATE delta_commits SET commit_info = \'{"operation":"MERGE"}\' WHERE version = 1',
        {("commit", 1, None)},
    ),
    Damage("timestamp", "UPDATE delta_commits SET timestamp = 1 WHERE version = 3", {("timestamp", 3, None)}),
    Damage(
        "in-commit timestamp",
        "UPDATE delta_commits SET in_commit_timestamp = 1 WHERE version = 3",
        {("timestamp", 3, None)},
    ),
    Damage("txn", "UPDATE delta_transactions SET txn_version = 9 WHERE version = 1", {("txn", 1, None)}),
    Damage("txn's time", "UPDATE delta_transactions SET last_updated = 1 WHERE version = 0", {("txn", 0, None)}),
    Damage("txn missing", "DELETE FROM delta_transactions WHERE version = 1", {("txn", 1, None)}),
    Damage("domain", "UPDATE delta_domain_metadata SET configuration = '{}'", {("domain_metadata", 0, None)}),
    Damage("domain removed", "UPDATE delta_domain_metadata SET removed = TRUE", {("domain_metadata", 0, None)}),
    Damage("cdc", "UPDATE delta_cdc_files SET size = 1", {("cdc", 1, CHANGES)}),
    Damage("cdc's partition", "UPDATE delta_cdc_files SET partition_values = '{\"day\":null}'", {("cdc", 1, CHANGES)}),
    Damage("cdc missing", "DELETE FROM delta_cdc_files", {("cdc", 1, CHANGES)}),
    Damage(
        "cdc extra",
        "INSERT INTO delta_cdc_files (table_id, version, path, partition_values) VALUES ('t', 2, 'x', '{}')",
        {("cdc", 2, "x")},
    ),
]
