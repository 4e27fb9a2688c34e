import sqlite3
import subprocess
import sys
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import text

from deltalakedb.catalog.database import Database
from deltalakedb.errors import (
    ArgumentError,
    CatalogError,
    DatabaseBusyError,
    DatabaseConnectionError,
    DeltaLakeDBError,
    DriverNotInstalledError,
    PermissionDeniedError,
    SchemaVersionError,
)
from tests.support import leaks
from tests.support.databases import fresh_postgres

SECRET = "hush/p@ss:word#1?"  # every letter that means something in a URL
QUOTED = quote(SECRET, safe="")


def write(database: Database) -> None:
    with database.transaction():
        pass


def read(database: Database) -> None:
    with database.reading():
        pass


def connect(url: str) -> Iterator[DeltaLakeDBError]:
    """What goes wrong with each way of using the database."""
    for use in (write, read, Database.has_catalog):
        database = Database(url)
        with pytest.raises(DeltaLakeDBError) as raised:
            use(database)
        yield raised.value
        database.close()


def everything_said(error: BaseException) -> str:
    return "".join([*traceback.format_exception(error), str(error), repr(error), str(getattr(error, "hint", ""))])


# ---- URLs


@pytest.mark.parametrize(
    "url",
    [
        "",
        "orders.db",
        "sqlite",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "://x",
        "oracle://scott:tiger@host/db",
        "postgresql//host/db",
        "postgresql://u:p@host:port/db",
        "postgresql://u:p@[::1/db",
        "http://host/db",
    ],
)
def test_what_is_no_url_of_a_database_is_a_wrong_argument(url: str):
    with pytest.raises(ArgumentError) as raised:
        Database(url)
    assert raised.value.hint
    assert "tiger" not in everything_said(raised.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "PostgreSQL", "postgresql+psycopg"])
def test_postgresql_goes_by_several_names(scheme: str, postgresql_url: str):
    database = Database(postgresql_url.replace("postgresql", scheme, 1))
    write(database)
    assert database.has_catalog()
    database.close()


def test_sqlite_may_be_written_in_any_case(tmp_path: Path):
    database = Database(f"SQLite:///{tmp_path}/catalog.db")
    write(database)
    assert (tmp_path / "catalog.db").exists()


@pytest.mark.parametrize("name", ["a b.db", "ä.db", "100%.db", "a#b.db", "it's.db"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str):
    database = Database(f"sqlite:///{tmp_path}/{name}")
    write(database)
    read(database)
    assert (tmp_path / name).exists()


# ---- passwords


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{QUOTED}@127.0.0.1:1/db?connect_timeout=1",
        f"postgresql://127.0.0.1:1/db?user=u&password={QUOTED}&connect_timeout=1",
        f"postgresql://user:x@127.0.0.1:1/db?sslpassword={QUOTED}&connect_timeout=1",
        f"postgresql://user:{QUOTED}@127.0.0.1:99999/db",
        f"postgresql://user:{QUOTED}@no-such-host.invalid/db",
        f"postgresql://user:{QUOTED}@127.0.0.1:1/db?no_such_option={QUOTED}",
    ],
)
def test_a_password_is_never_said(url: str):
    database = Database(url)
    assert SECRET not in database.where
    assert QUOTED not in database.where
    for error in connect(url):
        assert type(error) is DatabaseConnectionError
        assert error.message.startswith("Database connection failed")
        said = everything_said(error)
        assert SECRET not in said
        assert QUOTED not in said


def test_a_url_that_can_not_be_understood_is_not_said_either():
    url = "postgresql://user:p@ss-word@host/db"
    with pytest.raises(ArgumentError, match="can't be understood") as raised:
        Database(url)
    assert "ss-word" not in everything_said(raised.value)
    assert "write @ as %40" in raised.value.hint


# ---- databases that can't be reached


def test_a_server_that_is_not_there_is_a_failed_connection():
    for error in connect("postgresql://127.0.0.1:1/db"):
        assert type(error) is DatabaseConnectionError
        assert error.hint


def test_a_database_that_is_not_there_is_a_failed_connection(postgres_server: str):
    url = postgres_server.replace("/postgres?", "/no_such_database?")
    assert url != postgres_server
    for error in connect(url):
        assert type(error) is DatabaseConnectionError
        assert "no_such_database" in error.message


def test_a_server_that_goes_away_is_a_failed_connection(postgresql_url: str):
    def lose(database: Database) -> None:
        with database.writing() as connection, connection.begin():
            own = connection.execute(text("SELECT pg_backend_pid()")).scalar()
            with psycopg.connect(postgresql_url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [own])
            connection.execute(text("SELECT 1"))

    with closing(Database(postgresql_url)) as database:
        with pytest.raises(DatabaseConnectionError):
            lose(database)
        write(database)  # on a new connection


@pytest.fixture
def role(postgres_server: str) -> Iterator[Callable[[str], str]]:
    """Makes the URL of a database that another role owns, for a role that has to tell its password."""
    name = f"r{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as admin, fresh_postgres(postgres_server) as url:
        hba = Path(admin.execute("SHOW hba_file").fetchone()[0])
        if not hba.exists():
            pytest.skip("the server runs on another machine")
        before = hba.read_text()
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'right'")
        hba.write_text(f"local all {name} scram-sha-256\nhost all {name} all scram-sha-256\n{before}")
        admin.execute("SELECT pg_reload_conf()")
        before_host = f"//postgres:{leaks.QUOTED}@"
        yield lambda password: url.replace(before_host, f"//{name}:{password}@", 1)
        hba.write_text(before)
        admin.execute("SELECT pg_reload_conf()")
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(f"DROP OWNED BY {name}")
        admin.execute(f"DROP ROLE {name}")


def test_a_wrong_password_is_a_failed_connection(role: Callable[[str], str]):
    for error in connect(role(QUOTED)):
        assert type(error) is DatabaseConnectionError
        assert "password authentication failed" in error.message
        assert SECRET not in everything_said(error)
        assert QUOTED not in everything_said(error)


def test_a_role_without_rights_is_denied(role: Callable[[str], str]):
    database = Database(role("right"))
    with pytest.raises(PermissionDeniedError, match="Permission denied"):
        write(database)
    assert not database.has_catalog()
    owner_url = database.url.set(username="postgres", password=leaks.PASSWORD).render_as_string(hide_password=False)
    with closing(Database(owner_url)) as owned:
        write(owned)
    with pytest.raises(PermissionDeniedError, match="Permission denied"):
        read(database)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {database.url.username}")
    read(database)
    with (
        pytest.raises(PermissionDeniedError, match="Permission denied"),
        database.transaction() as connection,
    ):
        connection.execute(text("DELETE FROM migration_status"))
    database.close()


@pytest.mark.parametrize(
    "content", [b"not a database, but more than a hundred bytes " * 9, b"SQLite format 3\0" + b"\xff" * 999]
)
def test_a_file_that_is_no_sqlite_database_is_left_alone(tmp_path: Path, content: bytes):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    for error in connect(f"sqlite:///{path}"):
        assert isinstance(error, DatabaseConnectionError | CatalogError)
        assert str(path) in error.message
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("where", ["", "no/such/folder/catalog.db"])
def test_a_place_where_no_database_can_be_is_a_failed_connection(tmp_path: Path, where: str):
    database = Database(f"sqlite:///{tmp_path / where}")
    with pytest.raises(DatabaseConnectionError, match="Database connection failed"):
        write(database)


def test_readers_make_no_file(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path}/catalog.db")
    assert not database.has_catalog()
    with pytest.raises(DatabaseConnectionError, match="there is no catalog"):
        read(database)
    assert list(tmp_path.iterdir()) == []


def test_readers_make_no_table(database_url: str, tmp_path: Path):
    if database_url.startswith("sqlite"):
        sqlite3.connect(tmp_path / "catalog.db").close()
        (tmp_path / "catalog.db").touch()
    database = Database(database_url)
    assert not database.has_catalog()
    with pytest.raises(SchemaVersionError, match="There is no catalog in"):
        read(database)
    assert not database.has_catalog()
    database.close()


def test_a_read_only_sqlite_database_can_be_read_but_not_written(sqlite_url: str):
    write(Database(sqlite_url))
    path = sqlite_url.removeprefix("sqlite:///")
    database = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
    read(database)
    assert database.has_catalog()
    with pytest.raises(PermissionDeniedError, match="Permission denied"), database.transaction() as connection:
        connection.execute(text("DELETE FROM migration_status"))


def test_a_reader_can_not_write(database_url: str):
    database = Database(database_url)
    write(database)
    with pytest.raises(PermissionDeniedError), database.reading() as connection:
        connection.execute(text("DELETE FROM migration_status"))
    database.close()


def test_a_reader_sees_one_state_however_long_it_reads(database_url: str):
    database = Database(database_url)
    write(database)
    count = text("SELECT count(*) FROM deltalakedb_schema")
    with database.reading() as reader:
        assert reader.execute(count).scalar() == 1
        with database.transaction() as writer:
            writer.execute(text("DELETE FROM deltalakedb_schema"))
        assert reader.execute(count).scalar() == 1
    database.close()


def test_a_writer_that_waits_in_vain_says_that_the_database_is_busy(sqlite_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("deltalakedb.catalog.dialects.sqlite.BUSY_SECONDS", 0.1)
    database = Database(sqlite_url)
    write(database)
    with database.transaction(), pytest.raises(DatabaseBusyError, match="locked by another process"):
        write(Database(sqlite_url))


def test_tables_are_made_once_however_many_begin_at_once(database_url: str):
    errors = []

    def run() -> None:
        try:
            write(database := Database(database_url))
            database.close()
        except DeltaLakeDBError as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    database = Database(database_url)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM deltalakedb_schema")).scalar() == 1
    database.close()


def test_a_missing_driver_is_named_with_the_extra_that_brings_it():
    script = """
import sys
sys.modules["psycopg"] = None
from deltalakedb.catalog.database import Database
from deltalakedb.errors import DriverNotInstalledError
for use in (Database.has_catalog, lambda database: database.transaction().__enter__()):
    try:
        use(Database("postgresql://user:secret@host/db"))
    except DriverNotInstalledError as error:
        print(error.message, "|", error.hint)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    line = "The driver for postgresql is not installed (psycopg) | pip install 'deltalakedb[postgresql]'"
    assert done.stdout.splitlines() == [line, line]
    assert issubclass(DriverNotInstalledError, CatalogError)
