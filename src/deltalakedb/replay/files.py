"""File actions → rows of `delta_files`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw

from ..errors import CorruptLogError
from ..log.actions import (
    NO_RAW,
    Add,
    Int64,
    Remove,
    check_texts,
    deletion_vector_id,
    file_key,
    optional_text,
    plain_text,
)
from ..log.add_columns import AddColumns
from ..rows import FileLifetime, Files
from .ends import End, Ends
from .state import CommitState

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


def key_hashes(keys: Sequence[bytes]) -> list[int]:
    """Returns the `key_hash` of each key."""
    return list(struct.unpack(f"<{'q8x' * len(keys)}", b"".join(keys)))


def partition_key(partition_values: str) -> int | None:
    """Returns what stands for partition values in an index: 64 bits of their text's hash, signed; None for none."""
    return _partition(partition_values.encode())[1]


def check_partition(action: Add | Remove) -> None:
    """Raises msgspec.MsgspecError where an action's partition values are no map of texts."""
    _partition(bytes(action.partition_values))


@lru_cache(maxsize=10_000)
def _partition(partition_values: bytes) -> tuple[str, int | None]:
    """Returns partition values as text, and their key; files share both, as most of a commit's share a partition.

    Raises:
        msgspec.MsgspecError: they are no map of texts.
    """
    if partition_values in _NO_PARTITION:
        return "{}", None
    check_texts("partitionValues", partition_values)
    key = int.from_bytes(blake2b(partition_values, digest_size=8).digest(), "little", signed=True)
    return partition_values.decode(), key


_NO_PARTITION = (b"", b"null", b"{}")


def lifetimes(adds: AddColumns, keys: Sequence[bytes], version: int, own: bool | None = None) -> Files:
    """Returns the rows of files added at `version`, which nothing ends; raises msgspec.MsgspecError as `_partition`.

    `own` is their `own_add`.

    Column by column, and the lists of the adds become those of the rows: importing a million files spends a good part
    of its time here.
    """
    count = len(adds)
    partitions = [_partition(bytes(values)) for values in adds.partition_values]
    vector_ids = _optional(adds.deletion_vector, deletion_vector_id)
    return Files.of_columns(
        adds.path,
        [version] * count,
        [None] * count,
        adds.size,
        adds.modification_time,
        adds.data_change,
        _numbers_of_records(adds.stats),
        adds.base_row_id,
        adds.default_row_commit_version,
        adds.clustering_provider,
        [None] * count,
        [values for values, _ in partitions],
        adds.stats,
        [None if of is None else optional_text(raw) for of, raw in zip(vector_ids, adds.deletion_vector, strict=True)],
        vector_ids,
        _optional(adds.tags, optional_text),
        [None if extra is None else plain_text(extra) for extra in adds.extra],
        [None] * count,
        key_hashes(keys),
        [key for _, key in partitions],
        [own] * count,
        [None] * count,
    )


def _optional(raws: list[Raw], decode: Callable[[Raw], str | None]) -> list[str | None]:
    """Decodes what is there; mostly nothing is."""
    if raws.count(NO_RAW) == len(raws):
        return [None] * len(raws)
    return [None if raw is NO_RAW else decode(raw) for raw in raws]


def _numbers_of_records(stats: list[str | None]) -> list[int | None]:
    try:
        return [told.numRecords for told in map(_decode_stats, stats)]  # type: ignore[arg-type]
    except (msgspec.MsgspecError, RecursionError, TypeError):
        return [num_records(each) for each in stats]


def lifetime(add: Add, key: bytes, version: int, own: bool | None = None) -> FileLifetime:
    """Returns the row of a file added at `version`, which nothing ends."""
    return lifetimes(AddColumns.of((add,)), (key,), version, own)[0]


def begin(ends: Ends, adds: AddColumns, version: int, state: CommitState) -> Files:
    """Returns the rows of files that a commit adds, with their ends; what it adds twice is noted in its state."""
    keys = adds.keys()
    later = ends.begin(keys, version)
    files = lifetimes(adds, keys, version, state.own)
    if not later:
        return files
    twice = {at for at, of_file in later.items() if of_file.version == version}
    end(files, {at: of_file for at, of_file in later.items() if at not in twice})
    for at in sorted(twice):
        state.duplicate("add", adds[at])
    return Files(file for at, file in enumerate(files) if at not in twice) if twice else files


def end(files: Files, ends: Mapping[int, End]) -> None:
    """Writes the ends of files into their rows, which are given by their places."""
    removed_versions, times, removals = map(files.column, ("removed_version", "deletion_timestamp", "removal"))
    for at, (version, remove) in ends.items():
        removed_versions[at] = version
        if remove is not None:
            times[at] = remove.deletion_timestamp
            removals[at] = _removal(remove, lambda name, at=at: files.column(name)[at])  # type: ignore[misc]


def ended(file: FileLifetime, end: End) -> FileLifetime:
    """Returns a file's row with its end."""
    if end.remove is None:
        return file._replace(removed_version=end.version)
    return removed(file, end.version, end.remove)


def removed(file: FileLifetime, version: int, remove: Remove, own: bool | None = None) -> FileLifetime:
    """Returns a file's row as `remove` leaves it; `own` is its `own_remove`."""
    return file._replace(
        removed_version=version,
        deletion_timestamp=remove.deletion_timestamp,
        removal=_removal(remove, partial(getattr, file)),
        own_remove=own,
    )


def tombstone(remove: Remove, version: int, own: bool | None = None) -> FileLifetime:
    """Returns the row of a remove, at `version` or before, whose file the log doesn't add."""
    dv_id = deletion_vector_id(remove.deletion_vector)
    partition_values, partition = _partition(bytes(remove.partition_values))
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
        partition,
    )
    return removed(file, version, remove, own)


_SHARED_JSON = (("partitionValues", "partition_values"), ("tags", "tags"), ("deletionVector", "deletion_vector"))
_SHARED = (
    ("size", "size"),
    ("stats", "stats"),
    ("baseRowId", "base_row_id"),
    ("defaultRowCommitVersion", "default_row_commit_version"),
)
_OWN = (("dataChange", "data_change"), ("extendedFileMetadata", "extended_file_metadata"))


def _removal(remove: Remove, of_file: Callable[[str], Any]) -> str:
    """What a remove says beyond its file's row: its own fields, and which of the file's it repeats."""
    fields: dict[str, Any] = {name: v for name, own in _OWN if (v := getattr(remove, own)) is not None}
    same: list[str] = []
    for name, attribute in _SHARED_JSON:
        raw = getattr(remove, attribute)
        text = None if raw is NO_RAW else optional_text(raw)
        if text is not None:
            if text == of_file(attribute):
                same.append(name)
            else:
                fields[name] = Raw(text)
    for name, attribute in _SHARED:
        value = getattr(remove, attribute)
        if value is not None:
            if value == of_file(attribute):
                same.append(name)
            else:
                fields[name] = value
    removal: dict[str, Any] = {"fields": fields, "same": same}
    if remove.extra is not None:
        removal["extra"] = Raw(plain_text(remove.extra) or "")
    return _encode(removal).decode()


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Raises CorruptLogError, with the file's name, where something in it is not what the protocol has there."""
    try:
        yield
    except msgspec.MsgspecError as error:
        raise CorruptLogError(f"{name}: {error}") from error
