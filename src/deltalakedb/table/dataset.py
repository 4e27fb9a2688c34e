"""A version of a table as a `pyarrow.dataset.FileSystemDataset`, for tables whose files pyarrow reads right by itself.

Each file is a fragment with what its partition values and statistics guarantee, so that pyarrow leaves out files, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import reduce
from operator import and_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pa_fs
from sqlalchemy import ColumnElement

from ..catalog.snapshot import Snapshot
from .add_actions import add_actions
from .locations import Root
from .opened import Opened

_CUT_OFF = timedelta(milliseconds=1)
"""Writers cut timestamps off at milliseconds, the maximum too."""


def dataset(
    opened: Opened,
    snapshot: Snapshot,
    *,
    where: ColumnElement[bool] | None,
    schema: pa.Schema,
    filesystem: Any = None,
    read_options: ds.ParquetReadOptions | None = None,
    storage_options: dict[str, str] | None = None,
) -> ds.FileSystemDataset:
    """Returns the active files that `where` lets pass.

    Args:
        opened: the version.
        snapshot: the same, in the catalog.
        where: a condition on `delta_files`, or None.
        schema: of the rows.
        filesystem: one whose root is the table's folder; None for the table's own.
        read_options: for Parquet. By default INT96 timestamps are read as microseconds, as Delta has them: pyarrow's
            nanoseconds overflow silently outside of the years 1677 to 2262.
        storage_options: as for delta-rs, for object stores.
    """
    actions = add_actions(opened, snapshot, where)
    paths, own = _places(opened.root, actions, storage_options, given=filesystem is not None)
    format_ = ds.ParquetFileFormat(
        read_options=read_options or ds.ParquetReadOptions(coerce_int96_timestamp_unit="us"),
        default_fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=True),
    )
    filesystem = filesystem or own
    guarantees = _guarantees(actions, schema)
    fragments = [
        format_.make_fragment(path, filesystem=filesystem, partition_expression=guarantee)
        for path, guarantee in zip(paths, guarantees, strict=True)
    ]
    return ds.FileSystemDataset(fragments, _with_dictionaries(schema, format_), format_, filesystem)


def _with_dictionaries(schema: pa.Schema, format_: ds.ParquetFileFormat) -> pa.Schema:
    for name in format_.read_options.dictionary_columns or ():
        at = schema.get_field_index(name)
        if at >= 0:
            field = schema.field(at)
            schema = schema.set(at, field.with_type(pa.dictionary(pa.int32(), field.type)))
    return schema


# ---- where the files are


def _places(
    root: Root, actions: pa.Table, storage_options: dict[str, str] | None, *, given: bool
) -> tuple[list[str], Any]:
    """Returns the files' paths, and the file system that they are meant for: one whose root is the table's folder."""
    full = [place for piece in actions["path"].chunks for place in root.files(piece).to_pylist()]
    inside = [place.removeprefix(f"{root.plain}/") for place in full]
    if given:
        return inside, None
    if not root.is_local:
        from deltalake.fs import DeltaStorageHandler

        sizes = dict(zip(inside, actions["size_bytes"].to_pylist(), strict=True))
        return inside, pa_fs.PyFileSystem(DeltaStorageHandler(root.uri, storage_options, sizes))
    if any(place.startswith("/") for place in inside):  # a shallow clone's
        return full, pa_fs.LocalFileSystem()
    return inside, pa_fs.SubTreeFileSystem(root.plain, pa_fs.LocalFileSystem())


# ---- what is known of a file's rows

_Facts = Iterator[list[pc.Expression]]


def _guarantees(actions: pa.Table, schema: pa.Schema) -> Iterator[pc.Expression | None]:
    """Yields for each file what all its rows fulfil, or None where nothing is known."""
    known = [*_of_partitions(actions, schema), *_of_statistics(actions, schema)]
    if not known:
        yield from [None] * actions.num_rows
    for facts in zip(*known, strict=True):
        flat = [fact for some in facts for fact in some]
        yield reduce(and_, flat) if flat else None


def _of_partitions(actions: pa.Table, schema: pa.Schema) -> Iterator[_Facts]:
    for name, values in _children(actions, "partition").items():
        if name in schema.names:
            yield _of_partition(pc.field(name), pc.cast(values, schema.field(name).type))


def _of_partition(field: pc.Expression, values: pa.Array) -> _Facts:
    for value in values:
        yield [field == value if value.is_valid else field.is_null()]


def _of_statistics(actions: pa.Table, schema: pa.Schema) -> Iterator[_Facts]:
    lows, highs = _children(actions, "min"), _children(actions, "max")
    for name, nulls in _children(actions, "null_count").items():
        if name not in schema.names or not pa.types.is_integer(nulls.type):
            continue
        kind = schema.field(name).type
        unknown = pa.nulls(len(nulls), kind)
        bounded = _is_ordered(kind) and name in lows and name in highs
        low, high = (pc.cast(each[name], kind) if bounded else unknown for each in (lows, highs))
        yield _of_column(pc.field(name), low, _rounded_up(high), nulls, actions["num_records"])


def _children(actions: pa.Table, name: str) -> dict[str, pa.Array]:
    """Returns a struct column's fields; none where there is no such column. A null struct's fields are null."""
    if name not in actions.column_names:
        return {}
    structs = actions[name].combine_chunks()
    return dict(zip((field.name for field in structs.type), structs.flatten(), strict=True))


def _is_ordered(kind: pa.DataType) -> bool:
    """Whether bounds can be trusted in pyarrow's order. Of floats they say nothing about NaN, which may be anywhere."""
    known = (
        pa.types.is_integer,
        pa.types.is_decimal,
        pa.types.is_temporal,
        pa.types.is_string,
        pa.types.is_large_string,
    )
    return any(is_one(kind) for is_one in known)


def _rounded_up(highs: pa.Array) -> pa.Array:
    if not pa.types.is_timestamp(highs.type):
        return highs
    return pc.add(highs, pa.scalar(_CUT_OFF, pa.duration(highs.type.unit)))


def _of_column(
    field: pc.Expression, lows: pa.Array, highs: pa.Array, nulls: pa.Array, records: pa.ChunkedArray
) -> _Facts:
    for low, high, null, count in zip(lows, highs, nulls.to_pylist(), records.to_pylist(), strict=True):
        facts = []
        if null == 0:
            facts.append(field.is_valid())
        elif null is not None and null == count:
            facts.append(field.is_null())
        bounds = [fact for fact, bound in ((field >= low, low), (field <= high, high)) if bound.is_valid]
        yield facts + (bounds if null == 0 else [fact | field.is_null() for fact in bounds])
