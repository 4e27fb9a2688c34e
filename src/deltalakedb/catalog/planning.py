"""Which files of a version a reader needs, by SQL over what the log says of each file.

Two plain predicates. A file is left out only where the log is sure that no row of it matches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Numeric, Text, and_, cast, func, literal, or_, select, true, type_coerce
from sqlalchemy.dialects.postgresql import JSON

from ..rows import FileLifetime
from .schema import delta_files
from .snapshot import Snapshot, active_at


def files_of_partition(snapshot: Snapshot, column: str, value: str) -> list[str]:
    """Returns the paths of the active files in one partition.

    Args:
        snapshot: the version.
        column: a partition column, by its name in the log.
        value: its value, as the log spells it.
    """
    return _paths(snapshot, _json_text(snapshot, delta_files.c.partition_values, (column,)) == value)


def files_with_value(snapshot: Snapshot, column: str, value: float | str) -> list[str]:
    """Returns the paths of the active files that may have a row in which `column` is `value`.

    Args:
        snapshot: the version.
        column: a top-level column, by its name in the log.
        value: a number, or a text that is ordered as its bytes are (a date too).
    """
    bounds = (_json_text(snapshot, delta_files.c.stats, (bound, column)) for bound in ("minValues", "maxValues"))
    low, high = (_comparable(snapshot, bound, value) for bound in bounds)
    wanted = literal(value)
    return _paths(snapshot, and_(or_(low.is_(None), low <= wanted), or_(high.is_(None), high >= wanted)))


def active_files(snapshot: Snapshot) -> list[str]:
    """Returns the paths of all active files."""
    return _paths(snapshot, true())


def any_file(snapshot: Snapshot) -> FileLifetime | None:
    """Returns one of the active files; None where there is none."""
    columns = [delta_files.c[name] for name in FileLifetime._fields]
    query = select(*columns).where(delta_files.c.table_id == snapshot.entry.table_id, active_at(snapshot.version))
    row = snapshot.connection.execute(query.limit(1)).one_or_none()
    return None if row is None else FileLifetime._make(row)


def _paths(snapshot: Snapshot, condition: ColumnElement[bool]) -> list[str]:
    query = select(delta_files.c.path).where(
        delta_files.c.table_id == snapshot.entry.table_id, active_at(snapshot.version), condition
    )
    return list(snapshot.connection.execute(query).scalars())


def _json_text(snapshot: Snapshot, column: Column[Any], keys: Sequence[str]) -> ColumnElement[Any]:
    """Returns the value below an object's keys; NULL where there is none."""
    if snapshot.connection.dialect.name == "postgresql":
        return func.json_extract_path_text(cast(column, JSON), *keys, type_=Text)
    if not any('"' in key for key in keys):
        return func.json_extract(column, "$" + "".join(f'."{key}"' for key in keys), type_=Text)
    value: ColumnElement[Any] = column
    for key in keys:  # the paths of json_extract have no way to write a quote in a name
        entries = func.json_each(value).table_valued("key", "value")
        value = select(entries.c.value).where(entries.c.key == key).scalar_subquery()
    return type_coerce(value, Text)


def _comparable(snapshot: Snapshot, column: ColumnElement[Any], value: float | str) -> ColumnElement[Any]:
    """Returns a column ordered as numbers, or as bytes: what a database's own collation says is no order of files."""
    if not isinstance(value, str):
        return cast(column, Numeric)
    return column.collate("C" if snapshot.connection.dialect.name == "postgresql" else "BINARY")
