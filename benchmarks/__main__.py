"""The benchmarks as a command: `python -m benchmarks [--only import files] [--files 1000000] [--runs 5]`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from . import results
from .bench import Bench
from .cases import CASES, Case, chosen
from .outcome import Outcome
from .server import postgresql

ROOT = Path(__file__).parents[1]
DOCS, QUICK_DOCS = ROOT / "docs", ROOT / "build" / "benchmarks"


def main() -> None:
    """Measures the chosen cases, prints each as it ends, and writes it down at once."""
    options = _options()
    folder = options.results or (QUICK_DOCS if options.quick else DOCS)
    with tempfile.TemporaryDirectory(prefix="bench-") as work, postgresql() as server:
        logs = options.logs or Path(work) / "logs"
        bench = Bench(options.files, options.runs, logs.resolve(), Path(work).resolve(), server)
        known, run = results.read(folder), results.describe_run(server, options.runs)
        for case in options.cases:
            outcome = case.run(bench)
            print(_line(case, outcome), flush=True)
            results.record(folder, known, case.name, case.work, outcome, run)
            _write_down(folder, known)  # at once: a later case may fail
    print(f"\nwritten: {folder / results.PAGE}")


def _options() -> argparse.Namespace:
    names = ", ".join(case.name for case in CASES)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", epilog=f"Cases: {names}.")
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help="names of cases, or how they begin")
    parser.add_argument("--files", type=int, help="adds in the log  [default: 1000000]")
    parser.add_argument("--runs", type=int, help="runs that count  [default: 5]")
    parser.add_argument("--logs", type=Path, help="a folder that keeps the logs for the next time")
    parser.add_argument("--results", type=Path, help="where the page and the pictures go  [default: docs]")
    parser.add_argument("--quick", action="store_true", help="small sizes and one run, into build/benchmarks")
    options = parser.parse_args()
    options.files = options.files or (2_000 if options.quick else 1_000_000)
    options.runs = options.runs or (1 if options.quick else 5)
    try:
        options.cases = chosen(options.only)
    except ValueError as error:
        parser.error(str(error))
    return options


def _line(case: Case, outcome: Outcome) -> str:
    reached = {True: "reached", False: "NOT reached", None: outcome.note}[outcome.reached]
    told = f"{outcome.ours} · {outcome.peer} · {outcome.ratio} · wanted {outcome.wanted} · {reached}"
    return f"{case.name} ({outcome.at}): {told}"


def _write_down(folder: Path, known: results.Known) -> None:
    from . import pictures

    order = [case.name for case in CASES]
    pictures.draw(folder, known, order)
    results.write_page(folder, known, order)


if __name__ == "__main__":
    main()
