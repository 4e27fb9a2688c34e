"""Tables of other projects, imported: what SQL says of every version is what is known of them."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import Snapshot, snapshot
from deltalakedb.errors import (
    CorruptLogError,
    DeltaLakeDBError,
    LogError,
    LogGapError,
    NotADeltaTableError,
    TableNotFoundError,
    UnsupportedTableError,
)
from deltalakedb.migrate.importer import ImportReport, import_table
from tests.support.catalogs import dump
from tests.support.rebuild import plain, rebuild
from tests.support.shared_tables import SharedTable, shared_params

REFUSALS: dict[str, type[LogError]] = {
    "no-log": NotADeltaTableError,
    "gap": LogGapError,
    "no-start": LogGapError,
    "no-metadata": CorruptLogError,
    "no-protocol": CorruptLogError,
    "bad-json": CorruptLogError,
    "bad-checkpoint": CorruptLogError,
    "bad-format": UnsupportedTableError,
}

good_tables = pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok))
bad_tables = pytest.mark.parametrize("shared", shared_params(lambda table: not table.is_ok))


def imported(database: Database, shared: SharedTable) -> ImportReport:
    return import_table(database, shared.location, shared.name, resume=True)


@good_tables
def test_every_version_is_what_is_expected(one_database: Database, shared: SharedTable):
    report = imported(one_database, shared)
    expected = shared.expected
    assert (report.first_version, report.version) == (expected["first_version"], expected["version"])
    with one_database.reading() as connection:
        entry = registry.readable(connection, shared.name)
        for version, files in expected["versions"].items():
            state = snapshot(connection, entry, int(version))
            same_files(state, files, {tuple(key) for key in expected.get("ambiguous_files", ())})
        same_state(snapshot(connection, entry), expected)
    assert report.active_files == len(list_files(report, one_database))
    (status,) = statuses(one_database, shared.name)
    assert (status.status, status.version, status.files_processed) == (
        "completed",
        report.version,
        report.files_processed,
    )


def list_files(report: ImportReport, database: Database) -> list[Any]:
    with database.reading() as connection:
        return list(snapshot(connection, registry.readable(connection, report.table_id)).files())


def same_files(state: Snapshot, expected: dict[str, Any], ambiguous: set[tuple[str, str | None]]) -> None:
    found = [[f.path, f.deletion_vector_id, f.size] for f in state.files()]
    if ambiguous:
        found, expected = ([f for f in files if tuple(f[:2]) not in ambiguous] for files in (found, expected["files"]))
        assert sorted(found, key=_key) == sorted(expected, key=_key)
        return
    assert state.count()[:2] == (expected["num_files"], expected["total_size"])
    if "files" in expected:
        assert sorted(found, key=_key) == sorted(expected["files"], key=_key)
    else:
        lines = sorted(f"{path}\t{unique_id or ''}" for path, unique_id, _ in found)
        assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == expected["digest"]


def _key(file: list[Any]) -> tuple[str, str]:
    return file[0], file[1] or ""


def same_state(state: Snapshot, expected: dict[str, Any]) -> None:
    protocol, metadata = state.protocol(), state.metadata()
    found = {
        "minReaderVersion": protocol.min_reader_version,
        "minWriterVersion": protocol.min_writer_version,
        "readerFeatures": sorted(json.loads(protocol.reader_features or "[]")),
        "writerFeatures": sorted(json.loads(protocol.writer_features or "[]")),
    }
    assert found == {"readerFeatures": [], "writerFeatures": []} | without_nulls(expected["protocol"])
    found = {
        "id": metadata.id,
        "name": metadata.name,
        "schemaString": metadata.schema_string,
        "partitionColumns": json.loads(metadata.partition_columns or "[]"),
        "configuration": json.loads(metadata.configuration or "{}"),
    }
    assert found == expected["metadata"]
    assert {row.app_id: row.txn_version for row in state.transactions()} == expected["transactions"]
    assert {row.domain: row.configuration for row in state.domain_metadata()} == expected["domain_metadata"]
    commits = {str(row.version): row for row in state.commits()}
    assert {version: row.operation for version, row in commits.items()} == expected["operations"]
    for version, timestamp in expected["timestamps"].items():
        row = commits[version]
        assert row.timestamp == (row.file_timestamp if timestamp is None else timestamp)


def without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def statuses(database: Database, table_id: str) -> list[registry.TableStatus]:
    with database.reading() as connection:
        return registry.statuses(connection, table_id)


@bad_tables
def test_what_can_not_be_rebuilt_is_refused_and_leaves_its_failed_row_alone(
    one_database: Database, shared: SharedTable
):
    with pytest.raises(REFUSALS[shared.expected["kind"]]) as raised:
        imported(one_database, shared)
    error = raised.value
    assert error.hint
    assert "\n" not in error.message
    assert_only_a_failure(one_database, shared, error)
    with one_database.reading() as connection, pytest.raises(DeltaLakeDBError) as raised:
        registry.readable(connection, shared.name)
    assert not isinstance(raised.value, TableNotFoundError)


def assert_only_a_failure(database: Database, shared: SharedTable, error: DeltaLakeDBError) -> None:
    (status,) = statuses(database, shared.name)
    assert (status.status, status.error_message, status.files_processed, status.version) == (
        "failed",
        error.message,
        0,
        None,
    )
    assert (status.location, status.rows_loaded) == (shared.location, 0)
    with database.reading() as connection:
        assert registry.count_rows(connection, shared.name) == {
            name: int(name == "migration_status") for name in dump(database.url.render_as_string(hide_password=False))
        }


@good_tables
def test_every_action_of_every_commit_can_be_had_from_sql(one_database: Database, shared: SharedTable):
    report = imported(one_database, shared)
    with one_database.reading() as connection:
        rebuilt = rebuild(snapshot(connection, registry.readable(connection, shared.name)))
    for version in range(report.first_version, report.version + 1):
        written = commit(shared, version)
        if written is None:
            assert version == report.first_version
            continue
        assert Counter(map(plain, rebuilt.get(version, ()))) == written, f"version {version}"


def any_commit(shared: SharedTable, version: int) -> bool:
    return log_file(shared, version).exists()


def commit(shared: SharedTable, version: int) -> Counter[str] | None:
    """The actions of a commit, read in the plainest way; None where it is not there."""
    if not any_commit(shared, version):
        return None
    text, actions = log_file(shared, version).read_text(encoding="utf-8-sig"), []
    decoder, position = json.JSONDecoder(), 0
    while rest := text[position:].lstrip():
        value, length = decoder.raw_decode(rest)
        position = len(text) - len(rest) + length
        actions += [{name: body} for name, body in value.items() if body is not None]
    return Counter(map(plain, actions))


def log_file(shared: SharedTable, version: int) -> Path:
    return Path(shared.location, "_delta_log", f"{version:020d}.json")
