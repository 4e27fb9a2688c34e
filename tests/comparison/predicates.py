"""Random conditions on rows as trees that know no notation (notations.py), and a judge of them.

The judge knows nothing of the code under test. NaN and zeros are judged both as IEEE has it (NaN matches no comparison,
-0.0 is 0.0) and in total order (NaN is greater than every number, -0.0 less than 0.0).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.comparison.kinds import Dice, Kind, is_nan, nearby, some_value

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
OPERATORS: tuple[Operator, ...] = ("=", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True)
class Column:
    """A column, or a field of a struct.

    Attributes:
        path: its names from the top.
        kind: its primitive type; None for a list, a map or a struct.
    """

    path: tuple[str, ...]
    kind: Kind | None


@dataclass(frozen=True)
class Constant:
    """A literal.

    Attributes:
        value: what it means; it may be no value of the column's type, but one next to it.
        style: a number by which a notation chooses among its ways to write it.
    """

    value: Any
    style: int


@dataclass(frozen=True)
class Compare:
    """A column is compared with a literal."""

    column: Column
    op: Operator
    constant: Constant


@dataclass(frozen=True)
class In:
    """A column is one of some literals."""

    column: Column
    constants: tuple[Constant, ...]


@dataclass(frozen=True)
class Between:
    """A column lies between two literals, or equals one."""

    column: Column
    low: Constant
    high: Constant


@dataclass(frozen=True)
class Prefix:
    """A text begins with a prefix, which has no wildcards."""

    column: Column
    prefix: str


@dataclass(frozen=True)
class IsNull:
    """A column is NULL."""

    column: Column


@dataclass(frozen=True)
class Not:
    """The opposite."""

    operand: Predicate


@dataclass(frozen=True)
class And:
    """Both."""

    left: Predicate
    right: Predicate


@dataclass(frozen=True)
class Or:
    """One or both."""

    left: Predicate
    right: Predicate


Leaf = Compare | In | Between | Prefix | IsNull
Predicate = Leaf | Not | And | Or


def leaves_of(predicate: Predicate) -> Iterator[Leaf]:
    """Yields the conditions on single columns."""
    match predicate:
        case Not(operand):
            yield from leaves_of(operand)
        case And(left, right) | Or(left, right):
            yield from leaves_of(left)
            yield from leaves_of(right)
        case _:
            yield predicate


# ---- the judge

Truth = bool | None


def may_match(predicate: Predicate, row: Mapping[tuple[str, ...], Any]) -> bool:
    """Whether a row, by the paths of its columns, matches to at least one engine."""
    return any(_judged(predicate, row, greatest) is True for greatest in (False, True))


def _judged(predicate: Predicate, row: Mapping[tuple[str, ...], Any], greatest: bool) -> Truth:
    match predicate:
        case Not(operand):
            found = _judged(operand, row, greatest)
            return None if found is None else not found
        case And(left, right):
            return _all(_judged(each, row, greatest) for each in (left, right))
        case Or(left, right):
            return _any(_judged(each, row, greatest) for each in (left, right))
    return _of_leaf(predicate, row[predicate.column.path], greatest)


def _of_leaf(leaf: Leaf, value: Any, greatest: bool) -> Truth:
    match leaf:
        case IsNull():
            return value is None
        case Compare(_, op, constant):
            return _compared(value, op, constant.value, greatest)
        case In(_, constants):
            return _any(_compared(value, "=", each.value, greatest) for each in constants)
        case Between(_, low, high):
            bounds: list[tuple[Operator, Any]] = [(">=", low.value), ("<=", high.value)]
            return _all(_compared(value, *bound, greatest) for bound in bounds)
        case Prefix(_, prefix):
            return None if value is None else value.startswith(prefix)


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compared(left: Any, op: Operator, right: Any, greatest: bool) -> Truth:
    if left is None or right is None:
        return None
    if greatest and (is_nan(left) or is_nan(right)):
        left, right = (int(is_nan(value)) for value in (left, right))
    elif greatest and isinstance(left, float) and left == right == 0:
        left, right = (math.copysign(1, value) for value in (left, right))
    return bool(_COMPARED[op](left, right))


def _all(truths: Iterable[Truth]) -> Truth:
    found = set(truths)
    return False if False in found else None if None in found else True


def _any(truths: Iterable[Truth]) -> Truth:
    found = set(truths)
    return True if True in found else None if None in found else False


# ---- random conditions

Pools = Mapping[Column, Sequence[Any]]
"""The columns that conditions are about, and the values that they have, of which literals are made."""


@dataclass(frozen=True)
class Asker:
    """Makes conditions up.

    Attributes:
        dice: by which everything is chosen.
        pools: the columns, and values of them.
        nan: whether NaN and infinities may be literals.
    """

    dice: Dice
    pools: Pools
    nan: bool = True

    def predicate(self, leaves: int = 3) -> Predicate:
        """Returns a condition of up to so many conditions on single columns."""
        chance = self.dice.random()
        if leaves == 1 or chance < 0.6:
            return self._leaf()
        if chance < 0.72:
            return Not(self.predicate(leaves - 1))
        part = self.dice.randrange(1, leaves)
        both = (self.predicate(part), self.predicate(leaves - part))
        return And(*both) if chance < 0.86 else Or(*both)

    def _leaf(self) -> Leaf:
        column, chance = self.dice.choice(list(self.pools)), self.dice.random()
        if column.kind is None or chance < 0.1:
            return IsNull(column)
        if column.kind.family == "string" and chance < 0.25:
            return self._prefix(column)
        if chance < 0.55:  # what a row has: if it is lost, that is seen
            op: Operator = self.dice.choice(["=", "=", "<=", ">="])
            return Compare(column, op, self._constant(column, own=True))
        if chance < 0.75:
            return Compare(column, self.dice.choice(OPERATORS), self._constant(column))
        if chance < 0.9:
            return In(column, tuple(self._constant(column, own=True) for _ in range(self.dice.randint(1, 4))))
        return Between(column, self._constant(column), self._constant(column))

    def _constant(self, column: Column, *, own: bool = False) -> Constant:
        """A literal: a value of the column or, unless it must be its own, one next to it."""
        assert column.kind is not None
        known = [value for value in self.pools[column] if self._allowed(value)]
        value = self.dice.choice(known) if known and self.dice.random() < 0.9 else self._any_value(column.kind)
        if not own and not is_nan(value) and self.dice.random() < 0.7:
            value = self.dice.choice([each for each in nearby(column.kind, value) if self._allowed(each)])
        return Constant(value, self.dice.randrange(12))

    def _any_value(self, kind: Kind) -> Any:
        return next(value for value in iter(lambda: some_value(self.dice, kind), None) if self._allowed(value))

    def _allowed(self, value: Any) -> bool:
        return value is not None and (self.nan or not isinstance(value, float) or math.isfinite(value))

    def _prefix(self, column: Column) -> Prefix:
        text = self._constant(column).value[: self.dice.randint(1, 40)]
        return Prefix(column, "".join(letter for letter in text if letter not in "%_\\") or "a")
