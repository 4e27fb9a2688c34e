"""A catalog for the tables of real writers."""

from collections.abc import Iterator

import pytest

from deltalakedb.client import Catalog, connect
from tests.support import duckdb_delta
from tests.support.databases import fresh_postgres, sqlite_url
from tests.writers.duckdb_reader import DuckDBReader, duckdb_reader


@pytest.fixture(scope="module")
def catalog(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """A catalog on the database that the parameter names, which the tests of a module share."""
    if request.param == "sqlite":
        with connect(sqlite_url(tmp_path_factory.mktemp("catalog"))) as catalog:
            yield catalog
        return
    with fresh_postgres(request.getfixturevalue("postgres_server")) as url, connect(url) as catalog:
        yield catalog


@pytest.fixture(scope="module")
def duckdb_process() -> Iterator[DuckDBReader | None]:
    """DuckDB with its delta extension, where `make test` has installed the pair."""
    if not duckdb_delta.is_there():
        yield None
        return
    with duckdb_reader() as reader:
        yield reader
