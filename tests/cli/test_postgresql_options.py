from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import Cli, Result
from tests.support.databases import fresh_postgres


@pytest.fixture
def in_schema(cli: Cli, postgresql_url: str) -> Cli:
    """Runs commands on a catalog in the schema `lake`."""
    return lambda *words: cli(words[0], "--database-url", postgresql_url, "--schema", "lake", *words[1:])


def test_every_command_takes_a_schema(in_schema: Cli, orders: Path, plain: Path, tmp_path: Path, postgresql_url: str):
    lines: list[list[object]] = [
        ["batch-import", plain.parent, "--parallel", 2],
        ["validate", orders, "--all-versions"],
        ["migration-status"],
        ["sync", "--all"],
        ["check"],
        ["files", "orders"],
        ["history", "orders"],
        ["index", "orders", "order_id"],
        ["performance-compare", orders, "--repeat", 1],
        ["export", "orders", tmp_path / "exported"],
        ["verify-rollback", "orders"],
        ["rollback", "orders", "--yes"],
        ["import", orders],
    ]
    for line in lines:
        result = in_schema(*line)
        assert result.code == 0, (line, result.err)
    with psycopg.connect(postgresql_url) as connection:
        found = connection.execute("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename ~ '^(delta|migration)'")
        assert found.fetchall() == [("lake",)]
    assert "schema lake" in in_schema("import", orders, "--resume").out


def test_commands_that_read_take_a_replica(cli: Cli, postgres_server: str, postgresql_url: str, orders: Path):
    with fresh_postgres(postgres_server) as replica:
        assert cli("import", orders, "--database-url", replica, "--table-id", "there").code == 0

        def both(*words: object) -> Result:
            return cli(words[0], "--database-url", postgresql_url, "--read-url", replica, *words[1:])

        for line in (
            ["files", "there"],
            ["history", "there"],
            ["migration-status", "--table-id", "there"],
            ["performance-compare", orders, "--table-id", "there", "--repeat", 1],
        ):
            assert both(*line).code == 0, line
        assert both("sync", "there").code == 1, "what writes does not look there"
        assert both("import", orders, "--table-id", "there").code == 0


def test_a_statement_timeout_is_an_error_with_a_hint(cli: Cli, postgresql_url: str, orders: Path):
    assert cli("import", orders, "--database-url", postgresql_url).code == 0
    with psycopg.connect(postgresql_url) as other:
        other.execute("LOCK delta_tables")
        result = cli("files", "orders", "--database-url", postgresql_url, "--statement-timeout", 0.1)
    assert result.code == 1
    assert result.error_lines[0].startswith("Error: The database gave up: postgresql://")
    assert "--statement-timeout" in result.error_lines[1]
    assert "Traceback" not in result.err
