"""Validation finds every kind of damage, and names it."""

import json
from pathlib import Path

import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.log.reader import open_log, plan
from deltalakedb.log.store import open_store
from deltalakedb.migrate.against_delta_rs import Opened, compare_history, compare_state_with_delta_rs, open_version
from deltalakedb.migrate.differences import LIMIT, Findings
from deltalakedb.migrate.files_against_delta_rs import compare_deletion_vectors, compare_files_with_delta_rs
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.validate import validate
from tests.migrate.damage import IN_FILES, IN_STATE, MORE_DELETED, Damage, run, seen, update
from tests.support.logs import (
    LogBuilder,
    add,
    commit_info,
    metadata,
    protocol,
    remove,
    txn,
)


def params(damages: list[Damage]) -> list:
    return [pytest.param(damage, id=damage.name) for damage in damages]


@pytest.mark.parametrize("damage", params(IN_FILES + IN_STATE))
def test_damage_is_found_and_named(database: Database, imported: str, damage: Damage):
    run(database, damage.statement)
    report = validate(database, imported)
    assert not report.valid
    assert seen(report) == damage.found
    assert seen(validate(database, imported, all_versions=True)) == damage.found
    json.dumps([(one.expected, one.actual) for one in report.differences])


def test_expected_is_the_log_and_actual_is_sql(database: Database, imported: str):
    run(database, update("size = 101", "c.parquet"))
    (one,) = validate(database, imported).differences
    assert (one.expected, one.actual) == (100, 101)


DELTA_RS_SEES = {
    "row missing",
    "row extra",
    "size",
    "partition value",
    "stats",
    "number of records",
    "modification time",
    "removed",
    "not removed",
    "schema",
    "name",
    "partition columns",
    "configuration",
    "created time",
    "protocol",
    "feature",
    "commit missing",
    "commitInfo",
    "metadata missing",
    "protocol missing",
}


@pytest.mark.parametrize("damage", params([d for d in IN_FILES + IN_STATE if d.name in DELTA_RS_SEES]))
def test_delta_rs_alone_sees_it(database: Database, imported: str, damage: Damage):
    assert delta_rs_finds(database, imported) == []
    run(database, damage.statement)
    assert delta_rs_finds(database, imported)


def delta_rs_finds(database: Database, location: str) -> list:
    findings, opened = Findings(), open_version(open_store(location), 3)
    assert isinstance(opened, Opened)
    with database.reading() as connection:
        at = snapshot(connection, registry.readable(connection, "t"))
        compare_state_with_delta_rs(opened.table, at, findings)
        compare_files_with_delta_rs(opened.add_actions, at, findings)
        compare_history(opened.table, at, plan(open_log(open_store(location))), findings)
    return findings.differences


def test_an_unknown_action(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), {"newAction": {"n": None}}, commit_info())
    import_table(database, str(log.root))
    report = validate(database, str(log.root))
    assert report.differences == ()
    assert "could not read the history" in report.notes[0]  # delta-rs gives up
    run(database, "UPDATE delta_commits SET other_actions = NULL")
    (one,) = validate(database, str(log.root)).differences
    assert (one.kind, one.expected, one.actual) == ("unknown_action", {"newAction": {"n": None}}, None)


def test_delta_rs_counts_deleted_rows(database: Database, imported: str):
    run(database, MORE_DELETED)
    findings, opened = Findings(), open_version(open_store(imported), 3)
    assert isinstance(opened, Opened)
    with database.reading() as connection:
        compare_deletion_vectors(opened.table, snapshot(connection, registry.readable(connection, "t")), findings)
    (one,) = findings.differences
    assert (one.kind, one.path, one.expected, one.actual) == ("deletion_vector", "a.parquet", 2, 3)


def test_many_differences_are_counted(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), *(add(f"{n}.parquet") for n in range(30)))
    import_table(database, str(log.root))
    run(database, "UPDATE delta_files SET size = 1")
    monkeypatch.setattr("deltalakedb.migrate.differences.LIMIT", 10)
    report = validate(database, str(log.root))
    assert not report.valid
    assert len(report.differences) == 10 < LIMIT
    assert "20 further differences are not listed" in report.notes


OWN = [
    ("an add that is not the commit's", "UPDATE delta_files SET own_add = TRUE WHERE path = 'stays'"),
    ("an add that is", "UPDATE delta_files SET own_add = NULL WHERE path = 'new'"),
    ("a remove that is not", "UPDATE delta_files SET own_remove = TRUE WHERE path = 'older'"),
    ("a remove that is", "UPDATE delta_files SET own_remove = NULL WHERE path = 'goes'"),
    ("other actions", 'UPDATE delta_commits SET own_actions = \'{"txn":["other"]}\' WHERE version = 2'),
    ("something else", "UPDATE delta_commits SET own_actions = '[1]' WHERE version = 2"),
    ("actions of a commit above", "UPDATE delta_commits SET own_actions = '{}' WHERE version = 3"),
]


@pytest.mark.parametrize("statement", [statement for _, statement in OWN], ids=[name for name, _ in OWN])
def test_what_is_of_the_commit_of_the_first_version_is_compared(database: Database, tmp_path: Path, statement: str):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("stays"), add("goes"), add("older"), txn("other", 1), txn("app", 1))
    log.commit(remove("older"))
    log.commit(remove("goes"), add("new"), txn("app", 2), metadata(name="x"), commit_info())
    log.checkpoint()
    log.drop([0, 1])
    log.commit(add("late"), commit_info())
    import_table(database, str(log.root))
    assert validate(database, str(log.root)).valid
    run(database, statement)
    report = validate(database, str(log.root))
    assert {one.kind for one in report.differences} == {"own_actions"}
    assert {one.version for one in report.differences} <= {2, 3}
