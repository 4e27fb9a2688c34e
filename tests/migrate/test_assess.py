from pathlib import Path

import pytest
from sqlalchemy import inspect

from deltalakedb.catalog.database import Database
from deltalakedb.errors import CorruptLogError, TableExistsError
from deltalakedb.migrate.assess import assess
from deltalakedb.migrate.importer import import_table
from tests.support.lake import many_files_table, orders_table
from tests.support.logs import LogBuilder, add, dv, metadata, protocol, remove


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    yield database
    database.close()


def test_says_what_an_import_then_does(database, tmp_path):
    orders_table(tmp_path / "orders")
    would = assess(database, str(tmp_path / "orders"))
    did = import_table(database, str(tmp_path / "orders"))
    assert would.status == "would import"
    for name in ("table_id", "location", "first_version", "version", "commits", "files_processed", "active_files"):
        assert getattr(would, name) == getattr(did, name), name
    assert (would.dry_run, would.resumed) == (True, False)


def test_makes_no_database_file(tmp_path):
    orders_table(tmp_path / "orders")
    assess(Database(f"sqlite:///{tmp_path}/new.db"), str(tmp_path / "orders"))
    assert [path.name for path in tmp_path.iterdir()] == ["orders"]


def test_makes_no_table_in_an_empty_database(database, tmp_path):
    orders_table(tmp_path / "orders")
    assess(database, str(tmp_path / "orders"))
    if not database.dialect.missing(database.url):
        with database._reader.connect() as connection:
            assert inspect(connection).get_table_names() == []


def test_estimates_the_size_within_a_factor_of_two(tmp_path):
    many_files_table(tmp_path / "many", files=10_000, commits=20)
    database = Database(f"sqlite:///{tmp_path}/catalog.db")
    estimated = assess(database, str(tmp_path / "many")).estimated_bytes
    import_table(database, str(tmp_path / "many"))
    size = Path(tmp_path, "catalog.db").stat().st_size
    assert size / 2 < estimated < size * 2


def test_names_the_features_that_it_finds(tmp_path):
    log = LogBuilder(tmp_path / "t")
    features = protocol(3, 7, readerFeatures=["deletionVectors"], writerFeatures=["deletionVectors", "domainMetadata"])
    log.commit(features, metadata(configuration={"delta.appendOnly": "true"}), add("a.parquet"))
    log.commit(remove("a.parquet"), add("a.parquet", deletionVector=dv()))
    assert assess(Database(f"sqlite:///{tmp_path}/c.db"), str(tmp_path / "t")).features == (
        "appendOnly",
        "deletionVectors",
        "domainMetadata",
    )


def test_tells_what_is_left_to_do(database, tmp_path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a.parquet"))
    location = str(tmp_path / "t")
    import_table(database, location)
    assert assess(database, location).status == "nothing to do: it is there"
    log.commit(add("b.parquet"))
    would = assess(database, location)
    assert (would.status, would.resumed) == ("would take in 1 new version with --resume", True)


def test_refuses_what_an_import_would_refuse(database, tmp_path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a.parquet"))
    log.commit(raw=b'{"add":{"pa')
    with pytest.raises(CorruptLogError, match=r"0001\.json, line 1"):
        assess(database, str(tmp_path / "t"))


def test_a_table_id_of_another_location_is_refused(database, tmp_path):
    LogBuilder(tmp_path / "a" / "t").commit(protocol(), metadata(), add("a.parquet"))
    LogBuilder(tmp_path / "b" / "t").commit(protocol(), metadata(), add("a.parquet"))
    import_table(database, str(tmp_path / "a" / "t"))
    with pytest.raises(TableExistsError, match="another location"):
        assess(database, str(tmp_path / "b" / "t"))
