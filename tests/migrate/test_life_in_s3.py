"""A table's whole life in S3 and on a disk, step by step the same, on each kind of database; by its rows at the end."""

from contextlib import closing
from pathlib import Path

import obstore
import pytest

import deltalakedb
from deltalakedb.catalog.database import Database
from deltalakedb.client import Catalog
from deltalakedb.errors import LogChangedError, RollbackUnsafeError, VersionNotFoundError
from deltalakedb.migrate.assess import assess
from deltalakedb.migrate.discover import discover
from tests.support import lake
from tests.support.catalogs import MOMENTS, dump, url_of
from tests.support.logs import commit_name
from tests.support.object_stores import Bucket
from tests.support.outages import At

OF_THE_PLACE = {"location", "file_timestamp", "log_fingerprint", "error_message"}


class Here:
    """A table's folder on a disk, filled bit by bit from another one."""

    options: dict[str, str] = {}  # noqa: RUF012 (never changed)

    def __init__(self, source: Path, folder: Path) -> None:
        self.source, self.folder, self.above = source, folder, str(folder.parent)
        self.location = str(folder)

    def show(self, *patterns: str) -> None:
        for pattern in patterns:
            for path in filter(Path.is_file, self.source.glob(pattern)):
                self.put(str(path.relative_to(self.source)), path.read_bytes())

    def put(self, name: str, content: bytes) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)

    def delete(self, name: str) -> None:
        (self.folder / name).unlink()


class Far(Here):
    """The same in a bucket."""

    def __init__(self, source: Path, bucket: Bucket) -> None:
        self.source, self.bucket, self.options = source, bucket, bucket.options
        self.above = f"{bucket.uri}/lake"
        self.location = f"{self.above}/t"

    def put(self, name: str, content: bytes) -> None:
        self.bucket.put(f"lake/t/{name}", content)

    def delete(self, name: str) -> None:
        obstore.delete(self.bucket.store, f"lake/t/{name}")


def commit(version: int) -> str:
    return f"_delta_log/{commit_name(version)}"


def test_a_life_in_s3_is_like_one_on_a_disk(database_url: str, bucket: Bucket, tmp_path: Path):
    lake.orders_table(tmp_path / "source")
    told = {}
    for table_id, place in (
        ("here", Here(tmp_path / "source", tmp_path / "lake" / "t")),
        ("far", Far(tmp_path / "source", bucket)),
    ):
        with deltalakedb.connect(database_url, storage_options=place.options) as catalog:
            told[table_id] = live(catalog, table_id, place, tmp_path / f"exported-{table_id}")
    assert told["far"] == told["here"]
    here, far = (dump(database_url, table_id, without=MOMENTS | OF_THE_PLACE) for table_id in told)
    assert far == here
    exported = [sorted(path.name for path in tmp_path.glob(f"exported-{table_id}/_delta_log/*")) for table_id in told]
    assert exported[0] == exported[1] != []


def live(catalog: Catalog, table_id: str, place: Here, exported: Path) -> list[object]:
    """Lets a table live, and returns what was said of it on the way."""
    told: list[object] = []
    place.show("day=*/*.parquet", "_delta_log/0000000000000000000[0-4].json")
    (found,) = discover(place.above, storage_options=place.options)
    told.append((found.table_id, found.version, found.first_version))
    with closing(Database(url_of(catalog))) as database:
        dry = assess(database, place.location, table_id, storage_options=place.options)
    told.append((dry.version, dry.commits, dry.active_files, dry.warnings))

    def stop() -> None:
        raise RuntimeError("enough for today")

    with pytest.raises(RuntimeError):
        catalog.import_table(place.location, table_id, batch_size=2, listener=At(2, stop))
    report = catalog.import_table(place.location, table_id, batch_size=2, resume=True)
    assert report.resumed
    told.append((report.version, report.commits, report.files_processed, report.active_files))
    place.show(commit(5), commit(6))
    told.append(catalog.sync(table_id).version)
    # The log loses what a sync has not seen: versions 7 and 8.
    place.show("_delta_log/*.checkpoint*.parquet", "_delta_log/_last_checkpoint", commit(9), commit(10), commit(11))
    for version in range(7):
        place.delete(commit(version))
    report = catalog.sync(table_id)
    assert [(gap.first_version, gap.last_version) for gap in report.gaps] == [(7, 8)]
    told += [report.version, catalog.validate(table_id).valid]
    told += [read(catalog, table_id, version) for version in (0, 6, 9, 11)]
    with pytest.raises(VersionNotFoundError):
        catalog.table(table_id, version=8)
    told.append([(entry["version"], entry["operation"]) for entry in catalog.table(table_id).history()])
    told.append(catalog.export(table_id, exported).version)
    told.append(catalog.verify_rollback(table_id).can_rollback)
    with pytest.raises(RollbackUnsafeError):
        catalog.rollback(table_id)
    place.put(commit(11), (place.source / commit(10)).read_bytes())
    with pytest.raises(LogChangedError):
        catalog.sync(table_id)
    return told


def read(catalog: Catalog, table_id: str, version: int) -> tuple[object, ...]:
    """What a table's version holds: how many files and rows, and all of its rows."""
    table = catalog.table(table_id, version=version)
    rows = sorted(map(str, table.scan().read_all().to_pylist()))
    return len(table.file_uris()), table.count(), rows
