"""SQL rows → the actions of each commit, as the log had them: the proof that nothing was lost.

What SQL can't tell apart: at a floor with a checkpoint, the actions of its own commit from those of the checkpoint.
"""

import json
from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from deltalakedb.catalog.schema import ROW_TABLES
from deltalakedb.catalog.snapshot import Snapshot
from deltalakedb.rows import CdcFileRow, CommitRow, DomainMetadataRow, FileLifetime, MetadataRow, ProtocolRow
from deltalakedb.rows import TransactionRow as TxnRow

Action = dict[str, Any]
Row = Any

_ADD = {
    "path": "path", "partitionValues": "partition_values", "size": "size", "modificationTime": "modification_time",
    "dataChange": "data_change", "stats": "stats", "tags": "tags", "deletionVector": "deletion_vector",
    "baseRowId": "base_row_id", "defaultRowCommitVersion": "default_row_commit_version",
    "clusteringProvider": "clustering_provider",
}  # fmt: skip
_NAMED: dict[type, tuple[str, dict[str, str]]] = {
    ProtocolRow: ("protocol", {
        "minReaderVersion": "min_reader_version", "minWriterVersion": "min_writer_version",
        "readerFeatures": "reader_features", "writerFeatures": "writer_features",
    }),
    MetadataRow: ("metaData", {
        "id": "id", "name": "name", "description": "description", "format": "format", "schemaString": "schema_string",
        "partitionColumns": "partition_columns", "configuration": "configuration", "createdTime": "created_time",
    }),
    TxnRow: ("txn", {"appId": "app_id", "version": "txn_version", "lastUpdated": "last_updated"}),
    DomainMetadataRow: ("domainMetadata", {"domain": "domain", "configuration": "configuration", "removed": "removed"}),
    CdcFileRow: ("cdc", {
        "path": "path", "partitionValues": "partition_values", "size": "size", "dataChange": "data_change",
        "tags": "tags",
    }),
}  # fmt: skip
_JSON_COLUMNS = {
    "partition_values", "tags", "deletion_vector", "format", "partition_columns", "reader_features", "writer_features",
}  # fmt: skip


def rebuild(files: list[FileLifetime], others: list[Row]) -> dict[int, list[Action]]:
    """The actions of each version, from all rows of a table."""
    commits: dict[int, list[Action]] = defaultdict(list)
    for row in others:
        if isinstance(row, CommitRow):
            commits[row.version] += [{"commitInfo": json.loads(row.commit_info)}] if row.commit_info else []
            commits[row.version] += json.loads(row.other_actions or "[]")
        else:
            name, columns = _NAMED[type(row)]
            commits[row.version].append({name: _body(row, columns)})
    for row in files:
        if row.added_version is not None:
            commits[row.added_version].append({"add": _body(row, _ADD)})
        if row.removal is not None:
            commits[row.removed_version].append({"remove": _remove(row)})
    return commits


def rows_of(snapshot: Snapshot) -> tuple[list[FileLifetime], list[Row]]:
    """All rows of a table: those of its files, and all others."""
    kinds = {"files": FileLifetime, "commits": CommitRow, "metadata": MetadataRow, "protocols": ProtocolRow,
             "transactions": TxnRow, "domain_metadata": DomainMetadataRow, "cdc_files": CdcFileRow}  # fmt: skip
    found: dict[str, list[Any]] = {}
    for name, kind in kinds.items():
        table = ROW_TABLES[name]
        query = sa.select(*(table.c[column] for column in kind._fields))
        rows = snapshot.connection.execute(query.where(table.c.table_id == snapshot.entry.table_id))
        found[name] = [kind._make(row) for row in rows]
    return found.pop("files"), [row for rows in found.values() for row in rows]


def plain(action: Action) -> str:
    """An action as text that is equal for equal meanings: null fields are absent, 500.0 is 500, order is nothing."""
    ((name, body),) = action.items()
    if name in ("add", "remove", "cdc", "metaData", "protocol", "txn", "domainMetadata") and isinstance(body, dict):
        body = {key: value for key, value in body.items() if value is not None}
    return json.dumps({name: _whole(body)}, sort_keys=True)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _body(row: Row, columns: dict[str, str]) -> Action:
    body = {name: _value(row, column) for name, column in columns.items()}
    return {name: value for name, value in body.items() if value is not None} | json.loads(row.extra or "{}")


def _value(row: Row, column: str) -> Any:
    value = getattr(row, column)
    is_json = column in _JSON_COLUMNS or (column == "configuration" and isinstance(row, MetadataRow))
    return json.loads(value) if value is not None and is_json else value


def _remove(row: FileLifetime) -> Action:
    removal = json.loads(row.removal)
    body = {"path": row.path, "deletionTimestamp": row.deletion_timestamp, **removal["fields"]}
    body |= {name: _value(row, _ADD[name]) for name in removal["same"]}
    return body | removal.get("extra", {})
