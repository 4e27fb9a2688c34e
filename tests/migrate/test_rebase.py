"""A log whose commits were cleaned up before a sync took them in: what was, what is, and what nobody knows."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable as FileTable
from deltalake import write_deltalake

import deltalakedb
from deltalakedb import DeltaTable
from deltalakedb.catalog import events, registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import Snapshot, snapshot
from deltalakedb.errors import CorruptLogError, LogChangedError, UnsupportedTableError, VersionNotFoundError
from deltalakedb.migrate.export import export_table
from deltalakedb.migrate.importer import ImportReport, import_table
from deltalakedb.migrate.rollback import verify_rollback
from deltalakedb.migrate.validate import validate
from deltalakedb.rows import FileLifetime
from deltalakedb.table.indexing import index
from tests.support.catalogs import dump, execute
from tests.support.logs import (
    BEGIN_MS,
    LogBuilder,
    add,
    cdc,
    commit_info,
    commit_name,
    domain,
    dv,
    metadata,
    protocol,
    remove,
    txn,
)

IN_COMMIT = {"delta.enableInCommitTimestamps": "true"}
NO_RETENTION: dict[str, Any] = {"configuration": {"delta.logRetentionDuration": "interval 0 seconds"}}
ANOTHER_ID = "99999999-6d1f-4a0c-9a37-3d4d6a7a1c11"


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """Versions 0 to 2."""
    log = LogBuilder(tmp_path / "t")
    log.commit(
        protocol(features=["deletionVectors"], writer_features=["domainMetadata"]),
        metadata(),
        *(add(name, stats='{"numRecords":3}', tags={"k": name}) for name in ("stays", "goes", "expires", "changes")),
        txn("app", 1),
        txn("old", 1),
        domain("kept", "1"),
        domain("dropped", "1"),
        commit_info(),
    )
    log.commit(add("early"), add("vector"), commit_info())
    log.commit(remove("early", deletionTimestamp=BEGIN_MS + 1), commit_info())
    return log


def lose(log: LogBuilder, *, own: bool = True, tombstones: bool = True) -> None:
    """Versions 3 to 6, of which the checkpoint of version 5 has the state; of the commits 0 to 4 nothing is left."""
    log.commit(remove("expires"), add("between"), commit_info())
    log.commit(
        remove("goes", size=100, deletionTimestamp=BEGIN_MS + 2),
        remove("between"),
        add("new"),
        add("changes", size=7),
        remove("vector"),
        add("vector", deletionVector=dv()),
        domain("dropped", removed=True),
        txn("app", 2),
        commit_info(),
    )
    log.commit(metadata({"id": "long", "x": "string"}), add("own"), cdc("_change_data/x"), commit_info("MERGE"))
    log.commits[3][0]["remove"]["deletionTimestamp"] = BEGIN_MS + 3
    log.checkpoint(5, tombstones=tombstones)
    log.commit(add("later"), remove("stays"), commit_info())
    log.drop(range(5 if own else 6))


def load(database: Database, log: LogBuilder) -> ImportReport:
    return import_table(database, str(log.root), "t", resume=True, command="sync")


def at(database: Database, version: int) -> dict[str, FileLifetime]:
    with database.reading() as connection:
        state = snapshot(connection, registry.readable(connection, "t"), version)
        return {file.path: file for file in state.files()}


def ask(database: Database, question: str, version: int) -> object:
    with database.reading() as connection:
        return getattr(snapshot(connection, registry.readable(connection, "t"), version), question)()


@pytest.mark.parametrize("own", [True, False])
def test_both_sides_of_the_gap_can_be_read(database: Database, log: LogBuilder, own: bool):
    load(database, log)
    lose(log, own=own)
    report = load(database, log)
    assert (report.first_version, report.version) == (0, 6)
    assert [(gap.first_version, gap.last_version) for gap in report.gaps] == [(3, 4)]
    assert report.warnings == ("versions 3 to 4 were cleaned up in the log before a sync could take it in",)
    assert set(at(database, 0)) == {"stays", "goes", "expires", "changes"}
    assert set(at(database, 2)) == {"stays", "goes", "expires", "changes", "vector"}
    assert set(at(database, 5)) == {"stays", "changes", "new", "vector", "own"}
    assert set(at(database, 6)) == {"changes", "new", "vector", "own", "later"}
    assert (at(database, 2)["changes"].size, at(database, 5)["changes"].size) == (100, 7)
    assert at(database, 2)["vector"].deletion_vector_id is None
    assert at(database, 5)["vector"].deletion_vector_id is not None
    assert {path: (file.added_version, file.removed_version) for path, file in at(database, 5).items()} == {
        "stays": (0, 6),
        "changes": (5, None),
        "new": (5, None),
        "vector": (5, None),
        "own": (5, None),
    }
    assert at(database, 5)["stays"].data_change is True, "what its commit said of it is not lost"


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("tombstones", [True, False])
def test_how_files_ended_is_told_as_far_as_the_checkpoint_tells_it(
    database: Database, log: LogBuilder, own: bool, tombstones: bool
):
    load(database, log)
    lose(log, own=own, tombstones=tombstones)
    load(database, log)
    before = at(database, 2)
    assert {before[name].removed_version for name in ("goes", "expires", "changes", "vector")} == {5}
    goes = before["goes"]
    assert goes.deletion_timestamp == (BEGIN_MS + 2 if tombstones else None)
    assert (goes.removal is None) is not tombstones
    assert before["changes"].removal is None, "it was added again"
    ended = ask(database, "tombstones", 6)
    assert isinstance(ended, list)
    known = {"early", "goes", "expires", "changes", "vector", "stays"}
    assert {file.path for file in ended} - {"between"} == known - {"changes"}
    assert [file.path for file in ended].count("early") == 1
    assert ("between" in {file.path for file in ended}) is tombstones


def test_state_goes_on_from_the_checkpoint(database: Database, log: LogBuilder):
    load(database, log)
    lose(log)
    load(database, log)
    for version, columns, app, domains in ((2, 1, 1, {"kept", "dropped"}), (6, 2, 2, {"kept"})):
        schema = json.loads(ask(database, "metadata", version).schema_string)  # type: ignore[attr-defined]
        assert len(schema["fields"]) == columns
        assert {row.app_id: row.txn_version for row in ask(database, "transactions", version)} == {  # type: ignore[attr-defined]
            "app": app,
            "old": 1,
        }
        assert {row.domain for row in ask(database, "domain_metadata", version)} == domains  # type: ignore[attr-defined]
    with database.reading() as connection:
        commits = Snapshot(connection, registry.readable(connection, "t"), 6).commits()
        assert [commit.version for commit in commits] == [6, 5, 2, 1, 0]
        assert commits[1].operation == "MERGE"
    assert [row.path for row in ask(database, "cdc_files", 5)] == ["_change_data/x"]  # type: ignore[attr-defined]


def test_what_is_counted_is_what_is_there(database: Database, database_url: str, log: LogBuilder):
    load(database, log)
    lose(log)
    report = load(database, log)
    rows = dump(database_url, "t")
    added = [row for row in rows["delta_files"] if row["added_version"] is not None]
    live = [row for row in added if row["removed_version"] is None]
    assert report.files_processed == len(added)
    assert report.active_files == len(live) == len(at(database, 6))
    (status,) = rows["migration_status"]
    assert status["active_bytes"] == sum(row["size"] for row in live)
    assert (status["commits_processed"], status["commits_total"]) == (5, 5)
    assert status["log_bytes_processed"] == status["log_bytes_total"]


def test_a_version_in_the_gap_is_an_error_everywhere(database: Database, log: LogBuilder, tmp_path: Path):
    load(database, log)
    lose(log)
    load(database, log)
    catalog = deltalakedb.Catalog(database)
    for version in (3, 4):
        for question in (
            lambda version=version: catalog.table("t", version=version),
            lambda version=version: catalog.table("t").load_as_version(version),
            lambda version=version: export_table(database, "t", tmp_path / "x", version=version),
        ):
            with pytest.raises(VersionNotFoundError, match="versions 3 to 4 were cleaned up in the log") as raised:
                question()
            assert raised.value.hint == "Versions 2 and 5 are the nearest that are there."
    assert [entry["version"] for entry in catalog.table("t").history()] == [6, 5, 2, 1, 0]
    assert catalog.table("t", version=2).version() == 2


def set_times(database_url: str, times: dict[int, int]) -> None:
    for version, moment in times.items():
        execute(
            database_url,
            f"UPDATE delta_commits SET file_timestamp = {moment}, timestamp = {moment} WHERE version = {version}",
        )


@pytest.mark.parametrize("own", [True, False])
def test_a_time_that_may_be_of_a_version_in_the_gap_is_an_error(
    database: Database, database_url: str, log: LogBuilder, own: bool
):
    load(database, log)
    lose(log, own=own)
    load(database, log)
    set_times(database_url, {0: 1000, 1: 2000, 2: 3000, 5: 6000, 6: 7000})
    catalog = deltalakedb.Catalog(database)

    def version_at(milliseconds: int) -> int:
        return catalog.table("t", timestamp=f"1970-01-01T00:00:{milliseconds / 1000:06.3f}Z").version()

    assert [version_at(moment) for moment in (0, 1000, 2999, 3000, 7000, 9000)] == [0, 0, 1, 2, 6, 6]
    for moment in (3001, 5000, *(() if own else (6000, 6999))):
        with pytest.raises(VersionNotFoundError, match="can't tell its version at that time"):
            version_at(moment)
    if own:
        assert [version_at(moment) for moment in (6000, 6999)] == [5, 5]


def test_a_time_by_in_commit_timestamps(database: Database, log: LogBuilder):
    for version in (3, 4, 5, 6):
        on = metadata(configuration={**IN_COMMIT, "delta.inCommitTimestampEnablementVersion": "3"})
        known = protocol(features=["deletionVectors"], writer_features=["domainMetadata", "inCommitTimestamp"])
        log.commit(
            commit_info(inCommitTimestamp=version * 1000), *((known, on) if version == 3 else ()), add(f"{version}")
        )
    log.checkpoint(6)
    log.commit(add("7"), commit_info(inCommitTimestamp=7000))
    whole = log.root.parent / "whole"
    shutil.copytree(log.root, whole)
    for version in (4, 5, 6, 7):
        (log.log / commit_name(version)).unlink()
    (log.log / "00000000000000000006.checkpoint.parquet").unlink()
    load(database, log)
    shutil.rmtree(log.log)
    shutil.copytree(whole / "_delta_log", log.log)
    log.drop(range(6))
    assert load(database, log).version == 7
    catalog = deltalakedb.Catalog(database)

    def version_at(seconds: float) -> int:
        return catalog.table("t", timestamp=f"1970-01-01T00:00:{seconds:06.3f}Z").version()

    assert [version_at(seconds) for seconds in (3, 6, 6.5, 7, 9)] == [3, 6, 6, 7, 7]
    for seconds in (3.5, 5.9):
        with pytest.raises(VersionNotFoundError, match="can't tell"):
            version_at(seconds)


def test_the_commit_of_the_checkpoint_alone_may_be_gone(database: Database, log: LogBuilder):
    load(database, log)
    log.commit(add("x"))
    log.checkpoint(3)
    log.drop(range(4))
    report = load(database, log)
    assert [(gap.first_version, gap.last_version) for gap in report.gaps] == [(3, 2)]
    assert "the commit of version 3 was cleaned up" in report.warnings[0]
    assert "x" in at(database, 3)
    assert "x" not in at(database, 2)
    with pytest.raises(VersionNotFoundError, match="the commit of version 3 was cleaned up"):
        deltalakedb.Catalog(database).table("t", timestamp="2999-01-01T00:00:00Z")


def test_commits_that_are_still_there_before_the_gap_are_taken_in(database: Database, log: LogBuilder):
    load(database, log)
    for name in "abcd":
        log.commit(add(name))
    log.checkpoint(5)
    log.drop([0, 1, 2, 4])
    report = load(database, log)
    assert [(gap.first_version, gap.last_version) for gap in report.gaps] == [(4, 4)]
    assert "version 4 was cleaned up" in report.warnings[0]
    assert {"a"} < set(at(database, 3))
    assert {"a", "b", "c"} < set(at(database, 5))


def test_two_gaps(database: Database, log: LogBuilder):
    load(database, log)
    lose(log)
    load(database, log)
    for name in "abc":
        log.commit(add(name), remove(name) if name == "z" else commit_info())
    log.checkpoint(9)
    log.commit(remove("a"))
    log.drop(range(5, 9))
    report = load(database, log)
    assert [(gap.first_version, gap.last_version) for gap in report.gaps] == [(3, 4), (7, 8)]
    assert [set(at(database, version)) >= {"a", "b"} for version in (6, 9)] == [False, True]
    assert "a" not in at(database, 10)
    for version in (3, 4, 7, 8):
        with pytest.raises(VersionNotFoundError):
            at(database, version)


def test_validation_knows_of_the_gap(database: Database, log: LogBuilder, tmp_path: Path):
    whole = tmp_path / "whole"
    load(database, log)
    lose(log)
    log.root.rename(whole)
    shutil.copytree(whole, log.root)
    load(database, log)
    report = validate(database, str(log.root), "t", all_versions=True)
    assert report.differences == ()
    assert (report.versions_checked, report.version) == (2, 6)
    assert "versions 0 to 2 and 5 to 4" not in " ".join(report.notes)
    assert "versions 0 to 2 are in SQL alone and were not compared" in " ".join(report.notes)


def test_validation_of_a_log_that_came_back_whole(database: Database, log: LogBuilder):
    load(database, log)
    lose(log)
    load(database, log)
    for version, actions in list(log.commits.items()):
        if version < 5:
            log.commit(*actions, version=version)
    report = validate(database, str(log.root), "t", all_versions=True)
    assert report.differences == ()
    assert "the catalog with 5" in " ".join(report.notes)


def test_validation_finds_damage_behind_the_gap(database: Database, database_url: str, log: LogBuilder):
    load(database, log)
    lose(log)
    load(database, log)
    execute(database_url, "UPDATE delta_files SET size = 8 WHERE path = 'changes' AND added_version = 5")
    assert [one.kind for one in validate(database, str(log.root), "t").differences][:1] == ["size"]


def test_a_rollback_would_lose_what_only_sql_has(database: Database, log: LogBuilder):
    load(database, log)
    lose(log)
    load(database, log)
    check = verify_rollback(database, "t")
    assert not check.can_rollback
    (history,) = (one.detail for one in check.checks if one.name == "history")
    assert history == "versions 0 to 2 were cleaned up in the log: SQL alone has them"


def test_an_export_has_both_sides(database: Database, log: LogBuilder, tmp_path: Path):
    load(database, log)
    lose(log)
    load(database, log)
    report = export_table(database, "t", tmp_path / "new")
    assert (report.first_version, report.version, report.commits, report.checkpoint_versions) == (5, 6, 5, (5, 6))
    for version in (0, 1, 2, 5, 6):
        table = FileTable(tmp_path / "new", version=version)
        assert {uri.rpartition("/")[2] for uri in table.file_uris()} == set(at(database, version)), version
    import_table(database, str(tmp_path / "new"), "again")
    again = {file.path for file in files_of(database, "again", 6)}
    assert again == set(at(database, 6))
    older = export_table(database, "t", tmp_path / "older", version=2)
    assert (older.first_version, older.version) == (0, 2)


def files_of(database: Database, table_id: str, version: int) -> list[FileLifetime]:
    with database.reading() as connection:
        return list(snapshot(connection, registry.readable(connection, table_id), version).files())


def test_an_export_keeps_what_the_checkpoint_had_and_nobody_knows(
    database: Database, database_url: str, log: LogBuilder, tmp_path: Path
):
    load(database, log)
    log.commit(add("x"))
    log.commit(add("y"))
    path = log.checkpoint(4, v2="json")[0]
    path.write_bytes(path.read_bytes() + b'{"mystery":{"a":1}}\n')
    log.drop(range(4))
    load(database, log)
    export_table(database, "t", tmp_path / "new")
    import_table(database, str(tmp_path / "new"), "again")
    (kept,) = (row["checkpoint_actions"] for row in dump(database_url, "again")["delta_tables"])
    assert (json.loads(kept) if isinstance(kept, str) else kept) == [{"mystery": {"a": 1}}]


def test_indexes_of_columns_are_kept_up(database: Database, log: LogBuilder):
    load(database, log)
    index(database, "t", ["id"])
    bounds = '{"numRecords":1,"minValues":{"id":%d},"maxValues":{"id":%d},"nullCount":{"id":0}}'
    log.commit(add("low", stats=bounds % (1, 2)))
    log.commit(add("high", stats=bounds % (98, 99)))
    log.checkpoint(4)
    log.drop(range(4))
    load(database, log)
    found = deltalakedb.Catalog(database).table("t").files(where="id = 98")["path"].to_pylist()
    assert "high" in found
    assert "low" not in found


def test_a_rebase_that_fails_leaves_the_table_as_it_was(database: Database, database_url: str, log: LogBuilder):
    load(database, log)
    lose(log)
    log.commit(metadata({"id": "long"}, format={"provider": "csv"}), version=5)
    before = {
        name: rows for name, rows in dump(database_url, without={"log_version"}).items() if name.startswith("delta")
    }
    with pytest.raises(UnsupportedTableError):
        load(database, log)
    now = {name: rows for name, rows in dump(database_url, without={"log_version"}).items() if name.startswith("delta")}
    assert now == before
    (log.log / "00000000000000000005.checkpoint.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorruptLogError):
        load(database, log)
    assert set(at(database, 2)) == {"stays", "goes", "expires", "changes", "vector"}


def test_it_is_in_the_audit_trail(database: Database, log: LogBuilder, caplog: pytest.LogCaptureFixture):
    load(database, log)
    lose(log)
    load(database, log)
    assert "t: versions 3 to 4 were cleaned up in the log" in caplog.text
    assert "went on from the checkpoint of version 5" in caplog.text
    with database.reading() as connection:
        (event, _) = events.events_of(connection, "t")
    assert (event.version_before, event.version) == (2, 6)
    assert json.loads(event.changes or "") == {"commits": 2, "files": 5, "gap": [3, 4], "rebased_on": 5}


def test_the_clean_up_of_delta_rs(database: Database, tmp_path: Path):
    location = tmp_path / "real"

    def write(number: int) -> None:
        write_deltalake(location, pa.table({"id": range(number * 10, number * 10 + 10)}), mode="append", **NO_RETENTION)

    for number in range(3):
        write(number)
    import_table(database, str(location), "t")
    older = sorted(DeltaTable(database, table_id="t", version=1).to_pyarrow_table()["id"].to_pylist())
    for number in range(3, 6):
        write(number)
    FileTable(location).delete("id = 25")
    FileTable(location).optimize.compact()
    time.sleep(1.1)  # the retention is of whole seconds
    write(7)
    table = FileTable(location)
    table.create_checkpoint()
    table.cleanup_metadata()
    version = table.version()
    assert not (location / "_delta_log" / commit_name(version - 1)).exists()
    assert import_table(database, str(location), "t", resume=True).version == version
    ours = DeltaTable(database, table_id="t")
    assert sorted(ours.file_uris()) == sorted(table.file_uris())
    assert sorted(ours.to_pyarrow_table()["id"].to_pylist()) == sorted(table.to_pyarrow_table()["id"].to_pylist())
    assert sorted(DeltaTable(database, table_id="t", version=1).to_pyarrow_table()["id"].to_pylist()) == older
    assert validate(database, str(location), "t", all_versions=True).differences == ()


# ---- another table, or an older one


def test_a_table_that_was_made_anew_behind_a_gap_is_refused(database: Database, log: LogBuilder):
    load(database, log)
    shutil.rmtree(log.log)
    anew = LogBuilder(log.root)
    for _ in range(7):
        anew.commit(protocol(), metadata(id=ANOTHER_ID), add("x"))
    anew.checkpoint(5)
    anew.drop(range(5))
    said = "may have been deleted and made anew, or replaced, in a gap: its id is 99999999"
    with pytest.raises(LogChangedError, match=said) as raised:
        load(database, anew)
    assert raised.value.hint.startswith(f"`deltalakedb import {log.root} --table-id t --replace` imports it anew")
    assert set(at(database, 2)) == {"stays", "goes", "expires", "changes", "vector"}


@pytest.mark.parametrize("floor", [2, 3])
def test_a_table_that_was_made_anew_is_told_by_its_id_where_the_newest_commit_is_gone(
    database: Database, log: LogBuilder, floor: int
):
    load(database, log)
    shutil.rmtree(log.log)
    anew = LogBuilder(log.root)
    for _ in range(4):
        anew.commit(protocol(), metadata(id=ANOTHER_ID), add("x"))
    anew.checkpoint(floor)
    anew.drop(range(3))
    said = "was deleted and made anew" if floor == 2 else "may have been deleted and made anew"
    with pytest.raises(LogChangedError, match=said):
        load(database, anew)


def test_a_shorter_log_is_another_tables_or_an_older_one(database: Database, log: LogBuilder):
    load(database, log)
    (log.log / commit_name(2)).unlink()
    with pytest.raises(
        LogChangedError, match="ends with version 1, the catalog has 2: it was restored to an older state"
    ):
        load(database, log)
    shutil.rmtree(log.log)
    LogBuilder(log.root).commit(protocol(), metadata(id=ANOTHER_ID), add("x"))
    with pytest.raises(LogChangedError, match="was deleted and made anew"):
        load(database, log)


def test_an_id_that_changed_before_the_gap_is_no_other_table(database: Database, log: LogBuilder):
    log.commit(metadata(id=ANOTHER_ID), commit_info())
    load(database, log)
    log.commit(add("x"))
    log.commit(add("y"))
    log.checkpoint(5)
    log.drop(range(5))
    assert load(database, log).version == 5


def test_what_to_do_about_a_table_that_was_made_anew_works(database: Database, log: LogBuilder):
    load(database, log)
    shutil.rmtree(log.log)
    LogBuilder(log.root).commit(protocol(), metadata(id=ANOTHER_ID), add("x"))
    with pytest.raises(LogChangedError):
        load(database, log)
    assert import_table(database, str(log.root), "t2").version == 0
    assert import_table(database, str(log.root), "t", replace=True).version == 0


def test_the_statements_of_verify_rollback_make_room_for_a_table_that_was_made_anew(
    database: Database, log: LogBuilder
):
    load(database, log)
    shutil.rmtree(log.log)
    LogBuilder(log.root).commit(protocol(), metadata(id=ANOTHER_ID), add("x"))
    statements = verify_rollback(database, "t").statements
    execute(str(database.url.render_as_string(hide_password=False)), *statements)
    assert import_table(database, str(log.root), "t").version == 0
