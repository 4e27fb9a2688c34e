"""Files with statistics in a catalog, and which of them pruning keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, case, select, true

from deltalakedb.catalog import registry
from deltalakedb.catalog.dialects import dialect_for
from deltalakedb.catalog.loading import append_files
from deltalakedb.catalog.schema import delta_files
from deltalakedb.catalog.snapshot import Snapshot, active_at
from deltalakedb.columns import TableSchema
from deltalakedb.log.actions import Add
from deltalakedb.log.add_columns import AddColumns
from deltalakedb.replay.files import lifetimes
from deltalakedb.rows import MetadataRow, ProtocolRow
from deltalakedb.table import predicate, prune

TABLE = "t"
_ENTRY = registry.TableEntry(TABLE, "/lake/t", 0, 0, 0, registry.now(), registry.now(), None, None)


def field_of(name: str, kind: Any, **metadata: Any) -> dict[str, Any]:
    """A field of a schema, as its JSON has it."""
    return {"name": name, "type": kind, "nullable": True, "metadata": metadata}


def struct_of(*fields: dict[str, Any]) -> dict[str, Any]:
    """A struct type, as a schema's JSON has it."""
    return {"type": "struct", "fields": list(fields)}


def schema_of(
    *fields: dict[str, Any], partitions: Sequence[str] = (), configuration: dict[str, str] | None = None
) -> TableSchema:
    """The schema of a table with these fields."""
    text, keys = json.dumps(struct_of(*fields)), json.dumps(list(partitions))
    return TableSchema.of(
        MetadataRow(0, "id", None, None, None, text, keys, json.dumps(configuration or {}), None, None),
        ProtocolRow(0, 2, 5, None, None, None),
    )


@dataclass(frozen=True)
class File:
    """A file: its rows that are not deleted, its statistics as in the log, and its partition values."""

    rows: list[dict[Any, Any]]
    stats: str | None
    partition_values: dict[str, Any] = field(default_factory=dict)


def load(connection: Connection, files: Sequence[File]) -> None:
    """Writes files to `delta_files`, as an import would."""
    registry.claim(connection, TABLE, "/lake/t", resume=False)
    adds = AddColumns.of(
        [
            Add(
                path=f"{number}.parquet",
                partition_values=msgspec.Raw(json.dumps(file.partition_values).encode()),
                size=1,
                modification_time=0,
                data_change=True,
                stats=file.stats,
            )
            for number, file in enumerate(files)
        ]
    )
    rows = lifetimes(adds, adds.keys(), 0)
    append_files(connection, dialect_for(connection.dialect.name), TABLE, rows)


def snapshot_of(connection: Connection) -> Snapshot:
    """The version that the loaded files are in."""
    return Snapshot(connection, _ENTRY, 0)


def kept(connection: Connection, schema: TableSchema, where: Any) -> set[int]:
    """The numbers of the loaded files that pruning keeps."""
    return kept_by_each(connection, schema, [where])[0]


def kept_by_each(connection: Connection, schema: TableSchema, wheres: Sequence[Any]) -> list[set[int]]:
    """As `kept`, for each of several predicates, in one query."""
    conditions = [prune.matching(snapshot_of(connection), predicate.parse(where, schema)) for where in wheres]
    columns = [case((true() if condition is None else condition, 1), else_=0) for condition in conditions]
    labelled = [column.label(f"kept_{number}") for number, column in enumerate(columns)]
    query = select(delta_files.c.path, *labelled).where(delta_files.c.table_id == TABLE, active_at(0))
    found: list[set[int]] = [set() for _ in wheres]
    for path, *answers in connection.execute(query):
        for keeping, answer in zip(found, answers, strict=True):
            keeping.update([int(path.removesuffix(".parquet"))] if answer else [])
    return found


def pruned(connection: Connection, schema: TableSchema, files: Sequence[File], where: Any) -> set[int]:
    """As `kept`, for files that are there for this question alone."""
    with connection.begin() as transaction:
        load(connection, files)
        found = kept(connection, schema, where)
        transaction.rollback()
    return found
