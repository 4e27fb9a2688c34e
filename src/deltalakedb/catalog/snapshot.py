"""The state of a table at a version, by SQL alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, literal_column, or_, select
from sqlalchemy.sql import visitors

from ..errors import VersionNotFoundError, command_line
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
from .gaps import check_not_in_gap
from .places import ROWID, locator_of, place_of
from .registry import TableEntry
from .row_counts import rows_of
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
from .streaming import PIECE, streamed

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
    return or_(_live_until(version), _ended_after(version))


def _live_until(version: int) -> ColumnElement[bool]:
    return and_(delta_files.c.removed_version.is_(None), delta_files.c.added_version <= version)


def _ended_after(version: int) -> ColumnElement[bool]:
    return and_(delta_files.c.removed_version > version, delta_files.c.added_version <= version)


def _asks_for_keys(where: ColumnElement[bool]) -> bool:
    """Whether a condition names single files, whose index SQLite is to take; else it is asked of every file."""
    return any(each is delta_files.c.key_hash for each in visitors.iterate(where))


def _by_no_index(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Returns that one of some conditions holds, in a form for which SQLite takes none of its indexes."""
    return case((or_(*conditions), 1), else_=0) == 1


def with_deletion_vector() -> ColumnElement[bool]:
    """The condition that a row of `delta_files` has a deletion vector."""
    return delta_files.c.deletion_vector_id.is_not(None)


class Totals(NamedTuple):
    """What files add up to.

    `num_records` is the sum of what statistics have, as delta-rs counts: deleted rows too, and 0 where they have none.
    `rows` are those that a reader gets; None where a file doesn't say how many it has.
    """

    files: int
    size: int
    num_records: int
    rows: int | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of one table, read through one connection.

    Attributes:
        connection: to the catalog.
        entry: the table.
        version: the version.
        is_newest: whether `entry` was read in the connection's transaction and the version is its newest. Then what no
            version removes is active, and an index has just that: listing 270,000 files took 1.3 s in place of 5 s.

    Raises (every method): CatalogError.
    """

    connection: Connection
    entry: TableEntry
    version: int
    is_newest: bool = False

    def files(self, where: ColumnElement[bool] | None = None) -> Generator[FileLifetime, None, None]:
        """Yields the active files, in no order; rows arrive as they are asked for.

        Whoever stops before the last one has to close the generator, which closes the database's cursor.

        Args:
            where: a condition on `delta_files` that they fulfil, too.
        """
        columns = [delta_files.c[name] for name in FileLifetime._fields]
        yield from self._lifetimes(self._active(columns, where))

    def file_columns(
        self, names: Sequence[str], where: ColumnElement[bool] | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yields the active files in pieces of plain tuples, in no order.

        A tuple has the named columns, then the file's version and its row's place, by which a listing is in the order
        of the log: the newest version first, and within a version as its commit has them.
        """
        columns = [*(delta_files.c[name] for name in names), delta_files.c.added_version, place_of(self.connection)]
        rows = streamed(self.connection, self._active(columns, where))
        while piece := list(islice(rows, PIECE)):
            yield piece

    def locators(
        self, where: ColumnElement[bool] | None = None, check: Callable[[str | None], bool] | None = None
    ) -> list[Any]:
        """Returns what finds active files again within this transaction, as `places.located` takes it.

        Args:
            where: a condition on `delta_files` that they fulfil, too.
            check: what their statistics must pass.
        """
        locator = locator_of(self.connection)
        if check is None:
            return [found for (found,) in streamed(self.connection, self._active([locator], where))]
        return [
            found
            for found, stats in streamed(self.connection, self._active([locator, delta_files.c.stats], where))
            if check(stats)
        ]

    def count(self, where: ColumnElement[bool] | None = None) -> Totals:
        """Returns what the active files add up to.

        Args:
            where: a condition on `delta_files` that they fulfil, too.
        """
        sizes = (func.coalesce(func.sum(column), 0) for column in (delta_files.c.size, delta_files.c.num_records))
        rows: ColumnElement[Any] = literal_column(rows_of(delta_files.name, self.connection.dialect.name))
        files, size, records, known = self.connection.execute(self._active([func.count(), *sizes, rows], where)).one()
        return Totals(int(files), int(size), int(records), None if known is None else int(known))

    def has_files(self, where: ColumnElement[bool]) -> bool:
        """Tells whether an active file fulfils a condition on `delta_files`."""
        return self.connection.execute(self._active([literal(1)], where).limit(1)).scalar() is not None

    def metadata(self) -> MetadataRow | None:
        """Returns the metaData action that holds at this version."""
        row: MetadataRow | None = self._newest(delta_metadata, MetadataRow)
        return row

    def all_metadata(self) -> list[MetadataRow]:
        """Returns the metaData actions up to this version, the oldest first."""
        columns = [delta_metadata.c[name] for name in MetadataRow._fields]
        query = self._until(select(*columns), delta_metadata).order_by(delta_metadata.c.version)
        return [MetadataRow._make(row) for row in self.connection.execute(query)]

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

    def commits(self, limit: int | None = None, *, noted: bool = False) -> list[CommitRow]:
        """Returns the commits up to this version, the newest first; with `noted`, those that have a commitInfo."""
        columns = [delta_commits.c[name] for name in CommitRow._fields]
        query = (
            select(*columns)
            .where(self._own(delta_commits), delta_commits.c.version <= self.version)
            .order_by(delta_commits.c.version.desc())
            .limit(limit)
        )
        if noted:
            query = query.where(delta_commits.c.commit_info.is_not(None))
        return [CommitRow._make(row) for row in self.connection.execute(query)]

    def cdc_files(self) -> list[CdcFileRow]:
        """Returns the files of changes that this version's commit added."""
        columns = [delta_cdc_files.c[name] for name in CdcFileRow._fields]
        query = select(*columns).where(self._own(delta_cdc_files), delta_cdc_files.c.version == self.version)
        return [CdcFileRow._make(row) for row in self.connection.execute(query)]

    def lifetimes(self) -> Generator[FileLifetime, None, None]:
        """Yields every file of every version, tombstones included, in no order; as `files` does.

        They come straight from the driver: some databases have numbers for `data_change`.
        """
        columns = [delta_files.c[name] for name in FileLifetime._fields]
        rows = streamed(self.connection, select(*columns).where(self._own(delta_files)))
        yield from map(partial(tuple.__new__, FileLifetime), rows)

    def all_but_files(self) -> Rows:
        """Returns the rows of every version in every table but `delta_files`, by version."""
        rows = Rows()
        for name, kind in _ROW_TYPES.items():
            table = ROW_TABLES[name]
            columns = [table.c[column] for column in kind._fields]
            query = select(*columns).where(self._own(table)).order_by(table.c.version)
            getattr(rows, name).extend(kind._make(row) for row in self.connection.execute(query))
        return rows

    def tombstones(self) -> list[FileLifetime]:
        """Returns the removed files, the last removed first: each key's newest removal, unless it was added again."""
        query = self._tombstones().order_by(delta_files.c.removed_version.desc(), delta_files.c.path)
        return [FileLifetime._make(row) for row in self.connection.execute(query)]

    def removals(self, since_ms: float | None = None) -> Iterator[FileLifetime]:
        """Yields those tombstones that a remove action made, in no order; rows arrive as they are asked for.

        Args:
            since_ms: only those deleted then or later, in milliseconds since the epoch.
        """
        query = self._tombstones().where(delta_files.c.removal.is_not(None))
        if since_ms is not None:
            query = query.where(delta_files.c.deletion_timestamp >= int(since_ms))
        return self._lifetimes(query)

    def _tombstones(self) -> Select[Any]:
        later = delta_files.alias("later")
        again = (
            select(later.c.table_id)
            .where(
                later.c.table_id == delta_files.c.table_id,
                later.c.key_hash == delta_files.c.key_hash,
                later.c.path == delta_files.c.path,
                later.c.deletion_vector_id.is_not_distinct_from(delta_files.c.deletion_vector_id),
                or_(
                    and_(later.c.added_version <= self.version, later.c.added_version >= delta_files.c.removed_version),
                    and_(
                        later.c.removed_version <= self.version,
                        later.c.removed_version > delta_files.c.removed_version,
                    ),
                ),
            )
            .exists()
        )
        columns = [delta_files.c[name] for name in FileLifetime._fields]
        return select(*columns).where(self._own(delta_files), delta_files.c.removed_version <= self.version, ~again)

    def _active(self, columns: Sequence[Any], where: ColumnElement[bool] | None = None) -> Select[Any]:
        if where is None and self.connection.dialect.name == "sqlite":
            return self._in_order(columns)
        own, live = self._own(delta_files), _live_until(self.version)
        if not self.is_newest or (where is not None and _asks_for_keys(where)):
            # Each side says all that its index needs: SQLite looks at them one by one.
            live = or_(and_(own, live), and_(own, _ended_after(self.version)))
        query = select(*columns).where(own, live)
        return query if where is None else query.where(where)

    def _lifetimes(self, query: Select[Any]) -> Generator[FileLifetime, None, None]:
        with self.connection.execute(query, execution_options={"yield_per": _PAGE}) as result:
            for row in result:
                yield FileLifetime._make(row)

    def _in_order(self, columns: Sequence[Any]) -> Select[Any]:
        """All active files in the order of their rows, for SQLite: in that of an index, each is on another page.

        900,000 files took 5 s in the order of the index, 3 s found by it and then put in order, and less read in one
        go, which is for files that lie together, as an import leaves them.
        """
        own, ended = self._own(delta_files), delta_files.c.removed_version
        found = [and_(own, ended.is_(None))]
        if not self.is_newest:
            found.append(and_(own, ended > self.version))
        span = self._span(found)
        among: ColumnElement[bool]
        if span is None:
            among = ROWID.in_(select(ROWID).select_from(delta_files).where(or_(*found)).correlate(None))
        else:
            among = and_(ROWID.between(*span), _by_no_index(*found))
        return select(*columns).where(among, delta_files.c.added_version <= self.version)

    def _span(self, found: Sequence[ColumnElement[bool]]) -> tuple[int, int] | None:
        """Returns the first and the last row that fulfil one of some conditions; None where most between don't."""
        query = select(func.count(), func.min(ROWID), func.max(ROWID)).select_from(delta_files)
        counted = [row for one in found if (row := self.connection.execute(query.where(one)).one())[0]]
        if not counted:
            return None
        counts, firsts, lasts = zip(*counted, strict=True)
        span = min(firsts), max(lasts)
        return span if 2 * sum(counts) > span[1] - span[0] else None

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
        VersionNotFoundError: below the floor, beyond the newest, or in a gap.
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
            command_line("sync", entry.table_id),
        )
    check_not_in_gap(entry, version)
    return Snapshot(connection, entry, version)
