"""Nothing is ever lost, whatever the data, its statistics and the predicate; with an index and without."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from deltalakedb.catalog import ranges
from deltalakedb.catalog.dialects import dialect_for
from deltalakedb.table.types import Family
from tests.table.conditions import conditions
from tests.table.honest_stats import PATHS, SCHEMA, VALUES, files, pools_of
from tests.table.pruning import TABLE, kept, load

pytestmark = pytest.mark.skip(reason="the random search of the pruner is being finished; see the open work on pruning")


@pytest.mark.parametrize("columns", [*((name,) for name in VALUES), ("i", "x"), ("s", "b", "a")], ids="-".join)
def test_no_file_with_a_matching_row_is_left_out(connection: Connection, columns: tuple[str, ...]):
    left_out = 0

    @settings(
        max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def check(data):
        nonlocal left_out
        pools = data.draw(pools_of(*columns))
        table = data.draw(st.lists(files(pools), min_size=2, max_size=6))
        wanted = data.draw(st.lists(conditions(pools), min_size=3, max_size=8))
        indexed = data.draw(st.booleans())
        with connection.begin() as transaction:
            load(connection, table)
            found = {condition.sql: kept(connection, SCHEMA, condition.sql) for condition in wanted}
            if indexed:
                _index(connection, columns)
            for condition in wanted:
                needed = {number for number, file in enumerate(table) if any(map(condition.matches, file.rows))}
                left = found[condition.sql]
                assert needed <= left, (condition.sql, [table[number] for number in needed - left])
                # A pyarrow expression keeps a few more: `IN` is not NULL there for a NULL.
                assert needed <= kept(connection, SCHEMA, condition.expression), str(condition.expression)
                # An index knows times with a zone, and the ends of texts, a little better.
                assert needed <= (kept(connection, SCHEMA, condition.sql) if indexed else left) <= left, condition.sql
                left_out += len(table) - len(left)
            transaction.rollback()

    check()
    assert left_out > 100  # else nothing was tested


def _index(connection: Connection, columns: tuple[str, ...]) -> None:
    for name in columns:
        column = SCHEMA.column(PATHS[name])
        if column.family is not Family.BINARY:
            dialect = dialect_for(connection.dialect.name)
            ranges.create(connection, dialect, TABLE, column.name, column.physical, column.family)
