"""Lists of tables, files and commits, for people."""

from __future__ import annotations

import heapq
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from ...catalog.provenance import json_object
from ...web.words import NONE, moment, share
from .human import duration, plural, printable, size, versions
from .layout import cell, is_terminal, line, show, table, title

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from ...catalog.events import Event
    from ...catalog.grants import Grants
    from ...catalog.registry import TableStatus
    from ...catalog.snapshot import Snapshot
    from ...rows import CommitRow, FileLifetime
    from ..settings import Setting

_FILES_SHOWN = 1_000
_STYLES = {"completed": "green", "failed": "bold red", "interrupted": "yellow", "running": "cyan"}
_WIDE = 110

# Writers name the same things differently: delta-rs first, then Spark.
_ADDED = (
    "num_added_files",
    "numAddedFiles",
    "num_target_files_added",
    "numTargetFilesAdded",
    "numFilesAdded",
    "numFiles",
)
_REMOVED = (
    "num_removed_files",
    "numRemovedFiles",
    "num_target_files_removed",
    "numTargetFilesRemoved",
    "numFilesRemoved",
)


# ---- migration-status


def statuses(console: Console, found: Sequence[TableStatus]) -> None:
    """Prints a line a table, and below what has to be looked at."""
    if not found:
        line(console, "The catalog is empty.")
        return
    wide = console.width >= _WIDE
    columns = ("table", "status", "version", "files", "changed (UTC)", *(["location"] if wide else []))
    grid = table(*columns, right=("version", "files"), fold=("table", "location"))
    for status in found:
        grid.add_row(*_status_cells(status), *([cell(status.location)] if wide else []))
    show(console, grid)
    for status in found:
        if status.error_message and status.status == "failed":
            head = Text(f"\n{printable(status.table_id)}", "bold")
            line(console, head.append(f": {printable(status.error_message)}", "not bold"))


def _status_cells(status: TableStatus) -> list[Text]:
    changed = status.completed_at or status.heartbeat_at or status.started_at
    version = NONE if status.version is None else f"{status.version:,}"
    state = cell(f"{status.status}{_share(status)}", _STYLES.get(status.status, ""))
    return [
        cell(status.table_id, "bold"),
        state,
        cell(version),
        cell(f"{status.files_processed:,}"),
        cell(moment(changed)),
    ]


def _share(status: TableStatus) -> str:
    """How far what runs has come."""
    return f" {share(status.share)}" if status.status == "running" and status.share is not None else ""


def status_card(status: TableStatus) -> tuple[Text, list[tuple[str, str]]]:
    """Returns everything about one table, for `layout.card`."""
    kind = {"completed": "ok", "failed": "bad"}.get(status.status, "note")
    facts = [
        ("location", status.location),
        ("versions", versions(status.first_version, status.version)),
        ("files", f"{status.files_processed:,}"),
        ("started", f"{moment(status.started_at)} UTC"),
    ]
    if status.completed_at is not None:
        facts.append(("completed", f"{moment(status.completed_at)} UTC"))
    if status.status != "completed":
        total = status.commits_total or 0
        facts.append(("progress", f"{status.commits_processed:,} of {plural(total, 'commit')}"))
        since = status.heartbeat_at
        if since is not None:
            ago = duration(max(0.0, (datetime.now(UTC) - since).total_seconds()))
            facts.append(("last sign", f"{moment(since)} UTC, {ago} ago"))
    if status.owner:
        from ...catalog.owner import people_say

        facts.append(("worked on by", people_say(status.owner)))
    if status.error_message and status.status != "interrupted":
        facts.append(("error", status.error_message))
    if status.status in ("failed", "interrupted"):
        facts.append(("go on with", status.resuming))
    return title(kind, f"{status.table_id}:", f"{status.status}{_share(status)}"), facts


# ---- files


def files(console: Console, snapshot: Snapshot, where: ColumnElement[bool] | None = None) -> None:
    """Prints the active files: a table on a terminal, one path a line in a pipe."""
    if not is_terminal():
        from ...table.listing import listed

        for piece in listed(snapshot, ["path"], where)["path"].chunks:
            sys.stdout.writelines(f"{path}\n" for path in piece.to_pylist())
        return
    count, total_bytes, _, rows = snapshot.count(where)
    shown = heapq.nsmallest(_FILES_SHOWN, snapshot.files(where), key=lambda file: file.path)
    if shown:
        show(console, _table_of_files(shown))
        console.print()
    if count > len(shown):
        line(console, Text(f"… and {count - len(shown):,} more (a pipe, or --output json, gets them all)", "dim"))
    counted = "an unknown number of rows" if rows is None else plural(rows, "row")
    line(
        console,
        Text(f"{plural(count, 'file')}, {size(total_bytes)}, {counted} at version {snapshot.version:,}", "bold"),
    )


def _table_of_files(shown: Sequence[FileLifetime]) -> Any:
    vectors = any(file.deletion_vector for file in shown)
    columns = ["path", "size", "records", "added", *(["deleted"] if vectors else [])]
    grid = table(*columns, right=columns[1:], fold=("path",))
    for file in shown:
        records = "?" if file.num_records is None else f"{file.num_records:,}"
        added = "?" if file.added_version is None else f"{file.added_version:,}"
        gone = [cell(_cardinality(file.deletion_vector))] if vectors else []
        grid.add_row(cell(file.path), cell(size(file.size)), cell(records), cell(added), *gone)
    return grid


def _cardinality(vector: str | None) -> str:
    return "" if vector is None else f"{json.loads(vector).get('cardinality', '?'):,}"


# ---- history


def history(console: Console, commits: Sequence[CommitRow]) -> None:
    """Prints a line a commit."""
    grid = table("version", "committed (UTC)", "operation", "files", "what", right=("version", "files"), fold=("what",))
    for commit in commits:
        grid.add_row(
            cell(f"{commit.version:,}", "bold"),
            cell(moment(commit.timestamp)),
            cell(commit.operation or NONE),
            cell(_file_counts(json_object(commit.operation_metrics))),
            cell(_what(json_object(commit.operation_parameters))),
        )
    show(console, grid)


# ---- events


def events(console: Console, found: Sequence[Event]) -> None:
    """Prints a line a run."""
    grid = table("began (UTC)", "table", "command", "status", "version", "who", "what", fold=("table", "what"))
    for event in found:
        grid.add_row(
            cell(moment(event.started_at)),
            cell(event.table_id or NONE, "bold"),
            cell(event.command),
            cell(event.status, _STYLES.get(event.status, "")),
            cell(_moved(event)),
            cell(event.database_user or f"{event.os_user}@{event.host}"),
            cell(event.error_message or _changed(json_object(event.changes))),
        )
    show(console, grid)


def _moved(event: Event) -> str:
    if event.version_before is None or event.version_before == event.version:
        return NONE if event.version is None else f"{event.version:,}"
    return f"{event.version_before:,} → {NONE if event.version is None else f'{event.version:,}'}"


def _changed(changes: dict[str, Any]) -> str:
    """What a run changed, in few words."""
    if isinstance(changes.get("deleted"), dict):
        return f"{sum(changes['deleted'].values()):,} rows deleted"
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in changes.items())


def _file_counts(metrics: dict[str, Any]) -> str:
    added, removed = (_first(metrics, names) for names in (_ADDED, _REMOVED))
    return " ".join(text for text in (added and f"+{added}", removed and f"-{removed}") if text)


def _first(metrics: dict[str, Any], names: Sequence[str]) -> str:
    values = (str(metrics[name]) for name in names if name in metrics)
    return next((f"{int(value):,}" for value in values if len(value) < 20 and value.isdecimal() and int(value)), "")


def _what(parameters: dict[str, Any]) -> str:
    """The parameters that tell commits of one operation apart."""
    names = ("mode", "predicate", "mergePredicate", "version")
    said = [str(parameters[name]) for name in names if parameters.get(name) not in (None, "", "[]")]
    return ", ".join(said)


# ---- grants


def granted(console: Console, found: Grants) -> None:
    """Prints statements as one transaction: half of them would be another role."""
    for statement in ("BEGIN", *found.statements, "COMMIT") if found.statements else ():
        line(console, f"{printable(statement)};")


# ---- config


def settings(console: Console, found: Sequence[Setting]) -> None:
    """Prints a setting a line, with where it comes from."""
    grid = table("setting", "value", "from", fold=("value", "from"))
    for setting in found:
        value = NONE if setting.value is None else str(setting.value)
        grid.add_row(cell(setting.name, "bold"), cell(value), cell(setting.source, "dim"))
    show(console, grid)


# ---- index


def names(console: Console, found: Sequence[str]) -> None:
    """Prints a name a line."""
    for name in found:
        line(console, printable(name))
