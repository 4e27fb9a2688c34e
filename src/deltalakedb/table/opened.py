"""A table at one version, held fast: what every question to a `DeltaTable` starts from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ..catalog import registry
from ..catalog.database import Database
from ..catalog.registry import TableEntry
from ..catalog.snapshot import Snapshot, snapshot
from ..catalog.times import version_at
from ..columns import TableSchema, column_mapping
from ..errors import ArgumentError
from ..rows import MetadataRow, ProtocolRow
from .exceptions import TableChangedError, UnsupportedTableError, in_both_trees
from .locations import Root

Version = int | str | datetime
"""A version, or the time at which it was the newest one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One version of one table. What syncs add later doesn't change what it answers.

    Attributes:
        database: where its catalog is.
        entry: the table, as it was when it was opened.
        version: the version.
        metadata: the metaData action that holds at the version.
        protocol: the protocol action that holds at the version.
    """

    database: Database
    entry: TableEntry
    version: int
    metadata: MetadataRow
    protocol: ProtocolRow

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Yields the version in the catalog, through a connection of its own.

        Raises:
            TableChangedError: the table was rolled back since, and maybe imported again.
            CatalogError: the database refuses.
        """
        with in_both_trees(), self.database.reading() as connection:
            entry = registry.readable(connection, self.entry.table_id)
            if entry.imported_at != self.entry.imported_at:
                raise TableChangedError(
                    f"{entry.table_id!r} is not the table that was opened: it was imported again since", "Open it anew."
                )
            yield Snapshot(connection, entry, self.version, is_newest=self.version == entry.version)

    def at(self, version: Version | None) -> Opened:
        """Returns the same table at another version; None for the newest one that the catalog has by now."""
        return open_at(self.database, self.entry.table_id, version)

    @property
    def root(self) -> Root:
        """Where the table's files are."""
        return Root.of(self.entry.location)

    @property
    def configuration(self) -> dict[str, str]:
        """The table's properties."""
        found: dict[str, str] = msgspec.json.decode(self.metadata.configuration or "{}")
        return found

    @property
    def partition_columns(self) -> list[str]:
        """The names of the partition columns, in their order."""
        found: list[str] = msgspec.json.decode(self.metadata.partition_columns or "[]")
        return found

    @property
    def schema_string(self) -> str:
        """The table's schema as JSON.

        Raises:
            UnsupportedTableError: the log has none.
        """
        if self.metadata.schema_string is None:
            raise UnsupportedTableError(f"The metadata of {self.entry.table_id!r} has no schemaString")
        return self.metadata.schema_string

    @property
    def reader_features(self) -> list[str]:
        """The features that a reader of rows must know."""
        found: list[str] = msgspec.json.decode(self.protocol.reader_features or "[]")
        return found

    @property
    def writer_features(self) -> list[str]:
        """The features that a writer must know."""
        found: list[str] = msgspec.json.decode(self.protocol.writer_features or "[]")
        return found

    @property
    def column_mapping(self) -> str | None:
        """The mode of column mapping, `name` or `id`; None where names are those in the data files."""
        return column_mapping(self.configuration, self.protocol)

    @property
    def table_schema(self) -> TableSchema:
        """The table's columns.

        Raises:
            CorruptLogError: the schema can't be read.
        """
        return TableSchema.of(self.metadata, self.protocol)


def open_at(database: Database, table_id: str, version: Version | None) -> Opened:
    """Returns a table at a version, or at a time; None for the newest version.

    Raises:
        TableNotFoundError, ImportIncompleteError: there is no such table, or its import has not completed.
        VersionNotFoundError: below the floor, beyond the newest, or in a gap.
        OverflowError, TypeError, ArgumentError: not a version, not a time.
    """
    wanted = None if version is None else _checked(version)
    with in_both_trees(), database.reading() as connection:
        entry = registry.readable(connection, table_id)
        number = version_at(connection, entry, _milliseconds(wanted)) if isinstance(wanted, datetime) else wanted
        found = snapshot(connection, entry, number)
        metadata, protocol = found.metadata(), found.protocol()
    if metadata is None or protocol is None:
        raise UnsupportedTableError(f"{table_id!r} has no metadata at version {found.version}")
    return Opened(database, entry, found.version, metadata, protocol)


def _checked(version: Any) -> int | datetime:
    if isinstance(version, int):
        if version < 0:
            raise OverflowError("can't convert negative int to unsigned")
        if version >= 1 << 64:
            raise OverflowError("int too big to convert")
        return int(version)
    if isinstance(version, datetime):
        return version if version.tzinfo else version.replace(tzinfo=UTC)
    if isinstance(version, str):
        return parse_time(version)
    raise TypeError("Invalid datatype provided for version, only int, str or datetime are accepted.")


_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_time(text: str) -> datetime:
    """Returns the time that a text means: RFC 3339, with a zone; what is below a microsecond is cut off.

    Raises:
        ArgumentError: another form, or no time that there is. Also a ValueError.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ArgumentError(
            f"Failed to parse datetime string: {text!r} is not RFC 3339",
            "With a zone, as in 2018-12-19T16:39:57-08:00 or 2018-01-26T18:30:09.453Z.",
        )
    day, time, fraction, zone = match.groups()
    try:
        return datetime.fromisoformat(f"{day}T{time}{(fraction or '.0')[:7]}{zone.upper()}")
    except ValueError as error:
        raise ArgumentError(f"Failed to parse datetime string: {text!r} ({error})") from error


def _milliseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
