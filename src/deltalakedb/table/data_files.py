"""Whether data files name their columns as the log says (PROTOCOL.md, "Column Mapping").

An engine gives NULL for a column that a file does not have. That is right where the column came later, and wrong where
the file has it under another name. So the files of tables that have a mapping of columns, in force or not, are looked
into before they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from ..catalog.snapshot import Snapshot
from ..columns import column_mapping
from ..errors import StorageError
from ..log.store import open_store
from .exceptions import ReadError
from .opened import Opened

_MODE = "delta.columnMapping.mode"
_ID, _NAME = "delta.columnMapping.id", "delta.columnMapping.physicalName"
_AT_ONCE = 16

Field = dict[str, Any]
"""A field of a schema, as its JSON has it."""


def checked(
    opened: Opened,
    snapshot: Snapshot,
    files: Iterable[tuple[Any, ...]],
    storage_options: Mapping[str, str] | None = None,
) -> Iterator[tuple[Any, ...]]:
    """Yields files, which begin with their paths, when their columns are known to have the names that are looked for.

    Raises:
        ReadError: a file has a column under another name.
    """
    if opened.configuration.get(_MODE, "none") == "none":
        yield from files
        return
    check, rest = _Check.of(opened, snapshot), iter(files)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while group := list(islice(rest, _AT_ONCE)):
            schemas = pool.map(lambda file: _schema(opened, file[0], storage_options), group)
            for (path, *_), schema in zip(group, schemas, strict=True):
                check.file(path, schema)
            yield from group


def _schema(opened: Opened, path: str, storage_options: Mapping[str, str] | None) -> pa.Schema:
    """Returns a data file's columns; none where it can't be read, which the engine says itself."""
    folder, _, name = opened.root.file(path).rpartition("/")
    try:
        with open_store(folder or "/", storage_options).open(name) as source:
            return pq.read_schema(source)
    except (StorageError, OSError, pa.ArrowException):
        return pa.schema([])


@dataclass(frozen=True, slots=True)
class _Check:
    """Compares the columns of files with those of the table.

    Attributes:
        mode: of column mapping; None where it is not in force.
        fields: the columns that are in data files.
        known: every name that a column has had in data files: a file may have columns that the table has dropped.
    """

    mode: str | None
    fields: Sequence[Field]
    known: frozenset[str]

    @classmethod
    def of(cls, opened: Opened, snapshot: Snapshot) -> _Check:
        """Returns the check for a version of a table."""
        partitions, mode = frozenset(opened.partition_columns), opened.column_mapping
        fields = [field for field in _fields(opened.schema_string) if field["name"] not in partitions]
        known = set[str]()
        for row in snapshot.all_metadata():
            configuration = msgspec.json.decode(row.configuration or "{}")
            known.update(_stored_names(_fields(row.schema_string), column_mapping(configuration, opened.protocol)))
        return cls(mode, fields, frozenset(known))

    def file(self, path: str, schema: pa.Schema) -> None:
        """Raises ReadError where a file has a column under another name than the log says."""
        self._fields(path, self.fields, {field.name: field for field in schema}, ())

    def _fields(
        self, path: str, fields: Sequence[Field], there: Mapping[str, pa.Field], above: tuple[str, ...]
    ) -> None:
        for field in fields:
            names, stored = (*above, field["name"]), _stored_name(field, self.mode)
            other = self._misnomer(field, stored, there)
            if other is not None:
                raise self._error(path, ".".join(names), stored, other)
            if stored in there:
                for inner, inside in _nested(field["type"], there[stored].type):
                    self._fields(path, inner, inside, names)

    def _error(self, path: str, name: str, stored: str, other: str) -> ReadError:
        by_id = "Columns are found by their names in data files, not by their ids."
        unaware = "The file was written without regard to the table's column mapping."
        return ReadError(
            f"Can't read {path}: it has column {name!r} under the name {other!r}, not {stored!r}",
            by_id if self.mode == "id" else unaware,
        )

    def _misnomer(self, field: Field, stored: str, there: Mapping[str, pa.Field]) -> str | None:
        """Returns what a file calls a column that it has under another name."""
        known = field.get("metadata") or {}
        if self.mode == "id" and _ID in known:
            by_id = next((name for name, each in there.items() if _id_of(each) == str(known[_ID])), stored)
            if by_id != stored:
                return by_id
        if stored in there:
            return None
        alike = {name.lower() for name in (field["name"], stored, str(known.get(_NAME, stored)))}
        return next((name for name in there if name.lower() in alike and name not in self.known), None)


def _fields(schema_string: str | None) -> list[Field]:
    fields: list[Field] = msgspec.json.decode(schema_string or '{"fields":[]}')["fields"]
    return fields


def _stored_name(field: Field, mode: str | None) -> str:
    name: str = field["name"]
    return name if mode is None else (field.get("metadata") or {}).get(_NAME, name)


def _stored_names(fields: Sequence[Field], mode: str | None) -> Iterator[str]:
    for field in fields:
        yield _stored_name(field, mode)
        for inner in _structs_in(field["type"]):
            yield from _stored_names(inner, mode)


def _structs_in(kind: Any) -> Iterator[list[Field]]:
    """Yields the fields of a struct, or of those in a list or a map."""
    if isinstance(kind, dict):
        if kind["type"] == "struct":
            yield kind["fields"]
        for part in ("elementType", "keyType", "valueType"):
            yield from _structs_in(kind.get(part))


def _nested(kind: Any, there: pa.DataType) -> Iterator[tuple[list[Field], dict[str, pa.Field]]]:
    """Yields the fields within a column, each struct's beside those that the file has."""
    if not isinstance(kind, dict):
        return
    if kind["type"] == "struct" and pa.types.is_struct(there):
        yield kind["fields"], {field.name: field for field in there}
    elif kind["type"] == "array" and pa.types.is_list(there):
        yield from _nested(kind["elementType"], there.value_type)
    elif kind["type"] == "map" and pa.types.is_map(there):
        yield from _nested(kind["keyType"], there.key_type)
        yield from _nested(kind["valueType"], there.item_type)


def _id_of(field: pa.Field) -> str | None:
    raw = (field.metadata or {}).get(b"PARQUET:field_id")
    return None if raw is None else raw.decode()
