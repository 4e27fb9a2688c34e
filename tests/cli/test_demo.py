from pathlib import Path

from tests.cli.conftest import Cli

COMMANDS = [
    "discover",
    "import",
    "import",
    "validate",
    "migration-status",
    "files",
    "history",
    "sync",
    "performance-compare",
    "verify-rollback",
    "rollback",
]


def test_the_whole_tour(cli: Cli, tmp_path: Path):
    result = cli("demo")
    assert result.code == 0
    lines = [line.split()[2] for line in result.out.splitlines() if line.startswith("$ deltalakedb ")]
    assert lines == COMMANDS
    assert "✓ demo_orders is equal to its log" in result.out
    assert list(tmp_path.iterdir()) == []


def test_kept(cli: Cli, tmp_path: Path):
    result = cli("demo", "--keep", "demo dir", "--output", "json")
    assert result.code == 0
    document = result.document
    assert document["folder"] == f"{tmp_path}/demo dir"
    assert [step["command"].split()[1] for step in document["steps"]] == COMMANDS[:-1]
    assert all(step["exit_code"] == 0 for step in document["steps"])
    assert (tmp_path / "demo dir" / "lake" / "demo_orders" / "_delta_log").is_dir()
    files = cli("files", "demo_orders", "--database-url", f"sqlite:///{tmp_path}/demo dir/deltalakedb.db")
    assert files.code == 0


def test_a_folder_that_is_in_use_is_left_alone(cli: Cli, plain: Path):
    result = cli("demo", "--keep", plain)
    assert (result.code, result.out) == (2, "")
    assert "is there already" in result.error_lines[0]


def test_on_another_database(cli: Cli, postgresql_url: str):
    result = cli("demo", "--database-url", postgresql_url)
    assert result.code == 0
    assert cli("migration-status", "--database-url", postgresql_url).out == "The catalog is empty.\n"
