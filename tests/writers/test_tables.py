"""Tables by real writers: imported, validated, read in every way, exported, and read again.

What they hold is known from the rows that were written. tests/writers/make_tables.py makes them.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError, DeltaProtocolError

from deltalakedb.client import Catalog
from deltalakedb.table.delta_table import DeltaTable
from tests.table.catalogs import comparable
from tests.table.test_rows import WAYS, needs_more_than_pyarrow
from tests.writers.conditions import FILTERED, Condition, conditions, is_nan
from tests.writers.duckdb_reader import DuckDBReader
from tests.writers.made import Made, made_params, place

ALL = "DELTALAKEDB_TEST_ALL_WRITERS" in os.environ
"""Every table is tried in SQLite and PostgreSQL, with every condition; else fewer are, in turns. For `make fuzz`."""
STEP = 1 if ALL else 13

pytestmark = pytest.mark.parametrize(("catalog", "made"), made_params(every=ALL), indirect=["catalog"])

UNOPENED = {
    "clickhouse-26.9/partition_types": "decimals among its partition values are spelled 1.5 and 0",
    "deltalake-0.10.2/types": "Infinity and NaN stand in its statistics as no JSON has them",
    "deltalake-0.18.2/life": "it was restored, and has `readerFeatures: []` at reader version 1",
    "deltalake-0.22.3/life": "the same",
    "deltalake-0.25.5/life": "the same",
}
"""Tables that delta-rs does not open any more, beside those with garbled values."""
MENDED = [name for name in UNOPENED if name.endswith("/life")]
"""Those that it opens once they have been exported."""


def imported(catalog: Catalog, made: Made) -> DeltaTable:
    """The table, in a catalog; it is imported when it is first asked for."""
    if made.table_id not in {entry.table_id for entry in catalog.tables()}:
        catalog.import_table(made.location, table_id=made.table_id)
    return catalog.table(made.table_id)


def test_an_import_is_valid_at_every_version(catalog: Catalog, made: Made):
    imported(catalog, made)
    report = catalog.validate(made.table_id, all_versions=True)
    assert report.differences == ()
    assert report.valid
    assert report.versions_checked == len(made.versions)


def test_every_version_has_its_rows(catalog: Catalog, made: Made):
    table = imported(catalog, made)
    assert table.version() == made.versions[-1]
    if made.garbled:
        return
    for version, rows in zip(made.versions, made.expected["rows"], strict=True):
        table.load_as_version(version)
        found = table.scan(columns=[table.schema().fields[0].name]).read_all().num_rows
        assert rows in (found, None), version


def test_rows_are_those_that_were_written(catalog: Catalog, made: Made):
    table = imported(catalog, made)
    differing = {way: _differences(made, table, read, made.rows) for way, read in WAYS.items()}
    assert {way: lines for way, lines in differing.items() if lines} == {}


def test_rows_that_fulfil_a_condition_are_those_that_were_written(catalog: Catalog, made: Made):
    table, failed = imported(catalog, made), list[str]()
    for number, condition in enumerate(list(conditions(made.rows))[place(made) % STEP :: STEP]):
        way = list(FILTERED)[(number + place(made)) % len(FILTERED)]
        failed += [f"{way}, {condition}: {line}" for line in _failure(made, table, way, condition)]
    assert failed == []


def _failure(made: Made, table: DeltaTable, way: str, condition: Condition) -> list[str]:
    def read(table: DeltaTable) -> pa.Table:
        found = pa.table(FILTERED[way](table, condition))
        return found.filter(_mask(found, condition.column, lambda value: not is_nan(value)))

    expected = made.rows.filter(
        _mask(made.rows, condition.column, lambda value: condition.holds(value) and not is_nan(value))
    )
    return _differences(made, table, read, expected)


def _mask(rows: pa.Table, column: str, keep: Callable[[object], bool]) -> pa.Array:
    return pa.array([keep(value) for value in rows[column].to_pylist()], pa.bool_())


def _differences(
    made: Made, table: DeltaTable, read: Callable[[DeltaTable], pa.Table], expected: pa.Table
) -> list[str]:
    """What is missing of the expected rows, and what is there in excess; nothing where a table may be refused."""
    try:
        found = read(table)
    except Exception as error:
        return [] if _may_refuse(made, table, error) else [f"{type(error).__name__}: {str(error)[:500]}"]
    if found.column_names != expected.column_names:
        return [f"columns {found.column_names}, not {expected.column_names}"]
    have, want = Counter(comparable(found)), Counter(comparable(expected))
    return [f"missing: {row}" for row in (want - have)] + [f"in excess: {row}" for row in (have - want)]


def _may_refuse(made: Made, table: DeltaTable, error: Exception) -> bool:
    if made.garbled:
        return any(value in str(error) for value in made.garbled)
    return isinstance(error, DeltaProtocolError) and needs_more_than_pyarrow(table) and "pyarrow" in str(error)


def test_what_is_known_of_the_files_is_what_delta_rs_knows(catalog: Catalog, made: Made):
    table = imported(catalog, made)
    if made.garbled or made.table_id in UNOPENED:
        with pytest.raises(DeltaError):
            deltalake.DeltaTable(made.location).to_pyarrow_table()
        return
    theirs = deltalake.DeltaTable(made.location)
    assert sorted(table.file_uris()) == sorted(theirs.file_uris())
    assert _partitions(table) == _partitions(theirs)
    assert table.history() == theirs.history()
    ours, known = (pa.table(each.get_add_actions()) for each in (table, theirs))
    assert ours.column_names == known.column_names
    for name in ("path", "size_bytes", "num_records", "partition"):
        if name in known.column_names:
            assert _by_path(ours, name, known) == _by_path(known, name, known)


def _by_path(actions: pa.Table, name: str, known: pa.Table) -> list[str]:
    """A column by the files' paths, without those whose statistics delta-rs reads as none at all."""
    paths = {row["path"] for row in known.to_pylist() if row["num_records"] is not None}
    pairs = zip(actions["path"].to_pylist(), actions[name].to_pylist(), strict=True)
    return sorted(without_empty(repr(pair)) for pair in pairs if pair[0] in paths)


def _partitions(table: DeltaTable | deltalake.DeltaTable) -> list[str]:
    return sorted({without_empty(repr(sorted(partition.items()))) for partition in table.partitions()})


def without_empty(row: str) -> str:
    """A row with NULL for empty partition values, which delta-rs takes for empty texts, against PROTOCOL.md."""
    return re.sub(r"(?<=, )b?''(?=[)\]])", "None", row)


@pytest.fixture
def exported(catalog: Catalog, made: Made, tmp_path: Path) -> str:
    """The location of an export, in a folder with the table's files."""
    imported(catalog, made)
    catalog.export(made.table_id, tmp_path / "out")
    shutil.copytree(made.location, tmp_path / "out", ignore=shutil.ignore_patterns("_delta_log"), dirs_exist_ok=True)
    return str(tmp_path / "out")


def test_an_export_is_imported_again_and_read_by_others(
    catalog: Catalog, made: Made, exported: str, duckdb_process: DuckDBReader | None
):
    again = f"{made.table_id} again"
    catalog.import_table(exported, table_id=again)
    assert catalog.validate(again).differences == ()
    if made.garbled:
        return
    assert comparable(catalog.table(again).scan().read_all()) == comparable(made.rows)
    if made.table_id not in UNOPENED or made.table_id in MENDED:
        theirs = deltalake.DeltaTable(exported)
        partitioned = bool(theirs.metadata().partition_columns)
        assert _rows(theirs.scan().read_all(), partitioned) == _rows(made.rows, partitioned)
    if duckdb_process is not None:
        expected = {"columns": made.rows.column_names, "rows": made.rows.num_rows}
        original = duckdb_process.read(made.location)
        assert duckdb_process.read(exported) == (original if _is_beyond(original) else expected)


def _rows(rows: Any, partitioned: bool) -> list[str]:
    return sorted(without_empty(row) if partitioned else row for row in comparable(rows))


def _is_beyond(answer: dict[str, Any]) -> bool:
    """Whether DuckDB does not read the original for a reason that no export can mend."""
    return "error" in answer and "eader features" not in answer["error"]
