"""The rows of the SQL tables, as plain tuples: what a replay makes and a catalog stores. Knows neither log nor SQL.

Sizes are in bytes, times in milliseconds since the epoch. Fields that hold JSON hold its text, as in the log.
The table id, which all rows of a table share, is added where they are stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, NamedTuple, Self, overload


class FileLifetime(NamedTuple):
    """A file from the version that added it up to the version that removed it: one row of `delta_files`.

    `added_version` is None for a tombstone whose file predates the floor, or was never added.
    `partition_key` is the same for equal `partition_values`, None where there are none.
    `own_add` and `own_remove` are True where a version that a history begins with adds or removes the file by its own
    commit; what only the checkpoint of that version says is not its own.
    `removal` is what the remove action says beyond the row: {"fields": {…}, "same": [names equal to the add's]}.
    Sizes are in bytes, times in milliseconds since the epoch. JSON columns hold JSON text as in the log.
    """

    path: str
    added_version: int | None
    removed_version: int | None
    size: int | None
    modification_time: int | None
    data_change: bool | None
    num_records: int | None
    base_row_id: int | None
    default_row_commit_version: int | None
    clustering_provider: str | None
    deletion_timestamp: int | None
    partition_values: str
    stats: str | None
    deletion_vector: str | None
    deletion_vector_id: str | None
    tags: str | None
    extra: str | None
    removal: str | None
    key_hash: int
    partition_key: int | None
    own_add: bool | None = None
    own_remove: bool | None = None


class Files:
    """File lifetimes, kept column by column: what is done to a million of them is done to a few lists.

    Beside that it is a list of `FileLifetime`, made when one is asked for.
    """

    __slots__ = ("_columns",)

    def __init__(self, rows: Iterable[FileLifetime] = ()) -> None:
        columns = zip(*rows, strict=True)
        self._columns: list[list[Any]] = [list(column) for column in columns] or [[] for _ in FileLifetime._fields]

    @classmethod
    def of_columns(cls, *columns: list[Any]) -> Self:
        """Returns files whose columns, in the order of `FileLifetime`, are these very lists."""
        files = cls.__new__(cls)
        files._columns = [*columns]
        return files

    def column(self, name: str) -> list[Any]:
        """Returns one column: the list itself, not a copy."""
        return self._columns[_PLACES[name]]

    def columns(self) -> dict[str, list[Any]]:
        """Returns all columns by their names."""
        return dict(zip(FileLifetime._fields, self._columns, strict=True))

    def partitions(self) -> dict[int, str]:
        """Returns the partitions that the files are in: their values by their keys."""
        found = dict(zip(self.column("partition_key"), self.column("partition_values"), strict=True))
        return {key: values for key, values in found.items() if key is not None}

    def append(self, file: FileLifetime) -> None:
        """Appends a row."""
        for column, value in zip(self._columns, file, strict=True):
            column.append(value)

    def extend(self, files: Iterable[FileLifetime]) -> None:
        """Appends rows."""
        others = files if isinstance(files, Files) else Files(files)
        for column, more in zip(self._columns, others._columns, strict=True):
            column.extend(more)

    @overload
    def __getitem__(self, place: int) -> FileLifetime: ...
    @overload
    def __getitem__(self, place: slice) -> Files: ...
    def __getitem__(self, place: int | slice) -> FileLifetime | Files:
        columns = map(itemgetter(place), self._columns)
        return Files.of_columns(*columns) if isinstance(place, slice) else FileLifetime._make(columns)

    def __setitem__(self, place: int, file: FileLifetime) -> None:
        for column, value in zip(self._columns, file, strict=True):
            column[place] = value

    def __len__(self) -> int:
        return len(self._columns[0])

    def __iter__(self) -> Iterator[FileLifetime]:
        return map(FileLifetime._make, zip(*self._columns, strict=True))

    def __eq__(self, other: object) -> bool:
        return self._columns == other._columns if isinstance(other, Files) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Files({list(self)!r})"


_PLACES = {name: place for place, name in enumerate(FileLifetime._fields)}


class CommitRow(NamedTuple):
    """A commit: one row of `delta_commits`. `other_actions` is a JSON list of what we don't model.

    `own_actions` is set at a version that a history begins with: which of its rows in other tables its own commit says,
    and not only its checkpoint: {"metaData": true, "protocol": true, "txn": [apps], "domainMetadata": [domains]}.
    """

    version: int
    timestamp: int
    in_commit_timestamp: int | None
    file_timestamp: int
    operation: str | None
    operation_parameters: str | None
    operation_metrics: str | None
    user_id: str | None
    user_name: str | None
    engine_info: str | None
    txn_id: str | None
    is_blind_append: bool | None
    commit_info: str | None
    other_actions: str | None
    own_actions: str | None = None


class MetadataRow(NamedTuple):
    """A metaData action: one row of `delta_metadata`."""

    version: int
    id: str | None
    name: str | None
    description: str | None
    format: str | None
    schema_string: str | None
    partition_columns: str | None
    configuration: str | None
    created_time: int | None
    extra: str | None


class ProtocolRow(NamedTuple):
    """A protocol action: one row of `delta_protocols`."""

    version: int
    min_reader_version: int
    min_writer_version: int
    reader_features: str | None
    writer_features: str | None
    extra: str | None

    @property
    def features(self) -> frozenset[str]:
        """The features in either of its lists: some writers leave a reader's feature out of `readerFeatures`."""
        lists = (json.loads(text) for text in (self.reader_features, self.writer_features) if text is not None)
        return frozenset(name for names in lists for name in names or ())


class TransactionRow(NamedTuple):
    """A txn action: one row of `delta_transactions`."""

    app_id: str
    version: int
    txn_version: int
    last_updated: int | None
    extra: str | None


class DomainMetadataRow(NamedTuple):
    """A domainMetadata action: one row of `delta_domain_metadata`."""

    domain: str
    version: int
    configuration: str | None
    removed: bool | None
    extra: str | None


class CdcFileRow(NamedTuple):
    """A cdc action: one row of `delta_cdc_files`."""

    version: int
    path: str
    partition_values: str
    size: int | None
    data_change: bool | None
    tags: str | None
    extra: str | None


@dataclass(slots=True)
class Rows:
    """Rows for every table, in the order in which a replay makes them."""

    files: Files = field(default_factory=Files)
    commits: list[CommitRow] = field(default_factory=list)
    metadata: list[MetadataRow] = field(default_factory=list)
    protocols: list[ProtocolRow] = field(default_factory=list)
    transactions: list[TransactionRow] = field(default_factory=list)
    domain_metadata: list[DomainMetadataRow] = field(default_factory=list)
    cdc_files: list[CdcFileRow] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(getattr(self, name)) for name in self.__slots__)

    def extend(self, rows: Rows) -> None:
        """Appends other rows, table by table."""
        for name in self.__slots__:
            getattr(self, name).extend(getattr(rows, name))

    def after_files(self, count: int) -> Rows:
        """Returns what is left behind the first `count` files."""
        return replace(self, files=self.files[count:])
