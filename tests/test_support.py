"""The rig itself: what the other tests stand on."""

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from deltalake import DeltaTable

from tests.support import lake
from tests.support.databases import driver_url, fresh_postgres
from tests.support.logs import (
    LogBuilder,
    add,
    cdc,
    commit_info,
    domain,
    dv,
    file_key,
    metadata,
    protocol,
    remove,
    txn,
)
from tests.support.shared_tables import SKIPPED, SharedTable, shared_params, shared_tables

V2 = {"features": ["v2Checkpoint"], "writer_features": ["domainMetadata"]}


def opened(log: LogBuilder, version: int | None = None) -> set[str]:
    """The names of the files that delta-rs sees."""
    return {Path(uri).name for uri in DeltaTable(log.root, version=version).file_uris()}


def names(log: LogBuilder, version: int | None = None) -> set[str]:
    return {path for path, _ in log.files(version)}


# ---- databases


def test_a_database_is_empty_and_takes_tables(database_url: str):
    engine = sa.create_engine(driver_url(database_url), poolclass=sa.NullPool)
    assert sa.inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (id INTEGER PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO t VALUES (1)"))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT id FROM t")).scalar_one() == 1


@pytest.mark.parametrize("_", range(2))
def test_databases_are_not_shared(postgresql_url: str, _: int):
    engine = sa.create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (id INTEGER PRIMARY KEY)"))  # fails if the other run left its own
    engine.dispose()


def test_a_database_goes_even_if_a_connection_is_left(postgres_server: str):
    with fresh_postgres(postgres_server) as url:
        engine = sa.create_engine(url)
        connection = engine.connect()
        connection.execute(sa.text("SELECT 1"))
    with pytest.raises(sa.exc.OperationalError), sa.create_engine(url, poolclass=sa.NullPool).connect():
        pass
    connection.invalidate()
    connection.close()
    engine.dispose()


def test_urls_are_written_as_people_write_them(sqlite_url: str, postgresql_url: str, mysql_url: str):
    assert sqlite_url.startswith("sqlite:////")
    assert postgresql_url.startswith("postgresql://")
    assert mysql_url.startswith("mysql://")


# ---- logs by hand


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """Five versions: two appends, a remove, a re-add, an append; with a transaction and a domain."""
    log = LogBuilder(tmp_path / "table")
    log.commit(protocol(**V2), metadata(), add("a.parquet"), commit_info("CREATE TABLE"))
    log.commit(add("b.parquet", size=7), txn("stream", 3), domain("shop", "1"), domain("gone"))
    log.commit(remove("a.parquet"), domain("gone", removed=True), cdc("_change_data/c.parquet"))
    log.commit(add("a.parquet"), remove("b.parquet", size=7), txn("stream", 4))
    log.commit(add("c.parquet", partitionValues={}, tags={"k": "v"}))
    return log


def test_delta_rs_reads_every_version_of_a_log(log: LogBuilder):
    expected = [{"a"}, {"a", "b"}, {"b"}, {"a"}, {"a", "c"}]
    for version, stems in enumerate(expected):
        assert names(log, version) == {f"{stem}.parquet" for stem in stems}
        assert opened(log, version) == names(log, version)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"hint": True},
        {"parts": 3},
        {"parts": 3, "hint": True},
        {"v2": "json"},
        {"v2": "json", "sidecars": 2},
        {"v2": "parquet"},
        {"v2": "parquet", "sidecars": 2},
        {"v2": "classic"},
        {"v2": "classic", "sidecars": 1},
    ],
    ids=str,
)
def test_delta_rs_reads_a_log_that_begins_at_a_checkpoint(log: LogBuilder, form: dict):
    log.checkpoint(3, **form)
    log.drop(range(3))
    assert opened(log, 3) == {"a.parquet"}
    assert opened(log) == {"a.parquet", "c.parquet"}
    assert DeltaTable(log.root).transaction_version("stream") == 4


def test_a_checkpoint_holds_the_state(log: LogBuilder):
    (path,) = log.checkpoint()
    actions = [{k: v for k, v in row.items() if v is not None} for row in pq.read_table(path).to_pylist()]
    assert Counter(name for action in actions for name in action) == {
        "protocol": 1, "metaData": 1, "txn": 1, "domainMetadata": 1, "add": 2, "remove": 1,
    }  # fmt: skip
    added = next(a["add"] for a in actions if a.get("add", {}).get("path") == "c.parquet")
    assert added["stats"] == '{"numRecords": 1}'
    assert dict(added["tags"]) == {"k": "v"}
    assert not added["dataChange"]
    assert next(a["txn"]["version"] for a in actions if "txn" in a) == 4


def test_a_checkpoint_can_be_of_any_version_even_after_its_commits_went(log: LogBuilder):
    log.drop(range(5))
    assert [path.name for path in log.checkpoint(1, parts=2)] == [
        "00000000000000000001.checkpoint.0000000001.0000000002.parquet",
        "00000000000000000001.checkpoint.0000000002.0000000002.parquet",
    ]
    assert opened(log) == {"a.parquet", "b.parquet"}


def test_a_file_key_tells_vectors_apart(tmp_path: Path):
    log = LogBuilder(tmp_path)
    vectors = {"features": ["deletionVectors"]}
    log.commit(protocol(**vectors), metadata(configuration={"delta.enableDeletionVectors": "true"}), add("a.parquet"))
    log.commit(add("a.parquet", deletionVector=dv(cardinality=1)), remove("a.parquet"))
    assert len(log.files(1)) == 1
    assert opened(log) == {"a.parquet"}
    assert file_key(add("a", deletionVector=dv("x", "u"))["add"]) == ("a", "ux")
    assert file_key(add("a", deletionVector=dv("x", "u", 0))["add"]) == ("a", "ux@0")
    assert file_key(add("a", deletionVector=None)["add"]) == ("a", None)


def test_a_commit_can_be_anything(tmp_path: Path):
    log = LogBuilder(tmp_path, version=5)
    assert log.commit(protocol(), metadata(), raw=lambda lines: lines.replace(b"\n", b"\r\n")) == 5
    assert log.commit(raw=b"{") == 6
    assert log.commit(add("a", stats=..., size=None), version=9) == 9
    written = [path.read_bytes() for path in sorted(log.log.iterdir())]
    assert written[0].count(b"\r\n") == 2
    assert written[1] == b"{"
    assert json.loads(written[2])["add"].keys() >= {"size", "path"}
    assert "stats" not in json.loads(written[2])["add"]
    assert log.version == 9


# ---- tables written by delta-rs


def test_orders_has_every_common_operation(tmp_path: Path):
    newest = lake.orders_table(tmp_path / "t")
    table = DeltaTable(tmp_path / "t")
    assert table.version() == newest == 11
    assert {entry["operation"] for entry in table.history()} == {"WRITE", "DELETE", "UPDATE", "MERGE"}
    assert table.transaction_version("loader") == 7
    assert "note" in [field.name for field in table.schema().fields]
    assert "note" not in [field.name for field in DeltaTable(tmp_path / "t", version=6).schema().fields]
    assert {p["day"] for p in table.partitions()} == {"2024-02-28", "2024-03-01"}
    assert [path.name[:20] for path in (tmp_path / "t/_delta_log").glob("*.checkpoint.parquet")] == [f"{9:020d}"]
    counts = [len(DeltaTable(tmp_path / "t", version=v).file_uris()) for v in range(newest + 1)]
    assert min(counts) >= 3
    assert len(table.to_pyarrow_table()) > 0


def test_plain_has_one_file_a_commit(tmp_path: Path):
    assert lake.plain_table(tmp_path / "t", commits=12) == 11
    assert not list((tmp_path / "t/_delta_log").glob("*.checkpoint*"))
    assert [len(DeltaTable(tmp_path / "t", version=v).file_uris()) for v in (0, 11)] == [1, 12]


def test_cleaned_begins_at_its_checkpoint(tmp_path: Path):
    first, newest = lake.cleaned_table(tmp_path / "t")
    assert DeltaTable(tmp_path / "t").version() == newest
    assert sorted(path.name for path in (tmp_path / "t/_delta_log").glob("*.json")) == [
        f"{version:020d}.json" for version in range(first, newest + 1)
    ]
    assert len(DeltaTable(tmp_path / "t", version=first).file_uris()) == 4
    assert len(DeltaTable(tmp_path / "t").to_pyarrow_table()) == 7


def test_many_files_says_what_it_wrote(tmp_path: Path):
    written = lake.many_files_table(tmp_path / "t", files=1000, commits=20)
    assert written == (19, 1000, 100)
    table = DeltaTable(tmp_path / "t")
    assert table.version() == written.version
    assert len(table.file_uris()) == written.adds - written.removes


# ---- shared tables


@pytest.mark.skipif(not shared_tables(), reason=SKIPPED)
def test_the_shared_tables_are_complete():
    assert Counter(table.name.split("/")[0] for table in shared_tables()) == {
        "drs": 33, "duck": 4, "edge": 34, "gold": 68, "kdef": 9, "krs": 20, "krsx": 13, "spark": 8,
    }  # fmt: skip
    assert sum(table.rows is not None for table in shared_tables()) == 44
    assert len({table.name for table in shared_tables()}) == 189


@pytest.mark.parametrize("shared", shared_params())
def test_a_shared_table_says_what_to_expect(shared: SharedTable):
    assert Path(shared.location, "_delta_log").is_dir()
    assert shared.is_ok or shared.expected["kind"]
    if shared.is_ok:
        first, newest = shared.expected["first_version"], shared.expected["version"]
        assert list(map(int, shared.expected["versions"])) == list(range(first, newest + 1))


def test_without_shared_tables_there_is_one_skipped_parameter(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.support.shared_tables.shared_tables", tuple)
    (parameter,) = shared_params()
    assert parameter.id == "no-tables"
    assert parameter.marks[0].kwargs == {"reason": SKIPPED}
