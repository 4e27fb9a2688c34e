"""A table's columns, as its metadata has them (PROTOCOL.md, "Schema Serialization Format" and "Column Mapping")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache, cached_property
from typing import Any, TypeAlias

import msgspec

from .errors import ArgumentError, CorruptLogError
from .rows import MetadataRow, ProtocolRow

Value: TypeAlias = "int | float | Decimal | str | bool | bytes | date | datetime"
"""A value of a column's type: times of `timestamp` columns are in UTC, those of `timestamp_ntz` have no zone."""


class Family(StrEnum):
    """Kinds of columns that compare in the same way."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    DOUBLE = "double"
    STRING = "string"
    BOOLEAN = "boolean"
    BINARY = "binary"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMP_NTZ = "timestamp_ntz"
    OTHER = "other"


_FAMILIES = {
    "byte": Family.INTEGER,
    "short": Family.INTEGER,
    "integer": Family.INTEGER,
    "long": Family.INTEGER,
    "float": Family.FLOAT,
    "double": Family.DOUBLE,
    "string": Family.STRING,
    "boolean": Family.BOOLEAN,
    "binary": Family.BINARY,
    "date": Family.DATE,
    "timestamp": Family.TIMESTAMP,
    "timestamp_ntz": Family.TIMESTAMP_NTZ,
}
_DECIMAL = re.compile(r"decimal\(\s*(\d+)\s*,\s*(-?\d+)\s*\)")
_TEXT = re.compile(r"(char|varchar)\(\s*\d+\s*\)")
_COLLATIONS = "__COLLATIONS"
_SPARK_TYPE = "__CHAR_VARCHAR_TYPE_STRING"
_PHYSICAL = "delta.columnMapping.physicalName"
_MODE = "delta.columnMapping.mode"
_FEATURE = "columnMapping"
_TYPE_CHANGES = "delta.typeChanges"
_NESTED = frozenset({"struct", "array", "map", "variant"})


def column_mapping(configuration: Mapping[str, str], protocol: ProtocolRow) -> str | None:
    """Returns the mode of column mapping, `name` or `id`; None where data files have the schema's own names.

    The property alone maps nothing: the protocol must know of it, by its versions or by the feature in either of its
    lists (PROTOCOL.md, "Column Mapping"). Spark leaves it out of `readerFeatures` where a property raised the reader's
    version.

    Args:
        configuration: the table's properties.
        protocol: the protocol that holds beside them.
    """
    mode = str(configuration.get(_MODE, "none")).lower()
    return mode if mode in ("name", "id") and _knows_mapping(protocol) else None


def _knows_mapping(protocol: ProtocolRow) -> bool:
    if _FEATURE in protocol.features:
        return True
    return protocol.min_reader_version == 2 and 5 <= protocol.min_writer_version < 7


@dataclass(frozen=True, slots=True)
class Column:
    """A column, or a field of a struct column.

    Attributes:
        path: its logical names, from the top: `("address", "city")`.
        kind: its Delta type: a primitive's name (`long`, `decimal(10,2)`, …), or `struct`, `array`, `map`.
        physical: the names that statistics, partition values and data files use instead.
        partition: whether it is a partition column.
        collated: whether its strings compare in another way than by their bytes: by a collation, or, as those of
            Spark's `char(10)`, without the blanks at their end.
        was_float: whether it is a double that was a float before (PROTOCOL.md, "Type Widening"): statistics of that
            time have the digits of 32 bits.
    """

    path: tuple[str, ...]
    kind: str
    physical: tuple[str, ...]
    partition: bool = False
    collated: bool = False
    was_float: bool = False

    @property
    def name(self) -> str:
        """The name in dotted form, for people."""
        return ".".join(self.path)

    @property
    def family(self) -> Family:
        """How its values compare."""
        return family_of(self.kind)

    @property
    def bounds_family(self) -> Family:
        """How its bounds in statistics are written: a column that was one of floats has bounds of that time, too."""
        return Family.FLOAT if self.was_float else self.family

    @property
    def is_primitive(self) -> bool:
        """Whether it has values of its own, not members or elements."""
        return self.kind not in _NESTED

    @property
    def precision(self) -> int:
        """How many digits a decimal column's values have at most; 38, the protocol's most, for any other column."""
        found = _DECIMAL.fullmatch(self.kind)
        return int(found[1]) if found else 38

    @property
    def scale(self) -> int:
        """How many of them are behind the point; 0 for any column that is no decimal."""
        found = _DECIMAL.fullmatch(self.kind)
        return int(found[2]) if found else 0


@cache
def family_of(kind: str) -> Family:
    """Returns how the values of a Delta type compare."""
    if _DECIMAL.fullmatch(kind):
        return Family.DECIMAL
    return Family.STRING if _TEXT.fullmatch(kind) else _FAMILIES.get(kind, Family.OTHER)


@dataclass(frozen=True)
class TableSchema:
    """The columns of one version of a table, those within structs included, in the schema's order."""

    columns: tuple[Column, ...]
    partition_columns: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, metadata: MetadataRow, protocol: ProtocolRow) -> TableSchema:
        """Returns the columns of a metaData action; the protocol is the one that holds beside it.

        Raises:
            CorruptLogError: the schema can't be read.
        """
        if metadata.schema_string is None:
            raise CorruptLogError(f"The metadata of version {metadata.version} has no schemaString: no column is known")
        try:
            schema = msgspec.json.decode(metadata.schema_string)
            partitions = tuple(msgspec.json.decode(metadata.partition_columns or "[]"))
            configuration = msgspec.json.decode(metadata.configuration or "{}")
            mapped = column_mapping(configuration, protocol) is not None
            columns = tuple(_columns(schema["fields"], (), (), frozenset(partitions), mapped=mapped))
        except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CorruptLogError(f"The schema of version {metadata.version} can't be read: {error}") from error
        return cls(columns, partitions)

    def column(self, path: str | tuple[str, ...]) -> Column:
        """Returns a column by its dotted name or its path; names match letter by letter, as in delta-rs.

        A top-level name that has dots itself goes before the field of a struct.

        Raises:
            ArgumentError: there is none; the message names it.
        """
        wanted = (path,) if isinstance(path, str) else path
        found = self._by_path.get(wanted)
        if found is None and isinstance(path, str):
            found = self._by_path.get(tuple(path.split(".")))
        if found is None:
            raise ArgumentError(f"There is no column {'.'.join(wanted)!r}", self._hint(wanted))
        return found

    @cached_property
    def _by_path(self) -> dict[tuple[str, ...], Column]:
        return {column.path: column for column in self.columns}

    def _hint(self, wanted: tuple[str, ...]) -> str:
        name = ".".join(wanted)
        for column in self.columns:
            if column.name.lower() == name.lower():
                return f"Names of columns are case-sensitive: did you mean {column.name!r}?"
        shown = [column.name for column in self.columns[:20]]
        return f"There are {', '.join(shown)}{', …' if len(self.columns) > len(shown) else ''}."


def _columns(
    fields: list[dict[str, Any]],
    above: tuple[str, ...],
    physical_above: tuple[str, ...],
    partitions: frozenset[str],
    *,
    mapped: bool,
) -> Iterator[Column]:
    for each in fields:
        name, kind = each["name"], each["type"]
        known = each.get("metadata") or {}
        path = (*above, name)
        physical = (*physical_above, known.get(_PHYSICAL, name) if mapped else name)
        partition = not above and name in partitions
        if isinstance(kind, str):
            collated = _COLLATIONS in known or _is_padded(kind, known)
            yield Column(path, kind, physical, partition, collated, _was_float(known))
            continue
        yield Column(path, kind["type"], physical, partition)
        if kind["type"] == "struct":
            yield from _columns(kind["fields"], path, physical, partitions, mapped=mapped)


def _is_padded(kind: str, known: dict[str, Any]) -> bool:
    return kind.startswith("char") or str(known.get(_SPARK_TYPE, "")).startswith("char")


def _was_float(known: dict[str, Any]) -> bool:
    return any(change.get("fromType") == "float" for change in known.get(_TYPE_CHANGES) or ())
