"""No password of the tests turns up anywhere: every test is looked at when it has ended, in the whole suite.

Passwords have a part in them that no encoding changes, so that whatever holds it can be found:

    QUARRY ─▶ PASSWORD of the test servers, keys of object stores
    look(where, text) ◀── output of commands, processes and terminals, answers over HTTP, records of logs, expected
                          exceptions with their causes, files in `tmp_path`, rows of databases

A test that leaks fails in its teardown. Files whose names are in KEPT hold a URL because a user wrote it there.
"""

import http.client
import logging
import os
import subprocess
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

QUARRY = "Hunted7Quarry"
"""In every password of a test server."""

PASSWORD = f"{QUARRY}/p@ss:w%rd"  # with letters that mean something in URLs
QUOTED = quote(PASSWORD, safe="")

STORE_KEY = "wJalrXUtnFEMI-bPxRfiCYEXAMPLEKEY"
"""The secret key of the test servers of S3."""

SECONDS = 60
"""How long a server may take for what keeps the tests in order."""

KEPT = ("url", "pgpass", "pg_service.conf", "deltalakedb.toml")

_HUNTED = (QUARRY, STORE_KEY)
_AROUND = 60
_finds: list[str] = []


def look(where: str, text: str | bytes | None) -> None:
    """Notes it if a password is in a text."""
    shown = text.decode(errors="replace") if isinstance(text, bytes | bytearray | memoryview) else str(text or "")
    for hunted in _HUNTED:
        at = shown.find(hunted)
        if at >= 0:
            _finds.append(f"{where}: …{shown[max(0, at - _AROUND) : at + _AROUND]!r}…")


def finds() -> list[str]:
    """Returns what was found since the last time."""
    found, _finds[:] = list(_finds), []
    return found


def look_into_folder(folder: Path) -> None:
    """Looks into every file below a folder, but not where paths get longer than the system allows."""
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names if name not in KEPT):
            if not path.is_symlink() and path.is_file():
                look(str(path), path.read_bytes())


_ALL_ROWS = """
SELECT string_agg(format('SELECT %L, t::text FROM %I.%I t WHERE t::text LIKE ANY (%L)',
                         schemaname || '.' || tablename, schemaname, tablename, %s::text), ' UNION ALL ')
FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


def look_into_postgres(url: str) -> None:
    """Looks into every row of every table of a database."""
    wanted = "{" + ",".join(f"%{hunted}%" for hunted in _HUNTED) + "}"
    with psycopg.connect(url, connect_timeout=SECONDS) as connection:
        # Whoever was left behind may hold locks; the database may have timeouts.
        connection.execute(f"SET statement_timeout = '{SECONDS}s'; SET lock_timeout = 0")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        (query,) = connection.execute(_ALL_ROWS.replace("%L", "%%L").replace("%I", "%%I"), [wanted]).fetchone()
        for table, row in connection.execute(query) if query else ():
            look(f"a row of {table}", row)


_TEXTS_OF_TABLES = """
SELECT table_name, GROUP_CONCAT(CONCAT('CONVERT(`', column_name, '` USING utf8mb4)'))
FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = %s AND table_type = 'BASE TABLE' GROUP BY table_name
"""


def look_into_mysql(cursor: Any, database: str) -> None:
    """Looks into every row of every table of a database of MySQL or MariaDB.

    Args:
        cursor: of an administrator, with no transaction begun.
        database: its name.
    """
    cursor.execute("SET SESSION group_concat_max_len = 1000000")
    cursor.execute(_TEXTS_OF_TABLES, [database])
    wanted = " OR ".join(f"row_text LIKE '%{hunted}%'" for hunted in _HUNTED)
    for table, columns in cursor.fetchall():
        cursor.execute(f"SELECT CONCAT_WS(' ', {columns}) AS row_text FROM `{database}`.`{table}` HAVING {wanted}")
        for (row,) in cursor.fetchall():
            look(f"a row of {table}", row)


class Hunt:
    """What makes pytest look."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "leaks: what comes out of the test holds passwords on purpose")
        logging.getLogger().addHandler(_Log())
        # All of it: a program that configures logging gets records that no command has scrubbed.
        logging.getLogger("deltalakedb").setLevel(logging.DEBUG)
        self._after(pytest.CaptureFixture, "readouterr", _captured)
        self._after(subprocess.Popen, "communicate", _communicated)
        self._after(http.client.HTTPResponse, "read", lambda body: look("an answer over HTTP", body))
        self._around_expected_exceptions()

    def pytest_unconfigure(self) -> None:
        for undo in self._undo:
            undo()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        yield
        if folder is not None and folder.exists():
            look_into_folder(folder)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        report: pytest.TestReport = yield
        if call.when == "teardown":
            for name, text in report.sections:
                look(name, text)
            found = finds()
            if report.passed and found and item.get_closest_marker("leaks") is None:
                report.outcome = "failed"
                report.longrepr = "A password was found:\n" + "\n".join(found)
        return report

    def _after(self, owner: type, name: str, then: Callable[[Any], None]) -> None:
        original = getattr(owner, name)

        def replaced(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            then(result)
            return result

        setattr(owner, name, replaced)
        self._undo.append(lambda: setattr(owner, name, original))

    def _around_expected_exceptions(self) -> None:
        original = pytest.RaisesExc.__exit__

        def left(self: Any, kind: Any, error: BaseException | None, trace: Any) -> bool:
            if isinstance(error, Exception):
                look("an exception", "".join([*traceback.format_exception(error), repr(error), str(vars(error))]))
            return original(self, kind, error, trace)

        pytest.RaisesExc.__exit__ = left
        self._undo.append(lambda: setattr(pytest.RaisesExc, "__exit__", original))


def _captured(result: Any) -> None:
    look("stdout", result.out)
    look("stderr", result.err)


def _communicated(result: Any) -> None:
    for text in result:
        look("the output of a process", text)


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        look(f"the log of {record.name}", self.format(record))
