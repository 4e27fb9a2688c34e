"""SQL → a `_delta_log`, at a place where nothing is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.gaps import histories
from ..catalog.history import commit_rows
from ..catalog.registry import TableEntry
from ..catalog.snapshot import Snapshot, snapshot
from ..catalog.trail import Trail
from ..log.path import commit_name
from .export_actions import Action, Paths, actions_of, floor_actions_of, to_line
from .export_folder import local_destination, new_log_folder

if TYPE_CHECKING:
    from .export_checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote.

    `files` are those that are active at `version`; the checkpoints' versions ascend; from `first_version` on every
    version can be read.
    """

    table_id: str
    location: str
    destination: str
    version: int
    first_version: int
    commits: int
    files: int
    checkpoint_versions: tuple[int, ...]
    absolute_paths: bool
    duration_seconds: float


PathsOf = Callable[[str], Paths]
"""Returns what turns the paths of a table at a location into absolute ones."""


def export_table(
    database: Database,
    table_id: str,
    destination: str | os.PathLike[str],
    *,
    version: int | None = None,
    absolute: PathsOf | None = None,
) -> ExportReport:
    """Writes a log with everything that SQL has of a table up to a version, by default its newest.

    Every commit is there with all its actions, and a checkpoint of the version. Where SQL's history begins with a
    checkpoint, so does the log; the commit of that version is written, too, where the log still had it at the import.
    So it is where the history goes on behind a gap; what SQL has before the gap is written as well.
    Lists of features for which a protocol is too old are left out: no reader opens a log that has them.
    Each commit's file has the time that the original's had, by which engines travel in time.

    Memory doesn't grow with the table. The destination appears at the end, whole; nothing else is touched.

    Args:
        database: where the catalog is.
        table_id: the table.
        destination: a folder that is not there yet; `_delta_log` is made in it.
        version: the version.
        absolute: what makes paths absolute, so that the new table reads the original's files.

    Raises:
        TableNotFoundError, ImportIncompleteError: there is no such table, or its import has not completed.
        VersionNotFoundError: SQL doesn't have the version.
        ArgumentError: the destination is there already, or not on this machine.
        StorageError: it can't be written to.
    """
    asked = {"destination": os.fspath(destination), "version": version, "absolute_paths": absolute is not None or None}
    trail = Trail(database, "export", table_id, asked)
    with trail.failures_noted():
        report = _export(database, table_id, local_destination(destination), version, absolute)
    trail.noted(version=report.version, commits=report.commits, files=report.files)
    return report


def _export(
    database: Database, table_id: str, table: Path, version: int | None, absolute: PathsOf | None
) -> ExportReport:
    begun = time.perf_counter()
    with database.reading() as connection:
        entry = registry.readable(connection, table_id)
        state = snapshot(connection, entry, version)
        paths = None if absolute is None else absolute(entry.location)
        with new_log_folder(table) as folder:
            floor, checkpoints, commits = _write(connection, state, folder, paths)
        files = state.count()[0]
    return ExportReport(
        table_id=table_id,
        location=entry.location,
        destination=str(table),
        version=state.version,
        first_version=floor,
        commits=commits,
        files=files,
        checkpoint_versions=checkpoints,
        absolute_paths=paths is not None,
        duration_seconds=time.perf_counter() - begun,
    )


def _write(
    connection: Connection, state: Snapshot, folder: Path, paths: Paths | None
) -> tuple[int, tuple[int, ...], int]:
    from .export_checkpoint import last_checkpoint, write_checkpoint

    checkpoints: list[Checkpoint] = []
    floor = commits = 0
    for first, last in histories(state.entry):
        if first <= state.version:
            written, count = _write_history(connection, state, folder, paths, first, min(last, state.version))
            floor, commits = first, commits + count
            checkpoints += written
    if not checkpoints or checkpoints[-1].version < state.version:
        checkpoints.append(write_checkpoint(state, folder, paths, whole=False))
    (folder / "_last_checkpoint").write_bytes(last_checkpoint(checkpoints[-1]))
    return floor, tuple(checkpoint.version for checkpoint in checkpoints), commits


def _write_history(
    connection: Connection, state: Snapshot, folder: Path, paths: Paths | None, floor: int, last: int
) -> tuple[list[Checkpoint], int]:
    """Writes a part of the history without a gap; returns the checkpoint that it begins with, and counts commits."""
    from .export_checkpoint import write_checkpoint

    entry = state.entry
    has_commit = _has_commit(connection, entry, floor)
    from_checkpoint = floor > 0 or not has_commit
    checkpoints, commits = [], 0
    if from_checkpoint:
        checkpoints.append(write_checkpoint(snapshot(connection, entry, floor), folder, paths, whole=True))
    with closing(commit_rows(connection, entry, floor if has_commit else floor + 1, last)) as history:
        for rows in history:
            at_floor = from_checkpoint and rows.commit.version == floor
            actions = floor_actions_of(rows, paths) if at_floor else actions_of(rows, paths)
            _write_commit(folder / commit_name(rows.commit.version), actions, rows.commit.file_timestamp)
            commits += 1
    return checkpoints, commits


def _has_commit(connection: Connection, entry: TableEntry, version: int) -> bool:
    newest = snapshot(connection, entry, version).commits(limit=1)
    return bool(newest) and newest[0].version == version


def _write_commit(path: Path, actions: Iterable[Action], modified_ms: int) -> None:
    with path.open("wb") as file:
        for action in actions:
            file.write(to_line(action))
    os.utime(path, ns=(modified_ms * 1_000_000,) * 2)
