"""A version of a table in the catalog, read through one connection."""

import pytest
from sqlalchemy import text

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.client import connect
from tests.support.logs import LogBuilder, add, metadata, protocol


@pytest.fixture
def database(tmp_path, database_url):
    """A catalog with the table `t` of three files, on every database."""
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"), add("b"), add("c"))
    with connect(database_url) as catalog:
        catalog.import_table(str(log.root), table_id="t")
    database = Database(database_url)
    yield database
    database.close()


@pytest.mark.parametrize("ask", ["files", "lifetimes"])
def test_who_stops_early_leaves_no_cursor_behind(database, ask):
    with database.reading() as connection:
        rows = getattr(snapshot(connection, registry.readable(connection, "t")), ask)()
        assert next(rows).path
        assert _open_cursors(connection) in (None, 1)
        rows.close()
        assert _open_cursors(connection) in (None, 0)


def _open_cursors(connection) -> int | None:
    """The number of the connection's cursors on the server; None where there is no server."""
    if connection.dialect.name != "postgresql":
        return None
    return connection.execute(text("SELECT count(*) FROM pg_cursors")).scalar()
