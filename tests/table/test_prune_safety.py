"""Nothing is ever lost, whatever the data, its statistics and the predicate; with an index and without.

The same examples each time. `DELTALAKEDB_EXAMPLES=1500` makes that many new ones for each set of columns.
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from deltalakedb.catalog import ranges
from deltalakedb.catalog.dialects import dialect_for
from deltalakedb.columns import Family
from tests.table.conditions import conditions
from tests.table.honest_stats import PATHS, SCHEMA, VALUES, files, pools_of
from tests.table.pruning import TABLE, kept_by_each, load

WANTED_EXAMPLES = int(os.environ.get("DELTALAKEDB_EXAMPLES", "0"))
EXAMPLES = settings(
    max_examples=WANTED_EXAMPLES or 15,
    derandomize=not WANTED_EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("columns", [*((name,) for name in VALUES), ("i", "x"), ("s", "b", "a")], ids="-".join)
def test_no_file_with_a_matching_row_is_left_out(connection: Connection, columns: tuple[str, ...]):
    left_out = 0

    @EXAMPLES
    @given(st.data())
    def check(data):
        nonlocal left_out
        pools = data.draw(pools_of(*columns))
        table = data.draw(st.lists(files(pools), min_size=2, max_size=6))
        wanted = data.draw(st.lists(conditions(pools), min_size=4, max_size=10))
        indexed = data.draw(st.booleans())
        texts, expressions = [each.sql for each in wanted], [each.expression for each in wanted]
        with connection.begin() as transaction:
            load(connection, table)
            found = kept_by_each(connection, SCHEMA, [*texts, *expressions])
            by_text, by_expression = found[: len(texts)], found[len(texts) :]
            if indexed:
                _index(connection, columns)
            by_index = kept_by_each(connection, SCHEMA, texts) if indexed else by_text
            transaction.rollback()
        for condition, left, of_expression, of_index in zip(wanted, by_text, by_expression, by_index, strict=True):
            needed = {number for number, file in enumerate(table) if any(map(condition.matches, file.rows))}
            assert needed <= left, (condition.sql, [table[number] for number in needed - left])
            # A pyarrow expression keeps a few more: `IN` is not NULL there for a NULL.
            assert needed <= of_expression, (str(condition.expression), condition.sql)
            # An index knows times with a zone, and the ends of texts, a little better.
            assert needed <= of_index <= left, condition.sql
            left_out += len(table) - len(left)

    check()
    assert left_out > 5  # else nothing was tested


def _index(connection: Connection, columns: tuple[str, ...]) -> None:
    for name in columns:
        column = SCHEMA.column(PATHS[name])
        if column.family is not Family.BINARY:
            dialect = dialect_for(connection.dialect.name)
            ranges.create(connection, dialect, TABLE, column.name, column.physical, column.family)
