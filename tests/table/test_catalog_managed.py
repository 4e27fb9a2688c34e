"""A table whose catalog has commits that the log has not yet: whoever reads it is told."""

import warnings
from pathlib import Path

import pytest

import deltalakedb
from tests.support.logs import LogBuilder, add, commit_info, metadata, protocol

MISSING = r"t: The table is managed by a catalog \(catalogManaged\): commits .* not published are missing"


@pytest.fixture
def catalog(database_url: str, tmp_path: Path) -> deltalakedb.Catalog:
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"), commit_info())
    log.commit(protocol(features=["catalogManaged"]), commit_info())
    with deltalakedb.connect(database_url) as catalog:
        catalog.import_table(str(log.root))
        yield catalog


def test_opening_it_warns(catalog: deltalakedb.Catalog, database_url: str):
    for call in (lambda: catalog.table("t"), lambda: deltalakedb.DeltaTable(database_url, table_id="t")):
        with pytest.warns(deltalakedb.DeltaLakeDBWarning, match=MISSING):
            assert call().count() == 1


@pytest.mark.usefixtures("catalog")
def test_the_warning_points_at_who_opens_it(database_url: str):
    with pytest.warns(deltalakedb.DeltaLakeDBWarning) as caught:
        deltalakedb.DeltaTable(database_url, table_id="t")
    assert [Path(one.filename) for one in caught] == [Path(__file__)]
    assert issubclass(deltalakedb.DeltaLakeDBWarning, UserWarning)


def test_a_version_before_that_is_whole(catalog: deltalakedb.Catalog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert catalog.table("t", version=0).count() == 1
