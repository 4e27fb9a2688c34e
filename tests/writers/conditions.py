"""Conditions on each column of a table's rows: the rows that fulfil them, and how each way of reading takes them.

The judge is Python's comparison of the values that were written. A NaN is left out of what is compared: engines differ
in whether it is greater than all numbers or like none.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from operator import eq, gt, lt
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from deltalakedb.table.delta_table import DeltaTable

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"=": eq, "<": lt, ">": gt}


@dataclass(frozen=True)
class Condition:
    """`column operator value`; operators are =, <, >, in, is null, is not null."""

    column: str
    operator: str
    value: Any
    kind: pa.DataType

    def __str__(self) -> str:
        return f"{self.column} {self.operator} {self.value!r}"

    def holds(self, value: Any) -> bool:
        """Tells whether a row with this value fulfils the condition."""
        if self.operator in ("is null", "is not null"):
            return (value is None) == (self.operator == "is null")
        if value is None:
            return False
        return value in self.value if self.operator == "in" else bool(OPERATORS[self.operator](value, self.value))

    def expression(self) -> pc.Expression:
        """The condition for pyarrow."""
        field = pc.field(self.column)
        match self.operator:
            case "is null":
                return field.is_null()
            case "is not null":
                return field.is_valid()
            case "in":
                return field.isin(pa.array(self.value, self.kind))
        return OPERATORS[self.operator](field, pa.scalar(self.value, self.kind))

    def sql(self) -> str:
        """The condition as SQL text, which names and values are quoted in."""
        name = '"' + self.column.replace('"', '""') + '"'
        if self.operator in ("is null", "is not null"):
            return f"{name} {self.operator}"
        if self.operator == "in":
            return f"{name} IN ({', '.join(literal(value, self.kind) for value in self.value)})"
        return f"{name} {self.operator} {literal(self.value, self.kind)}"

    def filters(self) -> list[tuple[str, str, Any]] | pc.Expression:
        """The condition as tuples; pyarrow has none for NULL."""
        return self.expression() if "null" in self.operator else [(self.column, self.operator, self.value)]

    def polars(self) -> pl.Expr:
        """The condition for Polars."""
        column = pl.col(self.column)
        match self.operator:
            case "is null":
                return column.is_null()
            case "is not null":
                return column.is_not_null()
            case "in":
                return column.is_in(pl.from_arrow(pa.array(self.value, self.kind)))
        return OPERATORS[self.operator](column, pl.lit(self.value, pl.from_arrow(pa.array([], self.kind)).dtype))


def literal(value: Any, kind: pa.DataType) -> str:
    """A value as SQL text."""
    match value:
        case bool():
            return str(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bytes():
            return f"X'{value.hex()}'"
        case datetime():  # TIMESTAMP '…' has nanoseconds to delta-rs' engine, which overflow before 1677
            return f"'{value.replace(tzinfo=None).isoformat()}{'' if value.tzinfo is None else '+00:00'}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case Decimal():
            return f"CAST('{value:f}' AS DECIMAL({kind.precision}, {kind.scale}))"
        case float():
            return f"CAST('{value!r}' AS DOUBLE)"
    return str(value)


def is_nan(value: Any) -> bool:
    """Tells whether a value is NaN."""
    return isinstance(value, float) and math.isnan(value)


def conditions(rows: pa.Table) -> Iterator[Condition]:
    """Conditions on each column: comparisons with some of its values where it has primitive ones."""
    for field in rows.schema:
        yield Condition(field.name, "is null", None, field.type)
        yield Condition(field.name, "is not null", None, field.type)
        if not pa.types.is_nested(field.type):
            yield from _comparisons(field, rows[field.name].to_pylist())


def _comparisons(field: pa.Field, column: list[Any]) -> Iterator[Condition]:
    # 0.0 and -0.0 are one number to some engines, and two to others.
    zero = {0.0} if pa.types.is_floating(field.type) else set()
    values = sorted({value for value in column if value is not None and not is_nan(value)} - zero)
    for value in dict.fromkeys([*values[:1], *values[len(values) // 2 :][:1], *values[-1:]]):
        yield from (Condition(field.name, operator, value, field.type) for operator in OPERATORS)
    if values:
        yield Condition(field.name, "in", [values[0], values[-1]], field.type)


Way = Callable[[DeltaTable, Condition], pa.Table]


def _by_pandas(table: DeltaTable, condition: Condition) -> pa.Table:
    import pandas as pd

    frame = table.to_pandas(filters=condition.filters(), types_mapper=pd.ArrowDtype)
    return pa.Table.from_pandas(frame, preserve_index=False)


def _by_duckdb(table: DeltaTable, condition: Condition) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET timezone = 'UTC'")
        table.to_duckdb(connection, "made")
        return connection.sql(f"SELECT * FROM made WHERE {condition.sql()}").to_arrow_table()


FILTERED: dict[str, Way] = {
    "scan, SQL": lambda table, condition: table.scan(condition.sql()).read_all(),
    "scan, expression": lambda table, condition: table.scan(condition.expression()).read_all(),
    "to_pyarrow_dataset": lambda table, condition: table.to_pyarrow_dataset().to_table(filter=condition.expression()),
    "to_pyarrow_table": lambda table, condition: table.to_pyarrow_table(filters=condition.expression()),
    "to_pandas": _by_pandas,
    "to_polars": lambda table, condition: table.to_polars().filter(condition.polars()).collect().to_arrow(),
    "to_duckdb": _by_duckdb,
}
"""The ways to read rows that fulfil a condition."""
