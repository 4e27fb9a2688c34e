"""Tests of a file's statistics → a function of their JSON text.

Statistics are whatever a writer wrote: a test of what is no JSON object, or has no such member, or one of another type,
must come out as not proven, and never as an error.

The test becomes one expression of Python and the members that it asks for a type of msgspec, which skips the others:
1.1 s for a million texts of 480 letters, fetched from PostgreSQL meanwhile. SQL over the same texts took it 6.2 s,
since each of its functions reads a text once more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from ...catalog.ranges import fields_of
from ...columns import Family
from ...file_statistics import CLAMPED
from .bounds import Bound, Side
from .proof import ALWAYS, NEVER, AllOf, AnyOf, NoNulls, NoValues, Test

Check = Callable[[str | None], bool]
"""Whether a file with these statistics may hold a matching row."""

_Path = tuple[str, ...]
_RECORDS: _Path = ("numRecords",)
_ODD = (msgspec.MsgspecError, AttributeError, UnicodeError, RecursionError)
"""What comes of statistics that are not as the protocol has them."""


def check_of(proof: Test) -> Check | None:
    """Returns what tells whether a proof fails for a file; None where it fails for all of them."""
    if proof in (NEVER, ALWAYS):
        return None if proof == NEVER else lambda _: False
    members = _Members(set(_paths(proof)))
    writer = _Writer(members)
    try:
        code = compile(f"lambda stats: {writer.of(proof)}", "<statistics>", "eval")
    except (SyntaxError, MemoryError, RecursionError):
        return None  # nested deeper than Python reads
    holds: Callable[[Any], bool] = eval(code, writer.names)
    decode = msgspec.json.Decoder(members.type).decode

    def may_match(text: str | None) -> bool:
        if text is None:
            return True
        try:
            return not holds(decode(text))
        except _ODD:
            return True

    return may_match


def _paths(test: Test) -> Iterator[_Path]:
    match test:
        case AllOf(tests) | AnyOf(tests):
            for each in tests:
                yield from _paths(each)
        case Bound():
            yield (test.side, *test.column.physical)
        case NoNulls(column):
            yield ("nullCount", *column.physical)
        case NoValues(column):
            yield from (("nullCount", *column.physical), _RECORDS)


class _Members:
    """The members of statistics that are asked for, as a type to decode them by, and as expressions of Python.

    Attributes:
        type: has them, and no others; what is missing is None.
    """

    def __init__(self, paths: Iterable[_Path]) -> None:
        """`paths` are their names from the top."""
        self._tree: dict[str, Any] = {}
        self._places = {path: self._add(path) for path in sorted(paths, key=lambda path: len(fields_of(path)))}
        self.type = _type_of(self._tree)

    def __getitem__(self, path: _Path) -> str:
        """The expression for a member of `stats`."""
        return self._places[path]

    def _add(self, path: _Path) -> str:
        tree, place = self._tree, "stats"
        named = fields_of(path)
        for at, name in enumerate(named, 1):
            inside = tree.setdefault(name, None if at == len(named) else {})
            place += f".m{list(tree).index(name)}"
            if inside is None:  # also where something above is asked for itself: then that is decoded as it is
                return place if at == len(path) else f"inner({place}, {path[at:]!r})"
            tree = inside
        raise AssertionError(f"{path} is above another one that came first")


def _type_of(tree: dict[str, Any]) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any, Any]] = []
    for number, inside in enumerate(tree.values()):
        if inside is None:
            fields.append((f"m{number}", Any, None))
        else:
            kind = _type_of(inside)
            fields.append((f"m{number}", kind, msgspec.field(default_factory=kind)))
    names = {f"m{number}": name for number, name in enumerate(tree)}
    return msgspec.defstruct("Members", fields, rename=names, gc=False)


def _inner(value: Any, path: _Path) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


class _Writer:
    """Writes a test as an expression; the values in it are names."""

    def __init__(self, members: _Members) -> None:
        self._members = members
        self.names: dict[str, Any] = {
            "inner": _inner,
            "numbers": frozenset((int, float)),
            "clamped": CLAMPED,
            "__builtins__": {"type": type},
        }
        self.names |= {kind.__name__: kind for kind in (int, str, bool)}

    def of(self, test: Test) -> str:
        match test:
            case AllOf(tests):
                return " and ".join(f"({self.of(each)})" for each in tests) or "True"
            case AnyOf(tests):
                return " or ".join(f"({self.of(each)})" for each in tests) or "False"
            case Bound():
                return self._bound(test)
            case NoNulls(column):
                return f"{self._null_count(column.physical)} == 0"
            case NoValues(column):
                return f"{self._null_count(column.physical)} == {self._members[_RECORDS]}"

    def _null_count(self, physical: _Path) -> str:
        count = self._members["nullCount", *physical]
        return f"type({count}) is int and {count}"

    def _bound(self, bound: Bound) -> str:
        side: Side = bound.side
        member, value = self._members[side, *bound.column.physical], self._name(_comparable(bound.value))
        kind = "in numbers" if isinstance(bound.value, Decimal) else f"is {type(bound.value).__name__}"
        test = f"type({member}) {kind} and {member} {bound.op} {value}"
        if bound.column.family is Family.DECIMAL:
            test += f" and {member} not in clamped"
        pattern = bound.shape.value
        return test if pattern is None else f"{test} and {self._name(re.compile(pattern).match)}({member}) is not None"

    def _name(self, value: Any) -> str:
        name = f"v{len(self.names)}"
        self.names[name] = value
        return name


def _comparable(value: Decimal | str | bool) -> Any:
    """A value as it is compared: a decimal as an integer or the nearest double, as which the other side is read."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)
