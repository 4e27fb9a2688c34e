"""A column of JSON objects as text → an Arrow struct array of a wanted type.

What the type doesn't name is left out, what isn't there is null. The fast way is Arrow's own reader, many rows at a
time; a row that it refuses is decoded by itself, and a value that its type can't have becomes null.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

_MOST_DIGITS = 20
"""More than an integer of 64 bits has."""

_BLOCK_BYTES = 16 << 20
"""More than the longest object: Arrow's reader fails where one doesn't fit."""


def parse(texts: Sequence[str | None], kind: pa.StructType, *, trusted: Sequence[bool] | None = None) -> pa.StructArray:
    """Returns the objects as an array of `kind`; null where there is no text, or none that is a JSON object.

    Args:
        texts: JSON.
        kind: the wanted fields, by their names in the JSON.
        trusted: which texts are known to be one JSON object each. Arrow's reader does not survive other values.
    """
    if kind.num_fields == 0:
        return _of_nothing(texts, kind)
    sure = [text is not None and (trusted is None or trusted[at]) for at, text in enumerate(texts)]
    if all(sure) and (fast := _read([text for text in texts if text is not None], kind)) is not None:
        return fast
    return _one_by_one(texts, sure, kind)


def _of_nothing(texts: Sequence[str | None], kind: pa.StructType) -> pa.StructArray:
    return pa.array([None if text is None else {} for text in texts], kind)


def _one_by_one(texts: Sequence[str | None], sure: Sequence[bool], kind: pa.StructType) -> pa.StructArray:
    """As `parse`, where some texts are missing or odd: those that are not go the fast way, once more."""
    fast = _read([text for text, is_sure in zip(texts, sure, strict=True) if is_sure and text is not None], kind)
    if fast is None:
        return pa.array([_decoded(text, kind) for text in texts], kind)
    odd = pa.array([_decoded(text, kind) for text, is_sure in zip(texts, sure, strict=True) if not is_sure], kind)
    at_fast, at_odd, places = 0, len(fast), []
    for is_sure in sure:
        places.append(at_fast if is_sure else at_odd)
        at_fast, at_odd = at_fast + is_sure, at_odd + (not is_sure)
    return pa.concat_arrays([fast, odd]).take(pa.array(places, pa.int64()))


# ---- Arrow's reader


def _read(texts: Sequence[str], kind: pa.StructType) -> pa.StructArray | None:
    """Returns all rows as Arrow reads them; None where it can't."""
    if not texts:
        return pa.array([], kind)
    if not all(text.startswith("{") for text in texts):
        return None
    data = "\n".join(texts).encode("utf-8", "surrogatepass")
    fields = [pa.field(field.name, _readable(field.type)) for field in kind]
    how = pj.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore")
    longest = max(map(len, texts)) * 4  # bytes a letter, at most
    blocks = pj.ReadOptions(block_size=min(max(_BLOCK_BYTES, longest), 1 << 31 - 1))
    try:
        table = pj.read_json(io.BytesIO(data), read_options=blocks, parse_options=how).combine_chunks()
        columns = [_converted(_whole(table[field.name]), field.type) for field in kind]
    except (pa.ArrowException, ValueError):
        return None
    if table.num_rows != len(texts):
        return None
    return pa.StructArray.from_arrays(columns, fields=list(kind))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _readable(kind: pa.DataType) -> pa.DataType:
    """The type to read `kind` as: dates are texts for Arrow's reader."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _readable(field.type)) for field in kind])
    return pa.string() if pa.types.is_date32(kind) else kind


def _converted(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_struct(kind):
        # Not `flatten`, which would turn a null struct's children into nulls one by one, for a price.
        children = [_converted(array.field(at), field.type) for at, field in enumerate(kind)]
        mask = array.is_null() if array.null_count else None
        if not children:
            return pa.array([None if null else {} for null in array.is_null().to_pylist()], kind)
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)
    return array if array.type == kind else pc.cast(array, kind)


# ---- one value at a time


def _decoded(text: str | None, kind: pa.StructType) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    found: dict[str, Any] | None = _value(value, kind)
    return found


def _value(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_struct(kind):
        if not isinstance(value, dict):
            return None
        return {field.name: _value(value.get(field.name), field.type) for field in kind}
    try:
        return _scalar(value, kind)
    except (ValueError, TypeError, OverflowError, InvalidOperation, pa.ArrowException):
        return None


def _scalar(value: Any, kind: pa.DataType) -> Any:
    """Returns a JSON value as what pyarrow takes for `kind`; raises where it can't be that."""
    converted: Any
    if pa.types.is_boolean(kind):
        converted = value if isinstance(value, bool) else None
    elif pa.types.is_integer(kind):
        number = Decimal(value)  # int() of 1e999999999 would not end
        converted = int(number) if number.adjusted() < _MOST_DIGITS and number == int(number) else None
    elif pa.types.is_floating(kind):
        converted = float(value)
    elif pa.types.is_decimal(kind):
        converted = Decimal(value).quantize(Decimal(1).scaleb(-kind.scale))
    elif pa.types.is_date(kind):
        converted = date.fromisoformat(value)
    elif pa.types.is_timestamp(kind):
        converted = _time(value, kind)
    else:
        converted = value if isinstance(value, str) else None
    return pa.scalar(converted, kind).as_py()  # raises where it is out of range


def _time(value: str, kind: pa.DataType) -> datetime:
    time = datetime.fromisoformat(value)
    if kind.tz is None:
        return time.replace(tzinfo=None)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
