"""The table without its rows: everything that the catalog answers alone."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from operator import index
from os import PathLike
from typing import TYPE_CHECKING, Any, NoReturn, Self

from sqlalchemy import and_

from ..catalog import provenance
from ..catalog.database import Database
from ..catalog.snapshot import Snapshot, with_deletion_vector
from ..errors import ArgumentError
from . import filters as filter_forms
from .exceptions import DeltaLakeDBWarning, UnsupportedTableError
from .features import missing_commits
from .opened import open_at
from .read_only import ReadOnly

if TYPE_CHECKING:
    import pyarrow as pa
    from arro3.core import RecordBatchReader as ArroReader
    from arro3.core import Table as ArroTable
    from deltalake import Schema
    from deltalake.table import DeltaTableConfig, Metadata, ProtocolVersions

Filters = filter_forms.Filters
Where = Any
"""SQL text, a pyarrow expression, or tuples: `[(column, op, value), …]`, or a list of such lists (OR)."""

_LOG_BUFFER_SIZE = 8
"""What delta-rs says of a table that is opened without options."""


class MetadataTable(ReadOnly):
    """A Delta table at one version, as the catalog describes it; see `DeltaTable`.

    Names, arguments, results and exceptions are those of `deltalake.DeltaTable`. A table that is open stays at its
    version while syncs go on; `update_incremental` and `load_as_version` move it.

    Args:
        database: the catalog's URL, or a `Catalog`.
        table_id: the table.
        version: the version; by default the newest one that the catalog has.
        timestamp: in place of a version, the time at which it was the newest; as for `load_as_version`.
        storage_options: for the object store of the data files, as for delta-rs; on top of those of a `Catalog`.
        without_files, log_buffer_size, skip_stats: deprecated and ignored, as by delta-rs.

    Raises:
        TableNotFoundError, ImportIncompleteError: there is no such table, or its import has not completed.
        VersionNotFoundError: below the table's first version, beyond the catalog's newest, or in a gap.
        CatalogError: the database refuses.

    Warns:
        DeltaLakeDBWarning: the table is managed by a catalog, which may have commits that its log has not yet.
    """

    def __init__(
        self,
        database: Any,
        *,
        table_id: str | None = None,
        version: int | None = None,
        timestamp: str | datetime | None = None,
        storage_options: dict[str, str] | None = None,
        without_files: bool = False,
        log_buffer_size: int | None = None,
        skip_stats: bool = False,
    ) -> None:
        _warn_of(without_files=without_files, log_buffer_size=log_buffer_size is not None, skip_stats=skip_stats)
        if table_id is None:
            raise ArgumentError(
                "A table is opened by its catalog and its table id; the id is missing.",
                "DeltaTable('sqlite:///catalog.db', table_id='orders'). `deltalakedb migration-status` lists the ids.",
            )
        if version is not None and timestamp is not None:
            raise ArgumentError("A table is opened at a version or at a timestamp, not at both.")
        if version is not None and not isinstance(version, int):
            raise TypeError(f"{type(version).__name__!r} object cannot be interpreted as an integer")
        self._storage_options = {**getattr(database, "_storage_options", {}), **(storage_options or {})}
        if isinstance(database, str | PathLike):
            database = Database(database)
            weakref.finalize(self, database.close)
        at = timestamp if version is None else version
        self._opened = open_at(getattr(database, "_read_from", database), table_id, at)
        missing = missing_commits(self._opened.protocol)
        if missing is not None:
            warnings.warn(f"{table_id}: {missing}", DeltaLakeDBWarning, stacklevel=2)

    # ---- which table, at which version

    @property
    def table_id(self) -> str:
        """The table's name in the catalog."""
        return self._opened.entry.table_id

    @property
    def table_uri(self) -> str:
        """The table's location as a URI, with a slash at its end."""
        return self._opened.root.uri

    @property
    def table_config(self) -> DeltaTableConfig:
        """Deprecated by delta-rs, whose defaults it has: nothing here is configured by it."""
        from deltalake.table import DeltaTableConfig

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            config = DeltaTableConfig(without_files=False, log_buffer_size=_LOG_BUFFER_SIZE)
        warnings.warn("`table_config` is deprecated: a table has no configuration", DeprecationWarning, stacklevel=2)
        return config

    @staticmethod
    def is_deltatable(table_uri: str | PathLike[str], storage_options: dict[str, str] | None = None) -> bool:
        """Tells whether a Delta table is at a location, which no catalog needs to know."""
        from deltalake import DeltaTable

        return bool(DeltaTable.is_deltatable(table_uri, storage_options))

    def version(self) -> int:
        """Returns the version that is open."""
        return self._opened.version

    def load_as_version(self, version: int | str | datetime) -> None:
        """Moves to another version.

        Args:
            version: its number; or a time, and the version is the newest one committed then or before (the oldest
                one if all came later). A text is RFC 3339 with a zone; a datetime without one is in UTC.

        Raises:
            VersionNotFoundError: below the table's first version, beyond the catalog's newest, or in a gap.
            ValueError: a text in another form.
        """
        if version is None:
            raise TypeError("Invalid datatype provided for version, only int, str or datetime are accepted.")
        self._opened = self._opened.at(version)

    def update_incremental(self) -> None:
        """Moves to the newest version that the catalog has by now."""
        self._opened = self._opened.at(None)

    # ---- what the version says of itself

    def schema(self) -> Schema:
        """Returns the schema, as delta-rs' own class.

        Raises:
            UnsupportedTableError: it has types that delta-rs doesn't know.
        """
        from deltalake import Schema

        text = self._opened.schema_string
        try:
            return Schema.from_json(text)
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise UnsupportedTableError(f"The schema of {self.table_id!r} can't be read: {reason}") from error

    def metadata(self) -> Metadata:
        """Returns id, name, description, partition columns, time of creation and properties."""
        from . import facts

        return facts.metadata(self._opened)

    def protocol(self) -> ProtocolVersions:
        """Returns the versions and features that readers and writers must know."""
        from . import facts

        return facts.protocol(self._opened)

    def history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Returns what writers noted of each commit, and its version, the newest first; `limit` is their number.

        Commits without a commitInfo are not in it.
        """
        if limit is not None and index(limit) < 0:
            raise OverflowError("can't convert negative int to unsigned")
        with self._opened.snapshot() as snapshot:
            return provenance.history(snapshot, limit)

    def transaction_version(self, app_id: str) -> int | None:
        """Returns how far an application has come; None where it is unknown or was last heard of too long ago."""
        from . import facts

        with self._opened.snapshot() as snapshot:
            return facts.transaction_version(self._opened, snapshot, app_id)

    def domain_metadata(self) -> dict[str, str | None]:
        """Returns each domain's configuration."""
        with self._opened.snapshot() as snapshot:
            return {row.domain: row.configuration for row in snapshot.domain_metadata()}

    # ---- its files

    def files(self, where: Where | None = None) -> pa.Table:
        """Returns the files that may hold matching rows, picked by SQL over partition values and statistics.

        Columns: `path` as in the log, `size` in bytes, `partition_values` as the log spells them, `num_records`,
        `added_version`, `deletion_vector` as in the log.

        Args:
            where: SQL text, a pyarrow expression, or tuples; None for all files.

        Raises:
            FilterError: a syntax error, an unknown column, a value that its column can't have. Also a ValueError.
        """
        from . import listing

        with self._picking(self._normalized(where)) as (snapshot, condition):
            return listing.files(self._opened, snapshot, condition)

    def file_uris(
        self, partition_filters: Filters | None = None, *, file_pruning_predicate: Filters | None = None
    ) -> list[str]:
        """Returns where the active files are: local paths, or URIs.

        Args:
            partition_filters: deprecated; use `file_pruning_predicate`.
            file_pruning_predicate: SQL text or tuples. Files without a matching row are left out where the catalog is
                sure of it: by partition columns exactly, by others as far as statistics tell.
        """
        from . import listing

        given = filter_forms.merged("partition_filters", partition_filters, file_pruning_predicate)
        with self._picking(self._normalized(given)) as (snapshot, condition):
            return listing.file_uris(self._opened, snapshot, condition)

    def partitions(
        self, partition_filters: Filters | None = None, *, file_pruning_predicate: Filters | None = None
    ) -> list[dict[str, str | None]]:
        """Returns the partitions that have active files; filters are as for `file_uris`."""
        from . import listing

        given = filter_forms.merged("partition_filters", partition_filters, file_pruning_predicate)
        filter_forms.check_columns(given, [field.name for field in self.schema().fields])
        with self._picking(self._normalized(given)) as (snapshot, condition):
            return listing.distinct_partitions(self._opened, snapshot, condition)

    def get_add_actions(self, flatten: bool = False) -> ArroTable:
        """Returns a row for each active file, with statistics and partition values in their columns' types.

        Args:
            flatten: whether these are columns such as `min.value` and `partition.year`, not structs.
        """
        from arro3.core import Table

        from . import add_actions

        with self._opened.snapshot() as snapshot:
            table = add_actions.add_actions(self._opened, snapshot)
        return Table.from_arrow(add_actions.flattened(table) if flatten else table)

    def deletion_vectors(self) -> ArroReader:
        """Returns `filepath` and `selection_vector` (true: the row is there) for each file with a deletion vector."""
        from . import far, mini_log

        with self._opened.snapshot() as snapshot:
            files = chain.from_iterable(snapshot.file_columns(mini_log.COLUMNS, with_deletion_vector()))
            if not self._opened.root.is_local:
                return far.deletion_vectors(self._opened, files, self._storage_options)
            table = mini_log.delta_table(self._opened, files, self._storage_options)
        return table.deletion_vectors()

    def tombstones(self) -> pa.Table:
        """Returns the files that were removed up to this version, the last removed first.

        Columns: `path` as in the log, `deletion_timestamp` in milliseconds, `removed_version`, `added_version` and
        `size` in bytes where they are known.
        """
        import pyarrow as pa

        names = ("path", "deletion_timestamp", "removed_version", "added_version", "size")
        kinds = [pa.string(), *[pa.int64()] * 4]
        with self._opened.snapshot() as snapshot:
            rows = snapshot.tombstones()
        columns = {
            name: pa.array([getattr(row, name) for row in rows], kind) for name, kind in zip(names, kinds, strict=True)
        }
        return pa.table(columns)

    def count(self) -> int:
        """Returns the number of rows as far as statistics tell; those that deletion vectors hide are counted."""
        with self._opened.snapshot() as snapshot:
            return snapshot.count().num_records

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.table_id!r}, version={self.version()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MetadataTable) and self._identity() == other._identity()

    __hash__ = None  # type: ignore[assignment]  # it moves, as delta-rs' does

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__ |= self.__dict__ | {"_owner": self}  # whose end closes the database
        return twin

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"cannot pickle {self!r}: it would take the database's password along. "
            "Pass on its table id and version, and open it there."
        )

    # ---- helpers

    def _identity(self) -> tuple[Any, ...]:
        database = self._opened.database
        return database.url, database.options.schema, self.table_id, self._opened.entry.imported_at, self.version()

    def _normalized(self, where: Any) -> Any:
        if where is None or isinstance(where, str) or not isinstance(where, list | tuple):
            return where
        return filter_forms.normalized(where, [field.name for field in self.schema().fields])

    @contextmanager
    def _picking(self, where: Any, also: Any = None) -> Iterator[tuple[Snapshot, Any]]:
        """Yields the version in the catalog, and the condition for the files that may hold matching rows.

        `also` is for engines that filter rows themselves: where it can't be used to pick files, it keeps them all.
        """
        with self._opened.snapshot() as snapshot:
            conditions = [
                filter_forms.condition(self._opened, snapshot, where),
                filter_forms.condition_if_any(self._opened, snapshot, also),
            ]
            known = [each for each in conditions if each is not None]
            yield snapshot, and_(*known) if known else None

    def _arrow_schema(self, *, large: bool = False) -> pa.Schema:
        import pyarrow as pa

        return pa.schema(self.schema().to_arrow(as_large_types=large))


def _warn_of(**given: bool) -> None:
    for name, is_given in given.items():
        if is_given:
            warnings.warn(f"`{name}` is deprecated and ignored", DeprecationWarning, stacklevel=3)
