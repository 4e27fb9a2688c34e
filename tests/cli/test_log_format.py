"""--log-format json: stderr is an event a line, and nothing else."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deltalakedb.catalog import events
from deltalakedb.catalog.database import Database
from deltalakedb.cli.app import _COMMANDS
from deltalakedb.cli.arguments import Arguments
from tests.cli.conftest import Cli, Result, Screen
from tests.support.logs import LogBuilder, add, commit_name, metadata, protocol

JSON = ("--log-format", "json")


def told(result: Result) -> list[dict[str, Any]]:
    """The events on stderr."""
    return [json.loads(line) for line in result.err.splitlines()]


def steps(result: Result) -> list[str]:
    return [event["step"] for event in told(result) if event["step"] != "note"]


def one(result: Result, step: str) -> dict[str, Any]:
    (event,) = (event for event in told(result) if event["step"] == step)
    return event


def test_an_import_tells_its_steps(on: Cli, plain: Path):
    result = on("import", plain, *JSON)
    assert result.code == 0
    assert "plain" in result.out
    assert steps(result) == ["command_started", "run_started", "planned", "run_ended", "command_ended"]
    assert {event["command"] for event in told(result)} == {"import"}
    assert {event["level"] for event in told(result)} == {"info"}
    planned, ended = one(result, "planned"), one(result, "run_ended")
    assert (planned["table_id"], planned["version"], planned["commits"]) == ("plain", 2, 3)
    assert (ended["table_id"], ended["version"], ended["status"]) == ("plain", 2, "completed")
    assert ended["changes"] == {"commits": 3, "files": 3}
    assert 0 < ended["seconds"] <= one(result, "command_ended")["seconds"] < 60
    assert one(result, "command_ended")["exit_code"] == 0
    assert all(event["time"].startswith("20") and event["message"] for event in told(result))


def test_batches_are_told_where_all_is_asked_for(on: Cli, plain: Path):
    result = on("import", plain, *JSON, "--verbose", "--batch-size", 1)
    batches = [event for event in told(result) if event["step"] == "batch"]
    assert [(event["table_id"], event["files"]) for event in batches] == [("plain", 1)] * 3
    assert {event["level"] for event in batches} == {"debug"}


def test_the_events_of_runs_are_those_of_the_audit_trail(on: Cli, database_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    on("import", log.root)
    log.commit(add("b"))
    log.put(commit_name(2), b'{"add": {"pa')
    result = on("sync", "--all", *JSON)
    assert result.code == 1
    assert one(result, "commit")["version"] == 1
    assert one(result, "commit")["seconds"] > 0
    database = Database(database_url)
    with database.reading() as connection:
        event = events.events_of(connection, "t", 1)[0]
    database.close()
    ended = one(result, "run_ended")
    assert (ended["event_id"], ended["status"], ended["version"]) == (event.event_id, event.status, event.version)
    assert (ended["level"], ended["error_message"]) == ("error", event.error_message)
    assert ended["changes"] == json.loads(event.changes or "")


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_failure_is_an_event(on: Cli, output: str):
    on("import", "nowhere", "--output", output)  # makes nothing
    result = on("sync", "nosuch", *JSON, "--output", output)
    assert result.code == 1
    event = one(result, "failed")
    assert (event["level"], event["exit_code"]) == ("error", 1)
    assert event["type"] in ("DatabaseConnectionError", "SchemaVersionError")
    assert event["hint"]
    assert steps(result)[-1] == "command_ended"
    assert (result.out == "") is (output == "text")


def test_a_traceback_is_part_of_its_event(on: Cli):
    event = one(on("import", "nowhere", *JSON, "--verbose"), "failed")
    assert "LocationNotFoundError" in event["traceback"]


def test_wrong_usage_is_an_event(cli: Cli):
    for words in (["import"], ["import", "x", "--batch-size", "0"], ["nosuch"]):
        result = cli(*words, *JSON)
        assert result.code == 2
        assert one(result, "failed")["type"] == "UsageError"


def test_machines_are_not_asked(on_terminal: Callable[..., Screen]):
    screen = on_terminal("rollback", "plain", *JSON)
    assert screen.code == 2
    assert [json.loads(line)["step"] for line in screen.text.splitlines()] == [
        "command_started",
        "failed",
        "command_ended",
    ]


def test_workers_tell_theirs_through_the_parent(on: Cli, plain: Path, orders: Path):
    assert plain.parent == orders.parent
    result = on("batch-import", plain.parent, "--parallel", 2, *JSON)
    assert result.code == 0
    ended = {event.get("table_id"): event for event in told(result) if event["step"] == "run_ended"}
    assert ended.keys() == {"plain", "orders", None}
    assert len({event["process"] for event in ended.values()}) == 3
    assert {event["command"] for event in told(result)} == {"batch-import"}


def test_every_command_has_it(cli: Cli):
    for name in _COMMANDS:
        assert "--log-format" in cli(name, "--help").out, name


def test_no_password_in_any_event(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("deltalakedb.migrate.retrying.PAUSES_SECONDS", (0, 0))
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    secret = 'hun"ter\\2é'
    result = cli(
        "import", log.root, "--database-url", "postgresql://me:hunter3@127.0.0.1:1/db",
        "--storage-option", f"aws_secret_access_key={secret}", *JSON, "--verbose",
    )  # fmt: skip
    assert result.code == 1
    assert one(result, "command_started")["arguments"][-3:] == [*JSON, "--verbose"]
    for hidden in ("hunter3", "hun", "ter\\\\2", "\\u00e9"):
        assert hidden not in result.err, hidden


def test_the_environment_can_ask_for_it(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DELTALAKEDB_LOG_FORMAT", "json")
    assert one(cli("sync"), "failed")["exit_code"] == 2
    assert cli("sync", "--log-format", "text").err.startswith("Error: ")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sync --log-format json", "json"),
        ("sync --log-format=json", "json"),
        ("sync", "text"),
        ("x -- --log-format json", "text"),
    ],
)
def test_the_format_is_known_before_click_parses(line: str, expected: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DELTALAKEDB_LOG_FORMAT", raising=False)
    assert Arguments(tuple(line.split())).log_format == expected


def test_a_service_that_is_stopped_ends_with_an_event(plain: Path, tmp_path: Path):
    command = [sys.executable, "-m", "deltalakedb", "sync", "--all", "--watch", "0.1", *JSON]
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    environment = {**os.environ, "DELTALAKEDB_DATABASE_URL": url}
    subprocess.run([*command[:3], "import", str(plain)], env=environment, check=True, capture_output=True)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        it.stdout.readline()
        it.send_signal(signal.SIGTERM)
        _, err = it.communicate(timeout=60)
    result = Result(it.returncode, "", err)
    assert result.code == 0
    assert steps(result) == ["command_started", "command_ended"]
    assert "Stopped." in [event["message"] for event in told(result)]
