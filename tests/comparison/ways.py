"""Every way to read a table's rows, each beside the same engine on all rows, where nothing can be left out.

    WAYS         # scan, to_pyarrow_table, to_pandas, to_pyarrow_dataset, to_polars, to_duckdb
    way.read(table, predicate) == way.reference(unpruned, predicate)

Engines differ in what a comparison with NaN or a cast means, and that is theirs to say: so none is compared with
another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import deltalake
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

from deltalakedb.table.delta_table import DeltaTable
from tests.comparison import notations, tables
from tests.comparison.kinds import Kind
from tests.comparison.predicates import Predicate
from tests.comparison.tables import Table
from tests.table.catalogs import comparable

Rows = list[Any]
"""Rows in an order of their own, in a form in which equal ones are equal."""


@dataclass
class Unpruned:
    """All rows of a table, for every engine."""

    table: Table
    folder: Path

    @cached_property
    def rows(self) -> pa.Table:
        """The rows themselves."""
        return tables.truth(self.table)

    @cached_property
    def by_delta_rs(self) -> deltalake.DeltaTable:
        """As a table of delta-rs of which nothing is known, not even the statistics of its Parquet file."""
        tables.write_plain(self.table, self.folder)
        return deltalake.DeltaTable(self.folder)

    @cached_property
    def by_polars(self) -> pl.DataFrame:
        """As a frame of Polars."""
        frame = pl.from_arrow(self.rows)
        assert isinstance(frame, pl.DataFrame)
        return frame

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The primitive columns at the top."""
        known = tables.schemas.fields_at(self.table.fields, self.table.last)
        return {
            each.names[-1]: each.type.at(self.table.last)
            for each in known
            if isinstance(each.type, tables.schemas.Primitive)
        }


Asked = Any
"""A condition in the notation of a way."""


@dataclass(frozen=True)
class Way:
    """A way to read rows.

    Attributes:
        name: for people.
        notation: a condition as it takes it; None where it has no words for one.
        read: the rows of a table that match, or all.
        reference: the same engine on all rows.
        plain_only: whether only tables can be read that pyarrow reads by itself.
    """

    name: str
    notation: Callable[[Predicate], Asked | None]
    read: Callable[[DeltaTable, Asked | None], Rows]
    reference: Callable[[Unpruned, Asked | None], Rows]
    plain_only: bool = False


def _expression(unpruned: Unpruned, asked: Asked | None) -> pa.Table:
    return ds.dataset(unpruned.rows).to_table(filter=asked)


def _filters(unpruned: Unpruned, asked: Asked | None) -> pa.Table:
    from pyarrow.parquet import filters_to_expression

    return _expression(unpruned, None if asked is None else filters_to_expression(asked))


def _meaning(unpruned: Unpruned, asked: Asked | None) -> pa.Table:
    return _expression(unpruned, None if asked is None else notations.meaning(asked, unpruned.kinds))


def _by_delta_rs(unpruned: Unpruned, asked: Asked | None) -> Rows:
    return comparable(pa.table(unpruned.by_delta_rs.scan(predicate=asked)))


def _by_polars(frame: pl.LazyFrame, asked: Asked | None) -> Rows:
    found = frame if asked is None else frame.filter(asked)
    return comparable(found.collect().to_arrow())


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()  # one for all: it takes longer to open than to ask
    connection.execute("SET timezone = 'UTC'")
    connection.execute("SET threads = 1")
    return connection


def _selected(asked: Asked | None) -> Rows:
    found = _duckdb().sql("SELECT * FROM t" + (f" WHERE {asked}" if asked else ""))
    return comparable(found.to_arrow_table())


def _in_duckdb(table: DeltaTable, asked: Asked | None) -> Rows:
    table.to_duckdb(_duckdb(), "t")
    return _selected(asked)


def _by_duckdb(unpruned: Unpruned, asked: Asked | None) -> Rows:
    _duckdb().register("t", unpruned.rows)
    return _selected(asked)


def _of_frame(frame: Any) -> Rows:
    return sorted(repr([(name, _plain(value)) for name, value in row.items()]) for row in frame.to_dict("records"))


def _plain(value: Any, *, inside: bool = False) -> Any:
    """A value of a frame; within structs, pandas has integers as doubles where a chunk has NULLs, and NaN for them."""
    match value:
        case np.ndarray() | list() | tuple():
            return [_plain(each, inside=True) for each in value]
        case dict():
            return [(name, _plain(each, inside=True)) for name, each in value.items()]
        case int() | float() | np.number() if inside and not isinstance(value, bool):
            return None if np.isnan(value) else float(value)
    return value


WAYS = [
    Way("scan(sql)", notations.sql, lambda t, asked: comparable(t.scan(asked).read_all()), _by_delta_rs),
    Way(
        "scan(expression)",
        notations.expression,
        lambda t, asked: comparable(t.scan(asked).read_all()),
        lambda unpruned, asked: comparable(_expression(unpruned, asked)),
    ),
    Way(
        "scan(tuples)",
        notations.encoded_tuples,
        lambda t, asked: comparable(t.scan(asked).read_all()),
        lambda unpruned, asked: comparable(_meaning(unpruned, asked)),
    ),
    Way(
        "to_pyarrow_table(expression)",
        notations.expression,
        lambda t, asked: comparable(t.to_pyarrow_table(filters=asked)),
        lambda unpruned, asked: comparable(_expression(unpruned, asked)),
    ),
    Way(
        "to_pyarrow_table(tuples)",
        notations.tuples,
        lambda t, asked: comparable(t.to_pyarrow_table(filters=asked)),
        lambda unpruned, asked: comparable(_filters(unpruned, asked)),
    ),
    Way(
        "to_pandas(tuples)",
        notations.tuples,
        lambda t, asked: _of_frame(t.to_pandas(filters=asked)),
        lambda unpruned, asked: _of_frame(_filters(unpruned, asked).to_pandas()),
    ),
    Way(
        "to_pyarrow_dataset()",
        notations.expression,
        lambda t, asked: comparable(t.to_pyarrow_dataset().to_table(filter=asked)),
        lambda unpruned, asked: comparable(_expression(unpruned, asked)),
        plain_only=True,
    ),
    Way(
        "to_polars()",
        notations.polars,
        lambda t, asked: _by_polars(t.to_polars(), asked),
        lambda unpruned, asked: _by_polars(unpruned.by_polars.lazy(), asked),
    ),
    Way("to_duckdb()", notations.duckdb_sql, _in_duckdb, _by_duckdb),
]


# ---- what leaves files out


@dataclass(frozen=True)
class Picker:
    """A way to leave files out.

    Attributes:
        name: for people.
        notation: a condition as it takes it.
        picked: the paths of the files that it keeps.
        matching: the rows that match, by the engine whose notation it is.
        plain_only: whether only tables can be asked that pyarrow reads by itself.
    """

    name: str
    notation: Callable[[Predicate], Asked | None]
    picked: Callable[[DeltaTable, Asked], set[str]]
    matching: Callable[[Unpruned, Asked], pa.Table]
    plain_only: bool = False


def _files(table: DeltaTable, asked: Asked) -> set[str]:
    return set(table.files(asked)["path"].to_pylist())


PICKERS = [
    Picker("files(sql)", notations.sql, _files, lambda u, asked: pa.table(u.by_delta_rs.scan(predicate=asked))),
    Picker("files(expression)", notations.expression, _files, _expression),
    Picker("files(tuples)", notations.encoded_tuples, _files, _meaning),
]
PICKERS += [
    Picker(
        "fragments(expression)",
        notations.expression,
        lambda t, asked: {quote(one.path) for one in t.to_pyarrow_dataset().get_fragments(filter=asked)},
        _expression,
        plain_only=True,
    ),
    Picker(
        "to_pyarrow_dataset(sql)",
        notations.sql,
        lambda t, asked: set(map(quote, t.to_pyarrow_dataset(file_pruning_predicate=asked).files)),
        lambda u, asked: pa.table(u.by_delta_rs.scan(predicate=asked)),
        plain_only=True,
    ),
]
