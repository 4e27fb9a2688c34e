"""A version of a table in the catalog, read through one connection."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import Snapshot, snapshot
from deltalakedb.client import connect
from deltalakedb.errors import CatalogError
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


on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.mark.parametrize("ask", ["files", "lifetimes"])
def test_who_stops_early_leaves_nothing_open(database, ask):
    with database.reading() as connection:
        rows = getattr(snapshot(connection, registry.readable(connection, "t")), ask)()
        assert next(rows).path
        if ask == "files":  # lifetimes are streamed, and have no cursor
            assert _open_cursors(connection) in (None, 1)
        rows.close()
        assert _open_cursors(connection) in (None, 0)


@on_postgresql
def test_a_connection_that_streams_says_so_and_does_not_wait_for_itself(database):
    with database.reading() as connection:
        of = snapshot(connection, registry.readable(connection, "t"))
        rows = of.lifetimes()
        assert next(rows).path
        with pytest.raises(RuntimeError, match="still being read"):
            of.count()
        assert [row.path for row in rows] == ["b", "c"]
        assert of.count()[0] == 3


@on_postgresql
def test_rows_end_with_their_transaction_and_never_silently(database):
    with database.reading() as connection:
        rows = snapshot(connection, registry.readable(connection, "t")).lifetimes()
        assert next(rows).path
    with pytest.raises(CatalogError, match="transaction ended"):
        next(rows)
    with database.reading() as connection:
        assert snapshot(connection, registry.readable(connection, "t")).count()[0] == 3


def _open_cursors(connection) -> int | None:
    """The number of the connection's cursors on the server; None where there is no server."""
    if connection.dialect.name != "postgresql":
        return None
    return connection.execute(text("SELECT count(*) FROM pg_cursors")).scalar()


@pytest.mark.parametrize("between", [1, 50], ids=["together", "scattered"])
def test_files_are_the_same_however_they_lie_among_those_of_other_tables(database, between):
    """SQLite reads in one go what lies together, and finds by an index what is scattered."""
    wanted = [f"{number:02}" for number in range(6)]
    with database.transaction() as connection:
        for number, path in enumerate(wanted):
            ended = 7 if number == 2 else None
            rows = [("mine", path, ended)] + [("other", f"{path}-{at}", None) for at in range(between)]
            for table_id, name, removed in rows:
                connection.execute(
                    text(
                        "INSERT INTO delta_files (table_id, path, added_version, removed_version, partition_values, "
                        "key_hash) VALUES (:table_id, :path, :added, :removed, '{}', 0)"
                    ),
                    {"table_id": table_id, "path": name, "added": number, "removed": removed},
                )
    with database.reading() as connection:
        entry = replace(registry.readable(connection, "t"), table_id="mine", version=9)
        listed = {
            version: [
                row[0] for piece in Snapshot(connection, entry, version, newest).file_columns(["path"]) for row in piece
            ]
            for version, newest in ((9, True), (6, False), (3, False))
        }
        located = Snapshot(connection, entry, 6).locators()
    assert sorted(listed[9]) == ["00", "01", "03", "04", "05"]
    assert sorted(listed[6]) == wanted
    assert sorted(listed[3]) == ["00", "01", "02", "03"]
    assert len(located) == 6
