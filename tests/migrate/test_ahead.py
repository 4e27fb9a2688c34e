"""A log read ahead by a process of its own: the same rows, the same errors, nothing left behind."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.cli import main
from deltalakedb.errors import CorruptLogError, DeltaLakeDBError
from deltalakedb.log.path import LogFile, LogFileKind
from deltalakedb.log.segment import Checkpoint, LogSegment
from deltalakedb.migrate import importer, processes
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.told import Progress
from tests.support.catalogs import MOMENTS, dump
from tests.support.logs import LogBuilder, add, cdc, commit_info, domain, metadata, protocol, remove, txn

COMMITS = 30


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    log = LogBuilder(tmp_path / "orders")
    log.commit(protocol(), metadata(), add("0"), commit_info())
    for number in range(1, COMMITS):
        log.commit(add(str(number)), remove(str(number - 1)), txn("app", number), domain(f"d{number}"), cdc("c"))
    return log


def test_the_rows_are_the_same(database: Database, database_url: str, log: LogBuilder, request):
    import_table(database, str(log.root), "here", batch_size=7)
    started = request.getfixturevalue("started")
    report = import_table(database, str(log.root), "ahead", batch_size=7)
    assert len(started) == 1
    assert started[0].poll() is not None
    assert report.files_processed == COMMITS
    assert dump(database_url, "here", without=MOMENTS) == dump(database_url, "ahead", without=MOMENTS)


def test_a_checkpoint_counts_for_more_than_its_bytes():
    size = processes.LARGE_FROM_BYTES // 8
    checkpoint = Checkpoint(0, (LogFile("c", LogFileKind.CHECKPOINT, 0, size=size),))
    assert not processes.is_large(LogSegment(0, 0, None, ()).files)
    assert processes.is_large(LogSegment(0, 0, checkpoint, ()).files)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_transaction_may_have_several_batches(
    database: Database, database_url: str, log: LogBuilder, monkeypatch: pytest.MonkeyPatch, most: int
):
    heard: list[Progress] = []
    monkeypatch.setattr(importer, "MOST_AT_ONCE", most)
    import_table(database, str(log.root), "parts", batch_size=5, listener=heard.append)
    counts = [0, *(progress.files for progress in heard)]
    assert len(heard) > 1
    assert all(0 <= after - before <= 5 for before, after in pairwise(counts))
    import_table(database, str(log.root), "whole")
    assert dump(database_url, "parts", without=MOMENTS) == dump(database_url, "whole", without=MOMENTS)


def test_what_is_wrong_with_a_log_is_said_as_ever(database: Database, log: LogBuilder, started):
    broken = log.log / f"{COMMITS // 2:020d}.json"
    broken.write_text("{}\nno json\n")
    with pytest.raises(CorruptLogError, match=rf"{broken.name}.*line 2"):
        import_table(database, str(log.root), batch_size=3)
    assert len(started) == 1
    assert started[0].poll() is not None


def test_a_reader_that_is_killed_costs_no_rows(database: Database, database_url: str, log: LogBuilder, started):
    def kill(_progress):
        started[0].kill()
        started[0].wait()

    for number in range(COMMITS, COMMITS + 600):  # more than the pipe holds and is fetched before it is needed
        log.commit(add(str(number), stats='{"numRecords":1,"x":"' + "x" * 20_000 + '"}'))
    with pytest.raises(DeltaLakeDBError, match="ended without a word") as caught:
        import_table(database, str(log.root), "killed", batch_size=10, listener=kill)
    assert "--resume" in caught.value.hint
    with database.reading() as connection:
        assert registry.statuses(connection, "killed")[0].status == registry.FAILED
    import_table(database, str(log.root), "killed", batch_size=10, resume=True)
    import_table(database, str(log.root), "undisturbed")
    assert dump(database_url, "killed", without=MOMENTS) == dump(database_url, "undisturbed", without=MOMENTS)


COMMAND = """
import sys
from deltalakedb.cli import main
from deltalakedb.migrate import processes

processes.LARGE_FROM_BYTES = 0
processes._processors = lambda: 2
start = processes.started

def started(module):
    print("with SQLAlchemy" if "sqlalchemy" in sys.modules else "before SQLAlchemy", file=sys.stderr)
    return start(module)

processes.started = started
sys.exit(main(["import", *sys.argv[1:]]))
"""


def test_the_command_starts_its_reader_before_it_loads_what_takes_long(database_url: str, log: LogBuilder):
    command = [sys.executable, "-c", COMMAND, str(log.root), "--database-url", database_url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines().count("before SQLAlchemy") == 1
    assert "with SQLAlchemy" not in done.stderr
    assert "imported in" in done.stdout


@pytest.mark.parametrize("options", [["--dry-run"], ["--resume"]])
def test_no_reader_is_started_where_there_may_be_little_to_read(
    database: Database, database_url: str, log: LogBuilder, started: list, options: list[str]
):
    import_table(database, str(log.root))
    assert len(started) == 1
    assert main(["import", str(log.root), *options, "--database-url", database_url]) == 0
    assert len(started) == 1


def test_a_reader_that_nobody_needs_is_ended(log: LogBuilder, tmp_path: Path, started: list, capsys):
    missing = f"sqlite:///{tmp_path}/no/such/folder/x.db"
    assert main(["import", str(log.root), "--database-url", missing]) == 1
    assert "no/such/folder" in capsys.readouterr().err
    assert [process.poll() is None for process in started] == [False]


IMPORTER = """
import sys
from deltalakedb.catalog.database import Database
from deltalakedb.migrate import processes
from deltalakedb.migrate.importer import import_table

processes.LARGE_FROM_BYTES = 0
processes._processors = lambda: 2

def listener(progress):
    print(progress.files, flush=True)
    sys.stdin.readline()

import_table(Database(sys.argv[1]), sys.argv[2], "orders", batch_size=1, listener=listener)
"""


def test_a_killed_importer_leaves_no_reader_behind(database: Database, database_url: str, log: LogBuilder):
    script = [sys.executable, "-c", IMPORTER, database_url, str(log.root)]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as importer:
        assert importer.stdout.readline() == b"1\n"
        readers = psutil.Process(importer.pid).children()
        assert len(readers) == 1
        importer.kill()
        importer.wait()
        _, alive = psutil.wait_procs(readers, timeout=30)
        assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    report = import_table(database, str(log.root), "orders", resume=True)
    assert (report.resumed, report.files_processed) == (True, COMMITS)
