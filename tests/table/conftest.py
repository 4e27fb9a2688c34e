"""A connection to an empty catalog."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from deltalakedb.catalog.database import Database


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A connection to an empty catalog, on every database, whose transactions the test begins."""
    database = Database(database_url)
    with database.writing() as connection:
        yield connection
    database.close()
