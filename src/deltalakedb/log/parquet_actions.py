"""Rows of a checkpoint or sidecar in Parquet → actions.

Source: PROTOCOL.md, "Checkpoint Schema". File actions are taken column by column, since a checkpoint may hold
millions of them; everything else takes the patient way of JSON commits, so that both mean the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Raw

from ..errors import CorruptLogError
from .actions import NO_RAW, Actions, Add, Extra, Only, OtherAction, Remove
from .add_columns import AddColumns
from .json_actions import decode_named

ROWS_PER_PIECE = 10_000

_PARSED = frozenset({"stats_parsed", "partitionValues_parsed"})
_FILE_ACTIONS: dict[str, type[Add] | type[Remove]] = {"add": Add, "remove": Remove}
_NAMED_ACTIONS = ("protocol", "metaData", "txn", "domainMetadata")
_FIRST_DAY, _LAST_DAY = ((day - date(1970, 1, 1)).days for day in (date.min, date.max))
_DAY_US = 86_400_000_000
_MANIFEST = ("checkpointMetadata", "sidecar")
_TYPES = {
    **dict.fromkeys(("path", "stats", "clusteringProvider"), pa.string()),
    **dict.fromkeys(("size", "modificationTime", "deletionTimestamp"), pa.int64()),
    **dict.fromkeys(("baseRowId", "defaultRowCommitVersion"), pa.int64()),
    **dict.fromkeys(("dataChange", "extendedFileMetadata"), pa.bool_()),
}
"""What fields must have, whichever type of text or number a writer chose."""
_encode = msgspec.json.Encoder(decimal_format="number").encode


def decode_checkpoint_rows(
    source: BinaryIO, name: str, *, only: Only | None = None
) -> Iterator[tuple[Actions, list[dict[str, Any]]]]:
    """Yields the actions of a Parquet file, and the sidecars that it names, as plain dictionaries.

    Args:
        source: the opened file; it is read in pieces of ROWS_PER_PIECE rows.
        name: the file's name, for messages.
        only: what is wanted, unless it is all of it; other columns are not read.

    Raises:
        CorruptLogError: not Parquet, cut off, or columns that no checkpoint has.
    """
    with _readable(name), pq.ParquetFile(source) as file:
        for batch in file.iter_batches(ROWS_PER_PIECE, columns=_columns(file, only)):
            yield _actions(batch), _rows(batch, "sidecar")


def decode_sidecar_rows(source: BinaryIO, name: str) -> list[dict[str, Any]]:
    """Returns the sidecars that a Parquet file names, without reading anything else of it.

    Raises:
        CorruptLogError: not Parquet, or cut off.
    """
    with _readable(name), pq.ParquetFile(source) as file:
        if "sidecar" not in file.schema_arrow.names:
            return []
        return [row for batch in file.iter_batches(columns=["sidecar"]) for row in _rows(batch, "sidecar")]


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, msgspec.MsgspecError, OSError, KeyError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise CorruptLogError(
            f"{name}: not a readable checkpoint ({reason})", "Restore the file from a backup."
        ) from error


def _columns(file: pq.ParquetFile, only: Only | None = None) -> list[str]:
    """The columns to read: parsed statistics only where a file's JSON statistics may be missing."""
    if only is Only.KEYS:
        return ["add.path", "add.deletionVector", "sidecar"]  # those that are there
    wanted = []
    for field in file.schema_arrow:
        if only is Only.STATE and field.name in _FILE_ACTIONS:
            continue
        if not pa.types.is_struct(field.type):
            wanted.append(field.name)
            continue
        for child in field.type:
            needed = child.name not in _PARSED or (child.name == "stats_parsed" and _may_lack_stats(file, field.name))
            if needed:
                wanted.append(f"{field.name}.{child.name}")
    return wanted


def _may_lack_stats(file: pq.ParquetFile, action: str) -> bool:
    """Tells, from the footer alone, whether some file of `action` has no JSON statistics."""
    footer = file.metadata
    for group in range(footer.num_row_groups):
        nulls: dict[str, int] = {}
        for column in range(footer.num_columns):
            chunk = footer.row_group(group).column(column)
            if chunk.path_in_schema in (f"{action}.path", f"{action}.stats"):
                known = chunk.statistics is not None and chunk.statistics.has_null_count
                nulls[chunk.path_in_schema] = chunk.statistics.null_count if known else -1
        if len(nulls) < 2 or -1 in nulls.values() or len(set(nulls.values())) > 1:
            return True
    return False


def _actions(batch: pa.RecordBatch) -> Actions:
    actions = Actions()
    for name in batch.schema.names:
        if name == "add":
            actions.adds = AddColumns.of_known(_files(batch.column(name), Add)).by_partition()
        elif name == "remove":
            actions.removes = _removes(_files(batch.column(name), Remove))
        elif name in _NAMED_ACTIONS:
            actions.others += (decode_named(name, _encode(row)) for row in _rows(batch, name))
        elif name not in _MANIFEST:
            actions.others += [OtherAction(name, _encode(row).decode()) for row in _rows(batch, name)]
    return actions


def _rows(batch: pa.RecordBatch, name: str) -> list[Any]:
    """The values of a column that are not null, as JSON would have them."""
    if name not in batch.schema.names:
        return []
    column = _as_text(batch.column(name).drop_null())
    return [plain(value, column.type) for value in _tamed(column).to_pylist()]


def _removes(columns: dict[str, list[Any]]) -> list[Remove]:
    attributes = tuple(columns)
    return [Remove(**dict(zip(attributes, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def _files(column: pa.StructArray, kind: type[Add] | type[Remove]) -> dict[str, list[Any]]:
    """Returns file actions as columns, by the attributes of their kind; nothing where there are none."""
    path = pc.struct_field(column, "path")
    rows = column.filter(path.is_valid())
    if not len(rows):
        return {}
    names = [field.name for field in rows.type]
    children = dict(zip(names, rows.flatten(), strict=True))
    parsed = children.pop("stats_parsed", None)
    known = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    fields = [name for name in names if name in known and name in children]
    values = {known[name]: _values(children.pop(name), _TYPES.get(name)) for name in fields}
    if parsed is not None:
        values["stats"] = _stats(values.get("stats"), parsed)
    if children:
        values["extra"] = _extras(children)
    return values


def _values(column: pa.Array, kind: pa.DataType | None) -> list[Any]:
    if kind is not None:
        return list(column.cast(kind).to_pylist())
    if column.null_count == len(column):
        return [NO_RAW] * len(column)
    column = _as_text(column)
    if pa.types.is_map(column.type):
        return _map_texts(column)
    objects = (plain(value, column.type) for value in column.to_pylist())
    return [Raw(_encode(value)) if value else NO_RAW for value in objects]  # a struct of nulls alone is none


def _map_texts(column: pa.MapArray) -> list[Raw]:
    """Each map as a JSON object; equal maps, as partitions have them, are encoded once."""
    if _has_one_entry_each(column):
        return _one_entry_texts(column)
    texts: dict[Any, Raw] = {}
    result = []
    for pairs in column.to_pylist():
        entries = None if pairs is None else tuple(pairs)
        raw = texts.get(entries)
        if raw is None:
            raw = texts[entries] = NO_RAW if entries is None else Raw(_encode(dict(entries)))
        result.append(raw)
    return result


def _has_one_entry_each(column: pa.MapArray) -> bool:
    kind = column.type
    if column.null_count or not len(column) or not pa.string() == kind.key_type == kind.item_type:
        return False
    lengths = pc.subtract(column.offsets.slice(1), column.offsets.slice(0, len(column)))
    return pc.all(pc.equal(lengths, 1)).as_py() is True


def _one_entry_texts(column: pa.MapArray) -> list[Raw]:
    """As `_map_texts` for maps of one text, as most tables' partitions are: in a tenth of the time."""
    start = column.offsets[0].as_py()
    keys, items = (
        each.slice(start, len(column)).dictionary_encode(null_encoding="encode") for each in (column.keys, column.items)
    )
    names, values = keys.dictionary.to_pylist(), items.dictionary.to_pylist()
    codes = pc.add(pc.multiply(keys.indices.cast(pa.int64()), len(values)), items.indices).dictionary_encode()
    pairs = (divmod(code, len(values)) for code in codes.dictionary.to_pylist())
    texts = [Raw(_encode({names[key]: values[item]})) for key, item in pairs]
    return [texts[at] for at in codes.indices.to_pylist()]


def _stats(texts: list[str | None] | None, parsed: pa.StructArray) -> list[str | None]:
    """JSON statistics, rebuilt from the parsed ones where a file has no others."""
    kind = parsed.type
    rebuilt = [None if value is None else _encode(plain(value, kind)).decode() for value in _tamed(parsed).to_pylist()]
    if texts is None:
        return rebuilt
    return [mine if text is None else text for text, mine in zip(texts, rebuilt, strict=True)]


def _extras(columns: dict[str, pa.Array]) -> list[Extra | None]:
    """The fields that we don't model, as one JSON object a row; None where a row has none of them."""
    names, kinds = list(columns), [column.type for column in columns.values()]
    rows = zip(*(_tamed(column).to_pylist() for column in columns.values()), strict=True)
    extras: list[Extra | None] = []
    for row in rows:
        fields = {
            name: plain(value, kind) for name, kind, value in zip(names, kinds, row, strict=True) if value is not None
        }
        extras.append(Extra(_encode(fields).decode()) if fields else None)
    return extras


def _as_text(column: pa.Array) -> pa.Array:
    """The column with text in place of bytes: some writers don't say that their text is text."""
    kind = _text_type(column.type)
    return column if kind == column.type else column.cast(kind)


def _text_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_text_type(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_text_type(kind.value_type)))
    if pa.types.is_map(kind):
        return pa.map_(_text_type(kind.key_type), _text_type(kind.item_type))
    return kind


def _tamed(column: pa.Array) -> pa.Array:
    """The column with null for times that Python doesn't know (before the year 1, after 9999), in microseconds."""
    kind = column.type
    if pa.types.is_struct(kind):
        children = [_tamed(child) for child in column.flatten()]
        return pa.StructArray.from_arrays(children, [field.name for field in kind], mask=column.is_null())
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
        return _within(column, column.view(pa.int64()), _FIRST_DAY * _DAY_US, (_LAST_DAY + 1) * _DAY_US)
    if pa.types.is_date32(kind):
        return _within(column, column.view(pa.int32()), _FIRST_DAY, _LAST_DAY + 1)
    return column


def _within(column: pa.Array, numbers: pa.Array, start: int, stop: int) -> pa.Array:
    known = pc.and_(pc.greater_equal(numbers, start), pc.less(numbers, stop))
    return pc.if_else(known, column, pa.scalar(None, column.type))


def plain(value: Any, kind: pa.DataType) -> Any:
    """Returns an Arrow value as the JSON that a commit would have for it: maps as objects, no null fields."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {f.name: plain(value[f.name], f.type) for f in kind if value[f.name] is not None}
    if pa.types.is_map(kind):
        return {str(key): plain(item, kind.item_type) for key, item in value}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [plain(item, kind.value_type) for item in value]
    return value
