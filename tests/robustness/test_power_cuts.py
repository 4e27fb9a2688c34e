"""The power goes while SQLite's files are written: what was said to be done is there, and nothing is half there."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from deltalakedb.catalog import registry
from deltalakedb.errors import DiskFullError
from deltalakedb.migrate.importer import import_table
from tests.robustness.tables import assert_like_an_import, assert_like_undisturbed, opened
from tests.support.catalogs import MOMENTS, Dump, dump
from tests.support.logs import LogBuilder, add, commit_info, remove
from tests.support.sqlite_vfs import Journal, UnavailableError, recorded

CUTS = 40
"""How many moments are tried; `make torture` tries more."""


@pytest.fixture
def journal() -> Iterator[Journal]:
    """What is done to SQLite's files from now on."""
    try:
        with recorded() as journal:
            yield journal
    except UnavailableError as error:
        pytest.skip(str(error))


@contextmanager
def in_use(url: str) -> Iterator[None]:
    """Somebody else has the database open: then it is not the end of our connections that brings all to the disk."""
    with opened(url) as database, database.writing():
        yield


def cut_moments(journal: Journal, chance: random.Random, count: int) -> list[int]:
    """Moments of all kinds: anywhere, and just around what was synced, deleted or said."""
    all_of_them = range(len(journal.events) + 1)
    special = [at + 1 for at, event in enumerate(journal.events) if event.kind != "write"]
    near = sorted({at + off for at in special for off in (-1, 0, 1)} & set(all_of_them))
    return [*chance.sample(near, min(len(near), count // 2)), *chance.sample(all_of_them, count // 2)]


def check_cut(journal: Journal, at: int, chance: random.Random, folder: Path, log: LogBuilder, expected: Dump) -> None:
    """Checks what a power cut leaves: sound files, what was completed, and an import that comes to the same end."""
    folder.mkdir()
    said = journal.after_a_power_cut(folder, at, chance)
    url = f"sqlite:///{folder}/catalog.db"
    with closing(sqlite3.connect(folder / "catalog.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    if "completed" in said:
        assert dump(url, "orders", without=MOMENTS) == expected
    with opened(url) as database:
        import_table(database, str(log.root), "orders", batch_size=30, resume=True)
    assert dump(url, "orders", without=MOMENTS) == expected


def test_an_import_survives_power_cuts(journal: Journal, log: LogBuilder, tmp_path: Path):
    url = f"sqlite:///{tmp_path}/catalog.db"
    with opened(url) as database, in_use(url):
        import_table(database, str(log.root), batch_size=30)
        journal.mark("completed")
    journal.mark("closed")
    expected, chance = dump(url, "orders", without=MOMENTS), random.Random(1)
    journal.stop()
    for number, at in enumerate(cut_moments(journal, chance, CUTS)):
        check_cut(journal, at, chance, tmp_path / str(number), log, expected)


def test_a_sync_that_was_said_to_be_done_is_there_after_a_power_cut(journal: Journal, log: LogBuilder, tmp_path: Path):
    url, chance = f"sqlite:///{tmp_path}/catalog.db", random.Random(2)
    with opened(url) as database, in_use(url):
        import_table(database, str(log.root))
        before = len(journal.events)
        for _ in range(5):
            log.commit(commit_info(), add(f"new{log.version}"), remove(f"new{log.version - 1}"))
            import_table(database, str(log.root), resume=True)
            journal.mark(str(log.version))
    journal.stop()
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        said = journal.after_a_power_cut(folder, chance.randrange(before, len(journal.events) + 1), chance)
        with opened(f"sqlite:///{folder}/catalog.db") as database:
            with database.reading() as connection:
                version = registry.readable(connection, "orders").version
            assert version >= max((int(each) for each in said), default=0)
            import_table(database, str(log.root), "orders", resume=True)
        if number % 5 == 0:
            assert_like_an_import(f"sqlite:///{folder}/catalog.db", log)


@pytest.mark.parametrize("batch_size", [7, 100, 1000])
def test_a_disk_that_fills_up_ends_an_import_which_goes_on_when_there_is_space(
    journal: Journal, log: LogBuilder, tmp_path: Path, batch_size: int
):
    url, chance, failures = f"sqlite:///{tmp_path}/catalog.db", random.Random(3), list[DiskFullError]()
    with opened(url) as database, database.writing():
        pass
    for _ in range(6):
        journal.full_after = chance.randrange(20_000, 400_000)
        with opened(url) as database:
            try:
                import_table(database, str(log.root), batch_size=batch_size, resume=True)
            except DiskFullError as error:
                failures.append(error)
        journal.full_after = None
    assert {error.message for error in failures} == {f"Disk space exhausted: {url}"}
    assert all("--resume" in error.hint for error in failures)
    with opened(url) as database:
        import_table(database, str(log.root), batch_size=batch_size, resume=True)
    assert_like_undisturbed(url, log)
