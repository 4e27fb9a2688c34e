"""Views that answer what admins ask across all tables of a lake. The cookbook in docs/sql.md uses them.

Only tables that can be read are in them, each at its version: what a sync is loading beyond it isn't there yet.
Sizes are in bytes. Rows that deletion vectors remove are not counted; a number of rows that is unknown is NULL.
Partition values go by the columns' names, in one spelling a value. Times are the database's own kind: `timestamptz` in
PostgreSQL, ISO text in UTC in SQLite, and `datetime` in UTC in MySQL.
"""

from __future__ import annotations

from sqlalchemy import Connection

from .row_counts import rows_of

SMALL_FILE_BYTES = 32 << 20
"""A file below this size costs more to open than to read."""

_TIME = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', {0} / 1000.0, 'unixepoch')",
    "postgresql": "to_timestamp({0} / 1000.0)",
    "mysql": "TIMESTAMPADD(MICROSECOND, {0} * 1000, CAST('1970-01-01' AS DATETIME(3)))",
}
_SINCE_HOURS = {
    "sqlite": "round((julianday('now') - julianday({0} / 1000.0, 'unixepoch')) * 24, 1)",
    "postgresql": "round((extract(epoch FROM now()) - {0} / 1000.0) / 3600, 1)",
    "mysql": "round((unix_timestamp(now(3)) - {0} / 1000.0) / 3600, 1)",
}
_JSON_AS_TEXT = {
    "sqlite": "CAST({0} AS text)",
    "postgresql": "CAST({0} AS text)",
    "mysql": "{0}",  # it is text, and a cast would overlook case
}
_CREATE = {
    "sqlite": "CREATE VIEW",
    "postgresql": "CREATE OR REPLACE VIEW",  # what roles may do with it is kept
    "mysql": "CREATE OR REPLACE SQL SECURITY INVOKER VIEW",  # or a view is lost with the user who made it
}

_ACTIVE = """
    FROM delta_tables t
    JOIN delta_files f ON f.table_id = t.table_id
     AND f.added_version <= t.version AND (f.removed_version IS NULL OR f.removed_version > t.version)"""

_PARTITION = """
    LEFT JOIN delta_partitions p ON p.table_id = f.table_id AND p.partition_key = f.partition_key"""

_COMMITTED = "JOIN delta_tables t ON t.table_id = c.table_id AND c.version <= t.version"

VIEWS = {
    # How large is each table, and how much of it is small files or has deletion vectors?
    "lake_tables": """
    SELECT t.table_id, t.location, t.first_version, t.version,
           count(f.path) AS files,
           coalesce(sum(f.size), 0) AS bytes,
           {rows} AS records,
           coalesce(sum(CASE WHEN f.size < {small} THEN 1 ELSE 0 END), 0) AS small_files,
           coalesce(sum(CASE WHEN f.deletion_vector_id IS NOT NULL THEN 1 ELSE 0 END), 0) AS files_with_deletion_vector
    FROM delta_tables t
    LEFT JOIN delta_files f ON f.table_id = t.table_id
     AND f.added_version <= t.version AND (f.removed_version IS NULL OR f.removed_version > t.version)
    GROUP BY t.table_id, t.location, t.first_version, t.version""",
    # What is in each partition?
    "lake_partitions": """
    SELECT t.table_id, {partition_values} AS partition_values,
           count(*) AS files, sum(f.size) AS bytes, {rows} AS records,
           sum(CASE WHEN f.size < {small} THEN 1 ELSE 0 END) AS small_files
    {active}{partition}
    GROUP BY t.table_id, {partition_values}""",
    # Which files are worth compacting?
    "lake_small_files": """
    SELECT t.table_id, {partition_values} AS partition_values, f.path, f.size, f.added_version
    {active}{partition}
    WHERE f.size < {small}""",
    # Who wrote what, and when?
    "lake_commits": """
    SELECT c.table_id, c.version, {committed_at} AS committed_at, c.operation, c.user_name, c.engine_info,
           c.operation_parameters, c.operation_metrics
    FROM delta_commits c {committed}""",
    # How does each table grow?
    "lake_growth": """
    SELECT c.table_id, c.version, {committed_at} AS committed_at,
           coalesce(a.files, 0) AS files_added, coalesce(a.bytes, 0) AS bytes_added,
           coalesce(r.files, 0) AS files_removed, coalesce(r.bytes, 0) AS bytes_removed
    FROM delta_commits c {committed}
    LEFT JOIN (SELECT table_id, added_version AS version, count(*) AS files, sum(size) AS bytes
               FROM delta_files WHERE added_version IS NOT NULL GROUP BY table_id, added_version) a
      ON a.table_id = c.table_id AND a.version = c.version
    LEFT JOIN (SELECT table_id, removed_version AS version, count(*) AS files, sum(size) AS bytes
               FROM delta_files WHERE added_version IS NOT NULL GROUP BY table_id, removed_version) r
      ON r.table_id = c.table_id AND r.version = c.version""",
    # When did a schema change, and from what to what?
    "lake_schema_changes": """
    SELECT m.table_id, m.version, m.earlier AS schema_before, m.schema_string AS schema_after
    FROM (SELECT table_id, version, schema_string,
                 lag(schema_string) OVER (PARTITION BY table_id ORDER BY version) AS earlier
          FROM delta_metadata) m
    JOIN delta_tables t ON t.table_id = m.table_id AND m.version <= t.version
    WHERE m.earlier IS NULL OR m.earlier <> m.schema_string""",
    # Who is silent, and who is behind the log as the last sync saw it?
    "lake_freshness": """
    SELECT t.table_id, t.version, t.log_version, t.log_version - t.version AS versions_behind, t.synced_at,
           {last_commit} AS last_commit_at, {since} AS hours_since_last_commit
    FROM delta_tables t
    LEFT JOIN (SELECT c.table_id, max(c.timestamp) AS last
               FROM delta_commits c {committed} GROUP BY c.table_id) l ON l.table_id = t.table_id""",
}


def create_views(connection: Connection) -> None:
    """Makes all views, or makes them again, in the caller's transaction."""
    name = connection.dialect.name
    if name == "sqlite":
        for view in VIEWS:
            connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view}")
    texts = {
        "small": str(SMALL_FILE_BYTES),
        "active": _ACTIVE,
        "committed": _COMMITTED,
        "committed_at": _TIME[name].format("c.timestamp"),
        "last_commit": _TIME[name].format("l.last"),
        "partition": _PARTITION,
        "partition_values": f"coalesce({_JSON_AS_TEXT[name].format('p.named_values')}, '{{}}')",
        "rows": rows_of("f", name),
        "since": _SINCE_HOURS[name].format("l.last"),
    }
    for view, query in VIEWS.items():
        connection.exec_driver_sql(f"{_CREATE[name]} {view} AS{query.format(**texts)}")
