import shutil
from pathlib import Path

from tests.cli.conftest import Cli


def test_verify_rollback(on: Cli, plain: Path):
    on("import", plain)
    result = on("verify-rollback", "plain")
    assert result.code == 0
    assert result.out.startswith("✓ plain can be rolled back\n")
    assert "DELETE FROM delta_files WHERE table_id = 'plain';" in result.out
    assert "What `deltalakedb rollback plain` does:" in result.out


def test_the_document_of_verify_rollback(on: Cli, plain: Path):
    on("import", plain)
    document = on("verify-rollback", "plain", "--output", "json").document
    assert list(document) == ["table_id", "can_rollback", "checks", "statements"]
    assert document["can_rollback"] is True
    assert all(list(check) == ["name", "ok", "detail"] for check in document["checks"])
    assert all(statement.startswith("DELETE FROM ") for statement in document["statements"])


def test_a_table_whose_log_is_gone_is_not_rolled_back(on: Cli, plain: Path):
    on("import", plain)
    shutil.rmtree(plain)
    check = on("verify-rollback", "plain")
    assert check.code == 3
    assert check.out.startswith("✗ plain can't be rolled back safely\n")
    assert "By hand, which loses for good what SQL alone has" in check.out
    assert "DELETE FROM migration_status WHERE table_id = 'plain';" in check.out
    assert on("verify-rollback", "plain", "--output", "json").document["can_rollback"] is False
    result = on("rollback", "plain", "--yes")
    assert (result.code, result.out) == (3, "")
    assert len(result.error_lines) == 2
    assert on("rollback", "plain", "--yes", "--output", "json").document["error"]["type"] == "RollbackUnsafeError"
    assert len(on("files", "plain").out.splitlines()) == 3


def test_rollback_forgets(on: Cli, plain: Path):
    on("import", plain)
    result = on("rollback", "plain", "--yes")
    assert result.code == 0
    assert result.out.startswith("✓ plain is forgotten; its log is as it was\n")
    assert "3 in delta_files" in result.out
    assert "opens at version 2" in result.out
    assert on("files", "plain").code == 1
    assert on("import", plain).code == 0


def test_the_document_of_rollback(on: Cli, plain: Path):
    on("import", plain)
    document = on("rollback", "plain", "--yes", "--output", "json").document
    assert list(document) == ["table_id", "location", "status", "deleted", "opened_version", "duration_seconds"]
    assert document["deleted"]["delta_files"] == 3


def test_a_dry_run_deletes_nothing(on: Cli, plain: Path):
    on("import", plain)
    result = on("rollback", "plain", "--dry-run")
    assert result.code == 0
    assert "plain would be forgotten (dry run: nothing was changed)" in result.out
    assert len(on("files", "plain").out.splitlines()) == 3


def test_without_a_terminal_it_wants_yes(on: Cli, plain: Path):
    on("import", plain)
    result = on("rollback", "plain")
    assert (result.code, result.out) == (2, "")
    assert result.error_lines[1] == "hint: Add --yes."


def test_unknown_table(on: Cli, plain: Path):
    on("import", plain)
    for command in (["verify-rollback", "nope"], ["rollback", "nope", "--yes"]):
        result = on(*command)
        assert result.code == 1
        assert "There is no table 'nope'" in result.error_lines[0]


def test_it_asks_on_a_terminal(cli: Cli, on_terminal, plain: Path):
    cli("import", plain)
    no = on_terminal("rollback", "plain", keys="n\n")
    assert no.code == 1
    assert "plain would be forgotten: 3 in delta_files" in no.text
    assert f"Its log at {plain} stays as it is." in no.text.replace("\n", " ") or str(plain) in no.text
    assert "Nothing was deleted." in no.text
    yes = on_terminal("rollback", "plain", keys="y\n")
    assert yes.code == 0
    assert "plain is forgotten" in yes.text
