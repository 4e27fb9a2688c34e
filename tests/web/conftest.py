"""The lakes that are looked at, and what looks at them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from deltalakedb.catalog.database import Database
from deltalakedb.errors import DeltaLakeDBError
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.validate import validate_and_keep
from tests.support import databases, lake, mariadb
from tests.support.catalogs import execute
from tests.support.troubled_lake import EVIL, evil_table, pretend_running
from tests.web.browsing import NoBrowserError, chromium
from tests.web.serving import Server, served


@pytest.fixture(scope="session", params=["sqlite", "postgresql", "mysql"])
def troubled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A lake with everything that can be wrong in it, and names that hold HTML; the tests leave it as it is."""
    folder = tmp_path_factory.mktemp("troubled")
    if request.param == "sqlite":
        yield _troubled(databases.sqlite_url(folder), folder)
    elif request.param == "mysql":
        with mariadb.fresh_mysql(request.getfixturevalue("mysql_server")) as url:
            yield _troubled(url, folder)
    else:
        with databases.fresh_postgres(request.getfixturevalue("postgres_server")) as url:
            yield _troubled(url, folder)


def _troubled(database_url: str, tmp_path: Path) -> str:
    database = Database(database_url)
    lake.orders_table(tmp_path / "orders")
    import_table(database, str(tmp_path / "orders"), "sales/orders")
    lake.plain_table(tmp_path / "plain")
    for name in ("drifted", "behind", "running", "lost"):
        import_table(database, str(tmp_path / "plain"), name)
    (tmp_path / "broken" / "_delta_log").mkdir(parents=True)
    with pytest.raises(DeltaLakeDBError):
        import_table(database, str(tmp_path / "broken"))
    import_table(database, str(evil_table(tmp_path / "evil")), EVIL)
    execute(database_url, "UPDATE delta_files SET size = 1 WHERE table_id = 'drifted'")
    validate_and_keep(database, str(tmp_path / "plain"), "drifted")
    execute(database_url, "UPDATE delta_tables SET log_version = 9 WHERE table_id = 'behind'")
    pretend_running(database_url, "running", 0.25)
    running = "UPDATE migration_status SET status = 'running', owner = :owner, heartbeat_at = '2020-01-01 00:00:00'"
    execute(database_url, f"{running} WHERE table_id = 'lost'", owner="gone/1/1.00")
    database.close()
    return database_url


@pytest.fixture(scope="session")
def server(troubled: str) -> Iterator[Server]:
    """The troubled lake, served."""
    with served(troubled) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(chromium())
        except NoBrowserError as error:
            pytest.skip(str(error))
        yield running
