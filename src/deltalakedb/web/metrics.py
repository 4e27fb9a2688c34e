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
from ..catalog.registry import now
from ..errors import DeltaLakeDBError


class Metrics:
    """The metrics of one server: what the catalog says, and what the server itself has seen."""

    def __init__(self, database: Database) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_OfCatalog(database))
        self.queries = Histogram(
            "deltalakedb_query_seconds", "Time that a page's questions took", ["page"], registry=self._registry
        )
        self.errors = Counter("deltalakedb_errors", "Requests that failed, by error", ["kind"], registry=self._registry)

    def text(self) -> bytes:
        """Returns all of it in Prometheus' text format."""
        return generate_latest(self._registry)


class _OfCatalog(Collector):
    """Where the catalog can't be read, that is what it says, and nothing else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        begun, found, up = time.perf_counter(), [], 1.0
        try:
            with self._database.reading() as connection:
                found = list(_of(connection))
        except DeltaLakeDBError:
            found, up = [], 0.0
        yield GaugeMetricFamily("deltalakedb_up", "Whether the catalog can be read", up)
        seconds = time.perf_counter() - begun
        yield GaugeMetricFamily("deltalakedb_collection_seconds", "Time that asking the catalog took", seconds)
        yield from found


def _of(connection: Connection) -> Iterator[Metric]:
    lake = overview.lake(connection)
    yield _by("deltalakedb_tables", "Tables by status", "status", lake["tables"])
    yield GaugeMetricFamily("deltalakedb_files_processed", "Files in the catalog's history", lake["files_processed"])
    yield GaugeMetricFamily("deltalakedb_commits_processed", "Commits taken in", lake["commits_processed"])
    beats = {one["table_id"]: one["heartbeat_age_seconds"] or 0.0 for one in lake["running"]}
    yield _by("deltalakedb_heartbeat_age_seconds", "Since a running import was last heard of", "table_id", beats)
    lags = overview.lags(connection)
    versions = {one["table_id"]: one["versions"] for one in lags}
    yield _by("deltalakedb_lag_versions", "Versions behind the log at the last sync", "table_id", versions)
    seconds = {one["table_id"]: (now() - one["synced_at"]).total_seconds() for one in lags}
    yield _by("deltalakedb_sync_age_seconds", "Since a table was held against its log", "table_id", seconds)
    results = overview.validation_results(connection)
    named = {"valid": results[True], "different": results[False]}
    yield _by("deltalakedb_validations", "Tables by their last validation", "result", named)
    wrong = [problem.kind for problem in problems(connection)]
    yield _by("deltalakedb_problems", "Problems by kind", "kind", {kind: wrong.count(kind) for kind in KINDS})


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
