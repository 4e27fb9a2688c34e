"""The catalog's schema version: made, checked, and moved on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from typing import Any

from sqlalchemy import Column, Connection, exists, insert, inspect, literal, select, text, update
from sqlalchemy.schema import CreateSchema

from ..errors import SchemaVersionError
from . import events, partitions, registry
from .dialects.base import Dialect
from .schema import (
    SCHEMA_VERSION,
    delta_commits,
    delta_files,
    delta_partitions,
    delta_tables,
    delta_validations,
    migration_events,
    schema,
    schema_version,
)
from .snapshot import Snapshot
from .views import create_views


def _keep_validations(connection: Connection) -> None:
    delta_validations.create(connection, checkfirst=True)


def _count_what_is_there(connection: Connection) -> None:
    for name in (
        "active_files",
        "active_bytes",
        "log_bytes_processed",
        "files_at_claim",
        "commits_at_claim",
        "log_bytes_at_claim",
    ):
        connection.execute(text(f"ALTER TABLE migration_status ADD COLUMN {name} BIGINT DEFAULT 0 NOT NULL"))
    connection.execute(text("ALTER TABLE migration_status ADD COLUMN log_bytes_total BIGINT"))
    moment = "TIMESTAMP WITH TIME ZONE" if connection.dialect.name == "postgresql" else "DATETIME"
    connection.execute(text(f"ALTER TABLE migration_status ADD COLUMN claimed_at {moment}"))
    live = "FROM delta_files WHERE delta_files.table_id = migration_status.table_id AND removed_version IS NULL"
    connection.execute(
        text(
            f"UPDATE migration_status SET active_files = (SELECT count(*) {live}), "
            f"active_bytes = (SELECT coalesce(sum(size), 0) {live})"
        )
    )


def _to_version_3(connection: Connection) -> None:
    _count_what_is_there(connection)
    migration_events.create(connection, checkfirst=True)
    json = delta_tables.c.gaps.type.compile(connection.dialect)
    connection.execute(text(f"ALTER TABLE delta_tables ADD COLUMN gaps {json}"))
    if connection.dialect.name == "postgresql":
        connection.execute(text('ALTER TABLE delta_metadata ALTER COLUMN "format" TYPE TEXT'))


def _to_version_4(connection: Connection) -> None:
    files, commits = delta_files.c, delta_commits.c
    new = (delta_tables.c.commit_digest, files.own_add, files.own_remove, commits.own_actions)
    for column in (*new, delta_partitions.c.named_values):
        _add_column(connection, column)
    for entry in registry.entries(connection):
        newest = Snapshot(connection, entry, entry.version)
        partitions.name_values(connection, entry.table_id, newest.metadata(), newest.protocol())
    create_views(connection)


def _add_column(connection: Connection, column: Column[Any]) -> None:
    """Adds a column without a default, unless an interrupted upgrade has added it already."""
    table = column.table.name
    if column.name not in {there["name"] for there in inspect(connection).get_columns(table)}:
        kind = column.type.compile(connection.dialect)
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {column.name} {kind}"))


STEPS: dict[int, Callable[[Connection], None]] = {1: _keep_validations, 2: _to_version_3, 3: _to_version_4}
"""What leads from each schema version to the next one.

MySQL commits with each change of a table: a step that is interrupted there is begun again, and has to bear it.
"""

_UNFINISHED = 0
"""The version while tables are made: where that can't be one transaction, others see it, or a crash leaves it."""

_OTHERS = [table for table in schema.sorted_tables if table is not schema_version]


def version_of(connection: Connection) -> int | None:
    """Returns the schema version of the database; None where it holds no catalog."""
    if not _is_there(connection):
        return None
    return connection.execute(select(schema_version.c.version)).scalar()


# Reading pg_class makes a session see what others have made since it last looked; `to_regclass` alone does not.
_PRESENT = text("SELECT 1 FROM pg_catalog.pg_class WHERE oid = to_regclass(:name)")


def _is_there(connection: Connection) -> bool:
    if connection.dialect.name == "postgresql":  # every reader asks: SQLAlchemy's own way takes 1 ms
        return connection.scalar(_PRESENT, {"name": schema_version.name}) is not None
    return inspect(connection).has_table(schema_version.name)


def check(connection: Connection, where: str) -> None:
    """Raises SchemaVersionError unless the catalog is there and of this release."""
    found = version_of(connection)
    if found is None or found == _UNFINISHED:
        raise SchemaVersionError(f"There is no catalog in {where}", "Import a table first.")
    if found > SCHEMA_VERSION:
        raise _newer(found, where)
    if found < SCHEMA_VERSION:
        raise SchemaVersionError(
            f"The catalog in {where} has schema version {found}, this release reads {SCHEMA_VERSION}",
            "Any command that writes upgrades it in place, as `deltalakedb upgrade` does; back the database up first.",
        )


def ensure(connection: Connection, dialect: Dialect, where: str, schema_name: str | None = None) -> None:
    """Makes the tables where there are none (and the schema for them), and upgrades older ones.

    All in one transaction where the database can.
    """
    with connection.begin():
        found = version_of(connection)
    if found == SCHEMA_VERSION:
        return
    dialect.harden(connection)
    try:
        with connection.begin():
            dialect.lock_schema(connection)
            _bring_up(connection, dialect, where, schema_name)
    finally:
        if not connection.invalidated:
            with connection.begin():
                dialect.unlock_schema(connection)


def _bring_up(connection: Connection, dialect: Dialect, where: str, schema_name: str | None) -> None:
    found = version_of(connection)
    if found is None:
        _create_schema(connection, schema_name)
        _begin(connection, where)
        _create(connection)
    elif found == _UNFINISHED:
        _check_empty(connection, where)
        schema.drop_all(connection, _OTHERS)  # what was made before a crash
        _create(connection)
    elif found > SCHEMA_VERSION:
        raise _newer(found, where)
    elif found < SCHEMA_VERSION:  # nobody else was faster
        _upgrade(connection, dialect, found, where)


def _check_empty(connection: Connection, where: str) -> None:
    """Makes sure that tables which say that nobody has finished making them hold nothing."""
    there = set(inspect(connection).get_table_names())
    for table in _OTHERS:
        if table.name in there and connection.scalar(select(exists(select(literal(1)).select_from(table)))):
            raise SchemaVersionError(
                f"The catalog in {where} has rows in {table.name}, but schema version {_UNFINISHED}: who has set that?",
                f"If all is well with it, UPDATE {schema_version.name} SET version = {SCHEMA_VERSION} brings it back.",
            )


def _create_schema(connection: Connection, name: str | None) -> None:
    # Asked for first: IF NOT EXISTS needs the right to make it even where it is there.
    if name is not None and not inspect(connection).has_schema(name):
        connection.execute(CreateSchema(name))


def _begin(connection: Connection, where: str) -> None:
    foreign = sorted(set(inspect(connection).get_table_names()) & set(schema.tables))
    if foreign:
        raise SchemaVersionError(
            f"{where} has tables of these names already, which are not ours: {', '.join(foreign)}",
            "Give the catalog a database or a schema of its own.",
        )
    schema_version.create(connection)
    made_by = f"deltalakedb {package_version('deltalakedb')}"
    connection.execute(
        insert(schema_version).values(version=_UNFINISHED, created_at=datetime.now(UTC), created_by=made_by)
    )


def _create(connection: Connection) -> None:
    schema.create_all(connection, _OTHERS, checkfirst=False)
    create_views(connection)
    connection.execute(update(schema_version).values(version=SCHEMA_VERSION))


def _upgrade(connection: Connection, dialect: Dialect, found: int, where: str) -> None:
    changes = {"from_schema_version": found, "to_schema_version": SCHEMA_VERSION}
    while found < SCHEMA_VERSION:
        step = STEPS.get(found)
        if step is None:
            raise SchemaVersionError(
                f"The catalog in {where} has schema version {found}, from which no upgrade leads to {SCHEMA_VERSION}",
                "Import the tables into a new database: their logs are as they were.",
            )
        step(connection)
        found += 1
        connection.execute(update(schema_version).values(version=found))
    events.add(connection, dialect, "upgrade", changes=changes)


def _newer(found: int, where: str) -> SchemaVersionError:
    return SchemaVersionError(
        f"The catalog in {where} has schema version {found}, newer than this release ({SCHEMA_VERSION})",
        "pip install --upgrade deltalakedb",
    )
