"""Fixtures for imported tables."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deltalakedb.catalog.database import Database
from deltalakedb.migrate import processes
from deltalakedb.migrate.importer import import_table
from tests.migrate.damage import make_log
from tests.support.apart import read_apart
from tests.support.databases import fresh_postgres, sqlite_url


@pytest.fixture
def imported(database: Database, tmp_path: Path) -> str:
    """The location of a table that was imported as `t`."""
    location = str(make_log(tmp_path / "t").root)
    import_table(database, location)
    return location


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every log is read by a process of its own; returns those processes."""
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    read_apart(monkeypatch)
    monkeypatch.setattr(processes.subprocess, "Popen", Noted)
    return started


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def one_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A catalog on each kind of database, which the tests of a module share; each has table ids of its own."""
    if request.param == "sqlite":
        database = Database(sqlite_url(tmp_path_factory.mktemp("catalog")))
        yield database
        database.close()
        return
    with fresh_postgres(request.getfixturevalue("postgres_server")) as url:
        database = Database(url)
        yield database
        database.close()
