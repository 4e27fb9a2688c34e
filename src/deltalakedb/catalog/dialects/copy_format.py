"""Rows in the binary format of PostgreSQL's COPY, made column by column. Pure.

Source: PostgreSQL's documentation, "COPY", "Binary Format": a field is its length, 32 bits in network order, then its
value; -1 stands for NULL.

psycopg makes it too, and faster, but only with a connection: here a process makes it that has none, while another one
loads. The loops are those of `map`, `zip` and `struct`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from struct import Struct
from typing import Any

BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_LENGTH = Struct(">i")
_FORMATS = {int: "q", bool: "?"}
_SIZES = {int: 8, bool: 1}

Column = tuple[type[int | bool | str], Sequence[Any]]
"""What a column holds, and its values: any of them may be None."""


def binary_rows(constant: str, columns: Sequence[Column]) -> tuple[list[int], bytes]:
    """Returns rows as COPY takes them between BEGIN and END, and the order that their columns have there.

    Args:
        constant: the first field of every row.
        columns: the other fields, column by column, at least one; all of one length, which is not 0.
    """
    # Looking for None in every column takes longer than packing: only where packing fails, or None comes first.
    likely = [at for at, (kind, values) in enumerate(columns) if kind is not str and values[0] is not None]
    likely = [at for at in likely if columns[at][0] is int or None not in set(columns[at][1])]  # None packs as false
    try:
        return _packed(constant, columns, likely)
    except struct.error:
        return _packed(constant, columns, [at for at in likely if None not in columns[at][1]])


def _packed(constant: str, columns: Sequence[Column], fixed: list[int]) -> tuple[list[int], bytes]:
    others = [at for at in range(len(columns)) if at not in fixed]
    parts: list[Iterable[bytes]] = [_fixed(constant, len(columns) + 1, [columns[at] for at in fixed])]
    for at in others:
        kind, values = columns[at]
        texts = _encoded(values) if kind is str else None
        if texts is not None:
            parts += [map(_LENGTH.pack, map(len, texts)), texts]
        else:
            field = _field_of(kind)
            parts.append([_NULL if value is None else field(value) for value in values])
    return fixed + others, b"".join(chain.from_iterable(zip(*parts, strict=False)))


def _encoded(values: Sequence[str | None]) -> list[bytes] | None:
    """The texts in UTF-8; None where some are None."""
    if values[0] is None:
        return None
    try:
        return list(map(str.encode, values))  # type: ignore[arg-type]
    except TypeError:
        return None


def _fixed(constant: str, count: int, columns: Sequence[Column]) -> Iterable[bytes]:
    """The beginning of each row: the number of its fields, the constant one, and those that have one length."""
    text = constant.encode()
    layout = [f">hi{len(text)}s"]
    values: list[Iterable[Any]] = [repeat(count), repeat(len(text)), repeat(text)]
    for kind, column in columns:
        layout.append("i" + _FORMATS[kind])
        values += [repeat(_SIZES[kind]), column]
    return map(Struct("".join(layout)).pack, *values)


def _field_of(kind: type) -> Callable[[Any], bytes]:
    if kind is str:
        return _text_field
    pack, size = Struct(f">i{_FORMATS[kind]}").pack, _SIZES[kind]
    return lambda value: pack(size, value)


def _text_field(value: str) -> bytes:
    data = value.encode()
    return _LENGTH.pack(len(data)) + data
