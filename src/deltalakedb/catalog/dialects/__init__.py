"""One class a database, behind one interface."""

from __future__ import annotations

from ...errors import ArgumentError
from .base import Dialect
from .mysql import MySQLDialect
from .postgresql import PostgreSQLDialect
from .sqlite import SQLiteDialect

_DIALECTS: dict[str, type[Dialect]] = {
    "sqlite": SQLiteDialect,
    "postgresql": PostgreSQLDialect,
    "postgres": PostgreSQLDialect,
    "mysql": MySQLDialect,
    "mariadb": MySQLDialect,
}


def dialect_for(scheme: str) -> Dialect:
    """Returns the dialect for the scheme of a database URL.

    Raises:
        ArgumentError: no database that we know.
    """
    kind = _DIALECTS.get(scheme.split("+", 1)[0].lower())
    if kind is None:
        raise ArgumentError(
            f"Unknown kind of database: {scheme}://",
            "Known are sqlite:///file.db, and postgresql://, mysql:// or mariadb://user:password@host/database.",
        )
    return kind()
