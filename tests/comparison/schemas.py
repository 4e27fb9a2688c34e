"""Schemas that have come a long way: columns that were added, dropped, renamed and widened, within structs, too.

A table's metadata changes a few times, in *epochs* 0, 1, …; a file is of one, and a column knows what it was in each.
Values are named by physical names, which never change; where nothing is mapped, these are the names themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa

from tests.comparison.kinds import KINDS, WIDENINGS, Dice, Kind, some_kind, some_value, widened

Mapping = Literal["name", "id"]


@dataclass(frozen=True)
class Primitive:
    """A primitive type: its name in each epoch, so that it may have been widened."""

    names: tuple[str, ...]

    def at(self, epoch: int) -> Kind:
        """What it is in an epoch."""
        return KINDS[self.names[epoch]]


@dataclass(frozen=True)
class Struct:
    """A struct type."""

    fields: tuple[Field, ...]


@dataclass(frozen=True)
class List:
    """An array type."""

    element: Type


@dataclass(frozen=True)
class Map:
    """A map type."""

    key: Primitive
    value: Type


Type = Primitive | Struct | List | Map


@dataclass(frozen=True)
class Field:
    """A column, or a field of a struct.

    Attributes:
        physical: the name that it has in files and statistics.
        type: of its values.
        names: its name in each epoch.
        id: the number that column mapping gives it.
        since: the epoch that added it.
        until: the epoch that dropped it; None where it is still there.
    """

    physical: str
    type: Type
    names: tuple[str, ...]
    id: int
    since: int = 0
    until: int | None = None

    def is_in(self, epoch: int) -> bool:
        """Whether an epoch has it."""
        return self.since <= epoch and (self.until is None or epoch < self.until)


def fields_at(fields: Sequence[Field], epoch: int) -> list[Field]:
    """Returns the fields that an epoch has."""
    return [each for each in fields if each.is_in(epoch)]


# ---- as JSON (PROTOCOL.md, "Schema Serialization Format")


def as_json(fields: Sequence[Field], epoch: int, *, mapped: bool, plain: bool = False) -> dict[str, Any]:
    """Returns a schema as in `schemaString`; a plain one says nothing of mapping and widening."""
    listed = [_field(each, epoch, mapped=mapped, plain=plain) for each in fields_at(fields, epoch)]
    return {"type": "struct", "fields": listed}


def _field(one: Field, epoch: int, *, mapped: bool, plain: bool) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if mapped and not plain:
        known = {"delta.columnMapping.id": one.id, "delta.columnMapping.physicalName": one.physical}
    changes = [] if plain else list(_changes(one.type, one.since, epoch, ""))
    known |= {"delta.typeChanges": changes} if changes else {}
    kind = _type(one.type, epoch, mapped=mapped, plain=plain)
    return {"name": one.names[epoch], "type": kind, "nullable": True, "metadata": known}


def _type(kind: Type, epoch: int, **how: bool) -> Any:
    match kind:
        case Primitive():
            return kind.at(epoch).name
        case Struct(fields):
            return as_json(fields, epoch, **how)
        case List(element):
            return {"type": "array", "elementType": _type(element, epoch, **how), "containsNull": True}
        case Map(key, value):
            inside = {"keyType": _type(key, epoch, **how), "valueType": _type(value, epoch, **how)}
            return {"type": "map", **inside, "valueContainsNull": True}


def _changes(kind: Type, since: int, epoch: int, place: str) -> Iterator[dict[str, str]]:
    match kind:
        case Primitive(names):
            for before, after in zip(names[since:epoch], names[since + 1 : epoch + 1], strict=True):
                if before != after:
                    yield {"fromType": before, "toType": after, **({"fieldPath": place} if place else {})}
        case List(element):
            yield from _changes(element, since, epoch, f"{place}.element".lstrip("."))
        case Map(key, value):
            yield from _changes(key, since, epoch, f"{place}.key".lstrip("."))
            yield from _changes(value, since, epoch, f"{place}.value".lstrip("."))


def is_widened(kind: Type, epochs: int) -> bool:
    """Whether a type, or one within it, was widened in some epoch."""
    match kind:
        case Primitive(names):
            return len(set(names[:epochs])) > 1
        case Struct(fields):
            return any(is_widened(each.type, epochs) for each in fields)
        case List(element):
            return is_widened(element, epochs)
        case Map(key, value):
            return is_widened(key, epochs) or is_widened(value, epochs)


# ---- as Arrow types


def as_arrow(fields: Sequence[Field], epoch: int, *, physical: bool) -> list[pa.Field]:
    """Returns fields as Arrow's, as they are in an epoch: under physical names with ids, or under logical ones."""
    return [_arrow_field(each, epoch, physical=physical) for each in fields_at(fields, epoch)]


def _arrow_field(one: Field, epoch: int, *, physical: bool) -> pa.Field:
    kind = _arrow_type(one.type, epoch, physical=physical)
    if not physical:
        return pa.field(one.names[epoch], kind)
    return pa.field(one.physical, kind, metadata={"PARQUET:field_id": str(one.id)} if one.id else None)


def _arrow_type(kind: Type, epoch: int, *, physical: bool) -> pa.DataType:
    match kind:
        case Primitive():
            return kind.at(epoch).arrow
        case Struct(fields):
            return pa.struct(as_arrow(fields, epoch, physical=physical))
        case List(element):
            return pa.list_(pa.field("element", _arrow_type(element, epoch, physical=physical)))
        case Map(key, value):
            inside = (_arrow_type(each, epoch, physical=physical) for each in (key, value))
            return pa.map_(*inside)


# ---- values


def moved(value: Any, kind: Type, epoch: int) -> Any:
    """Returns a value as a reader of an epoch has it that was written in an earlier one, under logical names."""
    if value is None:
        return None
    match kind:
        case Primitive():
            return widened(value, kind.at(epoch))
        case Struct(fields):
            known = fields_at(fields, epoch)
            return {each.names[epoch]: moved(value.get(each.physical), each.type, epoch) for each in known}
        case List(element):
            return [moved(each, element, epoch) for each in value]
        case Map(key, inner):
            return [(moved(one, key, epoch), moved(each, inner, epoch)) for one, each in value]


def leaves(
    fields: Sequence[Field], epoch: int, above: tuple[Field, ...] = ()
) -> Iterator[tuple[tuple[Field, ...], Field]]:
    """Yields the fields of an epoch that are no structs, with the way to them from the top."""
    for each in fields_at(fields, epoch):
        path = (*above, each)
        if isinstance(each.type, Struct):
            yield from leaves(each.type.fields, epoch, path)
        else:
            yield path, each


def some_of(dice: Dice, kind: Type, epoch: int, pick: Any, path: tuple[str, ...] = ()) -> Any:
    """Returns a value for a column, under physical names; `pick` chooses one for a path of primitives."""
    match kind:
        case Primitive():
            return pick(path)
        case Struct(fields):
            if dice.random() < 0.15:
                return None
            return {
                each.physical: some_of(dice, each.type, epoch, pick, (*path, each.physical))
                for each in fields_at(fields, epoch)
            }
        case List(element):
            if dice.random() < 0.2:
                return None
            return [_inner(dice, element, epoch) for _ in range(dice.choice([0, 0, 1, 2, 3]))]
        case Map(key, value):
            if dice.random() < 0.2:
                return None
            keys = {some_value(dice, key.at(epoch)) for _ in range(dice.choice([0, 0, 1, 2]))}
            return [(each, _inner(dice, value, epoch)) for each in sorted(keys)]


def _inner(dice: Dice, kind: Type, epoch: int) -> Any:
    """A value within a list or a map, which has no statistics."""
    if dice.random() < 0.25:
        return None

    def pick(_: tuple[str, ...]) -> Any:
        return None

    if isinstance(kind, Primitive):
        return some_value(dice, kind.at(epoch))
    if isinstance(kind, Struct):
        return {each.physical: _inner(dice, each.type, epoch) for each in fields_at(kind.fields, epoch)}
    return some_of(dice, kind, epoch, pick)


# ---- random schemas


@dataclass
class Designer:
    """Makes columns up.

    Attributes:
        dice: by which everything is chosen.
        epochs: how many there are.
        mapping: the mode of column mapping; only with one can columns be renamed and dropped.
        widening: whether types may be widened.
    """

    dice: Dice
    epochs: int
    mapping: Mapping | None
    widening: bool
    _count: int = field(default=0)

    def column(self, kind: Type | None = None, depth: int = 0) -> Field:
        """Returns a column, by default one of any type."""
        self._count += 1
        number = self._count
        named = self._name(number)
        physical = f"col-{self.dice.randrange(16**8):08x}" if self.mapping else named
        one = Field(physical, kind or self._type(depth), (named,) * self.epochs, number if self.mapping else 0)
        return self._evolved(one, number)

    def primitive(self) -> Primitive:
        """Returns a primitive type."""
        names = [some_kind(self.dice).name]
        for _ in range(self.epochs - 1):
            wider = WIDENINGS.get(names[-1]) if self.widening and self.dice.random() < 0.5 else None
            names.append(self.dice.choice(wider) if wider else names[-1])
        return Primitive(tuple(names))

    def constant(self, name: str) -> Primitive:
        """Returns a primitive type that stays what it is."""
        return Primitive((name,) * self.epochs)

    def _type(self, depth: int) -> Type:
        chance = self.dice.random() + depth * 0.1
        if chance < 0.72 or depth > 1:
            return self.primitive()
        if chance < 0.86:
            first, *others = (self.column(depth=depth + 1) for _ in range(self.dice.randint(1, 3)))
            return Struct((replace(first, since=0, until=None), *others))
        if chance < 0.95:
            return List(self._type(depth + 1))
        # Not with structs within: delta-rs' engine can't read those of an older schema.
        return Map(self.constant(self.dice.choice(["string", "integer"])), self.primitive())

    def _name(self, number: int) -> str:
        odd = ["ü", "SELECT", "Name", "x.y", "a'", 'q"'] + (["a b", "k,;{}()="] if self.mapping else [])
        return f"{self.dice.choice(odd) if self.dice.random() < 0.12 else 'c'}{number}"

    def _evolved(self, one: Field, number: int) -> Field:
        chance = self.dice.random()
        if self.epochs == 1 or chance < 0.55:
            return one
        at = self.dice.randrange(1, self.epochs)
        if chance < 0.75:
            return replace(one, since=at)
        if not self.mapping:
            return one
        if chance < 0.85:
            return replace(one, until=at)
        return replace(one, names=one.names[:at] + (f"r{number}",) * (self.epochs - at))
