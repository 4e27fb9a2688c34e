"""Validation: nothing is found where there is nothing, whatever the log and the table are like."""

import json
import shutil
from pathlib import Path

import pytest

from deltalakedb.catalog.database import Database
from deltalakedb.errors import (
    ArgumentError,
    DeltaLakeDBError,
    ImportIncompleteError,
    LogChangedError,
    TableNotFoundError,
)
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.validate import validate
from tests.migrate.damage import make_log, run, seen, update
from tests.support import lake
from tests.support.logs import LogBuilder, add, commit_info, commit_name, metadata, protocol, remove, txn
from tests.support.shared_tables import SharedTable, shared_params


def test_an_import_is_valid(database: Database, imported: str):
    report = validate(database, imported)
    assert report.differences == ()
    assert report.valid
    assert (report.table_id, report.version, report.versions_checked) == ("t", 3, 1)
    assert report.reader.startswith("deltalake ")
    assert "tags" in report.reader


def test_every_version_is_checked(database: Database, imported: str):
    steps: list[tuple[int, int]] = []
    report = validate(database, imported, all_versions=True, listener=lambda done, total: steps.append((done, total)))
    assert report.valid
    assert report.versions_checked == 4
    assert steps == [(number, 8) for number in range(1, 9)]  # four commits read, four versions opened


@pytest.mark.parametrize("shape", ["checkpoint", "parts", "v2"])
def test_history_that_begins_at_a_checkpoint(database: Database, tmp_path: Path, shape: str):
    log = make_log(tmp_path / "t")
    log.checkpoint(2, parts=2 if shape == "parts" else None, v2="json" if shape == "v2" else None, sidecars=2)
    log.drop([0, 1])
    import_table(database, str(log.root))
    report = validate(database, str(log.root), all_versions=True)
    assert report.differences == ()
    assert report.versions_checked == 2
    run(database, update("modification_time = 1", "c.parquet"))
    assert seen(validate(database, str(log.root))) == {("modification_time", 2, "c.parquet")}


@pytest.mark.parametrize("write", [lake.orders_table, lake.plain_table, lake.cleaned_table])
def test_tables_written_by_delta_rs(database: Database, tmp_path: Path, write):
    write(tmp_path / "t")
    import_table(database, str(tmp_path / "t"))
    assert validate(database, str(tmp_path / "t"), all_versions=True).differences == ()


UNKNOWN = {
    "drs/simple_table_features": ["reader version 5", "blahabl"],
    "edge/unknown_reader_feature": ["quantumRows"],
    "gold/deltalog-invalid-protocol-version": ["reader version 99"],
}
"""What keeps it from being known which files some tables have."""


@pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok))
def test_shared_tables(sqlite_url: str, shared: SharedTable):
    database = Database(sqlite_url)
    try:
        import_table(database, shared.location)
    except DeltaLakeDBError as error:
        assert "reject_allowed" in shared.expected
        pytest.skip(f"refused, which is allowed: {error.message}")
    report = validate(database, shared.location, all_versions=True)
    assert [(one.kind, one.expected) for one in report.differences] == [
        ("unknown_feature", feature) for feature in UNKNOWN.get(shared.name, ())
    ]
    assert report.version == shared.expected["version"]
    assert report.versions_checked == shared.expected["version"] - shared.expected["first_version"] + 1
    assert any("contradicts the log" in note for note in report.notes) == (shared.name == "krs/crc-full")


def test_a_table_that_delta_rs_does_not_open(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["catalogManaged"]), metadata(), add("a.parquet"))
    import_table(database, str(log.root))
    report = validate(database, str(log.root))
    assert report.valid
    assert "which does not open version 0" in report.reader
    assert "catalog-managed" in report.reader
    run(database, "UPDATE delta_files SET size = 1")
    assert seen(validate(database, str(log.root))) == {("size", 0, "a.parquet")}


def test_nothing_is_written(database: Database, imported: str):
    before = {path: path.stat().st_mtime_ns for path in Path(imported).rglob("*")}
    validate(database, imported, all_versions=True)
    assert {path: path.stat().st_mtime_ns for path in Path(imported).rglob("*")} == before


@pytest.mark.parametrize(
    "actions",
    [
        [remove("a"), add("a")],
        [add("b"), add("b", size=7)],
        [txn("app", 1), txn("app", 2)],
        [metadata(name="one"), metadata(name="two")],
        [commit_info("ONE"), commit_info("TWO")],
    ],
    ids=["add and remove", "two adds", "two txn", "two metaData", "two commitInfo"],
)
def test_commits_that_say_two_things(sqlite_url: str, tmp_path: Path, actions: list[dict]):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"), commit_info())
    log.commit(*actions)
    database = Database(sqlite_url)
    import_table(database, str(log.root))
    assert validate(database, str(log.root), all_versions=True).differences == ()
    run(database, "UPDATE delta_files SET size = 1", "UPDATE delta_commits SET operation = 'x'")
    kinds = {one.kind for one in validate(database, str(log.root)).differences}
    assert kinds == {"size", "commit"}


# ---- checksums


def checksum(**fields: object) -> bytes:
    body = metadata({"id": "long", "day": "date"}, ["day"], {"delta.enableRowTracking": "true"}, name="orders")
    told = {
        "tableSizeBytes": 300,
        "numFiles": 3,
        "numDeletionVectorsOpt": 1,
        "numDeletedRecordsOpt": 2,
        "numMetadata": 1,
        "numProtocol": 1,
        "metadata": body["metaData"],
        "protocol": protocol(
            features=["deletionVectors"], writer_features=["changeDataFeed", "rowTracking", "domainMetadata"]
        )["protocol"],
        "setTransactions": [{"appId": "loader", "version": 2, "lastUpdated": 1_700_000_000_000}],
        "domainMetadata": [{"domain": "shop", "configuration": '{"floor":1}', "removed": False}],
    }
    return json.dumps(told | fields).encode()


def test_a_checksum_that_is_right(database: Database, tmp_path: Path):
    log = make_log(tmp_path / "t")
    log.put("00000000000000000003.crc", checksum())
    import_table(database, str(log.root))
    report = validate(database, str(log.root))
    assert (report.valid, report.notes) == (True, ())


@pytest.mark.parametrize(
    "fields",
    [
        {"numFiles": 4},
        {"tableSizeBytes": 1},
        {"numDeletedRecordsOpt": 0},
        {"setTransactions": [{"appId": "other", "version": 1}]},
        {"domainMetadata": []},
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_foreign_checksum_is_noted(sqlite_url: str, tmp_path: Path, fields: dict):
    log = make_log(tmp_path / "t")
    log.put("00000000000000000003.crc", checksum(**fields))
    database = Database(sqlite_url)
    import_table(database, str(log.root))
    report = validate(database, str(log.root))
    assert report.valid
    assert report.notes == (f"{3:020d}.crc contradicts the log, which was believed: {next(iter(fields))}",)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff"])
def test_a_checksum_that_is_none_is_noted(sqlite_url: str, tmp_path: Path, content: bytes):
    log = make_log(tmp_path / "t")
    log.put("00000000000000000003.crc", content)
    database = Database(sqlite_url)
    import_table(database, str(log.root))
    report = validate(database, str(log.root))
    assert report.valid
    assert len(report.notes) == 1


# ---- the log moved on since the import


def test_a_log_that_has_grown(database: Database, imported: str):
    Path(imported, "_delta_log", commit_name(4)).write_text(json.dumps(add("e.parquet")))
    report = validate(database, imported, all_versions=True)
    assert report.valid
    assert report.version == 3
    assert "The log goes on after version 3" in report.notes[0]


def test_history_that_was_cleaned_up(database: Database, tmp_path: Path):
    log = make_log(tmp_path / "t")
    import_table(database, str(log.root))
    log.checkpoint(2)
    log.drop([0, 1, 2])
    report = validate(database, str(log.root), all_versions=True)
    assert report.differences == ()
    assert (report.version, report.versions_checked) == (3, 2)
    assert "versions 0 to 1 are in SQL alone" in report.notes[0]
    run(database, update("size = 1", "c.parquet"), "DELETE FROM delta_files WHERE path = 'd.parquet'")
    assert seen(validate(database, str(log.root))) == {("size", 2, "c.parquet"), ("file_missing", 3, "d.parquet")}


def test_history_that_was_cleaned_up_beyond_the_catalog(database: Database, tmp_path: Path):
    log = make_log(tmp_path / "t")
    import_table(database, str(log.root))
    log.commit(add("e.parquet"))
    log.checkpoint(4)
    log.drop(range(5))
    with pytest.raises(LogChangedError, match="begins with version 4 now, the catalog has 3"):
        validate(database, str(log.root))


def test_history_that_came_back(database: Database, tmp_path: Path):
    log = make_log(tmp_path / "t")
    log.checkpoint(2)
    shutil.move(log.log / commit_name(0), tmp_path / "kept")
    import_table(database, str(log.root))
    shutil.move(tmp_path / "kept", log.log / commit_name(0))
    report = validate(database, str(log.root), all_versions=True)
    assert report.differences == ()
    assert report.versions_checked == 2


def test_a_log_that_was_restored_to_an_older_state(database: Database, imported: str):
    Path(imported, "_delta_log", commit_name(3)).unlink()
    report = validate(database, imported, all_versions=True)
    assert seen(report) == {("version", 2, None)}
    assert report.version == 2


def test_a_log_that_was_made_anew(database: Database, imported: str):
    shutil.rmtree(imported)
    log = LogBuilder(Path(imported))
    log.commit(protocol(), metadata(), add("z.parquet"))
    for number in range(3):
        log.commit(add(f"y{number}.parquet"))
    kinds = {one.kind for one in validate(database, imported).differences}
    assert {"file_missing", "file_extra", "schema", "protocol"} <= kinds


# ---- which table


@pytest.mark.usefixtures("imported")
def test_another_location(database: Database, tmp_path: Path):
    other = make_log(tmp_path / "other").root
    with pytest.raises(ArgumentError, match="was imported from"):
        validate(database, str(other), "t")


def test_the_same_location_by_another_name(database: Database, imported: str, tmp_path: Path):
    (tmp_path / "link").symlink_to(imported)
    assert validate(database, str(tmp_path / "link"), "t").valid
    assert validate(database, f"file://{imported}/", "t").valid


def test_a_table_under_another_id(database: Database, tmp_path: Path):
    log = make_log(tmp_path / "t")
    import_table(database, str(log.root), "other")
    assert validate(database, str(log.root)).table_id == "other"
    assert validate(database, str(log.root), "other").table_id == "other"
    with pytest.raises(TableNotFoundError):
        validate(database, str(log.root), "t")


@pytest.mark.usefixtures("imported")
def test_an_unknown_table(database: Database, tmp_path: Path):
    other = make_log(tmp_path / "other").root
    with pytest.raises(TableNotFoundError):
        validate(database, str(other))


def test_an_import_that_has_not_completed(database: Database, imported: str):
    run(database, "DELETE FROM delta_tables", "UPDATE migration_status SET status = 'failed'")
    with pytest.raises(ImportIncompleteError):
        validate(database, imported)
