"""A server of MariaDB to test with, from Debian's `mariadb-server-core`.

    mysql_server() ─▶ URL of a server ─▶ fresh_mysql(url) ─▶ URL of an empty database
    mortal_mysql() ─▶ a server that a test may stop, crash and start again
    tls_mysql()    ─▶ a server that lets nobody in without TLS

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pymysql

from tests.support import leaks
from tests.support.authority import Authority, authority_in
from tests.support.databases import ServerUnavailableError, on_database
from tests.support.ports import free_port

VARIABLE = "DELTALAKEDB_TEST_MYSQL_URL"

# A crash of the machine may cost the test databases: nobody needs them afterwards.
FAST = (
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
    "--innodb-log-file-size=64M",
    "--innodb-buffer-pool-size=256M",
    "--sync-frm=0",
    "--performance-schema=0",
    "--skip-log-bin",
    "--innodb-force-primary-key=1",  # as managed servers demand, whose sql_require_primary_key is MySQL's
)
_SECONDS = 60


@dataclass
class MySQL:
    """A server that was started here, at a Unix socket.

    Attributes:
        folder: where its files are.
        options: of `mariadbd`.
        url: where it is.
    """

    folder: Path
    options: Sequence[str]
    url: str = field(init=False)
    _process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        self.url = f"mysql://root:{leaks.QUOTED}@localhost/mysql?unix_socket={self.socket}"

    @property
    def socket(self) -> str:
        """The path of its Unix socket."""
        return str(self.folder / "socket")

    def start(self) -> None:
        """Starts it, and waits until it lets clients in."""
        files = (f"--socket={self.socket}", f"--pid-file={self.folder / 'pid'}", f"--tmpdir={self.folder}")
        command = [_program("mariadbd"), *_common(self.folder), *files, *self.options]
        quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, **quiet)
        deadline = time.monotonic() + _SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            if Path(self.socket).exists():  # made when it takes connections
                return
            time.sleep(0.02)
        self.crash()
        raise ServerUnavailableError(f"no MariaDB server: {self._log.read_text()[-500:]}")

    def stop(self) -> None:
        """Shuts it down as an administrator does: everything is written."""
        self._end("terminate")

    def crash(self) -> None:
        """Ends it at once; what was not written to its log is lost."""
        self._end("kill")

    def _end(self, how: str) -> None:
        if self._process is not None:
            getattr(self._process, how)()
            self._process.wait(_SECONDS)
            self._process = None
        Path(self.socket).unlink(missing_ok=True)

    @property
    def _log(self) -> Path:
        return self.folder / "log"


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
    with mortal_mysql(options, in_memory=in_memory) as server:
        yield server.url


@contextmanager
def mortal_mysql(options: Sequence[str] = FAST, *, in_memory: bool = True) -> Iterator[MySQL]:
    """Runs a server that the test may stop and start, at a Unix socket alone.

    Raises:
        ServerUnavailableError: MariaDB is not installed or does not run on this machine.
    """
    with _folder(in_memory=in_memory) as folder, _running(folder, ["--skip-networking", *options]) as server:
        yield server


@dataclass(frozen=True)
class TlsMySQL:
    """A running server at `localhost`, with TLS only.

    Attributes:
        admin: the URL of its administrator, at a Unix socket.
        port: where everybody else finds it.
        authority: who has signed its certificate.
    """

    admin: str
    port: int
    authority: Authority

    def url(self, user: str, database: str, **options: object) -> str:
        """A URL as people write it; `user` may have a password behind it."""
        query = urlencode({name: str(value) for name, value in options.items()})
        return f"mysql://{user}@localhost:{self.port}/{database}?{query}"


@contextmanager
def tls_mysql() -> Iterator[TlsMySQL]:
    """Runs a server that lets nobody in without TLS, with a certificate of a private authority.

    Raises:
        ServerUnavailableError: MariaDB is not installed or does not run on this machine.
    """
    with _folder() as folder:
        ours, port = authority_in(folder), free_port()
        files = (f"--ssl-ca={ours.root}", f"--ssl-cert={ours.server_cert}", f"--ssl-key={ours.server_key}")
        network = (f"--port={port}", "--bind-address=localhost", "--skip-name-resolve")
        with _running(folder, ["--require-secure-transport=1", *files, *network, *FAST]) as server:
            yield TlsMySQL(server.url, port, ours)


@contextmanager
def fresh_mysql(server_url: str) -> Iterator[str]:
    """Gives the URL of a new, empty database, which is looked into and dropped at the end, whoever is connected."""
    name = f"test_{uuid.uuid4().hex}"
    with closing(connect(server_url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        yield on_database(server_url, name)
    finally:
        with closing(connect(server_url)) as connection, connection.cursor() as cursor:
            # An open transaction would keep the tables; who reads them must not be waited for.
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [name])
            for (process,) in cursor.fetchall():
                with suppress(pymysql.Error):
                    cursor.execute(f"KILL {process}")
            leaks.look_into_mysql(cursor, name)
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


@contextmanager
def _folder(*, in_memory: bool = True) -> Iterator[Path]:
    # Not pytest's own folder: the path of a Unix socket may have about 100 bytes, and pytest's are long.
    folder = Path(tempfile.mkdtemp(prefix="my-", dir=_in_memory() if in_memory else None)).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_memory() -> str | None:
    """A folder in memory, if there is one with room: making a table waits for the disk six times elsewhere."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > 4 << 30 else None


@contextmanager
def _running(folder: Path, options: Sequence[str]) -> Iterator[MySQL]:
    """Makes the files of a server and runs it; its administrator has a password."""
    method = ("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
    made = subprocess.run(
        [_program("mariadb-install-db"), *_common(folder), *method],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(folder)},  # two that are made at once share temporary tables elsewhere
        check=False,
    )
    if made.returncode:
        raise ServerUnavailableError(f"no MariaDB server: {made.stderr.decode()[-500:]}")
    server = MySQL(folder, options)
    server.start()
    try:
        with closing(connect(server.url.replace(f":{leaks.QUOTED}@", "@"))) as admin, admin.cursor() as cursor:
            cursor.execute("ALTER USER root@localhost IDENTIFIED BY %s", [leaks.PASSWORD])
        yield server
    finally:
        server.crash()  # nobody needs what it might still write


def _common(folder: Path) -> list[str]:
    return ["--no-defaults", f"--datadir={folder / 'data'}", *(["--user=root"] if os.geteuid() == 0 else [])]


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise ServerUnavailableError("no MariaDB server: install mariadb-server-core, or set " + VARIABLE)
    return found
