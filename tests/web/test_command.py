import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deltalakedb.catalog.database import Database
from deltalakedb.migrate.importer import import_table
from tests.support.logs import LogBuilder, metadata, protocol
from tests.web.serving import Server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_stopped(sqlite_url: str, tmp_path: Path, number: signal.Signals):
    LogBuilder(tmp_path / "t").commit(protocol(), metadata())
    database = Database(sqlite_url)
    import_table(database, str(tmp_path / "t"))
    database.close()
    command = [sys.executable, "-m", "deltalakedb", "serve", "--port", "0", "--database-url", sqlite_url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()
        port = int(line.split("/")[2].rpartition(":")[2])
        assert Server(port).get("/").status == 200
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert err == "Stopped.\n"


@pytest.mark.parametrize("token", ["", " \n"])
def test_beyond_loopback_a_token_is_needed(tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch):
    from deltalakedb.cli import main

    monkeypatch.setenv("DELTALAKEDB_TOKEN", token)
    assert main(["serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    (tmp_path / "token").write_text(token)
    assert main(["serve", "--host", "0.0.0.0", "--port", "0", "--token-file", str(tmp_path / "token")]) == 2


def test_a_port_that_is_taken_is_said(sqlite_url: str, capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        from deltalakedb.cli import main

        assert main(["serve", "--port", port, "--database-url", sqlite_url]) == 1
    assert f"Can't listen at 127.0.0.1, port {port}: Address already in use" in capsys.readouterr().err
