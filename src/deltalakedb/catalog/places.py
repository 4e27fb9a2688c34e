"""Where a row of `delta_files` is: it orders rows as an import wrote them, and finds them again in a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    false,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType

_NAMES = {"sqlite": "rowid", "postgresql": "ctid", "mysql": "place"}
"""What each database calls the place of a row, in a table without a key of ours."""

_PLACES = {
    "sqlite": "delta_files.rowid",
    "postgresql": "('x' || encode(tidsend(delta_files.ctid), 'hex'))::bit(48)::bigint",
    "mysql": "delta_files.place",
}
"""Where a row is in its table, by dialect: an import appends the files of a commit in the log's order."""

ROWID: ColumnElement[int] = literal_column(_PLACES["sqlite"], BigInteger)
"""The place of a row in SQLite, by which rows are found one after the other."""


class _Tid(UserDefinedType[str]):
    """PostgreSQL's own name for a place: it finds a row without an index."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "tid"


_CTID: ColumnElement[str] = literal_column("delta_files.ctid", _Tid())


def order_of(connection: Connection, table: Table) -> ColumnElement[Any]:
    """Returns what puts the rows of a table without a key into the order in which they lie there."""
    return literal_column(f"{table.name}.{_NAMES[connection.dialect.name]}")


def place_of(connection: Connection) -> ColumnElement[int]:
    """Returns the expression for where a row of `delta_files` is among those of its version."""
    return _place(connection).label("place")


def _place(connection: Connection) -> ColumnElement[int]:
    return literal_column(_PLACES[connection.dialect.name], BigInteger)


def locator_of(connection: Connection) -> ColumnElement[Any]:
    """Returns the expression for what finds a row of `delta_files` again within a transaction."""
    return _CTID if connection.dialect.name == "postgresql" else place_of(connection)


def located(connection: Connection, locators: Sequence[Any]) -> ColumnElement[bool]:
    """Returns the condition that a row of `delta_files` is one of those with some locators."""
    if connection.dialect.name == "postgresql":
        listed = "{" + ",".join(f'"{locator}"' for locator in locators) + "}"
        return any_(cast(bindparam(None, listed, Text()), ARRAY(_Tid()))) == _CTID
    return among(_place(connection), locators, connection.dialect.name)


def among(column: ColumnElement[int], values: Sequence[int], dialect_name: str) -> ColumnElement[bool]:
    """Returns the condition that a column is one of some numbers: one parameter or none, however many they are."""
    if dialect_name == "mysql":  # it looks a list up in an index; what a function makes of JSON, it does not
        return column.in_([literal_column(str(int(value))) for value in values]) if values else false()
    if dialect_name == "postgresql":
        return column == any_(bindparam(None, list(values), ARRAY(BigInteger)))
    rows = func.json_each(msgspec.json.encode(values).decode()).table_valued("value")
    return column.in_(select(rows.c.value))
