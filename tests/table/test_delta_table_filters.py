"""Filters in the forms of delta-rs: the same files as its own, the same exceptions, and rows that are exact."""

import datetime

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from deltalake.exceptions import DeltaError

from deltalakedb.client import connect
from deltalakedb.errors import ArgumentError
from deltalakedb.table.delta_table import DeltaTable
from tests.support.shared_tables import shared_params
from tests.table.catalogs import by_delta_rs, comparable, opened

KINDS = pa.table(
    {
        "id": pa.array(range(8), pa.int64()),
        # None of them empty: in a partition that is NULL for the protocol, and a value of its own for delta-rs.
        "text": ["a", "b", "x", None, "a", "ü", "null", "a b"],
        "whole": pa.array([1, 2, -3, None, 1, 2**31 - 1, 0, 5], pa.int32()),
        "flag": [True, False, None, True, True, False, True, None],
        "day": [datetime.date(2024, 2, 28 + n % 2) if n else None for n in range(8)],
        "moment": pa.array([n * 1_000_000 + n for n in range(7)] + [None], pa.timestamp("us", "UTC")),
        # None below zero: delta-rs 1.6 writes -2.25 as the partition value -2.-25. None that no double is: DataFusion
        # takes a literal with all digits of its nearest double, so a file with the literal itself is kept for it.
        "price": pa.array([None, "1.50", "2.25", "0.00", "1.50", "99.75", "3.00", "4.00"]).cast(pa.decimal128(6, 2)),
    }
)
KEYS = [name for name in KINDS.column_names if name != "id"]


@pytest.fixture(scope="module", params=KEYS)
def partitioned(request, tmp_path_factory):
    """A table partitioned by one column, as `(SQL's, delta-rs', column)`."""
    folder = tmp_path_factory.mktemp(request.param)
    deltalake.write_deltalake(folder / "t", KINDS, partition_by=[request.param])
    with connect(f"sqlite:///{folder}/catalog.db") as catalog:
        catalog.import_table(str(folder / "t"))
        yield DeltaTable(catalog, table_id="t"), deltalake.DeltaTable(folder / "t"), request.param


@pytest.mark.parametrize("operator", ["=", "!=", "<", "<=", ">", ">="])
def test_tuples_on_partition_columns_select_as_delta_rs_does(partitioned, operator):
    ours, theirs, column = partitioned
    for value in [*{value for value in KINDS[column].to_pylist() if value is not None}, ""]:
        value = str(value) if column == "price" else value
        literal = [(column, operator, value)]
        assert _selected(ours, literal) == _selected(theirs, literal), literal


@pytest.mark.parametrize("operator", ["in", "not in"])
def test_lists_on_partition_columns_select_as_delta_rs_does(partitioned, operator):
    ours, theirs, column = partitioned
    values = [str(v) if column == "price" else v for v in KINDS[column].to_pylist() if v is not None]
    for chosen in ([], values[:1], values[:3], (values[0], values[-1])):
        literal = [(column, operator, chosen)]
        assert _selected(ours, literal) == _selected(theirs, literal), literal


def _selected(table, filters):
    try:
        return sorted(table.file_uris(file_pruning_predicate=filters))
    except DeltaError:
        return DeltaError


PARTITIONED = "drs/delta-0.8.0-partitioned"
SAME = [
    [("day", "=", "3")],
    [("day", "=", 3)],
    [("day", "!=", "3")],
    [("day", "in", ["3", "20"])],
    [("day", "not in", ["3", "20"])],
    [("day", "not in", ["3", "20"]), ("year", "=", "2021")],
    [[("day", "=", "3")], [("year", "=", "2021"), ("month", "in", ["12"])]],
    [("month", ">=", 12)],
    [("day", "=", "")],
    [],
    "year = '2021'",
    "year = '2021' AND (month = '12' OR day > '4')",
    "day IN ('3', '5')",
    "NOT (year = '2021')",
    "year BETWEEN '2020' AND '2020'",
    "day IS NULL",
    "day IS NOT NULL",
    "day = 3",
    "value = '5'",
    "true",
]


@pytest.mark.parametrize("filters", SAME, ids=str)
@pytest.mark.parametrize("shared", shared_params(lambda table: table.name == PARTITIONED))
def test_the_same_files_and_partitions(shared, filters):
    ours, theirs = opened(shared), by_delta_rs(shared)
    assert ours.file_uris(file_pruning_predicate=filters) == theirs.file_uris(file_pruning_predicate=filters)
    found, expected = (t.partitions(file_pruning_predicate=filters) for t in (ours, theirs))
    assert sorted(map(repr, map(sorted, map(dict.items, found)))) == sorted(
        map(repr, map(sorted, map(dict.items, expected)))
    )
    assert sorted(ours.to_pyarrow_dataset(file_pruning_predicate=filters).files) == sorted(
        theirs.to_pyarrow_dataset(file_pruning_predicate=filters).files
    )


WRONG = [
    ([("day", "=>", "3")], DeltaError, 'Invalid partition filter found: ("day", "=>", "3").'),
    ([("day", "=", ["3", "20"])], DeltaError, 'Invalid partition filter found: ("day", "=", ["3", "20"]).'),
    ([("day", "in", "3")], DeltaError, 'Invalid partition filter found: ("day", "in", "3").'),
    ([("unknown", "=", "3")], DeltaError, "Field 'unknown' is not a root table field."),
    ([("day", "=", None)], ValueError, "Could not encode partition value for type: None"),
    ([("day", "=", {})], ValueError, "Could not encode partition value for type: {}"),
    ([("day", "in", [{}])], ValueError, "Could not encode partition value for type: {}"),
    ([[]], ValueError, "empty conjunction in filters"),
    ([("day", "=", "3"), [("year", "=", "1")]], ValueError, "not a mix of both"),
    ("unknown = 3", DeltaError, "unknown"),
    ("DAY = '3'", DeltaError, "DAY"),
    ("day = = 3", DeltaError, ""),
    ("", DeltaError, ""),
]


@pytest.mark.parametrize(("filters", "error", "message"), WRONG, ids=str)
@pytest.mark.parametrize("shared", shared_params(lambda table: table.name == PARTITIONED))
def test_the_same_exceptions(shared, filters, error, message):
    for table in (opened(shared), by_delta_rs(shared)):
        with pytest.raises(error) as caught:
            table.file_uris(file_pruning_predicate=filters)
        assert message in str(caught.value)


@pytest.mark.parametrize("method", ["file_uris", "partitions"])
@pytest.mark.parametrize("shared", shared_params(lambda table: table.name == PARTITIONED))
def test_partition_filters_are_deprecated(shared, method):
    filters = [("day", "=", "3")]
    for table in (opened(shared), by_delta_rs(shared)):
        ask = getattr(table, method)
        with pytest.warns(DeprecationWarning, match="`partition_filters` is deprecated"):
            assert len(ask(filters)) == 1
        with pytest.raises(ValueError, match="pass only `file_pruning_predicate`"):
            ask(filters, file_pruning_predicate=filters)


@pytest.mark.parametrize("shared", shared_params(lambda table: table.name == PARTITIONED))
def test_partitions_are_deprecated(shared):
    filters = [("year", "=", "2021")]
    for table in (opened(shared), by_delta_rs(shared)):
        for ask in (table.to_pyarrow_table, table.to_pandas):
            with pytest.warns(DeprecationWarning, match="`partitions` is deprecated; use `filters` instead"):
                assert len(ask(filters)) == 4
        with pytest.warns(DeprecationWarning, match="pass the filters to `file_pruning_predicate` instead"):
            assert table.to_pyarrow_dataset(filters).count_rows() == 4


# ---- rows


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """A table of two files that is partitioned by `flag`."""
    folder = tmp_path_factory.mktemp("kinds")
    deltalake.write_deltalake(folder / "t", KINDS, partition_by=["flag"])
    with connect(f"sqlite:///{folder}/catalog.db") as catalog:
        catalog.import_table(str(folder / "t"))
        yield DeltaTable(catalog, table_id="t")


ROWS = [
    ("id = 3", [3]),
    ("whole > 1", [1, 5, 7]),
    ("flag", [0, 3, 4, 6]),
    ("flag = false", [1, 5]),
    ("flag IS NULL AND whole < 0", [2]),
    ("text = 'a' OR text IS NULL", [0, 3, 4]),
    ("text LIKE 'a%'", [0, 4, 7]),
    ("price = 1.5", [1, 4]),
    ("day = '2024-02-29' AND id < 4", [1, 3]),
    ("moment >= '1970-01-01T00:00:05Z'", [5, 6]),
    ("id IN (1, 2, 99)", [1, 2]),
    ("NOT (id BETWEEN 1 AND 6)", [0, 7]),
    ("id > 100", []),
    (pc.field("whole") > 1, [1, 5, 7]),
    (pc.field("flag") & (pc.field("id") < 4), [0, 3]),
    (pc.field("text").is_null(), [3]),
    (pc.field("day").isin([datetime.date(2024, 2, 28)]), [2, 4, 6]),
    ([("id", "=", 3)], [3]),
    ([("flag", "=", True), ("id", "<", 4)], [0, 3]),
    ([[("id", "=", 1)], [("text", "=", "a"), ("id", ">", 0)]], [1, 4]),
    ([("whole", "in", [1, 5])], [0, 4, 7]),
    ([("whole", "not in", ["1", "5"])], [1, 2, 5, 6]),
    ([("whole", "=", "")], [3]),
    ([("whole", "!=", "")], [0, 1, 2, 4, 5, 6, 7]),
    ([("price", ">=", "3.00")], [5, 6, 7]),
    ([("day", "=", datetime.date(2024, 2, 28))], [2, 4, 6]),
]


@pytest.mark.parametrize(("where", "ids"), ROWS, ids=str)
def test_scan_gives_exactly_the_matching_rows(kinds, where, ids):
    found = kinds.scan(where).read_all()
    assert sorted(found["id"].to_pylist()) == ids
    assert found.schema.equals(kinds.to_pyarrow_table().schema)
    expected = KINDS.filter(pc.field("id").isin(ids))
    assert comparable(found) == comparable(expected)
    assert sorted(kinds.scan(where, ["id"]).read_all()["id"].to_pylist()) == ids
    assert kinds.scan(where, []).read_all().num_rows == len(ids)
    # What is not asked for can be a condition all the same.
    assert kinds.scan(where, ["moment"]).read_all().num_rows == len(ids)


@pytest.mark.parametrize("where", [w for w, _ in ROWS], ids=str)
def test_files_keep_every_matching_row(kinds, where):
    kept = kinds.files(where)["path"].to_pylist()
    ids = kinds.scan(where).read_all()["id"].to_pylist()
    for path in kinds.files()["path"].to_pylist():
        if path not in kept:
            rows = ds.dataset(kinds._opened.root.file(path)).to_table()
            assert not set(rows["id"].to_pylist()) & set(ids)


def test_columns_come_in_the_order_asked_for(kinds):
    assert kinds.scan(columns=["price", "id"]).schema.names == ["price", "id"]
    assert kinds.scan("id = 1", ["price", "id"]).read_all().schema.names == ["price", "id"]
    assert kinds.scan(pc.field("text") == "b", ["price", "id"]).read_all().to_pydict()["id"] == [1]
    # delta-rs has the columns first, and by that name the predicate.
    assert kinds.scan(["id", "text"], predicate="id = 1").read_all().to_pylist() == [{"id": 1, "text": "b"}]


@pytest.mark.parametrize("error", [DeltaError, ArgumentError, ValueError])
@pytest.mark.parametrize(
    "arguments",
    [
        {"columns": ["nonexistent"]},
        {"predicate": "nonexistent = 1"},
        {"where": "id ="},
        {"where": [("nonexistent", "=", 1)]},
        {"where": pc.field("nonexistent") == 1},
    ],
    ids=str,
)
def test_what_can_not_be_right_fails_at_once(kinds, arguments, error):
    with pytest.raises(error):
        kinds.scan(**arguments)


def test_where_and_predicate_are_one(kinds):
    with pytest.raises(ArgumentError, match="two names"):
        kinds.scan("id = 1", predicate="id = 1")


FILTERS = [
    ([("id", "<", 4)], 4),
    ([[("id", "<", 4)], [("text", "in", ["a b"])]], 5),
    (pc.field("flag") == True, 4),  # noqa: E712
    ([("id", ">", 100)], 0),
    ([("moment", ">=", datetime.datetime(1970, 1, 1, 0, 0, 5, tzinfo=datetime.UTC))], 2),
]


@pytest.mark.parametrize(("filters", "count"), FILTERS, ids=str)
def test_filters_of_pyarrow(kinds, filters, count):
    assert kinds.to_pyarrow_table(filters=filters).num_rows == count
    assert len(kinds.to_pandas(filters=filters)) == count
    assert kinds.to_pyarrow_table(filters=filters, columns=["text"]).schema.names == ["text"]


def test_a_fragment_knows_what_its_statistics_say(tmp_path, sqlite_url):
    parts = pa.table({"part": list("aabbcc"), "value": [1, 1, None, None, 2, None]})
    deltalake.write_deltalake(tmp_path / "t", parts, partition_by=["part"])
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
    dataset = DeltaTable(sqlite_url, table_id="t").to_pyarrow_dataset()
    theirs = deltalake.DeltaTable(tmp_path / "t").to_pyarrow_dataset()
    value, part = pc.field("value"), pc.field("part")
    for condition, count in (
        (value.is_valid(), 2),
        (value.is_null(), 2),
        (value > 1, 1),
        (value == 1, 1),
        (part < "c", 2),
        (part.is_null(), 0),
        (value > 9, 0),
    ):
        assert len(list(dataset.get_fragments(filter=condition))) == count, condition
        assert len(list(theirs.get_fragments(filter=condition))) == count, condition
        assert dataset.to_table(filter=condition).num_rows == parts.filter(condition).num_rows


def test_a_maximum_that_was_cut_off_at_milliseconds_loses_no_row(tmp_path, sqlite_url):
    moment = datetime.datetime(2023, 3, 29, 23, 59, 59, 807126, tzinfo=datetime.UTC)
    deltalake.write_deltalake(tmp_path / "t", pa.table({"at": [moment]}))
    assert "59.807Z" in (tmp_path / "t" / "_delta_log" / f"{0:020}.json").read_text()
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
    table = DeltaTable(sqlite_url, table_id="t")
    for filters in ([("at", "=", moment)], pc.field("at") >= moment):
        assert table.to_pyarrow_table(filters=filters).num_rows == 1
    assert table.scan("at = '2023-03-29T23:59:59.807126Z'").read_all().num_rows == 1


def test_a_nan_that_statistics_do_not_mention_loses_no_row(tmp_path, sqlite_url):
    deltalake.write_deltalake(tmp_path / "t", pa.table({"x": [1.0, 1.0, float("nan")]}))
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
    table = DeltaTable(sqlite_url, table_id="t")
    assert table.scan(~(pc.field("x") > 5)).read_all().num_rows == 3
    assert table.scan(pc.field("x") != 1.0).read_all().num_rows == 1
    # pyarrow itself leaves out row groups by statistics that don't mention it; the file is not what is left out.
    assert len(list(table.to_pyarrow_dataset().get_fragments(filter=pc.field("x") != 1.0))) == 1
