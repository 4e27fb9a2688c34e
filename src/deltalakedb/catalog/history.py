"""The rows of a table commit by commit, the oldest first, as they are asked for: a commit may have a million files."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, CursorResult, Select, select

from ..errors import CatalogError, command_line
from ..rows import (
    CdcFileRow,
    CommitRow,
    DomainMetadataRow,
    FileLifetime,
    MetadataRow,
    ProtocolRow,
    TransactionRow,
)
from .places import ROWID, place_of
from .registry import TableEntry
from .schema import ROW_TABLES, delta_files

_PAGE = 5_000
_Row = TypeVar("_Row")


class CommitRows(NamedTuple):
    """Everything that SQL has of one commit; each iterator is to be used up before the next commit is asked for.

    `adds` are the files that it added, `removes` those that a remove of it ended, in the order of its log.
    """

    commit: CommitRow
    protocols: Iterator[ProtocolRow]
    metadata: Iterator[MetadataRow]
    transactions: Iterator[TransactionRow]
    domain_metadata: Iterator[DomainMetadataRow]
    cdc_files: Iterator[CdcFileRow]
    removes: Iterator[FileLifetime]
    adds: Iterator[FileLifetime]


def commit_rows(connection: Connection, entry: TableEntry, first: int, last: int) -> Generator[CommitRows, None, None]:
    """Yields the commits from version `first` to version `last`.

    Raises:
        CatalogError: rows are missing, or belong to no commit.
    """
    reading = _Reading(connection, entry.table_id, first, last)
    commits = reading.rows("commits", CommitRow)
    others: tuple[_Stream[Any], ...] = (
        reading.rows("protocols", ProtocolRow),
        reading.rows("metadata", MetadataRow),
        reading.rows("transactions", TransactionRow),
        reading.rows("domain_metadata", DomainMetadataRow),
        reading.rows("cdc_files", CdcFileRow),
        reading.files(delta_files.c.removed_version, where=delta_files.c.removal.is_not(None)),
        reading.files(delta_files.c.added_version),
    )
    try:
        for version in range(first, last + 1):
            commit = next(commits.of(version), None)
            if commit is None:
                raise CatalogError(
                    f"The catalog has no row in delta_commits for version {version} of {entry.table_id!r}",
                    f"`{command_line('rollback', entry.table_id)}`, then import it anew.",
                )
            yield CommitRows(commit, *(stream.of(version) for stream in others))
        for stream in others:
            stream.expect_end(entry.table_id)
    finally:
        for stream in (commits, *others):
            stream.close()


class _Stream(Generic[_Row]):
    """Rows by version, read ahead by one."""

    def __init__(self, result: CursorResult[Any], kind: Any, version: Callable[[_Row], int]) -> None:
        self.close = result.close
        self._rows: Iterator[_Row] = map(kind._make, result)
        self._version = version
        self._next = next(self._rows, None)

    def of(self, version: int) -> Iterator[_Row]:
        """Yields the rows of a version; none of an earlier one may be left."""
        while self._next is not None and self._version(self._next) <= version:
            row = self._next
            if self._version(row) < version:
                raise AssertionError(f"rows of version {self._version(row)} were passed over")
            self._next = next(self._rows, None)
            yield row

    def expect_end(self, table_id: str) -> None:
        if self._next is not None:
            raise CatalogError(f"The catalog has rows of {table_id!r} that belong to no commit: {self._next!r:.200}")


@dataclass(frozen=True, slots=True)
class _Reading:
    connection: Connection
    table_id: str
    first: int
    last: int

    def rows(self, name: str, kind: Any) -> _Stream[Any]:
        table = ROW_TABLES[name]
        columns = [table.c[column] for column in kind._fields]
        query = select(*columns).where(self._own(table.c.version, table.c.table_id)).order_by(table.c.version)
        return self._stream(query, kind, "version")

    def files(self, by: Column[int], where: ColumnElement[bool] | None = None) -> _Stream[FileLifetime]:
        wanted = self._own(by, delta_files.c.table_id)
        if where is not None:
            wanted &= where
        columns = [delta_files.c[name] for name in FileLifetime._fields]
        if self.connection.dialect.name == "sqlite":
            query = _sorted_by_key(columns, wanted, by)
        else:
            query = select(*columns).where(wanted).order_by(by, place_of(self.connection))
        return self._stream(query, FileLifetime, by.name)

    def _own(self, version: Column[int], table_id: Column[str]) -> ColumnElement[bool]:
        return (table_id == self.table_id) & version.between(self.first, self.last)

    def _stream(self, query: Select[Any], kind: Any, version: str) -> _Stream[Any]:
        result = self.connection.execute(query, execution_options={"yield_per": _PAGE})
        return _Stream(result, kind, attrgetter(version))


def _sorted_by_key(columns: list[Any], wanted: ColumnElement[bool], by: Column[int]) -> Select[Any]:
    """SQLite sorts in memory here, so it gets places to sort, not rows; the limit keeps it from merging the two."""
    places = select(ROWID.label("place")).where(wanted).order_by(by, ROWID).limit(-1).subquery("places")
    return select(*columns).select_from(places.join(delta_files, places.c.place == ROWID))
