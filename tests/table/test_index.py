"""Indexes of columns: made, used, kept up, dropped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from deltalakedb.catalog import ranges, registry
from deltalakedb.catalog.database import Database
from deltalakedb.client import Catalog, connect
from deltalakedb.errors import ArgumentError, ImportIncompleteError, TableBusyError, TableNotFoundError
from deltalakedb.table import predicate
from deltalakedb.table.prune import condition
from deltalakedb.table.prune.narrowing import Narrower
from deltalakedb.table.prune.statistics import check_of
from tests.cli.conftest import Cli, cli, on  # noqa: F401 (fixtures)
from tests.support.catalogs import dump, execute
from tests.support.logs import LogBuilder, add, metadata, remove
from tests.support.logs import protocol as protocol_action

COLUMNS = {
    "id": "long",
    "name": "string",
    "at": "timestamp",
    "ratio": "double",
    "raw": "binary",
    "day": "date",
    "place": {"type": "struct", "fields": [{"name": "x", "type": "long", "nullable": True, "metadata": {}}]},
}


def numbered(number: int, **more: Any) -> dict[str, Any]:
    """A file whose columns hold about ten values each, from a number on."""
    low, high = number * 10, number * 10 + 9
    stats = {
        "numRecords": 10,
        "minValues": {"id": low, "name": f"customer-{low:06}", "ratio": low / 4, "place": {"x": low}},
        "maxValues": {"id": high, "name": f"customer-{high:06}", "ratio": high / 4, "place": {"x": high}},
        "nullCount": {"id": 0, "name": 0, "ratio": 0, "place": {"x": 0}},
    }
    values = {"partitionValues": {"day": f"2024-01-{number % 28 + 1:02}"}, "stats": json.dumps(stats), **more}
    return add(f"{number}.parquet", **values)


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """A table of 60 files, one of them without statistics."""
    log = LogBuilder(tmp_path / "t")
    files = [numbered(number) for number in range(59)]
    log.commit(protocol_action(), metadata(COLUMNS, ["day"]), *files, numbered(59, stats=...))
    return log


@pytest.fixture
def catalog(log: LogBuilder, database_url: str) -> Iterator[Catalog]:
    with connect(database_url) as catalog:
        catalog.import_table(str(log.root))
        yield catalog


def found(catalog: Catalog, where: str, version: int | None = None) -> list[int]:
    paths = catalog.table("t", version=version).file_uris(file_pruning_predicate=where)
    return sorted(int(Path(path).stem) for path in paths)


def looked_up(catalog: Catalog, where: str) -> set[int] | None:
    """The key hashes of the files that indexes leave; None where they are no help."""
    with catalog._database.reading() as connection:
        schema = catalog.table("t")._opened.table_schema
        known = ranges.indexes_of(connection, "t")
        return Narrower(connection, known)(predicate.parse(where, schema))


SELECTIVE = {
    "id = 123": 2,
    "id BETWEEN 120 AND 135": 3,
    "id > 120 AND id < 131": 3,
    "id < 5": 2,
    "id > 585": 2,
    "id IN (5, 123, 5000)": 3,
    "id = 123 OR id = 5": 3,
    "id = 123 AND name = 'customer-000123'": 2,
    "id = 123 AND name = 'customer-000453'": 1,
    "id = 7 AND ratio > 3": 2,
    "name = 'customer-000123'": 2,
    "name LIKE 'customer-00012%'": 2,
    "name > 'customer-000585'": 2,
    "ratio BETWEEN 30.0 AND 32.0": 2,
    "place.x = 123": 2,
    "id = 5000": 1,
    "id > 9 AND id < 9": 2,
}


@pytest.mark.parametrize("where", SELECTIVE)
def test_the_same_files_are_found_by_few_look_ups(catalog: Catalog, where: str):
    before = found(catalog, where)
    assert looked_up(catalog, where) is None
    assert catalog.index("t", ["id", "name", "ratio", "place.x"]) == ["id", "name", "place.x", "ratio"]
    hashes = looked_up(catalog, where)
    assert hashes is not None
    assert len(hashes) == SELECTIVE[where]  # the file without statistics is always among them
    assert found(catalog, where) == before


NO_HELP = [
    "at = '2024-01-01'",
    "id IS NULL",
    "NOT id = 5",
    "id + 1 = 5",
    "id = 5 OR at = '2024-01-01'",
    "ratio > 5",
    "TRUE",
]


@pytest.mark.parametrize("where", NO_HELP)
def test_what_an_index_does_not_answer(catalog: Catalog, where: str):
    before = found(catalog, where)
    catalog.index("t", ["id", "ratio"])
    assert looked_up(catalog, where) is None
    assert found(catalog, where) == before


def test_too_many_files_are_not_looked_up(catalog: Catalog, monkeypatch: pytest.MonkeyPatch):
    catalog.index("t", ["id"])
    everything = looked_up(catalog, "id < 1000")
    assert everything is not None
    assert len(everything) == 60
    monkeypatch.setattr("deltalakedb.table.prune.narrowing.MOST_FILES", 59)
    assert looked_up(catalog, "id < 1000") is None
    assert looked_up(catalog, "id < 1000 AND id = 5") is not None
    assert looked_up(catalog, "id < 1000 OR id = 5") is None
    assert found(catalog, "id = 5 OR id = 15 OR id < 30") == [0, 1, 2, 59]


def test_with_a_partition(catalog: Catalog):
    catalog.index("t", ["id"])
    assert found(catalog, "day = '2024-01-13' AND id = 123") == [12]
    assert found(catalog, "day = '2024-01-14' AND id = 123") == []
    assert found(catalog, "day = '2024-01-14' OR id = 123") == [12, 13, 41, 59]


def test_syncs_keep_it_up(catalog: Catalog, log: LogBuilder):
    catalog.index("t", ["id", "place.x"])
    log.commit(numbered(100), remove("5.parquet"))
    log.commit(numbered(101, stats=...), numbered(7, stats=json.dumps({"numRecords": 1, "minValues": {"id": 9000}})))
    catalog.sync("t")
    assert found(catalog, "id = 1005") == [59, 100, 101]
    assert found(catalog, "id = 55") == [59, 101]
    assert found(catalog, "id = 55", version=0) == [5, 59]
    assert found(catalog, "id = 75", version=1) == [7, 59]
    assert found(catalog, "id = 75") == [59, 101]  # its file was added again, with other statistics
    assert found(catalog, "id = 9001") == [7, 59, 101]
    assert found(catalog, "place.x = 1005") == [7, 59, 100, 101]


def test_made_anew_it_is_what_syncs_made_of_it(catalog: Catalog, log: LogBuilder, database_url: str):
    catalog.index("t", ["id"])
    for number in range(60, 66):
        log.commit(numbered(number), remove(f"{number - 60}.parquet"))
    catalog.sync("t")
    kept_up = _ranges(database_url)
    catalog.index("t", ["id"])
    assert _ranges(database_url) == kept_up
    assert len(kept_up) == 66


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def _ranges(url: str) -> list[tuple[Any, ...]]:
    with opened(url) as database, database.reading() as connection:
        rows = connection.execute(text("SELECT table_id, bucket, low, high, key_hash FROM delta_ranges"))
        return sorted(tuple(row) for row in rows)


def test_dropping(catalog: Catalog, database_url: str):
    catalog.index("t", ["id", "name"])
    assert catalog.index("t", ["id"], drop=True) == ["name"]
    assert looked_up(catalog, "id = 5") is None
    assert looked_up(catalog, "name = 'customer-000005'") is not None
    assert len(_ranges(database_url)) == 60
    assert catalog.index("t", ["id"]) == ["id", "name"]
    assert catalog.index("t", ["id", "name"], drop=True) == []
    assert _ranges(database_url) == []


def test_errors(catalog: Catalog, database_url: str):
    for columns, reason in {
        ("nope",): "no column 'nope'",
        ("ID",): "no column 'ID'",
        ("raw",): "No index can be made of 'raw', which is of type binary",
        ("place",): "No index can be made of 'place'",
        ("day",): "'day' is a partition column",
        ("id", "nope"): "no column 'nope'",
    }.items():
        with pytest.raises(ArgumentError, match=reason):
            catalog.index("t", columns)
        assert _ranges(database_url) == []  # all columns, or none
    with pytest.raises(ArgumentError, match="no index of 'id'"):
        catalog.index("t", ["id"], drop=True)
    with pytest.raises(TableNotFoundError):
        catalog.index("u", ["id"])


def test_a_table_that_somebody_works_on(catalog: Catalog, database_url: str):
    with opened(database_url) as database, database.transaction() as connection:
        registry.record(
            connection, "t", status=registry.RUNNING, owner=registry.this_process(), heartbeat_at=registry.now()
        )
    with pytest.raises(TableBusyError):
        catalog.index("t", ["id"])


def test_a_table_whose_import_has_not_completed(catalog: Catalog, database_url: str):
    execute(database_url, "DELETE FROM delta_tables")
    with pytest.raises(ImportIncompleteError):
        catalog.index("t", ["id"])


def test_a_column_of_another_type_or_name_is_another_column(catalog: Catalog, log: LogBuilder):
    catalog.index("t", ["id", "name"])
    changed = {**COLUMNS, "id": "string", "name": "long"}
    old = {"minValues": {"id": "a", "name": 5}, "maxValues": {"id": "b", "name": 6}}
    log.commit(metadata(changed, ["day"]), numbered(70, stats=json.dumps({"numRecords": 1, **old})))
    catalog.sync("t")
    assert looked_up(catalog, "id = 'a'") is None
    assert 70 in found(catalog, "id = 'a'")
    assert found(catalog, "id = 'c'") == list(range(60))
    assert found(catalog, "id = 55", version=0) == [5, 59]


@pytest.mark.parametrize("name", ['say "x"', "back\\slash", "tab\t"])
def test_a_column_of_any_name(database_url: str, tmp_path: Path, name: str):
    inner = {"type": "struct", "fields": [{"name": name, "type": "long", "nullable": True, "metadata": {}}]}
    log = LogBuilder(tmp_path / "t")
    bounds = [{name: number, "in": {name: number}} for number in range(3)]
    stats = [json.dumps({"numRecords": 1, "minValues": each, "maxValues": each}) for each in bounds]
    files = [add(f"{number}.parquet", stats=text) for number, text in enumerate(stats)]
    log.commit(protocol_action(), metadata({name: "long", "in": inner}), *files)
    with connect(database_url) as catalog:
        catalog.import_table(str(log.root), "t")
        assert catalog.index("t", [name, f"in.{name}"]) == sorted([name, f"in.{name}"])
        quoted = name.replace('"', '""')
        for where in (f'"{quoted}" = 1', f'"in"."{quoted}" = 1'):
            hashes = looked_up(catalog, where)
            assert hashes is not None
            assert len(hashes) == 1
            assert found(catalog, where) == [1]


def test_a_rollback_leaves_nothing(catalog: Catalog, log: LogBuilder, database_url: str):
    catalog.index("t", ["id"])
    with opened(database_url) as database, database.transaction() as connection:
        registry.forget(connection, "t")
    assert _ranges(database_url) == []
    catalog.import_table(str(log.root))
    assert looked_up(catalog, "id = 5") is None


def test_a_manual_rollback_is_enough(catalog: Catalog, log: LogBuilder, database_url: str):
    # The guide's two statements, in a shell that may not enforce foreign keys.
    catalog.index("t", ["id"])
    execute(
        database_url,
        "DELETE FROM delta_files WHERE table_id = 't'",
        "DELETE FROM migration_status WHERE table_id = 't'",
    )
    log.commit(numbered(80))
    catalog.import_table(str(log.root))
    assert _ranges(database_url) == []
    assert found(catalog, "id = 801") == [59, 80]


def test_two_tables_have_indexes_of_their_own(catalog: Catalog, tmp_path: Path):
    other = LogBuilder(tmp_path / "u")
    other.commit(protocol_action(), metadata(COLUMNS, ["day"]), numbered(5))
    catalog.import_table(str(other.root))
    catalog.index("t", ["id"])
    catalog.index("u", ["id"])
    catalog.index("u", ["id"], drop=True)
    assert looked_up(catalog, "id = 55") is not None
    assert len(looked_up(catalog, "id = 55")) == 2


def test_files_are_found_without_reading_all_statistics(catalog: Catalog, monkeypatch: pytest.MonkeyPatch):
    read: list[str | None] = []

    def watched(proof: Any) -> Any:
        check = check_of(proof)
        return lambda stats: read.append(stats) or check(stats)

    monkeypatch.setattr(condition, "check_of", watched)
    unread = found(catalog, "id = 123")
    every, read[:] = len(read), []
    catalog.index("t", ["id"])
    assert found(catalog, "id = 123") == unread
    assert 0 < len(read) < every / 10


def test_the_rest_of_the_catalog_is_as_it_was(catalog: Catalog, database_url: str):
    before = dump(database_url)
    catalog.index("t", ["id"])
    catalog.index("t", ["id"], drop=True)
    assert dump(database_url) == before


# ---- the command


def test_command(on: Cli, log: LogBuilder):  # noqa: F811
    on("import", log.root)
    assert on("index", "t", "id", "place.x").out.splitlines() == ["id", "place.x"]
    document = {"table_id": "t", "indexed_columns": ["id"]}
    assert on("index", "t", "place.x", "--drop", "--output", "json").document == document
    assert on("files", "t", "--where", "id = 123").out.splitlines() == ["12.parquet", "59.parquet"]
    failed = on("index", "t", "nope")
    assert failed.code == 2
    assert failed.error_lines[0].startswith("Error: There is no column 'nope'")
    assert on("index", "t").code == 2
    assert on("index", "u", "id").code == 1
