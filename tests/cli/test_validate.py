from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from deltalakedb.cli.output.text_output import TextOutput
from tests.cli.conftest import Cli
from tests.support.databases import driver_url


def spoil(url: str) -> None:
    """Changes a size behind the catalog's back."""
    engine = sa.create_engine(driver_url(url))
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE delta_files SET size = 1"))
    engine.dispose()


def test_an_import_is_equal_to_its_log(on: Cli, orders: Path):
    on("import", orders)
    result = on("validate", orders, "--all-versions")
    assert result.code == 0
    assert result.out.startswith("✓ orders is equal to its log at version 11\n")
    assert "12 versions checked with deltalake" in result.out


def test_differences_exit_with_3(on: Cli, plain: Path, database_url: str):
    on("import", plain)
    spoil(database_url)
    result = on("validate", plain)
    assert result.code == 3
    assert result.out.startswith("✗ plain differs from its log: ")
    assert "in the log" in result.out
    assert "Traceback" not in result.err


def test_the_document(on: Cli, plain: Path, database_url: str):
    on("import", plain)
    document = on("validate", plain, "--output", "json").document
    assert list(document) == ["table_id", "valid", "version", "versions_checked", "reader", "differences"]
    assert (document["valid"], document["version"], document["differences"]) == (True, 2, [])
    spoil(database_url)
    result = on("validate", plain, "--output", "json")
    assert result.code == 3
    assert set(result.document["differences"][0]) == {"version", "kind", "path", "expected", "actual"}


def test_many_differences_are_cut_off_in_text(capsys: pytest.CaptureFixture[str]):
    one = SimpleNamespace(version=3, kind="size", path="[a]b.parquet", expected="1" * 500, actual=None)
    report = SimpleNamespace(
        table_id="t", valid=False, version=3, versions_checked=1, reader="a reader", differences=(one,) * 4832
    )
    TextOutput().validated(report)
    out = capsys.readouterr().out
    assert "✗ t differs from its log: 4,832 differences" in out
    assert out.count("version 3  size  [a]b.parquet") == 20
    assert "… and 4,812 more" in out
    assert "1" * 200 + "…" in out
    assert "in SQL      nothing" in out


def test_unknown_table(on: Cli, plain: Path, orders: Path):
    on("import", plain)
    result = on("validate", orders)
    assert result.code == 1
    assert "There is no table 'orders'" in result.error_lines[0]
