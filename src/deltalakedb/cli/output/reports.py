"""What imports, syncs, validations, comparisons and rollbacks did, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...migrate.differences import CHECKPOINT, UNKNOWN_FEATURE
from ..synced import SyncedTable
from .human import counted_rows, duration, plural, printable, size, speaks_unicode, versions
from .layout import card, cell, fact, line, mark, show, table, title

if TYPE_CHECKING:
    from ...catalog.copying.copy import CopyReport
    from ...migrate.assess import Assessment
    from ...migrate.batch import BatchReport
    from ...migrate.export import ExportReport
    from ...migrate.importer import ImportReport
    from ...migrate.rollback import RollbackReport
    from ...migrate.validate import Difference, ValidationReport
    from ...table.compare import PerformanceReport
    from ..synced import SyncReport, UnsyncedTable

_DIFFERENCES_SHOWN = 20
_VALUE_LETTERS = 200
_BAR_LETTERS = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"


# ---- import


def imported(console: Console, report: ImportReport | Assessment, where: str) -> None:
    """Prints what an import did, or would do."""
    facts = [
        ("versions", f"{versions(report.first_version, report.version)} ({plural(report.commits, 'commit')})"),
        ("files", f"{report.files_processed:,}, of which {report.active_files:,} are active"),
        *_estimates(report),
        ("location", report.location),
        ("database", where),
    ]
    if report.dry_run:
        head = title("note", f"{report.table_id}:", f"{report.status} (dry run: nothing was changed)")
    else:
        done = "up to date" if report.resumed else "imported"
        head = title("ok", f"{report.table_id}:", f"{done} in {duration(report.duration_seconds)}")
    card(console, head, facts)


def _estimates(report: Any) -> Iterator[tuple[str, str]]:
    if not report.dry_run:
        return
    yield "log", f"{size(report.log_bytes)}, read in {duration(report.duration_seconds)}"
    yield (
        "estimate",
        f"about {duration(report.estimated_seconds)}, and {size(report.estimated_bytes)} in the database",
    )
    if report.features:
        yield "features", ", ".join(report.features)


# ---- batch-import and sync


def batch_imported(console: Console, report: BatchReport) -> None:
    """Prints a line a table, and the sums."""
    from ...migrate.batch import ExcludedTable

    tables = [one for one in report.tables if not isinstance(one, ExcludedTable)]
    assessed: list[Any] = [one for one in tables if _is_assessed(one)]
    if tables:
        show(console, _assessments(tables) if assessed else _outcomes(tables))
        console.print()
    for one in tables:
        if one.status == "failed":
            line(console, outcome_line(one))
    for place in report.not_listed:
        line(console, title("bad", place.location, f"not looked at: {place.error}"))
    for found in assessed:
        for warning in found.warnings:
            line(console, title("bad", f"{found.table_id}:", warning))
    if assessed:
        _lake(console, assessed)
    word = "assessed, nothing was changed" if assessed else "done"
    counts = [(report.completed, word), (report.skipped - report.excluded, "skipped"), (report.excluded, "excluded")]
    said = ", ".join(f"{count:,} {word}" for count, word in (*counts, (report.failed, "failed")) if count)
    places = f"; {plural(len(report.not_listed), 'folder')} not looked at" if report.not_listed else ""
    line(console, Text(f"{plural(len(report.tables), 'table')}{': ' if said else ''}{said}{places}", "bold"))


def _outcomes(tables: Sequence[Any]) -> Table:
    grid = table("", "table", "versions", "files", "time", right=("versions", "files", "time"), fold=("table",))
    for one in tables:
        grid.add_row(*_outcome_cells(one))
    return grid


def _is_assessed(one: Any) -> bool:
    return getattr(one, "dry_run", False) is True


def _assessments(tables: Sequence[Any]) -> Table:
    numbers = ("versions", "files", "log", "time", "in SQL")
    grid = table("", "table", *numbers, "features", right=numbers, fold=("table", "features"))
    for one in tables:
        if _is_assessed(one):
            values = (
                versions(one.first_version, one.version),
                f"{one.files_processed:,}",
                size(one.log_bytes),
                duration(one.estimated_seconds),
                size(one.estimated_bytes),
                ", ".join(one.features),
            )
            grid.add_row(mark("bad" if one.warnings else "note"), cell(one.table_id, "bold"), *map(cell, values))
        else:
            grid.add_row(*_outcome_cells(one))
    return grid


def _lake(console: Console, assessed: Sequence[Assessment]) -> None:
    """Prints what the tables of a dry run come to."""
    features = sorted({name for one in assessed for name in one.features})
    commits, files = sum(one.commits for one in assessed), sum(one.files_processed for one in assessed)
    seconds, in_sql = sum(one.estimated_seconds for one in assessed), sum(one.estimated_bytes for one in assessed)
    facts = [
        ("commits", f"{commits:,}"),
        ("files", f"{files:,}, of which {sum(one.active_files for one in assessed):,} are active"),
        ("logs", size(sum(one.log_bytes for one in assessed))),
        ("features", ", ".join(features) or "none beyond the basic ones"),
        ("estimate", f"about {duration(seconds)} one after another, and {size(in_sql)} in the database"),
    ]
    card(console, Text("in total", "bold"), facts)


def _outcome_cells(one: Any) -> list[Text]:
    name = cell(one.table_id, "bold")
    if hasattr(one, "error"):
        failed = one.status == "failed"
        return [
            mark("bad" if failed else "note"),
            name,
            cell(one.status, "red" if failed else "dim"),
            cell(""),
            cell(""),
        ]
    numbers = [versions(one.first_version, one.version), f"{one.files_processed:,}", duration(one.duration_seconds)]
    return [mark("note" if one.dry_run else "ok"), name, *map(cell, numbers)]


def outcome_line(one: Any) -> Text:
    """Returns what became of a table, on one line, for whoever watches a batch."""
    if hasattr(one, "error"):
        return title("bad" if one.status == "failed" else "note", f"{one.table_id}:", f"{one.status}: {one.error}")
    span = f"versions {versions(one.first_version, one.version)}, {plural(one.files_processed, 'file')}"
    said = f"{one.status}: {span}" if one.dry_run else f"{span} in {duration(one.duration_seconds)}"
    return title("note" if one.dry_run else "ok", f"{one.table_id}:", said)


def synced(console: Console, report: SyncReport) -> None:
    """Prints a line a table."""
    for one in report.tables:
        line(console, _synced_line(one))


def _synced_line(one: SyncedTable | UnsyncedTable) -> Text:
    if not isinstance(one, SyncedTable):
        if one.from_version is None:
            return title("bad", f"{one.table_id}:", one.error)
        return title("bad", one.table_id, f"stays at version {one.from_version:,}: {one.error}")
    report, new = one.report, one.report.version - one.from_version
    if not new:
        return title("ok", report.table_id, f"is up to date at version {report.version:,}")
    gone = [gap for gap in report.gaps if gap.floor > one.from_version]
    new -= sum(gap.last_version - gap.first_version + 1 for gap in gone)
    came = f"{plural(new, 'new version')}, {versions(one.from_version + 1, report.version)}"
    without = "".join(f" ({gap})" for gap in gone)
    return title("ok", report.table_id, f"took in {came}{without}, in {duration(report.duration_seconds)}")


# ---- validate


def validated(console: Console, report: ValidationReport) -> None:
    """Prints the verdict, then the differences one by one."""
    checked = f"{plural(report.versions_checked, 'version')} checked with {report.reader}"
    if report.valid:
        line(console, title("ok", report.table_id, f"is equal to its log at version {report.version:,}"))
        fact(console, Text("  "), checked)
        return
    count = len(report.differences)
    line(console, title("bad", report.table_id, _verdict(report)))
    fact(console, Text("  "), checked)
    for one in report.differences[:_DIFFERENCES_SHOWN]:
        _difference(console, one)
    if count > _DIFFERENCES_SHOWN:
        line(console, Text(f"\n  … and {count - _DIFFERENCES_SHOWN:,} more (--output json has them all)", "dim"))


def _verdict(report: ValidationReport) -> str:
    unknown = [str(one.expected) for one in report.differences if one.kind == UNKNOWN_FEATURE]
    if len(unknown) == len(report.differences):
        return f"can't be called equal to its log: {', '.join(unknown)} is not known here"
    return f"differs from its log: {plural(len(report.differences), 'difference')}"


def _difference(console: Console, one: Difference) -> None:
    head = Text(f"\n  version {one.version:,}  ").append(printable(one.kind), "bold yellow")
    line(console, head.append(f"  {printable(one.path)}" if one.path else ""))
    if one.kind == UNKNOWN_FEATURE:
        text = f"{printable(str(one.expected))} keeps it from being known which files the table has"
        line(console, Text(f"    {text}").append(_of_source(one), "dim"))
        return
    if one.kind == CHECKPOINT:
        values = (("checkpoint", _said(one.expected), ""), ("commits", _said(one.actual), "  (as SQL)"))
    else:
        values = (("in the log", _shortened(one.expected), _of_source(one)), ("in SQL", _shortened(one.actual), ""))
    for name, value, source in values:
        line(console, Text(f"    {name:10}  ", "dim").append(value, "not dim").append(source, "dim"))


def _said(side: Any) -> str:
    """Returns what a checkpoint, or the commits that it stands for, say of a path."""
    vectors = ", ".join(side.get("deletion_vectors", ()))
    has = "has it" if side["active"] else "doesn't have it"
    return printable(
        f"{side['file'] or 'no file of the log'} {has}{f' (deletion vector {vectors})' if vectors else ''}"
    )


def _of_source(one: Difference) -> str:
    return f"  ({printable(one.source)})" if one.source else ""


def _shortened(value: object) -> str:
    text = "nothing" if value is None else printable(str(value))
    return text if len(text) <= _VALUE_LETTERS else f"{text[:_VALUE_LETTERS]}…"


# ---- performance-compare


def compared(console: Console, report: PerformanceReport) -> None:
    """Prints times side by side, with a bar for how many times faster SQL is."""
    line(console, title(None, report.table_id, f"from its log ({report.reader}) and from SQL"))
    console.print()
    grid = table("operation", "log", "SQL", "speed-up", "", right=("log", "SQL", "speed-up"))
    longest = max((one.speedup for one in report.operations), default=1.0)
    for one in report.operations:
        style = "green" if one.speedup >= 1 else "yellow"
        grid.add_row(
            cell(one.name.replace("_", " ")),
            cell(duration(one.file_based_seconds)),
            cell(duration(one.sql_seconds)),
            cell(_times(one.speedup), f"bold {style}"),
            Text(_bar(one.speedup / longest), style),
        )
    show(console, grid)


def _times(speedup: float) -> str:
    digits = 0 if speedup >= 100 else 1 if speedup >= 10 else 2
    return f"{speedup:,.{digits}f}x"


def _bar(share: float) -> str:
    if not speaks_unicode():
        return "#" * max(1, round(share * _BAR_LETTERS))
    whole, rest = divmod(max(1, round(share * _BAR_LETTERS * 8)), 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


# ---- rollback


def rolled_back(console: Console, report: RollbackReport) -> None:
    """Prints what is gone, or would be, and that the table is still there."""
    dry = report.status == "dry run"
    head = title(
        "note" if dry else "ok",
        report.table_id,
        "would be forgotten (dry run: nothing was changed)" if dry else "is forgotten; its log is as it was",
    )
    facts = [("rows", counted_rows(report.deleted)), ("location", report.location)]
    if report.opened_version is not None:
        facts.append(("log", f"opens at version {report.opened_version:,} without the catalog"))
    card(console, head, facts)


# ---- export


def exported(console: Console, report: ExportReport) -> None:
    """Prints what an export wrote."""
    facts = [
        ("versions", f"{versions(report.first_version, report.version)} ({plural(report.commits, 'commit')})"),
        ("files", f"{report.files:,} active at version {report.version:,}"),
        ("destination", report.destination),
        ("data", report.location if report.absolute_paths else "belongs beside the log, where it was"),
    ]
    card(console, title("ok", report.table_id, f"exported in {duration(report.duration_seconds)}"), facts)


# ---- copy-catalog


def copied(console: Console, report: CopyReport) -> None:
    """Prints whether both catalogs are equal, what they hold, and what could not be copied."""
    for one in report.tables:
        if one.error is not None:
            line(console, title("bad", f"{one.table_id}:", one.error))
    for difference in report.differences:
        line(console, title("bad", "the copy differs:", difference))
    counts = [(report.copied, "copied"), (report.skipped, "there already"), (report.failed, "failed")]
    said = ", ".join(f"{count:,} {word}" for count, word in counts if count)
    tables = plural(len(report.tables), "table")
    facts = [
        ("tables", f"{tables}: {said}" if said else tables),
        ("rows", counted_rows(report.rows)),
        ("from", report.source),
        ("to", report.target),
    ]
    verdict = "is equal to the catalog" if report.equal else "is not equal to the catalog"
    took = f"{verdict}, after {duration(report.duration_seconds)}"
    card(console, title("ok" if report.equal else "bad", "the copy", took), facts)
