"""The catalog against the checksum files of the log (PROTOCOL.md, "Version Checksum File").

A checksum is hearsay of the log: one that contradicts the log itself is noted, and the catalog is not held against it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ..catalog.snapshot import Snapshot
from ..errors import StorageError
from ..log.path import LogFile
from ..log.reader import Log
from .differences import Findings
from .facts import Action, parsed_json
from .second_reading import Reading
from .state_against_log import clean, domain_of, metadata_of, protocol_of, txn_of

State = dict[str, Any]


def read_checksum(log: Log, file: LogFile, findings: Findings) -> State | None:
    """Returns what a checksum file says; None, with a note, where it can't be read."""
    try:
        value = json.loads(log.store.get(file.path).decode("utf-8-sig"), parse_float=Decimal)
    except (StorageError, ValueError) as error:
        findings.note(f"{file.name} could not be read ({error})")
        return None
    if not isinstance(value, dict):
        findings.note(f"{file.name} is not a checksum")
        return None
    return value


def compare_with_checksum(
    told: State, name: str, snapshot: Snapshot, reading: Reading, findings: Findings
) -> list[str]:
    """Compares one version with its checksum, as far as that agrees with the log; returns the fields that don't."""
    in_log, in_sql = _of_log(reading, snapshot.version), _of_catalog(snapshot)
    foreign = [field for field, expected in _comparable(told) if expected != _of_field(in_log, field, expected)]
    if foreign:
        findings.note(f"{name} contradicts the log, which was believed: {', '.join(foreign)}")
    for field, expected in _comparable(told):
        actual = _of_field(in_sql, field, expected)
        if field not in foreign and expected != actual:
            values = {field: expected}, {field: actual}
            findings.add(snapshot.version, "checksum", None, *values, source=name, again=True)
    files = told.get("allFiles")
    if isinstance(files, list) and not foreign:
        _compare_all_files(files, name, snapshot, findings)
    return foreign


def _comparable(told: State) -> Iterator[tuple[str, Any]]:
    """Yields the fields that are compared, in one form."""
    for field in (
        "numFiles",
        "tableSizeBytes",
        "numDeletionVectorsOpt",
        "numDeletedRecordsOpt",
        "inCommitTimestampOpt",
    ):
        if isinstance(told.get(field), int):
            yield field, told[field]
    for field in ("metadata", "protocol"):
        if isinstance(told.get(field), dict):
            yield field, _state(told[field])
    for field, key in (("setTransactions", "appId"), ("domainMetadata", "domain")):
        if isinstance(told.get(field), list):
            yield field, {body[key]: _state(body) for body in told[field]}


def _of_field(state: State, field: str, expected: Any) -> Any:
    """Returns a field of ours, as far as the checksum has something to say: it may leave out expired transactions."""
    value = state.get(field)
    if field == "setTransactions" and isinstance(value, dict):
        return {app: value[app] for app in expected if app in value}
    return expected if value is None else value  # we have no such number


def _state(body: Action) -> Action:
    """Returns an action in the form in which it is compared: lists of features have no order, what is absent is out."""
    tidied = clean(body)
    for name in ("readerFeatures", "writerFeatures"):
        if isinstance(tidied.get(name), list):
            tidied[name] = sorted(tidied[name])
    return tidied


def _of_log(reading: Reading, version: int) -> State:
    totals = reading.totals[version]
    commit = reading.commits.get(version)
    info = commit.info if commit is not None and isinstance(commit.info, dict) else {}
    return {
        "numFiles": totals.files,
        "tableSizeBytes": totals.size,
        "numDeletionVectorsOpt": totals.vectors,
        "numDeletedRecordsOpt": totals.deleted,
        "inCommitTimestampOpt": info.get("inCommitTimestamp"),
        **state_of_log(reading, version),
    }


def state_of_log(reading: Reading, version: int) -> State:
    """Returns what holds at a version of the log beside files, under the names that a checksum has for it."""
    return {
        "metadata": _newest({(None, v): body for v, body in reading.metadata.items()}, version).get(None),
        "protocol": _newest({(None, v): body for v, body in reading.protocols.items()}, version).get(None),
        "setTransactions": _newest(reading.transactions, version),
        "domainMetadata": {n: b for n, b in _newest(reading.domains, version).items() if not b.get("removed")},
    }


def _newest(states: Mapping[tuple[Any, int], Action], version: int) -> dict[Any, Action]:
    newest = sorted((key for key in states if key[1] <= version), key=lambda key: key[1])
    return {name: _state(states[name, at]) for name, at in newest}


def _of_catalog(snapshot: Snapshot) -> State:
    files, size, *_ = snapshot.count()
    commit = next((c for c in snapshot.commits(limit=1) if c.version == snapshot.version), None)
    return {
        "numFiles": files,
        "tableSizeBytes": size,
        "inCommitTimestampOpt": commit.in_commit_timestamp if commit else None,
        **state_of_catalog(snapshot),
    }


def state_of_catalog(snapshot: Snapshot) -> State:
    """Returns the same of the catalog as `state_of_log` does of the log."""
    metadata, protocol = snapshot.metadata(), snapshot.protocol()
    return {
        "metadata": _state(metadata_of(metadata)) if metadata else {},
        "protocol": _state(protocol_of(protocol)) if protocol else {},
        "setTransactions": {row.app_id: _state(txn_of(row)) for row in snapshot.transactions()},
        "domainMetadata": {row.domain: _state(domain_of(row)) for row in snapshot.domain_metadata()},
    }


def _compare_all_files(files: list[Action], name: str, snapshot: Snapshot, findings: Findings) -> None:
    """Compares paths, sizes and partition values; the rest is as the log has it, or an older form of it."""
    expected = {body["path"]: (body.get("size"), body.get("partitionValues") or {}) for body in files}
    actual = {row.path: (row.size, parsed_json(row.partition_values)) for row in snapshot.files()}
    for path in sorted({*expected, *actual}):
        told, found = expected.get(path), actual.get(path)
        if told == found:
            continue
        kind = "file_extra" if told is None else "file_missing" if found is None else "checksum"
        findings.add(snapshot.version, kind, path, _shown(told), _shown(found), source=name, again=True)


def _shown(file: tuple[Any, Any] | None) -> object:
    return None if file is None else {"size": file[0], "partitionValues": file[1]}
