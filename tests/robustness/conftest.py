"""A table to import while things go wrong, and what shows that nothing was lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deltalakedb.migrate import retrying
from tests.robustness.tables import make_table
from tests.support import databases
from tests.support.databases import MortalPostgres
from tests.support.logs import LogBuilder


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """The log of a table with everything that a log may hold, about 700 rows."""
    return make_table(tmp_path / "orders")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once."""
    monkeypatch.setattr(retrying, "PAUSES_SECONDS", (0.02, 0.1, 0.2, 0.4, 0.8, 1.6, 3, 3, 3, 3, 3))


@pytest.fixture(scope="session")
def mortal() -> Iterator[MortalPostgres]:
    """A server of PostgreSQL that a test may stop, and has to start again."""
    yield from databases.running(databases.mortal_postgres)
