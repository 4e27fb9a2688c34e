import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.client import Catalog, DeltaTable
from deltalakedb.errors import (
    ArgumentError,
    CorruptLogError,
    ImportIncompleteError,
    LocationNotFoundError,
    LogChangedError,
    NotADeltaTableError,
    TableBusyError,
    TableExistsError,
    TableNotFoundError,
)
from deltalakedb.migrate.assess import assess
from deltalakedb.migrate.discover import discover
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.told import Progress
from deltalakedb.migrate.validate import validate, validate_and_keep
from deltalakedb.table.compare import compare_performance
from tests.support.catalogs import MOMENTS, SQL_TABLES, dump, execute
from tests.support.databases import driver_url
from tests.support.logs import LogBuilder, add, cdc, commit_info, domain, metadata, protocol, remove, txn


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """Three versions with something for every SQL table; 5 adds, a tombstone."""
    log = LogBuilder(tmp_path / "orders")
    log.commit(protocol(), metadata(), add("a"), add("b"), commit_info())
    log.commit(add("c"), remove("a"), remove("never added"), txn("app", 1), domain("d"), cdc("_change_data/x"))
    log.commit(add("d"), add("e"), commit_info("MERGE"))
    return log


def active(database: Database, table_id: str = "orders", version: int | None = None) -> set[str]:
    with database.reading() as connection:
        state = snapshot(connection, registry.readable(connection, table_id), version)
        return {file.path for file in state.files()}


# ---- what an import does


def test_an_import_makes_every_version_readable_and_says_what_it_did(database: Database, log: LogBuilder):
    report = import_table(database, str(log.root))
    assert (report.table_id, report.location, report.status) == ("orders", str(log.root), "completed")
    assert (report.first_version, report.version, report.commits) == (0, 2, 3)
    assert (report.files_processed, report.active_files) == (5, 4)
    assert (report.resumed, report.dry_run, report.warnings) == (False, False, ())
    assert active(database) == {"b", "c", "d", "e"}
    assert active(database, version=0) == {"a", "b"}


def test_every_sql_table_holds_the_table(database: Database, database_url: str, log: LogBuilder):
    import_table(database, str(log.root))
    held = {name: len(rows) for name, rows in dump(database_url, "orders").items()}
    assert held == {
        "migration_status": 1, "delta_tables": 1, "delta_files": 6, "delta_commits": 3, "delta_metadata": 1,
        "delta_protocols": 1, "delta_transactions": 1, "delta_domain_metadata": 1, "delta_cdc_files": 1,
    }  # fmt: skip
    (status,) = dump(database_url, "orders")["migration_status"]
    assert (status["status"], status["version"], status["files_processed"]) == ("completed", 2, 5)
    assert (status["commits_processed"], status["commits_total"]) == (3, 3)
    live = [row["size"] for row in dump(database_url, "orders")["delta_files"] if row["removed_version"] is None]
    assert (status["active_files"], status["active_bytes"]) == (len(live), sum(live))
    size = sum(path.stat().st_size for path in log.log.glob("*.json"))
    assert (status["log_bytes_processed"], status["log_bytes_total"]) == (size, size)
    assert (status["error_message"], status["owner"]) == (None, None)
    assert status["completed_at"] >= status["started_at"]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 1000])
def test_the_size_of_batches_changes_nothing(database: Database, database_url: str, log: LogBuilder, batch_size: int):
    import_table(database, str(log.root), "one", batch_size=batch_size)
    import_table(database, str(log.root), "other")
    assert dump(database_url, "one", without=MOMENTS) == dump(database_url, "other", without=MOMENTS)


def test_the_listener_hears_how_far_the_import_has_come(database: Database, log: LogBuilder):
    heard: list[Progress] = []
    import_table(database, str(log.root), batch_size=2, listener=heard.append)
    assert [progress.files for progress in heard] == sorted(progress.files for progress in heard)
    assert {progress.commits_total for progress in heard} == {3}
    assert all(progress.bytes <= progress.bytes_total for progress in heard)


def test_where_a_run_began_is_noted_so_that_its_rate_can_be_told(
    database: Database, database_url: str, log: LogBuilder
):
    import_table(database, str(log.root))
    (first,) = dump(database_url)["migration_status"]
    log.commit(add("f", size=7))
    import_table(database, str(log.root), resume=True)
    (second,) = dump(database_url)["migration_status"]
    counted = ("files", "commits", "log_bytes")
    assert [first[f"{name}_at_claim"] for name in counted] == [0, 0, 0]
    assert [second[f"{name}_at_claim"] for name in counted] == [first[f"{name}_processed"] for name in counted]
    assert second["claimed_at"] > first["claimed_at"]
    assert (second["commits_processed"], second["commits_total"]) == (4, 4)
    assert second["log_bytes_processed"] == second["log_bytes_total"] > first["log_bytes_total"]
    assert second["active_bytes"] == first["active_bytes"] + 7


def test_the_log_is_left_as_it_was(database: Database, log: LogBuilder):
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in log.log.iterdir()}
    import_table(database, str(log.root), batch_size=1)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in log.log.iterdir()} == before
    assert list(log.root.iterdir()) == [log.log]


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_size_below_one_is_refused(database: Database, log: LogBuilder, size: int):
    with pytest.raises(ArgumentError, match="batch size"):
        import_table(database, str(log.root), batch_size=size)
    assert not database.has_catalog()


# ---- table ids

ODD_IDS = [
    "it's", '"quoted"', "a b", " leading and trailing ", "täble 表 😀", "100%", "%s", "%(x)s", ":x", "a;b", "'; --",
    "line\nbreak", "tab\t", "back\\slash", "{x}", "\x01", "x" * 255, "😀" * 255, "NULL", "0", "a/b", "..",
]  # fmt: skip


@pytest.mark.parametrize("table_id", ODD_IDS, ids=repr)
def test_a_table_id_may_have_any_letters(database: Database, database_url: str, log: LogBuilder, table_id: str):
    import_table(database, str(log.root), "another")
    import_table(database, str(log.root), table_id, batch_size=2)
    log.commit(remove("b"), add("f"))
    import_table(database, str(log.root), table_id, resume=True)
    assert active(database, table_id) == {"c", "d", "e", "f"}
    assert active(database, "another") == {"b", "c", "d", "e"}
    execute(database_url, *GUIDE, table_id=table_id)
    with database.reading() as connection:
        assert [entry.table_id for entry in registry.entries(connection)] == ["another"]


@pytest.mark.parametrize("table_id", ["a\0b", "x" * 256, "\ud800"], ids=ascii)
def test_a_table_id_that_no_database_holds_is_refused(database: Database, log: LogBuilder, table_id: str):
    with pytest.raises(ArgumentError):
        import_table(database, str(log.root), table_id)
    assert not database.has_catalog()


def test_table_ids_that_differ_in_case_or_spaces_are_two(database: Database, log: LogBuilder):
    for table_id in ("a", "A", "a ", "ä", "a\u0308"):
        import_table(database, str(log.root), table_id)
    with database.reading() as connection:
        assert len(registry.entries(connection)) == 5


@pytest.mark.parametrize("name", ["a b%20c", "it's", "ä=1", "100%", "a\nb", "#?&"])
def test_a_location_may_have_any_letters(database: Database, tmp_path: Path, name: str):
    log = LogBuilder(tmp_path / name)
    log.commit(protocol(), metadata(), add("a"))
    assert import_table(database, str(log.root)).table_id == name
    log.commit(add("b"))
    assert import_table(database, f"{log.root}/", resume=True).active_files == 2


class Place:
    """A path object that is none of pathlib."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


@pytest.mark.parametrize("kind", [Path, Place])
def test_a_path_object_is_a_location(database: Database, log: LogBuilder, monkeypatch: pytest.MonkeyPatch, kind: type):
    monkeypatch.chdir(log.root.parent)
    for at, root in enumerate((log.root, Path(log.root.name))):
        location = kind(root)
        assert assess(database, location).table_id == log.root.name
        report = import_table(database, location, resume=at > 0)
        assert (report.table_id, report.location) == (log.root.name, str(log.root))
        assert validate(database, location).valid
        assert validate_and_keep(database, location)[0].valid
        assert compare_performance(database, location, repeat=1).table_id == log.root.name
        (found,) = discover(kind(root))
        assert found.location == str(log.root)
    with Catalog(database) as catalog:
        assert catalog.import_table(kind(log.root), resume=True).version == log.version
        export = catalog.export(log.root.name, kind(log.root.parent / "exported"))
        assert DeltaTable.is_deltatable(Path(export.destination))


@pytest.mark.parametrize("location", [b"/a/table", 5, None])
def test_what_is_neither_a_text_nor_a_path_is_no_location(database: Database, location: object):
    with pytest.raises(TypeError, match="path"):
        import_table(database, location)
    assert not database.has_catalog()


def test_a_location_that_is_no_text_is_refused(database: Database, tmp_path: Path):
    root = os.fsencode(tmp_path) + b"/\xff"
    os.makedirs(root + b"/_delta_log")  # noqa: PTH103 (pathlib takes no bytes)
    with pytest.raises(ArgumentError, match="Not UTF-8"):
        import_table(database, os.fsdecode(root))


# ---- a table that is there


def test_without_resume_an_import_of_a_table_that_is_there_changes_nothing(
    database: Database, database_url: str, log: LogBuilder
):
    import_table(database, str(log.root))
    before = dump(database_url)
    log.commit(add("f"))
    with pytest.raises(TableExistsError, match="'orders' is in the catalog already, at version 2") as raised:
        import_table(database, str(log.root))
    assert "--resume" in raised.value.hint
    assert dump(database_url) == before


@pytest.mark.parametrize("resume", [True, False])
def test_a_table_id_belongs_to_one_location(
    database: Database, database_url: str, log: LogBuilder, tmp_path: Path, resume: bool
):
    import_table(database, str(log.root))
    before = dump(database_url)
    other = LogBuilder(tmp_path / "elsewhere" / "orders")
    other.commit(protocol(), metadata(), add("x"))
    with pytest.raises(TableExistsError, match="another location"):
        import_table(database, str(other.root), resume=resume)
    assert dump(database_url) == before


def test_an_import_that_failed_before_it_loaded_anything_may_be_tried_again(database: Database, log: LogBuilder):
    first = log.log / f"{0:020d}.json"
    content = first.read_bytes()
    first.write_bytes(b"{")
    with pytest.raises(CorruptLogError):
        import_table(database, str(log.root))
    first.write_bytes(content)
    report = import_table(database, str(log.root))
    assert (report.status, report.resumed, report.active_files) == ("completed", False, 4)


def test_with_resume_on_a_completed_table_nothing_new_changes_nothing(
    database: Database, database_url: str, log: LogBuilder
):
    import_table(database, str(log.root))
    before = dump(database_url, without=MOMENTS)
    report = import_table(database, str(log.root), resume=True)
    assert (report.resumed, report.version, report.commits) == (True, 2, 3)
    assert dump(database_url, without=MOMENTS) == before


# ---- refusals


def test_a_location_that_is_not_there_leaves_no_trace(database: Database, tmp_path: Path):
    with pytest.raises(LocationNotFoundError):
        import_table(database, str(tmp_path / "gone"))
    assert not database.has_catalog()


def test_a_refusal_before_loading_leaves_its_failed_row_and_nothing_else(
    database: Database, database_url: str, tmp_path: Path
):
    (tmp_path / "no table").mkdir()
    with pytest.raises(NotADeltaTableError):
        import_table(database, str(tmp_path / "no table"))
    found = dump(database_url)
    (status,) = found.pop("migration_status")
    assert (status["table_id"], status["status"], status["files_processed"]) == ("no table", "failed", 0)
    assert status["error_message"].startswith("No checkpoint or JSON files found")
    assert not any(found.values())


def test_an_import_that_fails_later_keeps_what_it_loaded_and_is_not_readable(
    database: Database, database_url: str, log: LogBuilder
):
    middle = log.log / f"{1:020d}.json"
    content = middle.read_bytes()
    times = (middle.stat().st_atime_ns, middle.stat().st_mtime_ns)
    broken = content.replace(b'"a"', b"'a'")
    assert len(broken) == len(content)
    middle.write_bytes(broken)
    os.utime(middle, ns=times)
    with pytest.raises(CorruptLogError, match=r"00000000000000000001\.json, line 2"):
        import_table(database, str(log.root), batch_size=1)
    (status,) = dump(database_url)["migration_status"]
    assert (status["status"], status["files_processed"]) == ("failed", 1)
    assert [row["path"] for row in dump(database_url)["delta_files"]] == ["d"]
    with database.reading() as connection:
        assert registry.entries(connection) == []
        with pytest.raises(ImportIncompleteError, match="has not completed") as raised:
            registry.readable(connection, "orders")
    assert "--resume" in raised.value.hint
    with pytest.raises(TableExistsError, match="'orders' is there, failed"):
        import_table(database, str(log.root))
    middle.write_bytes(content)
    os.utime(middle, ns=times)
    assert import_table(database, str(log.root), resume=True).resumed
    import_table(database, str(log.root), "other")
    assert dump(database_url, "orders", without=MOMENTS) == dump(database_url, "other", without=MOMENTS)


# ---- several at once


def test_a_table_that_a_living_process_imports_is_busy(database: Database, database_url: str, log: LogBuilder):
    refused = []

    def listener(_: Progress) -> None:
        other = Database(database_url)
        with pytest.raises(TableBusyError, match="'orders' is being imported by") as raised:
            import_table(other, str(log.root), resume=True)
        refused.append(raised.value)
        other.close()

    import_table(database, str(log.root), batch_size=2, listener=listener)
    assert refused
    assert active(database) == {"b", "c", "d", "e"}


def test_of_two_imports_that_begin_at_once_one_is_told_to_wait(database: Database, database_url: str, log: LogBuilder):
    with database.writing():
        pass  # makes the tables
    outcomes, barrier = [], threading.Barrier(2)

    def run() -> None:
        own = Database(database_url)
        try:
            with own.writing():
                barrier.wait()
            import_table(own, str(log.root), batch_size=1)
            outcomes.append("done")
        except (TableBusyError, TableExistsError):
            outcomes.append("refused")
        finally:
            own.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "refused"]
    assert active(database) == {"b", "c", "d", "e"}


def test_two_claims_of_a_new_table_can_not_both_win(postgresql_url: str):
    database = Database(postgresql_url)
    with database.writing() as first, database.writing() as second:
        first.begin()
        registry.claim(first, "t", "/t", resume=False)
        waiting = threading.Timer(0.3, first.commit)
        waiting.start()
        with second.begin(), pytest.raises(TableBusyError, match="'t' is being imported"):
            registry.claim(second, "t", "/t", resume=True)
        waiting.join()
    database.close()


def test_a_table_that_was_taken_over_meanwhile_is_left_to_its_new_owner(
    database: Database, database_url: str, log: LogBuilder
):
    """What happens to an importer that was stopped for so long that another one took it for dead."""

    def listener(_: Progress) -> None:
        execute(database_url, "UPDATE migration_status SET owner = 'elsewhere/1/1.00'")

    with pytest.raises(TableBusyError, match="taken over"):
        import_table(database, str(log.root), batch_size=1, listener=listener)
    (status,) = dump(database_url)["migration_status"]
    assert (status["owner"], status["status"]) == ("elsewhere/1/1.00", "running")
    assert len(dump(database_url)["delta_files"]) == 1


def test_a_table_that_is_deleted_while_it_is_imported_is_gone(database: Database, database_url: str, log: LogBuilder):
    with pytest.raises(TableBusyError, match="deleted"):
        import_table(
            database, str(log.root), batch_size=1, listener=lambda _: execute(database_url, *GUIDE, table_id="orders")
        )
    assert not any(dump(database_url).values())


def test_several_tables_may_be_imported_at_once(database_url: str, log: LogBuilder):
    def run(table_id: str) -> None:
        own = Database(database_url)
        import_table(own, str(log.root), table_id, batch_size=1)
        own.close()

    threads = [threading.Thread(target=run, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tables = [dump(database_url, f"t{n}", without=MOMENTS) for n in range(4)]
    assert all(table == tables[0] for table in tables)
    assert len(tables[0]["delta_files"]) == 6


# ---- importers that end before their time

IMPORTER = """
import sys
from deltalakedb.catalog.database import Database
from deltalakedb.migrate.assess import assess
from deltalakedb.migrate.discover import discover
from deltalakedb.migrate.importer import import_table

def listener(progress):
    print(progress.files, flush=True)
    sys.stdin.readline()

import_table(Database(sys.argv[1]), sys.argv[2], "orders", batch_size=1, resume=True, listener=listener)
"""


@pytest.fixture
def importer(database_url: str, log: LogBuilder) -> Iterator[subprocess.Popen]:
    """A process in the middle of an import: two batches are loaded."""
    script = [sys.executable, "-c", IMPORTER, database_url, str(log.root)]
    with subprocess.Popen(
        script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as p:
        assert p.stdout.readline() == "1\n"
        p.stdin.write("\n")
        p.stdin.flush()
        assert p.stdout.readline() == "2\n"
        yield p
        p.kill()


def status_of(database: Database, table_id: str = "orders") -> registry.TableStatus:
    with database.reading() as connection:
        return registry.status_of(connection, table_id)


def assert_like_undisturbed(database: Database, database_url: str, log: LogBuilder) -> None:
    import_table(database, str(log.root), "undisturbed")
    found, expected = (dump(database_url, name, without=MOMENTS) for name in ("orders", "undisturbed"))
    for name in SQL_TABLES:
        assert found[name] == expected[name], name


def test_an_importer_at_work_is_running_and_holds_its_table(
    importer: subprocess.Popen, database: Database, log: LogBuilder
):
    assert status_of(database).status == "running"
    assert f"/{importer.pid}/" in status_of(database).owner
    with pytest.raises(TableBusyError):
        import_table(database, str(log.root), resume=True)


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_after_a_killed_importer_one_goes_on_at_once(
    importer: subprocess.Popen, database: Database, database_url: str, log: LogBuilder, reaped: bool
):
    importer.kill()
    if reaped:
        importer.wait()
    else:
        os.waitid(os.P_PID, importer.pid, os.WEXITED | os.WNOWAIT)
    assert status_of(database).status == "interrupted"
    assert status_of(database).files_processed == 2
    with pytest.raises(TableExistsError, match="'orders' is there, interrupted"):
        import_table(database, str(log.root))
    report = import_table(database, str(log.root), resume=True)
    assert (report.resumed, report.files_processed) == (True, 5)
    assert_like_undisturbed(database, database_url, log)


def test_ctrl_c_is_noted_and_the_import_can_go_on(
    importer: subprocess.Popen, database: Database, database_url: str, log: LogBuilder
):
    importer.send_signal(2)
    _, errors = importer.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert status_of(database).status == "interrupted"
    assert status_of(database).owner is None
    assert import_table(database, str(log.root), resume=True).resumed
    assert_like_undisturbed(database, database_url, log)


def test_an_importer_on_another_machine_is_dead_when_its_heart_has_stopped(
    importer: subprocess.Popen, database: Database, database_url: str, log: LogBuilder
):
    importer.kill()
    importer.wait()
    execute(database_url, "UPDATE migration_status SET owner = 'another machine/1/1.00'")
    with pytest.raises(TableBusyError, match="another machine"):
        import_table(database, str(log.root), resume=True)
    execute(database_url, "UPDATE migration_status SET heartbeat_at = '2020-01-01 00:00:00'")
    import_table(database, str(log.root), resume=True)
    assert_like_undisturbed(database, database_url, log)


def test_a_process_number_that_came_again_is_not_the_importer(
    importer: subprocess.Popen, database: Database, database_url: str, log: LogBuilder
):
    importer.kill()
    importer.wait()
    owner = registry.this_process().rpartition("/")[0] + "/1.00"
    execute(database_url, f"UPDATE migration_status SET owner = '{owner}'")
    assert import_table(database, str(log.root), resume=True).resumed


def stop_halfway(database: Database, log: LogBuilder) -> None:
    def listener(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_table(database, str(log.root), batch_size=2, listener=listener)


def test_what_the_log_grew_by_meanwhile_is_taken_in_too(database: Database, log: LogBuilder):
    stop_halfway(database, log)
    log.commit(remove("d"), add("f"))
    log.checkpoint()
    report = import_table(database, str(log.root), resume=True)
    assert (report.version, report.files_processed, report.commits) == (3, 6, 4)
    assert active(database) == {"b", "c", "e", "f"}


@pytest.mark.parametrize("how", ["another size", "same size", "cleaned up", "made anew"])
def test_an_import_begins_anew_where_the_log_is_no_longer_the_same(
    database: Database, database_url: str, log: LogBuilder, how: str
):
    stop_halfway(database, log)
    path = log.log / f"{2:020d}.json"
    if how == "another size":
        path.write_bytes(path.read_bytes() + b"\n")
    elif how == "same size":
        path.write_bytes(path.read_bytes().replace(b'"d"', b'"x"'))
        os.utime(path, (1, 1))
    elif how == "cleaned up":
        log.checkpoint(1)
        log.drop([0])
    else:
        for commit in log.log.iterdir():
            commit.unlink()
        log = LogBuilder(log.root)
        log.commit(protocol(), metadata(), add("new"))
    report = import_table(database, str(log.root), resume=True)
    assert report.status == "completed"
    assert_like_undisturbed(database, database_url, log)


# ---- the guide's rollback by hand

GUIDE = (
    "DELETE FROM delta_files WHERE table_id = :table_id",
    "DELETE FROM migration_status WHERE table_id = :table_id",
)


def assert_unknown(database: Database, table_id: str = "orders") -> None:
    with database.reading() as connection:
        assert registry.entries(connection) == []
        assert registry.statuses(connection) == []
        assert registry.entry_of(connection, table_id) is None
        with pytest.raises(TableNotFoundError, match="no table 'orders'"):
            registry.readable(connection, table_id)


def with_foreign_keys(database_url: str, *statements: str) -> None:
    engine = sa.create_engine(driver_url(database_url))
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        for statement in statements:
            connection.execute(sa.text(statement), {"table_id": "orders"})
        connection.commit()
    engine.dispose()


def test_the_guides_two_statements_leave_nothing_of_a_table(database: Database, database_url: str, log: LogBuilder):
    import_table(database, str(log.root))
    import_table(database, str(log.root), "another")
    another = dump(database_url, "another")
    with_foreign_keys(database_url, *GUIDE)
    assert not any(dump(database_url, "orders").values())
    assert dump(database_url, "another") == another
    with_foreign_keys(database_url, *(statement.replace(":table_id", "'another'") for statement in GUIDE))
    assert not any(dump(database_url).values())
    assert_unknown(database)
    assert import_table(database, str(log.root)).active_files == 4


def test_without_foreign_keys_they_are_enough_as_well(sqlite_url: str, log: LogBuilder, tmp_path: Path):
    database = Database(sqlite_url)
    import_table(database, str(log.root))
    execute(sqlite_url, *GUIDE, table_id="orders")
    assert dump(sqlite_url)["delta_tables"], "without foreign keys something is left: else this tests nothing"
    assert_unknown(database)
    other = LogBuilder(tmp_path / "elsewhere")
    other.commit(protocol(), metadata(), add("x"), txn("app", 5))
    report = import_table(database, str(other.root), "orders")
    assert (report.resumed, report.version, report.files_processed) == (False, 0, 1)
    import_table(database, str(other.root), "undisturbed")
    assert dump(sqlite_url, "orders", without=MOMENTS) == dump(sqlite_url, "undisturbed", without=MOMENTS)
    database.close()


@pytest.mark.parametrize("resume", [True, False])
def test_a_failed_import_after_them_does_not_bring_the_old_rows_back(sqlite_url: str, log: LogBuilder, resume: bool):
    database = Database(sqlite_url)
    import_table(database, str(log.root))
    execute(sqlite_url, *GUIDE, table_id="orders")
    last = log.log / f"{2:020d}.json"
    content = last.read_bytes()
    last.write_bytes(b"{")
    with pytest.raises(CorruptLogError):
        import_table(database, str(log.root))
    with database.reading() as connection:
        assert registry.entries(connection) == []
    last.write_bytes(content)
    assert import_table(database, str(log.root), resume=resume).files_processed == 5
    assert_like_undisturbed(database, sqlite_url, log)
    database.close()


def test_one_of_the_two_statements_alone_is_not_taken_for_a_good_table(
    database: Database, database_url: str, log: LogBuilder
):
    import_table(database, str(log.root))
    with_foreign_keys(database_url, GUIDE[1])
    assert_unknown(database)
    assert import_table(database, str(log.root)).files_processed == 5
    assert_like_undisturbed(database, database_url, log)


def test_a_table_made_anew_at_the_same_place_is_not_synced_into_the_old_one(
    database: Database, database_url: str, log: LogBuilder
):
    import_table(database, str(log.root))
    for path in log.log.iterdir():
        path.unlink()
    anew = LogBuilder(log.root)
    for number in range(5):
        anew.commit(protocol(), metadata(), add(str(number)), commit_info("NEW"))
    before = {name: rows for name, rows in dump(database_url).items() if name != "migration_status"}
    with pytest.raises(LogChangedError, match="not the one that was imported"):
        import_table(database, str(log.root), resume=True)
    after = dump(database_url)
    assert after.pop("migration_status")[0]["status"] == "failed"
    assert after == before
    assert active(database) == {"b", "c", "d", "e"}
