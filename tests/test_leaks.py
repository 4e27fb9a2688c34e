"""The hunt for passwords finds each that gets out, whichever way."""

from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest

from tests.support import leaks, mariadb

ROOT = Path(__file__).parents[1]

WAYS = """
import http.client, logging, sqlite3, subprocess, sys
import pytest
from tests.support.leaks import PASSWORD, QUOTED, STORE_KEY

def test_stdout():
    print(QUOTED)

def test_stderr():
    print("key", STORE_KEY, file=sys.stderr)

def test_captured(capsys):
    print(PASSWORD)
    assert capsys.readouterr().out

def test_file_descriptor(capfd):
    subprocess.run(["echo", PASSWORD])
    assert capfd.readouterr().out

def test_process():
    assert subprocess.run(["echo", QUOTED], capture_output=True, text=True).stdout

def test_bytes_of_a_process():
    assert subprocess.check_output(["echo", PASSWORD])

def test_log():
    logging.getLogger("deltalakedb.somewhere").debug("connecting to %s", PASSWORD)

def test_traceback_in_a_log():
    try:
        raise ValueError(PASSWORD)
    except ValueError:
        logging.getLogger("elsewhere").exception("it failed")

def test_exception():
    with pytest.raises(ValueError):
        raise ValueError(PASSWORD)

def test_cause_of_an_exception():
    with pytest.raises(KeyError):
        try:
            raise ValueError(PASSWORD)
        except ValueError as error:
            raise KeyError("x") from error

def test_attribute_of_an_exception():
    error = ValueError("x")
    error.hint = PASSWORD
    with pytest.raises(ValueError):
        raise error

def test_file(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "state.json").write_text(PASSWORD)

def test_sqlite(tmp_path):
    connection = sqlite3.connect(tmp_path / "catalog.db")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("INSERT INTO t VALUES (?)", [PASSWORD])
    connection.commit()
    connection.close()
"""

CONFTEST = """
from tests.support import leaks

def pytest_configure(config):
    config.pluginmanager.register(leaks.Hunt())
"""

CLEAN = """
from tests.support.leaks import PASSWORD

def test_nothing(tmp_path):
    (tmp_path / "url").write_text(PASSWORD)  # where the user wrote it
    print("Hunted")
"""


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tests: str) -> pytest.RunResult:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(tests)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist", "-W", "error")


@pytest.mark.leaks
def test_every_way_out_is_watched(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    result = run(pytester, monkeypatch, WAYS)
    count = WAYS.count("\ndef test_")
    result.assert_outcomes(passed=count, errors=count)


def test_what_does_not_leak_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    run(pytester, monkeypatch, CLEAN).assert_outcomes(passed=1)


def test_rows_are_looked_into(postgresql_url: str):
    with psycopg.connect(postgresql_url) as connection:
        connection.execute('CREATE SCHEMA "a b"')
        connection.execute('CREATE TABLE "a b"."c%d" (x int, y json)')
        connection.execute(
            """INSERT INTO "a b"."c%%d" VALUES (1, '{"url": "x"}'), (2, %s)""", [f'{{"url": "{leaks.QUOTED}"}}']
        )
    leaks.look_into_postgres(postgresql_url)
    (found,) = leaks.finds()
    assert "a row of a b.c%d" in found
    with psycopg.connect(postgresql_url) as connection:
        connection.execute('DELETE FROM "a b"."c%d"')


def test_rows_of_mariadb_are_looked_into(mysql_url: str):
    with closing(mariadb.connect(mysql_url)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE `a b` (x INT PRIMARY KEY, y LONGTEXT)")
        cursor.execute("CREATE VIEW everything AS SELECT * FROM `a b`")
        cursor.execute("INSERT INTO `a b` VALUES (1, NULL), (2, %s), (3, 'clean')", [f'{{"url": "{leaks.QUOTED}"}}'])
        leaks.look_into_mysql(cursor, urlsplit(mysql_url).path[1:])
        (found,) = leaks.finds()
        assert "a row of a b" in found
        cursor.execute("DELETE FROM `a b`")


def test_the_servers_ask_for_the_password(postgresql_url: str, mysql_url: str):
    assert leaks.QUOTED in postgresql_url
    assert leaks.QUOTED in mysql_url
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgresql_url.replace(leaks.QUOTED, "wrong"))
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        mariadb.connect(mysql_url.replace(leaks.QUOTED, "wrong"))
