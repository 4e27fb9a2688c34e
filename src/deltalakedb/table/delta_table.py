"""`DeltaTable`: the read side of delta-rs' class of this name, answered from SQL."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..catalog.snapshot import Snapshot
from ..errors import ArgumentError
from . import filters as filter_forms
from .exceptions import UnsupportedTableError
from .metadata_table import Filters, MetadataTable, Where

if TYPE_CHECKING:
    import deltalake
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds


class DeltaTable(MetadataTable):
    """A Delta table at one version, read from the catalog: its log is not touched.

    Names, arguments, results and exceptions are those of `deltalake.DeltaTable`. A table that is open stays at its
    version while syncs go on; `update_incremental` and `load_as_version` move it.

    Args:
        database: the catalog's URL, or a `Catalog`.
        table_id: the table.
        version: the version; by default the newest one that the catalog has.
        timestamp: in place of a version, the time at which it was the newest; as for `load_as_version`.
        storage_options: for the object store of the data files, as for delta-rs.
        without_files, log_buffer_size, skip_stats: deprecated and ignored, as by delta-rs.

    Raises:
        TableNotFoundError, ImportIncompleteError: there is no such table, or its import has not completed.
        VersionNotFoundError: below the table's first version, beyond the catalog's newest, or in a gap.
        CatalogError: the database refuses.

    Warns:
        DeltaLakeDBWarning: the table is managed by a catalog, which may have commits that its log has not yet.
    """

    def scan(
        self,
        where: Where | None = None,
        columns: Sequence[str] | None = None,
        *,
        predicate: str | None = None,
    ) -> pa.RecordBatchReader:
        """Returns the rows as they are asked for, in no order: a table may be larger than the memory.

        Deletion vectors, column mapping and widened types are applied.

        Args:
            where: what every row fulfils: SQL text, a pyarrow expression, or tuples.
            columns: the wanted columns, in this order; None for all.
            predicate: another name for `where`, as SQL text.

        Raises:
            UnsupportedTableError: the rows need a feature that no engine here has.
            FilterError: a syntax error, an unknown column, a value that its column can't have. Also a ValueError.
            ReadError: a data file can't be read; also while rows are read.
        """
        if _is_names(where):  # delta-rs has the columns first
            where, columns = None, where if columns is None else columns
        if isinstance(columns, str):
            raise TypeError(f"columns is a list of names, not a text: [{columns!r}]")
        if predicate is not None:
            if where is not None:
                raise ArgumentError("`where` and `predicate` are two names of one thing; pass one of them.")
            where = predicate
        where = self._normalized(where)
        if isinstance(where, list):
            where = filter_forms.expression(where, self._arrow_schema(), self._opened.table_schema)
        is_text = isinstance(where, str)
        return self._stream(where, columns, predicate=where if is_text else None, expression=None if is_text else where)

    def to_pyarrow_dataset(
        self,
        partitions: Filters | None = None,
        filesystem: Any = None,
        parquet_read_options: ds.ParquetReadOptions | None = None,
        schema: pa.Schema | None = None,
        as_large_types: bool = False,
        file_pruning_predicate: Filters | None = None,
    ) -> ds.FileSystemDataset:
        """Returns the table as a pyarrow dataset.

        Args:
            partitions: deprecated; use `file_pruning_predicate`.
            filesystem: one whose root is the table's folder; None for the table's own.
            parquet_read_options: for Parquet.
            schema: in place of the table's.
            as_large_types: strings, binaries and lists with 64-bit offsets.
            file_pruning_predicate: SQL text or tuples, as for `file_uris`.

        Raises:
            UnsupportedTableError: pyarrow would give wrong rows: deletion vectors, column mapping, widened types. Also
                a DeltaProtocolError. `scan` reads such a table.
        """
        given = filter_forms.merged("partitions", partitions, file_pruning_predicate)
        self._check_pyarrow()
        schema = self._arrow_schema(large=as_large_types) if schema is None else schema
        return self._dataset(self._normalized(given), schema, filesystem, parquet_read_options)

    def to_pyarrow_table(
        self,
        partitions: Filters | None = None,
        columns: list[str] | None = None,
        filesystem: Any = None,
        filters: Filters | pc.Expression | None = None,
    ) -> pa.Table:
        """Returns the rows as a pyarrow table.

        Args:
            partitions: deprecated; use `filters`.
            columns: the wanted columns, in this order; None for all.
            filesystem: one whose root is the table's folder; None for the table's own.
            filters: what every row fulfils, as tuples or a pyarrow expression.

        Raises:
            UnsupportedTableError: the rows need a feature that no engine here has. Also a DeltaProtocolError.
        """
        import pyarrow as pa
        from pyarrow.parquet import filters_to_expression

        if partitions is not None:
            warnings.warn("`partitions` is deprecated; use `filters` instead", DeprecationWarning, stacklevel=2)
        expression = None if filters is None else filters_to_expression(filters)
        where = self._normalized(partitions)
        if filesystem is None and self._beyond_pyarrow():
            return self._stream(where, columns, expression=expression, also=expression).read_all()
        self._check_pyarrow()
        try:
            dataset = self._dataset(where, self._arrow_schema(), filesystem, None, also=expression)
            return dataset.to_table(columns=columns, filter=expression)
        except (UnsupportedTableError, pa.ArrowException) as error:
            # Deletion vectors that the protocol does not name, files with views of strings: the engine reads these.
            if filesystem is not None:
                raise
            try:
                return self._stream(where, columns, expression=expression, also=expression).read_all()
            except Exception:
                raise error from None  # a filter that is wrong, say

    def to_pandas(
        self,
        partitions: Filters | None = None,
        columns: list[str] | None = None,
        filesystem: Any = None,
        filters: Filters | pc.Expression | None = None,
        types_mapper: Callable[[pa.DataType], Any] | None = None,
    ) -> pd.DataFrame:
        """Returns the rows as a pandas frame; arguments as for `to_pyarrow_table`.

        Args:
            partitions: deprecated; use `filters`.
            columns: the wanted columns, in this order; None for all.
            filesystem: one whose root is the table's folder; None for the table's own.
            filters: what every row fulfils, as tuples or a pyarrow expression.
            types_mapper: pyarrow types → pandas extension types.
        """
        table = self.to_pyarrow_table(partitions, columns, filesystem, filters)
        frame: pd.DataFrame = table.to_pandas(types_mapper=types_mapper)
        return frame

    def to_polars(self) -> pl.LazyFrame:
        """Returns the rows as a lazy Polars frame that reads only the columns and files that a query needs."""
        from . import streamed

        self._check_rows()
        return streamed.lazy_frame(self._arrow_schema(), self._pinned()._scan_for_engines)

    def to_duckdb(self, connection: duckdb.DuckDBPyConnection, name: str) -> duckdb.DuckDBPyRelation:
        """Makes the table known to a DuckDB connection, and returns it as a relation.

        Nothing is read before a query runs, and then only the columns and files that it needs.

        Args:
            connection: DuckDB's.
            name: of the table there.
        """
        from . import streamed

        self._check_rows()
        connection.register(name, streamed.StreamedDataset(self._arrow_schema(), self._pinned()._scan_for_engines))
        return connection.table(name)

    @property
    def _table(self) -> Any:
        """What `deltalake.QueryBuilder.register` takes: the version as delta-rs' own object, which can be queried."""
        return self._by_delta_rs()._table

    def __datafusion_table_provider__(self, session: Any | None = None) -> Any:
        """Returns what DataFusion's `SessionContext.register_table` takes."""
        return self._by_delta_rs().__datafusion_table_provider__(session)

    # ---- helpers

    def _by_delta_rs(self, where: Any = None, also: pc.Expression | None = None) -> deltalake.DeltaTable:
        """Returns a table of delta-rs that has the files which `where` and `also` leave."""
        from . import mini_log

        self._check_rows()
        with self._picking(where, also) as (snapshot, condition):
            return mini_log.delta_table(self._opened, self._files(snapshot, condition), self._storage_options)

    def _files(self, snapshot: Snapshot, condition: Any) -> Iterator[tuple[Any, ...]]:
        """Yields what a table of delta-rs needs to know of the files that a condition leaves."""
        from . import data_files, mini_log

        pieces = chain.from_iterable(snapshot.file_columns(mini_log.COLUMNS, condition))
        return data_files.checked(self._opened, snapshot, pieces, self._storage_options)

    def _check_rows(self) -> None:
        from . import features

        features.check_rows(self.protocol().min_reader_version, self._row_features())

    def _beyond_pyarrow(self) -> list[str]:
        from . import features

        return features.beyond_pyarrow(self._row_features(), self._opened.column_mapping)

    def _row_features(self) -> frozenset[str]:
        from . import features

        protocol = self.protocol()
        return features.of_rows(protocol.reader_features, protocol.writer_features)

    def _check_pyarrow(self) -> None:
        self._check_rows()
        wrong = self._beyond_pyarrow()
        if wrong:
            names = ", ".join(repr(name) for name in wrong)
            raise UnsupportedTableError(
                f"The table requires reader feature {names} but this is not supported using pyarrow Datasets.",
                "scan(), to_pyarrow_table() and to_pandas() read it, without a file system of your own.",
            )

    def _dataset(
        self,
        where: Any,
        schema: pa.Schema,
        filesystem: Any,
        read_options: Any,
        *,
        also: pc.Expression | None = None,
    ) -> ds.FileSystemDataset:
        from .dataset import dataset

        with self._picking(where, also) as (snapshot, condition):
            return dataset(
                self._opened,
                snapshot,
                where=condition,
                schema=schema,
                filesystem=filesystem,
                read_options=read_options,
                storage_options=self._storage_options,
            )

    def _stream(
        self,
        where: Any,
        columns: Sequence[str] | None,
        *,
        predicate: str | None = None,
        expression: pc.Expression | None = None,
        also: pc.Expression | None = None,
    ) -> pa.RecordBatchReader:
        """Returns the rows of the files that `where` and `also` leave, those that the other conditions leave."""
        from . import far, scan

        def read(table: deltalake.DeltaTable, beside: deltalake.DeltaTable | None = None) -> pa.RecordBatchReader:
            schema = self._arrow_schema()
            return scan.stream(
                table, schema, columns=columns, predicate=predicate, expression=expression, beside=beside
            )

        try:
            beside = far.neighbour(self._opened, self._storage_options)
        except UnsupportedTableError:  # the log is gone: SQL knows the files all the same
            self._check_rows()
            with self._picking(where, also) as (snapshot, condition):
                files = list(self._files(snapshot, condition))
            return far.fetched(self._opened, files, self._storage_options, read)
        return read(self._by_delta_rs(where, also), beside)

    def _pinned(self) -> DeltaTable:
        """Returns the table as it is open now: engines ask later, when this object may have moved on."""
        return copy(self)

    def _scan_for_engines(
        self, where: pc.Expression | None, columns: Sequence[str] | None, expression: pc.Expression | None
    ) -> pa.RecordBatchReader:
        """As `_stream`, for engines that filter rows themselves: what can't be used to pick files keeps them all."""
        return self._stream(None, columns, expression=expression, also=where)


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(name, str) for name in value)
