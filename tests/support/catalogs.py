"""What a catalog holds, read without the code under test: all rows of all SQL tables."""

from typing import Any

import sqlalchemy as sa

from deltalakedb.client import Catalog
from tests.support.databases import driver_url

SQL_TABLES = (
    "migration_status",
    "delta_tables",
    "delta_files",
    "delta_commits",
    "delta_metadata",
    "delta_protocols",
    "delta_transactions",
    "delta_domain_metadata",
    "delta_cdc_files",
)
MOMENTS = {"started_at", "completed_at", "heartbeat_at", "claimed_at", "imported_at", "synced_at", "owner"}
MOMENTS |= {"files_at_claim", "commits_at_claim", "log_bytes_at_claim"}
"""Columns that differ from one import of the same log to the next."""
WATERMARK = {"rows_loaded", "log_fingerprint"}
"""Columns that say how the rows came in: by an import, or by syncs as well."""

Dump = dict[str, list[dict[str, Any]]]


def dump(url: str, table_id: str | None = None, *, without: set[str] | frozenset[str] = frozenset()) -> Dump:
    """All rows of every SQL table, or those of one table, in an order of their own.

    With a table id, that column is left out, so that two tables can be compared.
    """
    engine, found = _engine(url), Dump()
    of_table = "" if table_id is None else " WHERE table_id = :table_id"
    left_out = without | (set() if table_id is None else {"table_id"})
    with engine.connect() as connection:
        for name in SQL_TABLES:
            rows = connection.execute(sa.text(f"SELECT * FROM {name}{of_table}"), {"table_id": table_id}).mappings()
            found[name] = sorted(({k: v for k, v in row.items() if k not in left_out} for row in rows), key=repr)
    engine.dispose()
    return found


def execute(url: str, *statements: str, **parameters: Any) -> None:
    """Runs SQL statements as a person in a shell would; on SQLite with foreign keys off, its default."""
    engine = _engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement), parameters)
    engine.dispose()


def url_of(catalog: Catalog) -> str:
    """The URL of a catalog with its password, which `Catalog.url` doesn't give away."""
    return catalog._database.url.render_as_string(hide_password=False)


def _engine(url: str) -> sa.Engine:
    return sa.create_engine(driver_url(url), poolclass=sa.NullPool)
