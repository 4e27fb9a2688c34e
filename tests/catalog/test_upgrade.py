import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, inspect, text

from deltalakedb.catalog import upgrade
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.events import Event, events
from deltalakedb.catalog.schema import SCHEMA_VERSION
from deltalakedb.catalog.views import VIEWS
from deltalakedb.errors import CatalogError, DeltaLakeDBError, SchemaVersionError
from deltalakedb.migrate.importer import import_table
from tests.support.catalogs import SQL_TABLES, WATERMARK, dump, execute
from tests.support.databases import driver_url, fresh_postgres
from tests.support.logs import LogBuilder, add, metadata, protocol, remove


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


def test_who_comes_second_upgrades_nothing(made: str, monkeypatch: pytest.MonkeyPatch):
    look, looks = upgrade.version_of, []

    def version_of(connection: Connection) -> int | None:
        looks.append(look(connection))
        return looks[-1] if len(looks) > 1 else None  # another process has just made the tables

    monkeypatch.setattr(upgrade, "version_of", version_of)
    database = Database(made)
    with database.writing():
        pass
    database.close()
    assert looks == [SCHEMA_VERSION, SCHEMA_VERSION]
    monkeypatch.undo()
    assert events_in(made) == []


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


def test_an_upgrade_that_fails_changes_nothing_or_can_be_repeated(made: str, monkeypatch: pytest.MonkeyPatch):
    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE IF NOT EXISTS half_done (x INTEGER PRIMARY KEY)"))

    def fail(connection: Connection) -> None:
        connection.execute(text("SELECT no_such_column FROM delta_tables"))

    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "SCHEMA_VERSION", SCHEMA_VERSION + 2)
        patch.setattr(upgrade, "STEPS", {SCHEMA_VERSION: half, SCHEMA_VERSION + 1: fail})
        assert type(open_both(made)[1]) is CatalogError
        if made.startswith("mysql"):  # each change of a table commits there
            assert f"has schema version {SCHEMA_VERSION}," in open_both(made)[0].message
            patch.setattr(upgrade, "STEPS", {SCHEMA_VERSION: half, SCHEMA_VERSION + 1: lambda _: None})
            assert open_both(made)[1] is None
            assert open_both(made) == [None, None]
            return
    assert "half_done" not in tables(made)
    assert open_both(made) == [None, None]


@pytest.mark.parametrize("crash_after", range(0, 28, 3))
def test_making_the_tables_is_begun_again_where_a_crash_left_some(mysql_url: str, crash_after: int):
    """The crash comes before one of the statements that make something."""
    count = 0

    def crash(*arguments: Any) -> None:
        nonlocal count
        count += arguments[2].lstrip().startswith(("CREATE", "INSERT"))
        if count > crash_after:
            raise ConnectionAbortedError("the process is gone")

    database = Database(mysql_url)
    sa.event.listen(database._writer, "before_cursor_execute", crash)
    with pytest.raises(ConnectionAbortedError), database.writing():
        pass
    database.close()
    with closing(Database(mysql_url)) as database:
        with pytest.raises(SchemaVersionError, match="There is no catalog"), database.reading():
            pass
        with database.writing():
            pass
    assert open_both(mysql_url) == [None, None]
    assert tables(mysql_url) >= {*SQL_TABLES, "delta_ranges"}
    with closing(Database(mysql_url)) as database, database.reading() as connection:
        assert len(inspect(connection).get_indexes("delta_files")) == 2
        assert len(inspect(connection).get_view_names()) == len(VIEWS)


@pytest.mark.parametrize("name", ["delta_files", "migration_status"])
def test_foreign_tables_of_our_names_are_left_alone(database_url: str, name: str):
    execute(
        database_url, f"CREATE TABLE {name} (mine VARCHAR(9) PRIMARY KEY)", f"INSERT INTO {name} VALUES ('precious')"
    )
    reader, writer = open_both(database_url)
    assert "There is no catalog" in reader.message
    assert type(writer) is SchemaVersionError
    assert f"not ours: {name}" in writer.message
    assert tables(database_url) == {name}
    execute(database_url, f"SELECT mine FROM {name}")


def test_foreign_tables_of_other_names_are_no_hindrance(database_url: str):
    execute(database_url, "CREATE TABLE orders (id INTEGER PRIMARY KEY)", "INSERT INTO orders VALUES (1)")
    assert open_both(database_url)[1] is None
    assert tables(database_url) >= {"orders", *SQL_TABLES}


@pytest.mark.parametrize("columns", ["version INTEGER PRIMARY KEY", "something INTEGER PRIMARY KEY"])
def test_a_foreign_table_with_the_name_of_the_version_is_an_error(database_url: str, columns: str):
    execute(database_url, f"CREATE TABLE deltalakedb_schema ({columns})")
    assert all(isinstance(error, CatalogError) for error in open_both(database_url))
    assert tables(database_url) == {"deltalakedb_schema"}


# ---- from the oldest schema


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """A log of two versions: of three files two are left."""
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"), add("b"))
    log.commit(add("c"), remove("b"), remove("never there"))
    return log


@pytest.fixture(params=["sqlite", "postgresql"])
def oldest(request: pytest.FixtureRequest, log: LogBuilder, tmp_path: Path) -> str:
    """A catalog of schema version 1, made by its own statements, that holds the log; MySQL's begin with version 3."""
    database_url = request.getfixturevalue(f"{request.param}_url")
    import_into(url := f"sqlite:///{tmp_path / 'of_now.db'}", log)
    statements = (Path(__file__).parent / "schemas" / f"1.{sa.make_url(database_url).drivername}.sql").read_text()
    execute(database_url, *filter(str.strip, statements.split(";\n")))
    for name, rows in dump(url).items():
        for row in rows:
            values = {column: value for column, value in row.items() if column in columns(database_url, name)}
            marks = ", ".join(f":{column}" for column in values)
            names = ", ".join(f'"{column}"' for column in values)
            if sa.make_url(database_url).drivername == "postgresql":
                values |= {column: bool(value) for column, value in values.items() if column == "data_change"}
            execute(database_url, f"INSERT INTO {name} ({names}) VALUES ({marks})", **values)
    execute(database_url, "INSERT INTO deltalakedb_schema VALUES (1, '2025-01-01', 'deltalakedb 0.0')")
    return database_url


def import_into(url: str, log: LogBuilder) -> None:
    database = Database(url)
    import_table(database, str(log.root), "t", resume=True)
    database.close()


def columns(url: str, name: str) -> set[str]:
    engine = sa.create_engine(driver_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return {column["name"] for column in inspect(connection).get_columns(name)}


def test_the_oldest_catalog_is_upgraded_and_goes_on_as_one_of_now(oldest: str, log: LogBuilder, tmp_path: Path):
    import_into(anew := f"sqlite:///{tmp_path / 'anew.db'}", log)
    log.commit(add("d"), remove("a"))
    assert "Any command that writes upgrades it" in open_both(oldest)[0].hint
    for url in (oldest, anew):
        import_into(url, log)
    assert open_both(oldest) == [None, None]
    assert tables(oldest) == tables(anew)
    for name in tables(anew):
        assert columns(oldest, name) == columns(anew, name)
    (status,), (expected,) = (dump(url, "t", without=WATERMARK)["migration_status"] for url in (oldest, anew))
    for column in ("status", "version", "files_processed", "active_files", "active_bytes", "commits_processed"):
        assert status[column] == expected[column]
    assert status["active_files"] == 2
    (upgraded,) = (event for event in events_in(oldest) if event.command == "upgrade")
    assert (upgraded.table_id, upgraded.status) == (None, "completed")
    assert upgraded.changes == f'{{"from_schema_version": 1, "to_schema_version": {SCHEMA_VERSION}}}'
    assert not [event for event in events_in(anew) if event.command == "upgrade"]


def events_in(url: str) -> list[Event]:
    database = Database(url)
    with database.reading() as connection:
        found = events(connection)
    database.close()
    return found


def test_an_upgraded_catalog_of_postgresql_has_the_types_of_a_new_one(postgres_server: str, log: LogBuilder):
    with fresh_postgres(postgres_server) as first, fresh_postgres(postgres_server) as second:
        statements = (Path(__file__).parent / "schemas" / "1.postgresql.sql").read_text()
        execute(first, *filter(str.strip, statements.split(";\n")))
        execute(first, "INSERT INTO deltalakedb_schema VALUES (1, '2025-01-01', 'deltalakedb 0.0')")
        for url in (first, second):
            import_into(url, log)
        assert tables(first) == tables(second)
        for name in tables(second):
            assert types(first, name) == types(second, name)


def types(url: str, name: str) -> dict[str, str]:
    engine = sa.create_engine(driver_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return {column["name"]: str(column["type"]) for column in inspect(connection).get_columns(name)}


def test_an_upgrade_to_version_4_names_the_partitions_that_are_there(database_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata({"id": "long", "day": "date"}, ["day"]))
    log.commit(add("a", partitionValues={"day": "2024-1-5"}), add("b", partitionValues={"day": "soon"}))
    import_into(database_url, log)
    views = [f"DROP VIEW {name}" for name in VIEWS]
    before = dump(database_url), columns(database_url, "delta_partitions")
    execute(database_url, *views, "ALTER TABLE delta_partitions DROP COLUMN named_values")
    execute(database_url, "UPDATE deltalakedb_schema SET version = 3")
    for _ in range(2):
        assert open_both(database_url)[1] is None
        assert (dump(database_url), columns(database_url, "delta_partitions")) == before
        database = Database(database_url)
        with database.reading() as connection:
            query = text("SELECT partition_values FROM lake_partitions ORDER BY partition_values")
            assert [json.loads(values) for values in connection.execute(query).scalars()] == [
                {"day": "2024-01-05"},
                {"day": "soon"},
            ]
        database.close()
        # As MySQL leaves it, which commits with each change of a table, where an upgrade is cut off.
        execute(database_url, "UPDATE delta_partitions SET named_values = NULL")
        execute(database_url, "UPDATE deltalakedb_schema SET version = 3")


def test_an_upgrade_of_the_oldest_catalog_that_fails_leaves_every_row_and_column(
    oldest: str, monkeypatch: pytest.MonkeyPatch
):
    def fail(connection: Connection) -> None:
        connection.execute(text("SELECT no_such_column FROM delta_tables"))

    before, names = dump(oldest), {name: columns(oldest, name) for name in SQL_TABLES}
    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        patch.setattr(upgrade, "STEPS", {**upgrade.STEPS, SCHEMA_VERSION: fail})
        assert type(open_both(oldest)[1]) is CatalogError
    assert dump(oldest) == before
    assert {name: columns(oldest, name) for name in SQL_TABLES} == names
    assert "schema version 1" in open_both(oldest)[0].message


def test_tables_with_rows_are_never_dropped(database_url: str, log: LogBuilder):
    log.commit(add("a"))
    database = Database(database_url)
    import_table(database, str(log.root), "t")
    database.close()
    rows = dump(database_url, "t")
    execute(database_url, "UPDATE deltalakedb_schema SET version = 0")
    database = Database(database_url)
    with pytest.raises(SchemaVersionError, match=r"has rows in .*, but schema version 0") as caught, database.writing():
        pass
    database.close()
    execute(database_url, (caught.value.hint or "").partition(", ")[2].partition(" brings")[0])
    assert dump(database_url, "t") == rows


def test_a_newer_catalog_is_left_untouched(made: str):
    execute(made, "UPDATE deltalakedb_schema SET version = 999")
    before = dump(made), tables(made)
    open_both(made)
    assert (dump(made), tables(made)) == before


def test_whoever_waited_for_another_one_to_make_the_catalog_finds_it(postgresql_url: str):
    faster, waiting = Database(postgresql_url), Database(postgresql_url)
    with (
        faster._writer.connect() as first,
        waiting._writer.connect() as second,
        ThreadPoolExecutor() as threads,
        first.begin() as making,
    ):
        faster.dialect.lock_schema(first)
        outcome = threads.submit(upgrade.ensure, second, waiting.dialect, waiting.where)
        while not first.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            time.sleep(0.01)
        upgrade._begin(first, faster.where)  # not all of the tables: the news of so many would wake the other one
        first.execute(text("UPDATE deltalakedb_schema SET version = :version"), {"version": SCHEMA_VERSION})
        making.commit()
        outcome.result()
    for database in (faster, waiting):
        database.close()


# ---- from version 3


ADDED_BY_4 = {
    "delta_tables": ("commit_digest",),
    "delta_files": ("own_add", "own_remove"),
    "delta_commits": ("own_actions",),
}


@pytest.mark.parametrize("begun", [0, 1, 3])
def test_a_catalog_of_version_3_gets_what_it_lacks_also_where_an_upgrade_was_interrupted(
    database_url: str, log: LogBuilder, begun: int
):
    import_into(database_url, log)
    expected = {name: columns(database_url, name) for name in SQL_TABLES}
    lacking = [(name, column) for name, added in ADDED_BY_4.items() for column in added][begun:]
    execute(database_url, *(f"ALTER TABLE {name} DROP COLUMN {column}" for name, column in lacking))
    execute(database_url, "UPDATE deltalakedb_schema SET version = 3")
    before = dump(database_url)
    assert "Any command that writes upgrades it" in open_both(database_url)[0].hint
    assert open_both(database_url) == [None, None]
    assert {name: columns(database_url, name) for name in SQL_TABLES} == expected
    after = dump(database_url)
    for name, rows in before.items():
        assert [{k: v for k, v in row.items() if k in rows[0]} for row in after[name]] == rows
    log.commit(add("d"))
    import_into(database_url, log)
    assert dump(database_url, "t")["delta_tables"][0]["version"] == 2
