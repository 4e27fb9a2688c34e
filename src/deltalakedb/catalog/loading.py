"""Rows of a replay → the SQL tables, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from ..rows import Files, Rows
from . import partitions
from .dialects.base import Dialect, shapes_of
from .packing.base import Packed, Packing, columns_of
from .schema import ROW_TABLES, delta_files


def packing_for(dialect: Dialect) -> Packing:
    """Returns how a database takes rows, for who has no connection to it."""
    return Packing(dialect.pack, {name: shapes_of(table) for name, table in ROW_TABLES.items()})


def append(connection: Connection, dialect: Dialect, table_id: str, rows: Rows) -> None:
    """Appends rows to their SQL tables."""
    for name, table in ROW_TABLES.items():
        if name != "files":
            append_to(connection, dialect, table, table_id, getattr(rows, name))
    append_files(connection, dialect, table_id, rows.files)


def append_files(connection: Connection, dialect: Dialect, table_id: str, files: Files) -> None:
    """Appends files, and notes their partitions."""
    append_to(connection, dialect, delta_files, table_id, files)
    partitions.note(connection, dialect, table_id, files.partitions())


def append_packed(
    connection: Connection,
    dialect: Dialect,
    table_id: str,
    pieces: Iterable[tuple[Mapping[str, Packed], Mapping[int, str]]],
) -> None:
    """Appends rows that are packed already.

    Args:
        connection: the transaction.
        dialect: the kind of database.
        table_id: the table that owns the rows.
        pieces: packed rows by their table's name in `Rows`, and the partitions that no earlier piece had.
    """
    others: list[tuple[str, Packed]] = []
    new: dict[int, str] = {}

    def files() -> Iterator[Packed]:
        for packed, partitions_of_piece in pieces:
            new.update(partitions_of_piece)
            others.extend((name, each) for name, each in packed.items() if name != "files")
            if "files" in packed:
                yield packed["files"]

    dialect.load(connection, delta_files, files())
    for name, each in others:
        dialect.load(connection, ROW_TABLES[name], (each,))
    partitions.note(connection, dialect, table_id, new)


def append_to(
    connection: Connection, dialect: Dialect, table: Table, table_id: str, rows: Files | Sequence[tuple[Any, ...]]
) -> None:
    """Appends rows, which have the table's columns after the table id, to one SQL table."""
    if rows:
        shapes = shapes_of(table)
        dialect.load(connection, table, (dialect.pack(shapes, table_id, columns_of(shapes, rows)),))
