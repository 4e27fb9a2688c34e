"""Importers that are killed, again and again.

They are forked from a process that has imported everything already, so that a kill costs little more than what was
interrupted.
"""

import multiprocessing
import random
from dataclasses import dataclass
from typing import Any

import psutil

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["deltalakedb.migrate.importer", "psycopg", "tests.support.kills"])

_LONGEST_SECONDS = 0.3
"""From its start on, an importer lives so long, at most, where it is killed by the clock."""


@dataclass(frozen=True)
class Work:
    """What an importer is to do; `apart` reads the log in a process of its own, however small it is."""

    url: str
    location: str
    table_id: str
    batch_size: int
    apart: bool = False


@dataclass
class Kills:
    """What was done to importers, and what they left.

    Attributes:
        count: how many were killed.
        readers: how many of the processes that read for them were at work then.
        orphans: how many of these went on.
    """

    count: int = 0
    readers: int = 0
    orphans: int = 0

    def __add__(self, other: "Kills") -> "Kills":
        return Kills(self.count + other.count, self.readers + other.readers, self.orphans + other.orphans)


def import_under_kills(work: Work, chance: random.Random, most: int) -> Kills:
    """Imports a table, with importers that are killed at random moments until one comes to its end.

    Half of them die by the clock: while they start, connect or claim, too. The others die just behind one of their
    first transactions, or in the next, so that it gets further.
    """
    kills = Kills()
    while True:
        ours, theirs = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=_import, args=(work, theirs))
        process.start()
        theirs.close()
        if kills.count < most:
            if chance.random() < 0.5:
                process.join(chance.uniform(0, _LONGEST_SECONDS))
            else:
                _wait_for(ours, chance.randrange(1, 6))
                process.join(chance.uniform(0, 0.02))
            _kill(process, kills)
        process.join()
        ours.close()
        if process.exitcode == 0:
            return kills
        assert process.exitcode in (-9, 255), process.exitcode  # 255: killed before the server heard of it


def _wait_for(pipe: Any, transactions: int) -> None:
    try:
        for _ in range(transactions):
            pipe.recv_bytes()
    except EOFError:
        return  # it has ended


def _kill(process: Any, kills: Kills) -> None:
    if process.exitcode is not None:
        return
    try:
        readers = psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return
    process.kill()
    process.join()
    kills.count += process.exitcode != 0
    kills.readers += len(readers)
    kills.orphans += len(psutil.wait_procs(readers, timeout=20)[1])


def _import(work: Work, pipe: Any) -> None:
    from deltalakedb.catalog.database import Database
    from deltalakedb.migrate import processes
    from deltalakedb.migrate.importer import import_table

    if work.apart:
        processes.LARGE_FROM_BYTES = 0
        processes._processors = lambda: 2
    import_table(
        Database(work.url),
        work.location,
        work.table_id,
        batch_size=work.batch_size,
        resume=True,
        listener=lambda _progress: pipe.send_bytes(b"."),
    )
