"""URLs as other programs write them: each works, or is an error at once that says what to write."""

import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from deltalakedb.catalog.database import Database
from deltalakedb.catalog.options import DatabaseOptions
from deltalakedb.errors import ArgumentError, DatabaseConnectionError, DeltaLakeDBError
from tests.catalog.refusals import refusal
from tests.support import leaks
from tests.support.ports import free_port


def works(url: str) -> None:
    with closing(Database(url)) as database:
        with database.transaction():
            pass
        assert database.has_catalog()


def refused(url: str) -> DeltaLakeDBError:
    with pytest.raises(ArgumentError) as raised, closing(Database(url)) as database:
        database.has_catalog()
    assert "pw" not in str(vars(raised.value)).replace("sqlite:///pw.db", "")
    return raised.value


# ---- drivers


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("postgresql+asyncpg://me:pw@h/db?x=y", "postgresql://me:***@h/db?x=y"),
        ("postgres+psycopg_async://h/db", "postgres://h/db"),
        ("mysql+aiomysql://me:pw@h/db", "mysql://me:***@h/db"),
        ("mariadb+asyncmy://h/db", "mariadb://h/db"),
        ("mysql+pyodbc://h/db", "mysql://h/db"),
        ("sqlite+aiosqlite:///x.db", "sqlite:///x.db"),
        ("sqlite+pysqlcipher:///x.db", "sqlite:///x.db"),
    ],
)
def test_a_driver_that_is_not_ours_is_refused_with_what_to_write(url: str, written: str):
    error = refused(url)
    assert "can't be used" in error.message
    assert error.hint == f"Write {written}"


@pytest.mark.parametrize("driver", ["postgresql+psycopg2", "postgresql+pg8000", "postgres+psycopg"])
def test_other_drivers_of_postgresql_are_taken_for_ours(postgresql_url: str, driver: str):
    works(postgresql_url.replace("postgresql", driver, 1))


@pytest.mark.parametrize("driver", ["mysql+mysqldb", "mariadb+mariadbconnector", "mysql+mysqlconnector"])
def test_other_drivers_of_mysql_are_taken_for_ours(mysql_url: str, driver: str):
    works(mysql_url.replace("mysql", driver, 1))


def test_python_s_driver_of_sqlite_may_be_named(tmp_path: Path):
    works(f"sqlite+pysqlite:///{tmp_path}/x.db")


# ---- where a server is


def folder_of_socket(url: str) -> str:
    return parse_qs(urlsplit(url).query)["host"][0]


def test_a_socket_may_be_the_host(postgresql_url: str):
    parts = urlsplit(postgresql_url)
    folder = folder_of_socket(postgresql_url)
    works(postgresql_url)
    works(f"postgresql://{parts.username}:{parts.password}@{quote(folder, safe='')}{parts.path}")
    works(f"postgresql://{parts.username}:{parts.password}@{quote(folder, safe='')}:5432{parts.path}")


@pytest.mark.parametrize("form", ["authority", "lists", "pairs"])
def test_the_first_host_that_fits_is_taken(postgresql_url: str, form: str):
    parts = urlsplit(postgresql_url)
    folder, nobody = folder_of_socket(postgresql_url), free_port()
    who = f"postgresql://{parts.username}:{parts.password}@"
    fits = "target_session_attrs=read-write"
    works(
        {
            "authority": f"{who}127.0.0.1:{nobody},{quote(folder, safe='')}:5432{parts.path}?{fits}",
            "lists": f"{who}{parts.path}?host=127.0.0.1,{folder}&port={nobody},5432&{fits}",
            "pairs": f"{who}{parts.path}?host=127.0.0.1:{nobody}&host={folder}:5432&{fits}",
        }[form]
    )


@pytest.mark.parametrize(
    "query",
    [
        "port=abc",
        "port=1,2,3&host=a,b",
        "host=a:1&host=b:x",
        "connect_timeout=abc",
        "keepalives_idle=abc",
        "sslmode=perhaps",
        "target_session_attrs=best",
        "no_such=1",
    ],
)
def test_an_option_that_can_not_be_is_no_outage(query: str):
    error = refusal(f"postgresql://me:pw@127.0.0.1:1/db?{query}")
    assert not error.transient
    assert error.hint == "Check the options of the URL."
    assert "pw" not in error.message


@pytest.mark.parametrize("query", ["connect_timeout=0", "connect_timeout=abc", "read_timeout=-1", "host=a"])
def test_nor_is_one_of_mysql(query: str):
    error = refusal(f"mysql://me:pw@127.0.0.1:1/db?{query}")
    assert not error.transient
    assert error.hint == "Check the options of the URL."


def test_mysql_has_one_host():
    for hosts in ("h1:3306,h2:3306", "%2Frun%2Fmysqld"):
        error = refused(f"mysql://me:pw@{hosts}/db")
        assert "Only PostgreSQL takes several hosts" in error.message
        assert "unix_socket" in error.hint


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
@pytest.mark.parametrize("way", ["option", "url"])
def test_a_silent_server_is_waited_for_no_longer_than_is_said(kind: str, way: str):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{kind}://me:pw@127.0.0.1:{silent.getsockname()[1]}/db"
        options = DatabaseOptions(connect_timeout=2) if way == "option" else None
        began = time.monotonic()
        with (
            closing(Database(url if options else f"{url}?connect_timeout=2", options)) as database,
            pytest.raises(DatabaseConnectionError, match="Database connection failed"),
        ):
            database.has_catalog()
        assert time.monotonic() - began < 6


# ---- databases that are not there


def without_database(url: str, name: str) -> str:
    return url.replace(urlsplit(url).path, f"/{name}", 1)


def test_how_a_missing_database_is_made_is_said(postgresql_url: str):
    error = refusal(without_database(postgresql_url, "no%20such"))
    assert not error.transient
    assert error.hint == 'If the name is right, make it on the server: CREATE DATABASE "no such";'


def test_how_a_missing_database_of_mysql_is_made_is_said(mysql_url: str):
    error = refusal(without_database(mysql_url, "no_such"))
    assert not error.transient
    assert error.hint == "If the name is right, make it on the server: CREATE DATABASE `no_such`;"


def test_mysql_needs_the_name_of_a_database(mysql_url: str):
    error = refusal(without_database(mysql_url, ""))
    assert error.hint == "Name the database in the URL: mysql://user@host/database."


def test_a_name_may_be_encoded(mysql_url: str):
    error = refusal(without_database(mysql_url, "a%40b"))
    assert "CREATE DATABASE `a@b`" in error.hint
    assert leaks.QUOTED not in error.message


# ---- SQLite


@pytest.mark.parametrize(
    "query",
    [
        "timeout=abc",
        "timeout=-1",
        "timeout=inf",
        "timeout=1&timeout=2",
        "cached_statements=x",
        "detect_types=x",
        "check_same_thread=x",
        "uri=perhaps",
        "mode=ro",
    ],
)
def test_options_of_sqlite_that_can_not_be(tmp_path: Path, query: str):
    sqlite3.connect(tmp_path / "x.db").close()
    with closing(Database(f"sqlite:///{tmp_path}/x.db?{query}")) as database:
        for use in (database.has_catalog, lambda: database.writing().__enter__()):
            with pytest.raises(ArgumentError, match=query.partition("=")[0]):
                use()


@pytest.mark.parametrize("query", ["timeout=0.5", "check_same_thread=false&cached_statements=50", "isolation_level="])
def test_options_of_sqlite_that_can_be(tmp_path: Path, query: str):
    works(f"sqlite:///{tmp_path}/x.db?{query}")


@pytest.mark.parametrize("url", ["sqlite://x.db", "sqlite://~/x.db", "sqlite://tmp/x.db"])
def test_a_slash_that_is_missing_is_said(url: str):
    assert "A slash is missing: it is sqlite:///relative/file.db" in refused(url).hint


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    works("sqlite:///~/x.db")
    assert (tmp_path / "x.db").exists()


def test_a_tilde_of_nobody_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    works("sqlite:///~nobody_of_that_name")
    assert (tmp_path / "~nobody_of_that_name").exists()
