"""Tables that are gone after they were imported: whoever finds out says so to all, until it is over."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deltalakedb.catalog.database import Database
from tests.cli.conftest import Cli
from tests.support.lake import plain_table
from tests.support.logs import LogBuilder, add, metadata, protocol
from tests.support.object_stores import Bucket
from tests.support.ports import free_port
from tests.web.serving import served

COMMANDS: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "sync": lambda _: ("sync", "plain"),
    "sync --all": lambda _: ("sync", "--all"),
    "import": lambda path: ("import", path, "--resume"),
    "validate": lambda path: ("validate", path),
    "verify-rollback": lambda _: ("verify-rollback", "plain"),
}


def moved_away(path: Path) -> Callable[[], object]:
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    return lambda: elsewhere.rename(path)


def without_its_log(path: Path) -> Callable[[], object]:
    log, elsewhere = path / "_delta_log", path / "elsewhere"
    log.rename(elsewhere)
    return lambda: elsewhere.rename(log)


def emptied(path: Path) -> Callable[[], object]:
    back = without_its_log(path)
    (path / "_delta_log").mkdir()

    def again() -> None:
        (path / "_delta_log").rmdir()
        back()

    return again


def cut_back(path: Path) -> Callable[[], object]:
    newest = path / "_delta_log" / "00000000000000000002.json"
    newest.rename(path / "kept.json")
    return lambda: (path / "kept.json").rename(newest)


def forbidden(path: Path) -> Callable[[], object]:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path.chmod(0)
    return lambda: path.chmod(0o755)


GONE = {
    moved_away: "Not found: ",
    without_its_log: "No checkpoint or JSON files found",
    emptied: "No checkpoint or JSON files found",
    cut_back: "ends with version 1",
    forbidden: "Permission denied",
}


def seen(on: Cli, url: str, table_id: str, **storage_options: str) -> dict[str, Any]:
    """What everybody who could know says of a table: whether it is well, and why not."""
    (status,) = on("migration-status", "--table-id", table_id, "--output", "json").document
    check = on("check", "--output", "json")
    with served(url, storage_options=storage_options) as server:
        lake = server.get("/api/lake").document
        table = server.get(f"/api/table?id={table_id}").document
        page, table_page = server.get("/").text, server.get(f"/table?id={table_id}").text
        metrics = server.get("/metrics").text
    (listed,) = [one for one in lake["page_of_tables"] if one["table_id"] == table_id]
    return {
        "statuses": {status["status"], listed["status"], table["status"]},
        "messages": {status["error_message"], listed["error_message"], table["error_message"]},
        "exit code": check.code,
        "problems": [one["kind"] for one in check.document["problems"] if one["table_id"] == table_id],
        "of the lake": [one["kind"] for one in lake["problems"] if one["table_id"] == table_id],
        "of the table": [one["kind"] for one in table["problems"]],
        "failed": f'deltalakedb_tables{{status="failed"}} {float(lake["tables"]["failed"])}' in metrics
        and lake["tables"]["failed"],
        "said": {
            message in text for message in {one["message"] for one in table["problems"]} for text in (page, table_page)
        },
    }


WELL = {
    "statuses": {"completed"},
    "messages": {None},
    "exit code": 0,
    "problems": [],
    "of the lake": [],
    "of the table": [],
    "failed": 0,
    "said": set(),
}


@pytest.mark.parametrize(
    ("command", "gone"),
    [*((command, moved_away) for command in COMMANDS), *(("sync", gone) for gone in GONE if gone is not moved_away)],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_a_table_that_is_gone_is_said_by_all_until_it_is_back(
    on: Cli, plain: Path, database_url: str, command: str, gone: Callable[[Path], Callable[[], object]]
):
    on("import", plain)
    assert seen(on, database_url, "plain") == WELL
    back = gone(plain)
    words = COMMANDS[command](plain)
    assert on(*words).code in (1, 3)
    found = seen(on, database_url, "plain")
    (message,) = found["messages"]
    assert GONE[gone] in message, found
    assert found == {
        "statuses": {"failed"},
        "messages": {message},
        "exit code": 1,
        "problems": ["failed"],
        "of the lake": ["failed"],
        "of the table": ["failed"],
        "failed": 1,
        "said": {True},
    }
    (event, *_) = on("events", "plain", "--output", "json").document
    assert (event["command"], event["status"], event["error_message"]) == (words[0], "failed", message)
    assert "plain" in on("check").out
    on(*words)
    assert on("events", "plain", "--output", "json").document[0]["times"] == 2
    back()
    assert on(*words).code == 0
    assert seen(on, database_url, "plain") == WELL


@pytest.mark.parametrize("command", ["validate", "verify-rollback"])
def test_a_log_that_was_set_back_differs_until_it_is_whole(on: Cli, plain: Path, database_url: str, command: str):
    on("import", plain)
    back = cut_back(plain)
    assert on(*COMMANDS[command](plain)).code == 3
    found = seen(on, database_url, "plain")
    assert [found[name] for name in ("problems", "of the lake", "of the table")] == [["drift"]] * 3
    assert (found["exit code"], found["said"]) == (1, {True})
    event = on("events", "plain", "--output", "json").document[0]
    assert (event["command"], event["status"]) == (command, "failed")
    back()
    assert on(*COMMANDS[command](plain)).code == 0
    assert seen(on, database_url, "plain") == WELL


@pytest.mark.parametrize("command", ["import", "validate"])
def test_a_path_that_no_catalog_knows_leaves_no_trace(on: Cli, plain: Path, database_url: str, command: str):
    on("import", plain)
    elsewhere = plain.with_name("typo") / "plain"
    for words in ((command, elsewhere), (command, elsewhere, "--table-id", "plain")):
        assert on(*words).code in (1, 2)
    assert seen(on, database_url, "plain") == WELL
    assert len(on("events", "--output", "json").document) == 1


def test_a_lake_that_is_gone_is_noted_on_all_of_its_tables(on: Cli, plain: Path, database_url: str):
    assert on("batch-import", plain.parent / "typo").code == 1
    on("batch-import", plain.parent)
    back = moved_away(plain.parent)
    result = on("batch-import", plain.parent, "--output", "json")
    assert (result.code, result.document["failed"], len(result.document["not_listed"])) == (1, 1, 1)
    found = seen(on, database_url, "plain")
    assert (found["statuses"], found["problems"], found["exit code"]) == ({"failed"}, ["failed"], 1)
    assert on("events", "plain", "--output", "json").document[0]["command"] == "batch-import"
    back()
    assert on("batch-import", plain.parent).code == 0
    assert seen(on, database_url, "plain") == WELL


def test_what_one_found_out_another_ends(on: Cli, plain: Path, database_url: str):
    on("import", plain)
    back = moved_away(plain)
    on("sync", "plain")
    back()
    assert on("validate", plain).code == 0
    assert seen(on, database_url, "plain") == WELL


def test_a_validation_that_works_does_not_hide_what_a_sync_could_not_take_in(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "grown")
    log.commit(protocol(), metadata(), add("a"))
    on("import", log.root)
    log.commit(add("b"))
    newest = log.log / "00000000000000000001.json"
    newest.rename(log.log / "00000000000000000002.json")
    assert on("sync", "grown").code == 1
    assert on("validate", log.root).code == 0
    assert [one["kind"] for one in on("check", "--output", "json").document["problems"]] == ["behind"]


def test_a_validation_that_cannot_tell_leaves_the_table_to_the_one_at_work(on: Cli, plain: Path, database_url: str):
    from deltalakedb.catalog import registry

    on("import", plain)
    database = Database(database_url)
    with database.transaction() as connection:
        registry.record(connection, "plain", status="running", owner="elsewhere/1/1.00", heartbeat_at=registry.now())
        registry.note_failure(connection, "plain", "gone")
        registry.note_look(connection, "plain", 99)
    database.close()
    (status,) = on("migration-status", "--output", "json").document
    assert (status["status"], status["error_message"]) == ("running", None)
    assert on("check").code == 0


@pytest.mark.parametrize("command", ["sync", "import", "validate", "verify-rollback"])
def test_a_store_that_is_away_is_said_by_all_until_it_is_back(
    on: Cli, bucket: Bucket, tmp_path: Path, database_url: str, command: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("deltalakedb.migrate.retrying.PAUSES_SECONDS", ())
    plain_table(tmp_path / "plain")
    location = bucket.upload(tmp_path / "plain", "plain")
    shutil.rmtree(tmp_path / "plain")
    words = {
        "sync": ("sync", "plain"),
        "import": ("import", location, "--resume"),
        "validate": ("validate", location),
        "verify-rollback": ("verify-rollback", "plain"),
    }[command]
    assert on("import", location, *stored(bucket.options)).code == 0
    nobody_there = {**bucket.options, bucket.endpoint: f"http://127.0.0.1:{free_port()}"}
    assert on(*words, *stored(nobody_there)).code in (1, 3)
    found = seen(on, database_url, "plain", **bucket.options)
    assert (found["statuses"], found["problems"], found["exit code"]) == ({"failed"}, ["failed"], 1)
    assert bucket.secret not in str(found)
    assert on(*words, *stored(bucket.options)).code == 0
    assert seen(on, database_url, "plain", **bucket.options) == WELL


def stored(options: dict[str, str]) -> list[str]:
    return [word for pair in options.items() for word in ("--storage-option", "=".join(pair))]
