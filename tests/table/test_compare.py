"""Performance comparison: both sides are asked the same, and say the same."""

import json
from pathlib import Path

import pytest

from deltalakedb.catalog.database import Database
from deltalakedb.errors import ArgumentError, LogChangedError, TableNotFoundError, UnsupportedTableError
from deltalakedb.migrate.importer import import_table
from deltalakedb.table.compare import PerformanceReport, compare_performance
from tests.migrate.damage import make_log, run
from tests.support import lake
from tests.support.logs import LogBuilder, add, commit_info, commit_name, metadata, protocol, to_lines

ALL = ["open_latest", "list_files", "plan_partition_filter", "plan_stats_filter", "time_travel", "history"]


@pytest.fixture
def imported(database: Database, tmp_path: Path) -> str:
    """The location of a table that was imported as `t`."""
    location = str(make_log(tmp_path / "t").root)
    import_table(database, location)
    return location


def answers(report: PerformanceReport) -> dict[str, int]:
    return {operation.name: operation.answer for operation in report.operations}


def compared(database: Database, location: object, **options: int) -> PerformanceReport:
    return compare_performance(database, str(location), repeat=1, **options)


def test_a_table_that_allows_everything(database: Database, tmp_path: Path):
    written = lake.many_files_table(tmp_path / "t", files=600, commits=20)
    import_table(database, str(tmp_path / "t"))
    steps: list[tuple[int, int]] = []
    report = compare_performance(
        database, str(tmp_path / "t"), repeat=2, listener=lambda done, total: steps.append((done, total))
    )
    assert report.table_id == "t"
    assert report.reader.startswith("deltalake ")
    assert [operation.name for operation in report.operations] == ALL
    assert answers(report) == {
        "open_latest": 19,
        "list_files": written.adds - written.removes,
        "plan_partition_filter": 18,
        "plan_stats_filter": 1,
        "time_travel": 270,
        "history": 20,
    }
    for operation in report.operations:
        times = operation.file_based_seconds, operation.sql_seconds
        assert min(*times, operation.file_based_cold_seconds, operation.sql_cold_seconds) > 0
        assert operation.speedup == pytest.approx(times[0] / times[1])
    assert steps == [(number, 18) for number in range(1, 19)]


def test_a_table_written_by_delta_rs(database: Database, tmp_path: Path):
    lake.orders_table(tmp_path / "t")
    import_table(database, str(tmp_path / "t"))
    assert list(answers(compared(database, tmp_path / "t"))) == ALL


def test_history_that_begins_at_a_checkpoint(database: Database, tmp_path: Path):
    lake.cleaned_table(tmp_path / "t")
    import_table(database, str(tmp_path / "t"))
    assert answers(compared(database, tmp_path / "t"))["history"] == 4


def test_a_table_that_allows_little(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), commit_info())
    import_table(database, str(log.root))
    assert answers(compared(database, log.root)) == {"open_latest": 0, "list_files": 0, "history": 1}


def test_names_and_values_that_have_to_be_quoted(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    schema = {"a.b \"c\" 'd'": "string", "x.\"y\" 'z'": "long"}
    part, column = schema
    log.commit(protocol(), metadata(schema, [part]), commit_info())
    for number in range(3):
        bounds = {key: {column: number} for key in ("minValues", "maxValues")}
        told = {"numRecords": 1, **bounds, "nullCount": {column: 0}}
        log.commit(
            add(f"{number}", partitionValues={part: f"it's {number % 2}"}, stats=json.dumps(told)), commit_info()
        )
    import_table(database, str(log.root))
    found = answers(compared(database, log.root))
    assert found["plan_partition_filter"] in {1, 2}
    assert found["plan_stats_filter"] in {1, 3}  # SQLite's JSON paths have no way to write a quote in a name


def test_a_log_that_has_grown(database: Database, imported: str):
    Path(imported, "_delta_log", commit_name(4)).write_bytes(to_lines([add("e.parquet"), commit_info()]))
    found = answers(compared(database, imported))
    assert found["list_files"] == 3
    assert "history" not in found  # delta-rs tells that of its newest version only


def test_answers_that_differ(database: Database, imported: str):
    run(database, "DELETE FROM delta_files WHERE path = 'd.parquet'")
    with pytest.raises(LogChangedError, match="list_files: the log says 3, SQL says 2"):
        compared(database, imported)


def test_a_table_that_delta_rs_does_not_open(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["quantumRows"]), metadata())
    import_table(database, str(log.root))
    with pytest.raises(UnsupportedTableError, match="quantumRows"):
        compared(database, log.root)


def test_no_measurement(database: Database, imported: str):
    with pytest.raises(ArgumentError):
        compare_performance(database, imported, repeat=0)


def test_an_unknown_table(database: Database, imported: str):
    with pytest.raises(TableNotFoundError):
        compare_performance(database, imported, "other")


def test_a_plan_by_statistics_may_keep_more_on_one_side(database: Database, tmp_path: Path):
    # delta-rs does not see that a file without a number of records has bounds.
    log = LogBuilder(tmp_path / "t")
    bounds = {key: {"id": 1} for key in ("minValues", "maxValues")}
    log.commit(protocol(), metadata(), commit_info(), add("a", stats=json.dumps(bounds)))
    log.commit(add("b", stats=json.dumps({key: {"id": 7} for key in bounds})), commit_info())
    import_table(database, str(log.root))
    assert answers(compared(database, log.root))["plan_stats_filter"] >= 1
