import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import QueryBuilder

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.errors import (
    ArgumentError,
    CatalogError,
    CorruptLogError,
    DeltaLakeDBError,
    DiskFullError,
    ImportIncompleteError,
    LocationNotFoundError,
    PermissionDeniedError,
    TableNotFoundError,
    VersionNotFoundError,
)
from deltalakedb.migrate import export
from deltalakedb.migrate.export import export_table
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.validate import validate
from deltalakedb.table.absolute import AbsolutePaths
from tests.support import lake
from tests.support.catalogs import MOMENTS, WATERMARK, Dump, dump, execute
from tests.support.logs import LogBuilder, add, cdc, commit_info, domain, dv, metadata, protocol, remove, txn
from tests.support.rebuild import plain
from tests.support.shared_tables import SharedTable, shared_params

NOW_MS = int(time.time() * 1000)
NOT_OF_THE_LOG = MOMENTS | WATERMARK | {"location", "log_bytes_processed", "log_bytes_total", "commit_digest"}


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """Three versions."""
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["deletionVectors"]), metadata(), add("a"), add("b"), commit_info())
    log.commit(add("c"), remove("b"), txn("app", 1), cdc("_change_data/x"), {"unknown": {"x": [1]}})
    log.commit(add("a", deletionVector=dv()), remove("a"), domain("d"))
    return log


def lines(folder: Path, version: int) -> list[dict]:
    return [json.loads(line) for line in (folder / "_delta_log" / f"{version:020d}.json").read_text().splitlines()]


def checkpoint(folder: Path, version: int, name: str) -> list[dict]:
    table = pq.read_table(folder / "_delta_log" / f"{version:020d}.checkpoint.parquet", columns=[name])
    return [row for row in table.column(name).to_pylist() if row is not None]


def rows(location: Path | str) -> list[dict]:
    """What delta-rs reads, deletion vectors applied."""
    found = QueryBuilder().register("t", deltalake.DeltaTable(str(location))).execute("SELECT * FROM t").read_all()
    return sorted(pa.table(found).to_pylist(), key=str)


def test_an_export_says_what_it_wrote(database: Database, log: LogBuilder, tmp_path: Path):
    import_table(database, str(log.root))
    report = export_table(database, "t", tmp_path / "out")
    assert (report.table_id, report.first_version, report.version, report.commits) == ("t", 0, 2, 3)
    assert (report.files, report.checkpoint_versions, report.absolute_paths) == (2, (2,), False)
    assert (report.location, report.destination) == (str(log.root), str(tmp_path / "out"))
    names = [f"{0:020d}.json", f"{1:020d}.json", f"{2:020d}.checkpoint.parquet", f"{2:020d}.json", "_last_checkpoint"]
    assert sorted(path.name for path in (tmp_path / "out" / "_delta_log").iterdir()) == names
    hint = json.loads((tmp_path / "out" / "_delta_log" / "_last_checkpoint").read_text())
    assert (hint["version"], hint["size"], hint["numOfAddFiles"]) == (2, 6, 2)


def test_commit_info_comes_first_whatever_the_order_was(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(add("a"), protocol(), metadata(), commit_info(inCommitTimestamp=7))
    import_table(database, str(log.root))
    export_table(database, "t", tmp_path / "out")
    assert [next(iter(action)) for action in lines(tmp_path / "out", 0)] == [
        "commitInfo",
        "protocol",
        "metaData",
        "add",
    ]
    assert lines(tmp_path / "out", 0)[0]["commitInfo"]["inCommitTimestamp"] == 7


def test_commits_keep_the_times_of_their_files(database: Database, log: LogBuilder, tmp_path: Path):
    for version in range(3):
        os.utime(log.log / f"{version:020d}.json", ns=(0, 1_600_000_000_123_000_000 + version))
    import_table(database, str(log.root))
    export_table(database, "t", tmp_path / "out")
    times = {path.stat().st_mtime_ns // 10**6 for path in (tmp_path / "out" / "_delta_log").glob("*.json")}
    assert times == {1_600_000_000_123}


def test_expired_tombstones_stay_out_of_a_checkpoint_that_history_leads_to(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    kept = {"delta.deletedFileRetentionDuration": "interval 2 hours"}
    log.commit(protocol(), metadata(configuration=kept), add("a"), add("b"), add("c"))
    log.commit(
        remove("a", deletionTimestamp=NOW_MS - 3 * 3_600_000), remove("b", deletionTimestamp=NOW_MS), remove("c")
    )
    import_table(database, str(log.root))
    export_table(database, "t", tmp_path / "out")
    assert [one["path"] for one in checkpoint(tmp_path / "out", 1, "remove")] == ["b"]


def test_a_log_that_begins_with_a_checkpoint_gets_one_with_all_that_is_known(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"), add("b"), txn("app", 3), domain("gone", removed=True))
    log.commit(remove("a", tags={"k": "v"}, new=[1]), add("c", tags={"x": "y"}, stats=None), commit_info())
    log.checkpoint()
    log.drop([0])
    log.commit(add("d", size=7, future={"deep": [1, {"er": True}], "n": 1.5}, flag=True))
    import_table(database, str(log.root))
    report = export_table(database, "t", tmp_path / "out")
    assert (report.first_version, report.checkpoint_versions, report.commits) == (1, (1, 2), 2)
    assert same_actions(lines(tmp_path / "out", 1), log.commits[1])
    assert {one["path"] for one in checkpoint(tmp_path / "out", 1, "add")} == {"b", "c"}
    assert {one["path"] for one in checkpoint(tmp_path / "out", 1, "remove")} == {"a"}
    assert [one["appId"] for one in checkpoint(tmp_path / "out", 1, "txn")] == ["app"]
    (new,) = [one for one in checkpoint(tmp_path / "out", 2, "add") if one["path"] == "d"]
    assert (new["future"], new["flag"]) == ({"deep": ["1", '{"er":true}'], "n": 1.5}, True)
    assert deltalake.DeltaTable(tmp_path / "out").version() == 2


def same_actions(left: list[dict], right: list[dict]) -> bool:
    return sorted(map(plain, left)) == sorted(map(plain, right))


@pytest.fixture
def full(tmp_path: Path) -> LogBuilder:
    """A log whose version 1 says everything that a commit can say; some of it was said in version 0, too."""
    log = LogBuilder(tmp_path / "t")
    log.commit(
        protocol(features=["deletionVectors"], writer_features=["domainMetadata"]),
        metadata(),
        *(add(name) for name in ("goes", "stays", "again", "vector", "both")),
        remove("expired", deletionTimestamp=1),
        *(txn("app", 1), txn("other", 1), domain("d", "1"), domain("kept", "1"), domain("gone", "1")),
    )
    log.commit(
        commit_info("MERGE"),
        protocol(features=["deletionVectors"], writer_features=["domainMetadata", "appendOnly"]),
        metadata(name="new"),
        *(remove("goes", tags={"k": "v"}, new=[1]), remove("never there", size=5), remove("vector")),
        *(add("new", future={"deep": [1]}), add("again", size=7), add("vector", deletionVector=dv())),
        *(txn("app", 2), domain("d", "2"), domain("gone", removed=True)),
        *(cdc("_change_data/x"), {"unknown": {"x": [1]}}),
    )
    return log


def twice_in_one_commit() -> list[dict]:
    """What the protocol forbids, and logs have."""
    return [
        *(metadata(name="first"), metadata(name="second"), txn("app", 5), txn("app", 6)),
        *(add("x"), add("x", size=9), add("both", size=3), remove("both"), remove("none"), remove("none", size=1)),
        *(commit_info("A"), commit_info("B")),
    ]


@pytest.mark.parametrize("odd", [False, True])
def test_the_commit_of_the_version_that_the_history_begins_with_has_all_of_its_actions(
    database: Database, database_url: str, full: LogBuilder, tmp_path: Path, odd: bool
):
    if odd:
        full.commit(*full.commits[1], *twice_in_one_commit(), version=1)
    full.checkpoint()
    full.drop([0])
    full.commit(remove("stays"), add("late"), commit_info())
    import_table(database, str(full.root), batch_size=2)
    export_table(database, "t", tmp_path / "out")
    for version in (1, 2):
        assert same_actions(lines(tmp_path / "out", version), full.commits[version])
    import_table(database, str(tmp_path / "out"), "again")
    assert validate(database, str(tmp_path / "out"), "again").valid
    left, right = (in_any_order(dump(database_url, name, without=NOT_OF_THE_LOG)) for name in ("t", "again"))
    assert left == right


def in_any_order(rows: Dump) -> Dump:
    """The same with lists of actions and of warnings sorted: an export may write what a commit has twice elsewhere."""
    for row in (*rows["delta_tables"], *rows["delta_commits"]):
        for name in ("warnings", "other_actions"):
            told = row.get(name)
            row[name] = told and sorted(map(str, json.loads(told) if isinstance(told, str) else told))
    return rows


def test_what_a_checkpoint_alone_says_is_not_put_into_the_commit_of_its_version(
    database: Database, full: LogBuilder, tmp_path: Path
):
    full.commit(commit_info("NOTHING"))
    full.checkpoint()
    full.drop([0, 1])
    import_table(database, str(full.root))
    export_table(database, "t", tmp_path / "out")
    assert lines(tmp_path / "out", 2) == [commit_info("NOTHING")]
    files = {one["path"] for one in checkpoint(tmp_path / "out", 2, "add")}
    assert files == {"stays", "both", "new", "again", "vector"}


def test_behind_a_gap_the_commit_of_the_first_version_has_all_of_its_actions(
    database: Database, full: LogBuilder, tmp_path: Path
):
    began = full.commits[1]
    full.commit(version=1)
    import_table(database, str(full.root))
    full.commit(add("lost"))
    full.commit(*began, version=3)
    full.checkpoint(3)
    full.drop([0, 1, 2])
    full.commit(remove("stays"))
    assert import_table(database, str(full.root), resume=True).gaps
    export_table(database, "t", tmp_path / "out")
    for version in (0, 1, 3, 4):
        assert same_actions(lines(tmp_path / "out", version), full.commits[version])


def test_a_catalog_that_cannot_tell_a_commit_from_its_checkpoint_writes_what_is_certain(
    database: Database, database_url: str, full: LogBuilder, tmp_path: Path
):
    full.checkpoint()
    full.drop([0])
    import_table(database, str(full.root))
    # As schema version 3 left it.
    execute(database_url, "UPDATE delta_files SET own_add = NULL, own_remove = NULL")
    execute(database_url, "UPDATE delta_commits SET own_actions = NULL")
    export_table(database, "t", tmp_path / "out")
    found = [next(iter(action)) for action in lines(tmp_path / "out", 1)]
    assert found == ["commitInfo", "cdc", "unknown"]
    assert validate(database, str(full.root)).valid


OLD_PROTOCOLS = {
    "empty lists": (protocol(1, 2, readerFeatures=[], writerFeatures=[]), protocol(1, 2)),
    "lists with something in them": (
        protocol(2, 6, readerFeatures=["deletionVectors"], writerFeatures=["deletionVectors"]),
        protocol(2, 6),
    ),
    "a list for readers where writers alone have one": (
        protocol(1, 7, readerFeatures=[], writerFeatures=["appendOnly"], mine=1),
        protocol(1, 7, writerFeatures=["appendOnly"], mine=1),
    ),
    "lists that belong there": (protocol(3, 7, readerFeatures=[], writerFeatures=[]),) * 2,
}


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize(("in_log", "expected"), OLD_PROTOCOLS.values(), ids=OLD_PROTOCOLS)
def test_lists_of_features_are_left_out_where_the_protocol_is_too_old_for_them(
    database: Database, tmp_path: Path, in_log: dict, expected: dict, twice: bool
):
    log = LogBuilder(tmp_path / "t")
    log.commit(*([in_log] if twice else []), protocol(), metadata(), add("a"))
    log.commit(in_log)
    log.commit(add("b"))
    import_table(database, str(log.root))
    export_table(database, "t", tmp_path / "out")
    assert expected in lines(tmp_path / "out", 1)
    assert in_log == expected or in_log not in lines(tmp_path / "out", 0)
    (written,) = checkpoint(tmp_path / "out", 2, "protocol")
    body = expected["protocol"]
    for name in ("readerFeatures", "writerFeatures"):
        assert written[name] == body.get(name)
    assert deltalake.DeltaTable(tmp_path / "out").version() == 2
    import_table(database, str(tmp_path / "out"), "again")
    assert validate(database, str(tmp_path / "out"), "again").valid


def test_a_table_that_delta_rs_has_restored_opens_when_it_is_exported(database: Database, tmp_path: Path):
    # As `restore` of delta-rs 0.18 to 0.25 leaves it: it opens by its next checkpoint, whose writer knows no lists.
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    log.commit(protocol(readerFeatures=[], writerFeatures=[]))
    for path in log.checkpoint():
        table = pq.read_table(path)
        bare = [row | {"protocol": row["protocol"] and protocol()["protocol"]} for row in table.to_pylist()]
        pq.write_table(pa.Table.from_pylist(bare, table.schema), path)
    log.commit(add("b"))
    assert deltalake.DeltaTable(log.root).version() == 2
    import_table(database, str(log.root))
    export_table(database, "t", tmp_path / "out")
    found = {version: deltalake.DeltaTable(tmp_path / "out", version=version) for version in range(3)}
    assert [len(table.file_uris()) for table in found.values()] == [1, 1, 2]


@pytest.mark.parametrize("place", ["out", "with blank", "größe"])
def test_absolute_paths_lead_to_the_original_rows(database: Database, tmp_path: Path, place: str):
    original = tmp_path / place / "orders"
    original.parent.mkdir()
    lake.orders_table(original)
    import_table(database, str(original), "orders")
    report = export_table(database, "orders", tmp_path / "elsewhere", absolute=AbsolutePaths)
    assert report.absolute_paths
    assert rows(tmp_path / "elsewhere") == rows(original)
    older = export_table(database, "orders", tmp_path / "older", version=3, absolute=AbsolutePaths)
    assert older.version == 3
    assert len(rows(tmp_path / "older")) == 120


@pytest.mark.parametrize(
    "shared",
    shared_params(lambda table: "dv" in table.name and table.is_ok and table.rows is not None),
)
def test_absolute_paths_lead_to_deletion_vectors(one_database: Database, shared: SharedTable, tmp_path: Path):
    try:
        expected = rows(shared.location)
    except Exception:
        pytest.skip("delta-rs does not read the original")
    import_table(one_database, shared.location, shared.name, resume=True)
    export_table(one_database, shared.name, tmp_path / "out", absolute=AbsolutePaths)
    assert rows(tmp_path / "out") == expected


def test_a_path_out_of_the_table_is_not_made_absolute(database: Database, log: LogBuilder, tmp_path: Path):
    log.commit(add("../../etc/passwd"))
    import_table(database, str(log.root))
    with pytest.raises(CorruptLogError, match="leads out of the table"):
        export_table(database, "t", tmp_path / "out", absolute=AbsolutePaths)
    assert export_table(database, "t", tmp_path / "out").version == 3


def test_paths_that_differ_in_the_log_differ_in_an_absolute_one():
    paths = AbsolutePaths("/lake/t")
    given = ["a b", "a%20b", "a#b", "ä", "x=1/y", "file:///other/z", "s3://b/k"]
    found = [paths.path(path) for path in given]
    assert found == [
        "file:///lake/t/a b", "file:///lake/t/a%20b", "file:///lake/t/a%23b", "file:///lake/t/ä",
        "file:///lake/t/x=1/y", "file:///other/z", "s3://b/k",
    ]  # fmt: skip


def test_the_disaster_drill(database: Database, tmp_path: Path):
    """The log is destroyed, exported from SQL, copied back: the table reads as before, and goes on being written."""
    table = tmp_path / "orders"
    lake.orders_table(table)
    before = {version: seen(table, version) for version in range(12)}
    import_table(database, str(table))
    shutil.rmtree(table / "_delta_log")
    export_table(database, "orders", tmp_path / "restored")
    shutil.copytree(tmp_path / "restored" / "_delta_log", table / "_delta_log")
    assert {version: seen(table, version) for version in range(12)} == before
    deltalake.DeltaTable(table).delete("order_id = 200")
    report = import_table(database, str(table), resume=True)
    assert report.version == 12


def seen(table: Path, version: int) -> tuple:
    opened = deltalake.DeltaTable(table, version=version)
    return sorted(opened.to_pyarrow_table().to_pylist(), key=str), opened.history(), sorted(opened.file_uris())


# ---- what is refused, and what is left then


def test_nothing_is_overwritten(database: Database, log: LogBuilder, tmp_path: Path):
    import_table(database, str(log.root))
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    for there in ("file", "link", "empty", "t", "t/_delta_log"):
        with pytest.raises(ArgumentError, match="is there already"):
            export_table(database, "t", tmp_path / there)
    assert (tmp_path / "file").read_text() == "precious"


def test_what_can_not_be_exported_leaves_nothing(database: Database, log: LogBuilder, tmp_path: Path):
    import_table(database, str(log.root))
    import_failed(database, tmp_path)
    before = beside_the_catalog(tmp_path)
    for table_id, version, error in [
        ("nope", None, TableNotFoundError),
        ("half", None, ImportIncompleteError),
        ("t", 3, VersionNotFoundError),
    ]:
        with pytest.raises(error):
            export_table(database, table_id, tmp_path / "out", version=version)
    for destination, kind in [("no/such/folder", LocationNotFoundError), ("s3://bucket/x", DeltaLakeDBError)]:
        with pytest.raises(kind):
            export_table(database, "t", destination if "://" in destination else tmp_path / destination)
    assert beside_the_catalog(tmp_path) == before


def beside_the_catalog(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("catalog.db"))


def import_failed(database: Database, tmp_path: Path) -> None:
    bad = LogBuilder(tmp_path / "half")
    bad.commit(protocol(), metadata(), add("a"))
    bad.commit(raw=b'{"add":')
    with pytest.raises(CorruptLogError):
        import_table(database, str(bad.root), batch_size=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_ours_to_write_is_an_error(database: Database, log: LogBuilder, tmp_path: Path):
    import_table(database, str(log.root))
    (tmp_path / "closed").mkdir(mode=0o555)
    with pytest.raises(PermissionDeniedError, match="Permission denied"):
        export_table(database, "t", tmp_path / "closed" / "out")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(OSError(28, "No space left"), DiskFullError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_an_export_that_stops_halfway_leaves_nothing(
    database: Database,
    log: LogBuilder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    expected: type[BaseException],
):
    import_table(database, str(log.root))
    before, write = beside_the_catalog(tmp_path), export._write_commit

    def fail_at_the_second(path: Path, *arguments: object) -> None:
        if path.name == f"{1:020d}.json":
            raise raised
        write(path, *arguments)

    monkeypatch.setattr(export, "_write_commit", fail_at_the_second)
    with pytest.raises(expected):
        export_table(database, "t", tmp_path / "out")
    assert beside_the_catalog(tmp_path) == before


def test_an_export_that_is_killed_leaves_no_table(database_url: str, tmp_path: Path):
    lake.many_files_table(tmp_path / "t", files=20_000, commits=200)
    database = Database(database_url)
    import_table(database, str(tmp_path / "t"))
    database.close()
    command = [sys.executable, "-m", "deltalakedb", "export", "t", "out/t", "--database-url", database_url]
    (tmp_path / "out").mkdir()
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not list((tmp_path / "out").rglob("*.json")):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "out" / "t").exists()
    assert not list((tmp_path / "out").rglob("_delta_log"))


def test_an_older_version_has_what_was_there_then(database: Database, log: LogBuilder, tmp_path: Path):
    import_table(database, str(log.root))
    report = export_table(database, "t", tmp_path / "out", version=1)
    assert (report.version, report.commits, report.files) == (1, 2, 2)
    assert {one["path"] for one in checkpoint(tmp_path / "out", 1, "add")} == {"a", "c"}
    import_table(database, str(tmp_path / "out"), "older")
    with database.reading() as connection:
        older = snapshot(connection, registry.readable(connection, "older"), 0)
        assert {file.path for file in older.files()} == {"a", "b"}


def test_rows_that_are_missing_in_sql_are_noticed(
    database: Database, database_url: str, log: LogBuilder, tmp_path: Path
):
    import_table(database, str(log.root))
    execute(database_url, "DELETE FROM delta_commits WHERE version = 1")
    with pytest.raises(CatalogError, match="no row in delta_commits for version 1"):
        export_table(database, "t", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_export_needs_no_log(database: Database, log: LogBuilder, tmp_path: Path):
    import_table(database, str(log.root))
    shutil.rmtree(log.root)
    export_table(database, "t", tmp_path / "out")
    with database.reading() as connection:
        expected = {file.path for file in snapshot(connection, registry.readable(connection, "t")).files()}
    assert {one["path"] for one in checkpoint(tmp_path / "out", 2, "add")} == expected
