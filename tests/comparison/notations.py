"""Conditions as each way of reading takes them.

Each function returns None where its notation has no words for a condition. A literal's style chooses among the ways in
which people write it: none of them may change what a reader leaves out.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import reduce
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from tests.comparison.kinds import Kind, single
from tests.comparison.predicates import (
    And,
    Between,
    Column,
    Compare,
    Constant,
    In,
    IsNull,
    Leaf,
    Not,
    Or,
    Predicate,
    Prefix,
    leaves_of,
)

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def quoted(text: str) -> str:
    """A text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


# ---- SQL


def sql(predicate: Predicate) -> str:
    """Returns a condition as `scan` and `files` take it, in the dialect of delta-rs."""
    return _sql(predicate, _datafusion)


def duckdb_sql(predicate: Predicate) -> str:
    """Returns a condition as DuckDB takes it behind WHERE."""
    return _sql(predicate, _duckdb)


Writer = Callable[[Kind, Constant], str]


def _sql(predicate: Predicate, written: Writer) -> str:
    match predicate:
        case Not(operand):
            return f"NOT ({_sql(operand, written)})"
        case And(left, right):
            return f"({_sql(left, written)}) AND ({_sql(right, written)})"
        case Or(left, right):
            return f"({_sql(left, written)}) OR ({_sql(right, written)})"
    name = sql_name(predicate.column, brackets=written is _datafusion)
    return f"{name} {_behind(predicate, written)}"


def sql_name(column: Column, *, brackets: bool) -> str:
    """A column's name in double quotes, a struct's field behind a dot or in brackets."""
    top, *inner = (name.replace('"', '""') for name in column.path)
    fields = (f"[{quoted(name)}]" for name in column.path[1:]) if brackets else (f'."{name}"' for name in inner)
    return f'"{top}"{"".join(fields)}'


def _behind(leaf: Leaf, written: Writer) -> str:
    kind = leaf.column.kind
    if isinstance(leaf, IsNull) or kind is None:
        return "IS NULL"
    match leaf:
        case Compare(_, op, constant):
            return f"{op} {written(kind, constant)}"
        case In(_, constants):
            return f"IN ({', '.join(written(kind, each) for each in constants)})"
        case Between(_, low, high):
            return f"BETWEEN {written(kind, low)} AND {written(kind, high)}"
        case Prefix(_, prefix):
            return f"LIKE {quoted(prefix + '%')}"


def _choice(constant: Constant, *options: str) -> str:
    return options[constant.style % len(options)]


def _datafusion(kind: Kind, constant: Constant) -> str:
    value = constant.value
    match kind.family:
        case "integer":
            if isinstance(value, Decimal):
                return str(value)
            return _choice(constant, str(value), str(value), f"CAST('{value}' AS BIGINT)", f"{value}.0")
        case "decimal":
            digits = f"{value:f}"
            cast = f"CAST('{digits}' AS DECIMAL({kind.arrow.precision},{kind.arrow.scale}))"
            return _choice(constant, digits, f"'{digits}'", cast)
        case "float" | "double":
            narrow = "FLOAT" if _is_single(value) else "DOUBLE"
            return _choice(constant, f"CAST('{value!r}' AS DOUBLE)", _bare(value), f"CAST('{value!r}' AS {narrow})")
        case "boolean":
            return str(value).upper()
        case "binary":
            return f"X'{value.hex()}'"
        case "date":
            return _choice(constant, f"'{value}'", f"DATE '{value}'", f"CAST('{value}' AS DATE)")
        case "timestamp":
            return _zoned(constant)
        case "timestamp_ntz":
            return _choice(constant, f"TIMESTAMP '{value}'", f"'{value}'", f"'{value.isoformat()}'")
    return quoted(value)


def _is_single(value: float) -> bool:
    """Whether a number has 32 bits, so that it means the same as one of 64."""
    return abs(value) < 1e38 and single(value) == value


def _bare(value: float) -> str:
    """A number as it is; where it isn't one, in a cast."""
    return repr(value) if repr(value).lstrip("-")[0].isdigit() else f"CAST('{value!r}' AS DOUBLE)"


def _zoned(constant: Constant) -> str:
    value: datetime = constant.value
    moved = value if not 1 < value.year < 9999 else value.astimezone(timezone(timedelta(hours=2)))
    local = value.replace(tzinfo=None)
    return _choice(constant, f"'{value.isoformat()}'", f"'{local}'", f"'{moved.isoformat()}'", f"TIMESTAMP '{local}'")


def _duckdb(kind: Kind, constant: Constant) -> str:
    value = constant.value
    match kind.family:
        case "integer":
            return str(value) if isinstance(value, Decimal) else _choice(constant, str(value), f"{value}::BIGINT")
        case "decimal":
            digits = f"{value:f}"
            return _choice(constant, digits, f"'{digits}'::DECIMAL({kind.arrow.precision},{kind.arrow.scale})")
        case "float" | "double":
            return _choice(
                constant, f"'{value!r}'::DOUBLE", f"'{value!r}'::{'FLOAT' if _is_single(value) else 'DOUBLE'}"
            )
        case "boolean":
            return str(value).upper()
        case "binary":
            return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"
        case "date":
            return f"DATE '{value}'"
        case "timestamp":
            return f"TIMESTAMPTZ '{value.isoformat(' ')}'"
        case "timestamp_ntz":
            return f"TIMESTAMP '{value}'"
    return quoted(value)


# ---- pyarrow


def expression(predicate: Predicate) -> pc.Expression:
    """Returns a condition as a pyarrow expression."""
    match predicate:
        case Not(operand):
            return ~expression(operand)
        case And(left, right):
            return expression(left) & expression(right)
        case Or(left, right):
            return expression(left) | expression(right)
    field, kind = pc.field(*predicate.column.path), predicate.column.kind
    if isinstance(predicate, IsNull) or kind is None:
        return field.is_null()
    match predicate:
        case Compare(_, op, constant):
            return _OPERATORS[op](field, scalar(kind, constant))
        case In(_, constants):
            return field.isin(_array(kind, constants))
        case Between(_, low, high):
            return (field >= scalar(kind, low)) & (field <= scalar(kind, high))
        case Prefix(_, prefix):
            return pc.starts_with(field, prefix)


def scalar(kind: Kind, constant: Constant) -> pa.Scalar:
    """A literal in its column's type, or in the one that pyarrow gives to its value."""
    if constant.style % 3 and _fits(kind, constant.value):
        return pa.scalar(constant.value, kind.arrow)
    return pa.scalar(constant.value)


def _array(kind: Kind, constants: tuple[Constant, ...]) -> pa.Array:
    values = [each.value for each in constants]
    typed = constants[0].style % 3 and all(_fits(kind, value) for value in values)
    return pa.array(values, kind.arrow) if typed else pa.array(values)


def _fits(kind: Kind, value: Any) -> bool:
    try:
        return bool(pa.scalar(value, kind.arrow).as_py() == value)
    except (pa.ArrowException, OverflowError):
        return False


# ---- tuples


def tuples(predicate: Predicate) -> list[Any] | None:
    """Returns a condition as tuples whose values are Python's, for pyarrow's `filters`."""
    return _tuples(predicate, lambda _, value: value)


def encoded_tuples(predicate: Predicate) -> list[Any] | None:
    """Returns a condition as tuples whose values are texts as in a partition, or may be, for delta-rs' filters."""
    beyond_doubt = all(_is_plain(leaf) for leaf in leaves_of(predicate))
    return _tuples(predicate, _encoded) if beyond_doubt else None


def _is_plain(leaf: Leaf) -> bool:
    """Whether it is known what text stands for a leaf's values: bytes are escaped in several ways."""
    family = None if leaf.column.kind is None else leaf.column.kind.family
    values = [each.value for each in _constants(leaf)]
    return family != "binary" and not (family == "integer" and any(isinstance(each, Decimal) for each in values))


def _constants(leaf: Leaf) -> tuple[Constant, ...]:
    match leaf:
        case Compare(_, _, constant):
            return (constant,)
        case In(_, constants):
            return constants
        case Between(_, low, high):
            return low, high
    return ()


def _tuples(predicate: Predicate, written: Callable[[Kind, Any], Any]) -> list[Any] | None:
    found = _disjunction(predicate)
    if found is None or any(not _has_tuples(leaf) for each in found for leaf in each):
        return None
    conjunctions = [[one for leaf in each for one in _of_leaf(leaf, written)] for each in found]
    return conjunctions[0] if len(conjunctions) == 1 else conjunctions


def _has_tuples(leaf: Leaf) -> bool:
    return len(leaf.column.path) == 1 and isinstance(leaf, Compare | In | Between)


def _disjunction(predicate: Predicate) -> list[list[Leaf]] | None:
    match predicate:
        case Or(left, right):
            sides = (_disjunction(left), _disjunction(right))
            return None if None in sides else [each for side in sides if side for each in side]
        case And(left, right):
            one, other = _disjunction(left), _disjunction(right)
            return None if one is None or other is None else [[*first, *second] for first in one for second in other]
        case Not():
            return None
    return [[predicate]]


def _of_leaf(leaf: Leaf, written: Callable[[Kind, Any], Any]) -> list[tuple[str, str, Any]]:
    (name,), kind = leaf.column.path, leaf.column.kind
    assert kind is not None
    match leaf:
        case Compare(_, op, constant):
            return [(name, op, written(kind, constant.value))]
        case In(_, constants):
            op = "not in" if constants[0].style % 4 == 0 else "in"
            return [(name, op, [written(kind, each.value) for each in constants])]
        case Between(_, low, high):
            return [(name, ">=", written(kind, low.value)), (name, "<=", written(kind, high.value))]
    raise AssertionError(f"no tuple: {leaf}")


def _encoded(kind: Kind, value: Any) -> Any:
    match kind.family:
        case "decimal":
            return f"{value:f}"
        case "timestamp":
            return value.isoformat(" ") if value.microsecond % 2 else value.replace(tzinfo=None).isoformat(" ")
    return value


def meaning(filters: list[Any], kinds: dict[str, Kind]) -> pc.Expression:
    """Returns what delta-rs' filters mean: the empty text is NULL, and NULL is not known to be none of some values."""
    conjunctions = filters if isinstance(filters[0], list) else [filters]
    joined = [reduce(operator.and_, (_meant(one, kinds) for one in each)) for each in conjunctions]
    return reduce(operator.or_, joined)


def _meant(one: tuple[str, str, Any], kinds: dict[str, Kind]) -> pc.Expression:
    name, op, value = one
    field, kind = pc.field(name), kinds[name].arrow
    if op in ("in", "not in"):
        known = [_typed(each, kinds[name]) for each in value if each != ""]
        found = field.isin(pa.array(known, kind))
        if op == "not in":
            return field.is_valid() & ~found
        return found | field.is_null() if len(known) < len(value) else found
    if value == "":
        return field.is_null() if op == "=" else field.is_valid() if op == "!=" else pc.scalar(False)
    return _OPERATORS[op](field, pa.scalar(_typed(value, kinds[name]), kind))


def _typed(value: Any, kind: Kind) -> Any:
    match kind.family:
        case "decimal":
            return Decimal(value)
        case "timestamp":
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return value


# ---- Polars


def polars(predicate: Predicate) -> pl.Expr:
    """Returns a condition as a Polars expression."""
    match predicate:
        case Not(operand):
            return ~polars(operand)
        case And(left, right):
            return polars(left) & polars(right)
        case Or(left, right):
            return polars(left) | polars(right)
    top, *inner = predicate.column.path
    column = reduce(lambda above, name: above.struct.field(name), inner, pl.col(top))
    if isinstance(predicate, IsNull):
        return column.is_null()
    match predicate:
        case Compare(_, op, constant):
            return _OPERATORS[op](column, constant.value)
        case In(_, constants):
            return column.is_in([each.value for each in constants])
        case Between(_, low, high):
            return column.is_between(low.value, high.value)
        case Prefix(_, prefix):
            return column.str.starts_with(prefix)
