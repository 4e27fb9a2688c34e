"""Rows in the binary format of PostgreSQL's COPY, made column by column. Pure.

Source: PostgreSQL's documentation, "COPY", "Binary Format": a field is its length, 32 bits in network order, then its
value; -1 stands for NULL.

psycopg makes it too, and faster, but only with a connection: here a process makes it that has none, while another one
loads. The loops are those of `map`, `zip` and `struct`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, repeat
from struct import Struct
from typing import Any, NamedTuple

from .base import Columns, Packed, Shapes

BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_LENGTH = Struct(">i")
_FORMATS = {int: "q", bool: "?"}
_SIZES = {int: 8, bool: 1}


class Column(NamedTuple):
    """What a column holds, and its values: any of them may be None.

    `repeats` says that many rows share few values: then each of these is packed once.
    """

    kind: type[int | bool | str]
    values: Sequence[Any]
    repeats: bool = False


def pack(shapes: Shapes, table_id: str, columns: Columns) -> Packed:
    """Packs rows: a `base.Pack`."""
    names = list(columns)
    shaped = [Column(shapes[name].kind, columns[name], shapes[name].repeats) for name in names]
    order, data = binary_rows(table_id, shaped)
    return Packed(table_id, tuple(names[at] for at in order), data)


def binary_rows(constant: str, columns: Sequence[Column]) -> tuple[list[int], bytes]:
    """Returns rows as COPY takes them between BEGIN and END, and the order that their columns have there.

    Args:
        constant: the first field of every row.
        columns: the other fields, column by column, at least one; all of one length, which is not 0.
    """
    # Looking for None in every column takes longer than packing: only where packing fails, or None comes first.
    likely = [at for at, column in enumerate(columns) if column.kind is not str and column.values[0] is not None]
    likely = [at for at in likely if columns[at].kind is int or None not in set(columns[at].values)]  # packs as false
    try:
        return _packed(constant, columns, likely)
    except struct.error:
        return _packed(constant, columns, [at for at in likely if None not in columns[at].values])


def _packed(constant: str, columns: Sequence[Column], fixed: list[int]) -> tuple[list[int], bytes]:
    texts: dict[int, list[bytes]] = {}
    rest: dict[int, Iterable[bytes]] = {}
    for at, column in enumerate(columns):
        if at not in fixed:
            encoded = None if column.repeats or column.kind is not str else _encoded(column.values)
            if encoded is not None:
                texts[at] = encoded
            else:
                rest[at] = _fields(column)
    lengths = [map(len, encoded) for encoded in texts.values()]
    parts = [_heads(constant, len(columns) + 1, [columns[at] for at in fixed], lengths[:1])]
    for number, encoded in enumerate(texts.values()):
        if number:
            parts.append(map(_LENGTH.pack, lengths[number]))
        parts.append(encoded)
    parts += rest.values()
    return [*fixed, *texts, *rest], b"".join(chain.from_iterable(zip(*parts, strict=False)))


def _encoded(values: Sequence[str | None]) -> list[bytes] | None:
    """The texts in UTF-8; None where some are None."""
    if values[0] is None:
        return None
    try:
        return list(map(str.encode, values))  # type: ignore[arg-type]
    except TypeError:
        return None


def _heads(constant: str, count: int, columns: Sequence[Column], lengths: Sequence[Iterable[int]]) -> Iterable[bytes]:
    """The beginning of each row: the number of its fields, the constant one, and those that have one size.

    The length of the field behind them may come along.
    """
    text = constant.encode()
    layout = [f">hi{len(text)}s"]
    values: list[Iterable[Any]] = [repeat(count), repeat(len(text)), repeat(text)]
    for column in columns:
        layout.append("i" + _FORMATS[column.kind])
        values += [repeat(_SIZES[column.kind]), column.values]
    layout.append("i" * len(lengths))
    # What is as long as the rows are many ends the loop; a constant alone goes on for ever, as `zip` wants it.
    return map(Struct("".join(layout)).pack, *values, *lengths)


def _fields(column: Column) -> list[bytes]:
    """Fields with their lengths, whatever is in them."""
    field = _field_of(column.kind)
    if column.repeats:
        known = {value: _NULL if value is None else field(value) for value in set(column.values)}
        return [known[value] for value in column.values]
    return [_NULL if value is None else field(value) for value in column.values]


def _field_of(kind: type) -> Callable[[Any], bytes]:
    return _text_field if kind is str else partial(Struct(f">i{_FORMATS[kind]}").pack, _SIZES[kind])


def _text_field(value: str) -> bytes:
    data = value.encode()
    return _LENGTH.pack(len(data)) + data
