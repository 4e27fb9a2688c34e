"""Nothing is ever lost: whatever the data, its statistics and the predicate."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from deltalakedb.catalog.database import Database
from tests.table.conditions import conditions
from tests.table.honest_stats import SCHEMA, VALUES, files, pools_of
from tests.table.pruning import kept, load


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    database = Database(database_url)
    with database.writing() as connection:
        yield connection
    database.close()


@pytest.mark.parametrize("columns", [*((name,) for name in VALUES), ("i", "x"), ("s", "b", "a")], ids="-".join)
def test_no_file_with_a_matching_row_is_left_out(connection: Connection, columns: tuple[str, ...]):
    left_out = 0

    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data):
        nonlocal left_out
        pools = data.draw(pools_of(*columns))
        table = data.draw(st.lists(files(pools), min_size=1, max_size=5))
        wanted = data.draw(st.lists(conditions(pools), min_size=1, max_size=5))
        with connection.begin() as transaction:
            load(connection, table)
            for condition in wanted:
                needed = {number for number, file in enumerate(table) if any(map(condition.matches, file.rows))}
                for where in (condition.sql, condition.expression):
                    found = kept(connection, SCHEMA, where)
                    assert needed <= found, (str(where), [table[number] for number in needed - found])
                    left_out += len(table) - len(found)
            transaction.rollback()

    check()
    assert left_out > 100  # else nothing was tested
