"""The long version of the tests of this folder: `make torture ROUNDS=20`. Ends at the first row that is not right.

Each round has a table, batches and moments of its own; the seed is printed, and gives the same choices again.
"""

import argparse
import random
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from deltalakedb.errors import DiskFullError
from deltalakedb.migrate import retrying
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.told import Progress
from tests.robustness.tables import assert_like_undisturbed, make_table, opened
from tests.support import databases
from tests.support.catalogs import MOMENTS, dump
from tests.support.kills import Work, import_under_kills
from tests.support.logs import LogBuilder
from tests.support.sqlite_vfs import recorded
from tests.support.tcp_proxy import tcp_proxy

KILLS_A_ROUND, CUTS_A_ROUND = 40, 60


class Torture:
    """Rounds of everything that may go wrong, counted."""

    def __init__(self, chance: random.Random, server: databases.MortalPostgres) -> None:
        self.chance = chance
        self.server = server
        self.counts: Counter[str] = Counter()

    def round(self, folder: Path) -> None:
        """One table, and all that is done to its import."""
        commits, files = self.chance.choice([(30, 3), (60, 10), (25, 60)])
        log = make_table(folder / "orders", commits, files, seed=self.chance.randrange(1 << 30))
        batch_size = self.chance.choice([1, 3, 10, 50])
        sqlite_url = f"sqlite:///{folder}/kills.db"
        with databases.fresh_postgres(self.server.url) as url:
            for each in (sqlite_url, url):
                self.kills(each, log, batch_size)
        with databases.fresh_postgres(self.server.url) as url:
            self.broken_connections(url, log, batch_size)
        with databases.fresh_postgres(self.server.url) as url:
            self.server_crashes(url, log, batch_size)
        self.full_disks(f"sqlite:///{folder}/full.db", log, batch_size)
        self.power_cuts(folder, log, batch_size)

    def kills(self, url: str, log: LogBuilder, batch_size: int) -> None:
        apart = self.chance.random() < 0.4
        work = Work(url, str(log.root), "orders", batch_size, apart)
        kills = import_under_kills(work, self.chance, KILLS_A_ROUND // (4 if apart else 1))
        assert kills.orphans == 0
        assert_like_undisturbed(url, log)
        self.counts[f"kills survived, {urlsplit(url).scheme}"] += kills.count
        self.counts["readers of killed importers that ended, too"] += kills.readers

    def broken_connections(self, url: str, log: LogBuilder, batch_size: int) -> None:
        with tcp_proxy(self.server.socket) as proxy:
            through = f"postgresql://postgres@{proxy.host}:{proxy.port}{urlsplit(url).path}?sslmode=disable"

            def cut_soon(_progress: Progress) -> None:
                if self.chance.random() < 0.3:
                    proxy.cut_after(self.chance.randrange(50_000))

            with opened(through) as database:
                import_table(database, str(log.root), "orders", batch_size=batch_size, listener=cut_soon)
            self.counts["connections broken"] += proxy.cuts
        assert_like_undisturbed(url, log)

    def server_crashes(self, url: str, log: LogBuilder, batch_size: int) -> None:
        left = self.chance.randrange(1, 8)

        def crash(_progress: Progress) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.server.crash()
                self.server.start()
                self.counts["crashes of the server"] += 1

        with opened(url) as database:
            import_table(database, str(log.root), "orders", batch_size=batch_size, listener=crash)
        assert_like_undisturbed(url, log)

    def full_disks(self, url: str, log: LogBuilder, batch_size: int) -> None:
        with recorded() as journal:
            journal.stop()
            for _ in range(10):
                journal.full_after = self.chance.randrange(500_000)
                self.counts["full disks"] += self._fails(url, log, batch_size)
            journal.full_after = None
            assert not self._fails(url, log, batch_size)
        assert_like_undisturbed(url, log)

    @staticmethod
    def _fails(url: str, log: LogBuilder, batch_size: int) -> bool:
        with opened(url) as database:
            try:
                import_table(database, str(log.root), "orders", batch_size=batch_size, resume=True)
            except DiskFullError:
                return True
        return False

    def power_cuts(self, folder: Path, log: LogBuilder, batch_size: int) -> None:
        url = f"sqlite:///{folder}/catalog.db"
        with recorded() as journal, opened(url) as database, opened(url) as other, other.writing():
            import_table(database, str(log.root), "orders", batch_size=batch_size)
            journal.mark("completed")
        expected = dump(url, "orders", without=MOMENTS)
        for number in range(CUTS_A_ROUND):
            left = folder / f"cut{number}"
            left.mkdir()
            said = journal.after_a_power_cut(left, self.chance.randrange(len(journal.events) + 1), self.chance)
            left_url = f"sqlite:///{left}/catalog.db"
            with closing(sqlite3.connect(left / "catalog.db")) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert not said or dump(left_url, "orders", without=MOMENTS) == expected
            with opened(left_url) as database:
                import_table(database, str(log.root), "orders", batch_size=batch_size, resume=True)
            assert dump(left_url, "orders", without=MOMENTS) == expected
            self.counts["power cuts survived, sqlite"] += 1


@contextmanager
def _tortured(seed: int) -> Iterator[Torture]:
    with ExitStack() as stack:
        server = stack.enter_context(databases.mortal_postgres())
        yield Torture(random.Random(seed), server)


def main() -> None:
    """Runs as many rounds as are asked for, and prints what was survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    retrying.PAUSES_SECONDS = (0.01, 0.02, 0.1, 0.5, 1, 3, 3, 3, 3)
    print(f"seed {given.seed}")
    begun = time.monotonic()
    with _tortured(given.seed) as torture:
        for number in range(given.rounds):
            with tempfile.TemporaryDirectory() as folder:
                torture.round(Path(folder))
            print(f"round {number + 1}, {time.monotonic() - begun:.0f} s: ", dict(sorted(torture.counts.items())))


if __name__ == "__main__":
    main()
