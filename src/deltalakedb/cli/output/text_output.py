"""Results for people: a verdict first, then what it rests on, in 80 columns on a terminal and uncut in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ...errors import command_line
from . import listings, reports
from .base import Output
from .human import plural, printable, versions
from .layout import card, cell, fact, is_terminal, line, mark, show, stdout, table, title

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from ...catalog.copying.copy import CopyReport
    from ...catalog.events import Event
    from ...catalog.grants import Grants
    from ...catalog.registry import TableStatus
    from ...catalog.snapshot import Snapshot
    from ...migrate.assess import Assessment
    from ...migrate.batch import BatchReport
    from ...migrate.discover import FoundTable
    from ...migrate.export import ExportReport
    from ...migrate.importer import ImportReport
    from ...migrate.rollback import RollbackCheck, RollbackReport
    from ...migrate.validate import ValidationReport
    from ...table.compare import PerformanceReport
    from ...table.opened import Opened
    from ..checked import CheckReport
    from ..failures import Failure
    from ..settings import Setting
    from ..synced import SyncReport


class TextOutput(Output):
    """Prints for people."""

    def failed(self, failure: Failure) -> None:
        console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
        line(console, Text("Error: ", "bold red").append(printable(failure.message), "not bold default"))
        if failure.hint is not None:
            line(console, Text("hint: ", "dim").append(printable(failure.hint), "not dim"))

    def discovered(self, tables: Iterable[FoundTable]) -> int:
        return _table_of_found(tables) if is_terminal() else _lines_of_found(tables)

    def imported(self, report: ImportReport | Assessment, where: str) -> None:
        reports.imported(stdout(), report, where)

    def batch_imported(self, report: BatchReport) -> None:
        reports.batch_imported(stdout(), report)

    def validated(self, report: ValidationReport) -> None:
        reports.validated(stdout(), report)

    def compared(self, report: PerformanceReport) -> None:
        reports.compared(stdout(), report)

    def statuses(self, statuses: Sequence[TableStatus], *, detailed: bool) -> None:
        console = stdout()
        if detailed:
            for status in statuses:
                card(console, *listings.status_card(status))
        else:
            listings.statuses(console, statuses)

    def rollback_checked(self, check: RollbackCheck) -> None:
        console = stdout()
        verdict = "can be rolled back" if check.can_rollback else "can't be rolled back safely"
        line(console, title("ok" if check.can_rollback else "bad", check.table_id, verdict))
        width = max((len(one.name) for one in check.checks), default=0)
        for one in check.checks:
            sign = mark("ok" if one.ok else "bad")
            fact(console, Text("  ").append_text(sign).append(f" {one.name:{width}}  ", ""), one.detail)
        if check.can_rollback:
            said = Text(f"\n  What `{printable(command_line('rollback', check.table_id))}` does:", "dim")
        else:
            said = Text("\n  By hand, which loses for good what SQL alone has (`export` keeps it):", "yellow")
        line(console, said)
        for statement in check.statements:
            line(console, f"    {printable(statement)}")

    def rolled_back(self, report: RollbackReport) -> None:
        reports.rolled_back(stdout(), report)

    def exported(self, report: ExportReport) -> None:
        reports.exported(stdout(), report)

    def synced(self, report: SyncReport) -> None:
        reports.synced(stdout(), report)

    def checked(self, report: CheckReport) -> None:
        console = stdout()
        for problem in report.problems:
            words = f"{problem.kind.replace('_', ' ')}: {' '.join(problem.message.split())}"
            line(console, title("bad", problem.table_id or "the catalog", words))

    def files(self, opened: Opened, snapshot: Snapshot, where: ColumnElement[bool] | None = None) -> None:  # noqa: ARG002
        listings.files(stdout(), snapshot, where)

    def indexed(self, table_id: str, columns: Sequence[str]) -> None:  # noqa: ARG002 (asked for by name)
        listings.names(stdout(), columns)

    def granted(self, found: Grants) -> None:
        listings.granted(stdout(), found)

    def upgraded(self, where: str, schema_version: int) -> None:
        line(stdout(), title("ok", where, f"has schema version {schema_version}"))

    def copied(self, report: CopyReport) -> None:
        reports.copied(stdout(), report)

    def configured(self, path: Path | None, settings: Sequence[Setting]) -> None:  # noqa: ARG002 (in the settings)
        listings.settings(stdout(), settings)

    def history(self, snapshot: Snapshot, limit: int | None) -> None:
        listings.history(stdout(), snapshot.commits(limit))

    def events(self, events: Sequence[Event]) -> None:
        listings.events(stdout(), events)


def _lines_of_found(tables: Iterable[FoundTable]) -> int:
    """One location a line, letter by letter as it is: for `xargs`, and for `batch-import --from-file`."""
    count = 0
    for found in tables:
        sys.stdout.write(found.location + "\n")
        count += 1
    return count


def _table_of_found(tables: Iterable[FoundTable]) -> int:
    grid = table("table", "versions", "location", right=("versions",), fold=("table", "location"))
    for found in tables:
        span = cell(versions(found.first_version, found.version)) if found.problem is None else cell("broken", "red")
        grid.add_row(cell(found.table_id, "bold"), span, cell(found.location))
    if grid.row_count:
        console = stdout()
        show(console, grid)
        line(console, Text(f"\n{plural(grid.row_count, 'table')}", "dim"))
    return grid.row_count
