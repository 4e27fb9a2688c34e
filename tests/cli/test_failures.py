"""Whatever goes wrong: one line that says what and where, a hint, the right exit code, and nothing left behind."""

import errno
import sqlite3
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import create_server

import pytest

from tests.cli.conftest import Cli, Result
from tests.support.logs import LogBuilder, add, metadata, protocol

PASSWORD = "s3cr/t @x"
ENCODED = "s3cr%2Ft%20%40x"


def fails(result: Result, code: int, message: str, hint: str) -> None:
    """Checks that a command failed as it should: on stderr only, on two lines."""
    assert result.code == code
    assert result.out == ""
    error, help_ = result.error_lines
    assert message in error
    assert hint in help_
    assert "Traceback" not in result.err


def tables(name: str) -> list[str]:
    with closing(sqlite3.connect(name)) as connection:
        return [row[0] for row in connection.execute("SELECT table_id FROM delta_files")]


# ---- locations


def test_missing_path(cli: Cli, tmp_path: Path):
    fails(cli("import", "nowhere"), 1, f"Not found: {tmp_path}/nowhere", "path")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["discover", "batch-import"])
def test_missing_folder(cli: Cli, tmp_path: Path, command: str):
    fails(cli(command, "nowhere"), 1, f"Not found: {tmp_path}/nowhere", "path")


def test_no_delta_table(on: Cli, tmp_path: Path):
    (tmp_path / "plain").mkdir()
    fails(on("import", "plain"), 1, f"{tmp_path}/plain", "_delta_log")


def test_empty_log(on: Cli, tmp_path: Path):
    (tmp_path / "empty" / "_delta_log").mkdir(parents=True)
    fails(on("import", "empty"), 1, "No checkpoint or JSON files found", "_delta_log")
    (status,) = on("migration-status", "--output", "json").document
    assert (status["status"], status["files_processed"]) == ("failed", 0)


def test_truncated_commit(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "cut")
    log.commit(protocol(), metadata(), add("a"))
    log.commit(add("b"), add("c"), raw=lambda lines: lines[:-20])
    result = on("import", "cut")
    assert result.code == 1
    assert "00000000000000000001.json, line 2" in result.error_lines[0]


def test_gap(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "gap")
    for number in range(4):
        log.commit(protocol(), metadata(), add(f"{number}"))
    log.drop([2])
    fails(on("import", "gap"), 1, "Version 2 is missing (00000000000000000002.json)", "nothing was guessed")


def test_a_table_id_of_another_location(on: Cli, plain: Path, orders: Path):
    on("import", plain)
    fails(on("import", orders, "--table-id", "plain"), 1, f"is used for another location: {plain}", "--table-id")


# ---- databases


def test_unreachable_database(cli: Cli, plain: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("deltalakedb.migrate.retrying.PAUSES_SECONDS", (0, 0))
    url = f"postgresql://me:{ENCODED}@localhost:1/lake"
    result = cli("import", plain, "--database-url", url, "--verbose")
    assert result.code == 1
    assert "Database connection failed: postgresql://me:***@localhost:1/lake" in result.error_lines[0]
    assert result.err.count("trying again in 0.0 s") == 2
    assert "Traceback" in result.err
    assert_silent(result)


@pytest.fixture
def refusing_server() -> Iterator[int]:
    """The port of a server that says, in PostgreSQL's words, that the password is wrong; it repeats the password."""
    text = f"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed, tried '{PASSWORD}' and {ENCODED}\0\0".encode()
    with create_server(("localhost", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            for _ in range(2):  # a driver may first ask for encryption
                try:
                    client, _address = server.accept()
                except OSError:
                    return
                with client:
                    if struct.unpack("!II", client.recv(8))[1] in (80877103, 80877104):
                        client.sendall(b"N")
                        client.recv(8)
                    client.recv(4096)
                    client.sendall(b"E" + struct.pack("!I", len(text) + 4) + text)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
    thread.join()


@pytest.mark.parametrize("output", ["text", "json"])
def test_wrong_password(cli: Cli, plain: Path, refusing_server: int, output: str):
    url = f"postgresql://me:{ENCODED}@localhost:{refusing_server}/lake?sslmode=disable&gssencmode=disable"
    result = cli("import", plain, "--database-url", url, "--verbose", "--output", output)
    assert result.code == 1
    assert "Database connection failed" in (result.out if output == "json" else result.error_lines[0])
    assert "password authentication failed" in result.out + result.err
    assert_silent(result)


def assert_silent(result: Result) -> None:
    for form in (PASSWORD, ENCODED, "s3cr"):
        assert form not in result.out
        assert form not in result.err


@pytest.mark.parametrize("url", ["oracle://me:s3cr@h/db", "lake.db", "://", "sqlite://", "postgresql://me:s3cr@h:x/db"])
def test_urls_that_mean_nothing(cli: Cli, plain: Path, tmp_path: Path, url: str):
    before = sorted(tmp_path.iterdir())
    result = cli("import", plain, "--database-url", url)
    assert result.code == 2
    assert len(result.error_lines) == 2
    assert_silent(result)
    assert sorted(tmp_path.iterdir()) == before


def test_missing_driver(cli: Cli, plain: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    result = cli("import", plain, "--database-url", "postgresql://h/db")
    fails(result, 1, "The driver for postgresql is not installed", "pip install 'deltalakedb[postgresql]'")


def test_a_file_that_is_no_database(cli: Cli, plain: Path, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be taken for one\n" * 100)
    for command in (["import", plain], ["migration-status"], ["files", "plain"]):
        fails(cli(*command, "--database-url", "sqlite:///notes.txt"), 1, "Database connection failed", "file")
    assert (tmp_path / "notes.txt").read_text().startswith("not a database")


def test_a_folder_that_is_not_there(cli: Cli, plain: Path, tmp_path: Path):
    fails(cli("import", plain, "--database-url", "sqlite:///no/such.db"), 1, "Database connection failed", "folder")
    assert not (tmp_path / "no").exists()


def test_a_read_only_sqlite_database(cli: Cli, plain: Path, orders: Path):
    assert cli("import", plain).code == 0
    read_only = "sqlite:///file:deltalakedb.db?mode=ro&uri=true"
    fails(cli("import", orders, "--database-url", read_only), 1, "Permission denied", "who may write")
    assert set(tables("deltalakedb.db")) == {"plain"}


def test_a_read_only_postgresql_role(cli: Cli, plain: Path, postgresql_url: str):
    options = "options=-c%20default_transaction_read_only%3Don"
    joined = f"{postgresql_url}{'&' if '?' in postgresql_url else '?'}{options}"
    fails(cli("import", plain, "--database-url", joined), 1, "Permission denied", "role")


def test_a_newer_catalog(cli: Cli, plain: Path):
    cli("import", plain)
    with closing(sqlite3.connect("deltalakedb.db")) as connection, connection:
        connection.execute("UPDATE deltalakedb_schema SET version = 99")
    for command in (["import", plain], ["migration-status"], ["sync", "--all"]):
        fails(cli(*command), 1, "newer than this release", "pip install --upgrade deltalakedb")


@pytest.mark.parametrize("command", [["migration-status"], ["files", "x"], ["history", "x"], ["sync", "x"]])
def test_no_catalog_yet(cli: Cli, tmp_path: Path, command: list[str]):
    fails(cli(*command), 1, "there is no catalog at sqlite:///deltalakedb.db", "import a table first")
    assert list(tmp_path.iterdir()) == []


# ---- usage


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "x", "--batch-size", "0"], "'--batch-size': 0"),
        (["import", "x", "--batch-size", "many"], "'--batch-size'"),
        (["batch-import", "x", "--batch-size", "-1"], "'--batch-size': -1"),
        (["batch-import", "x", "--parallel", "0"], "'--parallel': 0"),
        (["performance-compare", "x", "--repeat", "0"], "'--repeat': 0"),
        (["history", "x", "--limit", "0"], "'--limit': 0"),
        (["batch-import"], "'PATH'"),
        (["import"], "'PATH'"),
        (["import", "x", "--output", "yaml"], "'--output'"),
        (["import", "x", "--tabel-id", "y"], "--table-id"),
        (["sync"], "--all"),
        (["sync", "x", "--all"], "--all"),
        (["imprt"], "Did you mean 'import'?"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage(cli: Cli, tmp_path: Path, words: list[str], message: str):
    fails(cli(*words), 2, message, "--help")
    assert list(tmp_path.iterdir()) == []
    if "--output" not in words:
        result = cli(*words, "--output", "json")
        assert result.code == 2
        assert message in result.document["error"]["message"]
        assert set(result.document["error"]) == {"type", "message", "hint"}


def test_an_empty_table_id(on: Cli, plain: Path):
    fails(on("import", plain, "--table-id", "x" * 300), 2, "Not a table id", "--table-id")


# ---- failures as documents


@pytest.mark.parametrize("command", ["import", "discover", "validate", "performance-compare", "batch-import"])
def test_a_failure_is_one_document(on: Cli, command: str):
    result = on(command, "nowhere", "--output=json")
    assert result.code == 1
    assert set(result.document) == {"error"}
    error = result.document["error"]
    assert set(error) == {"type", "message", "hint"}
    assert error["type"] in ("LocationNotFoundError", "DatabaseConnectionError", "SchemaVersionError")
    assert f"Error: {error['message']}\n" in result.err


# ---- what nobody planned


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("one\n  two"), "RuntimeError: one two"),
        (PermissionError(errno.EACCES, "no", "/lake/x"), "Permission denied: /lake/x"),
        (OSError(errno.ENOSPC, "full", "/lake/x"), "Disk space exhausted: /lake/x"),
        (OSError(errno.EDQUOT, "quota"), "Disk space exhausted"),
        (OSError(errno.EIO, "Input/output error", "/lake/x"), "Input/output error: /lake/x"),
        (MemoryError(), "Out of memory"),
    ],
)
def test_unexpected_errors(cli: Cli, plain: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str):
    def explode(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("deltalakedb.migrate.importer.import_table", explode)
    fails(cli("import", plain), 1, message, "")
    assert "Traceback" in cli("import", plain, "--verbose").err
    document = cli("import", plain, "--output", "json").document
    assert document["error"]["type"] == type(error).__name__
