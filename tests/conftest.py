"""Fixtures for all tests.

`database_url` runs a test once on every database; `sqlite_url`, `postgresql_url` and `mysql_url` ask for one of them.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from deltalakedb.catalog.database import Database
from tests.support import databases, leaks, mariadb, object_stores, other_clouds

CLOUD_VARIABLE = "DELTALAKEDB_TEST_CLOUD"
"""`azure` or `google`: the shared tables are read from there, not from S3."""

# A deadline for an example measures the machine, not the code.
settings.register_profile("deltalakedb", deadline=None)
settings.load_profile("deltalakedb")


pytest_plugins = ["pytester"]


def pytest_configure(config: pytest.Config) -> None:
    """Looks for passwords in everything that comes out of the tests."""
    config.pluginmanager.register(leaks.Hunt(), "leaks")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how much was compared with engines that read everything (tests/comparison)."""
    ended = [report for some in terminalreporter.stats.values() for report in some if hasattr(report, "when")]
    known = [dict(report.user_properties).get("comparisons", 0) for report in ended if report.when == "call"]
    if any(known):
        terminalreporter.write_line(f"{sum(known):,} comparisons of ways to read a table")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server; each worker has its own, started by the first test that asks."""
    yield from databases.running(databases.postgres_server)


@pytest.fixture
def postgresql_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, the test's own."""
    with databases.fresh_postgres(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[str]:
    """The URL of a MariaDB server; each worker has its own, started by the first test that asks."""
    yield from databases.running(mariadb.mysql_server)


@pytest.fixture
def mysql_url(mysql_server: str) -> Iterator[str]:
    """The URL of an empty MariaDB database, the test's own."""
    with mariadb.fresh_mysql(mysql_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite database in `tmp_path` that does not exist yet."""
    return databases.sqlite_url(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database; the test runs once for each kind."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[object_stores.S3Server]:
    """A server of S3; each worker has its own, started by the first test that asks."""
    with object_stores.moto_server() as server:
        yield server


@pytest.fixture
def bucket(s3_server: object_stores.S3Server) -> object_stores.Bucket:
    """An empty bucket of S3, the test's own."""
    return s3_server.bucket()


@pytest.fixture(scope="session")
def azure_server() -> Iterator[other_clouds.AzureServer]:
    """A server of Azure's blobs; each worker has its own, started by the first test that asks."""
    yield from databases.running(other_clouds.azurite)


@pytest.fixture(scope="session")
def google_server() -> Iterator[other_clouds.GoogleServer]:
    """A server of Google's storage; each worker has its own, started by the first test that asks."""
    yield from databases.running(other_clouds.google)


@pytest.fixture(scope="module")
def one_bucket(request: pytest.FixtureRequest) -> object_stores.Bucket:
    """A bucket that the tests of a module share: of S3, or of the cloud that the environment names."""
    return request.getfixturevalue(f"{os.environ.get(CLOUD_VARIABLE, 's3')}_server").bucket()


@pytest.fixture(params=["s3", "azure", "google"])
def each_bucket(request: pytest.FixtureRequest) -> object_stores.Bucket:
    """An empty bucket, the test's own; the test runs once for each cloud."""
    return request.getfixturevalue(f"{request.param}_server").bucket()


@pytest.fixture
def s3_proxy(s3_server: object_stores.S3Server) -> Iterator[object_stores.Proxy]:
    """A proxy in front of the server of S3, which counts requests, delays them, or refuses them."""
    with object_stores.proxy(s3_server.url) as made:
        yield made


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A catalog on each kind of database, empty."""
    database = Database(database_url)
    yield database
    database.close()
