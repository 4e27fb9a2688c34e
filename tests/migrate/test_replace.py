"""A table that was recreated at its place replaces what the catalog has; nothing is lost before that is sure."""

import json
import shutil
from pathlib import Path

import pytest

import deltalakedb
from deltalakedb.catalog import events, registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.errors import (
    ArgumentError,
    ImportIncompleteError,
    LogChangedError,
    TableBusyError,
    TableExistsError,
)
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.told import Progress
from deltalakedb.migrate.validate import validate
from deltalakedb.table.indexing import index
from tests.support.catalogs import MOMENTS, dump, execute
from tests.support.logs import LogBuilder, add, metadata, protocol, remove

COLUMNS = {"id": "long"}


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(COLUMNS, id="first"), add("a"), add("b"))
    log.commit(remove("a"), add("c"))
    return log


def recreate(log: LogBuilder, commits: int = 3) -> LogBuilder:
    shutil.rmtree(log.log)
    new = LogBuilder(log.root)
    new.commit(protocol(), metadata(COLUMNS, id="second"), *(add(f"n{number}") for number in range(4)))
    for number in range(commits - 1):
        new.commit(add(f"m{number}"))
    return new


def paths(database: Database) -> list[str]:
    with database.reading() as connection:
        entry = registry.readable(connection, "t")
        return sorted(file.path for file in snapshot(connection, entry).files())


def test_a_recreated_table_is_replaced(database: Database, database_url: str, log: LogBuilder):
    import_table(database, log.root)
    index(database, "t", ["id"])
    validate(database, log.root, "t")
    new = recreate(log)
    with pytest.raises(LogChangedError):
        import_table(database, log.root, resume=True)
    assert paths(database) == ["b", "c"]
    report = import_table(database, log.root, replace=True)
    assert (report.version, report.resumed, report.files_processed) == (2, False, 6)
    assert validate(database, log.root, "t", all_versions=True).valid
    new.commit(add("later"))
    assert import_table(database, log.root, resume=True).version == 3
    import_table(database, log.root, "fresh")
    replaced, fresh = (dump(database_url, name, without=MOMENTS) for name in ("t", "fresh"))
    for name in ("delta_files", "delta_metadata", "delta_protocols"):
        assert replaced[name] == fresh[name], name


def test_the_audit_trail_says_what_was_replaced(database: Database, log: LogBuilder):
    import_table(database, log.root)
    recreate(log)
    import_table(database, log.root, replace=True)
    with database.reading() as connection:
        last, first = events.events_of(connection, "t", 10)
    assert (first.command, first.version) == ("import", 1)
    assert (last.command, last.status, last.version_before, last.version) == ("import", "completed", 1, 2)
    assert json.loads(last.options)["replace"] is True
    changes = json.loads(last.changes)
    assert (changes["commits"], changes["files"]) == (3, 6)
    assert changes["rows_replaced"] > 5


def test_a_table_that_is_not_there_is_imported(database: Database, log: LogBuilder):
    assert import_table(database, log.root, replace=True).version == 1
    with database.reading() as connection:
        (event,) = events.events_of(connection, "t", 10)
    assert json.loads(event.changes) == {"commits": 2, "files": 3}


@pytest.mark.parametrize("how", ["gone", "empty", "gap", "no protocol", "no text"])
def test_nothing_is_deleted_where_the_new_log_can_not_be_read(database: Database, log: LogBuilder, how: str):
    import_table(database, log.root)
    new = recreate(log)
    if how == "gone":
        shutil.rmtree(log.log)
    elif how == "empty":
        new.drop([0, 1, 2])
    elif how == "gap":
        new.drop([1])
    elif how == "no protocol":
        new.put(f"{0:020d}.json", b"{}\n")
    else:
        new.put(f"{0:020d}.json", b"\xff{\n")
    with pytest.raises(deltalakedb.DeltaLakeDBError):
        import_table(database, log.root, replace=True)
    assert paths(database) == ["b", "c"]
    with database.reading() as connection:
        status = registry.status_of(connection, "t")
    assert status.status == ("completed" if how == "gone" and status.error_message is None else "failed")


def test_what_was_interrupted_after_the_deletion_goes_on(database: Database, log: LogBuilder):
    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    import_table(database, log.root)
    recreate(log)
    with pytest.raises(KeyboardInterrupt):
        import_table(database, log.root, replace=True, batch_size=2, listener=stop)
    with pytest.raises(ImportIncompleteError):
        paths(database)
    report = import_table(database, log.root, resume=True)
    assert (report.version, report.resumed) == (2, True)
    assert validate(database, log.root, "t", all_versions=True).valid


def test_what_was_interrupted_may_be_begun_anew(database: Database, log: LogBuilder):
    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_table(database, log.root, batch_size=1, listener=stop)
    recreate(log)
    assert import_table(database, log.root, replace=True).version == 2
    assert validate(database, log.root, "t", all_versions=True).valid


def test_who_is_at_work_is_left_alone(database: Database, database_url: str, log: LogBuilder):
    import_table(database, log.root)
    execute(
        database_url,
        "UPDATE migration_status SET owner = 'far/1/1.00', status = 'running', heartbeat_at = :now",
        now=registry.now() if "sqlite" not in database_url else registry.now().replace(tzinfo=None).isoformat(" "),
    )
    with pytest.raises(TableBusyError):
        import_table(database, log.root, replace=True)
    assert paths(database) == ["b", "c"]


def test_a_table_of_another_place_is_not_replaced(database: Database, log: LogBuilder, tmp_path: Path):
    import_table(database, log.root)
    other = LogBuilder(tmp_path / "elsewhere")
    other.commit(protocol(), metadata(), add("x"))
    with pytest.raises(TableExistsError, match="used for another location"):
        import_table(database, other.root, "t", replace=True)
    assert paths(database) == ["b", "c"]


def test_python_programs_replace_too(database_url: str, log: LogBuilder):
    with deltalakedb.connect(database_url) as catalog:
        catalog.import_table(log.root)
        recreate(log)
        assert catalog.import_table(log.root, replace=True).version == 2
        with pytest.raises(ArgumentError, match="resumes a table or replaces it"):
            catalog.import_table(log.root, replace=True, resume=True)
        assert catalog.table("t").version() == 2
