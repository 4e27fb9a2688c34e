import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.errors import ArgumentError, LocationNotFoundError
from deltalakedb.migrate.batch import BatchReport, TableOutcome, batch_import
from deltalakedb.migrate.importer import import_table
from tests.support.lake import many_files_table
from tests.support.logs import LogBuilder, add, metadata, protocol


def table(root: Path, commits: int = 2) -> LogBuilder:
    log = LogBuilder(root)
    log.commit(protocol(), metadata(), add("0.parquet"))
    for number in range(1, commits):
        log.commit(add(f"{number}.parquet"))
    return log


def outcomes(report: BatchReport) -> dict[str, str]:
    return {outcome.table_id: outcome.status for outcome in report.tables}


def errors(report: BatchReport) -> dict[str, str]:
    return {outcome.table_id: outcome.error for outcome in report.tables if isinstance(outcome, TableOutcome)}


def versions(url: str) -> dict[str, int]:
    database = Database(url)
    with database.reading() as connection:
        found = {entry.table_id: entry.version for entry in registry.entries(connection)}
    database.close()
    return found


@pytest.fixture
def lake(tmp_path):
    for name in ("orders", "sales", "sales_test", "deep/er/items"):
        table(tmp_path / "lake" / name)
    return tmp_path / "lake"


@pytest.mark.parametrize("parallel", [1, 2])
def test_imports_every_table_below_the_path(database_url, lake, parallel):
    report = batch_import(database_url, str(lake), parallel=parallel)
    assert (report.completed, report.failed, report.skipped) == (4, 0, 0)
    assert versions(database_url) == {"orders": 1, "sales": 1, "sales_test": 1, "items": 1}


def test_goes_on_past_failures_and_a_rerun_does_only_what_is_left(database_url, lake):
    broken = lake / "orders" / "_delta_log" / "00000000000000000001.json"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-9])
    first = batch_import(database_url, str(lake), parallel=2)
    assert (first.completed, first.failed, first.skipped) == (3, 1, 0)
    assert [o.error for o in first.tables if o.status == "failed"] == [
        "00000000000000000001.json, line 1: the action is cut off"
    ]
    broken.write_bytes(whole)
    second = batch_import(database_url, str(lake))
    assert outcomes(second) == {"orders": "completed", "sales": "skipped", "sales_test": "skipped", "items": "skipped"}


def test_takes_in_what_complete_tables_have_grown_by(sqlite_url, lake):
    batch_import(sqlite_url, str(lake))
    LogBuilder(lake / "sales", version=2).commit(add("new.parquet"))
    report = batch_import(sqlite_url, str(lake))
    assert (report.completed, report.skipped) == (1, 3)
    assert versions(sqlite_url)["sales"] == 2


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (["test"], {"orders", "sales", "items"}),
        (["sales*"], {"orders", "items"}),
        (["deep/*"], {"orders", "sales", "sales_test"}),
        (["er"], {"sales", "sales_test"}),
        (["orders", "item?"], {"sales", "sales_test"}),
    ],
)
def test_excludes_by_glob_and_by_plain_word(sqlite_url, lake, exclude, left):
    report = batch_import(sqlite_url, str(lake), exclude=exclude)
    assert {table_id for table_id, status in outcomes(report).items() if status == "completed"} == left
    assert (report.excluded, report.skipped, len(report.tables)) == (4 - len(left), 4 - len(left), 4)
    assert all(error.startswith("excluded by the pattern '") for error in errors(report).values())


def test_a_dry_run_assesses_all_and_changes_nothing(lake, tmp_path):
    (lake / "sales" / "_delta_log" / "00000000000000000000.json").unlink()
    report = batch_import(f"sqlite:///{tmp_path}/new.db", str(lake), dry_run=True)
    assert (report.completed, report.failed) == (3, 1)
    assert outcomes(report)["orders"] == "would import"
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


def test_tables_of_one_name_are_told_apart_by_their_places(database_url, tmp_path):
    for place in ("a/orders", "b/orders", "b/items"):
        table(tmp_path / place)
    batch_import(database_url, str(tmp_path))
    assert set(versions(database_url)) == {"a/orders", "b/orders", "items"}
    again = batch_import(database_url, str(tmp_path))
    assert again.skipped == 3


def test_a_table_imported_by_hand_keeps_its_id(sqlite_url, lake):
    database = Database(sqlite_url)
    import_table(database, str(lake / "orders"), "by_hand")
    database.close()
    report = batch_import(sqlite_url, str(lake))
    assert outcomes(report)["by_hand"] == "skipped"
    assert "orders" not in versions(sqlite_url)


def test_takes_locations_from_a_file(sqlite_url, lake, tmp_path):
    names = tmp_path / "list.txt"
    names.write_text(f"# the daily ones\n{lake}/orders\n\n{lake}/nowhere\n{lake}/orders\n")
    report = batch_import(sqlite_url, from_file=str(names))
    assert outcomes(report) == {"orders": "completed", "nowhere": "failed"}
    names.write_text("sales\n")
    assert outcomes(batch_import(sqlite_url, str(lake), from_file=str(names))) == {"sales": "completed"}


def test_an_excluded_table_is_named_with_the_pattern_also_by_its_id_in_the_catalog(database_url, lake):
    database = Database(database_url)
    import_table(database, str(lake / "orders"), "by_hand")
    database.close()
    report = batch_import(database_url, str(lake), exclude=["hand", "sales"])
    assert errors(report) == {
        "by_hand": "excluded by the pattern 'hand'",
        "sales": "excluded by the pattern 'sales'",
        "sales_test": "excluded by the pattern 'sales'",
    }


def test_a_table_that_is_in_the_catalog_and_not_in_its_place_fails(database_url, lake, tmp_path):
    batch_import(database_url, str(lake))
    table(tmp_path / "lake2" / "others")
    batch_import(database_url, str(tmp_path / "lake2"))
    (lake / "orders").rename(tmp_path / "elsewhere")
    shutil.rmtree(lake / "deep" / "er" / "items" / "_delta_log")
    report = batch_import(database_url, str(lake))
    assert (report.completed, report.failed, report.skipped, report.ok) == (0, 2, 2, False)
    failed = {table_id: error for table_id, error in errors(report).items() if outcomes(report)[table_id] == "failed"}
    assert set(failed) == {"orders", "items"}
    assert failed["orders"] == f"Not found: {lake}/orders"
    assert "No checkpoint or JSON files found" in failed["items"]
    dry = batch_import(database_url, str(lake), dry_run=True)
    assert {table_id for table_id, status in outcomes(dry).items() if status == "failed"} == {"orders", "items"}
    assert batch_import(database_url, str(lake), exclude=["orders", "deep/*"]).ok


def test_what_is_left_out_is_looked_for_below_the_path_in_any_spelling(sqlite_url, lake, tmp_path):
    batch_import(sqlite_url, str(lake))
    (tmp_path / "link").symlink_to(lake)
    (lake / "orders").rename(tmp_path / "elsewhere")
    report = batch_import(sqlite_url, str(tmp_path / "link"))
    assert errors(report)["orders"] == f"Not found: {lake}/orders"
    assert (report.failed, report.skipped) == (1, 3)
    assert batch_import(sqlite_url, str(tmp_path / "link"), exclude=["orders"]).ok
    assert batch_import(sqlite_url, str(lake / "deep")).ok


AS_NOBODY = """
import os, sys
from deltalakedb.migrate.batch import batch_import
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for exclude in ((), ("locked", "by_link")):
    report = batch_import(sys.argv[1], sys.argv[2], exclude=exclude, dry_run=True)
    print(report.ok, report.completed, *sorted((place.location, place.error) for place in report.not_listed), sep="|")
"""


def test_a_folder_that_may_not_be_listed_is_named():
    with tempfile.TemporaryDirectory() as folder:  # not pytest's own: only its owner may enter that
        root = Path(folder)
        root.chmod(0o755)
        table(root / "lake" / "orders")
        table(root / "hidden" / "table")
        (root / "lake" / "locked").mkdir(mode=0)
        (root / "hidden").chmod(0)
        (root / "lake" / "by_link").symlink_to(root / "hidden" / "table")
        arguments = [sys.executable, "-c", AS_NOBODY, f"sqlite:///{folder}/none.db", f"{folder}/lake"]
        done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    places = "|".join(
        str((f"{folder}/lake/{name}", f"Permission denied: {folder}/lake/{name}/_delta_log"))
        for name in ("by_link", "locked")
    )
    assert done.stdout.splitlines() == [f"False|1|{places}", "True|1"]


def test_a_link_to_a_table_makes_no_second_copy(database_url, lake):
    (lake / "a_link").symlink_to(lake / "orders")
    for _ in range(2):
        report = batch_import(database_url, str(lake))
        assert errors(report)["a_link"] == f"the same table as {lake}/orders"
    assert set(versions(database_url)) == {"orders", "sales", "sales_test", "items"}


def test_a_table_keeps_its_id_whatever_way_leads_to_it(database_url, lake, tmp_path):
    database = Database(database_url)
    import_table(database, str(lake / "orders"), "by_hand")
    database.close()
    (tmp_path / "link").symlink_to(lake)
    LogBuilder(lake / "orders", version=2).commit(add("new.parquet"))
    names = tmp_path / "list.txt"
    names.write_text(f"{tmp_path}/link/orders\nfile://{lake}/orders/\n{lake}/sales/../orders\n")
    report = batch_import(database_url, from_file=str(names))
    assert (outcomes(report)["by_hand"], report.completed) == ("completed", 1)
    assert versions(database_url) == {"by_hand": 2}
    report = batch_import(database_url, str(tmp_path / "link"), exclude=["sales", "items"])
    assert errors(report)["by_hand"] == "complete and unchanged at version 2"


def test_every_copy_of_a_table_takes_in_what_is_new(database_url, lake):
    database = Database(database_url)
    for table_id in ("one", "two"):
        import_table(database, str(lake / "orders"), table_id)
    database.close()
    LogBuilder(lake / "orders", version=2).commit(add("new.parquet"))
    batch_import(database_url, str(lake), exclude=["sales", "items"])
    assert versions(database_url) == {"one": 2, "two": 2}


def test_a_list_gives_the_ids_that_the_folder_gives(database_url, tmp_path):
    places = ("returns/orders", "sales/orders", "sales/items")
    for place in places:
        table(tmp_path / "lake" / place)
    names = tmp_path / "list.txt"
    names.write_text("".join(f"{tmp_path}/lake/{place}\n" for place in places) + "/nowhere\n")
    report = batch_import(database_url, from_file=str(names))
    assert set(versions(database_url)) == {"returns/orders", "sales/orders", "items"}
    assert report.failed == 1
    assert batch_import(database_url, str(tmp_path / "lake")).skipped == 3


def test_a_line_means_the_table_itself_and_none_below_it(sqlite_url, lake, tmp_path):
    names = tmp_path / "list.txt"
    names.write_text(f"{lake}\n")
    report = batch_import(sqlite_url, from_file=str(names))
    assert errors(report)["lake"].startswith("No checkpoint or JSON files found")


@pytest.mark.parametrize("stdin", [False, True])
def test_a_list_may_come_from_other_systems_and_a_bad_line_fails_by_itself(
    database_url, lake, tmp_path, monkeypatch, stdin
):
    table(lake / os.fsdecode(b"caf\xe9"))
    lines = [f"{lake}/orders".encode(), b"  # a comment", b"", os.fsencode(lake) + b"/caf\xe9", b"a\0b", b"s3://b/\xff"]
    content = b"\xef\xbb\xbf" + b"\r\n".join([*lines, f"{lake}/sales".encode()])
    (tmp_path / "list.txt").write_bytes(content)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    report = batch_import(database_url, from_file="-" if stdin else str(tmp_path / "list.txt"))
    assert (report.completed, report.failed) == (2, 3)
    assert versions(database_url) == {"orders": 1, "sales": 1}
    assert sorted(error.split(":")[0] for error in errors(report).values()) == ["Not UTF-8", "Not UTF-8", "Not a path"]


def test_a_list_that_is_no_list_of_lines_is_refused(sqlite_url, tmp_path):
    (tmp_path / "list.txt").write_text("/lake/orders\n", encoding="utf-16")
    with pytest.raises(ArgumentError, match="UTF-16"):
        batch_import(sqlite_url, from_file=str(tmp_path / "list.txt"))


def test_a_second_lake_of_the_same_layout_has_a_prefix(database_url, tmp_path):
    for lake in ("first", "second"):
        for place in ("orders", "b/items", "c/items"):
            table(tmp_path / lake / place)
    batch_import(database_url, str(tmp_path / "first"))
    refused = batch_import(database_url, str(tmp_path / "second"))
    assert refused.failed == 3
    assert errors(refused)["orders"].endswith("; --id-prefix tells two lakes apart")
    report = batch_import(database_url, str(tmp_path / "second"), id_prefix="second/")
    assert set(outcomes(report)) == {"second/orders", "second/b/items", "second/c/items"}
    assert report.completed == 3
    assert batch_import(database_url, str(tmp_path / "first"), id_prefix="other/").skipped == 3
    assert set(versions(database_url)) == {"orders", "b/items", "c/items", *outcomes(report)}


@pytest.mark.parametrize(
    "empty", [{"path": ""}, {"from_file": ""}, {"id_prefix": ""}, {"exclude": ["x", ""]}, {"exclude": [" "]}]
)
def test_what_is_empty_is_not_everything(sqlite_url, lake, tmp_path, empty):
    with pytest.raises(ArgumentError, match="is empty"):
        batch_import(sqlite_url, **{"path": str(lake), **empty})
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


def test_refuses_what_cannot_be(sqlite_url, tmp_path):
    with pytest.raises(ArgumentError, match="parallel must be at least 1"):
        batch_import(sqlite_url, str(tmp_path), parallel=0)
    with pytest.raises(ArgumentError, match="batch size must be at least 1"):
        batch_import(sqlite_url, str(tmp_path), batch_size=0)
    with pytest.raises(ArgumentError, match="Nothing to import"):
        batch_import(sqlite_url)
    with pytest.raises(LocationNotFoundError, match="nowhere"):
        batch_import(sqlite_url, str(tmp_path / "nowhere"))


_SLOWLY = """
import sys
from deltalakedb.migrate.batch import batch_import
if __name__ == "__main__":
    batch_import(sys.argv[1], sys.argv[2], batch_size=1, parallel=2, listener=lambda p: print(p.done, flush=True))
"""


def test_an_interrupted_batch_says_so_in_the_catalog_and_a_rerun_completes_it(database_url, tmp_path):
    for name in ("a", "b"):
        many_files_table(tmp_path / "lake" / name, files=3_000, commits=3)
    script = tmp_path / "slowly.py"
    script.write_text(_SLOWLY)
    arguments = [sys.executable, str(script), database_url, str(tmp_path / "lake")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    process.wait(60)
    process.stdout.close()
    database = Database(database_url)
    with database.reading() as connection:
        ended = {status.status: status.error_message for status in registry.statuses(connection)}
    assert set(ended) <= {"interrupted", "completed"}, ended
    database.close()
    report = batch_import(database_url, str(tmp_path / "lake"), parallel=2)
    assert report.failed == 0
    assert versions(database_url) == {"a": 2, "b": 2}


def test_a_worker_that_is_killed_costs_its_table_only(sqlite_url, tmp_path):
    many_files_table(tmp_path / "lake" / "big", files=4_000, commits=2)
    for number in range(3):
        table(tmp_path / "lake" / f"small{number}")
    script = tmp_path / "slowly.py"
    script.write_text(_SLOWLY)
    arguments = [sys.executable, str(script), sqlite_url, str(tmp_path / "lake")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    owner = _owner_of(sqlite_url, "big")
    os.kill(owner, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert versions(sqlite_url) == {"small0": 1, "small1": 1, "small2": 1}
    assert batch_import(sqlite_url, str(tmp_path / "lake")).completed == 1


def _owner_of(url: str, table_id: str) -> int:
    """Waits until a process works on the table; returns its number."""
    database = Database(url)
    for _ in range(600):
        if database.has_catalog():
            with database.reading() as connection:
                status = registry.status_of(connection, table_id)
            if status is not None and status.rows_loaded > 10 and status.owner is not None:
                database.close()
                return int(status.owner.split("/")[-2])
        time.sleep(0.05)
    raise AssertionError("nobody took the table")
