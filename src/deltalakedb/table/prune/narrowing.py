"""Predicate → the files that indexes of columns leave, where those are few."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ...catalog.ranges import ColumnIndex, Interval, overlapping
from ...columns import Column, Value
from ..predicate.tree import And, Compare, In, Or, Predicate, StartsWith
from .proof import has_nan, ranges_of

MOST_FILES = 5_000
"""More files than this are not looked up one by one: reading the statistics of all is as fast."""

_MOST_INTERVALS = 64


@dataclass(frozen=True, slots=True)
class Narrower:
    """Looks predicates up in the indexes of a table."""

    connection: Connection
    indexes: Sequence[ColumnIndex]

    def __call__(self, predicate: Predicate) -> set[int] | None:
        """Returns the key hashes of files, all that may hold a matching row among them; None where that is no help."""
        match predicate:
            case And(operands):
                return self._all(operands)
            case Or(operands):
                return self._any(operands)
            case Compare():
                return self._all((predicate,))
            case In(column, values):
                return self._look(column, ranges_of(values))
            case StartsWith(column, prefix):
                return self._look(column, [(prefix, prefix + "\U0010ffff" * 8)])
            case _:
                return None

    def _all(self, operands: Iterable[Predicate]) -> set[int] | None:
        """Intersects. Comparisons of one column are one interval: either of its ends alone leaves too many files."""
        bounds: dict[Column, list[Compare]] = {}
        found: list[set[int] | None] = []
        for each in operands:
            if isinstance(each, Compare):
                bounds.setdefault(each.column, []).append(each)
            else:
                found.append(self(each))
        found += [self._interval(column, compared) for column, compared in bounds.items()]
        known = [hashes for hashes in found if hashes is not None]
        return set.intersection(*known) if known else None

    def _any(self, operands: Sequence[Predicate]) -> set[int] | None:
        """Unites: every operand has to have an answer."""
        union: set[int] = set()
        for each in operands[: _MOST_INTERVALS + 1]:
            found = self(each)
            if found is None or len(operands) > _MOST_INTERVALS:
                return None
            union |= found
        return union if len(union) <= MOST_FILES else None

    def _interval(self, column: Column, compared: Sequence[Compare]) -> set[int] | None:
        low = [each.value for each in compared if each.op in ("=", ">", ">=")]
        high = [each.value for each in compared if each.op in ("=", "<", "<=")]
        if has_nan(column) and not high:
            return None  # NaN is in no range, and greater than every number
        return self._look(column, [(_most(low), _least(high))])

    def _look(self, column: Column, intervals: Sequence[tuple[Value | None, Value | None]]) -> set[int] | None:
        index = next((each for each in self.indexes if serves(each, column)), None)
        if index is None or len(intervals) > _MOST_INTERVALS:
            return None
        keys: list[Interval] = [index.interval(low, high) for low, high in intervals]
        return overlapping(self.connection, index, keys, MOST_FILES)


def serves(index: ColumnIndex, column: Column) -> bool:
    """Tells whether an index was made for a column as it is in the version that is read."""
    return index.physical_path == column.physical and index.family == column.bounds_family and not column.collated


def _most(values: Sequence[Value]) -> Value | None:
    return max(values, default=None)


def _least(values: Sequence[Value]) -> Value | None:
    return min(values, default=None)
