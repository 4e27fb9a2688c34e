"""The cases: each is a row of the table in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..bench import Bench
from ..outcome import Outcome
from . import imports, lakes, planning, reading, serving, size


@dataclass(frozen=True, slots=True)
class Case:
    """A named row; `work` says what is done."""

    name: str
    work: str
    run: Callable[[Bench], Outcome]


CASES = (
    Case("import-postgresql", "`import` into PostgreSQL, JSON-only log", imports.postgresql),
    Case("import-sqlite", "`import` into SQLite, JSON-only log", imports.sqlite),
    Case("import-mariadb", "`import` into MariaDB, JSON-only log, against PostgreSQL", imports.mysql),
    Case("import-raw-limit", "`import` into PostgreSQL against the raw limit: orjson, then COPY", imports.raw_limit),
    Case("import-checkpointed", "`import` of a log with a checkpoint at its head", imports.checkpointed),
    Case("growth", "time per add, start-up taken off", imports.growth),
    Case("memory", "peak memory of the import's process tree", size.memory),
    Case("memory-one-commit", "the same, all adds in one commit", size.memory_of_one_commit),
    Case("catalog-size", "catalog in PostgreSQL with its indexes, against the JSON log", size.catalog),
    Case("files-partition", "`files(where=)` by partition and statistics, connect included", reading.by_partition),
    Case("files-stats-index", "`files(where=)` by statistics alone, after `index`", reading.by_index),
    Case("files-stats", "`files(where=)` by statistics alone, no index", reading.by_statistics),
    Case("list", "`get_add_actions()`, everything", reading.listing),
    Case("list-checkpointed", "`get_add_actions()`, everything, log with a checkpoint", reading.listing_checkpointed),
    Case("open", "open, `version()`, `schema()`", reading.opening),
    Case("time-travel", "listing a version in the middle, against listing the latest", reading.time_travel),
    Case("sync", "`sync` of one new commit", reading.sync),
    Case("validate", "`validate`, the latest version", reading.validate),
    Case("batch", "`batch-import --parallel 2` of tables of 10 commits into PostgreSQL", lakes.batch),
    Case("serve-pages", "`serve`: a page, while an import goes on in another process", serving.latency),
    Case("serve-import", "the import, while the page is read", serving.slowdown),
    Case("planning-ducklake", "planning, against DuckLake in the same database", planning.ducklake),
)


def chosen(words: Sequence[str]) -> list[Case]:
    """The cases of these names, or whose names begin with these words; all where there are none.

    Raises:
        ValueError: a word names no case.
    """
    for word in words:
        if not any(_is_called(case, word) for case in CASES):
            raise ValueError(f"no case is called {word!r}; there are {', '.join(case.name for case in CASES)}")
    return [case for case in CASES if not words or any(_is_called(case, word) for word in words)]


def _is_called(case: Case, word: str) -> bool:
    return case.name == word or case.name.startswith(f"{word}-")
