import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Screen
from tests.support.logs import LogBuilder, add, metadata, protocol

FIELDS = [
    "table_id",
    "location",
    "status",
    "first_version",
    "version",
    "commits",
    "files_processed",
    "active_files",
    "duration_seconds",
    "dry_run",
    "resumed",
]


def test_a_table_is_imported(on: Cli, plain: Path):
    result = on("import", plain)
    assert result.code == 0
    assert result.out.startswith("✓ plain: imported in ")
    assert "0 to 2 (3 commits)" in result.out
    assert "3, of which 3 are active" in result.out
    assert result.err == ""


def test_the_document_has_the_fields_that_programs_rely_on(on: Cli, plain: Path):
    document = on("import", plain, "--output", "json").document
    assert list(document) == FIELDS
    assert document["table_id"] == "plain"
    assert document["location"] == str(plain)
    assert document["status"] == "completed"
    assert (document["first_version"], document["version"], document["commits"]) == (0, 2, 3)
    assert (document["files_processed"], document["active_files"]) == (3, 3)
    assert document["duration_seconds"] > 0
    assert document["dry_run"] is document["resumed"] is False


def test_a_second_import_changes_nothing_and_fails(on: Cli, plain: Path):
    on("import", plain)
    result = on("import", plain)
    assert result.code == 1
    assert result.out == ""
    assert result.error_lines == [
        "Error: 'plain' is in the catalog already, at version 2",
        "hint: Use --resume to go on, or --replace to begin anew.",
    ]


def test_resume_on_a_completed_table_takes_in_what_is_new(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "grown")
    log.commit(protocol(), metadata(), add("a"))
    on("import", log.root)
    log.commit(add("b"))
    document = on("import", log.root, "--resume", "--output", "json").document
    assert (document["version"], document["files_processed"], document["resumed"]) == (1, 2, True)


def test_a_dry_run_writes_nothing(cli: Cli, plain: Path, tmp_path: Path):
    before = sorted(tmp_path.rglob("*"))
    result = cli("import", plain, "--dry-run", "--verbose")
    assert result.code == 0
    assert "plain: would import (dry run: nothing was changed)" in result.out
    assert "estimate" in result.out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_has_the_same_document_and_its_estimates(on: Cli, plain: Path):
    document = on("import", plain, "--dry-run", "--output", "json").document
    estimates = ["warnings", "features", "log_bytes", "estimated_seconds", "estimated_bytes"]
    assert list(document) == FIELDS + estimates
    assert document["dry_run"] is True
    assert document["log_bytes"] > 0
    assert document["estimated_bytes"] > 0
    assert on("migration-status").code == 1  # there is no catalog


def test_the_default_database_is_said_on_stderr(cli: Cli, plain: Path, tmp_path: Path):
    result = cli("import", plain, "--output", "json")
    assert result.err == "Database: sqlite:///deltalakedb.db (no --database-url given)\n"
    assert (tmp_path / "deltalakedb.db").exists()


def test_the_environment_names_the_database(cli: Cli, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DELTALAKEDB_DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    assert cli("import", plain).err == ""
    assert (tmp_path / "other.db").exists()


@pytest.mark.parametrize(
    "name", ["it's", 'say "hi"', "two words", "größe ☃", "100%", "a;DROP TABLE x", "[bold]x", "-dash"]
)
def test_any_name_works(on: Cli, tmp_path: Path, name: str):
    log = LogBuilder(tmp_path / name)
    log.commit(protocol(), metadata(), add("a"))
    assert on("import", log.root).code == 0
    (status,) = on("migration-status", "--output", "json").document
    assert (status["table_id"], status["location"]) == (name, str(log.root))
    assert name in on("migration-status").out
    assert on("files", "--", name).out == "a\n"


def test_a_table_id_may_look_like_an_option(on: Cli, plain: Path):
    assert on("import", plain, "--table-id", "-x").code == 0
    assert json.loads(on("files", "--output", "json", "--", "-x").out)
    assert on("files", "-x").code == 2


def test_batches_are_transactions(cli: Cli, plain: Path):
    assert cli("import", plain, "--batch-size", "1", "--database-url", "sqlite:///one.db").code == 0
    with sqlite3.connect("one.db") as connection:
        assert connection.execute("SELECT count(*) FROM delta_files").fetchone() == (3,)
    connection.close()


def test_warnings_are_said_on_stderr(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "odd")
    log.commit(protocol(), metadata(), metadata(configuration={"a": "b"}), add("a"))
    result = on("import", log.root)
    assert result.code == 0
    assert "Warning: " in result.err
    assert "Warning: " not in result.out


def test_verbose_logs_with_times(on: Cli, plain: Path):
    result = on("import", plain, "--verbose")
    assert result.code == 0
    assert " s  debug    deltalakedb.cli.run: database: " in result.err
    assert "debug" not in result.out


def test_a_table_is_replaced(on: Cli, plain: Path):
    on("import", plain)
    shutil.rmtree(plain / "_delta_log")
    log = LogBuilder(plain)
    log.commit(protocol(), metadata(id="another"), add("x"))
    unasked = on("import", plain, "--replace")
    assert (unasked.code, unasked.out) == (2, "")
    assert "nobody is there to ask" in unasked.err
    assert "Add --yes." in unasked.err
    assert len(on("files", "plain").out.split()) == 3
    result = on("import", plain, "--replace", "--yes")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("✓ plain: imported in ")
    assert on("files", "plain").out.split() == ["x"]
    assert on("validate", plain).code == 0


def test_to_go_on_and_to_begin_anew_exclude_each_other(on: Cli, plain: Path):
    result = on("import", plain, "--replace", "--resume")
    assert result.code == 2
    assert "give one" in result.err


def test_what_a_replacement_would_load_can_be_looked_at(on: Cli, plain: Path):
    on("import", plain)
    assert on("import", plain, "--replace", "--dry-run").code == 0
    assert len(on("files", "plain").out.split()) == 3


def test_a_replacement_is_asked_for_on_a_terminal(cli: Cli, on_terminal: Callable[..., Screen], plain: Path):
    assert on_terminal("import", plain, "--replace").code == 0  # there is nothing to ask about
    no = on_terminal("import", plain, "--replace", keys="n\n")
    assert no.code == 1
    assert "plain at version 2 would be replaced: 3 in delta_files" in no.text
    assert "Nothing was deleted." in no.text
    assert cli("events", "plain").out.count("\n") == 2
    yes = on_terminal("import", plain, "--replace", keys="y\n")
    assert yes.code == 0
    assert "plain: imported in" in yes.text


def test_a_replacement_is_asked_for_under_the_id_that_the_table_has(
    cli: Cli, on_terminal: Callable[..., Screen], plain: Path, orders: Path
):
    cli("import", plain, "--table-id", "returns/plain")
    cli("import", orders, "--table-id", "plain")  # another table has the id that the folder would give
    no = on_terminal("import", plain, "--replace", keys="n\n")
    assert no.code == 1
    assert "returns/plain at version 2 would be replaced: 3 in delta_files" in no.text
    cli("rollback", "plain", "--yes")
    no = on_terminal("import", plain, "--replace", keys="n\n")
    assert (no.code, "Nothing was deleted." in no.text) == (1, True)
    assert len(cli("files", "returns/plain").out.split()) == 3
