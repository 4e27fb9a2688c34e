"""A file that several processes make a catalog of at the same moment."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from deltalakedb.catalog.database import Database
from deltalakedb.errors import DatabaseBusyError


def test_who_writes_a_file_first_is_waited_for(tmp_path: Path, sqlite_url: str):
    """SQLite waits for locks, but not where it makes a file one with a write-ahead log: there it gave up at once."""
    with closing(sqlite3.connect(tmp_path / "catalog.db", check_same_thread=False, isolation_level=None)) as other:
        other.execute("CREATE TABLE theirs (x)")
        other.execute("BEGIN IMMEDIATE")
        done = threading.Timer(0.5, other.execute, ["COMMIT"])
        done.start()
        with closing(Database(sqlite_url)) as database, database.writing():
            assert database.has_catalog()
        done.join()


def test_it_is_waited_for_no_longer_than_the_url_says(tmp_path: Path, sqlite_url: str):
    with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE theirs (x)")
        other.execute("BEGIN IMMEDIATE")
        with (
            closing(Database(f"{sqlite_url}?timeout=0.2")) as database,
            pytest.raises(DatabaseBusyError, match="locked"),
            database.writing(),
        ):
            pass
