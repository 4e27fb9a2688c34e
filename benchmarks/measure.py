"""Whole processes, measured in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a process: wall time in seconds, what it printed, and if asked for the most memory, in bytes."""

    seconds: float
    output: bytes
    peak_bytes: int = 0

    def told(self) -> dict[str, Any]:
        """What a process printed that measures itself."""
        return dict(json.loads(self.output))


@dataclass(frozen=True, slots=True)
class Contender:
    """A command to measure; `before` makes each of its runs begin in the same state, `path` is for PYTHONPATH."""

    name: str
    command: Sequence[str]
    before: Callable[[], None] = lambda: None
    path: str = ""


def in_turn(contenders: Sequence[Contender], runs: int, *, memory: bool = False) -> Mapping[str, list[Run]]:
    """Runs all contenders in turn, `runs` times, after one round that doesn't count.

    With `memory`, a thread looks at it: that takes a tenth of a processor, at the expense of who uses all there are.
    """
    results: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for round_number in range(runs + 1):
        for contender in contenders:
            contender.before()
            os.sync()  # what the one before has left for the disk would be written at this one's expense
            run = run_once(contender.command, contender.path, memory=memory)
            if round_number:
                results[contender.name].append(run)
            print(f"  {contender.name}: {run.seconds:.2f} s", file=sys.stderr)
    return results


def run_once(command: Sequence[str], path: str = "", *, memory: bool = False) -> Run:
    """Runs a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    known = os.environ.get("PYTHONPATH", "")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(part for part in (path, known) if part)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
        peak = _Peak(process.pid) if memory else None
        process.wait()
        seconds = time.perf_counter() - begun
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {errors.read().decode()[-2000:]}")
        output.seek(0)
        return Run(seconds, output.read(), peak.stop() if peak is not None else 0)


def seconds(runs: Sequence[Run]) -> float:
    """The median wall time."""
    return median(run.seconds for run in runs)


def told(runs: Sequence[Run], what: str = "seconds") -> float:
    """The median of a number that the processes measured themselves."""
    return median(run.told()[what] for run in runs)


def peak_bytes(runs: Sequence[Run]) -> int:
    """The largest memory of all runs."""
    return max(run.peak_bytes for run in runs)


class _Peak:
    """Looks at the memory of a process tree a hundred times a second."""

    def __init__(self, pid: int) -> None:
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(pid,), daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._peak

    def _watch(self, pid: int) -> None:
        while not self._ended.wait(0.01):
            try:
                process = psutil.Process(pid)
                tree = [process, *process.children(recursive=True)]
                self._peak = max(self._peak, sum(each.memory_info().rss for each in tree))
            except psutil.Error:
                continue
