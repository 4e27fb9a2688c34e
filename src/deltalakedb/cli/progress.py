"""How far a long command has come, on stderr: a bar on a terminal, now and then a line elsewhere.

Nothing at all is shown of what takes less than a second.
"""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ..pace import seconds_left
from .logs import are_for_machines, say
from .output.human import duration, plural, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from ..catalog.copying.copy import CopyProgress
    from ..catalog.registry import TableStatus
    from ..migrate.batch import BatchProgress
    from ..migrate.told import Progress

_SILENT_SECONDS = 1.0
_LINE_EVERY_SECONDS = 5.0
_NAME_LETTERS = 18


class Display(ABC):
    """Shows things that go on at the same time, each with a name."""

    @abstractmethod
    def show(self, name: str, share: float | None, text: str) -> None:
        """Shows how far something has come: `share` from 0 to 1, None where nobody knows."""

    @abstractmethod
    def end(self, name: str) -> None:
        """Takes something away that has ended."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Prints a line that stays."""

    def close(self) -> None:  # noqa: B027 (not every display has something to close)
        """Takes everything away."""


class _Pace:
    """What each thing that is shown began with, and when: an import that goes on has a part behind it already."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, float]] = {}

    def left(self, name: str, share: float | None) -> str:
        """Returns the time that is left, for people; nothing where it is not known yet."""
        if share is None or share >= 1:
            return ""
        now = time.monotonic()
        first, begun = self._first.setdefault(name, (share, now))
        left = seconds_left((share - first) / (1 - first), now - begun)
        return "" if left is None else f"{duration(left)} left"

    def end(self, name: str) -> None:
        """Forgets a thing that has ended."""
        self._first.pop(name, None)


class _Silence(Display):
    def show(self, name: str, share: float | None, text: str) -> None:
        pass

    def end(self, name: str) -> None:
        pass

    def say(self, text: str) -> None:
        click.echo(text, err=True)


class _Lines(_Silence):
    """A line every few seconds, for logs and pipes."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._next = self._begun + _SILENT_SECONDS
        self._last = ""
        self._pace = _Pace()

    def show(self, name: str, share: float | None, text: str) -> None:
        percent = "" if share is None else f"{share:4.0%}  "
        self._last = f"{printable(name)}  {percent}{text}"
        left = self._pace.left(name, share)
        if time.monotonic() >= self._next:
            self._last += f", {left}" if left else ""
            self._print()

    def end(self, name: str) -> None:
        self._pace.end(name)

    def close(self) -> None:
        if self._last and time.monotonic() >= self._begun + _SILENT_SECONDS:
            self._print()

    def _print(self) -> None:
        click.echo(self._last, err=True)
        self._last = ""
        self._next = time.monotonic() + _LINE_EVERY_SECONDS


class _BarsOnTerminal(Display):
    """Bars that move, and leave nothing behind."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._bars: Bars = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            TextColumn("{task.fields[left]}", style="progress.remaining", markup=False),
            console=Console(file=sys.stderr, highlight=False, markup=False, emoji=False),
            transient=True,
            redirect_stdout=False,
            refresh_per_second=5,
        )
        self._tasks: dict[str, TaskID] = {}
        self._pace = _Pace()
        self._lock = threading.Lock()
        self._closed = False
        self._timer = threading.Timer(_SILENT_SECONDS, self._begin)
        self._timer.daemon = True
        self._timer.start()

    def show(self, name: str, share: float | None, text: str) -> None:
        if name not in self._tasks:
            short = printable(name)
            short = short if len(short) <= _NAME_LETTERS else f"{short[: _NAME_LETTERS - 1]}…"
            self._tasks[name] = self._bars.add_task(short, total=None, text=text, left="")
        total = None if share is None else 1.0
        left = self._pace.left(name, share)
        self._bars.update(self._tasks[name], total=total, completed=share or 0.0, text=text, left=left)

    def end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        self._pace.end(name)
        if task is not None:
            self._bars.remove_task(task)

    def say(self, text: str) -> None:
        self._bars.console.print(text, soft_wrap=True)

    def close(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._closed = True
            self._bars.stop()

    def _begin(self) -> None:
        with self._lock:
            if not self._closed:
                self._bars.start()


class _Events(Display):
    """An event every few seconds, for machines."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._next = dict[str, float]()

    def show(self, name: str, share: float | None, text: str) -> None:
        now = time.monotonic()
        if now >= self._next.setdefault(name, self._begun + _SILENT_SECONDS):
            self._next[name] = now + _LINE_EVERY_SECONDS
            say(f"{name}: {text}", step="progress", table_id=name, share=share, seconds=now - self._begun)

    def end(self, name: str) -> None:
        self._next.pop(name, None)

    def say(self, text: str) -> None:
        say(text)


@contextmanager
def display() -> Iterator[Display]:
    """Yields what suits whoever watches stderr."""
    shown = _Events() if are_for_machines() else _BarsOnTerminal() if sys.stderr.isatty() else _Lines()
    try:
        yield shown
    finally:
        shown.close()


class ImportMeter:
    """Shows one import or assessment; a listener for `import_table` and `assess`."""

    def __init__(self, shown: Display, table_id: str) -> None:
        self._display = shown
        self._begun = time.monotonic()
        self._name = table_id
        shown.show(table_id, None, "reading the log")

    def __call__(self, progress: Progress) -> None:
        """Shows the next step."""
        if progress.table_id != self._name:  # the catalog has it under another id
            self._display.end(self._name)
            self._name = progress.table_id
        self._display.show(progress.table_id, share_of(progress), said_of(progress, time.monotonic() - self._begun))


class CountMeter:
    """Shows how many of a number of equal steps are done; a listener for `validate` and `compare_performance`."""

    def __init__(self, shown: Display, name: str, noun: str) -> None:
        self._display = shown
        self._name = name
        self._noun = noun
        shown.show(name, None, "beginning")

    def __call__(self, done: int, total: int) -> None:
        """Shows the next step."""
        share = done / total if total else None
        self._display.show(self._name, share, f"{done:,} of {plural(total, self._noun)}")


class CopyMeter:
    """Shows how far a copy of a catalog is, and its comparison."""

    def __init__(self, shown: Display) -> None:
        self._display = shown

    def __call__(self, progress: CopyProgress) -> None:
        """Shows the next step."""
        self._display.show(progress.step, progress.done / progress.total, plural(progress.done, "row"))


class BatchMeter:
    """Shows a batch: the whole, what is being imported, and a line for each table that ends."""

    _WHOLE = "all tables"

    def __init__(self, shown: Display) -> None:
        self._display = shown
        self._begun: dict[str, float] = {}
        shown.show(self._WHOLE, None, "looking for tables")

    def __call__(self, progress: BatchProgress) -> None:
        """Shows the next step."""
        from .output.reports import outcome_line

        if progress.outcome is not None:
            self._display.end(progress.outcome.table_id)
            self._display.say(outcome_line(progress.outcome).plain)
        for one in progress.running:
            seconds = time.monotonic() - self._begun.setdefault(one.table_id, time.monotonic())
            self._display.show(one.table_id, share_of(one), said_of(one, seconds))
        share = progress.done / progress.total if progress.total else None
        self._display.show(self._WHOLE, share, f"{progress.done:,} of {plural(progress.total, 'table')}")


class StatusMeter:
    """Shows what runs anywhere, as the catalog has it."""

    def __init__(self, shown: Display) -> None:
        self._display = shown
        self._running: set[str] = set()

    def __call__(self, statuses: Sequence[TableStatus]) -> None:
        """Shows how things are now."""
        now = {status.table_id: status for status in statuses if status.status == "running"}
        for table_id in self._running - set(now):
            self._display.end(table_id)
        for table_id, status in now.items():
            done, total = status.commits_processed, status.commits_total or 0
            text = f"{plural(status.files_processed, 'file')}, {done:,}/{total:,} commits"
            self._display.show(table_id, status.share, text)
        self._running = set(now)


def share_of(progress: Progress) -> float | None:
    """Returns how much of a log has been read, from 0 to 1."""
    if progress.bytes_total:
        return min(1.0, progress.bytes / progress.bytes_total)
    return progress.commits / progress.commits_total if progress.commits_total else None


def said_of(progress: Progress, seconds: float) -> str:
    """Returns how far an import has come and how fast, in few words."""
    text = f"{plural(progress.files, 'file')}, {progress.commits:,}/{progress.commits_total:,} commits"
    if seconds < _SILENT_SECONDS:
        return text
    return f"{text}, {progress.files / seconds:,.0f} files/s"
