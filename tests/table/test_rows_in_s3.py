"""Rows and files of tables in an object store, by every way to read them: the same as from a disk."""

import warnings
from collections.abc import Callable
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import DeltaError, DeltaProtocolError

from deltalakedb.client import Catalog, connect
from deltalakedb.table.delta_table import DeltaTable
from deltalakedb.table.exceptions import DeltaLakeDBWarning, FilterError, ReadError
from tests.support.databases import sqlite_url
from tests.support.lake import orders_table
from tests.support.object_stores import Bucket, S3Server
from tests.support.shared_tables import SharedTable, shared_params
from tests.table.catalogs import comparable
from tests.table.test_rows import PACIFIC, WAYS

Opened = Callable[[SharedTable], DeltaTable]


@pytest.fixture(scope="module")
def far(one_bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Opens shared tables that were imported from the bucket."""
    catalog = connect(sqlite_url(tmp_path_factory.mktemp("catalog")), storage_options=one_bucket.options)

    def opened(shared: SharedTable) -> DeltaTable:
        if shared.name not in {entry.table_id for entry in catalog.tables()}:
            catalog.import_table(one_bucket.upload(Path(shared.location), shared.name), table_id=shared.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeltaLakeDBWarning)  # one of them is managed by a catalog
            return catalog.table(shared.name)

    return opened


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "shared", shared_params(lambda table: table.is_ok and table.rows is not None and table.name != PACIFIC)
)
def test_rows_are_those_that_spark_read(far: Opened, shared: SharedTable, way: str):
    table = far(shared)
    if way == "to_pyarrow_dataset" and table._beyond_pyarrow():
        with pytest.raises(DeltaProtocolError):
            WAYS[way](table)
        return
    assert comparable(WAYS[way](table)) == comparable(pq.read_table(shared.rows))


NEEDS_AN_ENGINE = ("dv", "deletion", "mapping", "widening", "partition")


@pytest.mark.parametrize(
    "shared",
    shared_params(
        lambda table: (
            table.is_ok
            and table.rows is not None
            and table.name != PACIFIC
            and any(word in table.name.lower() for word in NEEDS_AN_ENGINE)
        )
    ),
)
def test_without_the_log_the_list_of_files_in_sql_is_enough(
    s3_server: S3Server, tmp_path: Path, shared: SharedTable, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("deltalakedb.table.far.FETCHED_FILES", 2)
    bucket = s3_server.bucket()
    with connect(sqlite_url(tmp_path), storage_options=bucket.options) as catalog:
        catalog.import_table(bucket.upload(Path(shared.location), "t"), table_id="t")
        for page in bucket.store.list("t/_delta_log"):
            bucket.store.delete([meta["path"] for meta in page])
        table = catalog.table("t")
        rows = comparable(pq.read_table(shared.rows))
        for way in ("scan", "to_polars", "to_duckdb", "to_pyarrow_table"):
            assert comparable(WAYS[way](table)) == rows, way


@pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok))
def test_files_and_deletion_vectors_are_those_of_delta_rs(far: Opened, one_bucket: Bucket, shared: SharedTable):
    table = far(shared)
    try:
        theirs = deltalake.DeltaTable(table.table_uri, storage_options=one_bucket.options)
    except DeltaError as error:
        pytest.skip(f"delta-rs does not open it: {str(error)[:80]}")
    assert table.table_uri == theirs.table_uri
    assert sorted(table.file_uris()) == sorted(theirs.file_uris())
    try:
        vectors = pa.table(theirs.deletion_vectors()).to_pylist()
    except DeltaError as error:
        pytest.skip(f"delta-rs does not read its deletion vectors: {str(error)[:80]}")
    assert sorted(map(str, pa.table(table.deletion_vectors()).to_pylist())) == sorted(map(str, vectors))


@pytest.fixture
def orders(bucket: Bucket, tmp_path: Path) -> tuple[Catalog, Path, str]:
    """A table of delta-rs in a bucket, its catalog, and where it was written."""
    orders_table(tmp_path / "orders")
    location = bucket.upload(tmp_path / "orders", "my lake/the orders")
    catalog = connect(sqlite_url(tmp_path))
    catalog.import_table(location, "orders", storage_options=bucket.options)
    return catalog, tmp_path / "orders", location


def test_a_scan_filters_and_picks_columns(orders: tuple[Catalog, Path, str], bucket: Bucket):
    catalog, here, _ = orders
    table = DeltaTable(catalog, table_id="orders", storage_options=bucket.options)
    local = deltalake.DeltaTable(here)
    column = next(field.name for field in local.schema().fields if str(field.type) == 'PrimitiveType("long")')
    where = f"{column} > 5 OR {column} IS NULL"
    found = table.scan(where=where, columns=[column]).read_all()
    expected = pa.RecordBatchReader.from_stream(local.scan(columns=[column], predicate=where)).read_all()
    assert comparable(found) == comparable(expected)
    assert 0 < found.num_rows < pa.table(local.to_pyarrow_table()).num_rows
    with pytest.raises(FilterError):
        table.scan(where="no_such_column = 1").read_all()


def test_without_the_log_rows_are_read_and_filtered_all_the_same(orders: tuple[Catalog, Path, str], bucket: Bucket):
    catalog, here, _ = orders
    table = DeltaTable(catalog, table_id="orders", storage_options=bucket.options)
    for page in bucket.store.list("my lake/the orders/_delta_log"):
        bucket.store.delete([meta["path"] for meta in page])
    assert comparable(table.to_pyarrow_table()) == comparable(deltalake.DeltaTable(here).to_pyarrow_table())
    amounts = table.scan(where="amount > 2", columns=["amount"]).read_all()["amount"].to_pylist()
    assert amounts
    assert min(amounts) > 2
    with pytest.raises(FilterError):
        table.scan(where="no_such_column = 1")
    for page in bucket.store.list("my lake/the orders"):
        bucket.store.delete([meta["path"] for meta in page])
    with pytest.raises(ReadError, match="Rows can't be read: Not found") as raised:
        table.scan().read_all()
    assert bucket.options["aws_secret_access_key"] not in str(raised.value)


def test_storage_options_are_not_shown(orders: tuple[Catalog, Path, str], bucket: Bucket, tmp_path: Path):
    catalog = orders[0]
    table = DeltaTable(catalog, table_id="orders", storage_options=bucket.options)
    secret = bucket.options["aws_secret_access_key"]
    assert secret not in f"{catalog!r} {table!r} {catalog.tables()!r}"
    assert secret.encode() not in (tmp_path / "catalog.db").read_bytes()
