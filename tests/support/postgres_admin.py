"""Servers of PostgreSQL as admins set them up: demanding TLS, with a replica, behind PgBouncer.

    server() ─▶ Server, which demands TLS ─▶ server.fresh() ─▶ the name of an empty database
                      │                └────▶ replica(server) ─▶ Server that follows it
                      └▶ bouncer(server) ─▶ the port of a PgBouncer in transaction mode

They are Debian's (`postgresql`, `pgbouncer`): the server in the wheel is built without OpenSSL. Another one is taken
from the folder that `$DELTALAKEDB_TEST_POSTGRES_BIN` names. They never run as root: then as `postgres`.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg

from tests.support import leaks
from tests.support.authority import Authority, authority_in
from tests.support.databases import FAST, ServerUnavailableError, fresh_postgres
from tests.support.ports import free_port

BIN_VARIABLE = "DELTALAKEDB_TEST_POSTGRES_BIN"

_SECONDS = 30
_HBA = """
local   all         all                     password
hostssl replication all         all         password
hostssl all         certified   all         cert
hostssl all         all         all         password
"""


@dataclass(frozen=True)
class Server:
    """A running server: at `localhost`, with TLS only, and at a Unix socket in its folder."""

    programs: Path
    folder: Path
    port: int
    authority: Authority

    def url(self, database: str = "postgres", user: str = f"postgres:{leaks.QUOTED}", **options: object) -> str:
        """A URL as people write it; `user` may have a password behind it."""
        return (
            f"postgresql://{user}@localhost:{self.port}/{database}?{urlencode({k: str(v) for k, v in options.items()})}"
        )

    def verified(self, database: str = "postgres", **options: object) -> str:
        """The URL that trusts this server alone."""
        return self.url(database, sslmode="verify-full", sslrootcert=self.authority.root, **options)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Gives the name of a new, empty database, which is looked into and dropped at the end."""
        with fresh_postgres(self.url()) as url:
            yield urlsplit(url).path.removeprefix("/")


@contextmanager
def server() -> Iterator[Server]:
    """Makes and runs a server that lets nobody in without TLS.

    Raises:
        ServerUnavailableError: PostgreSQL is not installed.
    """
    programs = _programs()
    with _folder() as folder:
        authority = authority_in(folder)
        secret = folder / "pgpass"
        secret.write_text(leaks.PASSWORD)
        _own(folder)
        _run(programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "password", f"--pwfile={secret}", "-N")
        (folder / "data" / "pg_hba.conf").write_text(_HBA)
        (folder / "data" / "pg_ident.conf").write_text("")
        with _running(programs, folder, "data", authority) as made:
            yield made


@contextmanager
def replica(of: Server) -> Iterator[Server]:
    """Makes a copy of a server, and lets it follow: what is committed there can be read here a moment later."""
    name = f"replica-{uuid.uuid4().hex[:8]}"
    backup = ("-D", of.folder / name, "-R", "-X", "stream", "-c", "fast", "-d", of.url())
    _run(of.programs / "pg_basebackup", *backup)
    with _running(of.programs, of.folder, name, of.authority) as made:
        yield made


@contextmanager
def bouncer(of: Server, pool_size: int = 3) -> Iterator[int]:
    """Runs PgBouncer in transaction mode in front of a server, and gives its port on 127.0.0.1.

    Args:
        of: the server.
        pool_size: how many connections to the server all clients share.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise ServerUnavailableError("no PgBouncer: install Debian's package pgbouncer")
    with _folder() as folder:
        port = free_port()
        (folder / "users").write_text(f'"postgres" "{leaks.PASSWORD}"\n')
        (folder / "ini").write_text(f"""
[databases]
* = host={of.folder} port={of.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {folder / "users"}
pool_mode = transaction
default_pool_size = {pool_size}
""")
        _own(folder)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([program, "-q", folder / "ini"], **quiet, **_as_nobody_special())
        try:
            url = f"postgresql://postgres:{leaks.QUOTED}@127.0.0.1:{port}/postgres"
            _until_it_answers(url, process)
            yield port
        finally:
            process.terminate()
            process.wait(_SECONDS)


def wait_for_replica(primary: Server, follower: Server) -> None:
    """Waits until the follower has all that is committed by now."""
    with psycopg.connect(primary.url()) as connection:
        (place,) = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
    deadline = time.monotonic() + _SECONDS
    with psycopg.connect(follower.url(), autocommit=True) as connection:
        while not connection.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [place]).fetchone()[0]:
            assert time.monotonic() < deadline, "the replica does not follow"
            time.sleep(0.02)


# ---- programs


def _programs() -> Path:
    given = os.environ.get(BIN_VARIABLE)
    found = [Path(given)] if given else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found or not (found[-1] / "postgres").exists():
        raise ServerUnavailableError("no PostgreSQL server with TLS: install Debian's package postgresql")
    return found[-1]


@contextmanager
def _folder() -> Iterator[Path]:
    # Not pytest's own folder: the path of a Unix socket may have about 100 bytes, and pytest's are long.
    folder = Path(tempfile.mkdtemp(prefix="pg-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_nobody_special() -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    # libpq looks for certificates at home, which is not theirs.
    return {"user": "postgres", "group": "postgres", "extra_groups": [], "env": {**os.environ, "HOME": "/"}}


def _own(folder: Path) -> None:
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.pw_uid, owner.pw_gid)


def _run(*command: object) -> None:
    words = [*map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/", **_as_nobody_special())
    if done.returncode:
        raise ServerUnavailableError(f"{Path(str(command[0])).name} failed: {done.stderr[-500:]}")


@contextmanager
def _running(programs: Path, folder: Path, data: str, authority: Authority) -> Iterator[Server]:
    made = Server(programs, folder, free_port(), authority)
    settings = {
        "port": made.port,
        "listen_addresses": "localhost",
        "unix_socket_directories": folder,
        "ssl": "on",
        "ssl_cert_file": authority.server_cert,
        "ssl_key_file": authority.server_key,
        "ssl_ca_file": authority.root,
        **{name: value.strip("'") for name, value in FAST.items()},
    }
    options: Sequence[str] = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command = [str(programs / "postgres"), "-D", str(folder / data), *options]
    with (folder / f"{data}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **_as_nobody_special())
    try:
        _until_it_answers(made.url(), process)
        yield made
    finally:
        process.send_signal(2)  # what PostgreSQL calls a fast shutdown
        process.wait(_SECONDS)


def _until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(psycopg.OperationalError), psycopg.connect(url):
            return
        time.sleep(0.05)
    raise ServerUnavailableError("a server did not start")
