"""A validation accuses SQL of nothing that the log's own text says, whatever another reader makes of it."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.log.reader import open_log, plan
from deltalakedb.log.store import open_store
from deltalakedb.migrate.differences import Doubt, Findings
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.judgement import Judgement
from deltalakedb.migrate.second_reading import Reading, Scope, read
from deltalakedb.migrate.validate import validate
from tests.migrate.damage import CHANGES, make_log, run, seen, update
from tests.support.logs import LogBuilder, add, commit_info, commit_name, metadata, protocol, remove

WHOLE = "2020-01-01T00:00:00.000003Z"
CUT = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
CHECKPOINT = "00000000000000000000.checkpoint.parquet"
_TIME = pa.timestamp("us", tz="UTC")
_VALUES = pa.struct([("ts", _TIME)])
_COUNTS = pa.struct([("ts", pa.int64())])
_PARSED = pa.struct(
    [("numRecords", pa.int64()), ("minValues", _VALUES), ("maxValues", _VALUES), ("nullCount", _COUNTS)]
)


def stats(time: str = WHOLE) -> str:
    return json.dumps({"numRecords": 1, "minValues": {"ts": time}, "maxValues": {"ts": time}, "nullCount": {"ts": 0}})


def with_parsed_stats(path: Path, *, text: bool = True) -> None:
    """Rewrites a checkpoint with times that are cut to milliseconds in `stats_parsed`; `stats` stays, or goes."""
    table = pq.read_table(path)
    rows, kind = table["add"].to_pylist(), table.schema.field("add").type
    cut = {"numRecords": 1, "minValues": {"ts": CUT}, "maxValues": {"ts": CUT}, "nullCount": {"ts": 0}}
    fields = [field for field in kind if text or field.name != "stats"]
    wider = pa.struct([*fields, pa.field("stats_parsed", _PARSED)])
    adds = [None if row is None else {**row, "stats_parsed": cut} for row in rows]
    at = table.schema.get_field_index("add")
    pq.write_table(table.set_column(at, "add", pa.array(adds, wider)), path)


def cut_log(root: Path, files: int = 1) -> LogBuilder:
    log = LogBuilder(root)
    log.commit(protocol(), metadata({"ts": "timestamp"}), *(add(f"{n}", stats=stats()) for n in range(files)))
    log.commit(add("later", stats=stats()), commit_info())
    return log


# ---- statistics that a checkpoint has in a cut form


@pytest.mark.parametrize("all_versions", [False, True])
def test_statistics_that_a_checkpoint_cuts_are_a_note(database: Database, tmp_path: Path, all_versions: bool):
    log = cut_log(tmp_path / "t", files=3)
    (path,) = log.checkpoint(0, tombstones=False)
    with_parsed_stats_of_commits(log, path)
    import_table(database, str(log.root))
    report = validate(database, str(log.root), all_versions=all_versions)
    assert (report.valid, report.differences) == (True, ())
    (note,) = report.notes
    assert "shows another stats of 0 than 00000000000000000000.json, which SQL agrees with" in note
    assert f"{{'minValues.ts': '{WHOLE}'}}; it starts at {CHECKPOINT} (6 such in all)" in note
    run(database, update(f"stats = '{stats('2019-01-01T00:00:00Z')}'", "1"))
    assert seen(validate(database, str(log.root), all_versions=all_versions)) == {("stats", 0, "1")}


def with_parsed_stats_of_commits(log: LogBuilder, path: Path) -> None:
    """Gives a checkpoint's files the statistics of their commits as text, and cut ones beside them."""
    table = pq.read_table(path)
    told = {
        one["add"]["path"]: one["add"]["stats"] for commit in log.commits.values() for one in commit if "add" in one
    }
    adds = [None if row is None else {**row, "stats": told[row["path"]]} for row in table["add"].to_pylist()]
    at = table.schema.get_field_index("add")
    pq.write_table(table.set_column(at, "add", pa.array(adds, table.schema.field("add").type)), path)
    with_parsed_stats(path)


def test_a_log_that_was_cleaned_up_since_says_it_by_its_checkpoint(database: Database, tmp_path: Path):
    log = cut_log(tmp_path / "t")
    import_table(database, str(log.root))
    (path,) = log.checkpoint(0)
    path.rename(log.log / "00000000000000000001.checkpoint.parquet")
    (path,) = log.checkpoint(1)
    with_parsed_stats_of_commits(log, path)
    log.drop([0, 1])
    (log.log / CHECKPOINT).unlink(missing_ok=True)
    report = validate(database, str(log.root))
    assert report.differences == ()
    assert any("than 00000000000000000001.checkpoint.parquet, which SQL agrees with" in note for note in report.notes)
    run(database, update(f"stats = '{stats('2019-01-01T00:00:00Z')}'", "0"))
    report = validate(database, str(log.root))
    assert seen(report) == {("stats", 1, "0")}


# ---- what else delta-rs may have from elsewhere


def doubt(kind: str, path: str | None, expected: Any, actual: Any, **fields: Any) -> Doubt:
    return Doubt(3, kind, path, expected, actual, **fields)


DOUBTS = {
    "size": (doubt("size", "c.parquet", 1, 100, added_version=1), update("size = 7", "c.parquet")),
    "modification_time": (
        doubt("modification_time", "c.parquet", 1, 2, added_version=1),
        update("modification_time = 2", "c.parquet"),
    ),
    "partition_values": (
        doubt("partition_values", "c.parquet", {"day": "x"}, {"day": None}, added_version=1),
        update("partition_values = '{}'", "c.parquet"),
    ),
    "num_records": (
        doubt("num_records", "c.parquet", 1, 10, added_version=1),
        update("num_records = 9", "c.parquet"),
    ),
    "deletion_vector": (
        doubt("deletion_vector", "a.parquet", 9, 2, added_version=2),
        update("deletion_vector_id = 'x'", "a.parquet", "AND added_version = 2"),
    ),
    "metadata": (
        doubt("metadata", None, {"name": "other"}, {"name": "orders"}),
        "UPDATE delta_metadata SET name = 'wrong'",
    ),
    "configuration": (
        doubt("configuration", None, {"configuration": {}}, {"configuration": {"delta.enableRowTracking": "true"}}),
        "UPDATE delta_metadata SET configuration = '{}'",
    ),
    "schema": (
        doubt("schema", None, {"schemaString": {}}, {"schemaString": {}}),
        "UPDATE delta_metadata SET schema_string = '{}'",
    ),
    "protocol": (
        doubt("protocol", None, {"minReaderVersion": 1}, {"minReaderVersion": 3}),
        "UPDATE delta_protocols SET min_reader_version = 1",
    ),
    "txn": (
        doubt("txn", None, {"appId": "loader", "version": 1}, {"appId": "loader", "version": 2}),
        "UPDATE delta_transactions SET txn_version = 1 WHERE version = 1",
    ),
    "commit": (
        doubt("commit", None, {"operation": "x"}, {"operation": "WRITE"}),
        "UPDATE delta_commits SET commit_info = NULL WHERE version = 3",
    ),
}
"""A doubt of a reader's, and damage with which it would be right."""


def judged(database: Database, location: str, one: Doubt) -> Findings:
    """What comes of a doubt once the second reading is done, and has found nothing by itself."""
    log = open_log(open_store(location))
    segment = plan(log)
    scope = Scope(segment, segment.first_version, floors_differ=False)
    with database.reading() as connection:
        entry = registry.readable(connection, "t")
        findings = Findings()
        findings.judge = Judgement(connection, entry, log, scope, read(log, scope), findings, "delta-rs")
        findings.doubt(one)
        findings.judge.settle(3)
        findings.judge.finish()
    return findings


@pytest.mark.parametrize("kind", DOUBTS)
def test_what_the_log_confirms_is_a_note_with_the_logs_file(database: Database, imported: str, kind: str):
    one, _ = DOUBTS[kind]
    findings = judged(database, imported, one)
    assert findings.differences == []
    (note,) = findings.notes
    of_state = {"txn": 1, "commit": 3}
    version = of_state.get(kind, 0) if one.added_version is None else one.added_version
    assert f"than {commit_name(version)}, which SQL agrees with" in note


@pytest.mark.parametrize("kind", ["metadata", "configuration", "schema", "protocol", "txn", "commit"])
def test_state_that_the_log_does_not_confirm_is_a_difference(database: Database, imported: str, kind: str):
    """Whatever becomes of the rows that answer for a version: here nobody else has looked at them."""
    one, damage = DOUBTS[kind]
    run(database, damage)
    findings = judged(database, imported, one)
    assert [each.kind for each in findings.differences] == [kind]


@pytest.mark.parametrize("kind", DOUBTS)
def test_a_validation_finds_the_damage_itself(database: Database, imported: str, kind: str):
    run(database, DOUBTS[kind][1])
    assert {one.kind for one in validate(database, imported).differences} == {kind}


def test_other_files_are_a_difference_where_no_checkpoint_explains_them(database: Database, imported: str):
    missing = doubt("file_missing", "z.parquet", {"size": 1}, None)
    extra = doubt("file_extra", "c.parquet", None, {"size": 1}, added_version=1)
    for one in (missing, extra):
        (found,) = judged(database, imported, one).differences
        assert (found.kind, found.path) == (one.kind, one.path)


def test_a_second_reader_that_sees_nothing_does_not_make_all_green(
    database: Database, imported: str, monkeypatch: pytest.MonkeyPatch
):
    """A reader that took whatever SQL has for right would still not explain which files delta-rs sees."""
    run(database, "DELETE FROM delta_files WHERE path = 'd.parquet'")
    monkeypatch.setattr("deltalakedb.migrate.validate.compare_files_with_log", lambda *_: None)
    assert seen(validate(database, imported)) == {("file_missing", 3, "d.parquet")}


# ---- which file of the log says what


SOURCES = {
    "size": (update("size = 1", "c.parquet"), 1),
    "file_missing": ("DELETE FROM delta_files WHERE path = 'd.parquet'", 3),
    "removed_version": (update("removed_version = 2", "b.parquet"), 1),
    "tombstone": (update("deletion_timestamp = 1", "b.parquet"), 1),
    "metadata": ("UPDATE delta_metadata SET name = 'x'", 0),
    "protocol": ("UPDATE delta_protocols SET min_writer_version = 6", 0),
    "commit": ("UPDATE delta_commits SET operation = 'x' WHERE version = 2", 2),
    "timestamp": ("UPDATE delta_commits SET timestamp = 1 WHERE version = 3", 3),
    "txn": ("UPDATE delta_transactions SET txn_version = 9 WHERE version = 1", 1),
    "domain_metadata": ("UPDATE delta_domain_metadata SET configuration = '{}'", 0),
    "cdc": ("UPDATE delta_cdc_files SET size = 1", 1),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_difference_names_the_commit_that_says_it(database: Database, imported: str, kind: str):
    damage, version = SOURCES[kind]
    run(database, damage)
    assert {(one.kind, one.source) for one in validate(database, imported).differences} == {
        (kind, commit_name(version))
    }


def test_what_only_sql_has_no_file_says(database: Database, imported: str):
    run(
        database,
        "INSERT INTO delta_files (table_id, path, added_version, size, partition_values, key_hash) "
        "VALUES ('t', 'x.parquet', 2, 1, '{}', 7)",
    )
    (one,) = validate(database, imported).differences
    assert (one.kind, one.source) == ("file_extra", None)


def test_a_checkpoint_is_named_where_it_says_it(database: Database, tmp_path: Path):
    log = make_log(tmp_path / "t")
    log.checkpoint(1)
    log.drop([0])
    import_table(database, str(log.root))
    run(
        database,
        update("size = 1", "a.parquet", "AND deletion_vector IS NULL"),
        update("size = 1", "c.parquet"),
        "UPDATE delta_metadata SET name = 'x'",
    )
    found = {(one.kind, one.path, one.source) for one in validate(database, str(log.root)).differences}
    checkpoint = "00000000000000000001.checkpoint.parquet"
    assert found == {
        ("size", "a.parquet", checkpoint),
        ("size", "c.parquet", commit_name(1)),
        ("metadata", None, checkpoint),
    }


def test_a_checksum_is_named_where_it_says_it(database: Database, imported: str):
    Path(imported, "_delta_log", "00000000000000000003.crc").write_text(json.dumps({"numFiles": 3}))
    run(database, "DELETE FROM delta_files WHERE path = 'd.parquet'")
    found = {(one.kind, one.source) for one in validate(database, imported).differences}
    assert found == {("file_missing", commit_name(3)), ("checksum", "00000000000000000003.crc")}


def test_the_reading_knows_its_sources(tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"), commit_info())
    log.commit(metadata(name="x"), remove("a"), add(CHANGES), commit_info())
    found = open_log(open_store(str(log.root)))
    reading: Reading = read(found, Scope(plan(found), 0, floors_differ=False))
    assert reading.sources == {
        ("protocol", 0): commit_name(0), ("metaData", 0): commit_name(0), ("metaData", 1): commit_name(1),
    }  # fmt: skip


def test_what_sql_answers_at_a_version_is_looked_at(database: Database, imported: str):
    """The judge asks the catalog as its users do, not the rows: a wrong answer of right rows would be a difference."""
    with database.reading() as connection:
        assert snapshot(connection, registry.readable(connection, "t"), 3).metadata().name == "orders"
    assert validate(database, imported).valid
