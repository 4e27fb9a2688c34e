"""Rows as values that SQLite binds, in `marshal`'s form. Pure."""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from .base import Columns, Packed, Shapes

_MANY, _LONG = 100, 1000
_NO_NUMBER = -(2**63)
_NO_TEXT = "\0"


def pack(_shapes: Shapes, table_id: str, columns: Columns) -> Packed:
    """Packs rows: a `base.Pack`."""
    shared = {name: literal for name, values in columns.items() if (literal := _literal(values)) is not None}
    if len(shared) == len(columns):  # rows are counted by what is bound for them
        shared.clear()
    bound = {name: _bound(values) for name, values in columns.items() if name not in shared}
    marks = [shared[name] if name in shared else bound[name][0] for name in columns]
    return Packed(table_id, tuple(columns), marshal.dumps((marks, [values for _, values in bound.values()])))


def unpacked(packed: Packed) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Returns what stands for a row behind `VALUES`, the table id first, and what is bound for each row."""
    marks, values = marshal.loads(packed.data)
    columns = [array("q", each) if isinstance(each, bytes) else each for each in values]
    return [_text(packed.table_id), *marks], zip(*columns, strict=True)


def _text(value: str) -> str:
    """Returns a text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def _literal(values: Sequence[Any]) -> str | None:
    """Returns the one value that many rows share as SQL writes it; None where they don't, or a statement can't hold it.

    A batch is a few commits, whose files share more than their version: in SQL, it is not bound for each of them.
    """
    value = values[0]
    if len(values) < _MANY or value != values[-1] or values.count(value) < len(values):
        return None
    if isinstance(value, int):
        return str(int(value)) if value != _NO_NUMBER else None
    if not isinstance(value, str) or "\0" in value or len(value) > _LONG:
        return None
    return _text(value)


def _bound(values: Sequence[Any]) -> tuple[str, Any]:
    """Returns how the values of a column are bound, and the values as `marshal` takes them.

    Python's sqlite3 binds numbers and texts at once, but asks about each None and each bool whether somebody has an
    adapter for it: 1.1 µs of the 2.5 that a row of a file took. So None goes as something that the column doesn't hold,
    which SQL takes back.
    """
    if isinstance(next(value for value in values if value is not None), int):
        try:
            return "?", array("q", values).tobytes()
        except TypeError:  # some are None
            if _NO_NUMBER not in values:
                numbers = [_NO_NUMBER if value is None else value for value in values]
                return f"NULLIF(?, {_NO_NUMBER})", array("q", numbers).tobytes()
    elif not all(values) and None in values and _NO_TEXT not in values:
        return "NULLIF(?, char(0))", [_NO_TEXT if value is None else value for value in values]
    return "?", values
