"""Partitions are decided exactly: as values of their type, with NULL as SQL has it."""

from typing import Any

import pytest
from sqlalchemy import Connection

from deltalakedb.catalog import partitions
from deltalakedb.columns import TableSchema
from tests.table.pruning import File, field_of, load, pruned, schema_of
from tests.table.test_prune import file


def schema(kind: str) -> TableSchema:
    return schema_of(field_of("p", kind), field_of("id", "long"), partitions=["p"])


def left(connection: Connection, kind: str, values: list[Any], where: Any) -> list[Any]:
    """The partition values among `values` whose files are kept; `...` stands for none at all."""
    files = [File([], None, {} if value is ... else {"p": value}) for value in values]
    return [values[number] for number in sorted(pruned(connection, schema(kind), files, where))]


NULLS = [None, "", ...]

EXACT = [
    (
        "long",
        ["1", "2", "10", "-3", "007"],
        {
            "p > 2": ["10", "007"],
            "p = 7": ["007"],
            "p < 1": ["-3"],
            "p > 2.5": ["10", "007"],
            "p IN (1, 2)": ["1", "2"],
            "NOT p > 1": ["1", "-3"],
            "p <> 10": ["1", "2", "-3", "007"],
        },
    ),
    ("long", ["9007199254740993", "9007199254740992"], {"p = 9007199254740993": ["9007199254740993"]}),
    (
        "string",
        ["a", "b", "null", "é", "a b", "a%20b", "10", "9"],
        {
            "p = 'null'": ["null"],
            "p > 'b'": ["null", "é"],
            "p = 'a b'": ["a b"],
            "p LIKE 'a%'": ["a", "a b", "a%20b"],
            # As texts or as numbers: engines differ.
            "p >= 9": ["a", "b", "null", "é", "a b", "a%20b", "10", "9"],
            "p = 10": ["a", "b", "null", "é", "a b", "a%20b", "10"],
            "NOT p = 10": ["a", "b", "null", "é", "a b", "a%20b", "9"],
        },
    ),
    ("string", ["x" * 40 + "a", "x" * 40 + "b"], {f"p = '{'x' * 40}a'": ["x" * 40 + "a"]}),
    (
        "date",
        ["2024-01-01", "2024-1-2", "2023-12-31", "0001-01-01"],
        {
            "p >= '2024-01-01'": ["2024-01-01", "2024-1-2"],
            "p = DATE '2024-01-02'": ["2024-1-2"],
            "p < '0002-01-01'": ["0001-01-01"],
        },
    ),
    (
        "timestamp",
        [
            "2024-01-01 12:00:00",
            "2024-01-01 12:00:00.000001",
            "2024-01-01T12:00:00.000000Z",
            "2024-01-01T14:00:00+02:00",
            "2024-01-01 00:00:00",
        ],
        {
            "p = '2024-01-01T12:00:00Z'": [
                "2024-01-01 12:00:00",
                "2024-01-01T12:00:00.000000Z",
                "2024-01-01T14:00:00+02:00",
            ],
            "p > '2024-01-01 12:00:00'": ["2024-01-01 12:00:00.000001"],
            "p <= '2024-01-01'": ["2024-01-01 00:00:00"],
        },
    ),
    (
        "timestamp_ntz",
        ["2024-01-01 12:00:00", "2024-01-01T12:00:00.5"],
        {"p > '2024-01-01 12:00:00.4'": ["2024-01-01T12:00:00.5"]},
    ),
    (
        "boolean",
        ["true", "false", "True"],
        {"p": ["true", "True"], "NOT p": ["false"], "p = FALSE": ["false"], "p > FALSE": ["true", "True"]},
    ),
    (
        "decimal(10,2)",
        ["1.50", "1.5", "-0.01", "10.00"],
        {"p = 1.5": ["1.50", "1.5"], "p > 1.499": ["1.50", "1.5", "10.00"], "p < 0": ["-0.01"]},
    ),
    (
        "decimal(38,2)",
        ["12345678901234567890.12", "12345678901234567890.13"],
        {
            # Some engines compare them as doubles, of which both are the same.
            "p = 12345678901234567890.12": ["12345678901234567890.12", "12345678901234567890.13"],
            # To DataFusion the literal is the nearest double, with all its digits: 12345678901234567168.
            "p > 12345678901234567890.12": ["12345678901234567890.12", "12345678901234567890.13"],
            "p < 12345678901234500000": [],
        },
    ),
    (
        "double",
        ["0.1", "1.0E10", "-Infinity", "-0.0", "100000000000000000000"],
        {
            "p = 0.1": ["0.1"],
            "p > 1": ["1.0E10", "100000000000000000000"],
            "p < 0": ["-Infinity", "-0.0"],
            "p = 0": ["-0.0"],
        },
    ),
    (
        "float",
        ["0.1", "2.5"],
        {
            "p = 2.5": ["2.5"],
            "p > 0.2": ["2.5"],
            "p = 0.1": ["0.1"],
            "p > 0.1": ["0.1", "2.5"],  # of 32 bits it is 0.100000001490116
            "NOT p <= 0.1": ["0.1", "2.5"],
            "p < 0.1": [],
        },
    ),
    ("binary", ["ab", "b"], {"p = X'6162'": ["ab"], "p > X'6162'": ["b"]}),
]


@pytest.mark.parametrize(
    ("kind", "values", "wanted"), EXACT, ids=[f"{kind}-{values[0][:12]}" for kind, values, _ in EXACT]
)
def test_values_of_every_type(connection: Connection, kind: str, values: list[str], wanted: dict[str, list[str]]):
    for where, expected in wanted.items():
        assert left(connection, kind, values + NULLS, where) == expected, where


def test_pitfall_20_null_the_empty_text_and_nothing_at_all_are_null(connection: Connection):
    for kind in ("string", "long", "date"):
        values = ["1" if kind != "date" else "2024-01-01", *NULLS]
        assert left(connection, kind, values, "p IS NULL") == NULLS
        assert left(connection, kind, values, "p IS NOT NULL") == values[:1]
        assert left(connection, kind, values, f"p <> '{values[0]}'") == []
        assert left(connection, kind, values, f"NOT p = '{values[0]}'") == []
        assert left(connection, kind, values, f"p <=> '{values[0]}'") == values[:1]
        assert left(connection, kind, values, [("p", "=", "")]) == NULLS
        assert left(connection, kind, values, [("p", "!=", "")]) == values[:1]
    assert left(connection, "string", ["null", *NULLS], "p = 'null'") == ["null"]


def test_pitfall_20_values_are_never_taken_from_a_path(connection: Connection):
    # Files here are named 0.parquet, whatever their partition; a path that lies makes no difference.
    assert left(connection, "long", ["5"], "p = 5") == ["5"]
    assert left(connection, "long", ["5"], "p = 0") == []


def test_the_name_of_null_in_paths_may_be_null_or_a_text(connection: Connection):
    odd = "__HIVE_DEFAULT_PARTITION__"
    for kind, where in (
        ("string", "p = 'a'"),
        ("string", "p IS NULL"),
        ("string", f"p = '{odd}'"),
        ("date", "p IS NULL"),
    ):
        assert odd in left(connection, kind, [odd, "2024-01-01"], where)
    assert left(connection, "string", [odd, "b"], "p = 'c' AND p IS NULL") == [odd]
    assert left(connection, "string", [odd, "b"], "p IS NULL") == [odd]


def test_a_value_under_a_name_of_another_case_is_not_known(connection: Connection):
    of_table = schema_of(field_of("p", "long"), partitions=["p"])
    files = [File([], None, {"P": "1"}), File([], None, {"p": "1", "P": "2"})]
    assert pruned(connection, of_table, files, "p = 2") == {0}
    assert pruned(connection, of_table, files, "p IS NULL") == {0}


def test_values_that_nobody_can_read_keep_their_files(connection: Connection):
    odd = ["soon", "NaN", "1e5", "--", "é\\u0000"]
    for kind in ("long", "date", "timestamp", "boolean", "binary"):
        values = [value for value in odd if kind != "binary" or not value.isascii() or "\\" in value]
        where = {"boolean": "p", "binary": "p = X'00'", "long": "p = 0"}.get(kind, "p = '2024-01-01'")
        assert left(connection, kind, values, where) == values, kind
        assert left(connection, kind, values, f"NOT ({where})") == values, kind
        assert left(connection, kind, values, "p IS NULL") == []
    assert left(connection, "double", ["NaN"], "p > 5") == ["NaN"]
    assert left(connection, "long", [7, True], "p = 0") == [True]
    assert left(connection, "long", [7, True], "p = 7") == [7, True]


def test_partition_and_statistics_together(connection: Connection):
    both = schema("string")
    files = [File([], file("id", low, low + 9).stats, {"p": value}) for value in ("a", "b", None) for low in (0, 10)]
    wanted = {
        "p = 'a' AND id = 5": {0},
        "p = 'a' OR id = 5": {0, 1, 2, 4},
        "(p = 'a' AND id = 5) OR (p = 'b' AND id = 15)": {0, 3},
        "NOT (p = 'a' OR id < 10)": {3},
        "p IS NULL AND id > 9": {5},
        "p IS NULL OR (p = 'b' AND id > 9)": {3, 4, 5},
        "p = 'c'": set(),
        "p = 'c' OR id = 50": set(),
        "p IN ('a', 'b')": {0, 1, 2, 3},
    }
    for where, expected in wanted.items():
        assert pruned(connection, both, files, where) == expected, where


def test_many_remainders(connection: Connection):
    both = schema("long")
    files = [File([], file("id", number, number).stats, {"p": str(number)}) for number in range(40)]
    where = " OR ".join(f"(p = {number} AND id = {number + number % 2})" for number in range(40))
    # Each partition leaves another condition; put together they are not as sharp, but nothing is lost.
    assert pruned(connection, both, files, where) >= {number for number in range(40) if number % 2 == 0}
    few = " OR ".join(f"(p = {number} AND id = {number + number % 2})" for number in range(10))
    assert pruned(connection, both, files, few) == {0, 2, 4, 6, 8}


def test_the_partitions_of_a_table_are_known(connection: Connection):
    files = [File([], None, {"p": str(number % 30)}) for number in range(60)]
    with connection.begin() as transaction:
        load(connection, files)
        assert {values for _, values in partitions.partitions_of(connection, "t")} == {
            f'{{"p": "{number}"}}' for number in range(30)
        }
        assert partitions.partitions_of(connection, "another") == []
        transaction.rollback()
