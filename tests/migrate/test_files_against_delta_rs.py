"""The files that delta-rs shows against those of SQL, in whatever order and pieces they come."""

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.log.store import open_store
from deltalakedb.migrate import files_against_delta_rs
from deltalakedb.migrate.against_delta_rs import Opened, open_version
from deltalakedb.migrate.differences import Findings
from deltalakedb.migrate.files_against_delta_rs import compare_files_with_delta_rs
from deltalakedb.migrate.importer import import_table
from tests.migrate.damage import stats
from tests.support.logs import LogBuilder, add, dv, metadata, protocol

COUNT = 60


@pytest.fixture
def shown(database: Database, tmp_path: Path) -> pa.Table:
    """What delta-rs shows of a table that is in the catalog as `t`."""
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["deletionVectors"]), metadata({"id": "long"}))
    log.commit(*(add(f"{n}.parquet", size=n, stats=stats(n, n + 9)) for n in range(COUNT)))
    log.commit(
        *(add("twice.parquet", size=5, deletionVector=dv(vector)) for vector in ("ab^-aqEH.-t@S}K{vb[*k^", "b" * 22))
    )
    import_table(database, str(log.root), "t")
    opened = open_version(open_store(str(log.root)))
    assert isinstance(opened, Opened)
    return pa.RecordBatchReader.from_stream(opened.add_actions).read_all()


def differences(database: Database, shown: pa.Table) -> Iterator[tuple]:
    findings = Findings()
    with database.reading() as connection:
        compare_files_with_delta_rs(shown, snapshot(connection, registry.readable(connection, "t")), findings)
    return sorted((one.kind, one.path) for one in findings.differences)


@pytest.mark.parametrize("together", [0, 8])
@pytest.mark.parametrize("seed", range(3))
def test_any_order_in_any_pieces(database: Database, shown: pa.Table, seed: int, together: int, monkeypatch):
    monkeypatch.setattr(files_against_delta_rs, "_TOGETHER", together)
    order = list(range(len(shown)))
    random.Random(seed).shuffle(order)
    pieces = [shown.take(pa.array(order[start : start + 7])) for start in range(0, len(order), 7)]
    mixed = pa.concat_tables(pieces)
    assert mixed["path"].num_chunks > 1
    assert differences(database, mixed) == []
    sizes = mixed["size_bytes"].to_pylist()
    at = mixed["path"].to_pylist().index("7.parquet")
    sizes[at] = 8
    wrong = mixed.set_column(mixed.schema.get_field_index("size_bytes"), "size_bytes", pa.array(sizes, pa.int64()))
    assert differences(database, wrong) == [("size", "7.parquet")]


def test_files_of_one_side_alone(database: Database, shown: pa.Table):
    paths = shown["path"].to_pylist()
    rest = shown.take(pa.array([at for at, path in enumerate(paths) if path != "7.parquet"]))
    assert differences(database, rest) == [("file_extra", "7.parquet")]
    renamed = pa.array(["new.parquet" if path == "7.parquet" else path for path in paths])
    other = shown.set_column(shown.schema.get_field_index("path"), "path", renamed)
    assert differences(database, other) == [("file_extra", "7.parquet"), ("file_missing", "new.parquet")]


def test_files_of_one_path_are_counted(database: Database, shown: pa.Table):
    paths = shown["path"].to_pylist()
    once = shown.take(pa.array([at for at in range(len(paths)) if at != paths.index("twice.parquet")]))
    assert differences(database, once) == [("file_extra", "twice.parquet")]
    thrice = pa.concat_tables([shown, shown.slice(paths.index("twice.parquet"), 1)])
    assert differences(database, thrice) == [("file_missing", "twice.parquet")]
