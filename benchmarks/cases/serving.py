"""The status page while an import goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from ..bench import Bench, ours
from ..logs import Shape, make_log
from ..measure import run_once
from ..outcome import Outcome, duration

READERS = 50
_SETTLED_SECONDS = 4.0
"""Until the server and the readers have started, and everybody has asked once."""
WANTED_SECONDS, WANTED_SHARE = 0.3, 0.1
_COPIED = ("delta_files", "delta_partitions", "delta_commits", "delta_metadata", "delta_protocols", "delta_tables")
_seen: dict[int, _Seen] = {}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one run of both cases has seen: they are measured together."""

    tables: int
    adds: int
    alone: float
    watched: float
    readers: dict[str, Any]


def latency(bench: Bench) -> Outcome:
    """The median answer."""
    seen = _measured(bench)
    told, wanted = seen.readers, f"≤ {duration(WANTED_SECONDS)}"
    return Outcome(
        at=f"{seen.tables:,} tables, {READERS} readers",
        ours=duration(told["median"]),
        peer="-",
        ratio="-",
        wanted=wanted,
        reached=told["median"] <= WANTED_SECONDS,
        note=f"all ask at once every 3 s; of {told['requests']:,} requests 95% were answered within "
        f"{duration(told['p95'])}, the last within {duration(told['max'])}",
    )


def slowdown(bench: Bench) -> Outcome:
    """The import with readers, against the import without."""
    seen = _measured(bench)
    more = seen.watched / seen.alone - 1
    return Outcome(
        at=f"{seen.adds:,} adds, {READERS} readers",
        ours=duration(seen.watched),
        peer=f"{duration(seen.alone)} (without readers)",
        ratio=f"{1 + more:.2f} ×",
        wanted=f"≤ {1 + WANTED_SHARE:g} ×",
        reached=more <= WANTED_SHARE,
        seconds=(seen.watched, seen.alone),
    )


def _measured(bench: Bench) -> _Seen:
    if id(bench) not in _seen:
        _seen[id(bench)] = _measure(bench)
    return _seen[id(bench)]


def _measure(bench: Bench) -> _Seen:
    tables, adds = max(20, bench.files // 100), max(100, bench.files * 2 // 5)
    url, log = bench.database("serve"), bench.log(adds)
    _fill(url, make_log(bench.logs, Shape(20, 5), "one-of-many"), tables)
    alone, watched, told = [], [], []
    for turn in range(bench.runs + 1):
        alone.append(_import(url, log, f"alone-{turn}"))
        with _watched(url, tables) as readers:
            watched.append(_import(url, log, f"watched-{turn}"))
        told.append(readers)
        print(f"  alone {alone[-1]:.2f} s, watched {watched[-1]:.2f} s, {readers}", file=sys.stderr)
        if turn == 0:  # doesn't count
            alone.clear(), watched.clear(), told.clear()
    middle = sorted(told, key=lambda one: one["median"])[len(told) // 2]
    return _Seen(tables, adds, median(alone), median(watched), middle)


def _fill(url: str, location: Path, tables: int) -> None:
    """One table, imported; the others are copies of its rows under other names, as an hour later."""
    subprocess.run(ours("import", str(location), "--table-id", "table-0", "--database-url", url), check=True)
    with psycopg.connect(url, autocommit=True) as connection:
        for name in ("migration_status", *_COPIED):
            query = "SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) "
            query += "FROM information_schema.columns WHERE table_name = %s AND column_name <> 'table_id'"
            (columns,) = connection.execute(query, (name,)).fetchone() or ("",)
            connection.execute(
                f"INSERT INTO {name} (table_id, {columns}) SELECT 'table-' || n, {columns} "
                f"FROM {name}, generate_series(1, {tables - 1}) n WHERE table_id = 'table-0' ORDER BY n"
            )
        connection.execute("VACUUM (ANALYZE)")
        connection.execute(
            "ALTER TABLE delta_files SET (autovacuum_enabled = false)"
        )  # it would meet some imports only
        connection.execute("CHECKPOINT")


def _import(url: str, log: Path, table_id: str) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    return run_once(ours("import", str(log), "--table-id", table_id, "--database-url", url)).seconds


@contextmanager
def _watched(url: str, tables: int) -> Iterator[dict[str, Any]]:
    """Serves the catalog to the readers while the block runs; the dictionary has what they saw afterwards."""
    told: dict[str, Any] = {}
    serving = ours("serve", "--port", "0", "--database-url", url)
    with subprocess.Popen(serving, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        port = server.stderr.readline().split("/")[2].rpartition(":")[2]
        command = [sys.executable, "-m", "benchmarks.readers", port, str(READERS), str(tables)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as readers:
            time.sleep(_SETTLED_SECONDS)
            yield told
            said, _ = readers.communicate()
        server.terminate()
    told.update(json.loads(said))
