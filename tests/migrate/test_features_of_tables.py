"""Features that say where a table's files are listed: refused, warned of, or nothing to speak of."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.errors import UnsupportedTableError
from deltalakedb.features import Asked
from deltalakedb.migrate.assess import assess
from deltalakedb.migrate.batch import batch_import
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.rollback import verify_rollback
from deltalakedb.migrate.validate import validate
from tests.migrate.damage import run
from tests.support.logs import LogBuilder, add, commit_info, metadata, protocol, remove

TREE = {"checkpoint": [{"checkpointMetadata": {"version": 1}}, {"contentRoot": {"path": "metadata/root.parquet"}}]}
ADAPTIVE = ["columnMapping", "deletionVectors", "adaptiveMetadata-preview"]
FUTURE = "The reader feature fromTheFuture is not known here: the list of files may be incomplete or wrong"


def unpublished(feature: str) -> str:
    return f"The table is managed by a catalog ({feature}): commits that the catalog has not published are missing"


def statuses(database: Database) -> dict[str, tuple[str, str | None]]:
    with database.reading() as connection:
        return {each.table_id: (each.status, each.error_message) for each in registry.statuses(connection)}


def rows(database: Database) -> int:
    with database.reading() as connection:
        return sum(connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
                   for name in ("delta_files", "delta_commits", "delta_protocols", "delta_tables"))  # fmt: skip


# ---- files that are listed outside of the log


@pytest.mark.parametrize(
    "features",
    [
        {"features": ADAPTIVE},
        {"features": ["adaptiveMetadata"]},
        {"features": ["adaptiveMetadata-dev"]},
        {"writer_features": ["adaptiveMetadata"]},
        {"writer_features": ["icebergNativeV4"]},
    ],
    ids=lambda features: next(iter(features.values()))[-1],
)
def test_a_table_with_a_manifest_tree_is_refused_by_name(
    database: Database, database_url: str, tmp_path: Path, features: dict
):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(**features), metadata(), commit_info())
    log.commit(TREE, commit_info())
    name = next(iter(features.values()))[-1]
    for call in (import_table, assess):
        with pytest.raises(UnsupportedTableError, match=f"manifest tree outside of the log .*{name}"):
            call(database, str(log.root))
    ((status, message),) = statuses(database).values()
    assert (status, name in message) == ("failed", True)
    assert rows(database) == 0
    report = batch_import(database_url, str(tmp_path))
    assert (report.failed, name in report.tables[0].error) == (1, True)


@pytest.mark.parametrize("tree", [TREE, {"checkpoint": {"contentRoot": {"path": "x"}}}], ids=["list", "object"])
def test_a_manifest_tree_is_refused_whatever_the_protocol_says(database: Database, tmp_path: Path, tree: dict):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    log.commit(tree)
    for call in (import_table, assess):
        with pytest.raises(UnsupportedTableError, match=r"adaptiveMetadata: checkpoint in 0{19}1\.json"):
            call(database, str(log.root))


def test_a_checkpoint_that_names_a_manifest_tree_is_refused(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    (path,) = log.checkpoint()
    table = pq.read_table(path)
    root = pa.array([{"path": "metadata/root.parquet", "version": 0}] + [None] * (len(table) - 1))
    pq.write_table(table.append_column("contentRoot", root), path)
    log.drop([0])
    with pytest.raises(UnsupportedTableError, match=r"adaptiveMetadata: contentRoot in 0{20}\.checkpoint\.parquet"):
        import_table(database, str(log.root))
    assert rows(database) == 0


def test_an_action_that_is_only_called_so_is_kept(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), {"checkpoint": {"version": 3}}, {"contentRoot": None}, commit_info())
    assert import_table(database, str(log.root)).warnings == ()
    assert validate(database, str(log.root)).valid


@pytest.mark.parametrize("action", [TREE, protocol(features=ADAPTIVE)], ids=["tree", "protocol"])
def test_a_sync_refuses_what_a_table_has_become_and_keeps_its_version(database: Database, tmp_path: Path, action: dict):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"), commit_info())
    import_table(database, str(log.root))
    log.commit(add("b"), commit_info())
    log.commit(remove("a"), action, commit_info())
    with pytest.raises(UnsupportedTableError, match="manifest tree"):
        import_table(database, str(log.root), resume=True)
    with database.reading() as connection:
        assert registry.readable(connection, "t").version == 1
    report = validate(database, str(log.root))
    assert (report.valid, report.version) == (True, 1)


def test_what_an_older_release_has_imported_is_not_called_valid(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), commit_info())
    log.commit({"later": {}}, commit_info())
    import_table(database, str(log.root))
    log.commit(TREE, commit_info(), version=1)
    run(database, f"UPDATE delta_commits SET other_actions = '{json.dumps([TREE])}' WHERE version = 1")
    (one,) = validate(database, str(log.root)).differences
    assert (one.version, one.kind, one.expected, one.source) == (
        1, "unknown_feature", "adaptiveMetadata", "00000000000000000001.json",
    )  # fmt: skip


# ---- features that nobody here knows


def test_an_unknown_reader_feature_is_imported_with_a_warning_and_not_called_valid(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"), commit_info())
    log.commit(protocol(features=["fromTheFuture", "deletionVectors"]), add("b"), commit_info())
    log.commit(protocol(features=["fromTheFuture"]), commit_info())
    assert assess(database, str(log.root)).warnings == (FUTURE,)
    report = import_table(database, str(log.root))
    assert (report.status, report.active_files, report.warnings) == ("completed", 2, (FUTURE,))
    (one,) = (report := validate(database, str(log.root), all_versions=True)).differences
    assert (report.valid, one.version, one.kind, one.path, one.expected, one.actual, one.source) == (
        False, 1, "unknown_feature", None, "fromTheFuture", None, "00000000000000000001.json",
    )  # fmt: skip
    check = verify_rollback(database, "t")
    assert check.can_rollback
    assert "fromTheFuture" in next(one.detail for one in check.checks if one.name == "catalog")


def test_a_reader_version_of_the_future_is_one_too(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(5, 9), metadata(), add("a"))
    (warning,) = import_table(database, str(log.root)).warnings
    assert warning == "The table's reader version 5 is not known here: the list of files may be incomplete or wrong"
    (one,) = validate(database, str(log.root)).differences
    assert (one.kind, one.expected) == ("unknown_feature", "reader version 5")


def test_a_sync_warns_once_of_what_a_table_needs_by_now(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), commit_info())
    assert import_table(database, str(log.root)).warnings == ()
    for _ in range(2):
        log.commit(protocol(features=["fromTheFuture"]), commit_info())
        assert import_table(database, str(log.root), resume=True).warnings == (FUTURE,)


def test_a_checkpoint_may_be_the_one_to_say_so(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["fromTheFuture"]), metadata(), add("a"))
    log.commit(commit_info())
    log.checkpoint()
    log.drop([0])
    assert import_table(database, str(log.root)).warnings == (FUTURE,)
    (one,) = validate(database, str(log.root)).differences
    assert (one.version, one.expected, one.source) == (1, "fromTheFuture", "00000000000000000001.checkpoint.parquet")


KNOWN = [
    "catalogManaged", "catalogOwned-preview", "columnMapping", "deletionVectors", "geospatial", "intervalTypes",
    "timestampNanos", "timestampNtz", "typeWidening", "typeWidening-preview", "v2Checkpoint", "vacuumProtocolCheck",
    "variantShredding", "variantShredding-preview", "variantType", "variantType-preview", "variantType-dev",
    "appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns", "identityColumns",
    "allowColumnDefaults", "rowTracking", "domainMetadata", "icebergCompatV1", "icebergCompatV2", "icebergCompatV3",
    "clustering", "inCommitTimestamp", "inCommitTimestamp-preview", "materializePartitionColumns",
    "checkpointProtection", "collations-preview", "icebergWriterCompatV1", "redirectWriterOnly-preview",
]  # fmt: skip
"""PROTOCOL.md, "Valid Feature Names in Table Features", with those of Delta 4 and of delta-rs' kernel 0.28."""


@pytest.mark.parametrize("feature", KNOWN)
def test_known_features_say_nothing_about_which_files_there_are(feature: str):
    assert Asked.of(3, [feature], None).unknown == []
    assert Asked.of(3, [feature], [feature]).outside_the_log is None


@pytest.mark.parametrize("feature", ["columnUpdates", "redirectReaderWriter-preview", "", "ColumnMapping"])
def test_features_that_may_change_what_a_file_is_are_not_known(feature: str):
    assert Asked.of(3, [feature], [feature]).unknown == [feature]


def test_lists_may_be_absent_or_empty(sqlite_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(1, 2, readerFeatures=[], writerFeatures=None), metadata(), add("a"))
    assert import_table(Database(sqlite_url), str(log.root)).warnings == ()


# ---- tables whose catalog has commits


@pytest.mark.parametrize("feature", ["catalogManaged", "catalogOwned-preview"])
def test_of_a_catalog_managed_table_import_and_validation_say_that_commits_may_be_missing(
    database: Database, tmp_path: Path, feature: str
):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=[feature]), metadata(), add("a"), commit_info())
    assert import_table(database, str(log.root)).warnings == (unpublished(feature),)
    report = validate(database, str(log.root))
    assert report.valid
    assert unpublished(feature) in report.notes
