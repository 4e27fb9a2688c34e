"""The catalog's tables, once, for every database.

Everything that a table owns hangs off its row in `migration_status`, so that deleting that row (with the rows of
`delta_files`, as the migration guide does) makes the table unknown. `delta_files` alone has no foreign key: checking
one for each of a million rows costs PostgreSQL more than the load itself, and the guide deletes those rows by name.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
)
from sqlalchemy.engine import Dialect as DatabaseDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable

from .column_types import Json, Text, Time, key_text, letters

SCHEMA_VERSION = 4
"""Moves with every change of the tables below; catalog/upgrade.py knows the way from each older one."""

MAX_TABLE_ID = 255
"""Letters in a table id: what an index key of every database holds."""

REPEATS = "repeats"
"""Marks a column of which many rows share few values (in `Column.info`)."""

schema = MetaData()


def _table_id() -> Column[str]:
    return Column("table_id", letters(MAX_TABLE_ID), nullable=False)


def _has_partial_indexes(*_: Any, dialect: DatabaseDialect, **__: Any) -> bool:
    return dialect.name != "mysql"


def _owned() -> Column[str]:
    owner = ForeignKey("migration_status.table_id", ondelete="CASCADE")
    return Column("table_id", letters(MAX_TABLE_ID), owner, nullable=False)


schema_version = Table(
    "deltalakedb_schema",
    schema,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("created_at", Time, nullable=False),
    Column("created_by", Text, nullable=False),
)

migration_status = Table(
    "migration_status",
    schema,
    Column("table_id", letters(MAX_TABLE_ID), primary_key=True),
    Column("location", Text, nullable=False),
    Column("status", letters(16), nullable=False),
    Column("version", BigInteger),
    Column("files_processed", BigInteger, nullable=False),
    # Counted while rows come in: a count of the rows themselves costs as much as there are.
    Column("active_files", BigInteger, nullable=False, server_default="0"),
    Column("active_bytes", BigInteger, nullable=False, server_default="0"),
    Column("started_at", Time, nullable=False),
    Column("completed_at", Time),
    Column("error_message", Text),
    # What is being loaded, and how far it has come.
    Column("first_version", BigInteger),
    Column("target_version", BigInteger),
    Column("commits_total", BigInteger),
    Column("commits_processed", BigInteger, nullable=False),
    # The watermark: a replay gives the same rows in the same order, so their number is a place in the log.
    Column("rows_loaded", BigInteger, nullable=False),
    Column("log_fingerprint", letters(64)),
    # For people: a log of one checkpoint has no commits by which to see how far it has come.
    Column("log_bytes_processed", BigInteger, nullable=False, server_default="0"),
    Column("log_bytes_total", BigInteger),
    # Who works on it, since when, and where that began: what has come since then makes a rate.
    Column("owner", Text),
    Column("heartbeat_at", Time),
    Column("claimed_at", Time),
    Column("files_at_claim", BigInteger, nullable=False, server_default="0"),
    Column("commits_at_claim", BigInteger, nullable=False, server_default="0"),
    Column("log_bytes_at_claim", BigInteger, nullable=False, server_default="0"),
)

delta_tables = Table(
    "delta_tables",
    schema,
    _owned(),
    Column("location", Text, nullable=False),
    Column("first_version", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("log_version", BigInteger, nullable=False),  # the newest in the log, as the last look at it found
    Column("imported_at", Time, nullable=False),
    Column("synced_at", Time, nullable=False),
    Column("warnings", Json),
    Column("checkpoint_actions", Json),
    Column("gaps", Json),  # versions that the log lost before they were taken in
    # Of the bytes of the newest version's commit: NULL where that was gone, and until an upgraded catalog's next sync.
    Column("commit_digest", letters(64)),
    PrimaryKeyConstraint("table_id"),
)

delta_files = Table(
    "delta_files",
    schema,
    _table_id(),
    Column("path", Text, nullable=False),
    Column("added_version", BigInteger),
    Column("removed_version", BigInteger),
    Column("size", BigInteger),
    Column("modification_time", BigInteger),
    Column("data_change", Boolean),
    Column("num_records", BigInteger),
    Column("base_row_id", BigInteger),
    Column("default_row_commit_version", BigInteger),
    Column("clustering_provider", Text),
    Column("deletion_timestamp", BigInteger),
    Column("partition_values", Json, nullable=False, info={REPEATS: True}),
    Column("stats", Text),
    Column("deletion_vector", Json),
    Column("deletion_vector_id", Text),
    Column("tags", Json),
    Column("extra", Json),
    Column("removal", Json),
    Column("key_hash", BigInteger, nullable=False),
    Column("partition_key", BigInteger),
    # Whether, at a version that a history begins with, its own commit says so; NULL where its checkpoint alone does.
    Column("own_add", Boolean),
    Column("own_remove", Boolean),
)
# Paths are too long to index: over 100 letters each. 8 bytes of hash find the row, the path confirms it. The table is
# left out, since only copies of a table share hashes: a million files are loaded in 0.6 s less. PostgreSQL's hash index
# takes them in a third of the time of its B-tree.
Index("delta_files_by_key", delta_files.c.key_hash, postgresql_using="hash")
# Each row is in one of these two: what is live, by partition, and what has ended, by when. The newest version is the
# first alone; an older one is what the first has and what has ended since. MySQL has no index of some rows only:
# there both are one, in which what is live comes first.
_live = delta_files.c.removed_version.is_(None)
_ended = delta_files.c.removed_version.is_not(None)
Index(
    "delta_files_live",
    delta_files.c.table_id,
    delta_files.c.partition_key,
    sqlite_where=_live,
    postgresql_where=_live,
).ddl_if(callable_=_has_partial_indexes)
Index(
    "delta_files_ended",
    delta_files.c.table_id,
    delta_files.c.removed_version,
    sqlite_where=_ended,
    postgresql_where=_ended,
).ddl_if(callable_=_has_partial_indexes)
Index(
    "delta_files_by_end",
    delta_files.c.table_id,
    delta_files.c.removed_version,
    delta_files.c.partition_key,
    delta_files.c.added_version,
).ddl_if(dialect="mysql")

# Partitions are few beside files: a predicate is evaluated on them, and their files are found by the key.
delta_partitions = Table(
    "delta_partitions",
    schema,
    _owned(),
    Column("partition_key", BigInteger, nullable=False),
    Column("partition_values", Json, nullable=False),
    Column("named_values", Json),  # the same for people: by the columns' names, one spelling a value
    PrimaryKeyConstraint("table_id", "partition_key"),
)

delta_commits = Table(
    "delta_commits",
    schema,
    _owned(),
    Column("version", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("in_commit_timestamp", BigInteger),
    Column("file_timestamp", BigInteger, nullable=False),
    Column("operation", Text),
    Column("operation_parameters", Json),
    Column("operation_metrics", Json),
    Column("user_id", Text),
    Column("user_name", Text),
    Column("engine_info", Text),
    Column("txn_id", Text),
    Column("is_blind_append", Boolean),
    Column("commit_info", Json),
    Column("other_actions", Json),
    # At a version that a history begins with: which rows of other tables its own commit says, not only its checkpoint.
    Column("own_actions", Json),
    PrimaryKeyConstraint("table_id", "version"),
)

delta_metadata = Table(
    "delta_metadata",
    schema,
    _owned(),
    Column("version", BigInteger, nullable=False),
    Column("id", Text),
    Column("name", Text),
    Column("description", Text),
    # JSON as text: from PostgreSQL 16 on `format json` is a clause, and what pg_dump writes could not be restored.
    Column("format", Text),
    Column("schema_string", Text),
    Column("partition_columns", Json),
    Column("configuration", Json),
    Column("created_time", BigInteger),
    Column("extra", Json),
    PrimaryKeyConstraint("table_id", "version"),
)

delta_protocols = Table(
    "delta_protocols",
    schema,
    _owned(),
    Column("version", BigInteger, nullable=False),
    Column("min_reader_version", BigInteger, nullable=False),
    Column("min_writer_version", BigInteger, nullable=False),
    Column("reader_features", Json),
    Column("writer_features", Json),
    Column("extra", Json),
    PrimaryKeyConstraint("table_id", "version"),
)

delta_transactions = Table(
    "delta_transactions",
    schema,
    _owned(),
    Column("app_id", key_text(500), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("txn_version", BigInteger, nullable=False),
    Column("last_updated", BigInteger),
    Column("extra", Json),
    PrimaryKeyConstraint("table_id", "app_id", "version"),
)

delta_domain_metadata = Table(
    "delta_domain_metadata",
    schema,
    _owned(),
    Column("domain", key_text(500), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("configuration", Text),
    Column("removed", Boolean),
    Column("extra", Json),
    PrimaryKeyConstraint("table_id", "domain", "version"),
)

delta_cdc_files = Table(
    "delta_cdc_files",
    schema,
    _owned(),
    Column("version", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("partition_values", Json, nullable=False),
    Column("size", BigInteger),
    Column("data_change", Boolean),
    Column("tags", Json),
    Column("extra", Json),
)
Index("delta_cdc_files_by_version", delta_cdc_files.c.table_id, delta_cdc_files.c.version)

delta_indexes = Table(
    "delta_indexes",
    schema,
    _owned(),
    Column("number", BigInteger, nullable=False),
    Column("column_name", Text, nullable=False),
    Column("physical_path", Json, nullable=False),
    Column("family", letters(16), nullable=False),
    Column("shared_prefix", Text, nullable=False),
    # A bit for each level that occurs, so that a look-up leaves out the others.
    Column("levels", BigInteger, nullable=False),
    Column("created_at", Time, nullable=False),
    PrimaryKeyConstraint("table_id", "number"),
)

# Without a foreign key, as delta_files: it would double the time of a load.
delta_ranges = Table(
    "delta_ranges",
    schema,
    _table_id(),
    Column("bucket", BigInteger, nullable=False),  # 64 times the index's number, and the level
    Column("low", BigInteger, nullable=False),
    Column("high", BigInteger, nullable=False),
    Column("key_hash", BigInteger, nullable=False),
)
Index(
    "delta_ranges_by_low",
    delta_ranges.c.table_id,
    delta_ranges.c.bucket,
    delta_ranges.c.low,
    delta_ranges.c.high,
    delta_ranges.c.key_hash,
)

# What the last validation of a table found. It is news, not part of the table: an import anew deletes it.
delta_validations = Table(
    "delta_validations",
    schema,
    _owned(),
    Column("version", BigInteger, nullable=False),
    Column("validated_at", Time, nullable=False),
    Column("valid", Boolean, nullable=False),
    Column("versions_checked", BigInteger, nullable=False),
    Column("reader", Text, nullable=False),
    Column("difference_count", BigInteger, nullable=False),
    Column("differences", Json, nullable=False),  # the first of them, as `validate --output json` has them
    PrimaryKeyConstraint("table_id"),
)

# Who did what. Without a foreign key: what happened to a table is known after it was forgotten, too.
migration_events = Table(
    "migration_events",
    schema,
    Column("event_id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("table_id", letters(MAX_TABLE_ID)),  # NULL: not of one table
    Column("command", letters(32), nullable=False),
    Column("options", Json, nullable=False),
    Column("status", letters(16), nullable=False),
    Column("started_at", Time, nullable=False),
    Column("ended_at", Time),
    Column("version_before", BigInteger),
    Column("version", BigInteger),
    Column("changes", Json),
    Column("error_message", Text),
    Column("times", Integer, nullable=False),
    Column("database_user", Text),
    Column("os_user", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("program", Text, nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice, whatever is deleted
)
Index("migration_events_by_table", migration_events.c.table_id, migration_events.c.event_id)


_KEYLESS = frozenset({delta_files, delta_cdc_files, delta_ranges})


@compiles(CreateTable, "mysql")
def _create_table(create: CreateTable, compiler: Any, **options: Any) -> str:
    """MySQL keeps rows in the order of a key, and replicates by it: where there is none of ours, rows are numbered.

    At once, not by a change afterwards: servers that demand a key (`sql_require_primary_key`) demand it then.
    """
    spelled: str = compiler.visit_create_table(create, **options)
    if create.element not in _KEYLESS:
        return spelled
    head, end, rest = spelled.rpartition("\n)")
    return f"{head},\n\tplace BIGINT NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY{end}{rest}"


INDEX_TABLES = (delta_ranges, delta_indexes, delta_partitions)
"""What finds files; it can be made again from the rows of `delta_files`."""

ROW_TABLES: dict[str, Table] = {
    "files": delta_files,
    "commits": delta_commits,
    "metadata": delta_metadata,
    "protocols": delta_protocols,
    "transactions": delta_transactions,
    "domain_metadata": delta_domain_metadata,
    "cdc_files": delta_cdc_files,
}
"""The table of each list in `rows.Rows`; its columns are the row's fields, after the table id."""
