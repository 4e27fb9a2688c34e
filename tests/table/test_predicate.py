"""SQL text, pyarrow expressions and tuples become the same tree, with literals of the columns' types."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from deltalakedb.columns import Column, TableSchema
from deltalakedb.errors import ArgumentError, CorruptLogError
from deltalakedb.rows import MetadataRow, ProtocolRow
from deltalakedb.table.predicate import parse
from deltalakedb.table.predicate.tree import (
    FALSE,
    NULL,
    TRUE,
    And,
    Compare,
    In,
    IsNull,
    Not,
    Or,
    StartsWith,
    Unknown,
    agreed,
    columns_of,
)
from tests.table.pruning import field_of, schema_of, struct_of

SCHEMA = schema_of(
    field_of("id", "long"),
    field_of("small", "byte"),
    field_of("name", "string"),
    field_of("day", "date"),
    field_of("at", "timestamp"),
    field_of("local", "timestamp_ntz"),
    field_of("price", "decimal(10,2)"),
    field_of("ratio", "double"),
    field_of("single", "float"),
    field_of("ok", "boolean"),
    field_of("raw", "binary"),
    field_of("place", struct_of(field_of("city", "string"), field_of("at.x", "long"))),
    field_of("tags", {"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": True}),
    field_of("a.b", "long"),
    field_of("Upper Case", "long"),
    field_of("region", "string"),
    partitions=["region"],
)


def column(name: str | tuple[str, ...]) -> Column:
    return SCHEMA.column(name)


def compare(name: str, op: Any, value: Any) -> Compare:
    return Compare(column(name), op, value)


ID = column("id")
NOON = datetime.fromisoformat("2024-01-01 12:00:00")

SQL = {
    "id = 5": compare("id", "=", 5),
    "5 < id": compare("id", ">", 5),
    "id == 5": compare("id", "=", 5),
    "id <> 5": Not(compare("id", "=", 5)),
    "id != 5": Not(compare("id", "=", 5)),
    "id = -5": compare("id", "=", -5),
    "id >= '5'": compare("id", ">=", 5),
    "id > 9.5": compare("id", ">=", 10),
    "id <= 9.5": compare("id", "<=", 9),
    "id = 9.5": And((IsNull(ID), NULL)),
    "id < 99999999999999999999": Or((Not(IsNull(ID)), NULL)),
    "id > 99999999999999999999": And((IsNull(ID), NULL)),
    "id = NULL": NULL,
    "(id) = (5)": compare("id", "=", 5),
    "id BETWEEN 1 AND 3": And((compare("id", ">=", 1), compare("id", "<=", 3))),
    "id NOT BETWEEN 1 AND 3": Or((Not(compare("id", ">=", 1)), Not(compare("id", "<=", 3)))),
    "id IN (1, 2, 2)": In(ID, (1, 2)),
    "id IN (1)": compare("id", "=", 1),
    "id IN (1, NULL)": Or((compare("id", "=", 1), NULL)),
    "id NOT IN (1, 2)": Not(In(ID, (1, 2))),
    "id NOT IN (1, NULL)": And((Not(compare("id", "=", 1)), NULL)),
    "id IS NULL": IsNull(ID),
    "id IS NOT NULL": Not(IsNull(ID)),
    "id <=> 5": And((compare("id", "=", 5), Not(IsNull(ID)))),
    "id IS NOT DISTINCT FROM NULL": IsNull(ID),
    "id IS DISTINCT FROM 5": Or((Not(compare("id", "=", 5)), IsNull(ID))),
    "NOT (id = 5 AND ok)": Or((Not(compare("id", "=", 5)), Not(compare("ok", "=", True)))),
    "NOT NOT id = 5": compare("id", "=", 5),
    "id = 1 OR (id = 2 OR id = 3)": Or((compare("id", "=", 1), compare("id", "=", 2), compare("id", "=", 3))),
    "ok": compare("ok", "=", True),
    "NOT ok": Not(compare("ok", "=", True)),
    "ok IS TRUE": And((compare("ok", "=", True), Not(IsNull(column("ok"))))),
    "ok = 'true'": compare("ok", "=", True),
    "name LIKE 'ab%'": StartsWith(column("name"), "ab"),
    "name LIKE 'ab'": compare("name", "=", "ab"),
    "name LIKE '%'": Or((Not(IsNull(column("name"))), NULL)),
    "name NOT LIKE 'ab%'": Not(StartsWith(column("name"), "ab")),
    "starts_with(name, 'ab')": StartsWith(column("name"), "ab"),
    "name = 'it''s'": compare("name", "=", "it's"),
    "region = 5": agreed(compare("region", "=", "5"), Compare(replace(column("region"), kind="long"), "=", 5)),
    "day = '2024-01-01'": compare("day", "=", date(2024, 1, 1)),
    "day = '2024-1-1'": compare("day", "=", date(2024, 1, 1)),
    "day = DATE '2024-01-01'": compare("day", "=", date(2024, 1, 1)),
    "day >= CAST('2024-01-01' AS DATE)": compare("day", ">=", date(2024, 1, 1)),
    "day >= '2024-01-01T00:00:00'": compare("day", ">=", date(2024, 1, 1)),
    "CAST(day AS TIMESTAMP) > '2024-01-01'": compare("day", ">", date(2024, 1, 1)),
    "at > '2024-01-01 12:00:00'": compare("at", ">", NOON.replace(tzinfo=UTC)),
    "at > '2024-01-01T12:00:00Z'": compare("at", ">", NOON.replace(tzinfo=UTC)),
    "at > '2024-01-01T14:00:00.000+02:00'": compare("at", ">", NOON.replace(tzinfo=UTC)),
    "at > TIMESTAMP '2024-01-01 14:00:00+0200'": compare("at", ">", NOON.replace(tzinfo=UTC)),
    "at = '2024-01-01T12:00:00.123456Z'": compare("at", "=", NOON.replace(microsecond=123456, tzinfo=UTC)),
    "at < '2024-01-01'": compare("at", "<", datetime(2024, 1, 1, tzinfo=UTC)),
    "CAST(at AS DATE) = '2024-01-01'": And(
        (compare("at", ">=", datetime(2024, 1, 1, tzinfo=UTC)), compare("at", "<", datetime(2024, 1, 2, tzinfo=UTC)))
    ),
    "CAST(at AS DATE) <= '2024-01-01'": compare("at", "<", datetime(2024, 1, 2, tzinfo=UTC)),
    "local > '2024-01-01 12:00:00'": compare("local", ">", NOON),
    "local > TIMESTAMP_NTZ '2024-01-01 12:00:00'": compare("local", ">", NOON),
    "price > 1.505": compare("price", ">", Decimal("1.505")),
    "id > 5L": compare("id", ">", 5),
    "price > 1.5BD": compare("price", ">", Decimal("1.5")),
    "ratio > 1.5D": compare("ratio", ">", 1.5),
    "price = '1.5'": compare("price", "=", Decimal("1.5")),
    "price < 1e3": compare("price", "<", Decimal(1000)),
    "ratio > 0.1": compare("ratio", ">", 0.1),
    "ratio > -0.0": compare("ratio", ">", 0.0),
    "CAST(id AS DOUBLE) > 9.5": compare("id", ">=", 10),
    "CAST(small AS BIGINT) = 3": compare("small", "=", 3),
    "CAST(single AS DOUBLE) > 2.5": compare("single", ">", 2.5),
    "raw = X'00ff'": compare("raw", "=", b"\x00\xff"),
    "place.city = 'Graz'": Compare(column(("place", "city")), "=", "Graz"),
    "place['city'] = 'Graz'": Compare(column(("place", "city")), "=", "Graz"),
    'place."at.x" = 1': Compare(column(("place", "at.x")), "=", 1),
    '"a.b" = 1': Compare(column(("a.b",)), "=", 1),
    "`Upper Case` = 1": compare("Upper Case", "=", 1),
    '"Upper Case" = 1': compare("Upper Case", "=", 1),
    "1 = 1": TRUE,
    "1 = 2": FALSE,
    "TRUE": TRUE,
    "NULL": NULL,
    "id = 1 -- the first": compare("id", "=", 1),
}


@pytest.mark.parametrize("where", SQL)
def test_sql(where: str):
    assert parse(where, SCHEMA) == SQL[where]


UNKNOWN = [
    "id = 1 XOR id = 2",
    "NOT ok XOR id = 1 AND small = 2",
    "xor(ok, ok)",
    "name ~ '^a'",
    "name !~ '^a'",
    "name ~* '^a'",
    "name SIMILAR TO 'a%'",
    "name RLIKE 'a.*'",
    "id BETWEEN SYMMETRIC 5 AND 1",
    "tags.x = 1",
    "exists(tags, x -> x = 1)",
    "id DIV 2 = 1",
    "day > current_date() - INTERVAL 7 DAYS",
    "id = ANY (ARRAY[1, 2])",
    "array_contains(array(1, 2), id)",
    "id = ?",
    # What engines disagree on: a number beside a text, what a cast cuts off, words for true, integers as doubles.
    "name = 5",
    "name > 1.50",
    "CAST(name AS VARCHAR(2)) = 'ab'",
    "CAST(id AS SMALLINT) = 5",
    "id = '5.7'",
    "ok = 'yes'",
    "ok = 't'",
    "id = 9007199254740992.5",
    "id = CAST('9007199254740992' AS DOUBLE)",
    "id >= 9223372036854775808",
    "id + 1 > 5",
    "id = small",
    "-id = 5",
    "year(at) = 2024",
    "name ILIKE 'a%'",
    "name LIKE '%a'",
    "name LIKE 'a\\%'",
    "name LIKE 'a!%' ESCAPE '!'",
    "name LIKE name",
    "lower(name) = 'a'",
    "CAST(name AS INT) = 5",
    "CAST(id AS STRING) = '5'",
    "CAST(price AS INT) = 5",
    "id IN (SELECT 1)",
    "id IN (1, small)",
    "tags['x'] = 1",
    "ratio = 'NaN'",
    "ratio > 'Infinity'",
    "day > '+10000-01-01'",
    "day = '2024-02-30'",
    "day > '2024-01-01 12:00:00'",
    "at > '2024-01-01T00:00:00.0000001Z'",
    "local > '2024-01-01T00:00:00+02:00'",
    "CASE WHEN ok THEN id = 1 ELSE id = 2 END",
    "(id, small) = (1, 2)",
    "EXTRACT(year FROM at) = 2024",
    "name",
]


@pytest.mark.parametrize("where", UNKNOWN)
def test_what_a_log_can_not_answer_is_unknown(where: str):
    found = parse(where, SCHEMA)
    assert isinstance(found, Unknown) or (
        isinstance(found, And) and any(isinstance(o, Unknown) for o in found.operands)
    )
    negated = parse(f"NOT ({where})", SCHEMA)
    assert isinstance(negated, Unknown) or (isinstance(negated, Or) and any(map(_is_unknown, negated.operands)))


def _is_unknown(one: Any) -> bool:
    return isinstance(one, Unknown)


def test_a_part_of_a_like_is_kept():
    found = parse("name LIKE 'ab%c'", SCHEMA)
    assert isinstance(found, And)
    assert found.operands[0] == StartsWith(column("name"), "ab")
    assert isinstance(found.operands[1], Unknown)


ERRORS = {
    "": "can't be understood",
    "id >": "can't be understood",
    "id = 'x": "can't be understood",
    "id = 1 id = 2": "can't be understood",
    "id = 1; DROP TABLE delta_files": "Not a condition",
    "id = 1 XOR nope = 2": "no column 'nope'",
    "id = 1 XOR": "can't be understood",
    "id = 1 ORDER BY id": "can't be understood",
    "id.x = 1": "no column 'id.x'",
    "SELECT 1": "Not a condition",
    "id = 1 AS x": "Not a condition",
    "nope = 1": "no column 'nope'",
    "lower(nope) = 'a'": "no column 'nope'",
    "nope IS NULL": "no column 'nope'",
    "place.nope = 1": "no column 'place.nope'",
    "ID = 1": "no column 'ID'",
    "id = 'abc'": "'abc' is no value of column 'id', which is of type long",
    "day = 'soon'": "no value of column 'day'",
    "at > 'soon'": "no value of column 'at'",
    "ok = 'maybe'": "no value of column 'ok'",
    "ratio > 'much'": "no value of column 'ratio'",
    "(" * 5000 + "id = 1" + ")" * 5000: "nested too deeply",
}


@pytest.mark.parametrize("where", ERRORS, ids=range(len(ERRORS)))
def test_errors_say_what_is_wrong(where: str):
    with pytest.raises(ArgumentError) as error:
        parse(where, SCHEMA)
    assert ERRORS[where] in error.value.message


def test_the_hint_of_a_name_in_the_wrong_case_is_the_right_one():
    with pytest.raises(ArgumentError) as error:
        parse('"upper case" = 1', SCHEMA)
    assert error.value.hint == "Names of columns are case-sensitive: did you mean 'Upper Case'?"


def test_thousands_of_operands_are_no_deep_tree():
    found = parse(" OR ".join(f"id = {number}" for number in range(5000)), SCHEMA)
    assert isinstance(found, Or)
    assert len(found.operands) == 5000


ARROW: list[tuple[pc.Expression, Any]] = [
    (pc.field("id") > 5, compare("id", ">", 5)),
    (pc.scalar(5) < pc.field("id"), compare("id", ">", 5)),
    (pc.field("id") != 5, Not(compare("id", "=", 5))),
    ((pc.field("id") > 5) & (pc.field("name") == "a"), And((compare("id", ">", 5), compare("name", "=", "a")))),
    ((pc.field("id") > 5) | ~pc.field("ok"), Or((compare("id", ">", 5), Not(compare("ok", "=", True))))),
    (pc.field("place", "city") == "Graz", Compare(column(("place", "city")), "=", "Graz")),
    (pc.field("a.b") == 1, Compare(column(("a.b",)), "=", 1)),
    (pc.field("id").is_null(), IsNull(ID)),
    (pc.field("id").is_valid(), Not(IsNull(ID))),
    (pc.field("id").isin([1, 2]), And((In(ID, (1, 2)), Not(IsNull(ID))))),
    (pc.field("id").isin([1, None]), Or((And((compare("id", "=", 1), Not(IsNull(ID)))), IsNull(ID)))),
    (pc.starts_with(pc.field("name"), "ab"), StartsWith(column("name"), "ab")),
    (pc.match_like(pc.field("name"), "ab%"), StartsWith(column("name"), "ab")),
    (pc.field("day") == date(2024, 1, 1), compare("day", "=", date(2024, 1, 1))),
    (pc.field("day") == "2024-01-01", compare("day", "=", date(2024, 1, 1))),
    (pc.field("at") == NOON.replace(tzinfo=UTC), compare("at", "=", NOON.replace(tzinfo=UTC))),
    (
        pc.field("at") == (NOON + timedelta(hours=2)).replace(tzinfo=timezone(timedelta(hours=2))),
        compare("at", "=", NOON.replace(tzinfo=UTC)),
    ),
    (pc.field("local") == NOON, compare("local", "=", NOON)),
    (pc.field("at").cast(pa.date32()) < date(2024, 1, 1), compare("at", "<", datetime(2024, 1, 1, tzinfo=UTC))),
    (pc.field("small").cast(pa.int64()) == 3, compare("small", "=", 3)),
    (pc.field("price") > Decimal("1.505"), compare("price", ">", Decimal("1.505"))),
    (pc.field("raw") == b"\x00\xff", compare("raw", "=", b"\x00\xff")),
    (pc.field("name") > 'it\'s\n"x"', compare("name", ">", 'it\'s\n"x"')),
    (pc.field("ok"), compare("ok", "=", True)),
    (pc.scalar(True), TRUE),
    (pc.scalar(pa.scalar(None, pa.bool_())), NULL),
    (pc.field("id") == pa.scalar(None, pa.int64()), NULL),
]


@pytest.mark.parametrize(("expression", "expected"), ARROW, ids=[str(each)[:40] for each, _ in ARROW])
def test_arrow(expression: pc.Expression, expected: Any):
    assert parse(expression, SCHEMA) == expected


ARROW_UNKNOWN = [
    pc.field("id") + 1 > 5,
    pc.field("id") == pc.field("small"),
    pc.is_nan(pc.field("ratio")),
    pc.field("ratio").is_null(nan_is_null=True),
    pc.starts_with(pc.field("name"), "a", ignore_case=True),
    pc.match_substring(pc.field("name"), "a"),
    pc.field("name").cast(pa.int64()) == 5,
    pc.field("ratio") > pc.scalar(math.nan),
    pc.if_else(pc.field("ok"), pc.field("id") == 1, pc.field("id") == 2),
]


@pytest.mark.parametrize("expression", ARROW_UNKNOWN, ids=str)
def test_an_expression_without_a_counterpart_is_unknown(expression: pc.Expression):
    assert isinstance(parse(expression, SCHEMA), Unknown)
    assert isinstance(parse(~expression, SCHEMA), Unknown)


def test_an_expression_of_an_unknown_column_is_an_error():
    with pytest.raises(ArgumentError, match="no column 'nope'"):
        parse(pc.field("nope") + 1 > 5, SCHEMA)


def test_thousands_of_operands_of_an_expression():
    expression = pc.field("id") == 0
    for number in range(1, 1200):
        expression |= pc.field("id") == number
    assert len(list(columns_of(parse(expression, SCHEMA)))) == 1200


TUPLES: list[tuple[Any, Any]] = [
    ([], TRUE),
    ([("id", "=", 5)], compare("id", "=", 5)),
    ([("id", "=", "5"), ("name", ">", "a")], And((compare("id", "=", 5), compare("name", ">", "a")))),
    ([[("id", "=", 5)], [("id", "=", 6)]], Or((compare("id", "=", 5), compare("id", "=", 6)))),
    ([("id", "in", [1, "2"])], In(ID, (1, 2))),
    ([("id", "in", {7})], compare("id", "=", 7)),
    ([("id", "not in", (1, 2))], Not(In(ID, (1, 2)))),
    ([("id", "in", [])], FALSE),
    ([("id", "not in", [])], TRUE),
    ([("name", ">=", 12)], compare("name", ">=", "12")),
    ([("ok", "=", True)], compare("ok", "=", True)),
    ([("ok", "=", "TRUE")], compare("ok", "=", True)),
    ([("day", ">", date(2024, 1, 1))], compare("day", ">", date(2024, 1, 1))),
    ([("at", "=", NOON)], compare("at", "=", NOON.replace(tzinfo=UTC))),
    ([("at", "=", NOON.replace(tzinfo=UTC))], compare("at", "=", NOON.replace(tzinfo=UTC))),
    ([("price", "=", Decimal("1.50"))], compare("price", "=", Decimal("1.50"))),
    # The empty text stands for null.
    ([("id", "=", "")], IsNull(ID)),
    ([("id", "!=", "")], Not(IsNull(ID))),
    ([("id", ">", "")], NULL),
    ([("region", "=", "")], IsNull(column("region"))),
    ([("region", "in", ["", "a"])], Or((In(column("region"), ("", "a")), IsNull(column("region"))))),
    ([("name", "=", "")], Or((IsNull(column("name")), compare("name", "=", "")))),
]


@pytest.mark.parametrize(("filters", "expected"), TUPLES, ids=[repr(filters)[:40] for filters, _ in TUPLES])
def test_tuples(filters: Any, expected: Any):
    assert parse(filters, SCHEMA) == expected


@pytest.mark.parametrize(
    "filters",
    [
        [("id", "~", 5)],
        [("id", "IN", [5])],
        [("id", "=", None)],
        [("id", "=", [5])],
        [("id", "in", "ab")],
        [("id", "=", "abc")],
        [("nope", "=", 5)],
        [("id", "=")],
        [[]],
        [("id", "=", 5), [("id", "=", 5)]],
        {"id": 5},
        7,
        None,
    ],
    ids=repr,
)
def test_filters_that_are_none(filters: Any):
    with pytest.raises(ArgumentError):
        parse(filters, SCHEMA)


# ---- the schema


def test_names_on_disk_are_those_of_column_mapping():
    physical = {"delta.columnMapping.physicalName": "col-1"}
    inner = struct_of(field_of("x", "long", **{"delta.columnMapping.physicalName": "col-2"}))
    mapped = schema_of(field_of("s", inner, **physical), configuration={"delta.columnMapping.mode": "name"})
    assert mapped.column("s.x").physical == ("col-1", "col-2")
    # Without the mode, names in the fields' metadata mean nothing.
    assert schema_of(field_of("s", inner, **physical)).column("s.x").physical == ("s", "x")


def test_a_name_with_dots_goes_before_a_field_of_a_struct():
    schema = schema_of(field_of("a", struct_of(field_of("b", "long"))), field_of("a.b", "string"))
    assert schema.column("a.b").kind == "string"
    assert schema.column(("a", "b")).kind == "long"


def test_text_in_another_order_than_that_of_bytes_is_not_compared():
    schema = schema_of(field_of("name", "string", __CHAR_VARCHAR_TYPE_STRING="char(4)"), field_of("code", "char(4)"))
    assert isinstance(parse("name = 'ab'", schema), Unknown)  # blanks at the end may not count
    assert isinstance(parse("code = 'ab'", schema), Unknown)
    assert parse("name IS NULL", schema) == IsNull(schema.column("name"))
    schema = schema_of(field_of("name", "string", __COLLATIONS={"name": "spark.UTF8_LCASE"}))
    assert isinstance(parse("name = 'A'", schema), Unknown)
    assert parse("name IS NULL", schema) == IsNull(schema.column("name"))


@pytest.mark.parametrize("text", [None, "", "no JSON", "[]", '{"type":"struct"}', '{"fields":[{"name":"a"}]}', "7"])
def test_a_schema_that_is_none(text: str | None):
    with pytest.raises(CorruptLogError, match="version 7"):
        TableSchema.of(
            MetadataRow(7, None, None, None, None, text, "[]", "{}", None, None), ProtocolRow(7, 1, 2, None, None, None)
        )
