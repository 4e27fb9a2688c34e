import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from deltalakedb.cli import app, main
from tests.cli.conftest import Cli
from tests.support.logs import LogBuilder, add, commit_name, metadata, protocol

PROGRAM = [sys.executable, "-m", "deltalakedb"]
HEAVY = ["sqlalchemy", "pyarrow", "deltalake", "rich", "obstore", "sqlglot", "msgspec", "psutil", "psycopg"]
COMMANDS = list(app._COMMANDS)

GUIDE = """
import /path/to/delta/table --database-url postgresql://user:pass@host/db
import /path/to/delta/table --database-url postgresql://user:pass@host/db --table-id my_table
import /path/to/delta/table --database-url postgresql://user:pass@host/db --dry-run
import /path/to/delta/table --database-url postgresql://user:pass@host/db --resume
import /path/to/table --database-url $DB_URL --dry-run --verbose
import /path/to/table --database-url $DB_URL --batch-size 1000
import /path/to/table --database-url $DB_URL --resume --verbose
validate /path/to/delta/table --database-url postgresql://user:pass@host/db
validate /path/to/table --database-url $DB_URL --verbose
performance-compare /path/to/delta/table --database-url postgresql://user:pass@host/db
discover /path/to/delta/tables --recursive
batch-import /path/to/delta/tables --database-url postgresql://user:pass@host/db
batch-import /path/to/delta/tables --database-url postgresql://user:pass@host/db --exclude test --exclude temp
batch-import /data/delta-tables --database-url $DB_URL --batch-size 500 --parallel 2 --exclude _tmp --exclude _staging
batch-import /path/to/tables --database-url $DB_URL --parallel 4
verify-rollback table_id --database-url $DB_URL
migration-status --database-url $DB_URL
migration-status --database-url $DB_URL --table-id my_table
"""


def parse(line: str) -> click.Context:
    """Parses a command line after the program's name, without running it."""
    name, *words = shlex.split(line)
    command = app.program.get_command(click.Context(app.program), name)
    return command.make_context(name, words)


# ---- help


def test_help_lists_every_command(cli: Cli):
    result = cli("--help")
    assert result.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.out
    assert "..." not in result.out.partition("Commands:")[2], "a summary is too long for one line"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(cli: Cli, name: str):
    result = cli(name, "--help")
    assert result.code == 0
    assert f"  deltalakedb {name}" in result.out
    for option in ("--database-url", "--output", "--verbose"):
        assert option in result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_command_lines(name: str):
    command = app.program.get_command(click.Context(app.program), name)
    assert command.examples
    for example in command.examples:
        program, line = example.partition(" > ")[0].split(" ", 1)
        assert program == "deltalakedb"
        assert parse(line).info_name == name


@pytest.mark.parametrize("line", GUIDE.strip().splitlines())
def test_the_command_lines_of_the_guide(line: str):
    assert parse(line)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["import", "--help"], ["rollback", "x"], ["nonsense"]])
def test_nothing_heavy_is_imported_before_it_is_needed(words: list[str]):
    script = f"""
import sys
from deltalakedb.cli import main
main({words!r})
late = {HEAVY!r} if {"--help" in words or "--version" in words} else {[n for n in HEAVY if n != "rich"]!r}
loaded = [name for name in late if name in sys.modules]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", script], check=True, stdin=subprocess.DEVNULL, capture_output=True)


def test_version(cli: Cli):
    assert cli("--version").out.startswith("deltalakedb ")


def test_no_command_shows_help(cli: Cli):
    result = cli()
    assert result.code == 2
    assert "Commands:" in result.err


def test_it_runs_as_a_module(tmp_path: Path):
    done = subprocess.run([*PROGRAM, "discover", tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "No Delta tables found" in done.stderr


# ---- interrupts


def waiting_table(tmp_path: Path) -> Path:
    """A table whose oldest commit never arrives: a pipe that nobody writes to."""
    log = LogBuilder(tmp_path / "waiting")
    os.mkfifo(log.log / commit_name(0))
    log.commit(protocol(), metadata(), add("a"), version=1)
    return log.root


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_import_says_how_to_go_on(tmp_path: Path, number: signal.Signals, code: int):
    root = waiting_table(tmp_path)
    command = [*PROGRAM, "import", root, "--database-url", "sqlite:///x.db"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(tmp_path / "x.db")
        time.sleep(0.3)  # from the first sign of life to the read that waits
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert out == ""
    assert f"Interrupted. Go on with: deltalakedb import {root} --database-url sqlite:///x.db --resume" in err
    assert "Traceback" not in err
    status = subprocess.run(
        [*PROGRAM, "migration-status", "--database-url", "sqlite:///x.db", "--output", "json"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert b'"status": "interrupted"' in status.stdout


def wait_for(path: Path) -> None:
    for _ in range(200):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def test_the_password_is_not_in_the_line_that_goes_on(cli: Cli, plain: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deltalakedb.migrate.importer.import_table", interrupt)
    result = cli("import", plain, "--database-url", "postgresql://me:s3cr%40t@h/db")
    assert result.code == 130
    assert "--resume" in result.err
    as_json = cli("import", plain, "--output", "json")
    assert as_json.document["error"]["type"] == "Interrupted"
    assert as_json.document["error"]["hint"].endswith(" --resume")
    assert "s3cr" not in result.err


def test_signals_are_as_before_afterwards(cli: Cli):
    before = signal.getsignal(signal.SIGTERM)
    cli("--version")
    assert signal.getsignal(signal.SIGTERM) is before


# ---- pipes


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path):
    log = LogBuilder(tmp_path / "many")
    log.commit(protocol(), metadata(), *(add(f"part-{number:05d}-{'x' * 90}") for number in range(5_000)))
    assert main(["import", str(log.root), "--database-url", f"sqlite:///{tmp_path}/x.db"]) == 0
    command = [*PROGRAM, "files", "many", "--database-url", f"sqlite:///{tmp_path}/x.db"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"part-")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_full_disk_under_stdout_is_said(plain: Path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "discover", plain], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Disk space exhausted")
