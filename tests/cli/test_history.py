from pathlib import Path

from deltalake import DeltaTable

from tests.cli.conftest import Cli
from tests.support.logs import LogBuilder, add, metadata, protocol


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
    (commit,) = on("history", "t", "--output", "json").document
    assert commit["version"] == 0


def test_a_terminal_is_wide_enough(cli: Cli, on_terminal, orders: Path):
    cli("import", orders)
    assert on_terminal("history", "orders").width <= 80
