"""What the catalog has beside files against the second reading of the log: every action of every version."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..catalog.snapshot import Snapshot
from ..log.path import commit_name
from ..rows import CdcFileRow, CommitRow, DomainMetadataRow, MetadataRow, ProtocolRow, Rows, TransactionRow
from .differences import Findings
from .facts import Action, parsed_json, whole
from .second_reading import Commit, Reading, Scope

_METADATA_KINDS = {"schemaString": "schema", "configuration": "configuration"}
_KNOWN = frozenset({"add", "remove", "metaData", "protocol", "txn", "domainMetadata"})
_NUMBERS = frozenset({"minReaderVersion", "minWriterVersion", "createdTime", "version", "lastUpdated", "size"})


def compare_state_with_log(snapshot: Snapshot, scope: Scope, reading: Reading, findings: Findings) -> None:
    """Compares every commit, metadata, protocol, transaction, domain and file of changes with its row."""
    rows = snapshot.all_but_files()
    compare = _Comparison(snapshot, scope, reading, findings)
    compare.commits(reading.commits, {row.version: row for row in rows.commits})
    compare.states("metadata", _latest(reading.metadata), {(None, r.version): metadata_of(r) for r in rows.metadata})
    compare.states("protocol", _latest(reading.protocols), {(None, r.version): protocol_of(r) for r in rows.protocols})
    compare.states("txn", reading.transactions, {(r.app_id, r.version): txn_of(r) for r in rows.transactions})
    compare.states(
        "domain_metadata", reading.domains, {(r.domain, r.version): domain_of(r) for r in rows.domain_metadata}
    )
    compare.cdc(reading.commits, rows)
    if not scope.floors_differ:
        actual = parsed_json(snapshot.entry.checkpoint_actions) or []
        checkpoint = scope.segment.checkpoint
        source = None if checkpoint is None else checkpoint.name
        compare.unknown(scope.floor, reading.checkpoint_others, actual, source)


class _Comparison:
    """Compares within the versions that both the log and the catalog have."""

    def __init__(self, snapshot: Snapshot, scope: Scope, reading: Reading, findings: Findings) -> None:
        self._scope = scope
        self._sources = reading.sources
        self._newest_in_sql = snapshot.entry.version
        self._findings = findings

    def commits(self, expected: Mapping[int, Commit], actual: Mapping[int, CommitRow]) -> None:
        for version in sorted({*expected, *actual}):
            if not self._has_commit(version):
                continue
            commit, row = expected.get(version), actual.get(version)
            if commit is None:
                self._findings.add(version, "commit", None, None, {"operation": row.operation if row else None})
            elif row is None:
                told = {"operation": _told(commit).get("operation")}
                self._findings.add(version, "commit", None, told, None, source=commit_name(version))
            else:
                self._commit(version, commit, row)

    def _commit(self, version: int, commit: Commit, row: CommitRow) -> None:
        source = commit_name(version)
        self._findings.compare(version, "commit", None, commit.info, parsed_json(row.commit_info), source=source)
        for name, (expected, actual) in _columns(commit, row).items():
            if expected != actual:
                self._findings.add(version, "commit", None, {name: expected}, {name: actual}, source=source)
        info = _told(commit)
        in_commit, told = (_only(info.get(name), int) for name in ("inCommitTimestamp", "timestamp"))
        self._findings.compare(version, "timestamp", None, in_commit, row.in_commit_timestamp, source=source)
        # A file's time changes when a table is copied: what the import found is taken for right.
        times = (time for time in (in_commit, told, row.file_timestamp) if time is not None)
        self._findings.compare(version, "timestamp", None, next(times), row.timestamp, source=source)
        self.unknown(version, commit.others, parsed_json(row.other_actions) or [], source)
        if row.own_actions is not None:
            expected, actual = commit.states if self._begins(version) else None, _names(_own_states(row))
            self._findings.compare(version, "own_actions", None, _names(expected), actual, source=source)

    def _begins(self, version: int) -> bool:
        """Tells whether the history begins with a checkpoint of a version."""
        return version == self._scope.floor and self._scope.segment.checkpoint is not None

    def unknown(self, version: int, expected: list[Action], actual: list[Action], source: str | None) -> None:
        """Compares actions that are kept without being understood, in any order."""
        missing, extra = _unmatched([_without_nulls(a) for a in expected], [_without_nulls(a) for a in actual])
        for action in missing:
            self._findings.add(version, "unknown_action", None, action, None, source=source)
        for action in extra:
            self._findings.add(version, "unknown_action", None, None, action)

    def states(
        self, kind: str, expected: Mapping[tuple[Any, int], Action], actual: Mapping[tuple[Any, int], Action]
    ) -> None:
        """Compares what holds until something newer is said, by name and version."""
        theirs, ours = self._from_floor(expected), self._from_floor(actual)
        sources = self._sources_of(kind, expected)
        for key in sorted({*theirs, *ours}, key=lambda key: (key[1], key[0] or "")):
            version, log, sql = key[1], theirs.get(key), ours.get(key)
            if log is None or sql is None:
                if self._compares(version) and not self._forgotten(kind, version, log or sql or {}):
                    source = sources.get(key)
                    self._findings.add(min(version, self._newest_in_sql), kind, None, log, sql, source=source)
                continue
            if self._at_checkpoint(version) and log.get("removed") and sql.get("removed"):
                continue  # a checkpoint that lacks a domain tells that it was removed, and no more
            # One side may know no more than a checkpoint keeps.
            names = log.keys() & sql.keys() if self._at_checkpoint(version) else log.keys() | sql.keys()
            for name in sorted(names):
                if log.get(name) != sql.get(name):
                    whose = {} if key[0] is None else {_NAMES[kind]: key[0]}
                    told, found = (whose | {name: body.get(name)} for body in (log, sql))
                    told_as = _METADATA_KINDS.get(name, kind) if kind == "metadata" else kind
                    self._findings.add(version, told_as, None, told, found, source=sources.get(key))

    def _forgotten(self, kind: str, version: int, body: Action) -> bool:
        """Tells whether a checkpoint need not hold an action: a removed domain, a transaction that may have expired."""
        may_go = kind == "txn" or (kind == "domain_metadata" and bool(body.get("removed")))
        return may_go and self._at_checkpoint(version)

    def _at_checkpoint(self, version: int) -> bool:
        return self._scope.floors_differ and version == self._scope.floor

    def cdc(self, commits: Mapping[int, Commit], rows: Rows) -> None:
        actual: dict[int, list[Action]] = {}
        for row in rows.cdc_files:
            actual.setdefault(row.version, []).append(cdc_of(row))
        for version in sorted({*commits, *actual}):
            if not self._has_commit(version):
                continue
            told = (
                [clean({"partitionValues": {}} | body) for body in commits[version].cdc] if version in commits else []
            )
            missing, extra = _unmatched(told, actual.get(version, []))
            found = {body["path"]: body for body in extra}
            for body in missing:
                in_sql = found.pop(body["path"], None)
                self._findings.add(version, "cdc", body["path"], body, in_sql, source=commit_name(version))
            for path, body in found.items():
                self._findings.add(version, "cdc", path, None, body)

    def _compares(self, version: int) -> bool:
        """Tells whether a row of a version is compared; one beyond the catalog's newest version always is."""
        return version <= self._scope.segment.version or version > self._newest_in_sql

    def _has_commit(self, version: int) -> bool:
        """Tells whether the commit of a version is compared: the floor's own may be gone from the log."""
        segment, floor = self._scope.segment, self._scope.floor
        if not self._compares(version):
            return False
        if self._scope.floors_differ:
            return version > floor
        if version == floor and segment.checkpoint is not None:
            return any(commit.version == version for commit in segment.commits[:1])
        return True

    def _sources_of(self, kind: str, states: Mapping[tuple[Any, int], Action]) -> dict[tuple[Any, int], str]:
        """Returns the files of the log that say what `_from_floor` returns."""
        sources: dict[tuple[Any, int], str] = {}
        for name, version in sorted(states, key=lambda key: key[1]):
            said = self._sources.get((_LOG_NAMES[kind], version if name is None else (name, version)))
            if said is not None:
                sources[name, max(version, self._scope.floor)] = said
        return sources

    def _from_floor(self, states: Mapping[tuple[Any, int], Action]) -> dict[tuple[Any, int], Action]:
        """Returns what holds at the floor, as said there, and everything newer."""
        floor, result = self._scope.floor, dict[tuple[Any, int], Action]()
        for (name, version), body in sorted(states.items(), key=lambda item: item[0][1]):
            result[name, max(version, floor)] = clean(body)
        return result


_LOG_NAMES = {"metadata": "metaData", "protocol": "protocol", "txn": "txn", "domain_metadata": "domainMetadata"}
_NAMES = {"txn": "appId", "domain_metadata": "domain"}


def _latest(states: Mapping[int, Action]) -> dict[tuple[Any, int], Action]:
    return {(None, version): body for version, body in states.items()}


def _told(commit: Commit) -> Action:
    return commit.info if isinstance(commit.info, dict) else {}


def _columns(commit: Commit, row: CommitRow) -> dict[str, tuple[Any, Any]]:
    """Returns the columns that repeat parts of the commitInfo, as the log has them and as SQL has them."""
    info = _told(commit)
    texts = {
        "operation": row.operation,
        "userId": row.user_id,
        "userName": row.user_name,
        "engineInfo": row.engine_info,
        "txnId": row.txn_id,
    }
    columns: dict[str, tuple[Any, Any]] = {name: (_only(info.get(name), str), actual) for name, actual in texts.items()}
    columns["isBlindAppend"] = (_only(info.get("isBlindAppend"), bool), row.is_blind_append)
    columns["operationParameters"] = (info.get("operationParameters"), parsed_json(row.operation_parameters))
    columns["operationMetrics"] = (info.get("operationMetrics"), parsed_json(row.operation_metrics))
    return columns


def _own_states(row: CommitRow) -> set[tuple[str, str | None]]:
    """Returns what `own_actions` says, as `Commit.states` has it."""
    told = parsed_json(row.own_actions)
    named = told if isinstance(told, dict) else {"": told}
    return {
        (name, each if each is None else str(each))
        for name, whose in named.items()
        for each in (whose if isinstance(whose, list) else [None])
    }


def _names(states: set[tuple[str, str | None]] | None) -> list[str] | None:
    return None if states is None else sorted(name if whose is None else f"{name} {whose}" for name, whose in states)


def _only(value: Any, kind: type) -> Any:
    return value if type(value) is kind else None


def _unmatched(expected: list[Action], actual: list[Action]) -> tuple[list[Action], list[Action]]:
    """Returns the values that only one side has, in any order and however often."""
    counts = Counter(_key(value) for value in expected)
    counts.subtract(_key(value) for value in actual)
    missing, extra = [], []
    for value in expected:
        if counts[_key(value)] > 0:
            counts[_key(value)] -= 1
            missing.append(value)
    for value in actual:
        if counts[_key(value)] < 0:
            counts[_key(value)] += 1
            extra.append(value)
    return missing, extra


def _key(value: Action) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _without_nulls(action: Action) -> Action:
    """Leaves out the null fields of an action that the protocol knows: there they say nothing."""
    return {name: clean(body) if name in _KNOWN and isinstance(body, dict) else body for name, body in action.items()}


def clean(body: Action) -> Action:
    """Returns an action without null fields, and with numbers in one form."""
    return {name: whole(value) if name in _NUMBERS else value for name, value in body.items() if value is not None}


# ---- rows as the actions that they stand for


def metadata_of(row: MetadataRow) -> Action:
    """Returns a row's metaData action; absent fields are None."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "format": parsed_json(row.format),
        "schemaString": row.schema_string,
        "partitionColumns": parsed_json(row.partition_columns),
        "configuration": parsed_json(row.configuration),
        "createdTime": row.created_time,
        **_extra(row.extra),
    }


def protocol_of(row: ProtocolRow) -> Action:
    """Returns a row's protocol action; absent fields are None."""
    return {
        "minReaderVersion": row.min_reader_version,
        "minWriterVersion": row.min_writer_version,
        "readerFeatures": parsed_json(row.reader_features),
        "writerFeatures": parsed_json(row.writer_features),
        **_extra(row.extra),
    }


def txn_of(row: TransactionRow) -> Action:
    """Returns a row's txn action; absent fields are None."""
    return {
        "appId": row.app_id,
        "version": row.txn_version,
        "lastUpdated": row.last_updated,
        **_extra(row.extra),
    }


def domain_of(row: DomainMetadataRow) -> Action:
    """Returns a row's domainMetadata action; absent fields are None."""
    return {
        "domain": row.domain,
        "configuration": row.configuration,
        "removed": row.removed,
        **_extra(row.extra),
    }


def cdc_of(row: CdcFileRow) -> Action:
    """Returns a row's cdc action, without absent fields."""
    body = {
        "path": row.path,
        "partitionValues": parsed_json(row.partition_values),
        "size": row.size,
        "dataChange": row.data_change,
        "tags": parsed_json(row.tags),
        **_extra(row.extra),
    }
    return clean(body)


def _extra(text: str | None) -> Action:
    return parsed_json(text) or {}
