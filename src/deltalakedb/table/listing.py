"""The files of a version as columns, in the order in which delta-rs lists them: that of a replay, newest commit first.

Where delta-rs begins with a checkpoint, its order is the checkpoint's; SQL keeps that of the commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import ColumnElement, and_

from .. import json_columns, partition_values
from ..catalog.partitions import partitions_of
from ..catalog.schema import delta_files
from ..catalog.snapshot import Snapshot
from ..columns import Column
from ..partition_values import PartitionValueError
from .exceptions import ReadError
from .opened import Opened

_TYPES: dict[str, pa.DataType] = {
    "path": pa.string(),
    "size": pa.int64(),
    "modification_time": pa.int64(),
    "num_records": pa.int64(),
    "added_version": pa.int64(),
    "partition_values": pa.string(),
    "stats": pa.string(),
    "deletion_vector": pa.string(),
}

_MANY_PARTITIONS = 1_000
"""Up to so many are looked up one after the other; beyond, one pass over the files is faster."""

_VECTOR = pa.struct(
    {
        "storageType": pa.string(),
        "pathOrInlineDv": pa.string(),
        "offset": pa.int64(),
        "sizeInBytes": pa.int64(),
        "cardinality": pa.int64(),
    }
)


def listed(snapshot: Snapshot, names: Sequence[str], where: ColumnElement[bool] | None = None) -> pa.Table:
    """Returns columns of `delta_files` for the active files, those that `where` lets pass; JSON stays text."""
    fields = [pa.field(name, _TYPES[name]) for name in names]
    schema = pa.schema([*fields, pa.field(" version", pa.int64()), pa.field(" place", pa.int64())])
    pieces = [_table(rows, schema) for rows in snapshot.file_columns(names, where)]
    table = pa.concat_tables(pieces) if pieces else schema.empty_table()
    found = table.select(list(names))
    if not _is_in_order(table[" version"], table[" place"]):
        found = found.take(pc.sort_indices(table, [(" version", "descending"), (" place", "ascending")]))
    return found.combine_chunks()


def _is_in_order(versions: pa.ChunkedArray, places: pa.ChunkedArray) -> bool:
    """Whether rows are as they are wanted already: an import wrote them so. Moving them costs a third of a listing."""
    steps, moves = (pc.subtract(each.slice(1), each.slice(0, max(len(each) - 1, 0))) for each in (versions, places))
    ordered = pc.or_(pc.less(steps, 0), pc.and_(pc.equal(steps, 0), pc.greater(moves, 0)))
    return bool(pc.all(ordered, min_count=0).as_py())


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table([pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema)


def files(opened: Opened, snapshot: Snapshot, where: ColumnElement[bool] | None = None) -> pa.Table:
    """Returns what a reader needs to know of each file; partition values as the log spells them, by logical names."""
    names = ("path", "size", "partition_values", "num_records", "added_version", "deletion_vector")
    table = listed(snapshot, names, where)
    columns = {
        "path": table["path"],
        "size": table["size"],
        "partition_values": partitions(opened, table["partition_values"]),
        "num_records": table["num_records"],
        "added_version": table["added_version"],
        "deletion_vector": json_columns.parse(table["deletion_vector"].to_pylist(), _VECTOR),
    }
    return pa.table(columns)


def partitions(opened: Opened, texts: pa.ChunkedArray) -> pa.StructArray:
    """Returns partition values as the log spells them, by the columns' logical names."""
    columns = partition_columns(opened)
    encoded = texts.combine_chunks().dictionary_encode()  # there are fewer partitions than files
    known = [partition_values.texts_of(text) for text in encoded.dictionary.to_pylist()]
    rows = [tuple(each.get(column.physical[0]) for column in columns) for each in known]
    return _structs(rows, [pa.field(column.name, pa.string()) for column in columns], encoded.indices)


def typed_partitions(
    opened: Opened, paths: pa.ChunkedArray, texts: pa.ChunkedArray, fields: Sequence[pa.Field]
) -> pa.StructArray:
    """Returns partition values as values of their columns' types.

    Args:
        opened: the version.
        paths: of the files, for messages.
        texts: their partition values, as JSON.
        fields: the wanted columns, by their logical names.

    Raises:
        ReadError: a value is none of its column's type; the message names the first such file.
    """
    by_name = {column.name: column for column in partition_columns(opened)}
    columns = [by_name[field.name] for field in fields]
    encoded = texts.combine_chunks().dictionary_encode()
    rows = []
    for number, text in enumerate(encoded.dictionary.to_pylist()):
        try:
            rows.append(partition_values.values_of(text, columns))
        except PartitionValueError as error:
            raise unreadable(paths[pc.index(encoded.indices, number).as_py()].as_py(), error) from error
    return _structs(rows, fields, encoded.indices)


def _structs(rows: list[tuple[Any, ...]], fields: Sequence[pa.Field], indices: pa.Array) -> pa.StructArray:
    """Returns rows of values as structs, each as often as the indices have it."""
    if not fields:
        return pa.array([{}] * len(indices), pa.struct([]))
    columns = [pa.array([row[at] for row in rows], field.type).take(indices) for at, field in enumerate(fields)]
    return pa.StructArray.from_arrays(columns, fields=list(fields))


def unreadable(path: str, error: PartitionValueError) -> ReadError:
    """Returns the error for a file whose partition value can't be read."""
    return ReadError(f"Can't read {path}: {error}", "The log's add of this file has it so, and no reader knows better.")


def partition_columns(opened: Opened) -> list[Column]:
    """Returns the partition columns in their order."""
    if not opened.partition_columns:
        return []  # nor is a schema needed, which the log may lack
    schema = opened.table_schema
    return [schema.column((name,)) for name in opened.partition_columns]


def distinct_partitions(
    opened: Opened, snapshot: Snapshot, where: ColumnElement[bool] | None
) -> list[dict[str, str | None]]:
    """Returns the partitions that have active files, each once, with their values as the log spells them."""
    if not opened.partition_columns:
        return []
    found = partitions(opened, pa.chunked_array([_partition_texts(snapshot, where)], pa.string())).to_pylist()
    rows = (tuple((name, text or None) for name, text in row.items()) for row in found)
    return [dict(row) for row in dict.fromkeys(rows)]


def _partition_texts(snapshot: Snapshot, where: ColumnElement[bool] | None) -> list[str]:
    """Returns the partition values of the active files, each spelling once."""
    known = partitions_of(snapshot.connection, snapshot.entry.table_id)
    if len(known) > _MANY_PARTITIONS:
        found: list[str] = pc.unique(listed(snapshot, ["partition_values"], where)["partition_values"]).to_pylist()
        return found
    keys = [(delta_files.c.partition_key == each.key, each.values) for each in known]
    keys.append((delta_files.c.partition_key.is_(None), "{}"))
    return [text for key, text in keys if snapshot.has_files(key if where is None else and_(key, where))]


def arrow_types(opened: Opened) -> dict[str, pa.DataType]:
    """Returns the Arrow type of each top-level column."""
    from deltalake import Schema

    return {field.name: field.type for field in pa.schema(Schema.from_json(opened.schema_string).to_arrow())}


def file_uris(opened: Opened, snapshot: Snapshot, where: ColumnElement[bool] | None) -> list[str]:
    """Returns where the active files are: local paths, or URIs as delta-rs writes them."""
    paths = listed(snapshot, ["path"], where)["path"]
    if not opened.root.is_local:
        return [opened.root.listed(path) for path in paths.to_pylist()]
    found: list[str] = list(chain.from_iterable(opened.root.files(piece).to_pylist() for piece in paths.chunks))
    return found
