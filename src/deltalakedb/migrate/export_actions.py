"""Rows of SQL → the actions of a log, as their JSON. Pure.

Nothing is lost: fields and actions that we don't model come back from where they were kept, and JSON that was stored
as it was comes back letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from ..catalog.history import CommitRows
from ..rows import CdcFileRow, CommitRow, DomainMetadataRow, FileLifetime, MetadataRow, ProtocolRow, TransactionRow

_encode = msgspec.json.encode
_fields_of = msgspec.json.Decoder(dict[str, Raw]).decode
_actions_of = msgspec.json.Decoder(list[dict[str, Raw]]).decode

_ADD = {
    "path": "path",
    "partitionValues": "partition_values",
    "size": "size",
    "modificationTime": "modification_time",
    "dataChange": "data_change",
    "stats": "stats",
    "tags": "tags",
    "deletionVector": "deletion_vector",
    "baseRowId": "base_row_id",
    "defaultRowCommitVersion": "default_row_commit_version",
    "clusteringProvider": "clustering_provider",
}
_NAMED: dict[type, tuple[str, dict[str, str]]] = {
    ProtocolRow: (
        "protocol",
        {
            "minReaderVersion": "min_reader_version",
            "minWriterVersion": "min_writer_version",
            "readerFeatures": "reader_features",
            "writerFeatures": "writer_features",
        },
    ),
    MetadataRow: (
        "metaData",
        {
            "id": "id",
            "name": "name",
            "description": "description",
            "format": "format",
            "schemaString": "schema_string",
            "partitionColumns": "partition_columns",
            "configuration": "configuration",
            "createdTime": "created_time",
        },
    ),
    TransactionRow: ("txn", {"appId": "app_id", "version": "txn_version", "lastUpdated": "last_updated"}),
    DomainMetadataRow: (
        "domainMetadata",
        {"domain": "domain", "configuration": "configuration", "removed": "removed"},
    ),
    CdcFileRow: (
        "cdc",
        {
            "path": "path",
            "partitionValues": "partition_values",
            "size": "size",
            "dataChange": "data_change",
            "tags": "tags",
        },
    ),
}
_JSON = {
    "partition_values",
    "tags",
    "deletion_vector",
    "format",
    "partition_columns",
    "reader_features",
    "writer_features",
}

NamedRow = ProtocolRow | MetadataRow | TransactionRow | DomainMetadataRow | CdcFileRow
Action = dict[str, Any]
"""An action's name and its fields; nested JSON is `Raw`."""


class Paths(Protocol):
    """Turns what the log says of a file's place into what the exported log is to say."""

    def path(self, path: str) -> str:
        """Returns what stands for a path of the log."""

    def vector(self, text: str) -> str:
        """Returns what stands for a deletion vector's descriptor, which is JSON."""


def actions_of(rows: CommitRows, paths: Paths | None = None) -> Iterator[Action]:
    """Yields the actions of a commit.

    Its commitInfo comes first, as in-commit timestamps demand. Before it is only what the log had twice: of two actions
    the protocol takes the later one for what counts, but of two adds the first.
    """
    twice, others = _others(rows.commit)
    yield from twice
    if rows.commit.commit_info is not None:
        yield {"commitInfo": Raw(rows.commit.commit_info)}
    for named in (rows.protocols, rows.metadata, rows.transactions, rows.domain_metadata):
        for row in named:
            yield named_action(row)
    for file in rows.removes:
        yield remove_action(relocated(file, paths))
    for file in rows.adds:
        yield add_action(relocated(file, paths))
    yield from changes_of(rows.cdc_files, paths)
    yield from others


def floor_actions_of(rows: CommitRows, paths: Paths | None = None) -> Iterator[Action]:
    """Yields the actions of a commit where the log begins with a checkpoint of the same version.

    What the checkpoint alone has is left out. Catalogs of schema version 3 could not tell it from what the commit says:
    there it is only what is certainly of the commit itself.
    """
    if rows.commit.own_actions is None:
        yield from _certain_actions_of(rows, paths)
    else:
        yield from actions_of(_without_checkpoint(rows, rows.commit.own_actions), paths)


def _without_checkpoint(rows: CommitRows, own_actions: str) -> CommitRows:
    own: dict[str, Any] = msgspec.json.decode(own_actions)
    apps, domains = (frozenset(own.get(name, ())) for name in ("txn", "domainMetadata"))
    return rows._replace(
        protocols=(row for row in rows.protocols if "protocol" in own),
        metadata=(row for row in rows.metadata if "metaData" in own),
        transactions=(row for row in rows.transactions if row.app_id in apps),
        domain_metadata=(row for row in rows.domain_metadata if row.domain in domains),
        removes=(file for file in rows.removes if file.own_remove),
        adds=(file for file in rows.adds if file.own_add),
    )


def _certain_actions_of(rows: CommitRows, paths: Paths | None) -> Iterator[Action]:
    for used_up in (rows.protocols, rows.metadata, rows.transactions, rows.domain_metadata, rows.removes, rows.adds):
        for _ in used_up:
            pass
    if rows.commit.commit_info is not None:
        yield {"commitInfo": Raw(rows.commit.commit_info)}
    yield from changes_of(rows.cdc_files, paths)
    _, others = _others(rows.commit)
    yield from (action for action in others if not action.keys() & {"add", "remove"})


def to_line(action: Action) -> bytes:
    """Returns an action as a line of a commit."""
    # Between the words of JSON that was kept as it was there may be line breaks; within words there are none.
    return _encode(action).replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"


def named_action(row: NamedRow) -> Action:
    """Returns the action of a row that isn't about the table's files."""
    name, columns = _NAMED[type(row)]
    return openable({name: _body(row, columns)})


_FEATURES_FROM = (("readerFeatures", "minReaderVersion", 3), ("writerFeatures", "minWriterVersion", 7))


def openable(action: Action) -> Action:
    """Returns an action without lists of features for which its protocol is too old, where it is one.

    Some logs have them, mostly empty (PROTOCOL.md, "Protocol Evolution", forbids it), and readers refuse to open such a
    log, unless they find a checkpoint whose writer has left them out.
    """
    body = action.get("protocol")
    if body is None:
        return action
    fields = body if isinstance(body, dict) else _fields_of(body)
    old = {features for features, version, first in _FEATURES_FROM if _number(fields.get(version)) < first}
    return {"protocol": {name: value for name, value in fields.items() if name not in old}} if old else action


def _number(value: Any) -> float:
    return msgspec.json.decode(value, type=float) if isinstance(value, Raw) else value


def changes_of(rows: Iterable[CdcFileRow], paths: Paths | None) -> Iterator[Action]:
    """Yields the cdc actions of files of changes."""
    for row in rows:
        yield named_action(row if paths is None else row._replace(path=paths.path(row.path)))


def add_action(row: FileLifetime) -> Action:
    """Returns the add of a file."""
    return {"add": _body(row, _ADD)}


def remove_action(row: FileLifetime) -> Action:
    """Returns the remove that ended a file."""
    assert row.removal is not None
    removal = _fields_of(row.removal)
    body: Action = {"path": row.path}
    if row.deletion_timestamp is not None:
        body["deletionTimestamp"] = row.deletion_timestamp
    body |= _fields_of(removal["fields"])
    body |= {name: _value(row, _ADD[name]) for name in msgspec.json.decode(removal["same"], type=list[str])}
    return {"remove": body | _fields_of(removal.get("extra", b"{}"))}


def relocated(row: FileLifetime, paths: Paths | None) -> FileLifetime:
    """Returns a file whose paths, its remove's included, are those of the exported log."""
    if paths is None:
        return row
    vector = None if row.deletion_vector is None else paths.vector(row.deletion_vector)
    row = row._replace(path=paths.path(row.path), deletion_vector=vector)
    if row.removal is None:
        return row
    removal = _fields_of(row.removal)
    fields = _fields_of(removal["fields"])
    if "deletionVector" in fields:
        fields["deletionVector"] = Raw(paths.vector(bytes(fields["deletionVector"]).decode()))
        removal["fields"] = Raw(_encode(fields))
    return row._replace(removal=_encode(removal).decode())


def _others(row: CommitRow) -> tuple[list[Action], list[Action]]:
    """What a commit has beside the actions that we model: those that it has twice, and those that we don't know."""
    known = {name for name, _ in _NAMED.values()} | {"commitInfo"}
    others = [] if row.other_actions is None else _actions_of(row.other_actions)
    return [openable(a) for a in others if a.keys() & known], [a for a in others if not a.keys() & known]


def _body(row: Any, columns: dict[str, str]) -> Action:
    body = {name: value for name, column in columns.items() if (value := _value(row, column)) is not None}
    return body if row.extra is None else body | _fields_of(row.extra)


def _value(row: Any, column: str) -> Any:
    value = getattr(row, column)
    is_json = column in _JSON or (column == "configuration" and isinstance(row, MetadataRow))
    return Raw(value) if value is not None and is_json else value
