"""`DeltaTable.get_add_actions`: every active file with its statistics and partition values, as delta-rs types them.

The types come from delta-rs itself, which is asked for the listing of the same table without files; the values come
from SQL, many at a time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pyarrow as pa
from sqlalchemy import ColumnElement

from .. import json_columns
from ..catalog.snapshot import Snapshot
from . import mini_log
from .listing import listed, typed_partitions
from .opened import Opened

_STATS = {"null_count": "nullCount", "min": "minValues", "max": "maxValues"}
"""The columns that come from a file's statistics, and their names there."""


def add_actions(opened: Opened, snapshot: Snapshot, where: ColumnElement[bool] | None = None) -> pa.Table:
    """Returns the active files, those that `where` lets pass, with nested statistics and partition values."""
    kinds = _schema(opened)
    table = listed(snapshot, ["path", "size", "modification_time", "num_records", "stats", "partition_values"], where)
    stats = _stats(table, kinds)
    columns: dict[str, Any] = {
        "path": table["path"],
        "size_bytes": table["size"],
        "modification_time": table["modification_time"],
        "num_records": table["num_records"],
    }
    for field in kinds:
        if field.name in _STATS:
            columns[field.name] = stats[_STATS[field.name]]
        elif field.name == "partition":
            columns[field.name] = typed_partitions(opened, table["path"], table["partition_values"], field.type)
    # Logs are accepted whose adds lack a size or a time, which the protocol demands.
    shown = [field.with_nullable(field.nullable or columns[field.name].null_count > 0) for field in kinds]
    return pa.table([columns[field.name] for field in kinds], schema=pa.schema(shown, kinds.metadata))


def flattened(table: pa.Table) -> pa.Table:
    """Returns the same with a column for each statistic and partition column, `min.value` or `partition.year`."""
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table.cast(pa.schema([field.remove_metadata() for field in table.schema]))


def _schema(opened: Opened) -> pa.Schema:
    return _schema_of(_Hashable(opened))


class _Hashable:
    """A version by what its listing's types depend on."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        metadata, protocol = opened.metadata, opened.protocol
        self._key = (
            metadata.schema_string,
            metadata.partition_columns,
            metadata.configuration,
            protocol[1:5],
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashable) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=64)
def _schema_of(key: _Hashable) -> pa.Schema:
    return pa.schema(mini_log.delta_table(key.opened, []).get_add_actions().schema)


def _stats(table: pa.Table, kinds: pa.Schema) -> dict[str, pa.Array]:
    fields = [(inside, kinds.field(name).type) for name, inside in _STATS.items() if name in kinds.names]
    # Statistics without a number of records may be anything: nobody has decoded them yet.
    trusted = table["num_records"].is_valid().to_pylist()
    parsed = json_columns.parse(table["stats"].to_pylist(), pa.struct(fields), trusted=trusted)
    return dict(zip([name for name, _ in fields], _flat(parsed), strict=True))


def _flat(array: pa.StructArray) -> list[pa.Array]:
    found: list[pa.Array] = array.flatten()
    return found
