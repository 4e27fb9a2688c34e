"""Several processes want the same tables at once: one of them gets each, and the others say who has it."""

import ctypes
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.dialects import sqlite
from deltalakedb.errors import DeltaLakeDBError, TableBusyError
from deltalakedb.migrate import retrying
from deltalakedb.migrate.batch import batch_import
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.rollback import rollback
from deltalakedb.migrate.validate import validate
from tests.robustness.tables import assert_like_undisturbed, make_table, opened
from tests.support.catalogs import execute
from tests.support.kills import CONTEXT
from tests.support.logs import LogBuilder, add, commit_info

EXPECTED = (
    "TableBusyError",
    "TableExistsError",
    "TableNotFoundError",
    "ImportIncompleteError",
    "DatabaseBusyError",
    "RollbackUnsafeError",
)
"""How a command may be told that another one was faster."""


def together(*calls: tuple[Any, ...]) -> list[Any]:
    """Runs functions in processes of their own that begin at the same time; returns what they return or raise."""
    barrier, results = CONTEXT.Barrier(len(calls)), []
    pipes = []
    for function, *arguments in calls:
        ours, theirs = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=_call, args=(barrier, theirs, function, arguments))
        process.start()
        theirs.close()
        pipes.append((ours, process))
    for ours, process in pipes:
        results.append(ours.recv())
        process.join()
        ours.close()
    return results


def _call(barrier: Any, pipe: Any, function: Any, arguments: list[Any]) -> None:
    barrier.wait()
    try:
        pipe.send(function(*arguments))
    except Exception as error:
        pipe.send(error)


def _import(url: str, location: str) -> str:
    with opened(url) as database:
        return import_table(database, location, "orders", batch_size=5).status


def test_of_several_imports_of_a_table_one_wins_and_the_others_say_who(database_url: str, log: LogBuilder):
    with opened(database_url) as database, database.writing():
        pass
    results = together(*[(_import, database_url, str(log.root))] * 4)
    refused = [result for result in results if isinstance(result, Exception)]
    assert results.count("completed") == 1
    assert {type(error).__name__ for error in refused} <= {"TableBusyError", "TableExistsError"}
    for error in refused:
        assert "'orders' is" in error.message
    assert_like_undisturbed(database_url, log)


def test_who_holds_a_table_and_since_when_is_said_at_once(postgresql_url: str, log: LogBuilder):
    """Even while the other one is in the middle of a transaction, which may take long."""
    with opened(postgresql_url) as database:
        import_table(database, str(log.root), "orders")
        execute(
            postgresql_url,
            "UPDATE migration_status SET owner = 'far/77/1.00', status = 'running', "
            "claimed_at = '2025-03-04 05:06:07Z'",
        )
        with psycopg.connect(postgresql_url) as holder:
            holder.execute("UPDATE migration_status SET heartbeat_at = heartbeat_at")
            begun = time.monotonic()
            for call in (import_table, validate_and_rollback):
                with pytest.raises(TableBusyError) as raised:
                    call(database, str(log.root), "orders")
                assert raised.value.message == (
                    "'orders' is being synced by process 77 on far since 2025-03-04 05:06:07 UTC"
                )
            assert time.monotonic() - begun < 5


def validate_and_rollback(database: Database, location: str, table_id: str) -> None:
    validate(database, location, table_id)
    rollback(database, table_id)


# ---- everything at once


def _at_it(url: str, location: str, seed: int, seconds: float) -> list[str]:
    """Imports, syncs, validates and rolls back at random; returns the names of the errors."""
    retrying.PAUSES_SECONDS = (0.01, 0.05, 0.2, 0.5, 1, 1)
    chance, errors, end = random.Random(seed), [], time.monotonic() + seconds
    while time.monotonic() < end:
        with opened(url) as database:
            try:
                match chance.randrange(5):
                    case 0:
                        rollback(database, "orders")
                    case 1 | 2:
                        report = validate(database, location, "orders")
                        if not report.valid:
                            errors.append(f"invalid: {report.differences[:3]}")
                    case _:
                        import_table(database, location, "orders", batch_size=chance.choice([3, 50]), resume=True)
            except DeltaLakeDBError as error:
                errors.append(type(error).__name__)
    return errors


def test_import_sync_validate_and_rollback_at_once(database_url: str, log: LogBuilder):
    with opened(database_url) as database, database.writing():
        pass
    growing = threading.Timer(0.8, lambda: [log.commit(commit_info(), add(f"new{n}")) for n in range(3)])
    growing.start()
    results = together(*[(_at_it, database_url, str(log.root), seed, 2) for seed in range(4)])
    growing.join()
    assert not [result for result in results if isinstance(result, Exception)]
    assert {error for errors in results for error in errors} <= set(EXPECTED)
    with opened(database_url) as database:
        import_table(database, str(log.root), "orders", resume=True)
        assert validate(database, str(log.root), "orders", all_versions=True).valid
        rollback(database, "orders")
        import_table(database, str(log.root), "orders")
    assert_like_undisturbed(database_url, log)
    if database_url.startswith("sqlite"):
        connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


# ---- several batch-imports share a lake

CLONE_NEWUTS, CLONE_NEWNET = 0x04000000, 0x40000000


def _batch(url: str, path: str, machine: str) -> list[tuple[str, str]]:
    _on_another_machine(machine)
    return [(table.table_id, table.status) for table in batch_import(url, path, batch_size=3).tables]


def _on_another_machine(name: str) -> None:
    """Gives this process a host name and a network of its own, where it may: the server is reached by its socket."""
    if os.geteuid() == 0 and ctypes.CDLL(None).unshare(CLONE_NEWUTS | CLONE_NEWNET) == 0:
        ctypes.CDLL(None).sethostname(name.encode(), len(name))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_several_batch_imports_share_the_work(request: pytest.FixtureRequest, tmp_path: Path, kind: str):
    url = request.getfixturevalue(f"{kind}_url")
    for number in range(9):
        make_table(tmp_path / "lake" / f"t{number}", commits=20, files=4, seed=number)
    results = together(*[(_batch, url, str(tmp_path / "lake"), f"machine{n}") for n in range(3)])
    assert not [result for result in results if isinstance(result, Exception)]
    done = sorted(table_id for result in results for table_id, status in result if status == "completed")
    assert done == [f"t{number}" for number in range(9)]
    assert {status for result in results for _, status in result} == {"completed", "skipped"}
    again = batch_import(url, str(tmp_path / "lake"))
    assert (again.completed, again.failed, again.skipped) == (0, 0, 9)
    with opened(url) as database:
        for number in range(9):
            assert validate(database, str(tmp_path / "lake" / f"t{number}"), f"t{number}").valid


# ---- SQLite has one writer

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.mark.usefixtures("impatient")
def test_a_locked_database_says_by_whom_and_is_waited_for(
    sqlite_url: str, log: LogBuilder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    holders = []

    def hold(_progress: Any) -> None:
        if not holders:
            command = [sys.executable, "-c", HOLDER, sqlite_url.removeprefix("sqlite:///")]
            holders.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            assert holders[0].stdout.readline() == b"held\n"
            threading.Thread(target=let_go).start()

    def let_go() -> None:
        while not any("locked by" in record.getMessage() for record in caplog.records):
            time.sleep(0.01)
        holders[0].communicate(b"\n")

    with opened(sqlite_url) as database:
        import_table(database, str(log.root), "orders", batch_size=50, listener=hold)
    said = next(record.getMessage() for record in caplog.records if "locked by" in record.getMessage())
    assert f"The database is locked by process {holders[0].pid} (python" in said
    assert_like_undisturbed(sqlite_url, log)


def test_a_claim_that_was_left_by_this_process_can_be_taken_again(database_url: str, log: LogBuilder):
    with opened(database_url) as database:
        import_table(database, str(log.root), "orders")
        with database.transaction() as connection:
            registry.record(
                connection, "orders", status="running", owner=registry.this_process(), heartbeat_at=registry.now()
            )
        assert import_table(database, str(log.root), "orders", resume=True).status == "completed"
