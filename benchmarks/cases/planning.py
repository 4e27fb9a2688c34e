"""Planning against DuckLake, which keeps its metadata in SQL, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..bench import TABLE, Bench, ask_us
from ..measure import Contender, in_turn, run_once, told
from ..outcome import Outcome, duration, faster, skipped
from .reading import DAY

PACKAGES = ("duckdb-extension-ducklake", "duckdb-extension-postgres-scanner")


def ducklake(bench: Bench) -> Outcome:
    """The files for a partition and a range of ids, with a new connection."""
    at = f"{bench.files:,} active"
    libraries = bench.logs / "ducklake-libraries"
    if why := _install(libraries):
        return skipped(at, "faster", why)
    url = bench.kept(bench.checkpointed())
    where = f"day = '{DAY}' AND id >= {40 * bench.files} AND id < {60 * bench.files}"
    command = [sys.executable, "-m", "benchmarks.ducklake"]
    run_once([*command, "fill", url, TABLE], str(libraries))
    peer = Contender("DuckLake", [*command, "plan", url, TABLE, where], path=str(libraries))
    results = in_turn([ask_us("files", url, TABLE, where), peer], bench.runs)
    found, opened = results["ours"][0].told()["answer"]["files"], results["DuckLake"][0].told()["answer"]
    if f"/day={DAY}/" not in opened:
        raise RuntimeError(f"DuckLake has planned to read {opened}, which is of another day")
    first = told(results["DuckLake"], "first")
    return faster(
        1,
        told(results["ours"]),
        told(results["DuckLake"]),
        at=at,
        peer_name="DuckLake",
        note=f"`{where}`: {found:,} files; DuckLake until it opens its first file; the first time {duration(first)}; "
        "rows were added to DuckLake's metadata tables, since a million Parquet files would have to be written",
    )


def _install(libraries: Path) -> str:
    """Installs DuckLake with the duckdb that it is made for; returns why it can't."""
    if (libraries / "duckdb").exists():
        return ""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(libraries), *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"pip can't install {' and '.join(PACKAGES)} here"
