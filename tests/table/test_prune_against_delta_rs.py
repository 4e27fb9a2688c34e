"""Against delta-rs' own pruning of tables that delta-rs wrote: partitions exactly, statistics with one margin.

The margin: `>` and `>=` of `float` and `double` columns alone rule nothing out here. delta-rs leaves NaN out of the
statistics that it writes, and yet NaN is greater than every number to its engine: it loses those rows. Where another
condition bounds the column from above, nothing is lost, and both keep the same files.
"""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from deltalakedb.client import connect

FILES, ROWS = 24, 4
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def _day(number: int) -> date:
    return date(2024, 1, 1) + timedelta(days=number)


COLUMNS: dict[str, tuple[pa.DataType, Callable[[int], Any], Callable[[int], str]]] = {
    # Arrow type, the value of a number, and its SQL
    "i": (pa.int64(), lambda n: n * 10, lambda n: str(n * 10)),
    "small": (pa.int16(), lambda n: n, str),
    "s": (pa.string(), lambda n: f"customer-{n:03}", lambda n: f"'customer-{n:03}'"),
    "d": (
        pa.date32(),
        lambda n: date(2024, 1, 1) + timedelta(days=n),
        lambda n: f"'{date(2024, 1, 1) + timedelta(n)}'",
    ),
    "ts": (pa.timestamp("us", "UTC"), lambda n: NOON + timedelta(hours=n), lambda n: f"'{NOON + timedelta(hours=n)}'"),
    "de": (pa.decimal128(10, 2), lambda n: Decimal(n) / 4, lambda n: str(Decimal(n) / 4)),
    "x": (pa.float64(), lambda n: n / 4, lambda n: str(n / 4)),
    "b": (pa.bool_(), lambda n: n % 2 == 0, lambda n: str(n % 2 == 0).upper()),
}
DATA = [name for name in COLUMNS if name != "b"]


def _rows(dice: random.Random) -> pa.Table:
    """The rows of one file: near to each other, some null, and some columns all null."""
    around, holes = dice.randrange(100), dice.choice([0.0, 0.0, 0.3, 1.0])
    numbers = [around + dice.randrange(4) for _ in range(ROWS)]
    columns = {}
    for name, (kind, value, _) in COLUMNS.items():
        columns[name] = pa.array([None if dice.random() < holes else value(n) for n in numbers], kind)
    return pa.table(columns)


def _condition(dice: random.Random, names: list[str], depth: int = 2) -> str:
    if depth and dice.random() < 0.5:
        parts = [_condition(dice, names, depth - 1) for _ in range(dice.choice([1, 2, 2]))]
        if len(parts) == 1:
            return f"NOT ({parts[0]})"
        return dice.choice([" AND ", " OR "]).join(f"({part})" for part in parts)
    name, number = dice.choice(names), dice.randrange(104)
    literal = COLUMNS[name][2]
    kind = dice.random()
    if kind < 0.6 or name == "b":
        return f"{name} {dice.choice(['=', '!=', '<', '<=', '>', '>='])} {literal(number)}"
    if kind < 0.75:
        return f"{name} BETWEEN {literal(number)} AND {literal(number + dice.randrange(9))}"
    if kind < 0.9:
        return f"{name} {dice.choice(['', 'NOT '])}IN ({literal(number)}, {literal(dice.randrange(104))})"
    return f"{name} IS {dice.choice(['', 'NOT '])}NULL"


def _both(peer: deltalake.DeltaTable, ours: Any, where: Any) -> tuple[set[str], set[str]]:
    theirs = set(peer.file_uris(file_pruning_predicate=where))
    return theirs, set(ours.file_uris(file_pruning_predicate=where))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of small files that overlap a little."""
    dice = random.Random(7)
    for _ in range(FILES):
        write_deltalake(tmp_path / "t", _rows(dice), mode="append")
    return tmp_path / "t"


def test_no_fewer_files_are_left_out(table: Path, database_url: str):
    dice, peer = random.Random(11), deltalake.DeltaTable(table)
    left_out = more = 0
    with connect(database_url) as catalog:
        catalog.import_table(str(table))
        ours = catalog.table("t")
        for _ in range(250):
            where = _condition(dice, [name for name in COLUMNS if name != "x"])
            theirs, found = _both(peer, ours, where)
            assert found <= theirs, where
            left_out, more = left_out + FILES - len(theirs), more + len(theirs - found)
    assert left_out > 1000  # else nothing was compared
    assert more > 0  # what only we leave out is right: test_prune_safety.py


def test_doubles_with_an_upper_end_are_as_sharp(table: Path, database_url: str):
    dice, peer = random.Random(13), deltalake.DeltaTable(table)
    with connect(database_url) as catalog:
        catalog.import_table(str(table))
        ours = catalog.table("t")
        for _ in range(100):
            low = dice.randrange(400) / 16
            where = dice.choice(
                [
                    f"x = {low}",
                    f"x < {low}",
                    f"x <= {low}",
                    f"x > {low} AND x < {low + 2}",
                    f"x BETWEEN {low} AND {low + 1}",
                    f"x IN ({low}, {low + 3})",
                    "x IS NULL",
                    "x IS NOT NULL",
                ]
            )
            theirs, found = _both(peer, ours, where)
            assert found == theirs, where


def test_the_margin_is_where_delta_rs_loses_rows(tmp_path: Path, database_url: str):
    write_deltalake(tmp_path / "t", pa.table({"x": [1.0, float("nan")]}))
    peer = deltalake.DeltaTable(tmp_path / "t")
    with connect(database_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
        theirs, found = _both(peer, catalog.table("t"), "x > 5")
        assert theirs == set()
        assert len(found) == 1
        assert _both(peer, catalog.table("t"), "x > 5 AND x < 9") == (set(), set())


PARTITIONED = {
    "i": ["2", "1", "10", "-7"],
    "s": ["a", "b", "null", "ü", "a b", "a%b", "10", "9"],
    "d": ["2024-01-01", "2023-12-31", "2024-10-01"],
    "ts": ["2024-01-01 00:00:00", "2024-01-01 00:00:00.000001", "2024-01-01 12:00:00"],
    "de": ["1.50", "10.25", "-1.00", "0.00"],
    "b": ["true", "false"],
}


@pytest.mark.parametrize("name", PARTITIONED)
def test_partitions_are_left_out_exactly(tmp_path: Path, database_url: str, name: str):
    kind, values = COLUMNS[name][0], PARTITIONED[name]
    column = pa.array([*values, None]).cast(pa.timestamp("us") if name == "ts" else kind).cast(kind)
    rows = pa.table({name: column, "v": range(len(column))})
    write_deltalake(tmp_path / "t", rows, partition_by=[name])
    dice, peer = random.Random(17), deltalake.DeltaTable(tmp_path / "t")
    with connect(database_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
        ours = catalog.table("t")
        for _ in range(60):
            low, high = (dice.choice(values) for _ in range(2))
            sql = [value if name in ("i", "de", "b") else f"'{value}'" for value in (low, high)]
            op = dice.choice(["=", "!=", "<", "<=", ">", ">="])
            where: Any = dice.choice(
                [
                    f"{name} {op} {sql[0]}",
                    f"NOT ({name} {op} {sql[0]})",
                    f"{name} IN ({sql[0]}, {sql[1]})",
                    f"{name} NOT IN ({sql[0]}, {sql[1]})",
                    f"{name} IN ({sql[0]}, NULL)",
                    f"{name} IS NULL",
                    f"{name} IS NOT NULL",
                    f"{name} {op} {sql[0]} AND v >= 3",
                    f"{name} IS NULL OR v = 2",
                    [(name, op, low)],
                    [(name, op, "")],
                    [(name, "in", [low, high])],
                    [(name, "not in", [low, high])],
                    [[(name, "=", low)], [(name, "=", high), ("v", ">", "1")]],
                ]
            )
            theirs, found = _both(peer, ours, where)
            assert found == theirs, where
