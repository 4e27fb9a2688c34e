import json
from pathlib import Path

from tests.cli.conftest import Cli
from tests.support.logs import LogBuilder, add, dv, metadata, protocol, remove


def test_a_pipe_gets_one_path_a_line(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a b"), add("a%20b"), add("gone"))
    log.commit(remove("gone"))
    on("import", log.root)
    assert sorted(on("files", "t").out.splitlines()) == ["a b", "a%20b"]


def test_the_document(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["deletionVectors"]), metadata({"id": "long", "day": "date"}, ["day"]))
    vector = dv()
    log.commit(add("a", partitionValues={"day": None}, deletionVector=vector), add("b", stats=None))
    on("import", log.root)
    files = sorted(on("files", "t", "--output", "json").document, key=lambda file: file["path"])
    first = {"size": 100, "added_version": 1, "partition_values": {"day": None}, "deletion_vector": vector}
    assert files[0] == {"path": "a", "num_records": 1, **first}
    assert files[1] == {**first, "path": "b", "num_records": None, "partition_values": {}, "deletion_vector": None}


def test_no_files(on: Cli, tmp_path: Path):
    LogBuilder(tmp_path / "t").commit(protocol(), metadata())
    on("import", "t")
    assert on("files", "t").out == ""
    assert json.loads(on("files", "t", "--output", "json").out) == []


def test_a_terminal_gets_a_table(cli: Cli, on_terminal, orders: Path):
    cli("import", orders)
    screen = on_terminal("files", "orders")
    assert screen.code == 0
    assert "7 files, " in screen.text
    assert "53 records at version 11" in screen.text
    assert screen.width <= 80


def test_a_table_whose_import_has_not_completed_is_not_read(on: Cli, tmp_path: Path):
    (tmp_path / "empty" / "_delta_log").mkdir(parents=True)
    on("import", "empty")
    for command in ("files", "history"):
        result = on(command, "empty")
        assert (result.code, result.out) == (1, "")
        assert "has not completed" in result.error_lines[0]
        assert "--resume" in result.error_lines[1]
