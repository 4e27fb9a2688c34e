"""Rollback: refused where the log alone would not do, complete where it does."""

import shutil
import socket
from pathlib import Path

import psutil
import pytest
from deltalake import DeltaTable

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.errors import (
    DatabaseConnectionError,
    DeltaLakeDBError,
    RollbackUnsafeError,
    TableBusyError,
    TableNotFoundError,
)
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.rollback import RollbackCheck, rollback, verify_rollback
from deltalakedb.migrate.validate import validate
from tests.migrate.damage import make_log, run
from tests.support.logs import LogBuilder, add, commit_name, metadata, protocol

CHECKS = ["log", "history", "catalog", "files", "rows"]


def failed(check: RollbackCheck) -> list[str]:
    assert [one.name for one in check.checks] == CHECKS
    assert check.can_rollback == all(one.ok for one in check.checks)
    return [one.name for one in check.checks if not one.ok]


def rows(database: Database, table_id: str = "t") -> dict[str, int]:
    with database.reading() as connection:
        return registry.count_rows(connection, table_id)


# ---- verifying


@pytest.mark.usefixtures("imported")
def test_a_table_that_can_be_rolled_back(database: Database):
    check = verify_rollback(database, "t")
    assert failed(check) == []
    details = {one.name: one.detail for one in check.checks}
    assert "versions 0 to 3" in details["log"]
    assert "versions 0 to 3" in details["history"]
    assert "deltalake" in details["catalog"]
    assert "opens version 3" in details["files"]
    assert "delta_files 6" in details["rows"]
    assert rows(database)["delta_files"] == 6


def test_statements_are_what_a_rollback_does(database: Database, tmp_path: Path):
    table_id = 'it\'s "mine"; --'
    log = make_log(tmp_path / "t")
    import_table(database, str(log.root), table_id)
    import_table(database, str(log.root), "other")
    statements = verify_rollback(database, table_id).statements
    assert statements[0] == "DELETE FROM delta_files WHERE table_id = 'it''s \"mine\"; --';"
    assert statements[1].startswith("DELETE FROM migration_status WHERE table_id = ")
    with database.transaction() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    assert set(rows(database, table_id).values()) == {0}
    assert rows(database, "other")["delta_files"] == 6


@pytest.mark.usefixtures("imported")
@pytest.mark.parametrize(
    "statement",
    ["UPDATE delta_files SET size = 1", "DELETE FROM delta_commits WHERE version = 1", "DELETE FROM delta_metadata"],
)
def test_sql_that_is_not_the_log(database: Database, statement: str):
    run(database, statement)
    assert failed(verify_rollback(database, "t")) == ["catalog"]


def test_a_log_that_is_gone(database: Database, imported: str):
    shutil.rmtree(imported)
    assert failed(verify_rollback(database, "t")) == ["log", "history", "catalog", "files"]


def test_a_log_with_a_gap(database: Database, imported: str):
    Path(imported, "_delta_log", commit_name(1)).unlink()
    assert failed(verify_rollback(database, "t")) == ["log", "history", "catalog", "files"]


def test_a_log_that_is_damaged(database: Database, imported: str):
    Path(imported, "_delta_log", commit_name(2)).write_text('{"add": {')
    assert failed(verify_rollback(database, "t")) == ["catalog"]


def test_a_log_that_is_older(database: Database, imported: str):
    Path(imported, "_delta_log", commit_name(3)).unlink()
    assert failed(verify_rollback(database, "t")) == ["history", "catalog"]


def test_history_that_only_sql_has(database: Database, tmp_path: Path):
    log = make_log(tmp_path / "t")
    import_table(database, str(log.root))
    log.checkpoint(2)
    log.drop([0, 1])
    check = verify_rollback(database, "t")
    assert failed(check) == ["history"]
    assert "versions 0 to 1 were cleaned up" in check.checks[1].detail


def test_a_log_that_has_grown(database: Database, imported: str):
    Path(imported, "_delta_log", commit_name(4)).write_text("")
    assert failed(verify_rollback(database, "t")) == []


def test_a_table_that_delta_rs_does_not_open(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["quantumRows"]), metadata(), add("a.parquet"))
    import_table(database, str(log.root))
    check = verify_rollback(database, "t")
    assert failed(check) == []
    assert "does not open it" in check.checks[3].detail
    assert rollback(database, "t").opened_version == 0


@pytest.mark.usefixtures("imported")
def test_unknown_tables(database: Database):
    for call in (verify_rollback, rollback):
        with pytest.raises(TableNotFoundError):
            call(database, "other")
    assert rows(database)["delta_files"] == 6


def test_no_catalog_at_all(sqlite_url: str):
    with pytest.raises(DatabaseConnectionError):
        rollback(Database(sqlite_url), "t")


# ---- rolling back


def test_everything_is_deleted(database: Database, imported: str):
    before = sorted(Path(imported).rglob("*"))
    had = rows(database)
    report = rollback(database, "t")
    assert report.deleted == had
    assert set(rows(database).values()) == {0}
    assert (report.table_id, report.location, report.status) == ("t", imported, "rolled back")
    assert report.opened_version == 3
    assert report.duration_seconds > 0
    assert sorted(Path(imported).rglob("*")) == before
    assert DeltaTable(imported).version() == 3
    with pytest.raises(TableNotFoundError):
        rollback(database, "t")


def test_it_can_be_imported_again(database: Database, imported: str):
    rollback(database, "t")
    import_table(database, imported)
    assert validate(database, imported).valid


def test_other_tables_stay(database: Database, imported: str):
    import_table(database, imported, "other")
    rollback(database, "t")
    assert rows(database, "other")["delta_files"] == 6
    assert validate(database, imported, "other").valid


@pytest.mark.usefixtures("imported")
def test_a_dry_run(database: Database):
    had = rows(database)
    report = rollback(database, "t", dry_run=True)
    assert (report.status, report.deleted, report.opened_version) == ("dry run", had, 3)
    assert rows(database) == had


@pytest.mark.usefixtures("imported")
@pytest.mark.parametrize("dry_run", [True, False])
def test_an_unsafe_rollback_deletes_nothing(database: Database, dry_run: bool):
    run(database, "UPDATE delta_files SET size = 1")
    had = rows(database)
    with pytest.raises(RollbackUnsafeError, match="catalog: ") as caught:
        rollback(database, "t", dry_run=dry_run)
    assert caught.value.exit_code == 3
    assert failed(caught.value.check) == ["catalog"]
    assert rows(database) == had


# ---- imports that have not completed


def interrupt(database: Database, location: str) -> None:
    """An import that ends after its first batch."""

    def stop(_progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_table(database, location, batch_size=1, listener=stop)


def test_an_interrupted_import(database: Database, tmp_path: Path):
    log = make_log(tmp_path / "t")
    interrupt(database, str(log.root))
    assert rows(database)["delta_files"] > 0
    check = verify_rollback(database, "t")
    assert failed(check) == []
    assert "not applicable" in check.checks[2].detail
    report = rollback(database, "t")
    assert set(rows(database).values()) == {0}
    assert (report.location, report.opened_version) == (str(log.root), 3)


def test_an_interrupted_import_of_a_log_that_is_gone(database: Database, tmp_path: Path):
    log = make_log(tmp_path / "t")
    interrupt(database, str(log.root))
    Path(log.log, commit_name(0)).write_text("{")
    assert "log" in failed(verify_rollback(database, "t"))


def test_an_import_that_loaded_nothing(database: Database, tmp_path: Path):
    (tmp_path / "t" / "_delta_log").mkdir(parents=True)
    with pytest.raises(DeltaLakeDBError):
        import_table(database, str(tmp_path / "t"))
    assert rows(database)["migration_status"] == 1
    assert failed(verify_rollback(database, "t")) == []
    assert rollback(database, "t").opened_version is None
    assert rows(database)["migration_status"] == 0


@pytest.mark.usefixtures("imported")
def test_a_table_that_another_process_imports(database: Database):
    parent = psutil.Process().parent()
    owner = f"{socket.gethostname()}/{parent.pid}/{parent.create_time():.2f}"
    with database.transaction() as connection:
        registry.record(connection, "t", status="running", owner=owner, heartbeat_at=registry.now())
    for call in (verify_rollback, rollback):
        with pytest.raises(TableBusyError):
            call(database, "t")
    assert rows(database)["delta_files"] == 6
