import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.support.logs import LogBuilder, add, commit_name, metadata, protocol


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """A table of one version."""
    log = LogBuilder(tmp_path / "grown")
    log.commit(protocol(), metadata(), add("a"))
    return log


def test_what_is_new_is_taken_in(on: Cli, log: LogBuilder):
    on("import", log.root)
    log.commit(add("b"))
    log.commit(add("c"))
    result = on("sync", "grown")
    assert result.code == 0
    assert result.out.startswith("✓ grown took in 2 new versions, 1 to 2, in ")
    assert on("sync", "grown").out == "✓ grown is up to date at version 2\n"
    assert sorted(on("files", "grown").out.split()) == ["a", "b", "c"]


def test_all_and_the_document(on: Cli, log: LogBuilder, plain: Path):
    on("import", log.root)
    on("import", plain)
    log.commit(add("b"))
    document = on("sync", "--all", "--output", "json").document
    assert (document["completed"], document["failed"]) == (2, 0)
    assert [(one["table_id"], one["from_version"], one["version"]) for one in document["tables"]] == [
        ("grown", 0, 1),
        ("plain", 2, 2),
    ]


def test_a_failure_does_not_stop_the_others(on: Cli, log: LogBuilder, plain: Path):
    on("import", log.root)
    on("import", plain)
    log.commit(add("b"), raw=b'{"add":')
    result = on("sync", "--all")
    assert result.code == 1
    assert "✗ grown stays at version 0: 00000000000000000001.json" in result.out
    assert "✓ plain is up to date" in result.out
    document = on("sync", "grown", "--output", "json").document
    assert document["failed"] == 1
    assert document["tables"][0]["status"] == "failed"
    assert on("files", "grown").out == "a\n"


def test_unknown_and_incomplete_tables(on: Cli, plain: Path, tmp_path: Path):
    (tmp_path / "empty" / "_delta_log").mkdir(parents=True)
    on("import", plain)
    on("import", "empty")
    assert "There is no table 'nope'" in on("sync", "nope").error_lines[0]
    assert "has not completed" in on("sync", "empty").error_lines[0]
    result = on("sync", "--all")
    assert result.code == 0
    assert result.out == "✓ plain is up to date at version 2\n"
    assert "passed over 'empty'" in result.err


def test_an_unknown_table_keeps_none_of_the_others_out(on: Cli, log: LogBuilder, plain: Path, tmp_path: Path):
    (tmp_path / "empty" / "_delta_log").mkdir(parents=True)
    for location in (log.root, plain, "empty"):
        on("import", location)
    log.commit(add("b"))
    result = on("sync", "grown", "nope", "plain", "empty", "grown")
    assert result.code == 1
    assert [line.split(", in ")[0] for line in result.out.splitlines()] == [
        "✓ grown took in 1 new version, 1",
        "✗ nope: There is no table 'nope' in the catalog",
        "✓ plain is up to date at version 2",
        "✗ empty: The import of 'empty' has not completed (status: failed)",
    ]
    document = on("sync", "nope", "grown", "empty", "--output", "json").document
    assert (document["completed"], document["failed"]) == (1, 2)
    unknown, _, empty = document["tables"]
    assert unknown == {
        "table_id": "nope",
        "location": None,
        "from_version": None,
        "status": "failed",
        "error": "There is no table 'nope' in the catalog",
        "hint": "`deltalakedb migration-status` lists the tables.",
    }
    assert (empty["location"], empty["status"]) == (str(tmp_path / "empty"), "failed")


def test_an_empty_id_is_wrong_usage(on: Cli, plain: Path):
    on("import", plain)
    assert (on("sync", "").code, on("sync", "plain", " ").code) == (2, 2)


def test_watch_says_in_every_round_that_a_table_is_unknown(cli: Cli, log: LogBuilder, tmp_path: Path):
    cli("import", log.root)
    command = [sys.executable, "-m", "deltalakedb", "sync", "grown", "nope", "--watch", "0.1", "--output", "json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        rounds = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert [one["failed"] for one in rounds] == [1, 1, 1]
    assert [len(one["tables"]) for one in rounds] == [2, 1, 1]
    refused = cli("sync", "nope", "--watch", "0.1")
    assert (refused.code, refused.out) == (1, "")
    assert "There is no table 'nope'" in refused.error_lines[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watch_goes_on_until_it_is_stopped(cli: Cli, log: LogBuilder, tmp_path: Path, number: signal.Signals):
    cli("import", log.root)
    command = [sys.executable, "-m", "deltalakedb", "sync", "grown", "--watch", "0.1", "--output", "json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first = json.loads(process.stdout.readline())
        log.commit(add("b"))
        second = json.loads(process.stdout.readline())
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert first["tables"][0]["version"] == 0
    assert (second["tables"][0]["from_version"], second["tables"][0]["version"]) == (0, 1)
    assert process.returncode == 0
    assert err.endswith("Stopped.\n")
    assert "Traceback" not in err


def open_when_read(pipe: Path) -> int:
    """Opens a named pipe for writing as soon as somebody reads it."""
    until = time.monotonic() + 30
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > until:
                raise
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watch_stops_in_the_middle_of_a_table_behind_the_commit_at_work(
    cli: Cli, log: LogBuilder, tmp_path: Path, number: signal.Signals
):
    """One commit is a pipe, so that the signal comes while it is read."""
    cli("import", log.root)
    log.commit(add("b"))
    log.commit(add("c"))
    log.commit(add("d"))
    slow = log.log / commit_name(2)
    content = slow.read_bytes()
    slow.unlink()
    os.mkfifo(slow)
    command = [sys.executable, "-m", "deltalakedb", "sync", "grown", "--watch", "60"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        writer = open_when_read(slow)
        process.send_signal(number)
        os.write(writer, content)
        os.close(writer)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.startswith("✓ grown took in 2 new versions, 1 to 2, in ")
    assert err.endswith("Stopped.\n")
    (status,) = cli("migration-status", "--output", "json").document
    assert (status["status"], status["version"]) == ("completed", 2)
    slow.unlink()
    slow.write_bytes(content)
    assert cli("sync", "grown").out.startswith("✓ grown took in 1 new version")
