"""The state of a table at a version, by SQL alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from ..errors import VersionNotFoundError
from ..rows import (
    CdcFileRow,
    CommitRow,
    DomainMetadataRow,
    FileLifetime,
    MetadataRow,
    ProtocolRow,
    Rows,
    TransactionRow,
)
from .registry import TableEntry
from .schema import (
    ROW_TABLES,
    delta_cdc_files,
    delta_commits,
    delta_domain_metadata,
    delta_files,
    delta_metadata,
    delta_protocols,
    delta_transactions,
)

_PAGE = 5_000

_ROW_TYPES: dict[str, Any] = {
    "commits": CommitRow,
    "metadata": MetadataRow,
    "protocols": ProtocolRow,
    "transactions": TransactionRow,
    "domain_metadata": DomainMetadataRow,
    "cdc_files": CdcFileRow,
}
"""The lists of `Rows` without its files, and what they hold."""


def active_at(version: int) -> ColumnElement[bool]:
    """The condition that a row of `delta_files` is active at `version`."""
    ended = delta_files.c.removed_version
    return and_(delta_files.c.added_version <= version, or_(ended.is_(None), ended > version))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of one table, read through one connection.

    Raises (every method): CatalogError.
    """

    connection: Connection
    entry: TableEntry
    version: int

    def files(self) -> Iterator[FileLifetime]:
        """Yields the active files, in no order; rows arrive as they are asked for."""
        columns = [delta_files.c[name] for name in FileLifetime._fields]
        query = select(*columns).where(self._own(delta_files), active_at(self.version))
        for row in self.connection.execute(query, execution_options={"yield_per": _PAGE}):
            yield FileLifetime._make(row)

    def count(self) -> tuple[int, int, int]:
        """Returns the number of active files, their bytes, and their records as far as statistics tell."""
        sizes = (func.coalesce(func.sum(column), 0) for column in (delta_files.c.size, delta_files.c.num_records))
        query = select(func.count(), *sizes).where(self._own(delta_files), active_at(self.version))
        files, size, records = self.connection.execute(query).one()
        return int(files), int(size), int(records)

    def metadata(self) -> MetadataRow | None:
        """Returns the metaData action that holds at this version."""
        row: MetadataRow | None = self._newest(delta_metadata, MetadataRow)
        return row

    def protocol(self) -> ProtocolRow | None:
        """Returns the protocol action that holds at this version."""
        row: ProtocolRow | None = self._newest(delta_protocols, ProtocolRow)
        return row

    def transactions(self) -> list[TransactionRow]:
        """Returns each application's newest txn action, by application; expired ones included."""
        return self._newest_each(delta_transactions, "app_id", TransactionRow)

    def domain_metadata(self) -> list[DomainMetadataRow]:
        """Returns each domain's configuration, by domain, without removed ones."""
        rows = self._newest_each(delta_domain_metadata, "domain", DomainMetadataRow)
        return [row for row in rows if not row.removed]

    def commits(self, limit: int | None = None) -> list[CommitRow]:
        """Returns the commits up to this version, the newest first."""
        columns = [delta_commits.c[name] for name in CommitRow._fields]
        query = (
            select(*columns)
            .where(self._own(delta_commits), delta_commits.c.version <= self.version)
            .order_by(delta_commits.c.version.desc())
            .limit(limit)
        )
        return [CommitRow._make(row) for row in self.connection.execute(query)]

    def cdc_files(self) -> list[CdcFileRow]:
        """Returns the files of changes that this version's commit added."""
        columns = [delta_cdc_files.c[name] for name in CdcFileRow._fields]
        query = select(*columns).where(self._own(delta_cdc_files), delta_cdc_files.c.version == self.version)
        return [CdcFileRow._make(row) for row in self.connection.execute(query)]

    def lifetimes(self) -> Iterator[FileLifetime]:
        """Yields every file of every version, tombstones included, in no order; rows arrive as they are asked for."""
        columns = [delta_files.c[name] for name in FileLifetime._fields]
        query = select(*columns).where(self._own(delta_files))
        for row in self.connection.execute(query, execution_options={"yield_per": _PAGE}):
            yield FileLifetime._make(row)

    def all_but_files(self) -> Rows:
        """Returns the rows of every version in every table but `delta_files`, by version."""
        rows = Rows()
        for name, kind in _ROW_TYPES.items():
            table = ROW_TABLES[name]
            columns = [table.c[column] for column in kind._fields]
            query = select(*columns).where(self._own(table)).order_by(table.c.version)
            getattr(rows, name).extend(kind._make(row) for row in self.connection.execute(query))
        return rows

    def _own(self, table: Any) -> ColumnElement[bool]:
        return table.c.table_id == self.entry.table_id  # type: ignore[no-any-return]

    def _newest(self, table: Any, kind: Any) -> Any:
        columns = [table.c[name] for name in kind._fields]
        query = self._until(select(*columns), table).order_by(table.c.version.desc()).limit(1)
        row = self.connection.execute(query).one_or_none()
        return None if row is None else kind._make(row)

    def _newest_each(self, table: Any, key: str, kind: Any) -> list[Any]:
        newest = (
            self._until(select(table.c[key], func.max(table.c.version).label("version")), table)
            .group_by(table.c[key])
            .subquery()
        )
        matches = and_(table.c[key] == newest.c[key], table.c.version == newest.c.version)
        columns = [table.c[name] for name in kind._fields]
        query = select(*columns).join(newest, matches).where(self._own(table)).order_by(table.c[key])
        return [kind._make(row) for row in self.connection.execute(query)]

    def _until(self, query: Select[Any], table: Any) -> Select[Any]:
        return query.where(self._own(table), table.c.version <= self.version)


def snapshot(connection: Connection, entry: TableEntry, version: int | None = None) -> Snapshot:
    """Returns the table at a version, by default its newest.

    Raises:
        VersionNotFoundError: below the floor or beyond the newest.
    """
    if version is None:
        return Snapshot(connection, entry, entry.version)
    if version < entry.first_version:
        raise VersionNotFoundError(
            f"{entry.table_id!r} has no version {version}: its history begins with version {entry.first_version}"
        )
    if version > entry.version:
        raise VersionNotFoundError(
            f"{entry.table_id!r} has no version {version}: its newest is {entry.version}",
            f"deltalakedb sync {entry.table_id}",
        )
    return Snapshot(connection, entry, version)
