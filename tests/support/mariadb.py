"""A server of MariaDB to test with, from Debian's `mariadb-server-core`.

    mysql_server() ─▶ URL of a server ─▶ fresh_mysql(url) ─▶ URL of an empty database

`$DELTALAKEDB_TEST_MYSQL_URL` names another one, of MariaDB or MySQL; its user must be allowed to create databases.
"""

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pymysql

from tests.support.databases import ServerUnavailableError

VARIABLE = "DELTALAKEDB_TEST_MYSQL_URL"

# A crash of the server may cost the test databases: nobody needs them afterwards.
FAST = (
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
    "--innodb-log-file-size=64M",
    "--innodb-buffer-pool-size=256M",
    "--sync-frm=0",
    "--performance-schema=0",
    "--skip-log-bin",
    "--innodb-force-primary-key=1",  # as managed servers demand, whose sql_require_primary_key is MySQL's
)
_STARTS_SECONDS = 60


@contextmanager
def mysql_server(options: Sequence[str] = FAST, *, in_memory: bool = True) -> Iterator[str]:
    """Gives the URL of a running server of MariaDB or MySQL, and stops it at the end if it was started here.

    Args:
        options: of `mariadbd`; by default those that make it fast.
        in_memory: whether its files are in memory, if there is room.

    Raises:
        ServerUnavailableError: MariaDB is not installed or does not run on this machine.
    """
    if given := os.environ.get(VARIABLE):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="my-", dir=_in_memory() if in_memory else None)).resolve()
    try:
        process = _start(folder, options)
        try:
            yield f"mysql://root@localhost/mysql?unix_socket={folder / 'socket'}"
        finally:
            process.kill()  # nobody needs what it might still write
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_mysql(server_url: str) -> Iterator[str]:
    """Gives the URL of a new, empty database, which is dropped at the end, whoever is still connected."""
    name = f"test_{uuid.uuid4().hex}"
    with closing(connect(server_url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        with closing(connect(server_url)) as connection, connection.cursor() as cursor:
            # An open transaction would keep the tables; who reads them must not be waited for.
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [name])
            for (process,) in cursor.fetchall():
                with suppress(pymysql.Error):
                    cursor.execute(f"KILL {process}")
            cursor.execute(f"DROP DATABASE {name}")


def connect(url: str) -> pymysql.Connection:
    """A connection of PyMySQL's own to the database of a URL; each statement is a transaction."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.strip("/"),
        unix_socket=options.get("unix_socket"),
        autocommit=True,
    )


def _in_memory() -> str | None:
    """A folder in memory, if there is one with room: making a table waits for the disk six times elsewhere."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > 4 << 30 else None


def _start(folder: Path, options: Sequence[str]) -> subprocess.Popen:
    data, log = folder / "data", folder / "log"
    common = ("--no-defaults", f"--datadir={data}", *(["--user=root"] if os.geteuid() == 0 else []))
    path = f"{os.environ['PATH']}:/usr/sbin"
    install, server = shutil.which("mariadb-install-db", path=path), shutil.which("mariadbd", path=path)
    if install is None or server is None:
        raise ServerUnavailableError("no MariaDB server: install mariadb-server-core, or set " + VARIABLE)
    with log.open("wb") as output:
        made = subprocess.run(
            [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(folder)},  # two that are made at once share temporary tables elsewhere
            check=False,
        )
        if made.returncode:
            raise ServerUnavailableError(f"no MariaDB server: {log.read_text()[-500:]}")
        files = (f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}", f"--tmpdir={folder}")
        process = subprocess.Popen(
            [server, *common, *files, "--skip-networking", *options],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    deadline = time.monotonic() + _STARTS_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if (folder / "socket").exists():  # made when it takes connections
            return process
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise ServerUnavailableError(f"no MariaDB server: {log.read_text()[-500:]}")
