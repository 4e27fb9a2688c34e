"""Bytes of a log → plain actions, for the second reading alone: orjson, `json` and pyarrow, and nothing of log/.

An action is `(name, body)` as in the log. Bodies from Parquet are brought into the form that JSON has: maps are
objects, and what is null is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import CorruptLogError
from .facts import DECODER, PATIENT_DECODER

Action = dict[str, Any]
Named = tuple[str, Any]

_ROWS = 10_000


def json_actions(chunks: Iterable[bytes], name: str) -> Iterator[Named]:
    """Yields the actions of a commit or a JSON checkpoint.

    Raises:
        CorruptLogError: not JSON, cut off, or not objects.
    """
    text, encoding = "", "utf-8-sig"
    for line in _lines(chunks):
        action = None if text else _usual(line)
        if action is not None:
            yield from action.items()
        else:
            values, text = _values(text + line.decode(encoding), name)
            for value in values:
                if not isinstance(value, dict):
                    raise CorruptLogError(f"{name}: not an action: {str(value)[:40]}")
                yield from value.items()
        encoding = "utf-8"
    if text.strip():
        raise CorruptLogError(f"{name}: the last action is cut off")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    yield rest


def _usual(line: bytes) -> Action | None:
    """Returns the object that a line is, in a quarter of the time; None for all that orjson takes in another way.

    That is what it refuses, and numbers that are not whole or have more than 64 bits: it would round them.
    """
    try:
        action = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return action if isinstance(action, dict) and _is_exact(action.values()) else None


def _is_exact(values: Iterable[Any]) -> bool:
    """Tells whether no value, to any depth, is a number that orjson may have rounded."""
    for value in values:
        kind = type(value)
        if kind is float:
            return False
        if (kind is dict or kind is list) and not _is_exact(value.values() if kind is dict else value):
            return False
    return True


def _values(text: str, name: str) -> tuple[list[Any], str]:
    """Returns the JSON values that a text holds whole, and what is left of it: the beginning of a value, or nothing."""
    values: list[Any] = []
    position = 0
    while position := _next(text, position):
        try:
            value, position = _value(text, position - 1)
        except json.JSONDecodeError as error:
            if error.pos < len(text.rstrip()) and not error.msg.startswith("Unterminated string"):
                raise CorruptLogError(f"{name}: not JSON ({error.msg})") from error
            return values, text[position - 1 :] + "\n"
        values.append(value)
    return values, ""


def _value(text: str, position: int) -> tuple[Any, int]:
    """Returns a JSON value and the place behind it."""
    try:
        return DECODER.raw_decode(text, position)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return PATIENT_DECODER.raw_decode(text, position)


def _next(text: str, position: int) -> int:
    """Returns the place behind the next letter that is not blank; 0 where there is none."""
    while position < len(text):
        position += 1
        if not text[position - 1].isspace():
            return position
    return 0


def parquet_actions(source: BinaryIO, name: str, columns: Sequence[str] | None = None) -> Iterator[Named]:
    """Yields the actions of a checkpoint or sidecar in Parquet, or some of its columns only.

    Statistics that are there as structs only become the field `stats` as a dictionary, where JSON is a text.

    Raises:
        CorruptLogError: not Parquet.
    """
    try:
        with pq.ParquetFile(source) as file:
            for batch in file.iter_batches(_ROWS, columns=_columns(file) if columns is None else [*columns]):
                for column, kind in zip(batch.schema.names, batch.schema.types, strict=True):
                    for value in batch.column(column).drop_null().to_pylist():
                        yield column, _plain(value, kind)
    except (pa.ArrowException, OSError) as error:
        raise CorruptLogError(f"{name}: not readable ({str(error).partition(chr(10))[0]})") from error


def _columns(file: pq.ParquetFile) -> list[str] | None:
    """Returns the columns to read: all, but statistics as structs only where a file has none as text."""
    columns: list[str] = []
    for column in file.schema_arrow:
        if not pa.types.is_struct(column.type):
            columns.append(column.name)
            continue
        for child in column.type:
            if child.name == "partitionValues_parsed":
                continue
            if child.name != "stats_parsed" or not _has_all_stats(file, column):
                columns.append(f"{column.name}.{child.name}")
    return columns


def _has_all_stats(file: pq.ParquetFile, column: pa.Field) -> bool:
    if column.type.get_field_index("stats") < 0:
        return False
    both = [f"{column.name}.path", f"{column.name}.stats"]
    for batch in file.iter_batches(_ROWS, columns=both):
        path, stats = (batch.column(column.name).field(name) for name in ("path", "stats"))
        if stats.null_count > path.null_count:
            return False
    return True


def _plain(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_struct(kind):
        body = {child.name: _plain(value[child.name], child.type) for child in kind if value[child.name] is not None}
        parsed = body.pop("stats_parsed", None)
        if parsed is not None:
            body.setdefault("stats", parsed)
        return body
    if pa.types.is_map(kind):
        return {key: _plain(item, kind.item_type) for key, item in value}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [_plain(item, kind.value_type) for item in value]
    return value
