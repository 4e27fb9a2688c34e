"""The same tests for as long as one likes, led by what code an input reaches: `make fuzz`.

Each test of this folder that hypothesis drives is run by atheris in a process of its own, with bounds on memory and
time. An input that fails is written to `.fuzz/`, and the run ends with exit code 1. Last comes the comparison of all
ways to read a table (tests/comparison), which is driven by seeds.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hypothesis import given

FOLDER = Path(__file__).parent
FOUND = Path(".fuzz")
COMPARISON = "tests.comparison"
SECONDS_FOR_ONE = 60
MEBIBYTES = 3072


def targets() -> list[str]:
    """Returns the tests that hypothesis drives, as `module:function`."""
    modules = [importlib.import_module(f"tests.fuzz.{path.stem}") for path in sorted(FOLDER.glob("test_fuzz_*.py"))]
    return [
        f"{each.__name__}:{name}"
        for each in modules
        for name, test in vars(each).items()
        if hasattr(test, "hypothesis")
    ]


def run_all(seconds: int, chosen: str) -> int:
    """Runs every target for some seconds, and the comparison; prints what each tried, and what it found."""
    failed = 0
    for target in targets():
        if chosen in target:
            tried, found = _run(target, seconds)
            failed += bool(found)
            print(f"{target:<95} {tried:>9,} inputs  {found or 'nothing found'}", flush=True)
    if chosen in COMPARISON:
        command = [sys.executable, "-m", COMPARISON, "--seconds", str(seconds)]
        failed += subprocess.run(command, check=False).returncode != 0
    return 1 if failed else 0


def _run(target: str, seconds: int) -> tuple[int, str]:
    corpus = (FOUND / target.rpartition(":")[2]).resolve()  # some tests have a working folder of their own
    corpus.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    command = [sys.executable, "-m", "tests.fuzz", "--target", target, str(corpus)]
    command += [f"-max_total_time={seconds}", f"-timeout={SECONDS_FOR_ONE}", f"-rss_limit_mb={MEBIBYTES}"]
    command += ["-max_len=16384", "-len_control=0", "-print_final_stats=1", f"-artifact_prefix={corpus}/failed-"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    said = done.stdout + done.stderr
    tried = re.findall(r"number_of_executed_units: *(\d+)|^#(\d+)", said, re.MULTILINE)
    count = max((int(one or other) for one, other in tried), default=0)
    if done.returncode == 0:
        return count, ""
    (corpus / "output.txt").write_text(said)
    return count, f"FAILED after {time.monotonic() - begun:.0f} s, see {corpus}/output.txt"


def run_one(target: str, options: list[str]) -> None:
    """Hands one test to atheris; does not return."""
    import atheris

    import deltalakedb

    name, _, function = target.partition(":")
    with atheris.instrument_imports(include=["deltalakedb"], enable_loader_override=False):
        for found in pkgutil.walk_packages(deltalakedb.__path__, "deltalakedb."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
        module = importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        test = _with_fixtures(module, getattr(module, function), Path(folder))
        atheris.Setup([sys.argv[0], *options], test.hypothesis.fuzz_one_input)
        atheris.Fuzz()


def _with_fixtures(module: Any, test: Any, folder: Path) -> Any:
    """Gives a test what pytest would: its module says how to make it, in a function `made_…`."""
    inner = test.hypothesis.inner_test
    makers = {name: getattr(module, f"made_{name}", None) for name in inspect.signature(inner).parameters}
    made = {name: next(make(folder)) for name, make in makers.items() if make is not None}
    if not made:
        return test
    return given(**test.hypothesis._given_kwargs)(lambda **drawn: inner(**made, **drawn))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--target"]:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(FOUND / "hypothesis")
        run_one(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description="Fuzzing, test after test.")
    parser.add_argument("--seconds", type=int, default=60, help="for each test")
    parser.add_argument("--only", default="", help="tests with this in their name")
    asked = parser.parse_args()
    sys.exit(run_all(asked.seconds, asked.only))
