"""The same questions to a table's log and to SQL, with a watch in hand."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.planning import active_files, any_file, files_of_partition, files_with_value
from ..catalog.snapshot import Snapshot, snapshot
from ..errors import ArgumentError, LogChangedError, UnsupportedTableError
from ..log.store import Store, open_store
from .against_delta_rs import open_version, reader_name
from .files_against_delta_rs import physical_names
from .validate import entry_at

Listener = Callable[[int, int], None]
"""Gets how many measurements are done, and how many there are."""

_WHOLE = frozenset({"byte", "short", "integer", "long"})
_PLANNED = ("long", "integer", "short", "byte", "date", "double", "string")
"""Types of columns that a filter can be written for, the likelier to be filtered by first."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One question. Times are medians, in seconds, from nothing to the answer; `cold` ones are those of a first run.

    `answer` is what both sides said: a number of files, of commits, or a version.
    """

    name: str
    file_based_seconds: float
    sql_seconds: float
    speedup: float
    file_based_cold_seconds: float
    sql_cold_seconds: float
    answer: int


@dataclass(frozen=True, slots=True)
class PerformanceReport:
    """How long the log and SQL take for the same answers. `reader` is what read the log."""

    table_id: str
    reader: str
    operations: tuple[Operation, ...]


def compare_performance(
    database: Database,
    location: str,
    table_id: str | None = None,
    *,
    repeat: int = 5,
    listener: Listener | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> PerformanceReport:
    """Measures what a reader that starts from nothing waits for: from the log by delta-rs, and from SQL.

    Both sides take turns. The first run of each is cold, for SQL with a new connection; then each runs `repeat` times
    more, of which the median counts. The log is opened every time, SQL keeps its connection: that is how each is used.
    Operations that the table does not allow (no partition, a single version) are left out.

    Raises:
        TableNotFoundError, ImportIncompleteError: the catalog has no such table, or not all of it.
        ArgumentError: the table was imported from another location, or `repeat` is below 1.
        UnsupportedTableError: delta-rs does not open the table.
        LogChangedError: the two sides do not give the same answer.
    """
    if repeat < 1:
        raise ArgumentError(f"It takes at least 1 measurement, not {repeat}")
    store = open_store(location, storage_options)
    with database.reading() as connection:
        entry = entry_at(connection, store.location, table_id)
        newest = snapshot(connection, entry)
        questions = list(_questions(newest, _Files(store)))
    measurements = [_Measurement(question) for question in questions]
    done, total = 0, len(questions) * (repeat + 1)
    for _ in range(repeat + 1):
        for measurement in measurements:
            measurement.run(database, entry.table_id)
            done += 1
            if listener is not None:
                listener(done, total)
    return PerformanceReport(entry.table_id, reader_name(), tuple(one.operation() for one in measurements))


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked; each side gives a number, which must be the same."""

    name: str
    version: int
    from_log: Callable[[], int]
    from_sql: Callable[[Snapshot], int]


@dataclass(slots=True)
class _Measurement:
    """A question and how long its answers took, the cold run first."""

    question: _Question
    answer: int = 0
    file_based: list[float] = field(default_factory=list)
    sql: list[float] = field(default_factory=list)

    def run(self, database: Database, table_id: str) -> None:
        begun = time.perf_counter()
        told = self.question.from_log()
        self.file_based.append(time.perf_counter() - begun)
        if not self.sql:
            database.close()
        begun = time.perf_counter()
        self.answer = self._from_sql(database, table_id)
        self.sql.append(time.perf_counter() - begun)
        if self.answer != told:
            raise LogChangedError(
                f"{self.question.name}: the log says {told}, SQL says {self.answer}",
                f"`deltalakedb validate` says what differs; `deltalakedb sync {table_id}` takes in what is new.",
            )

    def _from_sql(self, database: Database, table_id: str) -> int:
        with database.reading() as connection:
            entry = registry.readable(connection, table_id)
            return self.question.from_sql(snapshot(connection, entry, self.question.version))

    def operation(self) -> Operation:
        cold, warm = (self.file_based[0], self.sql[0]), (median(self.file_based[1:]), median(self.sql[1:]))
        return Operation(self.question.name, *warm, warm[0] / max(warm[1], 1e-9), *cold, self.answer)


class _Files:
    """The side of the files: a table opened anew by every call."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, version: int | None) -> Any:
        table = open_version(self._store, version)
        if isinstance(table, str):
            raise UnsupportedTableError(
                f"{reader_name()} does not open the table: {table}", "There is nothing to compare SQL with."
            )
        return table

    def opens(self, version: int) -> bool:
        return not isinstance(open_version(self._store, version), str)

    def active(self, version: int) -> int:
        return len(self.open(version).file_uris())

    def without_statistics(self, version: int) -> int:
        """Files without a number of records: delta-rs does not see statistics that a checkpoint has as structs only."""
        counts = self.open(version).get_add_actions()["num_records"].to_pylist()
        return sum(1 for count in counts if count is None)

    def planned(self, version: int, predicate: str) -> int:
        return len(self.open(version).file_uris(file_pruning_predicate=predicate))

    def tells_history(self, version: int) -> bool:
        """Tells whether delta-rs has a history that ends with a version.

        It has none where an action is unknown to it, and always that of the newest version.
        """
        from deltalake.exceptions import DeltaError

        newest = self.open(None)
        try:
            newest.history()
        except DeltaError:
            return False
        return bool(newest.version() == version)

    def commits(self, version: int, most: int) -> int:
        """Commits that say who made them. Below the log's floor there may be more, which the catalog leaves out."""
        return len(self.open(version).history()[:most])


def _questions(newest: Snapshot, files: _Files) -> Iterator[_Question]:
    version, first = newest.version, newest.entry.first_version
    yield _Question("open_latest", version, lambda: int(files.open(version).version()), _opened)
    yield _Question("list_files", version, lambda: files.active(version), _listed)
    if "file_pruning_predicate" in inspect.signature(type(files.open(version)).file_uris).parameters:  # from 1.6.4 on
        yield from _plans(newest, files)
    middle = (first + version) // 2
    if middle < version and files.opens(middle):
        yield _Question("time_travel", middle, lambda: files.active(middle), _listed)
    told = _told(newest)
    most = told if first else told + 1
    if files.tells_history(version):
        yield _Question("history", version, lambda: files.commits(version, most), _told)


def _opened(at: Snapshot) -> int:
    at.metadata(), at.protocol()
    return at.version


def _listed(at: Snapshot) -> int:
    return len(active_files(at))


def _without_statistics(at: Snapshot) -> int:
    return sum(1 for file in at.files() if file.num_records is None)


def _told(at: Snapshot) -> int:
    return sum(1 for commit in at.commits() if commit.commit_info is not None)


def _plans(newest: Snapshot, files: _Files) -> Iterator[_Question]:
    """Yields a filter for a partition, and one for a value that statistics tell of, where the table has such."""
    version, sample = newest.version, any_file(newest)
    if sample is None:
        return
    partition = _partition_filter(newest, json.loads(sample.partition_values))
    if partition is not None:
        predicate, column, value = partition
        yield _Question(
            "plan_partition_filter",
            version,
            lambda: files.planned(version, predicate),
            lambda at: len(files_of_partition(at, column, value)),
        )
    stats = _stats_filter(newest, json.loads(sample.stats or "{}"))
    if stats is not None and files.without_statistics(version) == _without_statistics(newest):
        by_stats, name, bound = stats
        yield _Question(
            "plan_stats_filter",
            version,
            lambda: files.planned(version, by_stats),
            lambda at: len(files_with_value(at, name, bound)),
        )


def _partition_filter(newest: Snapshot, values: dict[str, str | None]) -> tuple[str, str, str] | None:
    """Returns a filter by a partition's value, and the column and the value as the log has them."""
    for name, physical, kind in _columns(newest, partitions=True):
        value = values.get(physical)
        if value:
            return f"{_quoted(name)} = {_literal(value, kind)}", physical, value
    return None


def _stats_filter(newest: Snapshot, stats: dict[str, Any]) -> tuple[str, str, float | str] | None:
    """Returns a filter by a value that some file begins with, and the column and the value as the log has them."""
    lows = stats.get("minValues")
    for name, physical, kind in _columns(newest, partitions=False):
        value = lows.get(physical) if isinstance(lows, dict) else None
        if value is not None:
            return f"{_quoted(name)} = {_literal(value, kind)}", physical, value
    return None


def _columns(newest: Snapshot, *, partitions: bool) -> Iterator[tuple[str, str, str]]:
    """Yields the columns that a filter can be written for: name, name in the log, type."""
    metadata = newest.metadata()
    if metadata is None or metadata.schema_string is None:
        return
    names = set(json.loads(metadata.partition_columns or "[]"))
    physical = physical_names(newest)
    fields = json.loads(metadata.schema_string)["fields"]
    wanted = [f for f in fields if f["type"] in _PLANNED and (f["name"] in names) == partitions]
    for one in sorted(wanted, key=lambda f: _PLANNED.index(f["type"])):
        yield one["name"], physical.get(one["name"], one["name"]), one["type"]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: object, kind: str) -> str:
    if kind in _WHOLE or kind == "double":
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
