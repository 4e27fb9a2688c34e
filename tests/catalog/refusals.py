"""Servers that refuse a connection."""

from contextlib import closing

import pytest

from deltalakedb.catalog.database import Database
from deltalakedb.errors import DatabaseConnectionError, DeltaLakeDBError


def refusal(url: str) -> DeltaLakeDBError:
    """Returns the error that a reader gets, which says in our words what is wrong, and what to do."""
    with closing(Database(url)) as database, pytest.raises(DatabaseConnectionError) as raised:
        database.has_catalog()
    assert raised.value.message.startswith("Database connection failed")
    assert raised.value.hint
    return raised.value
