"""What Prometheus is told, asked of the catalog anew for each scrape."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from ..catalog import overview
from ..catalog.database import Database
from ..catalog.problems import KINDS, problems
from ..catalog.registry import TableStatus, now
from ..errors import DeltaLakeDBError

_QUERY_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

_TOTALS = {
    "files_processed": "Files taken in, over the whole history of all tables",
    "commits_processed": "Commits taken in",
    "log_bytes_processed": "Bytes of logs taken in",
    "active_files": "Files that the newest versions have",
    "active_bytes": "Bytes of these files",
    "tables_behind": "Tables at an older version than their logs, as the last sync saw them",
    "files_per_second": "Files that come in, over all that runs now",
    "commits_per_second": "Commits that come in, over all that runs now",
    "log_bytes_per_second": "Bytes of logs that come in, over all that runs now",
}
"""Of the whole lake. All are gauges: after a rollback there is less, and a counter may not go back."""


class Metrics:
    """The metrics of one server: what the catalog says, and what the server itself has seen.

    Args:
        database: the catalog.
        patience: seconds that it may take for a question.
    """

    def __init__(self, database: Database, patience: float) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_OfCatalog(database, patience, self))  # first: what it meets is among the errors
        self.queries = Histogram(
            "deltalakedb_query_seconds",
            "Time that the questions of a page to the catalog took",
            ["page"],
            buckets=_QUERY_SECONDS,
            registry=self._registry,
        )
        self.errors = Counter("deltalakedb_errors", "Requests that failed, by error", ["kind"], registry=self._registry)

    def text(self) -> bytes:
        """Returns all of it in Prometheus' text format."""
        return generate_latest(self._registry)


class _OfCatalog(Collector):
    """Where the catalog can't be read, that is what it says, and nothing else."""

    def __init__(self, database: Database, patience: float, seen: Metrics) -> None:
        self._database = database
        self._patience = patience
        self._seen = seen

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        begun, found, up = time.perf_counter(), [], 1.0
        try:
            with self._seen.queries.labels("metrics").time(), self._database.reading() as connection:
                self._database.dialect.limit(connection, self._patience)
                found = list(_of(connection))
        except DeltaLakeDBError as error:
            self._seen.errors.labels(type(error).__name__).inc()
            found, up = [], 0.0
        yield GaugeMetricFamily("deltalakedb_up", "Whether the catalog can be read", up)
        seconds = time.perf_counter() - begun
        yield GaugeMetricFamily("deltalakedb_collection_seconds", "Time that asking the catalog took", seconds)
        yield from found


def _of(connection: Connection) -> Iterator[Metric]:
    lake = overview.lake(connection)
    yield _by("deltalakedb_tables", "Tables by status", "status", lake["tables"])
    for name, text in _TOTALS.items():
        yield GaugeMetricFamily(f"deltalakedb_{name}", text, lake[name])
    beats = {one.table_id: _age(one) for one in overview.running(connection)}
    yield _by("deltalakedb_heartbeat_age_seconds", "Since a running import was last heard of", "table_id", beats)
    yield from _lags(overview.lags(connection))
    named = lake["validations"]
    yield _by("deltalakedb_validations", "Tables by their last validation", "result", named)
    wrong = [problem.kind for problem in problems(connection)]
    yield _by("deltalakedb_problems", "Problems by kind", "kind", {kind: wrong.count(kind) for kind in KINDS})


def _age(status: TableStatus) -> float:
    return 0.0 if status.heartbeat_at is None else (now() - status.heartbeat_at).total_seconds()


def _lags(lags: list[overview.Document]) -> Iterator[Metric]:
    at = now()
    versions = {one["table_id"]: one["versions"] for one in lags}
    yield _by("deltalakedb_lag_versions", "Versions behind the log, as the last sync saw it", "table_id", versions)
    seconds = {one["table_id"]: (at - one["moved_at"]).total_seconds() if one["versions"] > 0 else 0.0 for one in lags}
    text = "Since a table that is behind its log came to its version; 0 where it is not behind"
    yield _by("deltalakedb_lag_seconds", text, "table_id", seconds)
    ages = {one["table_id"]: (at - one["synced_at"]).total_seconds() for one in lags}
    yield _by("deltalakedb_sync_age_seconds", "Since a table was held against its log", "table_id", ages)


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
