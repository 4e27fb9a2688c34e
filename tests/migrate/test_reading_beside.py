"""A validation whose log is read beside it: the same differences, the same errors, nothing left behind."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deltalakedb.catalog.database import Database
from deltalakedb.errors import CorruptLogError, DeltaLakeDBError, LocationNotFoundError
from deltalakedb.log.reader import open_log, plan
from deltalakedb.log.store import open_store
from deltalakedb.migrate import processes, reading_beside
from deltalakedb.migrate.second_reading import Reading, Scope
from deltalakedb.migrate.validate import validate
from tests.migrate.damage import IN_FILES, IN_STATE, run, seen, update
from tests.support.logs import commit_name


def test_an_import_is_valid(database: Database, imported: str, started: list):
    steps: list[tuple[int, int]] = []
    report = validate(database, imported, all_versions=True, listener=lambda done, total: steps.append((done, total)))
    assert (report.differences, report.versions_checked) == ((), 4)
    assert steps == [(number, 8) for number in range(1, 9)]
    assert [process.poll() is None for process in started] == [False]


@pytest.mark.parametrize("damage", [*IN_FILES[::4], *IN_STATE[::4]], ids=lambda damage: damage.name)
def test_damage_is_found(database: Database, imported: str, request: pytest.FixtureRequest, damage):
    run(database, damage.statement)
    here = validate(database, imported)
    started = request.getfixturevalue("started")
    beside = validate(database, imported)
    assert seen(beside) == damage.found
    assert (beside.differences, beside.notes) == (here.differences, here.notes)  # delta-rs' come last in both
    assert len(started) == 1


def test_a_row_that_says_what_ended_it_but_not_when(database: Database, imported: str):
    run(database, update("removed_version = NULL", "b.parquet"))
    assert seen(validate(database, imported)) == {("removed_version", 1, "b.parquet")}


@pytest.mark.parametrize("removal", ["[1]", '"x"', '{"same": [[]]}', '{"same": 1}', '{"fields": []}'])
def test_a_remove_of_which_nothing_can_be_made(database: Database, imported: str, removal: str):
    run(database, update(f"removal = '{removal}'", "b.parquet"))
    assert seen(validate(database, imported)) == {("tombstone", 1, "b.parquet")}


def test_a_remove_of_a_live_file(database: Database, imported: str):
    run(database, update("removal = '{}'", "d.parquet"))
    assert seen(validate(database, imported)) == {("tombstone", 3, "d.parquet")}


def test_small_tables_and_single_processors_have_no_process(database: Database, imported: str, started, monkeypatch):
    monkeypatch.setattr(processes, "_processors", lambda: 1)
    assert validate(database, imported).valid
    monkeypatch.undo()
    assert validate(database, imported).valid
    assert started == []


def test_what_is_wrong_with_a_log_is_said_as_ever(database: Database, imported: str, request: pytest.FixtureRequest):
    Path(imported, "_delta_log", commit_name(1)).write_text('{"add": {"path": 1}}\n')
    with pytest.raises(CorruptLogError) as here:
        validate(database, imported)
    started = request.getfixturevalue("started")
    with pytest.raises(CorruptLogError) as beside:
        validate(database, imported)
    assert (str(beside.value), beside.value.hint) == (str(here.value), here.value.hint)
    assert started[0].poll() is not None


def test_a_file_that_goes_meanwhile(database: Database, imported: str, started: list, monkeypatch):
    real = reading_beside.Beside

    def late(question, each, answers):
        Path(imported, "_delta_log", commit_name(2)).unlink()
        return real(question, each, answers)

    monkeypatch.setattr(reading_beside, "Beside", late)
    with pytest.raises(LocationNotFoundError, match=commit_name(2)):
        validate(database, imported)
    assert started[0].poll() is not None


def test_a_reader_that_is_killed_is_no_success(database: Database, imported: str, started: list, monkeypatch):
    real = reading_beside.Beside

    def killed(question, each, answers):
        started[0].kill()
        return real(question, each, answers)

    monkeypatch.setattr(reading_beside, "Beside", killed)
    with pytest.raises(DeltaLakeDBError, match=r"ended without a word \(exit code -9\)") as caught:
        validate(database, imported)
    assert "validate again" in caught.value.hint


def test_a_reader_that_breaks_is_no_success(database: Database, imported: str, started: list, monkeypatch):
    monkeypatch.setattr(reading_beside, "__name__", "deltalakedb.errors")  # which has no `main`
    with pytest.raises(DeltaLakeDBError, match=r"ended without a word \(exit code 1\)"):
        validate(database, imported)
    assert len(started) == 1


def test_a_reader_that_is_done_ends_without_a_word(imported: str):
    log = open_log(open_store(imported))
    segment = plan(log)
    question = reading_beside.Question(log, Scope(segment, segment.first_version, floors_differ=False), ())
    script = "from deltalakedb.migrate.reading_beside import main; main()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as process:
        process.stdin.write(pickle.dumps(question))
        process.stdin.flush()
        answers = iter(lambda: pickle.load(process.stdout), None)
        assert [type(answer) for answer in answers] == [int, Reading]
        assert process.wait(timeout=30) == 0  # though its input is still open
        assert process.stderr.read() == b""


VALIDATION = """
import sys
from deltalakedb.cli import main
from deltalakedb.migrate import processes
from deltalakedb.migrate.reading_beside import Beside

processes.LARGE_FROM_BYTES = 0
processes._processors = lambda: 2
result = Beside.result

def told(self):
    print("waits", flush=True)
    return result(self)

Beside.result = told
sys.exit(main(["validate", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_who_ends_a_validation_ends_its_reader(database_url: str, imported: str, with_signal):
    commit = Path(imported, "_delta_log", commit_name(2))
    commit.unlink()
    os.mkfifo(commit)  # nobody writes to it, so that the reader waits until it is ended
    command = [sys.executable, "-c", VALIDATION, imported, "--database-url", database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"waits\n"
        readers = psutil.Process(process.pid).children()
        assert [reader.status() != psutil.STATUS_ZOMBIE for reader in readers] == [True]
        process.send_signal(with_signal)
        output, errors = process.communicate(timeout=30)
        _, alive = psutil.wait_procs(readers, timeout=30)
        assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[with_signal]
    assert b"Traceback" not in errors + output
