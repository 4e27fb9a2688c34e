"""What the fuzzing has found, each by the shortest input that showed it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deltalakedb.cli.app import run_line
from deltalakedb.client import Catalog, connect
from deltalakedb.errors import ArgumentError, CatalogError, CorruptLogError
from deltalakedb.log.store import open_store
from deltalakedb.table.delta_table import DeltaTable
from deltalakedb.table.exceptions import FilterError
from tests.fuzz.test_fuzz_logs import goes_through
from tests.support.catalogs import dump, url_of
from tests.support.logs import LogBuilder, add, commit_info, metadata, protocol, remove, to_lines

HUGE = "1e999999999"
"""As an integer it would fill the memory."""

REFUSED = {
    "not UTF-8": b"\xff\xfe",
    "partition values that are a number": b'{"add":{"path":"a","partitionValues":5}}',
    "partition values within partition values": b'{"add":{"path":"a","partitionValues":{"p":{"q":"1"}}}}',
    "partition values of a remove": b'{"remove":{"path":"a","partitionValues":[1]}}',
    "a deletion vector that is a number": b'{"add":{"path":"a","deletionVector":5}}',
    "a deletion vector without a place": b'{"remove":{"path":"a","deletionVector":{}}}',
    "partition columns that are a text": to_lines([metadata(partitionColumns="id")]),
    "a configuration that is a list": to_lines([{"metaData": metadata()["metaData"] | {"configuration": []}}]),
}
TAKEN = {
    "an add without a size": b'{"add":{"path":"a"}}',
    "nulls in a commitInfo": to_lines([commit_info(operation=None, notebook=None)]),
    "a commitInfo that is none": b'{"commitInfo":5}',
    "a number of 5,000 digits": b'{"somethingNew":' + b"9" * 5000 + b"}",
    "a number that no double holds": b'{"somethingNew":1e400}\n{"add":{"path":"b","new":[1e400]}}',
    "an integer of 65 bits": to_lines([metadata(new=2**65)]),
    "statistics that break off": to_lines([add("b", stats='{"numRecords": 5, "x": [')]),
    "statistics of a remove that count in lists": to_lines([remove("b", stats='{"numRecords": [5]}')]),
    "a count beyond 64 bits": to_lines([add("b", stats='{"numRecords": 99999999999999999999}')]),
    "a bound that fills the memory": to_lines([add("b", stats='{"numRecords":1,"minValues":{"id":' + HUGE + "}}")]),
    "a size that fills the memory": b'{"somethingNew":{"size":' + HUGE.encode() + b"}}",
    "a partition of 5,000 digits": to_lines([add("b", partitionValues={"id": "9" * 5000})]),
}


@pytest.fixture
def catalog(sqlite_url: str) -> Iterator[Catalog]:
    with connect(sqlite_url) as made:
        yield made


@pytest.fixture
def each_catalog(database_url: str) -> Iterator[Catalog]:
    with connect(database_url) as made:
        yield made


def log_with(content: bytes, root: Path) -> Path:
    log = LogBuilder(root)
    log.commit(protocol(), metadata({"id": "long", "day": "date"}, ["day"]), add("a.parquet"), commit_info())
    log.commit(raw=content)
    return root


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_what_is_not_as_the_protocol_has_it_is_refused_with_the_file(catalog: Catalog, tmp_path: Path, content: bytes):
    assert not goes_through(catalog, log_with(content, tmp_path / "t"))
    with pytest.raises(CorruptLogError, match=rf"{1:020}\.json.*(UTF-8|partition|deletionVector|configuration)"):
        catalog.import_table(str(tmp_path / "t"))


@pytest.mark.parametrize("content", TAKEN.values(), ids=TAKEN)
def test_what_is_odd_goes_through_all_that_is_done_with_a_log(each_catalog: Catalog, tmp_path: Path, content: bytes):
    assert goes_through(each_catalog, log_with(content, tmp_path / "t"))


@pytest.mark.parametrize(
    "line", [add("a\0b"), commit_info(userName="\0"), metadata(name="\0")], ids=lambda line: next(iter(line))
)
def test_a_text_with_a_nul_is_told_where_the_database_can_not_hold_it(
    tmp_path: Path, each_catalog: Catalog, line: dict
):
    catalog = each_catalog
    root = log_with(to_lines([line]), tmp_path / "t")
    if not catalog.url.startswith("postgresql"):
        assert goes_through(catalog, root)
        return
    with pytest.raises(CatalogError, match="NUL") as raised:
        catalog.import_table(str(root), "t")
    assert "SQLite" in raised.value.hint
    assert catalog.tables() == []


def test_a_log_that_was_spoiled_after_its_import_is_no_way_back(catalog: Catalog, tmp_path: Path):
    root = log_with(b'{"add":{"path":"b"}}', tmp_path / "t")
    catalog.import_table(str(root), "t")
    (root / "_delta_log" / f"{1:020}.json").write_bytes(b'{"add":{"path":"b","deletionVector":5}}')
    with pytest.raises(CorruptLogError, match="not as the protocol has it"):
        catalog.validate("t")
    assert not catalog.verify_rollback("t").can_rollback


@pytest.mark.parametrize(
    "path", ["../" * 8 + "etc", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "file:///etc/passwd", "a\\..\\b"]
)
def test_any_path_is_a_key_like_any_other(catalog: Catalog, tmp_path: Path, path: str):
    root = log_with(to_lines([add(path)]), tmp_path / "t")
    catalog.import_table(str(root), "t")
    assert path in [row["path"] for row in dump(url_of(catalog))["delta_files"]]
    assert catalog.validate("t").valid


# ---- questions


@pytest.fixture
def table(catalog: Catalog, tmp_path: Path) -> DeltaTable:
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata({"id": "long", "x": "double", "name": "string"}), add("a.parquet"))
    catalog.import_table(str(log.root), "t")
    return catalog.table("t")


@pytest.mark.parametrize(
    "where",
    [
        f"id < {HUGE}",
        f"id > -{HUGE}",
        f"id IN (1, {HUGE})",
        f"name = {HUGE}",
        "id < 1E+99999999999999999999",
        f"id < CAST({HUGE} AS BIGINT)",
        "CAST(x AS DECIMAL(a,b)) = 1",
        "CAST(x AS DECIMAL(99999999999,2)) = 1",
    ],
)
def test_numbers_that_no_column_holds_take_no_time(table: DeltaTable, where: str):
    assert table.files(where=where)["path"].to_pylist() == ["a.parquet"]


@pytest.mark.parametrize(
    "where", [[(2, "=", 1)], [[2]], [()], [("id", False, "")], [("id", "=", 10**5000)], [(10**5000,)]]
)
def test_what_is_no_filter_is_refused(table: DeltaTable, where: object):
    with pytest.raises(FilterError):
        table.files(where=where)
    with pytest.raises(ArgumentError):
        table.file_uris(file_pruning_predicate=where)


@pytest.mark.parametrize(
    "line",
    [
        ["history", "t", "--limit", "9" * 30],
        ["files", "t", "--version", "9" * 30],
        ["export", "t", "out", "--version", "9" * 30],
        ["index", "t", "id", "--database-url", "sqlite:///%00"],
        ["index", "t", "id", "--database-url", "sqlite:///a?mode=ro"],
        ["validate", "\0"],
        ["batch-import", ".", "--from-file", "\0"],
        ["discover", "file://["],
    ],
    ids=" ".join,
)
def test_a_word_that_can_not_be_is_wrong_usage(
    line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert run_line(line) == 2
    assert "should not have happened" not in capsys.readouterr().err


def test_a_location_with_a_nul_is_none():
    with pytest.raises(ArgumentError, match="Not a path"):
        open_store("a\0b")
