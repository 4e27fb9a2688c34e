"""A version of a table as a `pyarrow.dataset.FileSystemDataset`, for tables whose files pyarrow reads right by itself.

Each file is a fragment with what its partition values and statistics guarantee, so that pyarrow leaves out files, too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import reduce
from operator import and_
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pa_fs
from sqlalchemy import ColumnElement

from ..catalog.snapshot import Snapshot
from ..columns import Column, Family
from ..file_statistics import counts_nulls, limit
from .data_files import checked
from .exceptions import UnsupportedTableError
from .listing import listed, partition_columns, typed_partitions
from .locations import Root
from .opened import Opened


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

    Raises:
        UnsupportedTableError: a file has rows that are deleted, which pyarrow would give all the same.
        ReadError: a file's partition value is none of its column's type, or it has columns under other names.
    """
    files = listed(snapshot, ["path", "size", "partition_values", "stats", "deletion_vector"], where)
    if files["deletion_vector"].null_count < len(files):
        raise deleted_rows(opened)
    deque(checked(opened, snapshot, zip(files["path"].to_pylist(), strict=True), storage_options), maxlen=0)
    paths, own = _places(opened.root, files, storage_options, given=filesystem is not None)
    format_ = ds.ParquetFileFormat(
        read_options=read_options or ds.ParquetReadOptions(coerce_int96_timestamp_unit="us"),
        default_fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=True),
    )
    filesystem = filesystem or own
    guarantees = _guarantees(opened, files, schema)
    fragments = [
        format_.make_fragment(path, filesystem=filesystem, partition_expression=guarantee)
        for path, guarantee in zip(paths, guarantees, strict=True)
    ]
    return ds.FileSystemDataset(fragments, _with_dictionaries(schema, format_), format_, filesystem)


def deleted_rows(opened: Opened) -> UnsupportedTableError:
    """Returns the error for a table with deletion vectors, whether its protocol names them or not."""
    return UnsupportedTableError(
        f"{opened.entry.table_id!r} has deletion vectors, which are not supported using pyarrow Datasets.",
        "scan(), to_pyarrow_table() and to_pandas() read it, without a file system of your own.",
    )


def _with_dictionaries(schema: pa.Schema, format_: ds.ParquetFileFormat) -> pa.Schema:
    for name in format_.read_options.dictionary_columns or ():
        at = schema.get_field_index(name)
        if at >= 0:
            field = schema.field(at)
            schema = schema.set(at, field.with_type(pa.dictionary(pa.int32(), field.type)))
    return schema


# ---- where the files are


def _places(
    root: Root, files: pa.Table, storage_options: dict[str, str] | None, *, given: bool
) -> tuple[list[str], Any]:
    """Returns the files' paths, and the file system that they are meant for: one whose root is the table's folder."""
    full = [place for piece in files["path"].chunks for place in root.files(piece).to_pylist()]
    inside = [place.removeprefix(f"{root.plain}/") for place in full]
    if given:
        return inside, None
    if not root.is_local:
        from deltalake.fs import DeltaStorageHandler

        sizes = dict(zip(inside, files["size"].to_pylist(), strict=True))
        return inside, pa_fs.PyFileSystem(DeltaStorageHandler(root.uri, storage_options, sizes))
    if any(place.startswith("/") for place in inside):  # a shallow clone's
        return full, pa_fs.LocalFileSystem()
    return inside, pa_fs.SubTreeFileSystem(root.plain, pa_fs.LocalFileSystem())


# ---- what is known of a file's rows

_Facts = list[pc.Expression]
_COMPARED = frozenset(Family) - {Family.FLOAT, Family.DOUBLE, Family.BOOLEAN, Family.BINARY, Family.OTHER}
"""The families whose bounds pyarrow may go by; floats have NaN, which is in no bounds."""

_OBJECT = msgspec.json.Decoder(dict[str, Any]).decode


def _guarantees(opened: Opened, files: pa.Table, schema: pa.Schema) -> Iterator[pc.Expression | None]:
    """Yields for each file what all its rows fulfil, or None where nothing is known."""
    known: list[Iterable[_Facts]] = [
        _of_partition(field, values) for field, values in _partition_values(opened, files, schema)
    ]
    stats = [_decoded(text) for text in files["stats"].to_pylist()]
    known += [_of_column(column, schema, stats) for column in opened.table_schema.columns if _is_known(column, schema)]
    if not known:
        yield from [None] * len(files)
    for facts in zip(*known, strict=True):
        flat = [fact for some in facts for fact in some]
        yield reduce(and_, flat) if flat else None


def _partition_values(opened: Opened, files: pa.Table, schema: pa.Schema) -> Iterator[tuple[pc.Expression, pa.Array]]:
    names = [column.path[0] for column in partition_columns(opened)]
    fields = [schema.field(name) for name in names if name in schema.names]
    values = typed_partitions(opened, files["path"], files["partition_values"], fields)
    for field, array in zip(fields, values.flatten(), strict=True):
        yield pc.field(field.name), array


def _of_partition(field: pc.Expression, values: pa.Array) -> Iterator[_Facts]:
    """Pyarrow takes the values of the column from here."""
    for value in values:
        yield [field == value if value.is_valid else field.is_null()]


def _is_known(column: Column, schema: pa.Schema) -> bool:
    return len(column.path) == 1 and not column.partition and column.path[0] in schema.names


def _decoded(stats: str | None) -> dict[str, Any]:
    try:
        return {} if stats is None else _OBJECT(stats)
    except (msgspec.MsgspecError, RecursionError):
        return {}


def _of_column(column: Column, schema: pa.Schema, stats: Sequence[dict[str, Any]]) -> Iterator[_Facts]:
    field, kind = pc.field(column.path[0]), schema.field(column.path[0]).type
    lows, highs = (_bounds(column, kind, stats, up=up) for up in (False, True))
    no_nulls, is_null, is_valid = counts_nulls(column), field.is_null(), field.is_valid()
    for one, low, high in zip(stats, lows, highs, strict=True):
        nulls = _member(one, "nullCount", column) if no_nulls else None
        if type(nulls) is int and nulls == one.get("numRecords"):
            yield [is_null]
            continue
        bounds = [field >= low] if low.is_valid else []
        bounds += [field <= high] if high.is_valid else []
        has_none = type(nulls) is int and nulls == 0
        yield [is_valid, *bounds] if has_none else [fact | is_null for fact in bounds]


def _member(stats: dict[str, Any], name: str, column: Column) -> Any:
    members = stats.get(name)
    return members.get(column.physical[0]) if isinstance(members, dict) else None


def _bounds(column: Column, kind: pa.DataType, stats: Sequence[dict[str, Any]], *, up: bool) -> pa.Array:
    """Returns what all values of a column lie at or above, or below, file by file; null where that is unknown."""
    if column.collated or column.family not in _COMPARED:
        return pa.nulls(len(stats), kind)
    name, family = "maxValues" if up else "minValues", column.bounds_family
    limits: list[Any] = [limit(family, _member(one, name, column), up=up) for one in stats]
    if pa.types.is_decimal(kind):
        limits = [None if value is None else _to_scale(value, kind.scale, up=up) for value in limits]
    try:
        return pa.array(limits, kind)
    except _NOT_OF_THE_TYPE:
        return pa.array([_fitting(value, kind) for value in limits], kind)


def _fitting(value: Any, kind: pa.DataType) -> Any:
    """None for nothing that the column could have, or where the caller chose another type."""
    try:
        pa.scalar(value, kind)
    except _NOT_OF_THE_TYPE:
        return None
    return value


def _to_scale(value: float, scale: int, *, up: bool) -> Decimal | None:
    if math.isinf(value):
        return None
    return Decimal(value).quantize(Decimal(1).scaleb(-scale), ROUND_CEILING if up else ROUND_FLOOR, _WIDE)


_NOT_OF_THE_TYPE = (pa.ArrowException, ArithmeticError, TypeError, ValueError)
_WIDE = Context(prec=400)
