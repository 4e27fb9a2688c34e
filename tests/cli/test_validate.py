from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from deltalakedb.cli.output.text_output import TextOutput
from tests.cli.conftest import Cli
from tests.support.databases import driver_url
from tests.support.logs import LogBuilder, add, metadata, protocol


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
    assert ".json)" in result.out
    assert "Traceback" not in result.err


def test_the_document(on: Cli, plain: Path, database_url: str):
    on("import", plain)
    document = on("validate", plain, "--output", "json").document
    assert list(document) == ["table_id", "valid", "version", "versions_checked", "reader", "differences"]
    assert (document["valid"], document["version"], document["differences"]) == (True, 2, [])
    spoil(database_url)
    result = on("validate", plain, "--output", "json")
    assert result.code == 3
    for one in result.document["differences"]:
        assert set(one) == {"version", "kind", "path", "expected", "actual", "source"}
        assert (one["kind"], one["source"]) == ("size", f"{one['version']:020d}.json")


def test_many_differences_are_cut_off_in_text(capsys: pytest.CaptureFixture[str]):
    one = SimpleNamespace(version=3, kind="size", path="[a]b.parquet", expected="1" * 500, actual=None, source=None)
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


def test_a_feature_that_keeps_it_from_knowing_is_named(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "future")
    log.commit(protocol(features=["fromTheFuture"]), metadata(), add("a"))
    result = on("import", log.root)
    assert "Warning: The reader feature fromTheFuture is not known here" in result.err
    result = on("validate", log.root)
    assert result.code == 3
    assert result.out.startswith("✗ future can't be called equal to its log: fromTheFuture is not known here\n")
    assert (
        "fromTheFuture keeps it from being known which files the table has  (00000000000000000000.json)" in result.out
    )


def test_a_checkpoint_that_differs_is_shown_with_its_commits(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    log.commit(add("b"))
    log.checkpoint(state_of=0)
    assert "Warning: 00000000000000000001.checkpoint.parquet differs from the commits" in on("import", log.root).err
    result = on("validate", log.root)
    assert result.code == 3
    assert "version 1  checkpoint  b\n" in result.out
    assert "    checkpoint  00000000000000000001.checkpoint.parquet doesn't have it\n" in result.out
    assert "    commits     00000000000000000001.json has it  (as SQL)\n" in result.out


def test_commits_that_a_catalog_keeps_are_spoken_of(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["catalogManaged"]), metadata(), add("a"))
    missing = "managed by a catalog (catalogManaged): commits that the catalog has not published are missing"
    assert f"Warning: The table is {missing}" in on("import", log.root).err
    assert f"Note: The table is {missing}" in on("validate", log.root).err
    for command in ("files", "history"):
        result = on(command, "t")
        assert (result.code, missing in result.err, missing in result.out) == (0, True, False)


def test_unknown_table(on: Cli, plain: Path, orders: Path):
    on("import", plain)
    result = on("validate", orders)
    assert result.code == 1
    assert "There is no table 'orders'" in result.error_lines[0]
