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


_DRIVERS = {
    "sqlite": ("pysqlite",),
    "postgresql": ("psycopg", "psycopg2", "psycopg2cffi", "pg8000"),
    "mysql": ("pymysql", "mysqldb", "mysqlconnector", "mariadbconnector", "cymysql"),
}
"""What a URL may have behind a +: drivers that understand the same URLs as ours, which is taken in any case."""


def dialect_for(scheme: str, rest: str = "…") -> Dialect:
    """Returns the dialect for the scheme of a database URL.

    Args:
        scheme: with a driver, if there is one.
        rest: the URL behind `://`, as it may be shown.

    Raises:
        ArgumentError: no database that we know, or a driver that would behave otherwise than ours.
    """
    name, _, driver = scheme.lower().partition("+")
    kind = _DIALECTS.get(name)
    if kind is None:
        raise ArgumentError(
            f"Unknown kind of database: {scheme}://",
            "Known are sqlite:///file.db, and postgresql://, mysql:// or mariadb://user:password@host/database.",
        )
    if driver and driver not in _DRIVERS[kind.name]:
        raise ArgumentError(
            f"The driver {driver} can't be used: for {kind.name} there is one already.",
            f"Write {name}://{rest}",
        )
    return kind()
