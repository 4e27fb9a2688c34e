"""Whatever the width of a terminal, the tables in a list can be told apart."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Screen
from tests.support.logs import LogBuilder, add, metadata, protocol

NAMES = ("customers_with_a_rather_long_name_2024", "events_clickstream_raw", "orders")

LISTS = (
    ["discover", "lake", "--recursive"],
    ["batch-import", "lake", "--dry-run"],
    ["migration-status"],
    ["events"],
    ["sync", "--all"],
    ["batch-import", "lake"],
)


@pytest.fixture
def imported(cli: Cli, tmp_path: Path) -> None:
    for name in NAMES:
        log = LogBuilder(tmp_path / "lake" / name)
        log.commit(protocol(), metadata(), add("a"))
    assert cli("batch-import", "lake").code == 0


@pytest.mark.usefixtures("imported")
@pytest.mark.parametrize("columns", [40, 50, 80, 120])
@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_table_ids_are_seen(on_terminal: Callable[..., Screen], words: list[str], columns: int):
    shown = on_terminal(*words, columns=columns).text
    lines = [line.rstrip() for line in shown.splitlines()]
    assert "orders" in shown
    for name in NAMES:
        assert any(name[:12] in line for line in lines), shown
    if words[0] in ("migration-status", "events"):
        assert shown.count("completed") >= len(NAMES)


@pytest.mark.usefixtures("imported")
def test_a_list_that_is_too_wide_is_shown_row_by_row(on_terminal: Callable[..., Screen]):
    url = "sqlite:///deltalakedb.db"
    shown = (on_terminal("migration-status", "--database-url", url, columns=columns).text for columns in (80, 50))
    wide, lines = (text.splitlines() for text in shown)
    assert wide[0].split()[:2] == ["table", "status"]
    at = lines.index(NAMES[0])
    assert lines[at + 1].startswith("  status completed · version 0 · files 1 · ")
    assert max(map(len, lines)) <= 50
