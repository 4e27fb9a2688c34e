"""The protocol's actions as types, and the key of a file.

Source: PROTOCOL.md, "Actions". Attribute names are the protocol's, in snake_case. What a type doesn't model is kept:
an action's unknown fields as JSON in `extra`, unknown actions as `OtherAction`.

Nested JSON that is stored as it is (`partitionValues`, `tags`, `deletionVector`) stays undecoded as `msgspec.Raw`:
building 1M adds takes half the time of decoding their maps, and no value can change on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Raw

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""The protocol's `long`. More than that fits neither the protocol nor a database's BIGINT."""

NO_RAW = Raw()
"""An absent field of type Raw."""


class Extra(str):
    """JSON object with the fields of an action that its type doesn't model.

    A type of its own, so that the decoder refuses to fill it from a field that happens to be called `extra`.
    """

    __slots__ = ()


def plain_text(extra: Extra | None) -> str | None:
    """Returns unknown fields as text of no special type, which is what encoders and databases take."""
    return None if extra is None else str(extra)


class _FileAction(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, gc=False, kw_only=True
):
    path: str
    partition_values: Raw = NO_RAW
    size: Int64 | None = None
    data_change: bool | None = None
    stats: str | None = None
    tags: Raw = NO_RAW
    deletion_vector: Raw = NO_RAW
    base_row_id: Int64 | None = None
    default_row_commit_version: Int64 | None = None
    extra: Extra | None = None


class Add(_FileAction):
    """A file that is part of the table from this version on (PROTOCOL.md, "Add File and Remove File")."""

    modification_time: Int64 | None = None
    clustering_provider: str | None = None


class Remove(_FileAction):
    """A file that is no longer part of the table (PROTOCOL.md, "Add File and Remove File")."""

    deletion_timestamp: Int64 | None = None
    extended_file_metadata: bool | None = None


class AddCDCFile(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False, kw_only=True):
    """A file of changes, never part of the table (PROTOCOL.md, "Add CDC File"). In the log: `cdc`."""

    path: str
    partition_values: Raw = NO_RAW
    size: Int64 | None = None
    data_change: bool | None = None
    tags: Raw = NO_RAW
    extra: Extra | None = None


class Metadata(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The table's schema, partitioning and properties (PROTOCOL.md, "Change Metadata"). In the log: `metaData`."""

    id: str | None = None
    name: str | None = None
    description: str | None = None
    format: Raw = NO_RAW
    schema_string: str | None = None
    partition_columns: Raw = NO_RAW
    configuration: Raw = NO_RAW
    created_time: Int64 | None = None
    extra: Extra | None = None


class Protocol(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What a reader or writer must be able to do (PROTOCOL.md, "Protocol Evolution")."""

    min_reader_version: Int64
    min_writer_version: Int64
    reader_features: list[str] | None = None
    writer_features: list[str] | None = None
    extra: Extra | None = None


class Txn(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """How far an application has come (PROTOCOL.md, "Transaction Identifiers")."""

    app_id: str
    version: Int64
    last_updated: Int64 | None = None
    extra: Extra | None = None


class DomainMetadata(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A feature's own configuration (PROTOCOL.md, "Domain Metadata")."""

    domain: str
    configuration: str | None = None
    removed: bool | None = None
    extra: Extra | None = None


class CommitInfo(NamedTuple):
    """Provenance of a commit, as the JSON object that it is (PROTOCOL.md, "Commit Provenance Information")."""

    text: str


class OtherAction(NamedTuple):
    """Something in the log that this version doesn't model: its name and its JSON value."""

    name: str
    text: str


class Sidecar(msgspec.Struct, rename="camel", kw_only=True):
    """A file with a part of a V2 checkpoint's file actions (PROTOCOL.md, "Sidecar File Information")."""

    path: str
    size_in_bytes: Int64 | None = None


class DeletionVector(msgspec.Struct, rename="camel", kw_only=True):
    """Which rows of a file are deleted (PROTOCOL.md, "Deletion Vector Descriptor Schema")."""

    storage_type: str
    path_or_inline_dv: str
    offset: Int64 | None = None
    size_in_bytes: Int64 | None = None
    cardinality: Int64 | None = None

    @property
    def unique_id(self) -> str:
        """The id that is part of a file's key; an absent offset is not 0 (PROTOCOL.md, "Derived Fields")."""
        where = self.storage_type + self.path_or_inline_dv
        return where if self.offset is None else f"{where}@{self.offset}"


NamedAction = Metadata | Protocol | Txn | DomainMetadata | CommitInfo | AddCDCFile | OtherAction
"""Every action that isn't about the table's files."""


@dataclass(slots=True)
class Actions:
    """A piece of one commit or checkpoint. Within a commit, removes apply before adds, whatever their order."""

    adds: Sequence[Add] = field(default_factory=list)
    removes: list[Remove] = field(default_factory=list)
    others: list[NamedAction] = field(default_factory=list)


class Only(Enum):
    """What is wanted of a checkpoint, where it isn't all."""

    STATE = "what isn't about the table's files"
    KEYS = "paths and deletion vectors of adds"


Scalar = str | int | float | bool
_TEXTS = msgspec.json.Decoder(dict[str, Scalar | None] | None)
_NAMES = msgspec.json.Decoder(list[str] | None)


def check_texts(name: str, raw: bytes | Raw) -> None:
    """Raises msgspec.ValidationError where a field that the protocol has as a map of texts is something else.

    Numbers and booleans pass for texts, as they do with other readers.
    """
    try:
        _TEXTS.decode(raw)
    except msgspec.MsgspecError as error:
        raise msgspec.ValidationError(f"{name}: {error}") from error


def check_metadata(metadata: Metadata) -> None:
    """Raises msgspec.MsgspecError where a nested field of a metaData action is not what the protocol has there."""
    if metadata.configuration is not NO_RAW:
        check_texts("configuration", metadata.configuration)
    if metadata.partition_columns is not NO_RAW:
        try:
            _NAMES.decode(metadata.partition_columns)
        except msgspec.MsgspecError as error:
            raise msgspec.ValidationError(f"partitionColumns: {error}") from error


def is_absent(raw: Raw) -> bool:
    """Tells whether a field is missing or null, which the protocol takes for the same."""
    return raw is NO_RAW or bytes(raw) in (b"", b"null")


def raw_text(raw: Raw) -> str:
    """Returns a piece of JSON as text, letter by letter as in the log."""
    return bytes(raw).decode()


def optional_text(raw: Raw) -> str | None:
    """Returns a piece of JSON as text, or None where it is missing or null."""
    return None if is_absent(raw) else raw_text(raw)


_VECTOR = msgspec.json.Decoder(DeletionVector | None)


def deletion_vector_id(deletion_vector: Raw) -> str | None:
    """Returns the unique id of a deletion vector's JSON, or None where there is no deletion vector."""
    if deletion_vector is NO_RAW:
        return None
    try:
        vector = _VECTOR.decode(deletion_vector)
    except msgspec.MsgspecError as error:
        raise msgspec.ValidationError(f"deletionVector: {error}") from error
    return None if vector is None else vector.unique_id


_NO_VECTOR = blake2b(digest_size=16)
_WITH_VECTOR = blake2b(digest_size=16, person=b"with vector")


def file_key(path: str, dv_id: str | None) -> bytes:
    """Returns 16 bytes that stand for a file's key: its path as in the log, and its deletion vector's id.

    A cryptographic hash, so that two keys with one hash can't be made even on purpose; the person parameter and the
    length keep a path with a deletion vector apart from every path without one.
    """
    digest = (_NO_VECTOR if dv_id is None else _WITH_VECTOR).copy()  # a copy is made in half the time of a new one
    digest.update(path.encode() if dv_id is None else f"{len(path)} {path}{dv_id}".encode())
    return digest.digest()


def key_of(action: Add | Remove) -> bytes:
    """Returns the file key of a file action."""
    vector = action.deletion_vector
    return file_key(action.path, None if vector is NO_RAW else deletion_vector_id(vector))


def file_keys(paths: Iterable[str], vectors: Iterable[Raw]) -> list[bytes]:
    """Returns keys of files by their paths and deletion vectors: as `key_of`, in less time a file."""
    keys, copy = [], _NO_VECTOR.copy
    for path, vector in zip(paths, vectors, strict=True):
        if vector is NO_RAW:
            digest = copy()
            digest.update(path.encode())
            keys.append(digest.digest())
        else:
            keys.append(file_key(path, deletion_vector_id(vector)))
    return keys
