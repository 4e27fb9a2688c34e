"""One JSON document on stdout, with exactly the fields that programs rely on."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..logs import are_for_machines
from ..synced import SyncedTable
from .base import Output

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
    from ..synced import SyncReport, UnsyncedTable

_AT_ONCE = 10_000
"""Files that are made into objects at a time."""

_FOUND = ("table_id", "location", "version", "first_version")
_IMPORT = (
    "table_id",
    "location",
    "status",
    "first_version",
    "version",
    "commits",
    "files_processed",
    "active_files",
    "duration_seconds",
    "dry_run",
    "resumed",
)
_ASSESSMENT = (*_IMPORT, "warnings", "features", "log_bytes", "estimated_seconds", "estimated_bytes")
_STATUS = (
    "table_id",
    "location",
    "status",
    "version",
    "files_processed",
    "started_at",
    "completed_at",
    "error_message",
)
_DIFFERENCE = ("version", "kind", "path", "expected", "actual", "source")
_OPERATION = ("name", "file_based_seconds", "sql_seconds", "speedup")
_PROBLEM = ("kind", "table_id", "message")
_CHECK = ("name", "ok", "detail")
_ROLLBACK = ("table_id", "location", "status", "deleted", "opened_version", "duration_seconds")
_COPIED = ("table_id", "status", "version", "rows", "error")
_EXPORT = (
    "table_id",
    "location",
    "destination",
    "first_version",
    "version",
    "commits",
    "files",
    "checkpoint_versions",
    "absolute_paths",
    "duration_seconds",
)
_IN_MEMORY = 64 << 20


class JsonOutput(Output):
    """Prints for programs. A failure is a document too, so that there is always exactly one."""

    def failed(self, failure: Failure) -> None:
        _print({"error": {"type": failure.type, "message": failure.message, "hint": failure.hint}})
        if not (sys.stdout.isatty() or are_for_machines()):  # whoever reads the log of a cron job sees it as well
            click.echo(f"Error: {failure.message}", err=True)

    def discovered(self, tables: Iterable[FoundTable]) -> int:
        found = [_pick(table, _FOUND) for table in tables]
        _print(found)
        return len(found)

    def imported(self, report: ImportReport | Assessment, where: str) -> None:  # noqa: ARG002
        _print(_import(report))

    def batch_imported(self, report: BatchReport) -> None:
        _print(
            {
                "tables": [_outcome(table) for table in report.tables],
                "completed": report.completed,
                "failed": report.failed,
                "skipped": report.skipped,
                "excluded": report.excluded,
                "not_listed": [_pick(place, ("location", "error")) for place in report.not_listed],
            }
        )

    def validated(self, report: ValidationReport) -> None:
        document = _pick(report, ("table_id", "valid", "version", "versions_checked", "reader"))
        _print({**document, "differences": [_pick(one, _DIFFERENCE) for one in report.differences]})

    def compared(self, report: PerformanceReport) -> None:
        operations = [_pick(operation, _OPERATION) for operation in report.operations]
        _print({**_pick(report, ("table_id", "reader")), "operations": operations})

    def statuses(self, statuses: Sequence[TableStatus], *, detailed: bool) -> None:  # noqa: ARG002
        _print([_pick(status, _STATUS) for status in statuses])

    def rollback_checked(self, check: RollbackCheck) -> None:
        checks = [_pick(one, _CHECK) for one in check.checks]
        _print(
            {
                "table_id": check.table_id,
                "can_rollback": check.can_rollback,
                "checks": checks,
                "statements": list(check.statements),
            }
        )

    def rolled_back(self, report: RollbackReport) -> None:
        _print(_pick(report, _ROLLBACK))

    def exported(self, report: ExportReport) -> None:
        _print(_pick(report, _EXPORT))

    def synced(self, report: SyncReport) -> None:
        tables = [_synced(table) for table in report.tables]
        _print({"tables": tables, "completed": report.completed, "failed": report.failed})

    def checked(self, report: CheckReport) -> None:
        problems = [_pick(problem, _PROBLEM) for problem in report.problems]
        _print({"ok": report.ok, "problems": problems, "webhook": report.webhook})

    def files(self, opened: Opened, snapshot: Snapshot, where: ColumnElement[bool] | None = None) -> None:
        from ...table import listing

        batches = listing.files(opened, snapshot, where).to_batches(_AT_ONCE)
        _print_all(_file(file) for batch in batches for file in batch.to_pylist())

    def indexed(self, table_id: str, columns: Sequence[str]) -> None:
        _print({"table_id": table_id, "indexed_columns": list(columns)})

    def granted(self, found: Grants) -> None:
        _print(_pick(found, ("role", "to", "statements", "notes")))

    def upgraded(self, where: str, schema_version: int) -> None:
        _print({"database": where, "schema_version": schema_version})

    def copied(self, report: CopyReport) -> None:
        tables = [_pick(table, _COPIED) for table in report.tables]
        document = {"from": report.source, "to": report.target, "tables": tables}
        _print(document | _pick(report, ("copied", "skipped", "failed", "rows", "equal", "duration_seconds")))

    def configured(self, path: Path | None, settings: Sequence[Setting]) -> None:
        found = {setting.name: {"value": setting.value, "source": setting.source} for setting in settings}
        _print({"file": None if path is None else str(path), "settings": found})

    def history(self, snapshot: Snapshot, limit: int | None) -> None:
        from ...catalog import provenance

        _print(provenance.history(snapshot, limit))

    def events(self, events: Sequence[Event]) -> None:
        from ...catalog.events import document

        _print([document(event) for event in events])


def _print(document: Any) -> None:
    click.echo(_json(document))


def _print_all(documents: Iterator[Any]) -> None:
    """Prints a list that may be long, once it is known to be whole: half a document would be none."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8") as spool:
        before = "["
        for document in documents:
            spool.write(before + _json(document))
            before = ",\n"
        spool.write("]" if before != "[" else "[]")
        spool.seek(0)
        shutil.copyfileobj(spool, sys.stdout)
    click.echo()


def _json(document: Any) -> str:
    return json.dumps(document, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _pick(record: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _outcome(table: Any) -> dict[str, Any]:
    if hasattr(table, "error"):
        return _pick(table, ("table_id", "location", "status", "error"))
    return _import(table)


def _import(report: Any) -> dict[str, Any]:
    return _pick(report, _ASSESSMENT if report.dry_run else _IMPORT)


def _synced(table: SyncedTable | UnsyncedTable) -> dict[str, Any]:
    if isinstance(table, SyncedTable):
        gone = [[gap.first_version, gap.last_version] for gap in table.report.gaps if gap.floor > table.from_version]
        return {**_pick(table.report, _IMPORT), "from_version": table.from_version, "gaps": gone}
    return {**_pick(table, ("table_id", "location", "from_version", "error", "hint")), "status": "failed"}


def _file(file: dict[str, Any]) -> dict[str, Any]:
    """A file as `DeltaTable.files()` has it; a deletion vector without what the log doesn't say of it."""
    vector = file["deletion_vector"]
    noted = None if vector is None else {name: value for name, value in vector.items() if value is not None}
    return {**file, "deletion_vector": noted}
