"""File actions → rows of `delta_files`."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw

from ..log.actions import Add, Int64, Remove, deletion_vector_id, file_key, optional_text
from ..rows import FileLifetime
from .ends import End

_encode = msgspec.json.encode


class _Stats(msgspec.Struct):
    numRecords: Int64 | None = None  # noqa: N815 (the log's own name)


_decode_stats = msgspec.json.Decoder(_Stats, strict=False).decode


def num_records(stats: str | None) -> int | None:
    """Returns `numRecords` of a file's statistics; None where there are none, or none that can be read."""
    if stats is None:
        return None
    try:
        return _decode_stats(stats).numRecords
    except (msgspec.MsgspecError, RecursionError):
        return None


def key_hash(key: bytes) -> int:
    """Returns the part of a file key that the database indexes: 64 bits, signed. Every hit is confirmed in full."""
    return int.from_bytes(key[:8], "little", signed=True)


@lru_cache(maxsize=10_000)
def partition_key(partition_values: str) -> int | None:
    """Returns what stands for partition values in an index: 64 bits of their text's hash, signed; None for none."""
    if partition_values == "{}":
        return None
    return int.from_bytes(blake2b(partition_values.encode(), digest_size=8).digest(), "little", signed=True)


def lifetime(add: Add, dv_id: str | None, key: bytes, version: int, end: End | None = None) -> FileLifetime:
    """Returns the row of a file added at `version`, and ended by `end` where that is known."""
    partition_values = optional_text(add.partition_values) or "{}"
    file = FileLifetime(
        add.path,
        version,
        None if end is None else end.version,
        add.size,
        add.modification_time,
        add.data_change,
        num_records(add.stats),
        add.base_row_id,
        add.default_row_commit_version,
        add.clustering_provider,
        None,
        partition_values,
        add.stats,
        None if dv_id is None else optional_text(add.deletion_vector),
        dv_id,
        optional_text(add.tags),
        add.extra,
        None,
        key_hash(key),
        partition_key(partition_values),
    )
    return file if end is None or end.remove is None else removed(file, end.version, end.remove)


def removed(file: FileLifetime, version: int, remove: Remove) -> FileLifetime:
    """Returns a file's row as `remove` leaves it."""
    return file._replace(
        removed_version=version, deletion_timestamp=remove.deletion_timestamp, removal=_removal(remove, file)
    )


def tombstone(remove: Remove, version: int) -> FileLifetime:
    """Returns the row of a remove, at `version` or before, whose file the log doesn't add."""
    dv_id = deletion_vector_id(remove.deletion_vector)
    partition_values = optional_text(remove.partition_values) or "{}"
    file = FileLifetime(
        remove.path,
        None,
        version,
        remove.size,
        None,
        None,
        num_records(remove.stats),
        remove.base_row_id,
        remove.default_row_commit_version,
        None,
        None,
        partition_values,
        remove.stats,
        None if dv_id is None else optional_text(remove.deletion_vector),
        dv_id,
        optional_text(remove.tags),
        None,
        None,
        key_hash(file_key(remove.path, dv_id)),
        partition_key(partition_values),
    )
    return removed(file, version, remove)


_SHARED_JSON = (("partitionValues", "partition_values"), ("tags", "tags"), ("deletionVector", "deletion_vector"))
_SHARED = (
    ("size", "size"),
    ("stats", "stats"),
    ("baseRowId", "base_row_id"),
    ("defaultRowCommitVersion", "default_row_commit_version"),
)
_OWN = (("dataChange", "data_change"), ("extendedFileMetadata", "extended_file_metadata"))


def _removal(remove: Remove, file: FileLifetime) -> str:
    """What a remove says beyond its file's row: its own fields, and which of the file's it repeats."""
    fields: dict[str, Any] = {name: v for name, attribute in _OWN if (v := getattr(remove, attribute)) is not None}
    same: list[str] = []
    for name, attribute in _SHARED_JSON:
        text = optional_text(getattr(remove, attribute))
        if text is not None:
            if text == getattr(file, attribute):
                same.append(name)
            else:
                fields[name] = Raw(text)
    for name, attribute in _SHARED:
        value = getattr(remove, attribute)
        if value is not None:
            if value == getattr(file, attribute):
                same.append(name)
            else:
                fields[name] = value
    removal: dict[str, Any] = {"fields": fields, "same": same}
    if remove.extra is not None:
        removal["extra"] = Raw(str(remove.extra))  # Raw takes no subclass of str
    return _encode(removal).decode()
