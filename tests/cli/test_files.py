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
    assert files[1] == {**first, "path": "b", "num_records": None, "deletion_vector": None}


def test_partition_values_go_by_the_names_that_people_gave(on: Cli, tmp_path: Path):
    def column(name: str, number: int) -> dict:
        known = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": f"col-{number}"}
        return {"name": name, "type": "string", "nullable": True, "metadata": known}

    schema = json.dumps({"type": "struct", "fields": [column("id", 1), column("day", 2)]})
    mapped = {"delta.columnMapping.mode": "name"}
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(2, 5), metadata(partitions=["day"], configuration=mapped, schemaString=schema))
    log.commit(add("a", partitionValues={"col-2": "x"}))
    on("import", log.root)
    found = on("files", "t", "--where", "day = 'x'", "--output", "json").document
    assert [file["partition_values"] for file in found] == [{"day": "x"}]


def test_files_come_in_the_order_of_the_log(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("z"), add("a"), add("gone"))
    on("import", log.root)
    log.commit(add("y"), add("b"), remove("gone"))
    on("sync", "t")
    assert on("files", "t").out.splitlines() == ["y", "b", "z", "a"]
    assert [file["path"] for file in on("files", "t", "--output", "json").document] == ["y", "b", "z", "a"]


def test_a_table_without_a_schema_has_files(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(schemaString=...), add("a"))
    on("import", log.root)
    assert on("files", "t", "--output", "json").document[0]["path"] == "a"
    refused = on("files", "t", "--where", "id = 1")
    assert (refused.code, refused.out) == (1, "")
    assert "has no schemaString" in refused.error_lines[0]


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
    assert "53 rows at version 11" in screen.text
    assert screen.width <= 80


def test_a_table_whose_import_has_not_completed_is_not_read(on: Cli, tmp_path: Path):
    (tmp_path / "empty" / "_delta_log").mkdir(parents=True)
    on("import", "empty")
    for command in ("files", "history"):
        result = on(command, "empty")
        assert (result.code, result.out) == (1, "")
        assert "has not completed" in result.error_lines[0]
        assert "--resume" in result.error_lines[1]
