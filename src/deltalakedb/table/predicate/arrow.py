"""pyarrow expression → predicate.

pyarrow has no public way to look into an expression, but it can pickle one: the expression as an Arrow file without
rows to speak of, whose literals are columns, and whose metadata lists its calls, fields and literals one after the
other. That keeps every literal's type, which an expression's text does not, and needs no Substrait, which lacks most
functions. The list repeats its keys, so it is read through Arrow's C data interface: pyarrow's own dict loses them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...columns import Column, Family, TableSchema
from .build import compare, compare_cast, flipped, is_in, like, starts_with, truth
from .tree import FALSE, NULL, TRUE, IsNull, Predicate, Unknown, conjunction, disjunction, negation

_COMPARISONS: dict[str, Any] = {
    "equal": "=",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
}
_KINDS = {
    pa.int8(): "byte",
    pa.int16(): "short",
    pa.int32(): "integer",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.large_string(): "string",
    pa.bool_(): "boolean",
    pa.date32(): "date",
}
_NULLS_MATCH, _NULLS_ARE_FALSE = 0, 1
"""The values of `null_matching_behavior` for which `is_in` is never null."""


def parse(expression: pc.Expression, schema: TableSchema) -> Predicate:
    """Returns the predicate of a pyarrow expression; what has no counterpart becomes Unknown.

    Raises:
        ArgumentError: an unknown column, or a value that its column's type can't have.
    """
    buffer = expression.__reduce__()[1][0]
    batch = pa.ipc.open_file(buffer).get_batch(0)
    return _Reader(batch, schema).read(_metadata(batch.schema))


@dataclass(frozen=True, slots=True)
class _Known:
    """A literal."""

    value: object


@dataclass(frozen=True, slots=True)
class _Cast:
    """A column cast to a Delta type."""

    column: Column
    kind: str


_Operand = Column | _Known | _Cast | Predicate | None


@dataclass(slots=True)
class _Call:
    """A call whose arguments are being read."""

    name: str
    arguments: list[_Operand] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


class _Reader:
    """Reads the list of an expression's parts. A call comes before its arguments, and `end` behind them."""

    def __init__(self, batch: pa.RecordBatch, schema: TableSchema) -> None:
        self._batch = batch
        self._schema = schema
        self._functions: dict[str, Callable[[_Call], _Operand]] = {
            **dict.fromkeys(("and", "and_kleene"), lambda call: conjunction(map(_condition, call.arguments))),
            **dict.fromkeys(("or", "or_kleene"), lambda call: disjunction(map(_condition, call.arguments))),
            "invert": lambda call: negation(_condition(call.arguments[0])),
            **dict.fromkeys(_COMPARISONS, _compare),
            "if_else": _if_else,
            "is_in": _is_in,
            "is_null": _is_null,
            "is_valid": _is_valid,
            "starts_with": _starts_with,
            "match_like": _match_like,
            "cast": _cast,
        }

    def read(self, parts: list[tuple[str, str]]) -> Predicate:
        open_calls = [_Call("")]
        rest = iter(parts)
        for key, value in rest:
            if key == "call":
                open_calls.append(_Call(value))
            elif key == "options":
                open_calls[-1].options = self._options(int(value))
            elif key == "end":
                call = open_calls.pop()
                function = self._functions.get(call.name, _unknown)
                open_calls[-1].arguments.append(function(call))
            else:
                open_calls[-1].arguments.append(self._operand(key, value, rest))
        return _condition(open_calls[0].arguments[0])

    def _options(self, place: int) -> dict[str, Any]:
        """A call's options; the type that a cast leads to is that of a null."""
        column = self._batch.column(place)
        options: dict[str, Any] = column[0].as_py()
        if "to_type" in options:
            options["to_type"] = column.type.field("to_type").type
        return options

    def _operand(self, key: str, value: str, rest: Iterator[tuple[str, str]]) -> _Operand:
        if key == "literal":
            return _Known(self._batch.column(int(value))[0].as_py())
        if key == "field_ref":
            return self._schema.column((value,))
        if key == "nested_field_ref":
            return self._schema.column(tuple(next(rest)[1] for _ in range(int(value))))
        return None


def _condition(operand: _Operand) -> Predicate:
    """Returns an operand that stands where a condition is expected."""
    if isinstance(operand, Column):
        return truth(operand)
    if isinstance(operand, _Known):
        return NULL if operand.value is None else TRUE if operand.value is True else FALSE
    if operand is None or isinstance(operand, _Cast):
        return Unknown("expression")
    return operand


def _unknown(call: _Call) -> Predicate:
    return Unknown(f"{call.name}(…)")


def _compare(call: _Call) -> Predicate:
    op, (left, right) = _COMPARISONS[call.name], call.arguments
    if isinstance(left, _Known):
        left, right, op = right, left, flipped(op)
    if not isinstance(right, _Known):
        return _unknown(call)
    if isinstance(left, Column):
        return compare(left, op, right.value)
    return compare_cast(left.column, left.kind, op, right.value) if isinstance(left, _Cast) else _unknown(call)


def _is_in(call: _Call) -> Predicate:
    column, values = call.arguments[0], call.options["value_set"]
    if not isinstance(column, Column) or values is None:
        return _unknown(call)
    nulls = call.options["null_matching_behavior"]
    if nulls not in (_NULLS_MATCH, _NULLS_ARE_FALSE):
        return is_in(column, values)
    found = conjunction((is_in(column, [one for one in values if one is not None]), negation(IsNull(column))))
    matches_null = nulls == _NULLS_MATCH and None in values
    return disjunction((found, IsNull(column))) if matches_null else found


def _if_else(call: _Call) -> Predicate:
    """What DuckDB makes of `IN`: `if_else(is_valid(column), is_in(column, …), null)`."""
    condition, then, otherwise = call.arguments
    if not isinstance(otherwise, _Known) or otherwise.value is not None:
        return _unknown(call)
    # False where the expression is NULL, which is no row less: not even within a NOT.
    return conjunction((_condition(condition), _condition(then)))


def _is_null(call: _Call) -> Predicate:
    column = call.arguments[0]
    if not isinstance(column, Column):
        return _unknown(call)
    if call.options["nan_is_null"] and column.family in (Family.FLOAT, Family.DOUBLE):
        return _unknown(call)
    return IsNull(column)


def _is_valid(call: _Call) -> Predicate:
    column = call.arguments[0]
    return negation(IsNull(column)) if isinstance(column, Column) else _unknown(call)


def _starts_with(call: _Call) -> Predicate:
    column = call.arguments[0]
    if not isinstance(column, Column) or call.options["ignore_case"]:
        return _unknown(call)
    return starts_with(column, call.options["pattern"])


def _match_like(call: _Call) -> Predicate:
    column = call.arguments[0]
    if not isinstance(column, Column) or call.options["ignore_case"]:
        return _unknown(call)
    return like(column, call.options["pattern"])


def _cast(call: _Call) -> _Cast | None:
    column, kind = call.arguments[0], _kind(call.options["to_type"])
    return _Cast(column, kind) if isinstance(column, Column) and kind is not None else None


def _kind(arrow: pa.DataType) -> str | None:
    """The Delta type of an Arrow one."""
    if pa.types.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    if pa.types.is_timestamp(arrow):
        return "timestamp_ntz" if arrow.tz is None else "timestamp"
    return _KINDS.get(arrow)


def _metadata(schema: pa.Schema) -> list[tuple[str, str]]:
    """Returns all of a schema's metadata, in its order, repeated keys too.

    Source: the Arrow C data interface, "ArrowSchema.metadata": their number, then for each key and value its length
    and its bytes; numbers are int32 in the machine's own order.
    """
    capsule = schema.__arrow_c_schema__()
    address = _capsule_pointer(capsule, b"arrow_schema")
    place = ctypes.cast(address, ctypes.POINTER(_CSchema)).contents.metadata
    texts: list[str] = []

    def number() -> int:
        nonlocal place
        place += 4
        return ctypes.c_int32.from_address(place - 4).value

    for _ in range(2 * number()):
        length = number()
        texts.append(ctypes.string_at(place, length).decode())
        place += length
    return list(zip(texts[::2], texts[1::2], strict=True))


class _CSchema(ctypes.Structure):
    """The first fields of the C data interface's ArrowSchema."""

    _fields_ = (("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_void_p))


_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
