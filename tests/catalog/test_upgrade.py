import pytest
from sqlalchemy import Connection, inspect, text

from deltalakedb.catalog import upgrade
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.schema import SCHEMA_VERSION
from deltalakedb.errors import CatalogError, DeltaLakeDBError, SchemaVersionError
from tests.support.catalogs import SQL_TABLES, execute


def open_both(url: str) -> list[DeltaLakeDBError | None]:
    """What a reader and a writer get."""
    outcomes: list[DeltaLakeDBError | None] = []
    for use in (Database.reading, Database.writing):
        database = Database(url)
        try:
            with use(database):
                outcomes.append(None)
        except DeltaLakeDBError as error:
            outcomes.append(error)
        database.close()
    return outcomes


def tables(url: str) -> set[str]:
    database = Database(url)
    with database._reader.connect() as connection:
        names = set(inspect(connection).get_table_names())
    database.close()
    return names


@pytest.fixture
def made(database_url: str) -> str:
    """The URL of a database with an empty catalog."""
    assert open_both(database_url)[1] is None
    return database_url


def test_the_tables_of_the_contract_are_made_and_the_version_noted(made: str):
    assert tables(made) >= {*SQL_TABLES, "deltalakedb_schema"}
    database = Database(made)
    with database.reading() as connection:
        (row,) = connection.execute(text("SELECT version, created_by FROM deltalakedb_schema"))
    database.close()
    assert row.version == SCHEMA_VERSION
    assert row.created_by.startswith("deltalakedb ")


def test_opening_a_catalog_again_changes_nothing(made: str):
    assert open_both(made) == [None, None]


def test_a_newer_schema_is_refused_by_readers_and_writers(made: str):
    execute(made, "UPDATE deltalakedb_schema SET version = 999")
    for error in open_both(made):
        assert type(error) is SchemaVersionError
        assert f"schema version 999, newer than this release ({SCHEMA_VERSION})" in error.message
        assert "upgrade" in error.hint


def test_an_older_schema_without_a_way_from_it_is_refused_and_left_alone(made: str):
    execute(made, "UPDATE deltalakedb_schema SET version = -1")
    reader, writer = open_both(made)
    assert type(reader) is type(writer) is SchemaVersionError
    assert f"schema version -1, this release reads {SCHEMA_VERSION}" in reader.message
    assert "no upgrade leads" in writer.message
    assert "schema version -1" in open_both(made)[0].message


def test_an_older_schema_is_upgraded_in_place_by_a_writer(made: str, monkeypatch: pytest.MonkeyPatch):
    def add_column(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE delta_tables ADD COLUMN added_later INTEGER"))

    monkeypatch.setattr(upgrade, "SCHEMA_VERSION", SCHEMA_VERSION + 2)
    monkeypatch.setattr(upgrade, "STEPS", {SCHEMA_VERSION: add_column, SCHEMA_VERSION + 1: lambda _: None})
    reader, writer = open_both(made)
    assert type(reader) is SchemaVersionError
    assert "Any command that writes upgrades it" in reader.hint
    assert writer is None
    assert open_both(made) == [None, None]
    execute(made, "SELECT added_later FROM delta_tables")


def test_a_catalog_of_the_first_schema_gets_a_place_for_validations(made: str):
    execute(made, "DROP TABLE delta_validations", "UPDATE deltalakedb_schema SET version = 1")
    reader, writer = open_both(made)
    assert type(reader) is SchemaVersionError
    assert writer is None
    assert "delta_validations" in tables(made)
    assert open_both(made) == [None, None]


def test_an_upgrade_that_fails_changes_nothing(made: str, monkeypatch: pytest.MonkeyPatch):
    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half_done (x INTEGER)"))

    def fail(connection: Connection) -> None:
        connection.execute(text("SELECT no_such_column FROM delta_tables"))

    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "SCHEMA_VERSION", SCHEMA_VERSION + 2)
        patch.setattr(upgrade, "STEPS", {SCHEMA_VERSION: half, SCHEMA_VERSION + 1: fail})
        assert type(open_both(made)[1]) is CatalogError
    assert "half_done" not in tables(made)
    assert open_both(made) == [None, None]


@pytest.mark.parametrize("name", ["delta_files", "migration_status"])
def test_foreign_tables_of_our_names_are_left_alone(database_url: str, name: str):
    execute(database_url, f"CREATE TABLE {name} (mine TEXT)", f"INSERT INTO {name} VALUES ('precious')")
    reader, writer = open_both(database_url)
    assert "There is no catalog" in reader.message
    assert type(writer) is SchemaVersionError
    assert f"not ours: {name}" in writer.message
    assert tables(database_url) == {name}
    execute(database_url, f"SELECT mine FROM {name}")


def test_foreign_tables_of_other_names_are_no_hindrance(database_url: str):
    execute(database_url, "CREATE TABLE orders (id INTEGER)", "INSERT INTO orders VALUES (1)")
    assert open_both(database_url)[1] is None
    assert tables(database_url) >= {"orders", *SQL_TABLES}


@pytest.mark.parametrize("columns", ["version INTEGER", "something TEXT"])
def test_a_foreign_table_with_the_name_of_the_version_is_an_error(database_url: str, columns: str):
    execute(database_url, f"CREATE TABLE deltalakedb_schema ({columns})")
    assert all(isinstance(error, CatalogError) for error in open_both(database_url))
    assert tables(database_url) == {"deltalakedb_schema"}
