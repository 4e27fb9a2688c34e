"""A version of a table, or the files of it that a query needs → a log of one commit that an engine opens.

delta-rs applies deletion vectors and column mapping itself, but opens nothing without a log. So it gets one, in a
folder of its own, whose paths are absolute URLs. It reads the log when it opens it; afterwards the folder is gone.

Left out is what could stand in the way or mislead: statistics (files were picked before), table properties, and
features that only matter for the log. Columns that only type widening would explain are cast by the engine.
"""

from __future__ import annotations

import json
import tempfile
from base64 import b85decode
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from ..columns import Column
from ..errors import CorruptLogError
from ..partition_values import PartitionValueError, spell, values_of
from .exceptions import UnsupportedTableError
from .features import ROW_FEATURES
from .listing import partition_columns, unreadable
from .locations import Root, url_of
from .opened import Opened

if TYPE_CHECKING:
    import deltalake

COLUMNS = ("path", "partition_values", "size", "num_records", "deletion_vector")
"""What `delta_table` wants to know of a file, in this order; more than that doesn't matter."""

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_TO_B85 = str.maketrans(_Z85, _B85)
_UUID_LETTERS = 20

_KEPT_PROPERTIES = ("delta.dataSkippingNumIndexedCols", "delta.dataSkippingStatsColumns")
"""Properties on which the types of a listing depend."""


def delta_table(
    opened: Opened, files: Iterable[tuple[Any, ...]], storage_options: dict[str, str] | None = None
) -> deltalake.DeltaTable:
    """Returns a table of delta-rs with the version's schema, and with `files`, whose fields begin as COLUMNS.

    Raises:
        UnsupportedTableError: delta-rs can't have such a table.
    """
    import deltalake

    with tempfile.TemporaryDirectory(prefix="deltalakedb-") as folder:
        log = Path(folder, "_delta_log")
        log.mkdir()
        with (log / f"{0:020}.json").open("w", encoding="utf-8", errors="surrogatepass") as commit:
            commit.writelines(_head(opened))
            commit.writelines(_adds(opened, files))
        try:
            return deltalake.DeltaTable(folder, storage_options=storage_options)
        except deltalake.exceptions.DeltaError as error:
            reason = str(error).partition("\n")[0]
            raise UnsupportedTableError(f"delta-rs can't read {opened.entry.table_id!r}: {reason}") from error


def _head(opened: Opened) -> Iterator[str]:
    features = sorted(ROW_FEATURES - {"variantType-preview"})  # a table may have one or the other
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": features,
        "writerFeatures": features,
    }
    configuration = {name: value for name in _KEPT_PROPERTIES if (value := opened.configuration.get(name)) is not None}
    if opened.column_mapping is not None:
        configuration["delta.columnMapping.mode"] = opened.column_mapping
    metadata = {
        "id": opened.metadata.id or "",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": opened.schema_string,
        "partitionColumns": opened.partition_columns,
        "configuration": configuration,
        "createdTime": 0,
    }
    yield json.dumps({"protocol": protocol}) + "\n"
    yield json.dumps({"metaData": metadata}) + "\n"


def _adds(opened: Opened, files: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    # Text put together by hand: for 100,000 files json.dumps took 0.75 s, this 0.2 s.
    root, columns, known = opened.root, partition_columns(opened), dict[str, str]()
    for path, partition_values, size, records, vector, *_ in files:
        deleted = "" if vector is None else _deleted(root, vector, records)
        values = known.get(partition_values)
        if values is None:
            values = known[partition_values] = _spelled(partition_values, columns, path)
        yield (
            f'{{"add":{{"path":{json.dumps(root.url(path))},"partitionValues":{values},"size":{size or 0},'
            f'"modificationTime":0,"dataChange":true{deleted}}}}}\n'
        )


def _spelled(partition_values: str, columns: Sequence[Column], path: str) -> str:
    """Returns partition values in the spellings that the engine reads; it gives up on some that Spark writes."""
    try:
        values = values_of(partition_values, columns)
    except PartitionValueError as error:
        raise unreadable(path, error) from error
    named = {one.physical[0]: spell(value, one) for one, value in zip(columns, values, strict=True)}
    return json.dumps(named, ensure_ascii=False)  # delta-rs reads some escapes as other letters


def _deleted(root: Root, vector: str, records: int | None) -> str:
    # The number of rows is what a selection vector's length comes from.
    stats = "" if records is None else f',"stats":"{{\\"numRecords\\":{records}}}"'
    return f',"deletionVector":{absolute_vector(root, vector)}{stats}'


def absolute_vector(root: Root, text: str) -> str:
    """Returns a deletion vector's descriptor whose file can be found from anywhere.

    PROTOCOL.md, "Deletion Vector Descriptor Schema": `u` names a file below the table's folder, by a prefix and a
    UUID in Z85; `p` is an absolute path, `i` is the vector itself.
    """
    vector: dict[str, Any] = msgspec.json.decode(text)
    where = vector["pathOrInlineDv"]
    if vector["storageType"] == "u":
        prefix, name = where[:-_UUID_LETTERS], where[-_UUID_LETTERS:]
        vector |= {"storageType": "p", "pathOrInlineDv": url_of(root.vector(prefix, _uuid(name)))}
    elif vector["storageType"] == "p":
        vector["pathOrInlineDv"] = root.url(where)
    return msgspec.json.encode(vector).decode()


def _uuid(text: str) -> UUID:
    try:
        return UUID(bytes=b85decode(text.translate(_TO_B85)))
    except ValueError as error:
        raise CorruptLogError(f"A deletion vector's file has no UUID in Z85: {text!r}") from error
