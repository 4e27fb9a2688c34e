"""What the audit trail says of each command, and what it keeps quiet about."""

import getpass
import json
import socket
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from deltalakedb.catalog import events, registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.events import Event
from deltalakedb.errors import DeltaLakeDBError, LogChangedError, RollbackUnsafeError, TableNotFoundError
from deltalakedb.migrate.batch import batch_import
from deltalakedb.migrate.export import export_table
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.rollback import rollback, verify_rollback
from deltalakedb.migrate.validate import validate_and_keep
from deltalakedb.table.indexing import index
from tests.migrate.damage import make_log
from tests.support.catalogs import dump, execute
from tests.support.logs import LogBuilder, add, commit_info, commit_name, metadata, protocol

DEAD = f"{socket.gethostname()}/999999999/1.00"


def events_of(database: Database, table_id: str = "t") -> list[Event]:
    """The table's events, the oldest first."""
    with database.reading() as connection:
        return events.events_of(connection, table_id)[::-1]


def told(database: Database, table_id: str = "t") -> list[tuple[str, str]]:
    return [(event.command, event.status) for event in events_of(database, table_id)]


def changes(event: Event) -> Any:
    return None if event.changes is None else json.loads(event.changes)


def sync(database: Database, location: str) -> None:
    import_table(database, location, "t", resume=True, command="sync")


@pytest.fixture
def log(imported: str) -> LogBuilder:
    """The log of the table `t`, which goes on behind version 3."""
    return LogBuilder(Path(imported), version=4)


def test_an_import_says_who_did_what(database: Database, database_url: str, imported: str):
    (event,) = events_of(database)
    assert (event.command, event.status, event.version_before, event.version) == ("import", "completed", None, 3)
    assert json.loads(event.options) == {"location": imported}
    assert changes(event) == {"commits": 4, "files": 5}
    assert (event.os_user, event.host) == (getpass.getuser(), socket.gethostname())
    assert (event.owner, event.times) == (registry.this_process(), 1)
    assert event.program.startswith("deltalakedb 0.")
    assert event.ended_at is not None
    assert event.started_at <= event.ended_at
    assert (event.database_user or "").partition("@")[0] == (sa.make_url(database_url).username or "")
    assert database.dialect.name == "sqlite" or event.database_user


def test_of_storage_options_the_names_are_written_and_of_urls_no_password(database: Database, imported: str):
    options = {"aws_secret_access_key": "hunter2", "aws_region": "eu"}
    import_table(database, imported, "t", resume=True, batch_size=7, storage_options=options)
    assert told(database) == [("import", "completed")], "nothing was new"
    trail = {"location": "s3://me:hunter3@host/t"}
    with database.transaction() as connection:
        events.add(connection, database.dialect, "import", "u", options=database.scrub(json.dumps(trail)))
    import_table(database, imported, "again", batch_size=7, storage_options=options)
    (event,) = events_of(database, "again")
    assert json.loads(event.options) == {
        "location": imported,
        "batch_size": 7,
        "storage_options": ["aws_region", "aws_secret_access_key"],
    }
    assert "hunter" not in repr(events_of(database, "u")) + repr(event)


def test_an_import_that_fails_and_one_that_goes_on(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    log.commit(add("b"))
    broken = log.log / commit_name(0)
    whole = broken.read_text()
    broken.write_text(whole + '{"add": {"pa')
    for _ in range(2):
        with pytest.raises(DeltaLakeDBError):
            import_table(database, str(log.root), batch_size=1, resume=True)
    broken.write_text(whole)
    import_table(database, str(log.root), resume=True)
    first, last = events_of(database)
    assert (first.command, first.status, first.version, first.times) == ("import", "failed", None, 2)
    assert commit_name(0) in (first.error_message or "")
    assert (last.status, last.version, last.error_message) == ("completed", 1, None)
    assert json.loads(last.options)["resume"] is True


def test_a_killed_import_is_seen_as_interrupted(database: Database, database_url: str, imported: str):
    for table in ("migration_events", "migration_status"):
        execute(database_url, f"UPDATE {table} SET status = 'running', owner = '{DEAD}'")
    execute(database_url, "UPDATE migration_events SET ended_at = NULL")
    (event,) = events_of(database)
    assert (event.status, event.ended_at) == ("interrupted", None)
    execute(database_url, "DELETE FROM delta_tables", "UPDATE migration_status SET rows_loaded = 0")
    import_table(database, imported, "t", resume=True)
    assert told(database) == [("import", "interrupted"), ("import", "completed")]


def test_an_import_at_work_is_running(database: Database, tmp_path: Path):
    seen = []
    log = make_log(tmp_path / "t")
    import_table(database, str(log.root), batch_size=1, listener=lambda _: seen.append(told(database)))
    assert seen
    assert set(map(tuple, seen)) == {(("import", "running"),)}


def test_a_sync_is_written_where_it_changed_something(database: Database, log: LogBuilder):
    sync(database, str(log.root))
    assert told(database) == [("import", "completed")]
    log.commit(add("x"), commit_info())
    log.commit(add("y"), commit_info())
    sync(database, str(log.root))
    sync(database, str(log.root))
    _, event = events_of(database)
    assert (event.command, event.status, event.version_before, event.version) == ("sync", "completed", 3, 5)
    assert changes(event) == {"commits": 2, "files": 2}


def test_a_sync_that_fails_again_and_again_is_one_event(database: Database, log: LogBuilder):
    (log.log / commit_name(4)).write_text('{"add": {"pa')
    for _ in range(3):
        with pytest.raises(DeltaLakeDBError):
            sync(database, str(log.root))
    _, event = events_of(database)
    assert (event.status, event.times, event.version_before, event.version) == ("failed", 3, 3, 3)
    assert event.ended_at is not None
    assert event.ended_at > event.started_at
    assert changes(event) is None
    (log.log / commit_name(4)).write_text("")
    sync(database, str(log.root))
    (log.log / commit_name(5)).write_text('{"add": {"pa')
    with pytest.raises(DeltaLakeDBError):
        sync(database, str(log.root))
    assert told(database) == [("import", "completed"), ("sync", "failed"), ("sync", "completed"), ("sync", "failed")]


def test_a_sync_that_fails_behind_a_commit_says_what_it_took_in(database: Database, log: LogBuilder):
    log.commit(add("x"))
    (log.log / commit_name(5)).write_text('{"add": {"pa')
    with pytest.raises(DeltaLakeDBError):
        sync(database, str(log.root))
    event = events_of(database)[-1]
    assert (event.status, event.version_before, event.version, changes(event)) == (
        "failed",
        3,
        4,
        {"commits": 1, "files": 1},
    )


def test_a_refused_sync_is_a_failure_without_changes(database: Database, log: LogBuilder):
    (log.log / commit_name(3)).unlink()
    for _ in range(2):
        with pytest.raises(LogChangedError):
            sync(database, str(log.root))
    event = events_of(database)[-1]
    assert (event.command, event.status, event.times, event.version, changes(event)) == ("sync", "failed", 2, 3, None)


def test_a_rollback_stays_known_and_the_table_does_not(database: Database, imported: str):
    rollback(database, "t", dry_run=True)
    report = rollback(database, "t")
    _, event = events_of(database)
    assert (event.command, event.status, event.version_before, event.version) == ("rollback", "completed", 3, None)
    assert changes(event) == {"deleted": report.deleted}
    assert_unknown(database, "t", imported)
    import_table(database, imported)
    assert told(database) == [("import", "completed"), ("rollback", "completed"), ("import", "completed")]


def test_a_refused_rollback_is_known(database: Database, imported: str):
    (Path(imported) / "_delta_log" / commit_name(1)).unlink()
    with pytest.raises(RollbackUnsafeError):
        rollback(database, "t")
    event = events_of(database)[-1]
    assert (event.command, event.status, changes(event)) == ("rollback", "failed", None)
    assert "can't be rolled back safely" in (event.error_message or "")


def test_the_guides_two_statements_leave_the_events_and_nothing_else(
    database: Database, database_url: str, imported: str
):
    for table in ("delta_files", "migration_status"):
        execute(database_url, f"DELETE FROM {table} WHERE table_id = 't'")
    assert told(database) == [("import", "completed")]
    assert_unknown(database, "t", imported)
    import_table(database, imported)
    assert told(database) == [("import", "completed"), ("import", "completed")]


def assert_unknown(database: Database, table_id: str, location: str) -> None:
    asked = {
        "sync": lambda: registry_readable(database, table_id),
        "validate": lambda: validate_and_keep(database, location, table_id),
        "verify": lambda: verify_rollback(database, table_id),
        "rollback": lambda: rollback(database, table_id),
        "export": lambda: export_table(database, table_id, Path(location).parent / "new"),
        "index": lambda: index(database, table_id, ["id"]),
    }
    before = told(database)
    for ask in asked.values():
        with pytest.raises(TableNotFoundError):
            ask()
    assert told(database) == before, "what nobody knows has no history to add to"
    with database.reading() as connection:
        assert registry.statuses(connection) == []
        assert registry.entries(connection) == []


def registry_readable(database: Database, table_id: str) -> None:
    with database.reading() as connection:
        registry.readable(connection, table_id)


def test_validations(database: Database, database_url: str, imported: str):
    validate_and_keep(database, imported, "t", all_versions=True)
    execute(database_url, "UPDATE delta_files SET size = size + 1 WHERE path = 'a.parquet'")
    validate_and_keep(database, imported, "t")
    (Path(imported) / "_delta_log" / commit_name(2)).unlink()
    with pytest.raises(DeltaLakeDBError):
        validate_and_keep(database, imported, "t")
    _, valid, different, failed = events_of(database)
    assert json.loads(valid.options) == {"location": imported, "all_versions": True}
    assert changes(valid) == {"valid": True, "versions_checked": 4, "differences": 0}
    assert changes(different)["valid"] is False
    assert changes(different)["differences"] > 0
    assert [event.status for event in (valid, different, failed)] == ["completed", "failed", "failed"]
    assert "from its log at the validation of version" in (different.error_message or "")


@pytest.mark.usefixtures("imported")
def test_exports_and_indexes(database: Database, tmp_path: Path):
    export_table(database, "t", tmp_path / "new", version=0)
    with pytest.raises(DeltaLakeDBError):
        export_table(database, "t", tmp_path / "newer", version=99)
    index(database, "t", ["id"])
    index(database, "t", ["id"], drop=True)
    _, export, failed, made, dropped = events_of(database)
    assert json.loads(export.options) == {"destination": str(tmp_path / "new"), "version": 0}
    assert changes(export) == {"version": 0, "commits": 1, "files": changes(export)["files"]}
    assert (failed.command, failed.status) == ("export", "failed")
    assert (json.loads(made.options), changes(made)) == ({"columns": ["id"]}, {"indexed": ["id"]})
    assert (json.loads(dropped.options), changes(dropped)) == ({"columns": ["id"], "drop": True}, {"indexed": []})


def test_a_batch_is_one_event_and_one_for_each_table_at_work(database: Database, database_url: str, tmp_path: Path):
    lake = tmp_path / "lake"
    for name in ("a", "b", "tmp"):
        make_log(lake / name)
    batch_import(database_url, str(lake), exclude=["tmp"], dry_run=True)
    assert not database.has_catalog()
    for _ in range(2):
        batch_import(database_url, str(lake), exclude=["tmp"])
    with database.reading() as connection:
        found = events.events(connection)[::-1]
    assert [(event.table_id, event.command, event.status) for event in found] == [
        ("a", "batch-import", "completed"),
        ("b", "batch-import", "completed"),
        (None, "batch-import", "completed"),
        (None, "batch-import", "completed"),
    ]
    assert json.loads(found[2].options) == {"path": str(lake), "exclude": ["tmp"], "parallel": 1}
    assert changes(found[2]) == {"completed": 2, "failed": 0, "skipped": 1, "excluded": 1, "not_listed": 0}
    assert changes(found[3]) == {"completed": 0, "failed": 0, "skipped": 3, "excluded": 1, "not_listed": 0}


def test_who_may_only_read_validates_and_exports_all_the_same(
    postgresql_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    owner = Database(postgresql_url)
    imported = str(make_log(tmp_path / "t").root)
    import_table(owner, imported, "t")
    name = sa.make_url(postgresql_url).database
    execute(
        postgresql_url,
        "DROP ROLE IF EXISTS looker",
        "CREATE ROLE looker LOGIN PASSWORD 'looks'",
        f'GRANT CONNECT ON DATABASE "{name}" TO looker',
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker",
    )
    url = sa.make_url(postgresql_url).set(username="looker", password="looks")
    looker = Database(url.render_as_string(hide_password=False))
    try:
        report, kept = validate_and_keep(looker, imported, "t")
        assert report.valid
        assert not kept
        with caplog.at_level("INFO", logger="deltalakedb"):
            export_table(looker, "t", tmp_path / "new")
        assert "export is not in the audit trail: Permission denied" in caplog.text
        assert told(owner) == [("import", "completed")]
        execute(postgresql_url, "GRANT INSERT ON migration_events TO looker")
        export_table(looker, "t", tmp_path / "newer")
        assert [event.database_user for event in events_of(owner)][1:] == ["looker"]
    finally:
        looker.close()
        execute(postgresql_url, "DROP OWNED BY looker", "DROP ROLE looker")
        owner.close()


def test_an_event_is_there_as_soon_as_the_claim_is(database: Database, database_url: str, tmp_path: Path):
    log = make_log(tmp_path / "t")
    with pytest.raises(KeyboardInterrupt):
        import_table(database, str(log.root), batch_size=1, listener=interrupt)
    (event,) = events_of(database)
    assert (event.status, event.error_message) == ("interrupted", "Interrupted")
    assert dump(database_url)["migration_status"][0]["status"] == "interrupted"


def interrupt(_progress: object) -> None:
    raise KeyboardInterrupt
