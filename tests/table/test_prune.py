"""Files that statistics and partition values rule out, and those that they only seem to."""

import json
from typing import Any

import pytest
from sqlalchemy import Connection

from deltalakedb.columns import TableSchema
from deltalakedb.table import predicate, prune
from tests.table.pruning import File, field_of, pruned, schema_of, snapshot_of, struct_of

SCHEMA = schema_of(
    field_of("id", "long"),
    field_of("name", "string"),
    field_of("day", "date"),
    field_of("at", "timestamp"),
    field_of("local", "timestamp_ntz"),
    field_of("price", "decimal(10,2)"),
    field_of("large", "decimal(38,2)"),
    field_of("ratio", "double"),
    field_of("single", "float"),
    field_of("ok", "boolean"),
    field_of("raw", "binary"),
    field_of("place", struct_of(field_of("city", "string"))),
)


def file(column: str, low: Any = ..., high: Any = ..., nulls: Any = 0, records: Any = 10, **more: Any) -> File:
    """A file with statistics of one column; `...` leaves a part of them out."""
    stats = {"numRecords": records, "minValues": low, "maxValues": high, "nullCount": nulls, **more}
    bounded = {
        name: {column: value} if name in ("minValues", "maxValues", "nullCount") else value
        for name, value in stats.items()
        if value is not ...
    }
    return File([], json.dumps(bounded, ensure_ascii=False))


def keeps(connection: Connection, one: File, where: str, schema: TableSchema = SCHEMA) -> bool:
    return pruned(connection, schema, [one], where) == {0}


RANGE = [
    # column, minimum, maximum, and conditions that rule the file out, and that don't
    (
        "id",
        10,
        20,
        ["id = 9", "id < 10", "id > 20", "id <= 9", "id >= 21", "id IN (1, 30)", "id BETWEEN 21 AND 30"],
        [
            "id = 10",
            "id = 20",
            "id <= 10",
            "id >= 20",
            "id IN (1, 15)",
            "id <> 10",
            "NOT id = 15",
            "id BETWEEN 20 AND 21",
        ],
    ),
    (
        "id",
        10,
        10,
        ["id <> 10", "NOT id = 10", "NOT id >= 10", "id NOT IN (9, 10)", "NOT id BETWEEN 5 AND 15"],
        ["id NOT IN (9, 11)", "NOT id > 10"],
    ),
    ("id", 2**53 + 1, 2**53 + 1, [f"id = {2**53}", f"id > {2**53 + 1}"], [f"id = {2**53 + 1}", f"id > {2**53}"]),
    (
        "id",
        -(2**63),
        2**63 - 1,
        ["id > 9223372036854775807", "id > 99999999999999999999"],
        ["id = 9223372036854775807", "id < 99999999999999999999"],
    ),
    (
        "name",
        "b",
        "d",
        ["name = 'a'", "name > 'd'", "name LIKE 'a%'", "name LIKE 'da%'", "name LIKE 'a%z'"],
        ["name = 'd'", "name LIKE 'd%'", "name LIKE 'b%'", "name LIKE '%z'", "name LIKE 'ca%z'"],
    ),
    ("name", "ab", "abz", ["name NOT LIKE 'ab%'", "NOT starts_with(name, 'a')"], ["name NOT LIKE 'abc%'"]),
    ("name", "Z", "a", ["name = 'b'", "name < 'Z'"], ["name = '_'", "name = 'Zz'"]),  # by bytes, not as people sort
    ("name", "é", "é", ["name = 'e'", "name = 'z'"], ["name = 'é'"]),
    (
        "day",
        "2024-01-10",
        "2024-01-20",
        ["day = '2024-01-09'", "day > '2024-01-20'", "day < DATE '2024-01-10'"],
        ["day = '2024-01-20'", "day <= '2024-01-10'", "CAST(day AS TIMESTAMP) > '2024-01-19'"],
    ),
    (
        "at",
        "2024-01-01T12:00:00.000Z",
        "2024-01-01T13:00:00.000Z",
        [
            "at < '2024-01-01T12:00:00Z'",
            "at > '2024-01-01T13:00:00.001Z'",
            "at = '2024-01-01T16:00:00+02:00'",
            "CAST(at AS DATE) = '2024-01-02'",
        ],
        [
            "at <= '2024-01-01T12:00:00Z'",
            "at > '2024-01-01T13:00:00Z'",
            "at = '2024-01-01T15:00:00+02:00'",
            "CAST(at AS DATE) = '2024-01-01'",
        ],
    ),
    (
        "local",
        "2024-01-01 12:00:00.000",
        "2024-01-01 13:00:00.000",
        ["local < '2024-01-01 12:00:00'", "local > '2024-01-01 13:00:00.001'"],
        ["local <= '2024-01-01 12:00:00'", "local > '2024-01-01 13:00:00'"],
    ),
    (
        "local",
        "2024-01-01T12:00:00.000",
        "2024-01-01T13:00:00",
        ["local < '2024-01-01T12:00:00'", "local > '2024-01-01 14:00:00'"],
        ["local = '2024-01-01 12:30:00'"],
    ),
    (
        "price",
        1.5,
        10.25,
        ["price < 1.5", "price > 10.25", "price = 1.499", "price > '10.25'"],
        ["price = 1.5", "price >= 10.25", "price > 10.249"],
    ),
    (
        "ratio",
        0.1,
        0.3,
        ["ratio < 0.1", "ratio = 0.30000000000000004", "ratio BETWEEN 0.4 AND 0.5"],
        ["ratio = 0.1", "ratio = 0.3", "ratio <= 0.1"],
    ),
    ("single", 2.5, 2.5, ["single < 2.5", "single = 2.6"], ["single = 2.5", "single <= 2.5"]),
    ("ok", False, False, ["ok", "ok = TRUE", "NOT ok = FALSE", "ok <> FALSE", "ok > FALSE"], ["NOT ok", "ok = FALSE"]),
    ("ok", False, True, ["ok > TRUE"], ["ok", "NOT ok"]),
    ("raw", "a", "b", [], ["raw = X'7a'", "raw > X'7a'"]),
]


@pytest.mark.parametrize(("column", "low", "high", "out", "kept"), RANGE, ids=[f"{r[0]}-{r[1]}" for r in RANGE])
def test_ranges_of_every_type(
    connection: Connection, column: str, low: Any, high: Any, out: list[str], kept: list[str]
):
    one = file(column, low, high)
    assert {where for where in out if keeps(connection, one, where)} == set()
    assert {where for where in kept if not keeps(connection, one, where)} == set()


def test_a_field_of_a_struct(connection: Connection):
    one = file("place", {"city": "b"}, {"city": "d"}, {"city": 0})
    assert not keeps(connection, one, "place.city = 'a'")
    assert not keeps(connection, one, "place.city IS NULL")
    assert keeps(connection, one, "place.city = 'c'")
    assert keeps(connection, one, "place IS NULL")  # nobody counted those


class TestNulls:
    def test_are_counted(self, connection: Connection):
        assert not keeps(connection, file("id", 1, 2, 0), "id IS NULL")
        assert keeps(connection, file("id", 1, 2, 1), "id IS NULL")
        assert keeps(connection, file("id", 1, 2, 1), "id IS NOT NULL")
        assert not keeps(connection, file("id", nulls=10), "id IS NOT NULL")
        assert not keeps(connection, file("id", nulls=10), "id = 1")
        assert not keeps(connection, file("id", nulls=10), "NOT id = 1")
        assert not keeps(connection, file("id", nulls=10), "id <> 1")

    def test_of_unknown_number(self, connection: Connection):
        for nulls in (..., None, "0", 0.5, {"x": 0}):
            assert keeps(connection, file("id", 1, 2, nulls), "id IS NULL")
            assert keeps(connection, file("id", nulls=nulls), "id IS NOT NULL")

    def test_have_no_truth(self, connection: Connection):
        for where in ("id = NULL", "NOT id = NULL", "id <> NULL", "id IN (NULL)", "id NOT IN (1, NULL)", "NULL"):
            assert not keeps(connection, file("id", 1, 2, 1), where), where


def test_pushing_not_down_keeps_three_values(connection: Connection):
    one = file("id", 5, 5, 0)
    assert not keeps(connection, one, "NOT (id = 5 OR name = 'x')")
    assert keeps(connection, one, "NOT (id = 5 AND name = 'x')")
    assert keeps(connection, one, "NOT (id = 6 AND name = 'x')")
    assert not keeps(connection, one, "NOT (NOT (id = 6))")
    assert keeps(connection, one, "NOT (id + 1 = 6)")
    assert not keeps(connection, one, "id + 1 = 6 AND id = 7")
    assert keeps(connection, one, "id + 1 = 6 OR id = 7")


def test_long_lists_are_ranges_of_neighbours(connection: Connection):
    values = ", ".join(str(number * 10) for number in range(1000))
    assert keeps(connection, file("id", 5000, 5000), f"id IN ({values})")
    assert not keeps(connection, file("id", 9991, 9999), f"id IN ({values})")
    few = ", ".join(str(number * 10) for number in range(32))
    assert not keeps(connection, file("id", 51, 59), f"id IN ({few})")
    assert keeps(connection, file("id", 51, 60), f"id IN ({few})")


# ---- ../shared/pitfalls.md, 19 to 23


BROKEN = [None, "", "null", "[]", "7", "no JSON", "{", '{"numRecords":10', '{"numRecords":10}}']


@pytest.mark.parametrize("text", BROKEN)
def test_pitfall_22_missing_or_broken_statistics_prove_nothing(connection: Connection, text: str | None):
    everything = "id = 1 AND name = 'a' AND ratio < 1 AND day = '2024-01-01' AND at < '2024-01-01' AND id IS NULL"
    assert keeps(connection, File([], text), everything)


@pytest.mark.parametrize(
    "text",
    [
        '{"numRecords":10}',
        '{"numRecords":10,"minValues":[],"maxValues":7,"nullCount":"x"}',
        '{"numRecords":10,"minValues":null,"maxValues":null,"nullCount":null}',
        '{"numRecords":10,"minValues":{"id":[5]},"maxValues":{"id":[0]}}',
        '{"numRecords":10,"minValues":{"id":{"id":5}},"maxValues":{"id":{}}}',
        '{"numRecords":10,"minValues":{"id":"5"},"maxValues":{"id":"0"}}',
        '{"numRecords":10,"minValues":{"id":true},"maxValues":{"id":false}}',
        '{"numRecords":10,"minValues":{"id":null},"maxValues":{"id":null}}',
        '{"numRecords":10,"minValues":{"ID":5},"maxValues":{"ID":0}}',
        '{"numRecords":10,"minValues":{"x":1e999999},"maxValues":{"id":9}}',
        '{"numRecords":10,"minValues":{"id":1e999999}}',
        '{"numRecords":10,"minValues":{"x":"\\u0000"},"maxValues":{"x":"\\ud800"}}',
    ],
)
def test_pitfall_22_statistics_of_another_form_prove_nothing(connection: Connection, text: str):
    good = file("id", 5, 6)
    # Beside a file with good statistics, which goes on being ruled out.
    assert pruned(connection, SCHEMA, [File([], text), good], "id = 3") == {0}


def test_pitfall_22_parts_may_be_missing(connection: Connection):
    assert not keeps(connection, file("id", low=5), "id = 3")
    assert keeps(connection, file("id", low=5), "id = 7")
    assert not keeps(connection, file("id", high=5), "id = 7")
    assert keeps(connection, file("id", high=5), "id = 3")


@pytest.mark.parametrize("unit", ["x", "é", "日", "😀"])
def test_pitfall_22_text_is_cut_at_a_prefix(connection: Connection, unit: str):
    value = unit * 40 + "z"
    for cut in (value[:32], value.encode()[:32].decode(errors="ignore"), value.encode()[:32].decode(errors="replace")):
        one = file("name", cut, cut)
        for where in (f"name = '{value}'", f"name >= '{value}'", f"name <= '{value}'", f"name LIKE '{value[:36]}%'"):
            assert keeps(connection, one, where), (cut, where)
        assert keeps(connection, one, f"name <> '{cut}'")
        assert keeps(connection, one, f"NOT name LIKE '{value[:35]}%'")
        assert not keeps(connection, one, "name = 'a'")
        assert not keeps(connection, one, "name > '\U0010ffff'")


def test_pitfall_22_a_maximum_in_milliseconds_may_be_one_too_low(connection: Connection):
    one = file("at", "2024-01-01T12:00:00.123Z", "2024-01-01T12:00:00.123Z")
    assert keeps(connection, one, "at = '2024-01-01T12:00:00.123999Z'")
    assert keeps(connection, one, "at > '2024-01-01T12:00:00.123998Z'")
    assert not keeps(connection, one, "at = '2024-01-01T12:00:00.124Z'")
    assert not keeps(connection, one, "at >= '2024-01-01T12:00:00.124Z'")
    assert keeps(connection, one, "at <> '2024-01-01T12:00:00.123Z'")
    local = file("local", "2024-01-01 12:00:00.123", "2024-01-01 12:00:00.123")
    assert keeps(connection, local, "local = '2024-01-01T12:00:00.123999'")
    assert not keeps(connection, local, "local = '2024-01-01T12:00:00.124'")


@pytest.mark.parametrize("zone", ["+02:00", "-11:30", "", "+00:00"])
def test_pitfall_22_times_with_a_zone_that_is_not_utc(connection: Connection, zone: str):
    one = file("at", f"2024-01-02T12:00:00.000{zone}", f"2024-01-02T12:00:00.000{zone}")
    for hour in ("2024-01-02T10:00:00Z", "2024-01-02T23:30:00Z", "2024-01-02T12:00:00Z"):
        assert keeps(connection, one, f"at = '{hour}'")
    assert not keeps(connection, one, "at < '2024-01-01T12:00:00Z'")
    assert not keeps(connection, one, "at > '2024-01-03T12:00:00Z'")


@pytest.mark.parametrize("odd", ["+10000-01-01", "-0001-01-01", "10000-01-01", "2024", "", "NaN"])
def test_pitfall_22_dates_without_a_four_digit_year_prove_nothing(connection: Connection, odd: str):
    for low, high in ((odd, odd), (odd, ...), (..., odd)):
        assert keeps(connection, file("day", low, high), "day = '2024-01-01'")
        assert keeps(connection, file("at", f"{low}T00:00:00.000Z", f"{high}T00:00:00.000Z"), "at = '2024-01-01'")
    assert keeps(connection, file("day", "2024-01-01", "2024-01-02"), "day > '+10000-01-01'")


def test_pitfall_22_bounds_that_are_not_tight(connection: Connection):
    one = file("id", 5, 9, 0, tightBounds=False)
    assert not keeps(connection, one, "id = 4")
    assert keeps(connection, one, "id = 5")


def test_pitfall_22_deleted_rows_are_counted_as_well(connection: Connection):
    # Ten records, nine nulls: whichever rows a deletion vector hides, a value may be left, or a null.
    one = file("id", 1, 1, nulls=9, records=10, tightBounds=False)
    assert keeps(connection, one, "id = 1")
    assert keeps(connection, one, "id IS NULL")
    assert not keeps(connection, file("id", nulls=10, records=10, tightBounds=False), "id = 1")


def test_not_a_number_is_in_no_bounds(connection: Connection):
    for column in ("ratio", "single"):
        one = file(column, 1.0, 1.0)
        for where in (f"{column} > 5", f"{column} >= 5", f"{column} <> 1", f"NOT {column} <= 1", f"NOT {column} = 1"):
            assert keeps(connection, one, where)
        assert keeps(connection, one, f"NOT {column} < 5")
        # What has an upper end lets no NaN pass.
        for where in (f"{column} = 5", f"{column} < 1", f"{column} > 5 AND {column} < 9", f"{column} IN (5)"):
            assert not keeps(connection, one, where)
        assert keeps(connection, file(column, 1.0, "NaN"), f"{column} = 5")


def test_minus_zero_is_zero(connection: Connection):
    for bounds in ((-0.0, -0.0), (0.0, 0.0)):
        one = file("ratio", *bounds)
        assert keeps(connection, one, "ratio = 0")
        assert keeps(connection, one, "ratio >= 0.0")
        assert keeps(connection, one, "ratio <= -0.0")
        # To delta-rs -0.0 is less than 0.0.
        assert keeps(connection, one, "ratio < 0")
        assert keeps(connection, one, "ratio > -0.0")
        assert not keeps(connection, one, "ratio < -1e-300")


def test_decimals_that_came_through_a_double(connection: Connection):
    # delta-rs writes 12345678901234567890.12 as 1.2345678901234567e+19, which is less.
    one = file("large", 1.2345678901234567e19, 1.2345678901234567e19)
    assert keeps(connection, one, "large = 12345678901234567890.12")
    assert keeps(connection, one, "large >= '12345678901234567890.12'")
    assert not keeps(connection, one, "large = 12345678901234600000")
    assert not keeps(connection, one, "large < 12345678901234500000")


def test_long_decimals_are_compared_as_doubles_by_some_engines(connection: Connection):
    one = file("large", 12345678901234567000, 12345678901234567000)
    assert keeps(connection, one, "large = 12345678901234567890.12")
    assert not keeps(connection, one, "large = 12345678901234599999.12")


def test_a_float_is_compared_as_engines_do(connection: Connection):
    for text in (0.1, 0.10000000149011612):
        one = file("single", text, text)
        assert keeps(connection, one, "single = 0.1")
        assert keeps(connection, one, "single = 0.10000000149011612")
        assert not keeps(connection, one, "single = 0.1000001")


def test_pitfall_19_names_are_taken_letter_by_letter(connection: Connection):
    for name in ("a b", "a.b", "a%20b", "ä", "$", "a'b", "[0]", 'a"b', "a\\b", "*", "ID"):
        schema = schema_of(field_of(name, "long"), field_of("id", "long"))
        quoted = '"' + name.replace('"', '""') + '"'
        one = file(name, 5, 6)
        assert keeps(connection, one, f"{quoted} = 5", schema)
        assert not keeps(connection, one, f"{quoted} = 7", schema), name


def test_pitfall_21_statistics_have_physical_names(connection: Connection):
    physical = "delta.columnMapping.physicalName"
    inner = struct_of(field_of("x", "long", **{physical: "col-x"}))
    schema = schema_of(
        field_of("id", "long", **{physical: "col-1"}),
        field_of("place", inner, **{physical: "col-2"}),
        field_of("p", "long", **{physical: "col-p"}),
        partitions=["p"],
        configuration={"delta.columnMapping.mode": "name"},
    )
    stats = {"numRecords": 1, "minValues": {"id": 0, "col-1": 5, "col-2": {"col-x": 7}}}
    one = File([], json.dumps(stats), {"col-p": "3", "p": "4"})
    assert not keeps(connection, one, "id = 3", schema)
    assert keeps(connection, one, "id = 5", schema)
    assert not keeps(connection, one, "place.x = 6", schema)
    assert keeps(connection, one, "p = 3", schema)
    assert not keeps(connection, one, "p = 4", schema)


def test_pitfall_23_each_version_has_a_schema_of_its_own(connection: Connection):
    # A column that was a text, then a number, then a partition column.
    files = [file("x", "5", "7"), file("x", 5, 7), File([], None, {"x": "6"})]
    assert pruned(connection, schema_of(field_of("x", "string")), files, "x = '8'") == {1, 2}
    assert pruned(connection, schema_of(field_of("x", "long")), files, "x = 8") == {0, 2}
    # Files without the value are in the partition of NULL.
    assert pruned(connection, schema_of(field_of("x", "long"), partitions=["x"]), files, "x = 6") == {2}
    assert pruned(connection, schema_of(field_of("x", "long"), partitions=["x"]), files, "x IS NULL") == {0, 1}


def test_a_column_that_statistics_do_not_have_yet(connection: Connection):
    assert keeps(connection, file("id", 5, 6), "name IS NULL")
    assert keeps(connection, file("id", 5, 6), "name = 'a'")


def test_constants(connection: Connection):
    one = file("id", 5, 6)
    assert keeps(connection, one, "TRUE")
    assert keeps(connection, one, "1 = 1")
    assert not keeps(connection, one, "FALSE")
    assert not keeps(connection, one, "1 = 2")


def test_what_every_file_fulfils_is_no_condition(connection: Connection):
    with connection.begin():
        for where in ("TRUE", "id + 1 = 2", "id + 1 = 2 OR id = 3"):
            assert prune.matching(snapshot_of(connection), predicate.parse(where, SCHEMA)) is None
