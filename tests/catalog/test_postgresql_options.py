"""PostgreSQL as admins run it: schemas, pools, timeouts, replicas."""

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

import deltalakedb
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.options import DatabaseOptions
from deltalakedb.errors import ArgumentError, DatabaseBusyError, DatabaseTimeoutError, SchemaVersionError
from tests.support import lake
from tests.support.databases import fresh_postgres


@contextmanager
def opened(url: str, **options: object) -> Iterator[Database]:
    with closing(Database(url, DatabaseOptions(**options))) as database:
        yield database


def write(database: Database) -> None:
    with database.transaction():
        pass


def tables(url: str) -> dict[str, set[str]]:
    """The tables and views by schema."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|inform)'")
        found: dict[str, set[str]] = {}
        for schema, table in rows:
            found.setdefault(schema, set()).add(table)
        return found


# ---- schemas


@pytest.mark.parametrize("schema", ["lake", "Lake of 100 %s", 'we"ird'])
def test_a_catalog_has_a_schema_of_its_own(postgresql_url: str, tmp_path: Path, schema: str):
    location = tmp_path / "orders"
    lake.orders_table(location)
    with deltalakedb.connect(postgresql_url, schema=schema) as catalog:
        catalog.import_table(str(location))
        lake.plain_table(tmp_path / "plain")
        catalog.import_table(str(tmp_path / "plain"))
        assert catalog.validate("orders").valid
        assert catalog.table("orders").version() == 11
        catalog.index("orders", ["order_id"])
        catalog.rollback("plain")
        assert [entry.table_id for entry in catalog.tables()] == ["orders"]
        assert catalog.url.endswith(f", schema {schema}")
    assert set(tables(postgresql_url)) == {schema}
    with psycopg.connect(postgresql_url) as connection:
        views = connection.execute("SELECT DISTINCT schemaname FROM pg_views WHERE viewname LIKE 'lake_%'").fetchall()
        assert views == [(schema,)]


def test_two_catalogs_in_one_database_know_nothing_of_each_other(postgresql_url: str, tmp_path: Path):
    lake.plain_table(tmp_path / "plain")
    with (
        deltalakedb.connect(postgresql_url, schema="one") as one,
        deltalakedb.connect(postgresql_url, schema="two") as two,
        deltalakedb.connect(postgresql_url) as neither,
    ):
        one.import_table(str(tmp_path / "plain"))
        assert len(one.tables()) == 1
        assert two.tables() == neither.tables() == []
        two.import_table(str(tmp_path / "plain"), "other")
        assert [table.table_id for table in two.tables()] == ["other"]
        assert one.table("plain") != two.table("other")


def test_a_schema_in_the_url_does_as_well(postgresql_url: str, tmp_path: Path):
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA lake")
    lake.plain_table(tmp_path / "plain")
    url = f"{postgresql_url}&options=-csearch_path%3Dlake"
    with deltalakedb.connect(url) as catalog:
        catalog.import_table(str(tmp_path / "plain"))
        assert deltalakedb.DeltaTable(url, table_id="plain").version() == catalog.table("plain").version()
    assert set(tables(postgresql_url)) == {"lake"}


def test_readers_make_no_schema(postgresql_url: str):
    with opened(postgresql_url, schema="lake") as database:
        assert not database.has_catalog()
        with pytest.raises(SchemaVersionError, match="There is no catalog in"), database.reading():
            pass
    with psycopg.connect(postgresql_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'lake'").fetchone() == (0,)


def test_only_servers_with_schemas_take_one(tmp_path: Path):
    with pytest.raises(ArgumentError, match="A catalog in sqlite has no schema"):
        deltalakedb.connect(f"sqlite:///{tmp_path}/x.db", schema="lake")


# ---- connections


def test_a_pool_is_no_larger_than_it_may_be(postgresql_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("deltalakedb.catalog.dialects.postgresql.POOL_SECONDS", 0.1)
    with opened(postgresql_url, pool_size=2) as database:
        write(database)
        with database.reading(), database.reading():
            with (
                pytest.raises(DatabaseTimeoutError, match="All 2 connections to") as raised,
                database.reading(),
            ):
                pass
            assert "--pool-size" in raised.value.hint
        with database.reading():
            pass  # as soon as one is free


@pytest.mark.parametrize("size", [1, 7])
def test_everything_goes_by_any_number_of_connections(postgresql_url: str, tmp_path: Path, size: int):
    lake.orders_table(tmp_path / "orders")
    with deltalakedb.connect(postgresql_url, pool_size=size) as catalog:
        catalog.import_table(str(tmp_path / "orders"))
        table = catalog.table("orders")
        assert table.to_pyarrow_table().num_rows == table.count()
        assert sum(batch.num_rows for batch in table.scan(where="order_id > 1")) > 0
        assert catalog.validate("orders", all_versions=True).valid
        catalog.sync("orders")
        catalog.index("orders", ["order_id"])
        catalog.export("orders", tmp_path / "exported")
        catalog.rollback("orders")


def test_connections_say_whose_they_are(postgresql_url: str):
    with opened(postgresql_url) as database:
        write(database)
        with database.reading() as connection:
            assert connection.execute(text("SHOW application_name")).scalar() == "deltalakedb"
    with opened(f"{postgresql_url}&application_name=nightly") as database, database.reading() as connection:
        assert connection.execute(text("SHOW application_name")).scalar() == "nightly"


@pytest.mark.parametrize("name", ["pool_size", "connect_timeout", "statement_timeout"])
def test_what_can_not_be_is_a_wrong_argument(postgresql_url: str, name: str):
    with pytest.raises(ArgumentError, match="must be more than 0, not 0"):
        deltalakedb.connect(postgresql_url, **{name: 0})


def test_a_server_that_does_not_answer_is_waited_for_as_long_as_is_said():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/db"
        began = time.monotonic()
        with (
            opened(url, connect_timeout=2) as database,
            pytest.raises(deltalakedb.DatabaseConnectionError, match="timeout"),
        ):
            write(database)
        assert time.monotonic() - began < 8


# ---- timeouts


def sleep(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("SELECT pg_sleep(20)"))


@pytest.mark.parametrize("way", ["option", "url", "role"])
def test_a_statement_that_takes_too_long_is_an_error_with_a_hint(postgresql_url: str, way: str):
    url, options = postgresql_url, {}
    with opened(url) as database:
        write(database)
    if way == "option":
        options["statement_timeout"] = 0.05
    elif way == "url":
        url += "&options=-cstatement_timeout%3D50"
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            name = connection.info.dbname
            connection.execute(f"ALTER DATABASE {name} SET statement_timeout = 50")
    with opened(url, **options) as database, pytest.raises(DatabaseTimeoutError, match="statement timeout") as raised:
        sleep(database)
    assert "statement-timeout" in raised.value.hint


def dawdle(database: Database) -> None:
    with database.reading() as connection:
        time.sleep(1)
        connection.execute(text("SELECT 1"))


def test_an_idle_transaction_that_the_server_ends_is_an_error_with_a_hint(postgresql_url: str):
    with opened(f"{postgresql_url}&options=-cidle_in_transaction_session_timeout%3D500") as database:
        write(database)
        with pytest.raises(DatabaseTimeoutError, match="idle-in-transaction"):
            dawdle(database)
        write(database)  # on a new connection


def forget_everything(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM migration_status"))


def test_a_lock_that_does_not_come_free_is_a_busy_database(postgresql_url: str):
    with opened(f"{postgresql_url}&options=-clock_timeout%3D50") as database, opened(postgresql_url) as other:
        write(other)
        with other.transaction() as holder:
            holder.execute(text("LOCK migration_status"))
            with pytest.raises(DatabaseBusyError, match="lock timeout"):
                forget_everything(database)


def test_an_import_that_a_timeout_ends_goes_on_later(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("deltalakedb.migrate.retrying.PAUSES_SECONDS", ())
    lake.orders_table(tmp_path / "orders")
    with psycopg.connect(postgresql_url, autocommit=True) as connection, deltalakedb.connect(postgresql_url) as catalog:
        assert catalog.tables() == []
        with opened(postgresql_url) as database:
            write(database)
        connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$"
        )
        connection.execute("CREATE TRIGGER slow AFTER INSERT ON delta_commits EXECUTE FUNCTION slow()")
        with (
            deltalakedb.connect(postgresql_url, statement_timeout=0.2) as hurried,
            pytest.raises(DatabaseTimeoutError),
        ):
            hurried.import_table(str(tmp_path / "orders"))
        (status,) = connection.execute("SELECT status || ': ' || error_message FROM migration_status").fetchone()
        assert re.match("failed: The database gave up: .*statement timeout", status)
        connection.execute("DROP TRIGGER slow ON delta_commits")
        catalog.import_table(str(tmp_path / "orders"), resume=True)
        assert catalog.validate("orders", all_versions=True).valid


# ---- a second database to read from


def test_what_only_reads_reads_from_the_replica(postgres_server: str, postgresql_url: str, tmp_path: Path):
    lake.plain_table(tmp_path / "plain")
    with fresh_postgres(postgres_server) as replica_url:
        with deltalakedb.connect(replica_url) as replica:  # what a replica has is a little older, as a rule
            replica.import_table(str(tmp_path / "plain"), "of_replica")
        with deltalakedb.connect(postgresql_url, read_url=replica_url) as catalog:
            catalog.import_table(str(tmp_path / "plain"), "of_primary")
            assert [table.table_id for table in catalog.tables()] == ["of_replica"]
            assert catalog.table("of_replica").count() > 0
            assert deltalakedb.DeltaTable(catalog, table_id="of_replica").count() > 0
            catalog.sync("of_primary")
            catalog.export("of_primary", tmp_path / "exported")  # which the audit trail notes
            assert catalog.validate("of_primary").valid
            assert catalog.verify_rollback("of_primary").can_rollback
            catalog.index("of_primary", ["id"])
            catalog.rollback("of_primary")
