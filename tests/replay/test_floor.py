"""A log that begins with a checkpoint which contradicts the commit of its own version: the checkpoint is followed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.migrate.importer import ImportReport, import_table
from deltalakedb.migrate.validate import validate
from tests.replay.test_replay import (
    EXAMPLES,
    FORMS,
    Place,
    RandomLog,
    at,
    grow,
    place,  # noqa: F401 (a fixture)
    plain_replay,
    random_logs,
    same_action,
    version_of,
)
from tests.support.logs import LogBuilder, add, commit_info, commit_name, domain, dv, metadata, protocol, remove, txn

CHECKPOINT, OWN = "00000000000000000002.checkpoint.parquet", commit_name(2)


def lagging(root: Path) -> LogBuilder:
    """A log of versions 2 and 3, whose checkpoint of version 2 holds the state of version 1."""
    log = LogBuilder(root)
    log.commit(protocol(), metadata(), add("0"), add("1"))
    log.commit(commit_info())
    log.commit(remove("0"), add("2"), commit_info())
    log.commit(add("3"), commit_info())
    log.checkpoint(2, state_of=1)
    log.drop([0, 1])
    return log


def live(database: Database, table_id: str, version: int) -> list[str]:
    with database.reading() as connection:
        state = snapshot(connection, registry.readable(connection, table_id), version)
        return sorted(file.path for file in state.files())


def test_the_state_is_the_checkpoints_and_the_files_are_named(database: Database, tmp_path: Path):
    report = import_table(database, str(lagging(tmp_path / "t").root))
    assert (live(database, "t", 2), live(database, "t", 3)) == (["0", "1"], ["0", "1", "3"])
    assert report.warnings == (
        f"{CHECKPOINT} lacks files that {OWN} adds, and was followed: 2",
        f"{CHECKPOINT} has files that {OWN} removes, and was followed: 0",
    )
    assert validate(database, str(tmp_path / "t"), all_versions=True).differences == ()


def test_what_the_commit_says_is_kept(database: Database, tmp_path: Path):
    import_table(database, str(lagging(tmp_path / "t").root))
    with database.reading() as connection:
        rows = {(row.path, row.added_version, row.removed_version, row.removal is None)
                for row in snapshot(connection, registry.readable(connection, "t")).lifetimes()}  # fmt: skip
    assert rows == {
        ("0", 2, None, True), ("0", None, 2, False), ("1", 2, None, True), ("2", 2, 2, True), ("3", 3, None, True),
    }  # fmt: skip


def test_of_a_file_that_both_have_the_commit_says_more(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    log.commit(add("b", tags={"k": "v"}, stats='{"numRecords":7}'), add("a", size=5))
    log.checkpoint(1)
    log.drop([0])
    assert import_table(database, str(log.root)).warnings == ()
    with database.reading() as connection:
        state = snapshot(connection, registry.readable(connection, "t"))
        files = {file.path: (file.size, file.num_records, file.tags, file.data_change) for file in state.files()}
    assert files == {"a": (5, 1, None, True), "b": (100, 7, '{"k": "v"}', True)}


def test_later_commits_end_what_the_checkpoint_has(database: Database, tmp_path: Path):
    log = lagging(tmp_path / "t")
    log.commit(remove("0"), remove("2"))
    import_table(database, str(log.root))
    assert (live(database, "t", 3), live(database, "t", 4)) == (["0", "1", "3"], ["1", "3"])
    assert validate(database, str(log.root), all_versions=True).differences == ()


def test_ten_files_are_named_and_the_others_counted(sqlite_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata())
    log.commit(*(add(f"{n:02}") for n in range(13)))
    log.checkpoint(1, state_of=0)
    log.drop([0])
    (warning,) = import_table(Database(sqlite_url), str(log.root)).warnings
    assert warning.endswith("followed: 00, 01, 02, 03, 04, 05, 06, 07, 08, 09 and 3 more")


def test_state_is_the_checkpoints_too(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    old = [protocol(writer_features=["domainMetadata"]), metadata(name="old"), txn("a", 1), domain("d", "1")]
    log.commit(*old)
    new = [protocol(writer_features=["domainMetadata", "appendOnly"]), metadata(name="new")]
    log.commit(*new, txn("a", 2), txn("b", 1), domain("d", removed=True), domain("e"), commit_info())
    log.checkpoint(1, state_of=0)
    log.drop([0])
    report = import_table(database, str(log.root))
    assert [warning.partition(":")[2] for warning in report.warnings] == [
        f" its checkpoint has another {what}, and was followed"
        for what in ("protocol than its commit", "metaData than its commit", "txn than its commit for a",
                     "domainMetadata than its commit for d")
    ]  # fmt: skip
    with database.reading() as connection:
        state = snapshot(connection, registry.readable(connection, "t"))
        assert (state.metadata().name, "appendOnly" in state.protocol().writer_features) == ("old", False)
        assert [(row.app_id, row.txn_version) for row in state.transactions()] == [("a", 1), ("b", 1)]
        assert [(row.domain, row.configuration) for row in state.domain_metadata()] == [("d", "1"), ("e", "{}")]
        kept = state.commits()[0].other_actions
    assert kept.count('"new"') == kept.count("appendOnly") == kept.count('"removed"') == 1
    assert validate(database, str(log.root), all_versions=True).differences == ()


def test_a_checkpoint_that_only_spells_it_otherwise_contradicts_nothing(sqlite_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(3, 7, readerFeatures=["v2Checkpoint", "deletionVectors"], writerFeatures=["v2Checkpoint"]))
    log.commit(metadata(description="", configuration={"b": "1", "a": "2"}))
    log.checkpoint(1)
    body = metadata(description=..., configuration={"a": "2", "b": "1"})
    body["metaData"]["schemaString"] = body["metaData"]["schemaString"].replace(": ", ":")
    again = protocol(3, 7, readerFeatures=["deletionVectors", "v2Checkpoint"], writerFeatures=["v2Checkpoint"])
    log.commit(body, again, version=1)
    log.drop([0])
    database = Database(sqlite_url)
    assert import_table(database, str(log.root)).warnings == ()
    assert validate(database, str(log.root)).differences == ()


# ---- whatever the log is


@st.composite
def lagging_logs(draw: st.DrawFn) -> RandomLog:
    log = draw(random_logs(cleaned=False).filter(lambda log: log.version >= 1))
    log.floor = draw(st.integers(1, log.version))
    log.checkpoints = {log.floor: draw(st.sampled_from(FORMS)) | {"state_of": log.floor - 1}}
    return log


def followed(log: RandomLog, version: int) -> dict:
    """What holds at a version where the floor's own commit only adds to what its checkpoint says."""
    own = plain_replay({0: log.commits[log.floor]}, 0)
    before = plain_replay(log.commits, log.floor - 1)
    other = {key for key in own if key[0] != "add"} - before.keys()
    said = [{key[0]: own[key][1]} for key in own if (key[0] == "add" and key in before) or key in other]
    return plain_replay({**log.commits, log.floor: said}, version)


@EXAMPLES
@given(log=lagging_logs())
def test_every_version_begins_with_the_checkpoint(place: Place, log: RandomLog):  # noqa: F811
    root, table_id = place.next()
    log.write(root)
    import_table(place.database, str(root), table_id)
    for version in range(log.floor, log.version + 1):
        found = at(place, table_id, version)
        expected = {k: each for k, each in followed(log, version).items() if k[0] not in ("cdc", "commitInfo")}
        assert found.keys() == expected.keys(), version
        for key, (began, body) in expected.items():
            since, row = found[key]
            assert since == max(began, log.floor), (version, key)
            same_action(key[0], row, body)
    assert validate(place.database, str(root), table_id).differences == ()


@EXAMPLES
@given(log=lagging_logs(), data=st.data())
def test_a_sync_behind_lost_commits_follows_the_checkpoint_as_an_import_does(
    place: Place,  # noqa: F811
    log: RandomLog,
    data: st.DataObject,
):
    if log.floor < 2:
        log.floor, log.checkpoints = log.version, {}
        return
    root, table_id = place.next()
    whole, grown = log.write(root / "whole").log, root / "grown" / "_delta_log"
    source = RandomLog(log.commits, floor=0)
    source.write(root / "source")
    begun = data.draw(st.integers(0, log.floor - 2), label="imported up to")
    grow(grown, root / "source" / "_delta_log", begun)
    import_table(place.database, str(grown.parent), table_id)
    for path in grown.glob("*.*"):
        if version_of(path.name) < log.floor:
            path.unlink()
    grow(grown, whole, log.version)
    synced = import_table(place.database, str(grown.parent), table_id, resume=True)
    alone = import_table(place.database, str(root / "whole"), f"{table_id} alone")
    assert contradictions(synced) == contradictions(alone)
    for version in range(log.floor, log.version + 1):
        ours, theirs = (at(place, name, version) for name in (table_id, f"{table_id} alone"))
        assert ours.keys() == theirs.keys(), version


def contradictions(report: ImportReport) -> set[str]:
    return {warning.rpartition(":")[0] for warning in report.warnings if "followed" in warning}


def test_a_vector_is_part_of_what_is_followed(database: Database, tmp_path: Path):
    vector = dv("x", "u")
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["deletionVectors"]), metadata(), add("a"))
    log.commit(remove("a"), add("a", deletionVector=vector))
    log.checkpoint(1, state_of=0)
    log.drop([0])
    import_table(database, str(log.root))
    with database.reading() as connection:
        (file,) = snapshot(connection, registry.readable(connection, "t")).files()
    assert file.deletion_vector_id is None


@pytest.mark.parametrize("large", [False, True])
def test_a_large_commit_is_read_again(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool):
    if large:
        monkeypatch.setattr("deltalakedb.log.reader.CHUNK_BYTES", 1)
    report = import_table(Database(sqlite_url), str(lagging(tmp_path / "t").root))
    assert (report.active_files, len(report.warnings)) == (3, 2)
