"""Fixtures for imported tables."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deltalakedb.catalog.database import Database
from deltalakedb.migrate.importer import import_table
from tests.migrate.damage import make_log


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A catalog on each kind of database, empty."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def imported(database: Database, tmp_path: Path) -> str:
    """The location of a table that was imported as `t`."""
    location = str(make_log(tmp_path / "t").root)
    import_table(database, location)
    return location
