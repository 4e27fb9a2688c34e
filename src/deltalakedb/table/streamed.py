"""A version of a table for engines that push projection and filters down: DuckDB by a pyarrow dataset, Polars lazily.

Nothing is read before an engine asks for it, and then only the files that its filter leaves, found by SQL.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

if TYPE_CHECKING:
    import polars as pl

Scan = Callable[[pc.Expression | None, Sequence[str] | None, pc.Expression | None], pa.RecordBatchReader]
"""Reads the columns of the rows in files that may match the first expression, of those the rows that match the last."""


class StreamedDataset(ds.Dataset):  # type: ignore[misc]
    """What DuckDB takes for a pyarrow dataset: it asks for a scanner, with the columns and the filter that it needs.

    Only that works. Fragments and the rest of a dataset are not there: for them, see `DeltaTable.to_pyarrow_dataset`.
    """

    def __init__(self, schema: pa.Schema, scan: Scan) -> None:
        self._schema = schema
        self._scan = scan

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self._schema

    def scanner(
        self,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 (pyarrow's name)
        **_: Any,
    ) -> ds.Scanner:
        """Returns the rows that match `filter`, read as they are asked for."""
        return ds.Scanner.from_batches(self._scan(filter, columns, filter))


def lazy_frame(schema: pa.Schema, scan: Scan) -> pl.LazyFrame:
    """Returns a Polars frame that reads only the columns and files that a query needs."""
    import polars as pl
    from polars.io.plugins import register_io_source

    empty = pl.from_arrow(schema.empty_table())
    assert isinstance(empty, pl.DataFrame)

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        needed = with_columns
        if needed is not None and predicate is not None:
            needed = list(dict.fromkeys([*needed, *predicate.meta.root_names()]))
        reader = scan(None if predicate is None else as_pyarrow(predicate), needed, None)
        yield from _frames(reader, with_columns, predicate, n_rows)

    return register_io_source(source, schema=empty.schema, is_pure=True)


def _frames(
    reader: pa.RecordBatchReader, columns: list[str] | None, predicate: pl.Expr | None, rows: int | None
) -> Iterator[pl.DataFrame]:
    import polars as pl

    for batch in reader:
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)
        frame = frame if predicate is None else frame.filter(predicate)
        frame = frame if columns is None else frame.select(columns)
        if rows is not None:
            frame = frame.head(rows)
            rows -= frame.height
        yield frame
        if rows == 0:
            return


# ---- a Polars predicate as a pyarrow expression, for picking files

_COMPARISONS = {"Eq": eq, "NotEq": ne, "Lt": lt, "LtEq": le, "Gt": gt, "GtEq": ge}
_UNITS = {"Nanoseconds": "ns", "Microseconds": "us", "Milliseconds": "ms"}


def as_pyarrow(predicate: pl.Expr) -> pc.Expression | None:
    """Returns a condition that every row fulfils which fulfils the predicate; None where none can be told.

    It is for leaving out files. Polars itself filters the rows.
    """
    import polars as pl

    try:
        tree = msgspec.json.decode(predicate.meta.serialize(format="json"))
    except (pl.exceptions.PolarsError, ValueError, TypeError):
        return None
    return _weaker(tree)


def _weaker(tree: Any) -> pc.Expression | None:
    """A condition that is implied by the tree's: what is not understood is left out of an AND, and ends an OR."""
    match tree:
        case {"BinaryExpr": {"left": left, "op": "And" | "LogicalAnd", "right": right}}:
            return _all_known(_weaker(left), _weaker(right))
        case {"BinaryExpr": {"left": left, "op": "Or" | "LogicalOr", "right": right}}:
            first, second = _weaker(left), _weaker(right)
            return None if first is None or second is None else or_(first, second)
        case {"BinaryExpr": {"left": {"Column": name}, "op": op, "right": {"Literal": literal}}}:
            return _comparison(name, op, literal)
        case {"BinaryExpr": {"left": {"Literal": literal}, "op": op, "right": {"Column": name}}}:
            return _comparison(name, _MIRRORED.get(op, op), literal)
        case {"Function": {"input": inputs, "function": {"Boolean": function}}}:
            return _function(inputs, function)
    return None


def _all_known(*sides: pc.Expression | None) -> pc.Expression | None:
    known = [side for side in sides if side is not None]
    return reduce(and_, known) if known else None


_MIRRORED = {"Lt": "Gt", "LtEq": "GtEq", "Gt": "Lt", "GtEq": "LtEq"}


def _comparison(name: str, operator: str, literal: Any) -> pc.Expression | None:
    value = _literal(literal)
    if value is None or operator not in _COMPARISONS:
        return None
    compared: pc.Expression = _COMPARISONS[operator](pc.field(name), value)
    return compared


def _function(inputs: list[Any], function: Any) -> pc.Expression | None:
    match inputs, function:
        case [{"Column": name}], "IsNull":
            return pc.field(name).is_null()
        case [{"Column": name}], "IsNotNull":
            return pc.field(name).is_valid()
        case [{"Column": name}, {"Literal": {"Scalar": {"List": encoded}}}], {"IsIn": {"nulls_equal": False}}:
            values = _list(encoded)
            return None if values is None else pc.field(name).isin(values)
        case [{"Column": name}, {"Literal": low}, {"Literal": high}], {"IsBetween": _}:
            return _all_known(_comparison(name, "GtEq", low), _comparison(name, "LtEq", high))
    return None


def _literal(literal: Any) -> pa.Scalar | None:
    """Returns a literal of one of the types whose order is the same everywhere; floats are not, for their NaN."""
    match literal:
        case {"Scalar": {"Boolean": bool(value)}} | {"Scalar": {"String": str(value)}}:
            return pa.scalar(value)
        case {"Scalar": {"Date": int(days)}}:
            return pa.scalar(days, pa.date32())
        case {"Scalar": {"Datetime": [int(count), str(unit), zone]}} if unit in _UNITS:
            return pa.scalar(count, pa.timestamp(_UNITS[unit], "UTC" if zone else None))
        case {"Dyn": {"Int": int(value)}}:
            return pa.scalar(value)
        case {"Scalar": dict(scalar)}:
            whole = [value for kind, value in scalar.items() if kind.startswith(("Int", "UInt"))]
            return pa.scalar(whole[0]) if whole else None
    return None


def _list(encoded: Any) -> pa.Array | None:
    """Returns the values of a list literal, which Polars writes as an Arrow IPC stream."""
    import polars as pl

    try:
        frame = pl.read_ipc_stream(io.BytesIO(bytes(encoded)))
    except (pl.exceptions.PolarsError, ValueError, TypeError, OSError):
        return None
    values = frame.to_series().explode() if frame.width == 1 else pl.Series([])
    if values.dtype.is_float() or values.null_count():
        return None
    return values.to_arrow().cast(pa.string()) if values.dtype == pl.String else values.to_arrow()
