from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from deltalakedb.cli.output import human
from tests.cli.conftest import Cli

FIELDS = [
    "table_id",
    "location",
    "status",
    "version",
    "files_processed",
    "started_at",
    "completed_at",
    "error_message",
]


def test_every_table_has_a_line(on: Cli, plain: Path, tmp_path: Path):
    (tmp_path / "empty" / "_delta_log").mkdir(parents=True)
    on("import", plain)
    on("import", "empty")
    result = on("migration-status")
    assert result.code == 0
    header, *rows = result.out.splitlines()[:3]
    assert header.split() == ["table", "status", "version", "files", "changed", "(UTC)", "location"]
    assert {tuple(row.split()[:3]) for row in rows} == {("plain", "completed", "2"), ("empty", "failed", human.NONE)}
    assert "empty: No checkpoint or JSON files found" in result.out


def test_the_document(on: Cli, plain: Path):
    on("import", plain)
    (status,) = on("migration-status", "--output", "json").document
    assert list(status) == FIELDS
    for name in ("started_at", "completed_at"):
        assert datetime.fromisoformat(status[name]).utcoffset() is not None


def test_one_table_in_detail(on: Cli, plain: Path):
    on("import", plain)
    result = on("migration-status", "--table-id", "plain")
    assert result.out.startswith("✓ plain: completed\n")
    assert f"location   {plain}" in result.out
    unknown = on("migration-status", "--table-id", "nope")
    assert (unknown.code, unknown.out) == (1, "")
    assert "There is no table 'nope'" in unknown.err


def test_an_empty_catalog(on: Cli, plain: Path):
    on("import", plain)
    on("rollback", "plain", "--yes")
    assert on("migration-status").out == "The catalog is empty.\n"
    assert on("migration-status", "--output", "json").document == []


def test_watch_ends_when_nothing_runs(on: Cli, plain: Path):
    on("import", plain)
    assert on("migration-status", "--watch").out == on("migration-status").out


def test_watch_looks_again(cli: Cli, plain: Path, monkeypatch: pytest.MonkeyPatch):
    cli("import", plain)
    engine = sa.create_engine("sqlite:///deltalakedb.db")
    update = sa.text("UPDATE migration_status SET status = :status, owner = :owner, heartbeat_at = started_at")
    from deltalakedb.catalog.registry import this_process

    def change(status: str, owner: str | None) -> None:
        with engine.begin() as connection:
            connection.execute(update, {"status": status, "owner": owner})

    change("running", this_process())
    monkeypatch.setattr("time.sleep", lambda _seconds: change("completed", None))
    result = cli("migration-status", "--watch", "--output", "json")
    assert result.document[0]["status"] == "completed"
    engine.dispose()


def test_a_terminal_is_wide_enough(on_terminal, cli: Cli, orders: Path):
    cli("import", orders, "--table-id", "a_table_with_a_name_that_is_longer_than_most_of_them_are")
    assert on_terminal("migration-status").width <= 80
    assert str(orders) in on_terminal("migration-status", columns=260).text
