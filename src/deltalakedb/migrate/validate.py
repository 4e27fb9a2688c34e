"""Is what SQL says of a table what its log says?

Three readers that share nothing with the import: delta-rs for the versions that it opens, a second reading of the
log for everything else (migrate/second_reading.py), and the log's own checksums. Nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial

from sqlalchemy import Connection

from ..catalog import validations
from ..catalog.database import Database
from ..catalog.gaps import versions_before, whole_from
from ..catalog.registry import TableEntry
from ..catalog.snapshot import Snapshot, snapshot
from ..catalog.trail import Trail
from ..errors import DeltaLakeDBError, LogChangedError, LogError, command_line
from ..log.reader import Log, open_log, plan
from ..log.segment import LogSegment
from ..log.store import Location, location_text, open_store
from .against_checksums import compare_with_checksum, read_checksum
from .against_delta_rs import (
    UNSEEN,
    Opened,
    Opening,
    compare_history,
    compare_state_with_delta_rs,
    open_version,
    reader_name,
)
from .differences import Difference, Findings
from .features_of_log import look_for_unknown_features
from .files_against_delta_rs import compare_deletion_vectors, compare_files_with_delta_rs
from .files_against_log import compare_files_with_log, read_rows
from .judgement import Judgement
from .reading_beside import second_reading
from .retrying import persistently
from .second_reading import Scope
from .state_against_log import compare_state_with_log
from .table_ids import entry_at, table_at

__all__ = ["Difference", "ValidationReport", "validate", "validate_and_keep"]

logger = logging.getLogger(__name__)

Listener = Callable[[int, int], None]
"""Gets how many steps are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What a validation found.

    Attributes:
        table_id: the table.
        valid: whether there is no difference.
        version: the version that was validated: the catalog's newest, unless the log ends before it.
        versions_checked: how many versions every reader was asked for; the second reading covers all of them.
        reader: the independent readers with their versions, and what they do not see.
        differences: what differs, in the order in which the readers found it.
        notes: what could not be compared, and why.
        log_version: the newest version in the log.
    """

    table_id: str
    valid: bool
    version: int
    versions_checked: int
    reader: str
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()
    log_version: int = -1


def validate(
    database: Database,
    location: Location,
    table_id: str | None = None,
    *,
    all_versions: bool = False,
    listener: Listener | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> ValidationReport:
    """Compares a table in the catalog with its log, at the catalog's newest version or at every version.

    One pass over the log and one over the table's rows compare all file lifetimes and all other actions of every
    version. delta-rs and checksums are asked for the newest version; with `all_versions` for each, where delta-rs reads
    the log anew every time.

    A log that has grown beyond the catalog is compared up to the catalog's version, one whose history was cleaned up
    since the import as far back as it goes.

    Raises:
        TableNotFoundError, ImportIncompleteError: the catalog has no such table, or not all of it.
        ArgumentError: the table was imported from another location, or several were from this one.
        LogChangedError: the log begins after the catalog's newest version.
        LogError, StorageError: the log can't be read.
    """
    store = open_store(location, storage_options)
    with database.reading() as connection:
        entry = entry_at(connection, store, table_id)
        log = open_log(store)
        return _Validation(connection, entry, log, listener).run(all_versions=all_versions)


def validate_and_keep(
    database: Database,
    location: Location,
    table_id: str | None = None,
    *,
    all_versions: bool = False,
    listener: Listener | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> tuple[ValidationReport, bool]:
    """Validates a table as `validate` does, and keeps what was found in the catalog, for `check` and the status page.

    Returns the report, and whether it was kept. It stands without that: a role that may only read validates as well as
    any other.
    """
    asked = {"location": location_text(location), "all_versions": all_versions or None}
    store = open_store(location, storage_options)
    with database.reading() as connection:
        table_id = table_at(connection, store, table_id).table_id
    trail = Trail(database, "validate", table_id, asked)
    with trail.failures_noted(also_on_table=True):
        report = validate(
            database,
            location,
            table_id,
            all_versions=all_versions,
            listener=listener,
            storage_options=storage_options,
        )
    return report, _keep(database, report, trail)


def _keep(database: Database, report: ValidationReport, trail: Trail) -> bool:
    found = finding(report)
    changes = {"valid": report.valid, "versions_checked": report.versions_checked}

    def keep(connection: Connection) -> bool:
        return validations.keep(connection, found)

    try:
        write = partial(trail.ended, keep, found.failure, **changes, differences=len(report.differences))
        persistently(write, database=database, name=report.table_id)
    except DeltaLakeDBError as error:
        logger.info("what the validation found was not kept: %s", error.message)
        return False
    return True


def finding(report: ValidationReport) -> validations.Finding:
    """Returns what the catalog keeps of a validation."""
    return validations.Finding(
        report.table_id,
        version=report.version,
        versions_checked=report.versions_checked,
        reader=report.reader,
        differences=[asdict(difference) for difference in report.differences],
        log_version=report.log_version,
    )


class _Validation:
    """One run over one table."""

    def __init__(self, connection: Connection, entry: TableEntry, log: Log, listener: Listener | None) -> None:
        self._connection = connection
        self._entry = entry
        self._log = log
        self._listener = listener
        self._findings = Findings()
        self._unopened: dict[int, str] = {}
        self._foreign: dict[int, bool] = {}
        self._agreed: int | None = None
        self._judgement: Judgement | None = None
        self._done = self._total = 0

    def run(self, *, all_versions: bool) -> ValidationReport:
        segment = self._segment()
        whole = whole_from(self._entry)
        floor = max(segment.first_version, whole)
        scope = Scope(segment, floor, segment.first_version != whole or self._entry.gaps is not None)
        versions = range(floor if all_versions else segment.version, segment.version + 1)
        self._begin(segment, len(versions))
        with Opening(self._log.store, versions[0]) as opening:  # meanwhile the log is read
            self._against_log(scope, versions, opening)
            for version in versions:
                opened = opening.result() if version == versions[0] else open_version(self._log.store, version)
                self._against_delta_rs(version, segment, opened)
                self._step()
        self._judge.finish()
        differences = tuple(self._findings.differences)
        return ValidationReport(
            table_id=self._entry.table_id,
            valid=not differences,
            version=segment.version,
            versions_checked=len(versions),
            reader=self._reader(),
            differences=differences,
            notes=tuple(self._findings.all_notes()),
            log_version=self._log.newest,
        )

    def _segment(self) -> LogSegment:
        """Returns what of the log is compared, and notes where it isn't what was imported."""
        entry, findings = self._entry, self._findings
        try:
            segment = plan(self._log, entry.version)
        except LogError as error:
            begins = plan(self._log).first_version
            if begins <= entry.version:
                raise
            raise LogChangedError(
                f"The log at {self._log.location} begins with version {begins} now, the catalog has {entry.version}",
                command_line("sync", entry.table_id),
            ) from error
        findings.compare(segment.version, "version", None, segment.version, entry.version)
        whole = whole_from(entry)
        if segment.first_version > entry.first_version:
            alone = versions_before(entry, segment.first_version)
            findings.note(
                f"The log begins with version {segment.first_version} now: "
                f"versions {alone} are in SQL alone and were not compared"
            )
        elif segment.first_version < whole:
            findings.note(
                f"The log begins with version {segment.first_version}, the catalog with {whole}: "
                "what lies between was not compared"
            )
        if self._grown:
            findings.note(f"The log goes on after version {entry.version}, which is the catalog's newest")
        return segment

    @property
    def _grown(self) -> bool:
        return self._log.newest > self._entry.version

    def _begin(self, segment: LogSegment, versions: int) -> None:
        self._total = len(segment.files) + versions

    def _step(self) -> None:
        self._done += 1
        if self._listener is not None:
            self._listener(min(self._done, self._total), self._total)

    def _at(self, version: int) -> Snapshot:
        return snapshot(self._connection, self._entry, version)

    def _against_log(self, scope: Scope, versions: range, opening: Opening) -> None:
        # The newest one is looked at in any case: delta-rs reads it too.
        newest_checksum = [file for file in scope.segment.checksums if file.version >= scope.floor][-1:]
        wanted = [file for file in scope.segment.checksums if file.version in versions]
        checksums = {file.version: file for file in (*wanted, *newest_checksum)}
        newest = self._at(self._entry.version)
        with second_reading(self._log, scope, totals_at=frozenset(checksums), each=self._step) as log:
            rows = read_rows(newest, scope, log.look)
            if log.goes_on:
                self._look_early(versions[0], scope.segment, opening.result())
            reading = log.result()
        self._findings.unsure = reading.unsure
        look_for_unknown_features(reading, scope, self._findings)
        for note in reading.notes:
            self._findings.note(note)
        compare_files_with_log(newest, self._log, scope, rows, reading, self._findings)
        compare_state_with_log(newest, scope, reading, self._findings)
        for version, file in checksums.items():
            told = read_checksum(self._log, file, self._findings)
            self._foreign[version] = told is not None and bool(
                {"metadata", "protocol"}.intersection(
                    compare_with_checksum(told, file.name, self._at(version), reading, self._findings)
                )
            )

        self._judgement = Judgement(
            self._connection, self._entry, self._log, scope, reading, self._findings, reader_name()
        )
        self._findings.judge = self._judgement

    @property
    def _judge(self) -> Judgement:
        assert self._judgement is not None
        return self._judgement

    def _look_early(self, version: int, segment: LogSegment, opened: Opened | str) -> None:
        """Compares with delta-rs before it is known what the log says.

        That is enough where nothing differs; else it is done once more, since what the log says comes first.
        """
        if not isinstance(opened, str):
            findings = Findings()
            self._compare_at_length(version, segment, opened, findings)
            self._agreed = version if findings == Findings() else None

    def _compare_at_length(self, version: int, segment: LogSegment, opened: Opened, findings: Findings) -> None:
        at = self._at(version)
        compare_files_with_delta_rs(opened.add_actions, at, findings)
        if version == self._entry.version and not self._grown:
            compare_history(opened.table, at, segment, findings)

    def _against_delta_rs(self, version: int, segment: LogSegment, opened: Opened | str) -> None:
        if isinstance(opened, str):
            self._unopened[version] = opened
            self._judge.compare_checkpoint(version)
            return
        at = self._at(version)
        trusted = max((one for one in self._foreign if one <= version), default=None)
        misled = trusted is not None and self._foreign[trusted]
        if not misled:
            compare_state_with_delta_rs(opened.table, at, self._findings)
        if version != self._agreed:
            self._compare_at_length(version, segment, opened, self._findings)
        self._judge.settle(version)
        if version == self._entry.version:
            compare_deletion_vectors(opened.table, at, self._findings)
            self._judge.settle(version)

    def _reader(self) -> str:
        opened = ""
        if self._unopened:
            versions = sorted(self._unopened)
            which = f"version {versions[0]}" if len(versions) == 1 else f"{len(versions)} of the versions"
            opened = f" (which does not open {which}: {self._unopened[versions[0]]})"
            seen = "second reading of the log for these, and"
        else:
            seen = "second reading of the log"
        return f"{reader_name()}{opened}; {seen} for {UNSEEN}"
