"""Catalogs to read tables from.

The shared tables go into one SQLite file per process, each when a test asks for it: hundreds of tests read them.
"""

import atexit
import shutil
import tempfile
import warnings
from datetime import UTC, datetime
from functools import cache
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from deltalakedb.client import Catalog, connect
from deltalakedb.table.delta_table import DeltaTable
from deltalakedb.table.exceptions import DeltaLakeDBWarning
from tests.support.shared_tables import SharedTable


@cache
def _catalog() -> Catalog:
    folder = tempfile.mkdtemp(prefix="shared-catalog-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return connect(f"sqlite:///{folder}/catalog.db")


@cache
def imported(shared: SharedTable) -> Catalog:
    """Returns the catalog that has a shared table, under its name."""
    catalog = _catalog()
    catalog.import_table(shared.location, table_id=shared.name)
    return catalog


@cache
def opened(shared: SharedTable, version: int | None = None) -> DeltaTable:
    """Returns a shared table as SQL has it. Not to be moved to another version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeltaLakeDBWarning)  # one of them is managed by a catalog
        return DeltaTable(imported(shared), table_id=shared.name, version=version)


def versions_of(shared: SharedTable) -> range:
    """The versions that a shared table's log can rebuild."""
    return range(shared.expected["first_version"], shared.expected["version"] + 1)


@cache
def by_delta_rs(shared: SharedTable, version: int | None = None) -> deltalake.DeltaTable:
    """Returns a shared table as delta-rs opens it, or skips the test. Not to be moved to another version."""
    try:
        return deltalake.DeltaTable(shared.location, version=version)
    except deltalake.exceptions.DeltaError as error:
        pytest.skip(f"delta-rs does not open it: {str(error)[:80]}")


MANY_ROWS = 20_000


def comparable(table: Any) -> list[Any]:
    """A table's rows in an order of their own, in a form in which equal rows of different engines are equal texts.

    Times without a zone are UTC, structs are ordered by name, and a NaN is a NaN. Of many rows the columns are
    compared, which must be of simple types; row by row a million would take half a minute.
    """
    table = pa.table(table)
    if table.num_rows > MANY_ROWS:
        rows = table.sort_by([(name, "ascending") for name in table.column_names])
        return [pc.cast(rows[name].combine_chunks(), pa.string()) for name in sorted(rows.column_names)]
    return sorted(repr(_plain(row)) for row in table.to_pylist())


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return [(key, _plain(item)) for key, item in sorted(value.items())]
        case list() | tuple():
            return [_plain(item) for item in value]
        case datetime():
            zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
            return zoned.astimezone(UTC).isoformat()
    return value
