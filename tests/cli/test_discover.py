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


@pytest.fixture
def half_closed(tmp_path: Path) -> Path:
    """A lake of one table, `orders`, and a folder that nobody can look into, `closed`."""
    LogBuilder(tmp_path / "lake" / "orders").commit(protocol(), metadata(), add("a"))
    (tmp_path / "lake" / "closed").mkdir()
    (tmp_path / "lake" / "closed" / "_delta_log").symlink_to("_delta_log")
    return tmp_path / "lake"


@pytest.mark.parametrize("recursive", [[], ["--recursive"]])
def test_a_folder_that_cannot_be_listed_is_said_on_stderr_and_in_the_exit_code(
    cli: Cli, half_closed: Path, recursive: list[str]
):
    result = cli("discover", half_closed, *recursive)
    assert (result.code, result.out) == (1, f"{half_closed}/orders\n")
    assert f"Not looked at: {half_closed}/closed: Can't read {half_closed}/closed" in result.err
    document = cli("discover", half_closed, "--output", "json", *recursive)
    assert (document.code, [found["table_id"] for found in document.document]) == (1, ["orders"])


def test_a_batch_says_it_too(cli: Cli, half_closed: Path):
    batch = ("batch-import", half_closed, "--dry-run")
    result = cli(*batch)
    assert result.code == 1
    assert f"✗ {half_closed}/closed not looked at: Can't read {half_closed}/closed" in result.out
    assert "1 table: 1 assessed, nothing was changed; 1 folder not looked at" in result.out
    assert f"not looked at: {half_closed}/closed: Can't read" in result.err
    document = cli(*batch, "--output", "json").document
    assert [place["location"] for place in document["not_listed"]] == [f"{half_closed}/closed"]
    assert (document["completed"], document["failed"], document["skipped"], document["excluded"]) == (1, 0, 0, 0)
    assert cli(*batch, "--exclude", "closed").code == 0
    assert cli("batch-import", half_closed).code == 1


def test_an_empty_path_is_wrong_usage(cli: Cli):
    result = cli("discover", "")
    assert (result.code, result.out) == (2, "")
    assert "empty" in result.error_lines[0]
