"""The dry run: a log read from end to end, and what importing it would do."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.registry import TableEntry, TableStatus
from ..errors import TableExistsError
from ..log.path import LogFile
from ..log.reader import Log, check_opening, open_log, plan
from ..log.segment import LogSegment
from ..log.store import Location, Store, open_store
from ..replay.backward import BackwardReplay
from ..replay.dangling import Lifetime, under_another_vector
from ..rows import FileLifetime, MetadataRow, ProtocolRow, Rows
from .checkpoint_sums import CheckpointWatch, active_files, contradiction_warnings
from .feed import Read
from .replayed import replayed
from .table_ids import KnownTable, check_table_id, default_table_id, table_at
from .told import Listener, Told

_FEATURE_PROPERTIES = {
    "delta.appendOnly": "appendOnly",
    "delta.columnMapping.mode": "columnMapping",
    "delta.enableChangeDataFeed": "changeDataFeed",
    "delta.enableDeletionVectors": "deletionVectors",
    "delta.enableInCommitTimestamps": "inCommitTimestamp",
    "delta.enableRowTracking": "rowTracking",
    "delta.enableTypeWidening": "typeWidening",
}
"""Properties that switch a feature on in tables whose protocol doesn't list features (PROTOCOL.md, "Appendix")."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an import would do.

    The fields of `ImportReport`, `status` in words; then what the log holds, and estimates: seconds for loading, and
    bytes in the database.
    """

    table_id: str
    location: str
    status: str
    first_version: int
    version: int
    commits: int
    files_processed: int
    active_files: int
    duration_seconds: float
    dry_run: bool
    resumed: bool
    warnings: tuple[str, ...]
    features: tuple[str, ...]
    log_bytes: int
    estimated_seconds: float
    estimated_bytes: int


def assess(
    database: Database,
    location: Location,
    table_id: str | None = None,
    *,
    listener: Listener | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> Assessment:
    """Reads the whole log, and the catalog if there is one; changes nothing anywhere.

    Raises:
        LogError, StorageError: an import would be refused, for this reason.
        TableExistsError: the table id is used for another location.
        ArgumentError: the catalog has several tables from the location, and no `table_id` says which is meant.
        DatabaseConnectionError: the database can't be reached.
    """
    begun = time.perf_counter()
    store = open_store(location, storage_options)
    store.check()
    table, status, entry = _known(database, store, table_id)
    table_id = table.table_id
    _check_location(table, status, entry)
    log = open_log(store)
    segment = plan(log)
    check_opening(log, segment)
    contents = _Contents(Told(table_id, segment, listener), Read(segment.version, 0, 0))
    watch = CheckpointWatch(log, segment)
    with BackwardReplay() as replay:
        for rows in watch.passed(replayed(log, segment, replay, each=contents.note)):
            contents.add(rows)
    seconds = time.perf_counter() - begun
    return Assessment(
        table_id=table_id,
        location=table.location,
        status=_would(status, entry, segment),
        first_version=segment.first_version,
        version=segment.version,
        commits=len(segment.commits),
        files_processed=contents.files,
        active_files=contents.active,
        duration_seconds=seconds,
        dry_run=True,
        resumed=entry is not None or (status is not None and status.rows_loaded > 0),
        warnings=_warnings(log, segment, replay, watch),
        features=tuple(sorted(contents.features)),
        log_bytes=segment.size,
        estimated_seconds=seconds + contents.rows / database.dialect.rows_per_second,
        estimated_bytes=contents.text_bytes + contents.rows * database.dialect.bytes_per_row,
    )


def _warnings(log: Log, segment: LogSegment, replay: BackwardReplay, watch: CheckpointWatch) -> tuple[str, ...]:
    """Returns what the import would say; where the log contradicts itself, it is read again to name the files."""
    contradiction, against = watch.contradiction(), list[str]()
    paths = {remove.path for remove in replay.dangling.found}
    if paths:
        files = (file for file in _files(log, segment) if file.path in paths and file.added_version is not None)
        against += under_another_vector(replay.dangling.found, map(_lifetime, files))
    if contradiction is not None:
        at = contradiction.checkpoint.version
        against += contradiction_warnings(log, contradiction, active_files(_files(log, segment), at))
    return (*log.warnings, *replay.cautions, *replay.violations, *against)


def _files(log: Log, segment: LogSegment) -> Iterator[FileLifetime]:
    with BackwardReplay() as replay:
        for rows in replayed(log, segment, replay):
            yield from rows.files


def _lifetime(file: FileLifetime) -> Lifetime:
    assert file.added_version is not None
    return Lifetime(file.path, file.deletion_vector_id, file.added_version, file.removed_version)


def _known(
    database: Database, store: Store, table_id: str | None
) -> tuple[KnownTable, TableStatus | None, TableEntry | None]:
    if not database.has_catalog():
        new = default_table_id(store.location) if table_id is None else table_id
        return KnownTable(check_table_id(new), store.location, False), None, None
    with database.reading() as connection:
        table = table_at(connection, store, table_id)
        return table, registry.status_of(connection, table.table_id), registry.entry_of(connection, table.table_id)


def _check_location(table: KnownTable, status: TableStatus | None, entry: TableEntry | None) -> None:
    if status is None or status.location == table.location:
        return
    if entry is not None or status.rows_loaded > 0:
        raise TableExistsError(
            f"The table id {table.table_id!r} is used for another location: {status.location}",
            "Choose another --table-id.",
        )


def _would(status: TableStatus | None, entry: TableEntry | None, segment: LogSegment) -> str:
    if entry is not None:
        new = segment.version - entry.version
        versions = "version" if new == 1 else "versions"
        return f"would take in {new:,} new {versions} with --resume" if new > 0 else "nothing to do: it is there"
    if status is not None and status.rows_loaded > 0:
        return "would go on with --resume"
    return "would import"


@dataclass(slots=True)
class _Contents:
    """What the rows of a log add up to."""

    told: Told
    read: Read
    rows: int = 0
    files: int = 0
    active: int = 0
    text_bytes: int = 0
    features: set[str] = field(default_factory=set)

    def note(self, file: LogFile) -> None:
        """Notes that a file of the log has been read."""
        self.read = self.read.and_file(file)

    def add(self, rows: Rows) -> None:
        """Counts a piece of a replay."""
        self.told.loaded(len(rows.files), self.read)
        self.rows += len(rows)
        for file in rows.files:
            self._add_file(file)
        others = (rows.commits, rows.metadata, rows.protocols, rows.transactions, rows.domain_metadata, rows.cdc_files)
        for kind in others:
            self.text_bytes += sum(_text_bytes(row) for row in kind)
        for protocol in rows.protocols:
            self.features |= _protocol_features(protocol)
        for metadata in rows.metadata:
            self.features |= _metadata_features(metadata)
        if rows.cdc_files:
            self.features.add("changeDataFeed")

    def _add_file(self, file: FileLifetime) -> None:
        self.text_bytes += _text_bytes(file)
        if file.added_version is not None:
            self.files += 1
            self.active += file.removed_version is None
        if file.deletion_vector_id is not None:
            self.features.add("deletionVectors")
        if file.clustering_provider is not None:
            self.features.add("clustering")


def _text_bytes(row: Iterable[Any]) -> int:
    return sum(len(value) for value in row if isinstance(value, str))


def _protocol_features(protocol: ProtocolRow) -> set[str]:
    lists = (protocol.reader_features, protocol.writer_features)
    return {name for text in lists if text is not None for name in msgspec.json.decode(text)}


def _metadata_features(metadata: MetadataRow) -> set[str]:
    configuration = msgspec.json.decode(metadata.configuration or "{}")
    on = {name for key, name in _FEATURE_PROPERTIES.items() if configuration.get(key, "false") not in ("false", "none")}
    return on | {"constraints" for key in configuration if key.startswith("delta.constraints.")}
