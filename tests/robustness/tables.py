"""The table that is imported while things go wrong, and what shows that nothing was lost."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deltalakedb.catalog.database import Database
from deltalakedb.migrate.importer import import_table
from tests.support.catalogs import MOMENTS, SQL_TABLES, WATERMARK, dump
from tests.support.logs import LogBuilder, add, cdc, commit_info, domain, dv, metadata, protocol, remove, txn

UNDISTURBED = "undisturbed"


def make_table(root: Path, commits: int = 60, files: int = 10, seed: int = 0) -> LogBuilder:
    """Writes a log with adds, removes, deletion vectors, transactions, domains, change files and partitions.

    It begins with a checkpoint whose commits were cleaned up, and one commit is larger than the others.
    """
    chance = random.Random(seed)
    log = LogBuilder(root)
    live: list[str] = []
    log.commit(protocol(3, 7, features=["deletionVectors"]), metadata({"id": "long", "p": "string"}, ["p"]))
    for number in range(commits):
        gone = [live.pop(chance.randrange(len(live))) for _ in range(min(len(live), chance.randrange(files)))]
        count = files * 12 if number == commits // 2 else chance.randrange(1, files + 1)
        new = [f"p={n % 3}/{number}-{n}.parquet" for n in range(count)]
        live += new
        again = chance.sample(gone, len(gone) // 3)
        log.commit(
            commit_info("MERGE", operationMetrics={"n": str(number)}),
            txn(f"app{number % 4}", number),
            domain(f"d{number % 5}", removed=number % 7 == 0),
            *(cdc(f"_change_data/{number}-{n}") for n in range(number % 3)),
            *(remove(path, partitionValues={"p": path[2]}) for path in gone),
            *(add(path, partitionValues={"p": path[2]}, deletionVector=dv()) for path in again),
            *(add(path, partitionValues={"p": path[2]}, tags={"n": "1"}) for path in new),
            {"somethingNew": {"number": number}},
        )
        if number == commits // 6:
            log.checkpoint()
            log.drop(range(log.version))
    return log


def assert_like_undisturbed(url: str, log: LogBuilder, *, without: set[str] = frozenset()) -> None:
    """Checks that `orders` has, row for row, what an undisturbed import gives; that one is left in the catalog."""
    with opened(url) as database:
        import_table(database, str(log.root), UNDISTURBED)
    found, expected = (dump(url, name, without=MOMENTS | without) for name in ("orders", UNDISTURBED))
    for name in SQL_TABLES:
        assert found[name] == expected[name], name


def assert_like_an_import(url: str, log: LogBuilder, *, without: set[str] = frozenset()) -> None:
    """Checks the same, but for what tells an import from one with syncs."""
    assert_like_undisturbed(url, log, without=WATERMARK | without)


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A catalog, closed at the end."""
    database = Database(url)
    try:
        yield database
    finally:
        database.close()
