"""The log that delta-rs gets: what is in it, and that nothing stays behind."""

import json
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest

from deltalakedb.client import connect
from deltalakedb.table import mini_log
from deltalakedb.table.delta_table import DeltaTable
from deltalakedb.table.exceptions import UnsupportedTableError
from deltalakedb.table.locations import Root
from tests.support.logs import LogBuilder, add, metadata, protocol

ROOT = Root("/lake/t", is_local=True)


def written(tmp_path, sqlite_url, *actions) -> DeltaTable:
    log = LogBuilder(tmp_path / "t")
    log.commit(*actions)
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(log.root), table_id="t")
    return DeltaTable(sqlite_url, table_id="t")


@pytest.mark.parametrize(
    ("vector", "where"),
    [
        # PROTOCOL.md, "Deletion Vector Descriptor Schema": the examples of each kind.
        (
            {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4},
            "file:///lake/t/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin",
        ),
        (
            {"storageType": "u", "pathOrInlineDv": "^-aqEH.-t@S}K{vb[*k^"},
            "file:///lake/t/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin",
        ),
        ({"storageType": "p", "pathOrInlineDv": "s3://mytable/a b.bin", "offset": 4}, "s3://mytable/a%20b.bin"),
        ({"storageType": "p", "pathOrInlineDv": "/other/dv.bin"}, "file:///other/dv.bin"),
        ({"storageType": "i", "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"}, None),
    ],
)
def test_a_deletion_vector_is_found_from_anywhere(vector, where):
    vector |= {"sizeInBytes": 40, "cardinality": 6}
    found = json.loads(mini_log.absolute_vector(ROOT, json.dumps(vector)))
    assert found["pathOrInlineDv"] == (where or vector["pathOrInlineDv"])
    assert found["storageType"] == ("p" if where else "i")
    assert {name: found.get(name) for name in ("offset", "sizeInBytes", "cardinality")} == {
        name: vector.get(name) for name in ("offset", "sizeInBytes", "cardinality")
    }


def test_partition_values_keep_their_nulls(tmp_path, sqlite_url):
    columns = {"id": "long", "p": "string", "q": "string"}
    values = [{"p": "", "q": 'a:""\n'}, {"p": None, "q": "null"}, {"q": 'x":""'}]
    adds = [add(f"{n}.parquet", partitionValues=each) for n, each in enumerate(values)]
    table = written(tmp_path, sqlite_url, protocol(), metadata(columns, ["p", "q"]), *adds)
    with table._opened.snapshot() as snapshot:
        rows = [row for piece in snapshot.file_columns(mini_log.COLUMNS) for row in piece]
    given = mini_log.delta_table(table._opened, rows)
    found = sorted(given.get_add_actions()["partition"].to_pylist(), key=lambda each: each["q"])
    assert found == [{"p": None, "q": 'a:""\n'}, {"p": None, "q": "null"}, {"p": None, "q": 'x":""'}]


def test_nothing_stays_behind(tmp_path, sqlite_url, monkeypatch):
    monkeypatch.setattr(mini_log.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    deltalake.write_deltalake(tmp_path / "t", pa.table({"id": [1]}))
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
    reader = DeltaTable(sqlite_url, table_id="t").scan()
    assert list((tmp_path / "temporary").iterdir()) == []  # before a row was read
    assert reader.read_all().num_rows == 1


def test_properties_of_the_table_do_not_stand_in_the_way(tmp_path, sqlite_url):
    strange = {"delta.appendOnly": "maybe", "delta.enableInCommitTimestamps": "true", "delta.checkpointInterval": "no"}
    table = written(tmp_path, sqlite_url, protocol(), metadata(configuration=strange))
    assert table.scan().read_all().num_rows == 0
    assert table.get_add_actions().num_rows == 0


def test_a_schema_that_delta_rs_does_not_know_is_refused(tmp_path, sqlite_url):
    table = written(tmp_path, sqlite_url, protocol(), metadata({"id": "long", "shape": "hexagon"}))
    with pytest.raises(UnsupportedTableError, match="hexagon"):
        table.schema()
    for read in (table.scan, table.get_add_actions, table.to_pyarrow_table):
        with pytest.raises(UnsupportedTableError):
            read()
    assert table.files().num_rows == 0
    assert table.metadata().id


def test_the_log_of_the_table_is_not_asked(tmp_path, sqlite_url, monkeypatch):
    asked = []
    real = deltalake.DeltaTable.__init__
    monkeypatch.setattr(
        deltalake.DeltaTable, "__init__", lambda self, uri, *a, **k: asked.append(uri) or real(self, uri, *a, **k)
    )
    deltalake.write_deltalake(tmp_path / "t", pa.table({"id": [1]}))
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
    asked.clear()
    table = DeltaTable(sqlite_url, table_id="t")
    table.scan().read_all()
    table.get_add_actions()
    table.deletion_vectors()
    assert asked
    assert not any(Path(uri).is_relative_to(tmp_path / "t") for uri in asked)
