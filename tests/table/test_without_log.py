"""With the log gone, everything still answers: the catalog has it all, and the data files are where they were."""

from pathlib import Path

import deltalake
import duckdb
import pyarrow as pa
import pytest

from deltalakedb.client import connect
from deltalakedb.table.delta_table import DeltaTable
from tests.support.lake import orders_table
from tests.support.shared_tables import shared_params
from tests.table.catalogs import comparable


@pytest.fixture
def without_log(tmp_path, database_url):
    """`(table, how delta-rs read it before, its folder)`; the log was renamed away after the import."""
    orders_table(tmp_path / "orders")
    with connect(database_url) as catalog:
        catalog.import_table(str(tmp_path / "orders"))
        before = [deltalake.DeltaTable(tmp_path / "orders", version=version) for version in range(12)]
        expected = [_answers(table) for table in before]
        (tmp_path / "orders" / "_delta_log").rename(tmp_path / "gone")
        with pytest.raises(deltalake.exceptions.TableNotFoundError):
            deltalake.DeltaTable(tmp_path / "orders")
        yield DeltaTable(catalog, table_id="orders"), expected, tmp_path / "orders"


def _answers(table) -> dict:
    return {
        "version": table.version(),
        "schema": table.schema(),
        "protocol": table.protocol(),
        "metadata": table.metadata().id,
        "uris": sorted(table.file_uris()),
        "partitions": sorted(map(str, table.partitions())),
        "actions": pa.table(table.get_add_actions()).sort_by("path").to_pylist(),
        "count": table.count(),
        "rows": comparable(table.to_pyarrow_table()),
        "transaction": table.transaction_version("loader"),
    }


def test_every_version_answers_as_before(without_log):
    table, expected, folder = without_log
    for version in range(12):
        table.load_as_version(version)
        assert _answers(table) == expected[version]
        assert comparable(table.scan().read_all()) == expected[version]["rows"]
    assert not (folder / "_delta_log").exists()


def test_every_engine_reads_it(without_log):
    table, expected, _ = without_log
    rows = expected[11]["rows"]
    assert comparable(table.to_polars().collect().to_arrow()) == rows
    assert comparable(table.to_pyarrow_dataset().to_table()) == rows
    assert comparable(pa.Table.from_pandas(table.to_pandas(), preserve_index=False)) == rows
    with duckdb.connect() as connection:
        assert comparable(table.to_duckdb(connection, "orders").to_arrow_table()) == rows
    assert table.scan("order_id = 200").read_all().num_rows == 1
    assert [row["version"] for row in table.history()] == list(range(11, -1, -1))
    assert table.tombstones().num_rows > 0
    assert table.deletion_vectors().read_all().num_rows == 0


@pytest.mark.parametrize(
    "shared",
    shared_params(lambda table: table.name in ("krs/table-with-dv-small", "gold/table-with-columnmapping-mode-name")),
)
def test_deletion_vectors_and_column_mapping_need_no_log(shared, tmp_path, sqlite_url):
    copy = tmp_path / "copy"
    _copy(Path(shared.location), copy)
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(copy), table_id="t")
        theirs = deltalake.DeltaTable(copy)
        expected = comparable(theirs.scan().read_all()), comparable(theirs.deletion_vectors().read_all())
        (copy / "_delta_log").rename(tmp_path / "gone")
        table = DeltaTable(catalog, table_id="t")
        assert (comparable(table.scan().read_all()), comparable(table.deletion_vectors().read_all())) == expected


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())
