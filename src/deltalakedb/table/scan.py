"""Files → rows, by the engine of delta-rs: deletion vectors, column mapping and widened types are its work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from . import far
from .exceptions import FilterError, ReadError

if TYPE_CHECKING:
    import deltalake
    import pyarrow as pa
    import pyarrow.compute as pc


def stream(
    table: deltalake.DeltaTable,
    schema: pa.Schema,
    *,
    columns: Sequence[str] | None = None,
    predicate: str | None = None,
    expression: pc.Expression | None = None,
    beside: deltalake.DeltaTable | None = None,
) -> pa.RecordBatchReader:
    """Returns a table's rows as they are asked for, in no order.

    Args:
        table: of delta-rs.
        schema: the table's; columns come in these types.
        columns: the wanted ones, in this order; None for all.
        predicate: SQL that every row fulfils, in the engine's dialect.
        expression: what every row fulfils, too.
        beside: a table in the bucket of the files (far.py); None where they are local.

    Raises:
        FilterError: an unknown column, or a predicate that the engine doesn't understand.
        ReadError: a file can't be read; also while rows are read.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    wanted = list(schema.names if columns is None else columns)
    unknown = [name for name in wanted if name not in schema.names]
    if unknown:
        raise FilterError(f"No field named {unknown[0]}. Valid fields are {', '.join(schema.names)}.")
    needed = list(dict.fromkeys(wanted))
    if expression is not None:
        needed += [name for name in referenced(expression, schema) if name not in needed]
    read = needed or [_narrowest(schema)]
    typed = pa.schema([schema.field(name) for name in read])
    reader = pa.RecordBatchReader.from_batches(typed, _batches(_engine(table, read, predicate, beside), typed))
    if expression is None and read == wanted:
        return reader
    return ds.Scanner.from_batches(reader, columns=wanted, filter=expression).to_reader()


def referenced(expression: pc.Expression, schema: pa.Schema) -> list[str]:
    """Returns the columns that an expression can't do without, by trying: pyarrow has no way to ask."""
    empty = schema.empty_table()
    return [name for name in schema.names if not _fits(expression, empty.drop_columns([name]))]


def _fits(expression: pc.Expression, table: pa.Table) -> bool:
    import pyarrow as pa

    try:
        table.filter(expression)
    except (pa.ArrowException, KeyError):
        return False
    return True


def _narrowest(schema: pa.Schema) -> str:
    """The column to read where only the number of rows matters."""
    import pyarrow as pa

    fixed = [field for field in schema if pa.types.is_primitive(field.type)]
    name: str = min(fixed, key=lambda field: field.type.bit_width).name if fixed else schema.names[0]
    return name


def _engine(
    table: deltalake.DeltaTable, columns: Sequence[str], predicate: str | None, beside: deltalake.DeltaTable | None
) -> pa.RecordBatchReader:
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    try:
        if beside is not None:
            return pa.RecordBatchReader.from_stream(far.query(table, beside, columns, predicate))
        return pa.RecordBatchReader.from_stream(table.scan(columns=list(columns), predicate=predicate))
    except DeltaError as error:
        kind = ReadError if predicate is None else FilterError
        raise kind(f"Rows can't be read: {_reason(error)}") from error


def _batches(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    try:
        for batch in reader:
            if batch.num_rows:
                columns = [_typed(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
    except (pa.ArrowException, OSError) as error:
        raise ReadError(f"Rows can't be read: {_reason(error)}") from error


def _typed(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Returns an array of the engine as the table's type: it has views and dictionaries of its own choice."""
    import pyarrow as pa

    if array.type == kind:
        return array
    if pa.types.is_nested(kind) and array.offset:
        array = pa.concat_arrays([array])  # without the offset, which the parts below don't share
    gone = array.is_null() if array.null_count else None
    if pa.types.is_struct(kind):
        children = [_typed(array.field(at), field.type) for at, field in enumerate(kind)]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=gone)
    if pa.types.is_map(kind):
        keys, items = _typed(array.keys, kind.key_type), _typed(array.items, kind.item_type)
        return pa.MapArray.from_arrays(array.offsets, keys, items, type=kind, mask=gone)
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(array.offsets, _typed(array.values, kind.value_type), type=kind, mask=gone)
    return array.cast(kind)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return re.sub(r"^(C Data interface error: |External error: |Parquet error: )+", "", text)
