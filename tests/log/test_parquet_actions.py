"""Checkpoints as other writers make them, written here by pyarrow."""

import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deltalakedb.errors import CorruptLogError
from deltalakedb.log import parquet_actions
from deltalakedb.log.actions import Actions, Add, OtherAction, Txn, deletion_vector_id, optional_text
from deltalakedb.log.parquet_actions import decode_checkpoint_rows, decode_sidecar_rows
from tests.support.logs import CHECKPOINT, dv

TEXT, LONG, INT = pa.string(), pa.int64(), pa.int32()
MAP = pa.map_(TEXT, TEXT)
VECTOR = pa.struct(
    {"storageType": TEXT, "pathOrInlineDv": TEXT, "offset": INT, "sizeInBytes": INT, "cardinality": LONG}
)


def decode(table: pa.Table, **options: Any) -> Actions:
    """All actions of a checkpoint with these rows."""
    return decode_file(to_parquet(table, **options))


def to_parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def decode_file(content: bytes) -> Actions:
    whole = Actions()
    for piece, _ in decode_checkpoint_rows(io.BytesIO(content), "cp.parquet"):
        whole.adds += piece.adds
        whole.removes += piece.removes
        whole.others += piece.others
    return whole


def adds(rows: list[dict | None], **types: pa.DataType) -> pa.Table:
    """A checkpoint of one column, `add`, with a path and the given fields."""
    return pa.table({"add": pa.array(rows, pa.struct({"path": TEXT, **types}))})


def stats_of(kind: pa.StructType, value: dict, **more: Any) -> dict:
    """The statistics that are rebuilt from parsed ones."""
    (found,) = decode(adds([{"path": "a", "stats_parsed": value} | more], stats_parsed=kind)).adds
    return json.loads(found.stats)


# ---- actions


def test_every_kind_of_action_is_found_among_null_rows():
    rows = [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["x"], "writerFeatures": []}},
        {"metaData": {"id": "m", "format": {"provider": "parquet", "options": [("o", "1")]}, "schemaString": "{}",
                      "partitionColumns": ["p"], "configuration": [("k", "v")], "createdTime": 5}},
        {"txn": {"appId": "app", "version": 9}},
        {},
        {"domainMetadata": {"domain": "d", "configuration": "c", "removed": False}},
        {"add": {"path": "a", "partitionValues": [("p", None)], "size": 3, "tags": [("t", "1")], "baseRowId": 7}},
        {"remove": {"path": "r", "deletionTimestamp": 4, "partitionValues": []}},
    ]  # fmt: skip
    actions = decode(pa.Table.from_pylist(rows, schema=CHECKPOINT))
    metadata, protocol, txn, domain = (
        next(action for action in actions.others if type(action).__name__ == name)
        for name in ("Metadata", "Protocol", "Txn", "DomainMetadata")
    )
    assert len(actions.others) == 4
    assert (protocol.min_reader_version, protocol.reader_features, protocol.writer_features) == (3, ["x"], [])
    assert (metadata.id, metadata.name, metadata.created_time) == ("m", None, 5)
    assert json.loads(optional_text(metadata.format)) == {"provider": "parquet", "options": {"o": "1"}}
    assert json.loads(optional_text(metadata.configuration)) == {"k": "v"}
    assert optional_text(metadata.partition_columns) == '["p"]'
    assert txn == Txn(app_id="app", version=9)
    assert (domain.domain, domain.configuration, domain.removed) == ("d", "c", False)
    (added,), (removed,) = actions.adds, actions.removes
    assert (added.path, added.size, added.base_row_id, added.stats, added.extra) == ("a", 3, 7, None, None)
    assert (optional_text(added.partition_values), optional_text(added.tags)) == ('{"p":null}', '{"t":"1"}')
    assert (removed.path, removed.deletion_timestamp, removed.size) == ("r", 4, None)
    assert optional_text(removed.partition_values) == "{}"
    assert optional_text(removed.tags) is None


def test_unknown_columns_and_fields_are_kept():
    new = pa.struct({"x": pa.list_(LONG), "m": pa.map_(TEXT, LONG), "n": LONG})
    files = [{"path": "a", "new": {"x": [1], "m": [("k", 2)], "n": None}, "more": None}, {"path": "b"}]
    table = adds(files, new=new, more=LONG)
    txn = pa.struct({"appId": TEXT, "version": LONG, "new": TEXT})
    table = table.append_column("txn", pa.array([{"appId": "a", "version": 1, "new": "n"}, None], txn))
    table = table.append_column("action", pa.array([{"y": 1}, None], pa.struct({"y": LONG})))
    table = table.append_column("flat", pa.array([None, [1, 2]], pa.list_(LONG)))
    actions = decode(table)
    assert json.loads(actions.adds[0].extra) == {"new": {"x": [1], "m": {"k": 2}}}
    assert actions.adds[1].extra is None
    assert OtherAction("action", '{"y":1}') in actions.others
    assert OtherAction("flat", "[1,2]") in actions.others
    assert next(action.extra for action in actions.others if isinstance(action, Txn)) == '{"new":"n"}'


def test_rows_come_in_bounded_pieces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parquet_actions, "ROWS_PER_PIECE", 10)
    content = to_parquet(adds([{"path": str(n)} for n in range(35)]), row_group_size=15)
    pieces = [actions.adds for actions, _ in decode_checkpoint_rows(io.BytesIO(content), "cp.parquet")]
    assert max(map(len, pieces)) <= 10
    assert [added.path for piece in pieces for added in piece] == [str(n) for n in range(35)]


def test_the_manifest_itself_is_no_action_and_names_its_sidecars():
    sidecars = pa.array([None, {"path": "x.parquet", "sizeInBytes": 5}], pa.struct({"path": TEXT, "sizeInBytes": LONG}))
    version = pa.array([{"version": 3}, None], pa.struct({"version": LONG}))
    content = to_parquet(pa.table({"checkpointMetadata": version, "sidecar": sidecars}))
    ((actions, named),) = decode_checkpoint_rows(io.BytesIO(content), "cp.parquet")
    assert (actions.adds, actions.removes, actions.others) == ([], [], [])
    assert named == decode_sidecar_rows(io.BytesIO(content), "cp.parquet") == [{"path": "x.parquet", "sizeInBytes": 5}]
    assert decode_sidecar_rows(io.BytesIO(to_parquet(adds([]))), "cp.parquet") == []


# ---- deletion vectors


@pytest.mark.parametrize(
    ("vector", "unique_id"),
    [
        (None, None),
        (dv("x", "u", 0), "ux@0"),
        (dv("x", "u", 1), "ux@1"),
        (dv("x", "p"), "px"),
        (dv("x", "i") | {"offset": None}, "ix"),
        (dict.fromkeys(["storageType", "pathOrInlineDv", "offset"]), None),  # a struct of nothing but nulls
    ],
)
def test_a_deletion_vector_without_offset_is_not_one_with_offset_0(vector: dict | None, unique_id: str | None):
    (found,) = decode(adds([{"path": "a", "deletionVector": vector}], deletionVector=VECTOR)).adds
    assert deletion_vector_id(found.deletion_vector) == unique_id
    if unique_id:
        assert "null" not in optional_text(found.deletion_vector)


def test_a_deletion_vector_column_without_offsets_has_none():
    kind = pa.struct([field for field in VECTOR if field.name != "offset"])
    (found,) = decode(adds([{"path": "a", "deletionVector": dv("x", "u")}], deletionVector=kind)).adds
    assert deletion_vector_id(found.deletion_vector) == "ux"


# ---- statistics


def test_parsed_statistics_become_json_where_there_are_no_others():
    bounds = pa.struct({"c": LONG, "ünested": pa.struct({"d": pa.float64(), "gone": TEXT})})
    fields = {"numRecords": LONG, "tightBounds": pa.bool_(), "minValues": bounds, "maxValues": bounds}
    least = {"c": 1, "ünested": {"d": 0.5, "gone": None}}
    parsed = {"numRecords": 3, "tightBounds": False, "minValues": least, "maxValues": None}
    assert stats_of(pa.struct(fields), parsed) == {
        "numRecords": 3,
        "tightBounds": False,
        "minValues": {"c": 1, "ünested": {"d": 0.5}},
    }


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (LONG, 2**63 - 1, 2**63 - 1),
        (pa.int8(), -128, -128),
        (pa.float32(), 0.5, 0.5),
        (pa.float64(), 1e300, 1e300),
        (pa.float64(), float("nan"), None),  # says nothing, so nothing is pruned by it
        (pa.float64(), float("-inf"), None),
        (pa.bool_(), False, False),
        (TEXT, 'ü"\n', 'ü"\n'),
        (pa.date32(), date(1, 1, 1), "0001-01-01"),
        (pa.date32(), date(9999, 12, 31), "9999-12-31"),
        (pa.timestamp("us", "UTC"), datetime(2021, 9, 8, 11, 11, 11, 123456, UTC), "2021-09-08T11:11:11.123456Z"),
        (pa.timestamp("ms", "UTC"), datetime(1969, 1, 1, tzinfo=UTC), "1969-01-01T00:00:00Z"),
        (pa.timestamp("us"), datetime(2021, 9, 8, 11, 11, 11), "2021-09-08T11:11:11"),  # noqa: DTZ001
        (pa.timestamp("ns"), datetime(2021, 9, 8, 11, 11, 11, 5), "2021-09-08T11:11:11.000005"),  # noqa: DTZ001
    ],
    ids=lambda param: str(param)[:30],
)
def test_parsed_values_are_written_as_writers_do(kind: pa.DataType, value: Any, expected: Any):
    found = stats_of(pa.struct({"minValues": pa.struct({"c": kind})}), {"minValues": {"c": value}})
    assert found == {"minValues": {"c": expected}}


def test_decimals_keep_every_digit():
    kind = pa.struct({"maxValues": pa.struct({"c": pa.decimal128(38, 10)})})
    value = Decimal("1234567890123456789012345678.0123456789")
    (found,) = decode(adds([{"path": "a", "stats_parsed": {"maxValues": {"c": value}}}], stats_parsed=kind)).adds
    assert found.stats == '{"maxValues":{"c":1234567890123456789012345678.0123456789}}'


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.date32(), 10_000_000),  # the year 29349, which Python doesn't know
        (pa.timestamp("us"), 2**62),
        (pa.timestamp("us", "UTC"), -(2**62)),
        (pa.timestamp("ns"), -(2**63) + 1),
        (pa.timestamp("ns", "UTC"), 1),  # between two microseconds
        (pa.binary(), b"\xff\x00"),
    ],
    ids=str,
)
def test_values_that_json_can_not_hold_cost_no_more_than_themselves(kind: pa.DataType, value: Any):
    counts, bounds = pa.array([3], LONG), pa.array([value], kind)
    parsed = pa.StructArray.from_arrays(
        [counts, pa.StructArray.from_arrays([bounds, counts], ["c", "d"])], ["numRecords", "minValues"]
    )
    column = pa.StructArray.from_arrays([pa.array(["a"]), parsed], ["path", "stats_parsed"])
    (found,) = decode(pa.table({"add": column})).adds
    stats = json.loads(found.stats)
    assert stats["numRecords"] == 3
    assert stats["minValues"]["d"] == 3


@pytest.mark.parametrize("statistics", [True, False])
def test_json_statistics_go_before_parsed_ones_file_by_file(statistics: bool):
    kind = pa.struct({"numRecords": LONG})
    rows = [
        {"path": "both", "stats": '{"numRecords":1,"more":2}', "stats_parsed": {"numRecords": 9}},
        {"path": "parsed", "stats": None, "stats_parsed": {"numRecords": 2}},
        {"path": "none", "stats": None, "stats_parsed": None},
        None,
    ]
    found = decode(adds(rows, stats=TEXT, stats_parsed=kind), row_group_size=1, write_statistics=statistics).adds
    assert [added.stats for added in found] == ['{"numRecords":1,"more":2}', '{"numRecords":2}', None]


def test_parsed_statistics_are_not_read_where_every_file_has_json_ones():
    kind = pa.struct({"numRecords": LONG})
    table = adds([None, {"path": "a", "stats": "{}", "stats_parsed": {"numRecords": 9}}], stats=TEXT, stats_parsed=kind)
    with pq.ParquetFile(io.BytesIO(to_parquet(table))) as file:
        assert parquet_actions._columns(file) == ["add.path", "add.stats"]
    with pq.ParquetFile(io.BytesIO(to_parquet(table.set_column(0, "add", table["add"])))) as file:
        assert "add.stats_parsed" not in parquet_actions._columns(file)


def test_parsed_partition_values_are_left_out():
    kinds = {"partitionValues": MAP, "partitionValues_parsed": pa.struct({"p": LONG})}
    row = {"path": "a", "partitionValues": [("p", "1")], "partitionValues_parsed": {"p": 1}}
    (found,) = decode(adds([row], **kinds)).adds
    assert optional_text(found.partition_values) == '{"p":"1"}'
    assert found.extra is None


# ---- types that other writers choose


@pytest.mark.parametrize("text", [pa.large_string(), pa.binary(), pa.dictionary(INT, TEXT)], ids=str)
def test_text_may_have_any_type_of_text(text: pa.DataType):
    kind = pa.struct({"path": text, "stats": text, "partitionValues": pa.map_(TEXT, TEXT)})
    paths = pa.array(["ä", "b"], TEXT).cast(text)
    values = pa.array([[("p", "1")], []], MAP)
    rows = pa.StructArray.from_arrays([paths, paths, values], fields=list(kind))
    assert [(added.path, added.stats) for added in decode(pa.table({"add": rows})).adds] == [("ä", "ä"), ("b", "b")]


def test_sizes_may_have_any_type_of_number():
    rows = [{"path": "a", "size": 5, "modificationTime": 6.0, "baseRowId": None}]
    (found,) = decode(adds(rows, size=INT, modificationTime=pa.float64(), baseRowId=LONG)).adds
    assert (found.size, found.modification_time, found.base_row_id) == (5, 6, None)
    assert type(found.modification_time) is int


def test_only_what_a_checkpoint_has_is_asked_of_it():
    assert decode(adds([{"path": "a"}])).adds == [Add(path="a")]
    assert decode(pa.table({"add": pa.array([None], pa.struct({"path": TEXT}))})).adds == []
    empty = decode(CHECKPOINT.empty_table())
    assert (empty.adds, empty.removes, empty.others) == ([], [], [])


# ---- what can't be read

GOOD = to_parquet(adds([{"path": "a" * 1000 + str(n)} for n in range(100)]), compression="none", use_dictionary=False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PAR1",
        b"not parquet at all",
        GOOD[:-1],
        GOOD[: len(GOOD) // 2],
        GOOD[:20] + b"\xff" * 400 + GOOD[420:],
        GOOD[:9000] + b"\xff" * 100 + GOOD[9100:],
        to_parquet(pa.table({"add": ["text"]})),
        to_parquet(pa.table({"add": pa.array([{"size": 1}])})),
        to_parquet(pa.table({"protocol": pa.array([{"minReaderVersion": 1}])})),
        to_parquet(pa.table({"txn": pa.array([5])})),
        to_parquet(adds([{"path": "a", "size": "x"}], size=TEXT)),
        to_parquet(adds([{"path": "a", "size": 1.5}], size=pa.float64())),
        to_parquet(pa.table({"add": pa.array([{"path": b"\xff"}])})),
    ],
    ids=lambda content: f"{len(content)} bytes",
)
def test_what_is_no_checkpoint_is_refused_with_its_name(content: bytes):
    with pytest.raises(CorruptLogError, match=r"^cp\.parquet: not a readable checkpoint \(.+\)$") as raised:
        decode_file(content)
    assert "\n" not in raised.value.message
    assert raised.value.hint
