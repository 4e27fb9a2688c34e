"""Nothing is ever lost, whatever the data, its statistics and the predicate; with an index and without.

The same examples each time. `DELTALAKEDB_EXAMPLES=1500` makes that many new ones for each set of columns. Without data
files, so that every database is asked often; tests/comparison reads rows as well.
"""

import os
import random
from typing import Any

import pytest
from sqlalchemy import Connection

from deltalakedb.catalog import ranges
from deltalakedb.catalog.dialects import dialect_for
from deltalakedb.columns import Family
from tests.comparison import statistics
from tests.comparison.kinds import KINDS, some_values
from tests.comparison.notations import expression, sql
from tests.comparison.predicates import Asker, Column, may_match
from tests.table.pruning import TABLE, File, field_of, kept_by_each, load, schema_of, struct_of

WANTED_EXAMPLES = int(os.environ.get("DELTALAKEDB_EXAMPLES", "0"))
FIRST = random.SystemRandom().randrange(10**9) if WANTED_EXAMPLES else 0
SEEDS = range(FIRST, FIRST + (WANTED_EXAMPLES or 15))

NAMES = {"i": "long", "s": "string", "d": "date", "ts": "timestamp", "nz": "timestamp_ntz", "de": "decimal(10,2)"}
NAMES |= {"big": "decimal(38,6)", "f": "float", "x": "double", "b": "boolean", "bin": "binary"}
INNER = {"a": "long"}
COLUMNS = {name: Column((name,), KINDS[kind]) for name, kind in NAMES.items()}
COLUMNS |= {name: Column(("st", name), KINDS[kind]) for name, kind in INNER.items()}
SCHEMA = schema_of(
    *(field_of(name, kind) for name, kind in NAMES.items()),
    field_of("st", struct_of(*(field_of(name, kind) for name, kind in INNER.items()))),
)


@pytest.mark.parametrize("names", [*((name,) for name in COLUMNS), ("i", "x"), ("s", "b", "a")], ids="-".join)
def test_no_file_with_a_matching_row_is_left_out(connection: Connection, names: tuple[str, ...]):
    left_out = sum(_checked(connection, [COLUMNS[name] for name in names], seed) for seed in SEEDS)
    assert left_out > 5  # else nothing was tested


def _checked(connection: Connection, columns: list[Column], seed: int) -> int:
    """The number of files that conditions leave out, none of which has a row that matches."""
    dice = random.Random(seed)
    pools = {column: some_values(dice, column.kind, dice.randint(1, 4)) for column in columns}
    table = [_file(dice, pools) for _ in range(dice.randint(2, 6))]
    wanted = [Asker(dice, pools).predicate() for _ in range(dice.randint(4, 10))]
    texts, expressions = [sql(each) for each in wanted], [expression(each) for each in wanted]
    with connection.begin() as transaction:
        load(connection, table)
        found = kept_by_each(connection, SCHEMA, [*texts, *expressions])
        by_text, by_expression = found[: len(texts)], found[len(texts) :]
        by_index = by_text
        if dice.random() < 0.5:
            _index(connection, columns)
            by_index = kept_by_each(connection, SCHEMA, texts)
        transaction.rollback()
    for asked, text, left, of_expression, of_index in zip(wanted, texts, by_text, by_expression, by_index, strict=True):
        needed = {number for number, file in enumerate(table) if any(may_match(asked, row) for row in file.rows)}
        assert needed <= left, (seed, text, [table[number] for number in needed - left])
        # A pyarrow expression keeps a few more: `IN` is not NULL there for a NULL.
        assert needed <= of_expression, (seed, text, [table[number] for number in needed - of_expression])
        # An index knows times with a zone, and the ends of texts, a little better.
        assert needed <= of_index <= left, (seed, text)
    return sum(len(table) - len(left) for left in by_text)


def _file(dice: random.Random, pools: dict[Column, list[Any]]) -> File:
    """A file of a few rows, some of which a deletion vector may hide."""
    chosen = {column: [*pool, None] if dice.random() < 0.5 else pool for column, pool in pools.items()}
    rows = [{column.path: dice.choice(pool) for column, pool in chosen.items()} for _ in range(dice.randint(1, 2))]
    leaves = [statistics.Leaf(each.path, each.kind, [row[each.path] for row in rows]) for each in chosen]
    return File(rows[dice.randrange(len(rows)) :], statistics.written(dice, leaves, len(rows), odd=True))


def _index(connection: Connection, columns: list[Column]) -> None:
    for each in columns:
        column = SCHEMA.column(each.path)
        if column.family is not Family.BINARY:
            dialect = dialect_for(connection.dialect.name)
            ranges.create(connection, dialect, TABLE, column.name, column.physical, column.family)
