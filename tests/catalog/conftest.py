"""Servers as admins set them up; each worker has its own, started by the first test that asks."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.support import mariadb, postgres_admin
from tests.support.databases import running
from tests.support.postgres_admin import Server


@pytest.fixture(scope="session")
def tls_server() -> Iterator[Server]:
    """A server that lets nobody in without TLS."""
    yield from running(postgres_admin.server)


@pytest.fixture
def tls_database(tls_server: Server) -> Iterator[str]:
    """The name of an empty database there, the test's own."""
    with tls_server.fresh() as name:
        yield name


@pytest.fixture(scope="session")
def replica(tls_server: Server) -> Iterator[Server]:
    """A server that follows the other one."""
    with postgres_admin.replica(tls_server) as server:
        yield server


@pytest.fixture(scope="session")
def bouncer(tls_server: Server) -> Iterator[int]:
    """The port of a PgBouncer in transaction mode, with three connections to the server for everybody."""
    yield from running(partial(postgres_admin.bouncer, tls_server))


@pytest.fixture(scope="session")
def tls_mysql() -> Iterator[mariadb.TlsMySQL]:
    """A server of MariaDB that lets nobody in without TLS."""
    yield from running(mariadb.tls_mysql)
