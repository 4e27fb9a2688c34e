"""Predicate → what a file's statistics must say for the file to have no matching row.

The answer is a tree of tests, in no database's dialect. A test that can't be made, because a statistic is missing or
not what it should be, proves nothing: it counts as false.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...columns import Column, Family, Value
from ...file_statistics import counts_nulls, following
from ..predicate.tree import And, Compare, In, IsNull, Leaf, Literal, Not, Or, Predicate, StartsWith, Unknown
from .bounds import Bound, above, below

MOST_VALUES = 32
"""Lists of more values are tested as so many ranges of neighbours."""


@dataclass(frozen=True, slots=True)
class NoValues:
    """All of a column's rows in a file are null: as many as it has records (deleted ones count in both)."""

    column: Column


@dataclass(frozen=True, slots=True)
class NoNulls:
    """None of a column's rows in a file is null."""

    column: Column


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where all tests are; of no tests always."""

    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where one of the tests is; of no tests never."""

    tests: tuple[Test, ...]


Test: TypeAlias = "Bound | NoValues | NoNulls | AllOf | AnyOf"

ALWAYS, NEVER = AllOf(()), AnyOf(())


def proof_of_none(predicate: Predicate) -> Test:
    """Returns the test of a file's statistics that proves that no row of the file makes a predicate true."""
    return _Prover().of(predicate)


@dataclass(frozen=True, slots=True)
class _Prover:
    """Goes down a predicate.

    Attributes:
        not_nan: columns that can't be NaN where the whole is true, since another condition bounds them from above.
            NaN is in no bounds, but greater than every number to most engines: a file whose maximum is 1 may have a
            row for `x > 5`, though not for `x > 5 AND x < 9`.
    """

    not_nan: frozenset[Column] = field(default=frozenset())

    def of(self, predicate: Predicate) -> Test:
        match predicate:
            case And(operands):
                bounded = _Prover(self.not_nan | frozenset(_bounded_above(operands)))
                return any_of(bounded.of(each) for each in operands)
            case Or(operands):
                return all_of(self.of(each) for each in operands)
            case Literal(value):
                return NEVER if value else ALWAYS
            case Unknown():
                return NEVER
            case Not(operand):
                return _not(operand)
            case IsNull(column):
                return NoNulls(column) if counts_nulls(column) else NEVER
            case Compare() | In() | StartsWith():
                return any_of((NoValues(predicate.column), self._outside(predicate)))

    def _outside(self, leaf: Leaf) -> Test:
        """The test that no value of a file makes a comparison true."""
        match leaf:
            case Compare(column, "=", value):
                return _apart(column, value, value)
            case Compare(column, "<" | "<=" as op, value):
                return AnyOf(above(column, value, or_equal=op == "<"))
            case Compare(column, op, value):
                may_be_nan = has_nan(column) and column not in self.not_nan
                return NEVER if may_be_nan else AnyOf(below(column, value, or_equal=op == ">"))
            case In(column, values):
                return all_of(_apart(column, low, high) for low, high in ranges_of(values))
            case StartsWith(column, prefix):
                behind = following(prefix)
                beyond = () if behind is None else above(column, behind, or_equal=True)
                return AnyOf((*below(column, prefix), *beyond))
            case _:
                return NEVER


def _bounded_above(operands: Iterable[Predicate]) -> Iterator[Column]:
    for each in operands:
        match each:
            case Compare(column, "=" | "<" | "<=", _) | In(column, _):
                yield column


def has_nan(column: Column) -> bool:
    """Tells whether a column may hold NaN, which no bounds cover."""
    return column.family in (Family.FLOAT, Family.DOUBLE)


def _apart(column: Column, low: Value, high: Value) -> Test:
    return AnyOf((*below(column, low), *above(column, high)))


def _not(operand: Predicate) -> Test:
    """The test that no row makes the negation of a leaf true: that all values make the leaf itself true."""
    match operand:
        case IsNull(column):
            return NoValues(column) if counts_nulls(column) else NEVER
        case Compare() | In() | StartsWith() if has_nan(operand.column):
            return NoValues(operand.column)
        case Compare() | In() | StartsWith():
            return any_of((NoValues(operand.column), _inside(operand)))
        case _:
            return NEVER


def _inside(leaf: Leaf) -> Test:
    """The test that every value of a file makes a comparison true."""
    match leaf:
        case Compare(column, "=", value):
            return _within(column, value, value)
        case Compare(column, "<" | "<=" as op, value):
            return AnyOf(below(column, value, or_equal=op == "<="))
        case Compare(column, ">" | ">=" as op, value):
            return AnyOf(above(column, value, or_equal=op == ">="))
        case In(column, values) if len(values) <= MOST_VALUES:
            return any_of(_within(column, value, value) for value in values)
        case StartsWith(column, prefix):
            behind = following(prefix)
            if behind is None:
                return NEVER
            return all_of((AnyOf(above(column, prefix, or_equal=True)), AnyOf(below(column, behind))))
        case _:
            return NEVER


def _within(column: Column, low: Value, high: Value) -> Test:
    return all_of((AnyOf(above(column, low, or_equal=True)), AnyOf(below(column, high, or_equal=True))))


def ranges_of(values: Sequence[Any]) -> list[tuple[Value, Value]]:
    """Returns values as ranges of neighbours, each value alone unless they are too many."""
    ordered = sorted(values)
    size = -(-len(ordered) // MOST_VALUES)
    return [(ordered[at], ordered[min(at + size, len(ordered)) - 1]) for at in range(0, len(ordered), size)]


def any_of(tests: Iterable[Test]) -> Test:
    """Returns the test that one of several holds, in its simplest form."""
    kept: dict[Test, None] = {}
    for test in tests:
        if test == ALWAYS:
            return ALWAYS
        kept.update(dict.fromkeys(test.tests if isinstance(test, AnyOf) else (test,)))
    return next(iter(kept)) if len(kept) == 1 else AnyOf(tuple(kept))


def all_of(tests: Iterable[Test]) -> Test:
    """Returns the test that all of several hold, in its simplest form."""
    kept: dict[Test, None] = {}
    for test in tests:
        if test == NEVER:
            return NEVER
        kept.update(dict.fromkeys(test.tests if isinstance(test, AllOf) else (test,)))
    return next(iter(kept)) if len(kept) == 1 else AllOf(tuple(kept))
