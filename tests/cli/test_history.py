from pathlib import Path

import pytest
from deltalake import DeltaTable

from deltalakedb import connect
from tests.cli.conftest import Cli
from tests.support.logs import LogBuilder, add, commit_info, metadata, protocol
from tests.web.serving import served


def test_the_newest_commit_comes_first(on: Cli, orders: Path):
    on("import", orders)
    header, *rows = on("history", "orders").out.splitlines()
    assert header.split() == ["version", "committed", "(UTC)", "operation", "files", "what"]
    assert [int(row.split()[0]) for row in rows] == list(range(11, -1, -1))
    assert [int(row.split()[0]) for row in on("history", "orders", "--limit", "2").out.splitlines()[1:]] == [11, 10]


def test_what_happened_is_told(on: Cli, orders: Path):
    on("import", orders)
    lines = {int(line.split()[0]): line for line in on("history", "orders").out.splitlines()[1:]}
    assert lines[4].endswith("order_id % 10 = 3")
    assert "+3 -12" in lines[4]
    assert lines[0].endswith("Append")


def test_the_document_is_that_of_delta_rs(on: Cli, orders: Path):
    on("import", orders)
    assert on("history", "orders", "--output", "json").document == DeltaTable(orders).history()


def test_commits_that_say_nothing(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    on("import", log.root)
    assert on("history", "t").out.splitlines()[1].split()[0] == "0"
    assert on("history", "t", "--output", "json").document == []


def test_a_terminal_is_wide_enough(cli: Cli, on_terminal, orders: Path):
    cli("import", orders)
    assert on_terminal("history", "orders").width <= 80


INFOS = {
    "a text": '"by hand"',
    "a number": "5",
    "a list": "[1, {}]",
    "null": "null",
    "nothing in it": "{}",
    "nulls": '{"timestamp": 5, "operation": "WRITE", "userName": null, "mine": null, "deep": {"of": null}}',
    "its own version": '{"version": 77, "timestamp": 1}',
    "nested deeply": f'{{"operation": "X", "a": {"[" * 900}{"]" * 900}}}',
    "nested as deeply as delta-rs reads": f'{{"operation": "X", "a": {"[" * 125}{"]" * 125}}}',
    "numbers": f'{{"a": 1e400, "b": {"9" * 5000}, "c": 1.50, "d": 12345678901234567890123, "a b": 7, "e": -0.0}}',
    "times that are none": '{"timestamp": 4611686018427387904, "operation": "WRITE"}',
    "metrics of any kind": f'{{"operationMetrics": {{"numFiles": "{"9" * 5000}"}}, "operationParameters": [1]}}',
    "letters": '{"operation": "\\u001b[31m\\ud83d\\ude00", "userName": "\\n"}',
}


@pytest.mark.parametrize("info", INFOS.values(), ids=INFOS)
def test_history_is_the_same_for_commands_pages_and_programs(on: Cli, database_url: str, tmp_path: Path, info: str):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), commit_info("CREATE"))
    log.commit(raw=f'{{"commitInfo": {info}}}\n'.encode())
    log.commit(add("a"))
    assert on("import", log.root).code == 0
    assert on("validate", log.root).code == 0

    document = on("history", "t", "--output", "json").document
    with connect(database_url) as catalog:
        assert document == catalog.table("t").history()
    with served(database_url) as server:
        state = server.get("/api/table?id=t").document["state"]
        assert state["history"] == document
        assert [commit["version"] for commit in state["commits"]] == [2, 1, 0]
        assert server.get("/table?id=t").status == 200
    lines = on("history", "t").out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["2", "1", "0"]
    assert [commit["version"] for commit in document] == ([0] if info == "null" else [1, 0])


@pytest.mark.parametrize("name", ["nothing in it", "nulls", "its own version", "nested as deeply as delta-rs reads"])
def test_history_has_what_delta_rs_has(on: Cli, tmp_path: Path, name: str):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata())
    log.commit(raw=f'{{"commitInfo": {INFOS[name]}}}\n'.encode())
    on("import", log.root)
    assert on("history", "t", "--output", "json").document == DeltaTable(log.root).history()


def test_what_a_commit_info_says_is_told_as_far_as_json_can_tell_it(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata())
    for name in ("a text", "nested deeply", "numbers"):
        log.commit(raw=f'{{"commitInfo": {INFOS[name]}}}\n'.encode())
    on("import", log.root)
    numbers, deep, text = on("history", "t", "--output", "json").document
    assert text == {"version": 1}
    assert deep == {"version": 2}
    exact = {"c": 1.5, "d": 12345678901234567890123, "a b": 7, "e": 0.0, "version": 3}
    assert numbers == {"a": "1e400", "b": "9" * 5000, **exact}


def test_a_limit_of_a_history_counts_the_commits_that_are_in_it(on: Cli, database_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), commit_info("CREATE"))
    log.commit(add("a"))
    log.commit(add("b"), commit_info("MERGE"))
    log.commit(add("c"))
    on("import", log.root)
    document = on("history", "t", "--limit", "2", "--output", "json").document
    assert [commit["version"] for commit in document] == [2, 0]
    with connect(database_url) as catalog:
        assert document == catalog.table("t").history(2)
    assert [line.split()[0] for line in on("history", "t", "--limit", "2").out.splitlines()[1:]] == ["3", "2"]
