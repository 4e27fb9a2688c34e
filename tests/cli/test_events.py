from pathlib import Path

from tests.cli.conftest import Cli


def test_who_did_what_comes_the_latest_first(on: Cli, plain: Path, tmp_path: Path):
    on("import", plain)
    on("validate", plain)
    on("export", "plain", tmp_path / "new")
    on("rollback", "plain", "--yes")
    header, *rows = on("events", "plain").out.splitlines()
    assert header.split() == ["began", "(UTC)", "table", "command", "status", "version", "who", "what"]
    assert [row.split()[3] for row in rows] == ["rollback", "export", "validate", "import"]
    assert {row.split()[4] for row in rows} == {"completed"}
    assert "2 → -" in rows[0] or "2 → \u2013" in rows[0]
    assert "rows deleted" in rows[0]
    assert "commits 3, files 3" in rows[-1]
    assert len(on("events", "--limit", 2).out.splitlines()) == 3


def test_the_document_has_all_of_an_event(on: Cli, plain: Path):
    on("batch-import", plain.parent)
    whole, table = on("events", "--output", "json").document
    assert (whole["table_id"], whole["command"], whole["changes"]["completed"]) == (None, "batch-import", 1)
    assert (table["table_id"], table["status"], table["version"], table["times"]) == ("plain", "completed", 2, 1)
    assert table["options"] == {"location": str(plain), "resume": True}
    assert table["changes"] == {"commits": 3, "files": 3}
    assert table["started_at"] <= table["ended_at"]


def test_a_table_that_nobody_ever_heard_of(on: Cli, plain: Path):
    on("import", plain)
    result = on("events", "nosuch")
    assert (result.code, result.error_lines) == (
        1,
        ["Error: Nothing was ever done to a table 'nosuch'", "hint: `deltalakedb events` lists all."],
    )
