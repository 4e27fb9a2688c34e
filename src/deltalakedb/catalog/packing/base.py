"""What all formats have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...rows import Files


class Shape(NamedTuple):
    """What a column of an SQL table holds; JSON is text.

    `repeats` says that many rows share few values.
    """

    kind: type[int | bool | str]
    repeats: bool = False


Shapes = Mapping[str, Shape]
"""The columns of an SQL table after the table id, in their order, by their names."""

Columns = Mapping[str, Sequence[Any]]
"""Rows of an SQL table column by column, by the columns' names: plain values, all columns of one length."""


class Packed(NamedTuple):
    """Rows of one SQL table, ready to be loaded by this process or another one on this machine.

    `columns` are those that `data` has after the table id; the others are NULL in every row.
    """

    table_id: str
    columns: tuple[str, ...]
    data: bytes


Pack = Callable[[Shapes, str, Columns], Packed]
"""Packs rows of an SQL table: gets its columns, the id of the table that owns the rows, and what `columns_of` gives."""


class Packing(NamedTuple):
    """How a kind of database takes the rows of each SQL table, by the tables' names in `rows.Rows`. Can be pickled."""

    pack: Pack
    shapes: Mapping[str, Shapes]

    def packed(self, name: str, table_id: str, rows: Files | Sequence[tuple[Any, ...]]) -> Packed:
        """Returns rows, at least one, as the database takes them."""
        shapes = self.shapes[name]
        return self.pack(shapes, table_id, columns_of(shapes, rows))


def columns_of(shapes: Shapes, rows: Files | Sequence[tuple[Any, ...]]) -> Columns:
    """Returns rows column by column, without those that are NULL in all of them.

    Args:
        shapes: the columns of the table where they belong.
        rows: at least one; the values of its columns after the table id. Plain values: text, numbers, None.
    """
    columns: Columns = (
        rows.columns() if isinstance(rows, Files) else dict(zip(shapes, zip(*rows, strict=True), strict=True))
    )
    # Counting is slow where nothing is None: each value is asked whether it equals None.
    return {name: v for name, v in columns.items() if v[0] is not None or v.count(None) < len(v)}
