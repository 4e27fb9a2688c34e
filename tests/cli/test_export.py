from pathlib import Path

import deltalake
import pyarrow as pa
from deltalake import QueryBuilder

from tests.cli.conftest import Cli


def test_a_log_is_written_and_said_to_be(on: Cli, orders: Path, tmp_path: Path):
    on("import", orders)
    result = on("export", "orders", "restored")
    assert result.code == 0
    assert result.out.startswith("✓ orders exported in ")
    assert "versions     0 to 11 (12 commits)" in result.out
    assert str(tmp_path / "restored") in result.out
    assert deltalake.DeltaTable(tmp_path / "restored").version() == 11


def test_an_older_version_with_absolute_paths_as_a_document(on: Cli, orders: Path, tmp_path: Path):
    on("import", orders)
    document = on("export", "orders", "older", "--version", "3", "--absolute-paths", "--output", "json").document
    seconds = document.pop("duration_seconds")
    assert seconds > 0
    assert document == {
        "table_id": "orders",
        "location": str(orders),
        "destination": str(tmp_path / "older"),
        "first_version": 0,
        "version": 3,
        "commits": 4,
        "files": 12,
        "checkpoint_versions": [3],
        "absolute_paths": True,
    }
    older = QueryBuilder().register("t", deltalake.DeltaTable(tmp_path / "older"))
    assert pa.table(older.execute("SELECT order_id FROM t").read_all()).num_rows == 120


def test_what_is_there_is_not_overwritten(on: Cli, plain: Path):
    on("import", plain)
    result = on("export", "plain", plain)
    assert result.code == 2
    assert result.error_lines[0] == f"Error: The destination is there already: {plain}"
    assert result.error_lines[1].startswith("hint: ")
    assert on("export", "plain", "a", "--version", "99").code == 1
