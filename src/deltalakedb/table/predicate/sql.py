"""SQL text → predicate, parsed by sqlglot.

Names and texts are quoted as delta-rs takes them: names in double quotes or backticks, texts in single quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import sqlglot
from sqlglot import TokenType, exp, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.parser import binary_range_parser

from ...columns import Column, Family, TableSchema, family_of
from ...errors import ArgumentError
from .build import compare, compare_cast, compare_number, flipped, is_in, like, same, starts_with, truth
from .tree import FALSE, NULL, TRUE, IsNull, Operator, Predicate, Unknown, conjunction, disjunction, negation
from .values import parse_timestamp, typed


class _Where(Dialect):
    """What delta-rs takes in a predicate."""

    class Tokenizer(tokens.Tokenizer):
        IDENTIFIERS = ['"', "`"]  # noqa: RUF012 (sqlglot's own way)
        HEX_STRINGS = [("x'", "'"), ("X'", "'")]  # noqa: RUF012
        KEYWORDS = {  # noqa: RUF012
            **tokens.Tokenizer.KEYWORDS,
            "XOR": TokenType.XOR,
            "~*": TokenType.IRLIKE,
            "!~": TokenType.RLIKE,
            "!~*": TokenType.IRLIKE,
        }
        # As in Spark: 5L, 1.5D, 1.5BD.
        NUMERIC_LITERALS = {  # noqa: RUF012
            "L": "BIGINT",
            "S": "SMALLINT",
            "Y": "TINYINT",
            "D": "DOUBLE",
            "F": "FLOAT",
            "BD": "DECIMAL",
        }

    class Parser(parser.Parser):
        CONJUNCTION = {**parser.Parser.CONJUNCTION, TokenType.XOR: exp.Xor}  # noqa: RUF012
        RANGE_PARSERS = {  # noqa: RUF012
            **parser.Parser.RANGE_PARSERS,
            TokenType.TILDE: binary_range_parser(exp.RegexpLike),
        }


_OPERATORS: dict[type[exp.Expression], Operator] = {
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_KINDS = {
    exp.DType.TINYINT: "byte",
    exp.DType.SMALLINT: "short",
    exp.DType.INT: "integer",
    exp.DType.BIGINT: "long",
    exp.DType.FLOAT: "float",
    exp.DType.DOUBLE: "double",
    exp.DType.TEXT: "string",
    exp.DType.VARCHAR: "string",
    exp.DType.BOOLEAN: "boolean",
    exp.DType.DATE: "date",
    exp.DType.TIMESTAMP: "timestamp_ntz",
    exp.DType.TIMESTAMPNTZ: "timestamp_ntz",
    exp.DType.DATETIME: "timestamp_ntz",
    exp.DType.TIMESTAMPTZ: "timestamp",
    exp.DType.TIMESTAMPLTZ: "timestamp",
}
_MOST_DIGITS = 1000
"""More than any type has."""

_REFUSED = (exp.Query, exp.Block, exp.Alias, exp.DDL, exp.DML, exp.Command)


def parse(text: str, schema: TableSchema) -> Predicate:
    """Returns the predicate of a SQL condition.

    Raises:
        ArgumentError: a syntax error, an unknown column, or a value that its column's type can't have.
    """
    try:
        tree = sqlglot.parse_one(text, read=_Where)
    except (SqlglotError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ArgumentError(f"The predicate can't be understood: {text!r} ({reason})") from error
    if isinstance(tree, _REFUSED):
        raise ArgumentError(
            f"Not a condition on rows: {text!r}", "It has the form: date = '2024-03-03' AND amount > 10"
        )
    reader = _Reader(schema)
    # Engines differ in what XOR binds more tightly than.
    return reader.unknown(tree) if tree.find(exp.Xor) else reader.predicate(tree)


@dataclass(frozen=True, slots=True)
class _Known:
    """A literal's value, which may be None; `text` is how a number was written."""

    value: object
    text: str | None = None

    def against(self, column: Column, op: Operator) -> Predicate:
        """The comparison of a column with it."""
        if self.text is not None and column.family is Family.STRING:
            return compare_number(column, op, self.value, self.text)
        return compare(column, op, self.value)


@dataclass(frozen=True, slots=True)
class _Cast:
    """A column cast to a Delta type."""

    column: Column
    kind: str


_Operand = Column | _Cast | _Known | None


class _Reader:
    """Turns sqlglot's trees into ours."""

    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self._readers: dict[type[exp.Expression], Callable[[Any], Predicate]] = {
            exp.And: lambda node: conjunction(self.predicate(each) for each in node.flatten()),
            exp.Or: lambda node: disjunction(self.predicate(each) for each in node.flatten()),
            exp.Not: lambda node: negation(self.predicate(node.this)),
            exp.Paren: lambda node: self.predicate(node.this),
            exp.Between: self._between,
            exp.In: self._in,
            exp.Is: self._is,
            exp.Like: self._like,
            exp.StartsWith: self._starts_with,
            exp.NullSafeEQ: self._same,
            exp.NullSafeNEQ: lambda node: negation(self._same(node)),
            exp.Boolean: lambda node: TRUE if node.this else FALSE,
            exp.Null: lambda _: NULL,
        }

    def predicate(self, node: Any) -> Predicate:
        op = _OPERATORS.get(type(node))
        if op is not None:
            return self._compare(node, op)
        reader = self._readers.get(type(node))
        if reader is not None:
            return reader(node)
        operand = self._operand(node)
        return truth(operand) if isinstance(operand, Column) else self.unknown(node)

    def unknown(self, node: Any) -> Predicate:
        """What can't be pruned by, whose columns must exist all the same."""
        for column in node.find_all(exp.Column):
            self._column(column)
        return Unknown(node.sql())

    def _compare(self, node: exp.Binary, op: Operator) -> Predicate:
        left, right = self._operand(node.left), self._operand(node.right)
        if isinstance(left, _Known) and isinstance(right, Column | _Cast):
            left, right, op = right, left, flipped(op)
        if isinstance(left, Column) and isinstance(right, _Known):
            return right.against(left, op)
        if isinstance(left, _Cast) and isinstance(right, _Known):
            return compare_cast(left.column, left.kind, op, right.value)
        if isinstance(left, _Known) and isinstance(right, _Known):
            return _constant(left.value, op, right.value)
        return self.unknown(node)

    def _between(self, node: exp.Between) -> Predicate:
        subject, low, high = (self._operand(node.args[name]) for name in ("this", "low", "high"))
        if not isinstance(low, _Known) or not isinstance(high, _Known) or node.args.get("symmetric"):
            return self.unknown(node)
        if isinstance(subject, Column):
            return conjunction((low.against(subject, ">="), high.against(subject, "<=")))
        if isinstance(subject, _Cast):
            bounds = ((">=", low), ("<=", high))
            return conjunction(
                compare_cast(subject.column, subject.kind, cast(Operator, op), bound.value) for op, bound in bounds
            )
        return self.unknown(node)

    def _in(self, node: exp.In) -> Predicate:
        subject, values = self._operand(node.this), [self._operand(each) for each in node.expressions]
        known = [value for value in values if isinstance(value, _Known)]
        if not values or len(known) < len(values):
            return self.unknown(node)
        if isinstance(subject, Column):
            if subject.family is not Family.STRING or not any(value.text for value in known):
                return is_in(subject, [value.value for value in known])
            return disjunction(value.against(subject, "=") for value in known)
        if isinstance(subject, _Cast):
            return disjunction(compare_cast(subject.column, subject.kind, "=", value.value) for value in known)
        return self.unknown(node)

    def _is(self, node: exp.Is) -> Predicate:
        subject, right = self._operand(node.this), node.expression
        if isinstance(subject, _Cast) and isinstance(right, exp.Null):
            return Unknown(node.sql())  # a cast may make NULL of a value
        if isinstance(subject, Column) and isinstance(right, exp.Null):
            return IsNull(subject)
        if isinstance(subject, Column) and isinstance(right, exp.Boolean) and subject.family is Family.BOOLEAN:
            return same(subject, bool(right.this))
        return self.unknown(node)

    def _like(self, node: exp.Like) -> Predicate:
        subject, pattern = self._operand(node.this), self._operand(node.expression)
        if not isinstance(subject, Column) or not isinstance(pattern, _Known):
            return self.unknown(node)
        found = like(subject, pattern.value)
        return negation(found) if node.args.get("negate") else found

    def _starts_with(self, node: exp.StartsWith) -> Predicate:
        subject, prefix = self._operand(node.this), self._operand(node.expression)
        if not isinstance(subject, Column) or not isinstance(prefix, _Known):
            return self.unknown(node)
        return starts_with(subject, prefix.value)

    def _same(self, node: exp.Binary) -> Predicate:
        left, right = self._operand(node.left), self._operand(node.right)
        if isinstance(left, _Known):
            left, right = right, left
        if isinstance(left, Column) and isinstance(right, _Known):
            if right.value is None:
                return IsNull(left)
            return conjunction((right.against(left, "="), negation(IsNull(left))))
        return self.unknown(node)

    def _operand(self, node: Any) -> _Operand:
        node = node.unnest()
        if isinstance(node, exp.Column | exp.Dot | exp.Bracket):
            return self._column(node)
        if isinstance(node, exp.Cast):
            return self._cast(node)
        return _literal(node)

    def _column(self, node: Any) -> Column | None:
        """The column that a name, `a.b` or `a['b']` stands for; None for an element of a map or an array."""
        if isinstance(node, exp.Column):
            path = tuple(part.name for part in node.parts)
            return None if self._is_element(path) else self._schema.column(path)
        field = _field(node)
        above = None if field is None else self._column(node.this)
        if field is None or above is None or above.kind != "struct":
            return None
        return self._schema.column((*above.path, field))

    def _is_element(self, path: tuple[str, ...]) -> bool:
        """Whether a path leads into a map, or another column whose members are not in the schema."""
        above = {path[:end] for end in range(1, len(path))}
        return any(
            each.path in above and each.family is Family.OTHER and each.kind != "struct"
            for each in self._schema.columns
        )

    def _cast(self, node: exp.Cast) -> _Operand:
        kind, subject = _kind(node.to), self._operand(node.this)
        if kind is None or subject is None or isinstance(subject, _Cast):
            return None
        if isinstance(subject, Column):
            return _Cast(subject, kind)
        if subject.value is None:
            return subject
        raw = subject.text if subject.text is not None and kind == "string" else subject.value
        if kind == "timestamp_ntz" and _has_zone(raw):
            kind = "timestamp"
        value = typed(raw, Column(("CAST",), kind, ()))
        return None if value is None else _Known(_rounded(value, kind))


def _rounded(value: object, kind: str) -> object:
    """A cast to an integer cuts off or rounds what is behind the point: engines differ, so that is left to them."""
    return value if family_of(kind) is not Family.INTEGER or isinstance(value, int) else object()


def _has_zone(raw: object) -> bool:
    moment = parse_timestamp(raw) if isinstance(raw, str) else None
    return moment is not None and moment.tzinfo is not None


def _field(node: Any) -> str | None:
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        return str(node.expression.name)
    if isinstance(node, exp.Bracket) and len(node.expressions) == 1 and node.expressions[0].is_string:
        return str(node.expressions[0].name)
    return None


def _literal(node: exp.Expression) -> _Known | None:
    if isinstance(node, exp.Null):
        return _Known(None)
    if isinstance(node, exp.Boolean):
        return _Known(bool(node.this))
    if isinstance(node, exp.HexString):
        return _hex(node)
    if isinstance(node, exp.Neg):
        inner = _literal(node.this.unnest())
        if inner is None or inner.text is None or not isinstance(inner.value, int | Decimal):
            return None
        negative = -inner.value if isinstance(inner.value, int) else inner.value.copy_negate()
        return _Known(negative, f"-{inner.text}")
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string:
        return _Known(node.this)
    try:
        number = Decimal(node.this)
    except InvalidOperation:  # an exponent that no number has
        return None
    # With a large exponent it would have as many digits as it says: 1e999999999 fills the memory.
    is_whole = number.adjusted() < _MOST_DIGITS and number == number.to_integral_value()
    return _Known(int(number) if is_whole else number, node.this)


def _hex(node: exp.HexString) -> _Known | None:
    try:
        return _Known(bytes.fromhex(node.this))
    except ValueError:
        return None


def _kind(to: exp.DataType) -> str | None:
    if to.this == exp.DType.DECIMAL:
        sizes = [param.name for param in to.expressions]
        if not all(re.fullmatch("[0-9]{1,3}", size) for size in sizes):
            return None
        precision, scale = (*sizes, 0)[:2] if sizes else (38, 10)
        return f"decimal({precision},{scale})"
    kind = _KINDS.get(cast(exp.DType, to.this))
    return None if kind == "string" and to.expressions else kind  # some engines cut at a length


def _constant(left: Any, op: Operator, right: Any) -> Predicate:
    if left is None or right is None:
        return NULL
    if type(left) is not type(right) or not isinstance(left, int | str | bool):
        return Unknown("two constants")
    holds = {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[op]
    return TRUE if holds else FALSE
