from pathlib import Path
from types import SimpleNamespace

import pytest

from deltalakedb.cli.output.text_output import TextOutput
from tests.cli.conftest import Cli


def test_times_side_by_side(on: Cli, orders: Path):
    on("import", orders)
    result = on("performance-compare", orders, "--repeat", "1")
    assert result.code == 0
    assert "orders from its log (deltalake" in result.out
    for name in ("open latest", "list files", "plan partition filter", "plan stats filter", "time travel", "history"):
        assert f"\n{name} " in result.out


def test_the_document(on: Cli, orders: Path):
    on("import", orders)
    document = on("performance-compare", orders, "--repeat", "1", "--output", "json").document
    assert list(document) == ["table_id", "reader", "operations"]
    for operation in document["operations"]:
        assert list(operation) == ["name", "file_based_seconds", "sql_seconds", "speedup"]


def test_bars_show_what_is_faster(capsys: pytest.CaptureFixture[str]):
    speedups = [0.5, 1.0, 40.0, 1234.5]
    operations = [SimpleNamespace(name=f"op_{n}", file_based_seconds=n, sql_seconds=1.0, speedup=n) for n in speedups]
    TextOutput().compared(SimpleNamespace(table_id="t", reader="r", operations=operations))
    lines = capsys.readouterr().out.splitlines()[-4:]
    assert [line.split()[-2] for line in lines] == ["0.50x", "1.00x", "40.0x", "1,234x"]
    assert lines[-1].count("█") == 24
    assert lines[0].endswith("▏")
