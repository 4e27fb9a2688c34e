"""Rows of a replay → the SQL tables, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from ..rows import FileLifetime, Rows
from . import partitions
from .dialects.base import Dialect, Packed
from .schema import ROW_TABLES, delta_files


def append(connection: Connection, dialect: Dialect, table_id: str, rows: Rows) -> None:
    """Appends rows to their SQL tables."""
    for name, table in ROW_TABLES.items():
        if name != "files":
            append_to(connection, dialect, table, table_id, getattr(rows, name))
    append_files(connection, dialect, table_id, rows.files)


def append_files(connection: Connection, dialect: Dialect, table_id: str, files: Sequence[FileLifetime]) -> None:
    """Appends files, and notes their partitions."""
    append_to(connection, dialect, delta_files, table_id, files)
    partitions.note(connection, dialect, table_id, partitions.of_files(files))


def append_packed(
    connection: Connection, dialect: Dialect, table_id: str, packed: Mapping[str, Packed], new: dict[int, str]
) -> None:
    """Appends rows that are packed already, by their table's name in `Rows`, and notes new partitions."""
    for name, each in packed.items():
        dialect.load(connection, ROW_TABLES[name], each)
    partitions.note(connection, dialect, table_id, new)


def append_to(
    connection: Connection, dialect: Dialect, table: Table, table_id: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Appends rows, which have the table's columns after the table id, to one SQL table."""
    if rows:
        dialect.load(connection, table, dialect.pack(table, table_id, rows))
