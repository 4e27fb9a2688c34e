"""DuckDB, by its delta extension, reads an exported log as it reads the original."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from deltalakedb.catalog.database import Database
from deltalakedb.migrate.export import export_table
from deltalakedb.migrate.importer import import_table
from tests.migrate.damage import TWO_ROWS
from tests.support.duckdb_delta import SUM, UnreadableError, is_there, seen_by_duckdb
from tests.support.logs import LogBuilder, add, metadata, protocol, remove
from tests.support.shared_tables import SharedTable, shared_params

UNKNOWN = (1 << 64) - 1
"""What DuckDB gives as a file's number of rows where it finds none."""

pytestmark = pytest.mark.skipif(
    not is_there(), reason="no DuckDB with its delta extension: `make test` installs a pair"
)


def lived_in(location: Path) -> int:
    """Makes a table with partitions, deletes, a compaction, a checkpoint and a new column; returns its version."""
    for day in ("2024-01-01", "2024-01-02", "a b"):
        rows = pa.table({"id": range(10), "day": [day] * 10})
        write_deltalake(location, rows, mode="append", partition_by=["day"])
    table = DeltaTable(location)
    table.delete("id = 5 AND day = 'a b'")
    table.create_checkpoint()
    write_deltalake(location, pa.table({"id": [99], "day": ["2024-01-01"]}), mode="append")
    DeltaTable(location).optimize.compact()
    write_deltalake(location, pa.table({"id": [1], "day": ["x"], "new": ["y"]}), mode="append", schema_mode="merge")
    return DeltaTable(location).version()


def in_place_of_its_log(database: Database, table: Path, new: Path) -> None:
    """Imports a table, and puts what an export writes in the place of its log."""
    import_table(database, str(table), "t")
    shutil.move(table / "_delta_log", new.parent / "original log")
    export_table(database, "t", new)
    shutil.copytree(new / "_delta_log", table / "_delta_log")


def test_every_version_has_the_same_files_columns_and_rows(database: Database, tmp_path: Path):
    table = tmp_path / "t"
    versions = range(lived_in(table) + 1)
    original = seen_by_duckdb(table, versions)
    in_place_of_its_log(database, table, tmp_path / "new")
    assert seen_by_duckdb(table, versions) == original
    assert [len(version["rows"]) for version in original][:4] == [10, 20, 30, 29]
    assert [column[0] for column in original[-1]["columns"]] == ["id", "day", "new"]


def test_a_log_that_begins_with_a_checkpoint_and_deletion_vectors(database: Database, tmp_path: Path):
    made = tmp_path / "made"
    write_deltalake(made, pa.table({"id": range(10)}))
    ((path, size),) = [
        (file["path"], file["size_bytes"]) for file in pa.table(DeltaTable(made).get_add_actions()).to_pylist()
    ]
    log = LogBuilder(tmp_path / "t")
    shutil.copy(made / path, log.root / path)
    log.commit(protocol(features=["deletionVectors"]), metadata(), add(path, size=size))
    log.commit(remove(path), add(path, size=size, deletionVector=TWO_ROWS))
    log.checkpoint()
    log.commit(metadata(configuration={"x": "y"}))
    log.drop([0, 1])
    original = seen_by_duckdb(log.root, [1, 2])
    assert [len(version["rows"]) for version in original] == [8, 8]
    in_place_of_its_log(database, log.root, tmp_path / "new")
    assert seen_by_duckdb(log.root, [1, 2]) == original


@pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok))
def test_every_shared_table_that_duckdb_reads_is_read_the_same_when_it_is_exported(
    shared: SharedTable, sqlite_url: str, tmp_path: Path
):
    table = shutil.copytree(shared.location, tmp_path / "t")
    first, last = (shared.expected[name] for name in ("first_version", "version"))
    versions = sorted({first, (first + last) // 2, last})
    try:
        original = seen_by_duckdb(table, versions, SUM)
    except UnreadableError as error:
        pytest.skip(f"DuckDB does not read the original: {str(error).splitlines()[-1][:80]}")
    database = Database(sqlite_url)
    in_place_of_its_log(database, table, tmp_path / "new")
    database.close()
    found = seen_by_duckdb(table, versions, SUM)
    for ours, theirs in zip(found, original, strict=True):
        for file, known in zip(ours["files"], theirs["files"], strict=True):
            if known[1] == UNKNOWN:  # it may not find statistics that we did
                file[1] = UNKNOWN
    assert found == original


def test_a_log_with_lists_of_features_that_its_protocol_is_too_old_for_opens_when_it_is_exported(
    database: Database, tmp_path: Path
):
    made = tmp_path / "made"
    write_deltalake(made, pa.table({"id": range(10)}))
    ((path, size),) = [
        (file["path"], file["size_bytes"]) for file in pa.table(DeltaTable(made).get_add_actions()).to_pylist()
    ]
    log = LogBuilder(tmp_path / "t")
    shutil.copy(made / path, log.root / path)
    log.commit(protocol(), metadata(), add(path, size=size))
    log.commit(protocol(readerFeatures=[], writerFeatures=[]))
    with pytest.raises(UnreadableError):
        seen_by_duckdb(log.root, [1])
    in_place_of_its_log(database, log.root, tmp_path / "new")
    assert [len(version["rows"]) for version in seen_by_duckdb(log.root, [0, 1])] == [10, 10]
