"""The same questions to a table's log and to SQL, with a watch in hand."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ..catalog.database import Database
from ..catalog.gaps import whole_from
from ..columns import Column
from ..errors import ArgumentError, LogChangedError, UnsupportedTableError, command_line
from ..log.store import Location, Store, open_store
from ..migrate.against_delta_rs import open_version, reader_name
from ..migrate.table_ids import entry_at
from ..rows import FileLifetime
from .delta_table import DeltaTable
from .opened import Opened, open_at

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
    location: Location,
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
        entry = entry_at(connection, store, table_id)
    newest = open_at(database, entry.table_id, entry.version)
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
    """What is asked; each side gives a number.

    `has_one_answer` is False where both may be right with different ones: statistics leave out what they can.
    """

    name: str
    version: int
    from_log: Callable[[], int]
    from_sql: Callable[[DeltaTable], int]
    has_one_answer: bool = True


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
        if self.question.has_one_answer and self.answer != told:
            raise LogChangedError(
                f"{self.question.name}: the log says {told}, SQL says {self.answer}",
                f"`deltalakedb validate` says what differs; `{command_line('sync', table_id)}` takes in what is new.",
            )

    def _from_sql(self, database: Database, table_id: str) -> int:
        return self.question.from_sql(DeltaTable(database, table_id=table_id, version=self.question.version))

    def operation(self) -> Operation:
        cold, warm = (self.file_based[0], self.sql[0]), (median(self.file_based[1:]), median(self.sql[1:]))
        return Operation(self.question.name, *warm, warm[0] / max(warm[1], 1e-9), *cold, self.answer)


class _Files:
    """The side of the files: a table opened anew by every call."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, version: int | None) -> Any:
        opened = open_version(self._store, version)
        if isinstance(opened, str):
            raise UnsupportedTableError(
                f"{reader_name()} does not open the table: {opened}", "There is nothing to compare SQL with."
            )
        return opened.table

    def opens(self, version: int) -> bool:
        return not isinstance(open_version(self._store, version), str)

    def active(self, version: int) -> int:
        return len(self.open(version).file_uris())

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


def _questions(newest: Opened, files: _Files) -> Iterator[_Question]:
    version, first = newest.version, whole_from(newest.entry)
    yield _Question("open_latest", version, lambda: int(files.open(version).version()), DeltaTable.version)
    yield _Question("list_files", version, lambda: files.active(version), _listed)
    if "file_pruning_predicate" in inspect.signature(type(files.open(version)).file_uris).parameters:  # from 1.6.4 on
        yield from _plans(newest, files)
    middle = (first + version) // 2
    if middle < version and files.opens(middle):
        yield _Question("time_travel", middle, lambda: files.active(middle), _listed)
    if files.tells_history(version):
        with newest.snapshot() as snapshot:
            told = len(snapshot.commits(noted=True))
        most = told if first else told + 1
        yield _Question("history", version, lambda: files.commits(version, most), lambda table: len(table.history()))


def _listed(table: DeltaTable) -> int:
    return len(table.file_uris())


def _planned(name: str, predicate: str, version: int, files: _Files, *, has_one_answer: bool) -> _Question:
    return _Question(
        name,
        version,
        lambda: files.planned(version, predicate),
        lambda table: table.files(where=predicate).num_rows,
        has_one_answer,
    )


def _plans(newest: Opened, files: _Files) -> Iterator[_Question]:
    """Yields a filter for a partition, and one for a value that statistics tell of, where the table has such."""
    sample = _any_file(newest)
    if sample is None or newest.metadata.schema_string is None:
        return
    columns = newest.table_schema.columns
    by_partition = _filter([column for column in columns if column.partition], json.loads(sample.partition_values))
    if by_partition is not None:
        yield _planned("plan_partition_filter", by_partition, newest.version, files, has_one_answer=True)
    lows = json.loads(sample.stats or "{}").get("minValues")
    by_stats = _filter([column for column in columns if not column.partition], lows)
    if by_stats is not None:
        yield _planned("plan_stats_filter", by_stats, newest.version, files, has_one_answer=False)


def _any_file(newest: Opened) -> FileLifetime | None:
    with newest.snapshot() as snapshot, closing(snapshot.files()) as files:
        return next(files, None)


def _filter(columns: list[Column], values: Any) -> str | None:
    """Returns a filter by a value that a file has, of the column that is likeliest to be filtered by."""
    wanted = [column for column in columns if len(column.path) == 1 and column.kind in _PLANNED]
    for column in sorted(wanted, key=lambda column: _PLANNED.index(column.kind)):
        value = values.get(column.physical[0]) if isinstance(values, dict) else None
        if value is not None and value != "":
            return f"{_quoted(column.path[0])} = {_literal(value, column.kind)}"
    return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: object, kind: str) -> str:
    if kind in _WHOLE or kind == "double":
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
