"""The state of a version → a classic checkpoint in Parquet.

Source: PROTOCOL.md, "Checkpoints" and "Checkpoint Schema". Where the table has the feature v2Checkpoint, a checkpoint
of the classic name may have the classic content, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache, reduce
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from ..catalog.gaps import gaps_of
from ..catalog.registry import now
from ..catalog.schema import delta_files
from ..catalog.snapshot import Snapshot
from ..errors import CatalogError
from ..log.interval import interval_ms
from .export_actions import Action, Paths, add_action, named_action, relocated, remove_action

_ACTIONS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_ROWS_PER_GROUP = 20_000
_WEEK_MS = 7 * 86_400_000
_T = TypeVar("_T")

_TEXT, _LONG, _INT, _FLAG = pa.string(), pa.int64(), pa.int32(), pa.bool_()
_MAP, _LIST = pa.map_(_TEXT, _TEXT), pa.list_(_TEXT)


def _struct(**fields: pa.DataType) -> pa.StructType:
    return pa.struct(list(fields.items()))


_VECTOR = _struct(storageType=_TEXT, pathOrInlineDv=_TEXT, offset=_INT, sizeInBytes=_INT, cardinality=_LONG)
_FILE = {
    "path": _TEXT,
    "partitionValues": _MAP,
    "size": _LONG,
    "dataChange": _FLAG,
    "stats": _TEXT,
    "tags": _MAP,
    "deletionVector": _VECTOR,
    "baseRowId": _LONG,
    "defaultRowCommitVersion": _LONG,
}
_TYPES: dict[str, pa.StructType] = {
    "protocol": _struct(minReaderVersion=_INT, minWriterVersion=_INT, readerFeatures=_LIST, writerFeatures=_LIST),
    "metaData": _struct(
        id=_TEXT,
        name=_TEXT,
        description=_TEXT,
        format=_struct(provider=_TEXT, options=_MAP),
        schemaString=_TEXT,
        partitionColumns=_LIST,
        configuration=_MAP,
        createdTime=_LONG,
    ),
    "txn": _struct(appId=_TEXT, version=_LONG, lastUpdated=_LONG),
    "domainMetadata": _struct(domain=_TEXT, configuration=_TEXT, removed=_FLAG),
    "add": _struct(**_FILE, modificationTime=_LONG, clusteringProvider=_TEXT),
    "remove": _struct(**_FILE, deletionTimestamp=_LONG, extendedFileMetadata=_FLAG),
}

_TYPES_OF_FIELDS = {(field.name, field.type) for kind in _TYPES.values() for field in kind}


class Checkpoint(NamedTuple):
    """A checkpoint that was written: its file, and what `_last_checkpoint` says of it."""

    path: Path
    version: int
    actions: int
    adds: int


def write_checkpoint(snapshot: Snapshot, folder: Path, paths: Paths | None, *, whole: bool) -> Checkpoint:
    """Writes the checkpoint of a version into a log's folder.

    Args:
        snapshot: the version.
        folder: the log's folder.
        paths: what stands for the files' paths.
        whole: whether no history before it is left, so that expired tombstones and what we don't know are kept, too.
    """
    state = _State(snapshot, paths, _unknown(snapshot) if whole else [], None if whole else _horizon(snapshot))
    path = folder / f"{snapshot.version:020d}.checkpoint.parquet"
    count = adds = 0
    schema = state.schema()
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for chunk in _chunks(state.actions()):
            # Not write_batch, which keeps a million rows in memory before it writes a row group.
            writer.write_table(pa.Table.from_batches([_batch(chunk, schema)]))
            count += len(chunk)
            adds += sum("add" in action for action in chunk)
    return Checkpoint(path, snapshot.version, count, adds)


def last_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Returns the content of `_last_checkpoint` (PROTOCOL.md, "Last Checkpoint File")."""
    size = checkpoint.path.stat().st_size
    return msgspec.json.encode(
        {
            "version": checkpoint.version,
            "size": checkpoint.actions,
            "sizeInBytes": size,
            "numOfAddFiles": checkpoint.adds,
        }
    )


class _State(NamedTuple):
    """What a checkpoint holds. Tombstones before `since_ms` are left out."""

    snapshot: Snapshot
    paths: Paths | None
    unknown: list[Action]
    since_ms: float | None

    def actions(self) -> Iterator[Action]:
        """Yields its actions; in a piece of the log each has a row of its own."""
        yield from self._named()
        yield from self.unknown
        yield from (add_action(relocated(file, self.paths)) for file in self.snapshot.files())
        yield from (remove_action(relocated(file, self.paths)) for file in self.snapshot.removals(self.since_ms))

    def schema(self) -> pa.Schema:
        """Returns the columns that the actions need: the protocol's, and for what we don't know as it comes."""
        found: dict[str, pa.DataType] = dict(_TYPES)
        for chunk in _chunks(self._with_unknown_fields()):
            for action in chunk:
                ((name, body),) = action.items()
                found[name] = _widened(found.get(name), _plain(body))
        return pa.schema(found)

    def _named(self) -> Iterator[Action]:
        state = self.snapshot
        once = (row for row in (state.protocol(), state.metadata()) if row is not None)
        yield from map(named_action, (*once, *state.transactions(), *state.domain_metadata()))

    def _with_unknown_fields(self) -> Iterator[Action]:
        yield from self._named()
        yield from self.unknown
        yield from map(add_action, self.snapshot.files(delta_files.c.extra.is_not(None)))
        yield from map(remove_action, self.snapshot.removals(self.since_ms))


def _unknown(snapshot: Snapshot) -> list[Action]:
    """The actions that the checkpoint had by which the catalog came to this version, and that we don't model."""
    kept = {gap.floor: gap.checkpoint_actions for gap in gaps_of(snapshot.entry)}
    text = kept.get(snapshot.version, snapshot.entry.checkpoint_actions)
    return [] if text is None else _ACTIONS.decode(text)


def _horizon(snapshot: Snapshot) -> float:
    """The time before which tombstones have expired (PROTOCOL.md, "Add File and Remove File")."""
    metadata = snapshot.metadata()
    configuration = msgspec.json.decode((metadata.configuration if metadata else None) or "{}")
    kept = interval_ms(str(configuration.get("delta.deletedFileRetentionDuration", "")))
    return now().timestamp() * 1000 - (_WEEK_MS if kept is None else kept)


# ---- actions → Parquet


def _widened(kind: pa.DataType | None, body: Any) -> pa.DataType:
    """The type with what it lacks for a value: fields that we don't know have no other type than their values'."""
    if kind is None or not isinstance(body, dict) or not pa.types.is_struct(kind):
        return _inferred(body) if kind is None else _merged(kind, _inferred(body))
    known = _TYPES_OF_FIELDS
    fields = {field.name: field.type for field in kind}
    for name, value in body.items():
        if value is not None and (name not in fields or (name, fields[name]) not in known):
            fields[name] = _inferred(value) if name not in fields else _merged(fields[name], _inferred(value))
    return _struct(**fields)


def _inferred(value: Any) -> pa.DataType:
    if isinstance(value, dict):
        # A struct without fields can't be written; a map can be empty.
        if all(isinstance(item, str) for item in value.values()):
            return _MAP
        return _struct(**{name: _inferred(item) for name, item in value.items()})
    if isinstance(value, list):
        return pa.list_(reduce(_merged, map(_inferred, value))) if value else _LIST
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return _TEXT
    kind = pa.scalar(value).type
    return _TEXT if pa.types.is_null(kind) else kind


def _merged(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type that holds values of both; of what has no type in common, the JSON."""
    if one == other:
        return one
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields = {field.name: field.type for field in one}
        for field in other:
            fields[field.name] = _merged(fields.get(field.name, field.type), field.type)
        return _struct(**fields)
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(_merged(one.value_type, other.value_type))
    numbers = {pa.int64(), pa.float64()}
    return pa.float64() if {one, other} == numbers else _TEXT


def _batch(actions: list[Action], schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        values = [_fit(_plain(action[field.name]), field.type) if field.name in action else None for action in actions]
        try:
            columns.append(pa.array(values, field.type))
        except (pa.ArrowException, OverflowError, TypeError) as error:
            raise CatalogError(f"A {field.name} action in SQL doesn't fit a checkpoint: {error}") from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _plain(body: Any) -> Any:
    """An action's fields with nested JSON decoded."""
    if isinstance(body, dict):
        return {name: _plain(value) for name, value in body.items()}
    return _decoded(bytes(body)) if isinstance(body, msgspec.Raw) else body


@lru_cache(maxsize=10_000)
def _decoded(text: bytes) -> Any:
    """Partition values come again and again; nothing changes what is returned. What can't be had is left as text."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return text.decode()


def _fit(value: Any, kind: pa.DataType) -> Any:
    """The value in the form that pyarrow takes for a type."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return [(key, _text(item)) for key, item in value.items()] if isinstance(value, dict) else None
    if pa.types.is_struct(kind):
        return {field.name: _fit(value.get(field.name), field.type) for field in kind}
    if pa.types.is_list(kind):
        return [_fit(item, kind.value_type) for item in value]
    return _text(value) if pa.types.is_string(kind) else value


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _ROWS_PER_GROUP)):
        yield chunk
