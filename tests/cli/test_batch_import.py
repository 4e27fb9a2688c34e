import io
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.support.logs import LogBuilder, add, metadata, protocol


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four tables: `a`, `b_test`, `deep/c`, and `broken`."""
    for name in ("a", "b_test", "deep/c"):
        LogBuilder(tmp_path / "lake" / name).commit(protocol(), metadata(), add("f"))
    broken = LogBuilder(tmp_path / "lake" / "broken")
    broken.commit(protocol(), metadata())
    broken.commit(add("f"), raw=b'{"add":')
    return tmp_path / "lake"


def test_what_can_be_imported_is(on: Cli, folder: Path):
    result = on("batch-import", folder)
    assert result.code == 1
    for line in ("✓ a: version", "✓ b_test: version", "✓ c: version", "✗ broken: failed: 0000"):
        assert line in result.err
    assert "4 tables: 3 done, 1 failed" in result.out
    statuses = {one["table_id"]: one["status"] for one in on("migration-status", "--output", "json").document}
    assert statuses == {"a": "completed", "b_test": "completed", "c": "completed", "broken": "failed"}


def test_the_document(on: Cli, folder: Path):
    result = on("batch-import", folder, "--output", "json")
    document = result.document
    assert (document["completed"], document["failed"], document["skipped"]) == (3, 1, 0)
    by_id = {one["table_id"]: one for one in document["tables"]}
    assert by_id["a"]["files_processed"] == 1
    assert {"location", "status", "error"} <= set(by_id["broken"])
    again = on("batch-import", folder, "--resume", "--output", "json").document
    assert (again["completed"], again["failed"], again["skipped"]) == (0, 1, 3)


def test_exclude(on: Cli, folder: Path):
    result = on("batch-import", folder, "--exclude", "test", "--exclude", "deep/*", "--exclude", "broken")
    assert result.code == 0
    assert result.out.endswith("\n4 tables: 1 done, 3 excluded\n")
    assert "b_test" not in result.out
    document = on("batch-import", folder, "--exclude", "test", "--exclude", "broken", "--output", "json").document
    assert (document["completed"], document["skipped"], document["excluded"], document["not_listed"]) == (1, 3, 2, [])
    by_id = {one["table_id"]: one for one in document["tables"]}
    assert (by_id["b_test"]["status"], by_id["b_test"]["error"]) == ("skipped", "excluded by the pattern 'test'")


@pytest.mark.parametrize(
    "words",
    [
        ["batch-import", ""],
        ["batch-import", "lake", "--exclude", ""],
        ["batch-import", "lake", "--exclude", "b", "--exclude", " "],
        ["batch-import", "--from-file", ""],
        ["batch-import", "lake", "--from-file", ""],
        ["batch-import", "lake", "--id-prefix", ""],
        ["import", ""],
        ["import", "lake/a", "--table-id", ""],
        ["validate", "lake/a", "--table-id", ""],
        ["files", ""],
        ["rollback", "", "--yes"],
        ["migration-status", "--table-id", ""],
        ["import", "lake/a", "--database-url", ""],
        ["batch-import", "lake", "--database-url", " "],
        ["import", "lake/a", "--database-url-file", ""],
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_variable_that_is_not_set_is_wrong_usage(cli: Cli, tmp_path: Path, words: list[str]):
    result = cli(*words)
    assert (result.code, result.out) == (2, "")
    assert "empty" in result.error_lines[0]
    assert cli(*words, "--output", "json").document["error"]["hint"]
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


def test_an_id_prefix_and_a_list_from_stdin(on: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch):
    on("batch-import", folder, "--exclude", "broken")
    second = folder.parent / "second"
    for name in ("a", "deep/c"):
        LogBuilder(second / name).commit(protocol(), metadata(), add("f"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{second}/a\r\n{second}/deep/c".encode())))
    result = on("batch-import", "--from-file", "-", "--id-prefix", "second.", "--output", "json")
    assert result.code == 0
    assert [one["table_id"] for one in result.document["tables"]] == ["second.a", "second.c"]


def test_parallel(on: Cli, folder: Path):
    result = on("batch-import", folder, "--parallel", "2", "--exclude", "broken", "--output", "json")
    assert result.code == 0
    assert result.document["completed"] == 3


def test_from_file(cli: Cli, folder: Path, tmp_path: Path):
    (tmp_path / "tables.txt").write_text(cli("discover", folder).out)
    result = cli("batch-import", "--from-file", "tables.txt", "--output", "json")
    assert {one["table_id"] for one in result.document["tables"]} == {"a", "b_test", "broken"}


def test_a_missing_list(cli: Cli, tmp_path: Path):
    result = cli("batch-import", "--from-file", "tables.txt")
    assert (result.code, result.out) == (1, "")
    assert result.error_lines[0] == "Error: Not found: tables.txt"
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_writes_nothing(cli: Cli, folder: Path, tmp_path: Path):
    before = sorted(tmp_path.rglob("*"))
    result = cli("batch-import", folder, "--dry-run", "--exclude", "broken")
    assert "in total" in result.out
    assert "assessed, nothing was changed" in result.out
    assert result.code == 0
    assert "a: would import" in result.err
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_to_import(cli: Cli, tmp_path: Path):
    result = cli("batch-import", tmp_path)
    assert result.code == 0
    assert result.out == "0 tables\n"
