"""Tables of other projects, imported from an object store: the same answers as from a disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.validate import validate
from tests.migrate.test_shared_tables import REFUSALS, bad_tables, good_tables, same_files, same_state
from tests.migrate.test_validate import UNKNOWN
from tests.support.databases import sqlite_url
from tests.support.object_stores import Bucket
from tests.support.shared_tables import SharedTable


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A catalog that the tests of this module share; each has table ids of its own."""
    database = Database(sqlite_url(tmp_path_factory.mktemp("catalog")))
    yield database
    database.close()


@good_tables
def test_a_table_in_s3_is_imported_and_validated_as_one_on_a_disk(
    one_bucket: Bucket, catalog: Database, shared: SharedTable
):
    location = one_bucket.upload(Path(shared.location), shared.name)
    report = import_table(catalog, location, shared.name, storage_options=one_bucket.options)
    expected = shared.expected
    assert (report.first_version, report.version) == (expected["first_version"], expected["version"])
    with catalog.reading() as connection:
        entry = registry.readable(connection, shared.name)
        for version, files in expected["versions"].items():
            state = snapshot(connection, entry, int(version))
            same_files(state, files, {tuple(key) for key in expected.get("ambiguous_files", ())})
        same_state(snapshot(connection, entry), expected)
    validation = validate(catalog, location, shared.name, storage_options=one_bucket.options)
    assert [(one.kind, one.expected) for one in validation.differences] == [
        ("unknown_feature", feature) for feature in UNKNOWN.get(shared.name, ())
    ]
    here = validate_here(catalog, shared)
    if not location.startswith("s3://"):  # emulators of other clouds list in ways that delta-rs does not expect
        return
    assert validation.reader == here.reader.replace(shared.location, location)


def validate_here(catalog: Database, shared: SharedTable):
    table_id = f"{shared.name} here"
    import_table(catalog, shared.location, table_id)
    return validate(catalog, shared.location, table_id)


@bad_tables
def test_what_can_not_be_rebuilt_is_refused_in_s3_too(one_bucket: Bucket, catalog: Database, shared: SharedTable):
    location = one_bucket.upload(Path(shared.location), shared.name)
    one_bucket.put(f"{shared.name}/some file", b"")
    with pytest.raises(REFUSALS[shared.expected["kind"]]) as raised:
        import_table(catalog, location, shared.name, storage_options=one_bucket.options)
    assert raised.value.hint
    with catalog.reading() as connection:
        (status,) = registry.statuses(connection, shared.name)
    assert (status.status, status.error_message, status.location) == ("failed", raised.value.message, location)
