from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from deltalakedb.catalog.database import Database
from deltalakedb.catalog.files import end_live, find_live
from deltalakedb.migrate.importer import import_table
from tests.support.logs import LogBuilder, add, metadata, protocol


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """Enough files that reading all of them costs more than looking ten of them up."""
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), *(add(f"{number}") for number in range(3000)))
    return log


def plans(connection: Connection, work: Callable[[], Any]) -> list[str]:
    """The database's plans for the statements on files that `work` executes."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if "delta_files" in statement:
            seen.append((statement, parameters[0] if many else parameters))

    event.listen(connection, "before_cursor_execute", note)
    work()
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    asked = (connection.exec_driver_sql(explain + statement, parameters) for statement, parameters in seen)
    return ["\n".join(map(str, plan)) for plan in asked]


def test_files_are_found_and_ended_by_their_key_however_many_are_live(database: Database, log: LogBuilder):
    import_table(database, str(log.root), "t")
    with database.transaction() as connection:
        hashes = [row[0] for row in connection.exec_driver_sql("SELECT key_hash FROM delta_files LIMIT 10")]
        found = find_live(connection, "t", hashes)
        assert len(found) == 10
        ends = [file._replace(removed_version=1) for file in found.values()]
        asked = plans(connection, lambda: find_live(connection, "t", hashes))
        asked += plans(connection, lambda: end_live(connection, "t", ends))
        assert len(asked) == 2
        for plan in asked:
            assert "delta_files_by_key" in plan
            assert "delta_files_live" not in plan
        assert find_live(connection, "t", hashes) == {}
