"""Which columns are mapped is one rule; a file that has a column under another name is refused, never read as NULL."""

import json
from typing import Any

import pyarrow as pa
import pytest

from deltalakedb.client import connect
from deltalakedb.columns import column_mapping
from deltalakedb.rows import ProtocolRow
from deltalakedb.table.delta_table import DeltaTable
from deltalakedb.table.exceptions import ReadError, UnsupportedTableError
from tests.support.logs import LogBuilder, metadata, protocol
from tests.table.rows_on_disk import WAYS, data_file, deleting

MODE, ID, PHYSICAL = (f"delta.columnMapping.{name}" for name in ("mode", "id", "physicalName"))


def field(name: str, kind: Any, number: int, physical: str | None = None) -> dict[str, Any]:
    known = {ID: number, PHYSICAL: physical or f"col-{number}"}
    return {"name": name, "type": kind, "nullable": True, "metadata": known}


def mapped(*fields: dict[str, Any], mode: str = "name", **more: Any) -> dict[str, Any]:
    schema = json.dumps({"type": "struct", "fields": list(fields)})
    return metadata(configuration={MODE: mode}, schemaString=schema, **more)


LETTERS = (field("letter", "string", 1), field("n", "long", 2))


def rows(letter: str, n: str, ids: tuple[int, int] | None = None) -> pa.Table:
    fields = [pa.field(letter, pa.string()), pa.field(n, pa.int64())]
    if ids is not None:
        fields = [each.with_metadata({"PARQUET:field_id": str(id_)}) for each, id_ in zip(fields, ids, strict=True)]
    return pa.table([["a", "b"], [1, 2]], schema=pa.schema(fields))


BOTH = [{"letter": "a", "n": 1}, {"letter": "b", "n": 2}]


def in_catalog(url: str, log: LogBuilder) -> DeltaTable:
    with connect(url) as catalog:
        catalog.import_table(str(log.root), table_id="t")
    return DeltaTable(url, table_id="t")


@pytest.mark.parametrize(
    ("reader", "writer", "in_reader", "in_writer", "is_mapped"),
    [
        (1, 2, None, None, False),
        (2, 5, None, None, True),
        (2, 6, None, None, True),
        (2, 4, None, None, False),
        (1, 5, None, None, False),
        (3, 7, [], ["columnMapping"], True),
        (3, 7, ["columnMapping"], ["columnMapping"], True),
        (3, 7, ["columnMapping"], [], True),
        (2, 7, None, ["columnMapping"], True),
        (2, 7, None, ["appendOnly"], False),
        (3, 7, [], [], False),
    ],
)
def test_the_protocol_must_know_of_it_in_either_list(reader, writer, in_reader, in_writer, is_mapped):
    lists = (None if names is None else json.dumps(names) for names in (in_reader, in_writer))
    row = ProtocolRow(0, reader, writer, *lists, None)
    for mode in ("name", "id", "NAME"):
        assert column_mapping({MODE: mode}, row) == (mode.lower() if is_mapped else None)
    assert column_mapping({MODE: "none"}, row) is None
    assert column_mapping({}, row) is None


def test_a_feature_among_the_writers_alone_maps_every_way_of_reading(tmp_path, database_url):
    log = LogBuilder(tmp_path / "t")
    features = ["columnMapping", "icebergCompatV1"]
    log.commit(protocol(2, 7, writerFeatures=features), mapped(*LETTERS))
    log.commit(
        protocol(3, 7, readerFeatures=[], writerFeatures=features),
        data_file(log, "a.parquet", rows("col-1", "col-2", (1, 2))),
    )
    table = in_catalog(database_url, log)
    for name, way in WAYS.items():
        if name != "to_pyarrow_dataset":
            assert way(table) == BOTH, name
    with pytest.raises(UnsupportedTableError, match="columnMapping"):
        table.to_pyarrow_dataset()


def test_a_property_that_the_protocol_knows_nothing_of_maps_nothing(tmp_path, database_url):
    log = LogBuilder(tmp_path / "t")
    log.commit(
        protocol(),
        mapped(field("id", "long", 1), field("p", "string", 2), partitionColumns=["p"]),
        data_file(log, "a.parquet", pa.table({"id": [1]}), partitionValues={"p": "x"}),
    )
    table = in_catalog(database_url, log)
    for name, way in WAYS.items():
        assert way(table) == [{"id": 1, "p": "x"}], name
    assert table.files("p = 'x'").num_rows == table.scan("p = 'x'").read_all().num_rows == 1
    assert table.partitions() == [{"p": "x"}]


MISNAMED = {
    "logical": (2, "name", rows("letter", "n"), "'letter' under the name 'letter', not 'col-1'"),
    "other case": (2, "name", rows("COL-1", "col-2"), "'letter' under the name 'COL-1', not 'col-1'"),
    "ids": (2, "id", rows("x", "y", (1, 2)), "'letter' under the name 'x', not 'col-1'"),
    "ids that are exchanged": (2, "id", rows("col-1", "col-2", (2, 1)), "'letter' under the name 'col-2', not 'col-1'"),
    "mapped without a protocol": (1, "name", rows("col-1", "col-2"), "'letter' under the name 'col-1', not 'letter'"),
}


@pytest.mark.parametrize(("reader", "mode", "data", "message"), MISNAMED.values(), ids=MISNAMED)
def test_a_column_under_another_name_is_refused_with_file_and_column(tmp_path, sqlite_url, reader, mode, data, message):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(reader, 5), mapped(*LETTERS, mode=mode), data_file(log, "a.parquet", data))
    table = in_catalog(sqlite_url, log)
    for name, way in WAYS.items():
        if reader == 2 and name == "to_pyarrow_dataset":
            continue  # refused for its feature
        with pytest.raises(Exception, match=r"a\.parquet") as failure:
            way(table)
        assert message in str(failure.value), name
    with pytest.raises(ReadError):
        table.scan()


def test_a_field_of_a_struct_under_another_name_is_refused(tmp_path, sqlite_url):
    inner = {"type": "struct", "fields": [field("x", "long", 2)]}
    log = LogBuilder(tmp_path / "t")
    data = pa.table({"col-1": pa.array([[{"x": 1}]], pa.list_(pa.struct({"x": pa.int64()})))})
    kind = {"type": "array", "elementType": inner, "containsNull": True}
    log.commit(protocol(2, 5), mapped(field("s", kind, 1)), data_file(log, "a.parquet", data))
    with pytest.raises(ReadError, match=r"'s\.x' under the name 'x', not 'col-2'"):
        in_catalog(sqlite_url, log).scan()


def test_columns_that_came_later_or_were_dropped_are_none_under_another_name(tmp_path, sqlite_url):
    """Dropped, and added again under the same name: the old file's `letter` is not the new one."""
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(2, 5), metadata({"letter": "string", "n": "long"}))
    log.commit(data_file(log, "a.parquet", rows("letter", "n")))
    log.commit(mapped(field("letter", "string", 1, "letter"), field("n", "long", 2, "n")))
    log.commit(mapped(field("n", "long", 2, "n")))
    log.commit(mapped(field("n", "long", 2, "n"), field("letter", "string", 3), field("more", "long", 4)))
    table = in_catalog(sqlite_url, log)
    assert table.scan().read_all().to_pylist() == [{"n": n, "letter": None, "more": None} for n in (1, 2)]
    assert in_catalog_at(sqlite_url, 1).scan().read_all().to_pylist() == BOTH


def in_catalog_at(url: str, version: int) -> DeltaTable:
    return DeltaTable(url, table_id="t", version=version)


@pytest.mark.parametrize("features", [{}, {"readerFeatures": [], "writerFeatures": ["deletionVectors"]}])
def test_deleted_rows_are_no_rows_whatever_the_protocol_names(tmp_path, sqlite_url, features):
    versions = (3, 7) if features else (1, 2)
    log = LogBuilder(tmp_path / "t")
    vector = deleting(3, 4, 29)
    file = data_file(log, "a.parquet", pa.table({"id": range(40)}), deletionVector=vector, stats='{"numRecords":40}')
    log.commit(protocol(*versions, **features), metadata(), file)
    table = in_catalog(sqlite_url, log)
    left = [{"id": n} for n in range(40) if n not in (3, 4, 29)]
    for name, way in WAYS.items():
        if name != "to_pyarrow_dataset":
            assert way(table) == left, name
    with pytest.raises(UnsupportedTableError, match=r"deletion|deletionVectors"):
        table.to_pyarrow_dataset()
