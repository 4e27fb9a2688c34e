"""`kill -9` at any moment, and what goes on from there gives the rows of an import that nobody disturbed."""

import random
import zlib

import pytest

from tests.robustness.tables import assert_like_an_import, assert_like_undisturbed
from tests.support.kills import Work, import_under_kills
from tests.support.logs import LogBuilder, add, commit_info, remove

ROUNDS = {False: 25, True: 5}
"""How many importers are killed for each size of batches; where a process of its own reads ahead, each costs more."""


@pytest.mark.parametrize(("batch_size", "apart"), [(1, False), (7, False), (100, False), (7, True)])
def test_an_import_survives_kills(database_url: str, log: LogBuilder, batch_size: int, apart: bool):
    chance = random.Random(zlib.crc32(f"{database_url[:6]}{batch_size}{apart}".encode()))
    work = Work(database_url, str(log.root), "orders", batch_size, apart)
    kills = import_under_kills(work, chance, ROUNDS[apart])
    assert kills.orphans == 0
    assert_like_undisturbed(database_url, log)


def test_a_sync_survives_kills(database_url: str, log: LogBuilder):
    chance = random.Random(5)
    work = Work(database_url, str(log.root), "orders", 1000)
    import_under_kills(work, chance, 0)
    for _ in range(3):
        for _ in range(8):
            name = log.version
            log.commit(commit_info(), add(f"new{name}"), add(f"other{name}"), remove(f"new{name - 2}"))
        import_under_kills(work, chance, 4)
    assert_like_an_import(database_url, log)
