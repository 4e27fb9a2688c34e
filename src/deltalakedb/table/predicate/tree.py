"""A predicate: one tree of conditions on typed columns.

It has SQL's three-valued logic: a comparison with NULL is neither true nor false, and a row matches only where the
whole is true. `Unknown` stands for a part that can't be judged from a log: it may be true, false or NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal as OneOf
from typing import TypeAlias

from ...columns import Column, Value

Operator = OneOf["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class And:
    """True where all operands are."""

    operands: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True where one operand is."""

    operands: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where the operand is false; NULL stays NULL."""

    operand: Predicate


@dataclass(frozen=True, slots=True)
class Compare:
    """A column compared with a value that is not null."""

    column: Column
    op: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """A column is one of some values; none of them is null."""

    column: Column
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """A column, of any type, is null."""

    column: Column


@dataclass(frozen=True, slots=True)
class StartsWith:
    """A string column begins with a prefix that is not empty."""

    column: Column
    prefix: str


@dataclass(frozen=True, slots=True)
class Literal:
    """Always true, always false, or always NULL."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A condition that only the rows can answer."""

    reason: str


Leaf: TypeAlias = Compare | In | IsNull | StartsWith
Predicate: TypeAlias = And | Or | Not | Leaf | Literal | Unknown

TRUE, FALSE, NULL = Literal(True), Literal(False), Literal(None)


def conjunction(operands: Iterable[Predicate]) -> Predicate:
    """Returns the AND of predicates, in its simplest form."""
    kept = list(dict.fromkeys(each for each in _flat(operands, And) if each != TRUE))
    if FALSE in kept:
        return FALSE
    return And(tuple(kept)) if len(kept) > 1 else kept[0] if kept else TRUE


def disjunction(operands: Iterable[Predicate]) -> Predicate:
    """Returns the OR of predicates, in its simplest form."""
    kept = list(dict.fromkeys(each for each in _flat(operands, Or) if each != FALSE))
    if TRUE in kept:
        return TRUE
    return Or(tuple(kept)) if len(kept) > 1 else kept[0] if kept else FALSE


def negation(operand: Predicate) -> Predicate:
    """Returns the NOT of a predicate, pushed down to its leaves.

    Comparisons are not turned around: NaN is neither below, nor equal to, nor above a number in some engines.
    """
    match operand:
        case And(operands):
            return disjunction(negation(each) for each in operands)
        case Or(operands):
            return conjunction(negation(each) for each in operands)
        case Not(inner):
            return inner
        case Literal(value):
            return NULL if value is None else FALSE if value else TRUE
        case Unknown():
            return operand
        case _:
            return Not(operand)


def agreed(one: Predicate, other: Predicate) -> Predicate:
    """Returns what two readings of a condition have in common: Unknown where only one of them is true."""
    doubt = Unknown("engines differ")
    return disjunction((conjunction((one, other)), conjunction((doubt, disjunction((one, other))))))


def columns_of(predicate: Predicate) -> Iterator[Column]:
    """Yields the columns of a predicate's leaves, each as often as it occurs."""
    match predicate:
        case And(operands) | Or(operands):
            for each in operands:
                yield from columns_of(each)
        case Not(operand):
            yield from columns_of(operand)
        case Literal() | Unknown():
            return
        case _:
            yield predicate.column


def _flat(operands: Iterable[Predicate], kind: type[And] | type[Or]) -> Iterator[Predicate]:
    for each in operands:
        if isinstance(each, kind):
            yield from each.operands
        else:
            yield each
