import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
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
        "hint: Use --resume to go on, or `deltalakedb rollback` to begin anew.",
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
