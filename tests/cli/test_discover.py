import os
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.support import lake
from tests.support.logs import LogBuilder, add, metadata, protocol


def test_a_pipe_gets_one_location_a_line(cli: Cli, plain: Path, orders: Path):
    result = cli("discover", "lake")
    assert result.code == 0
    assert result.out == f"{orders}\n{plain}\n"
    assert result.err == ""


def test_recursive(cli: Cli, tmp_path: Path):
    lake.cleaned_table(tmp_path / "a" / "b" / "deep")
    result = cli("discover", ".")
    assert (result.code, result.out) == (0, "")
    assert "No Delta tables found" in result.err
    assert "--recursive" in result.err
    assert cli("discover", ".", "--recursive").out == f"{tmp_path}/a/b/deep\n"


def test_the_document(cli: Cli, tmp_path: Path):
    lake.cleaned_table(tmp_path / "events")
    assert cli("discover", ".", "--output", "json").document == [
        {"table_id": "events", "location": f"{tmp_path}/events", "version": 6, "first_version": 3}
    ]
    (tmp_path / "nothing").mkdir()
    assert cli("discover", "nothing", "--output", "json").document == []


def test_a_broken_table_is_listed_and_warned_of(cli: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "gap", version=1)
    log.commit(protocol(), metadata(), add("a"))
    result = cli("discover", ".")
    assert result.out == f"{tmp_path}/gap\n"
    assert f"Warning: {tmp_path}/gap: Version" in result.err
    (found,) = cli("discover", ".", "--output", "json").document
    assert found["version"] is None


@pytest.mark.usefixtures("plain", "orders")
def test_a_terminal_gets_a_table(on_terminal):
    screen = on_terminal("discover", "lake")
    assert screen.code == 0
    assert "table " in screen.text
    assert "0 to 11" in screen.text
    assert "2 tables" in screen.text
    assert screen.width <= 80


def test_names_that_are_no_text(cli: Cli, tmp_path: Path):
    name = os.fsdecode(b"caf\xe9")
    LogBuilder(tmp_path / name).commit(protocol(), metadata(), add("a"))
    assert cli("discover", ".", "--output", "json").document[0]["location"] == f"{tmp_path}/{name}"


def test_what_would_steer_a_terminal_is_written_out(on_terminal, tmp_path: Path):
    LogBuilder(tmp_path / "\x1b]0;owned\x07").commit(protocol(), metadata(), add("a"))
    screen = on_terminal("discover", ".")
    assert "\\x1b]0;owned" in screen.text.replace("\n", "")
    assert "\x07" not in screen.text
