"""What callers ask rows for, in any of its forms → predicate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ...columns import TableSchema
from ...errors import ArgumentError
from .tree import Predicate

if TYPE_CHECKING:
    import pyarrow.compute as pc

Where: TypeAlias = "str | pc.Expression | Sequence[tuple[str, str, Any]] | Sequence[Sequence[tuple[str, str, Any]]]"
"""SQL text, a pyarrow expression, or delta-rs' tuples: `[(column, op, value), …]`, or a list of such lists (OR)."""


def parse(where: Where, schema: TableSchema) -> Predicate:
    """Returns the predicate that `where` stands for. What can't be pruned by becomes Unknown, which keeps every file.

    Raises:
        ArgumentError: a syntax error, an unknown column, or a value that its column's type can't have.
    """
    import pyarrow.compute as pc

    from . import arrow, sql, tuples

    try:
        if isinstance(where, str):
            return sql.parse(where, schema)
        if isinstance(where, pc.Expression):
            return arrow.parse(where, schema)
        return tuples.parse(where, schema)
    except ArgumentError:
        raise
    except ValueError as error:  # Python makes no text of a number of more than 4,300 digits
        raise ArgumentError(f"The predicate has a value that can't be told: {error}") from error
    except RecursionError as error:
        raise ArgumentError("The predicate is nested too deeply.") from error
