"""The comparison for as long as one likes, or of one seed.

python -m tests.comparison --seconds 600
python -m tests.comparison --seed 4711          # what fails, and the least that fails in the same way
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.comparison.compare import Case, Comparison, Failure
from tests.comparison.reduce import reduced, shown
from tests.support.databases import fresh_postgres, postgres_server, sqlite_url


@contextmanager
def comparing(databases: str) -> Iterator[Comparison]:
    """Gives a comparison on empty databases of the wanted kinds."""
    with tempfile.TemporaryDirectory(prefix="comparison-") as folder:
        root = Path(folder)
        if databases == "sqlite":
            with Comparison([sqlite_url(root)], root) as made:
                yield made
        else:
            with postgres_server() as server, fresh_postgres(server) as url:
                urls = [url] if databases == "postgresql" else [sqlite_url(root), url]
                with Comparison(urls, root) as made:
                    yield made


def run_long(comparison: Comparison, seeds: Sequence[int] | Iterator[int], seconds: float) -> int:
    """Compares seed after seed; prints each failure's seed, and at the end what was compared."""
    until, found = time.monotonic() + seconds, Counter[str]()
    for seed in seeds:
        failures = comparison.of(seed)
        found.update(_summary(failures))
        for line, first in {_summary([each])[0]: each for each in reversed(failures)}.items():
            print(f"--seed {seed} {line}\n    {first.asked[:200]}\n    {first.detail[:300]}", flush=True)
        if time.monotonic() > until:
            break
    print(comparison.tally)
    for line, times in found.most_common():
        print(f"{times:>6} × {line}")
    print("nothing found" if not found else f"{found.total():,} failures; see one: python -m tests.comparison --seed N")
    return 1 if found else 0


def _summary(failures: Sequence[Failure]) -> list[str]:
    return [f"{each.way}: {each.problem if each.problem.startswith('raises') else 'wrong'}" for each in failures]


def run_one(comparison: Comparison, seed: int, way: str) -> int:
    """Compares one seed; prints one failure of each way, and the least case that fails so."""
    failures = [each for each in comparison.of(seed) if way in each.way]
    for failure in {(each.way, each.problem): each for each in reversed(failures)}.values():
        least, again = reduced(comparison, Case.of(seed), failure)
        print(f"{failure}\nreduced:\n{again}\n{shown(least)}\n", flush=True)
    print(comparison.tally)
    return 1 if failures else 0


def main() -> int:
    """Runs from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Ways of reading beside the same engines on all rows.")
    parser.add_argument("--seconds", type=float, default=60, help="how long to try seeds")
    parser.add_argument("--first", type=int, help="the first of the seeds; by default a random one")
    parser.add_argument("--seed", type=int, help="this one alone, with the least case for each failure")
    parser.add_argument("--way", default="", help="with --seed: ways with this in their name")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    asked = parser.parse_args()
    with comparing(asked.database) as comparison:
        if asked.seed is not None:
            return run_one(comparison, asked.seed, asked.way)
        first = random.SystemRandom().randrange(10**9) if asked.first is None else asked.first
        print(f"seeds from {first} on", flush=True)
        return run_long(comparison, count(first), asked.seconds)


if __name__ == "__main__":
    sys.exit(main())
