"""docs/benchmarks.md and docs/benchmarks.json: what was measured, and when. A partial run changes its own rows only."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg

from .outcome import Outcome

DATA, PAGE = "benchmarks.json", "benchmarks.md"
Known = dict[str, dict[str, Any]]
"""The last outcome of each case, by its name, with the run that it is of."""

_HEAD = """# Benchmarks

This page is written by the benchmarks themselves: `make bench`. It takes `ARGS="--only import files --files 1000000
--runs 5 --logs FOLDER"`; a row that is measured again replaces the old one.

The logs are made by `benchmarks/logs.py`: nine columns with statistics, a tenth as many removes as adds, a hundred adds
a commit, partitioned by date; no data files. Ours and the peer take turns, after a round that doesn't count, and
medians are compared. Imports, `validate` and memory are those of whole processes. What is asked of an imported table is
timed in a fresh process, from connecting to the answer, the second time it is asked; delta-rs opens the log every time,
as a new reader must. PostgreSQL is a server as it comes, `fsync` and all, on the same machine; so is MariaDB, but for a
buffer pool of 1 GB. What is wanted is wanted at 1,000,000 adds, in 10,000 commits.
"""


def read(folder: Path) -> Known:
    """What earlier runs have found."""
    path = folder / DATA
    return dict(json.loads(path.read_text())) if path.exists() else {}


def record(folder: Path, known: Known, name: str, work: str, outcome: Outcome, run: Mapping[str, str]) -> None:
    """Puts an outcome in its place, and writes both files."""
    known[name] = {"work": work, **asdict(outcome), "run": dict(run)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DATA).write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")


def write_page(folder: Path, known: Known, order: list[str]) -> None:
    """Writes the page; rows in the order of the cases."""
    rows = [known[name] for name in order if name in known]
    runs = [row["run"] for row in rows]
    parts = [_HEAD, *_pictures(folder), "## Results\n", _table(rows), *_notes(known, order), "## Runs\n", _runs(runs)]
    (folder / PAGE).write_text("\n".join(parts))


def describe_run(server: str, runs: int) -> dict[str, str]:
    """The machine, the versions, the command and the day."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    with psycopg.connect(server) as connection:
        postgresql = connection.info.server_version // 10000
    libraries = ("deltalake", "pyarrow", "psycopg", "SQLAlchemy")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": " ".join(["python -m benchmarks", *_without_folders(sys.argv[1:])]),
        "runs": str(runs),
        "machine": f"{os.cpu_count()} processors, {psutil.virtual_memory().total / 2**30:.0f} GiB of memory, "
        f"{platform.system()} {platform.machine()}",
        "versions": ", ".join(
            [
                f"deltalakedb {version('deltalakedb')} ({commit.stdout.strip() or 'no commit'})",
                f"Python {platform.python_version()}",
                f"PostgreSQL {postgresql}",
                *(f"{name} {version(name)}" for name in libraries),
            ]
        ),
    }


def _table(rows: list[dict[str, Any]]) -> str:
    names = ("work", "at", "ours", "peer", "ratio", "wanted")
    lines = [f"| {' | '.join(names)} | reached |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        reached = {True: "yes", False: "**no**", None: "not measured"}[row["reached"]]
        lines.append(f"| {' | '.join(row[name] for name in names)} | {reached} |")
    return "\n".join(lines) + "\n"


def _notes(known: Known, order: list[str]) -> list[str]:
    lines = [f"- {known[name]['work']}: {known[name]['note']}" for name in order if known.get(name, {}).get("note")]
    return ["Notes:\n", "\n".join(lines) + "\n"] if lines else []


def _pictures(folder: Path) -> list[str]:
    told = {
        "benchmarks-growth.svg": "Seconds of an import over the adds of the log, with delta-rs' open beside",
        "benchmarks-comparison.svg": "Seconds of ours and of the peer for each row, on a logarithmic scale",
    }
    return [f"![{text}]({name})\n" for name, text in told.items() if (folder / name).exists()]


def _runs(runs: list[dict[str, str]]) -> str:
    lines = [
        f"- {run['date']}: `{run['command']}`, medians of {run['runs']} runs. {run['machine']}. {run['versions']}."
        for run in {tuple(run.items()): run for run in runs}.values()
    ]
    return "\n".join(lines) + "\n"


def _without_folders(arguments: list[str]) -> list[str]:
    """The arguments without folders, which are of one machine only."""
    kept, skip = [], False
    for argument in arguments:
        name = argument.partition("=")[0]
        if not skip and name not in ("--logs", "--results"):
            kept.append(argument)
        skip = argument in ("--logs", "--results")
    return kept
