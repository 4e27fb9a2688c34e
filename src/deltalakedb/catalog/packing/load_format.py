r"""Rows as `LOAD DATA` takes them, made column by column, and the same rows as `INSERT` takes them. Pure.

A row is a line, a field ends with a tab, and `\N` stands for NULL. In a text, `\`, tab and line feed are written as
`\\`, `\t` and `\n`, which is also how they are written within quotes in SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .base import Columns, Packed, Shapes

NULL = "\\N"
LIKE = r"CHARACTER SET binary FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n'"
"""What `LOAD DATA` is told of the format. Bytes, not letters: that takes a tenth off the server's work, which still
checks that a text is UTF-8 when it stores it."""

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n"})

Column = tuple[type[int | bool | str], Sequence[Any]]
"""What a column holds, and its values: any of them may be None."""


def pack(shapes: Shapes, table_id: str, columns: Columns) -> Packed:
    """Packs rows: a `base.Pack`."""
    kinds = (shapes[name].kind for name in columns)
    return Packed(table_id, tuple(columns), text_rows(list(zip(kinds, columns.values(), strict=True))))


def text_rows(columns: Sequence[Column]) -> bytes:
    """Returns rows of the given columns, at least one; all of one length."""
    fields = [_texts(values) if kind is str else _numbers(values) for kind, values in columns]
    return ("\n".join(map("\t".join, zip(*fields, strict=True))) + "\n").encode()


def _texts(values: Sequence[str | None]) -> Sequence[str]:
    try:
        letters = "".join(values)  # type: ignore[arg-type]
    except TypeError:
        return [NULL if value is None else value.translate(_ESCAPES) for value in values]
    if "\\" in letters or "\t" in letters or "\n" in letters:
        return [value.translate(_ESCAPES) for value in values if value is not None]
    return values  # type: ignore[return-value]


def _numbers(values: Sequence[int | bool | None]) -> list[str]:
    return [NULL if value is None else "%d" % value for value in values]  # noqa: UP031 (the fastest, and true is 1)


def insert_values(data: bytes, constant: bytes, most_bytes: int) -> Iterator[bytes]:
    """Yields what stands behind `VALUES`, in pieces of as many rows as fit; every field is a text, or NULL.

    Args:
        data: rows as `text_rows` returns them.
        constant: the first field of every row, as a literal.
        most_bytes: how large a piece may be; one row alone may be larger.
    """
    begin = 0
    while begin < len(data):
        # Written in SQL a row is larger, six times at worst: first a guess, then smaller ones.
        end = data.rfind(b"\n", begin, begin + most_bytes) + 1 or data.index(b"\n", begin) + 1
        while len(values := _values(data[begin : end - 1], constant)) > most_bytes:
            half = data.rfind(b"\n", begin, begin + (end - begin) // 2) + 1
            if not half:
                half = data.index(b"\n", begin) + 1
            if half >= end:
                break
            end = half
        yield values
        begin = end


def _values(lines: bytes, constant: bytes) -> bytes:
    quoted = lines.replace(b"'", b"''").replace(b"\t", b"','").replace(b"\n", b"'),(%s,'" % constant)
    # A backslash of a text is written twice, so one alone behind a quote begins a NULL.
    return (b"(%s,'" % constant + quoted + b"')").replace(b"'\\N'", b"NULL")
