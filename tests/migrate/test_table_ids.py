"""A table is found by its location, whatever its id is and however the location is spelled."""

import os
import time
from pathlib import Path

import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.errors import ArgumentError, LogError, TableExistsError, TableNotFoundError
from deltalakedb.log.store import open_store
from deltalakedb.migrate.assess import assess
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.table_ids import KnownTable, KnownTables, table_at
from deltalakedb.migrate.validate import validate_and_keep
from deltalakedb.table.compare import compare_performance
from tests.support.lake import plain_table
from tests.support.logs import LogBuilder, add, metadata, protocol


@pytest.fixture
def returns(database: Database, tmp_path: Path) -> Path:
    """A table that is in the catalog as `returns/orders`; `link` leads to the folder above it, `other` to itself."""
    root = tmp_path / "lake" / "returns" / "orders"
    plain_table(root, commits=2)
    import_table(database, root, "returns/orders")
    (tmp_path / "link").symlink_to(tmp_path / "lake" / "returns")
    (tmp_path / "other").symlink_to(root)
    return root


SPELLINGS = {
    "as it is": "{root}",
    "with a slash": "{root}/",
    "with two slashes": "{root}//",
    "relative": "lake/returns/orders",
    "with dots": "{root}/../orders/.",
    "by a link above it": "link/orders",
    "by a link of another name": "other",
    "as a URI": "file://{root}",
    "as a URI with a slash": "file://{root}/",
    "as an encoded URI": "file://{encoded}",
}


@pytest.fixture(params=SPELLINGS.values(), ids=SPELLINGS)
def spelling(request: pytest.FixtureRequest, returns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return str(request.param).format(root=returns, encoded=str(returns).replace("orders", "%6Frders"))


def ids(database: Database) -> list[tuple[str, str, int]]:
    with database.reading() as connection:
        found = {entry.table_id: entry for entry in registry.entries(connection)}
        assert {(one.table_id, one.location) for one in registry.statuses(connection)} == {
            (one.table_id, one.location) for one in found.values()
        }
    return [(one.table_id, one.location, one.version) for one in found.values()]


def test_whatever_takes_a_path_finds_it(database: Database, returns: Path, spelling: str):
    with pytest.raises(TableExistsError, match="'returns/orders' is in the catalog already, at version 1"):
        import_table(database, spelling)
    LogBuilder(returns, version=2).commit(add("new.parquet"))
    dry = assess(database, spelling)
    assert (dry.table_id, dry.location) == ("returns/orders", str(returns))
    assert dry.status == "would take in 1 new version with --resume"
    resumed = import_table(database, spelling, resume=True)
    assert (resumed.table_id, resumed.location, resumed.version) == ("returns/orders", str(returns), 2)
    assert import_table(database, spelling, "returns/orders", resume=True).version == 2
    assert ids(database) == [("returns/orders", str(returns), 2)]
    report, _ = validate_and_keep(database, spelling)
    assert (report.table_id, report.valid) == ("returns/orders", True)


def test_it_is_measured_by_its_location(database: Database, returns: Path, tmp_path: Path):
    for spelling in (returns, tmp_path / "other"):
        assert compare_performance(database, spelling, repeat=1).table_id == "returns/orders"


def test_an_import_that_stopped_goes_on_by_another_spelling(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    log.commit(add("b"))
    log.commit(add("c"))

    class Stop(Exception):
        pass

    def stop(_: object) -> None:
        raise Stop

    with pytest.raises(Stop):
        import_table(database, log.root, "by_hand", batch_size=1, listener=stop)
    (tmp_path / "link").symlink_to(log.root)
    assert import_table(database, tmp_path / "link", resume=True).table_id == "by_hand"
    assert ids(database) == [("by_hand", str(log.root), 2)]


def test_a_second_copy_has_to_be_asked_for_and_is_told_apart(database: Database, returns: Path):
    import_table(database, returns, "copy")
    several = "several tables of .*: 'copy', 'returns/orders'"
    for refused in (
        lambda: import_table(database, returns, resume=True),
        lambda: assess(database, returns),
        lambda: validate_and_keep(database, returns),
    ):
        with pytest.raises(ArgumentError, match=several):
            refused()
    assert validate_and_keep(database, returns, "copy")[0].table_id == "copy"
    import_table(database, returns, "orders")
    assert validate_and_keep(database, returns)[0].table_id == "orders"
    assert import_table(database, returns, resume=True).table_id == "orders"


def test_what_failed_before_it_loaded_anything_is_in_nobodys_way(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    log.commit(raw=b"{")
    (tmp_path / "t" / "_delta_log" / "00000000000000000000.json").rename(tmp_path / "kept")
    with pytest.raises(LogError):
        import_table(database, log.root, "first")
    (tmp_path / "kept").rename(tmp_path / "t" / "_delta_log" / "00000000000000000000.json")
    (tmp_path / "t" / "_delta_log" / "00000000000000000001.json").unlink()
    import_table(database, log.root, "second")
    assert import_table(database, log.root, resume=True).table_id == "second"


def test_the_id_of_a_table_that_is_elsewhere_is_not_taken_for_this_one(database: Database, tmp_path: Path):
    plain_table(tmp_path / "a" / "plain")
    plain_table(tmp_path / "b" / "plain")
    import_table(database, tmp_path / "a" / "plain")
    with pytest.raises(TableExistsError, match="used for another location"):
        import_table(database, tmp_path / "b" / "plain", resume=True)
    with pytest.raises(ArgumentError, match="'plain' was imported from"):
        validate_and_keep(database, tmp_path / "b" / "plain")
    with pytest.raises(TableNotFoundError, match="no table 'c'"):
        validate_and_keep(database, tmp_path / "c")


def test_a_folder_whose_name_differs_in_case_or_blanks_is_another_one(database: Database, tmp_path: Path):
    for name in ("t", "T", "t "):
        plain_table(tmp_path / name, commits=1)
    import_table(database, tmp_path / "t", "small")
    import_table(database, tmp_path / "T", "large")
    import_table(database, tmp_path / "t ", "wide")
    with database.reading() as connection:
        found = [table_at(connection, open_store(str(tmp_path / name))).table_id for name in ("t", "T", "t ")]
    assert found == ["small", "large", "wide"]


def test_in_a_bucket_a_table_is_found_by_every_spelling(database: Database, bucket, tmp_path: Path):
    plain_table(tmp_path / "t", commits=2)
    bucket.upload(tmp_path / "t", "sales/my orders")
    import_table(database, f"{bucket.uri}/sales/my orders", "mine", storage_options=bucket.options)
    uri = f"{bucket.uri}/sales/my%20orders"
    for spelling in (uri, f"{uri}/", uri.replace("s3://", "s3a://"), uri.replace("sales", "s%61les")):
        report = import_table(database, spelling, resume=True, storage_options=bucket.options)
        assert (report.table_id, report.location) == ("mine", uri)


def test_ten_thousand_tables_are_looked_through_at_once(tmp_path: Path):
    for number in range(10):
        (tmp_path / str(number)).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "3")
    known = (KnownTable(f"{n % 10}/{n}", f"{tmp_path}/{n % 10}/t{n}", True) for n in range(10_000))
    tables = KnownTables(known)
    begun = time.perf_counter()
    assert [table.table_id for table in tables.at(f"{tmp_path}/link/t3")] == ["3/3"]
    assert tables.at(f"{tmp_path}/link/t4") == []
    assert time.perf_counter() - begun < 2
    assert os.path.realpath(tmp_path / "link") == str(tmp_path / "3")
