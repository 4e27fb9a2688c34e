import json

import pytest
from sqlalchemy import Connection, text

from deltalakedb.catalog import portrait, registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.views import SMALL_FILE_BYTES
from deltalakedb.errors import CorruptLogError
from deltalakedb.migrate.importer import import_table
from tests.support.logs import BEGIN_MS, LogBuilder, add, commit_info, dv, metadata, protocol, remove

LARGE = SMALL_FILE_BYTES + 1
MAPPING = "delta.columnMapping"


@pytest.fixture
def lake(database_url, tmp_path):
    """A connection to a catalog with two tables: `orders`, with a bit of everything, and `quiet`."""
    log = LogBuilder(tmp_path / "orders")
    columns = {"id": "long", "day": "string"}
    log.commit(
        commit_info(timestamp=BEGIN_MS, userName="ann"),
        protocol(features=["deletionVectors"]),
        metadata(columns, ["day"]),
        add("day=1/a", partitionValues={"day": "1"}, size=LARGE),
        add("day=2/b", partitionValues={"day": "2"}, size=10),
    )
    log.commit(
        commit_info("DELETE", timestamp=BEGIN_MS + 1000, userName="bob"),
        remove("day=1/a"),
        add("day=1/a", partitionValues={"day": "1"}, size=LARGE, deletionVector=dv(cardinality=1)),
        add("day=2/c", partitionValues={"day": "2"}, size=20),
    )
    log.commit(commit_info(timestamp=BEGIN_MS + 2000), metadata({**columns, "more": "string"}, ["day"]))
    LogBuilder(tmp_path / "quiet").commit(commit_info(timestamp=BEGIN_MS), protocol(), metadata())
    database = Database(database_url)
    for name in ("orders", "quiet"):
        import_table(database, str(tmp_path / name))
    with database.reading() as connection:
        yield connection
    database.close()


def ask(connection: Connection, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(text(query))]


def test_sizes_small_files_and_deletion_vectors_of_each_table(lake):
    columns = "table_id, files, bytes, records, small_files, files_with_deletion_vector"
    assert ask(lake, f"SELECT {columns} FROM lake_tables ORDER BY table_id") == [
        ("orders", 3, LARGE + 30, 2, 2, 1),  # a deletion vector removes one of three rows
        ("quiet", 0, 0, 0, 0, 0),
    ]


def test_files_of_each_partition(lake):
    query = "SELECT partition_values, files, bytes, small_files FROM lake_partitions ORDER BY bytes"
    assert [row[1:] for row in ask(lake, query)] == [(2, 30, 2), (1, LARGE, 0)]
    assert "2" in str(ask(lake, query)[0][0])


def test_the_number_of_rows_is_unknown_where_a_file_does_not_say_it(database_url, tmp_path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["deletionVectors"]), metadata({"id": "long", "day": "string"}, ["day"]))
    log.commit(
        add("a", partitionValues={"day": "1"}, stats='{"numRecords":5}', deletionVector=dv(cardinality=2)),
        add("b", partitionValues={"day": "1"}, stats='{"numRecords":7}'),
        add("c", partitionValues={"day": "2"}, stats=None),
        add("d", partitionValues={"day": "2"}, stats='{"numRecords":1}'),
    )
    database = Database(database_url)
    entry = import_table(database, str(tmp_path / "t"))
    with database.reading() as connection:
        query = "SELECT files, records FROM lake_partitions ORDER BY partition_values"
        assert ask(connection, query) == [(2, 10), (2, None)]
        assert ask(connection, "SELECT files, records FROM lake_tables") == [(4, None)]
        assert ask(connection, "SELECT num_records FROM delta_files ORDER BY path") == [(5,), (7,), (None,), (1,)]
        page = portrait.files(connection, registry.readable(connection, entry.table_id))
        assert (page["files"], page["records"]) == (4, None)
    database.close()


def test_partitions_are_shown_by_name_in_one_spelling_whatever_the_log_has(database_url, tmp_path):
    log = LogBuilder(tmp_path / "t")
    schema = json.dumps(
        {
            "type": "struct",
            "fields": [
                {"name": name, "type": kind, "nullable": True, "metadata": {f"{MAPPING}.physicalName": physical}}
                for name, kind, physical in (("id", "long", "c1"), ("day", "date", "c2"), ("n", "integer", "c3"))
            ],
        }
    )
    mapped = metadata(partitions=["day", "n"], configuration={f"{MAPPING}.mode": "name"}, schemaString=schema)
    log.commit(protocol(2, 5), mapped)
    log.commit(
        add("a", partitionValues={"c2": "2024-1-5", "c3": 7}, size=1),
        add("b", partitionValues={"c2": "2024-01-05", "c3": "+7"}, size=2),
        add("c", partitionValues={"c2": "soon", "c3": ""}, size=4),
    )
    database = Database(database_url)
    import_table(database, str(tmp_path / "t"))
    query = "SELECT partition_values, bytes FROM lake_partitions ORDER BY bytes"

    def partitions():
        with database.reading() as connection:
            return [(json.loads(values), size) for values, size in ask(connection, query)]

    assert partitions() == [({"day": "2024-01-05", "n": "7"}, 3), ({"day": "soon", "n": None}, 4)]
    log.commit(add("d", partitionValues={"c2": "2024-1-6", "c3": 8}, size=8))
    import_table(database, str(tmp_path / "t"), resume=True)
    assert partitions()[-1] == ({"day": "2024-01-06", "n": "8"}, 8)
    renamed = {
        **mapped["metaData"],
        "schemaString": schema.replace('"day"', '"date"'),
        "partitionColumns": ["date", "n"],
    }
    log.commit({"metaData": renamed})
    import_table(database, str(tmp_path / "t"), resume=True)
    assert partitions()[-1] == ({"date": "2024-01-06", "n": "8"}, 8)
    database.close()


def test_small_files_by_name(lake):
    assert ask(lake, "SELECT path, size FROM lake_small_files ORDER BY size") == [("day=2/b", 10), ("day=2/c", 20)]


def test_who_wrote_what_and_when(lake):
    query = "SELECT version, operation, user_name FROM lake_commits WHERE table_id = 'orders' ORDER BY version"
    assert ask(lake, query) == [(0, "WRITE", "ann"), (1, "DELETE", "bob"), (2, "WRITE", None)]
    (moment,) = ask(lake, "SELECT committed_at FROM lake_commits WHERE version = 1")[0]
    assert str(moment).replace(" ", "T").startswith("2023-11-14T22:13:21")


def test_growth_from_commit_to_commit(lake):
    query = """SELECT version, files_added, bytes_added, files_removed, bytes_removed
               FROM lake_growth WHERE table_id = 'orders' ORDER BY version"""
    assert ask(lake, query) == [(0, 2, LARGE + 10, 0, 0), (1, 2, LARGE + 20, 1, LARGE), (2, 0, 0, 0, 0)]


def test_schema_changes_with_what_was_before(lake):
    query = """SELECT version, schema_before, schema_after FROM lake_schema_changes
               WHERE table_id = 'orders' ORDER BY version"""
    first, second = ask(lake, query)
    assert (first[0], first[1]) == (0, None)
    assert (second[0], second[1]) == (2, first[2])
    assert "more" in str(second[2])


def test_freshness(lake):
    query = "SELECT table_id, versions_behind, hours_since_last_commit > 1000 FROM lake_freshness ORDER BY table_id"
    assert ask(lake, query) == [("orders", 0, 1), ("quiet", 0, 1)]


def test_a_table_that_falls_behind_its_log_shows(database_url, tmp_path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata())
    database = Database(database_url)
    import_table(database, str(tmp_path / "t"))
    log.commit(add("a"))
    log.commit(raw=b'{"add":')
    with pytest.raises(CorruptLogError):
        import_table(database, str(tmp_path / "t"), resume=True)
    with database.reading() as connection:
        assert ask(connection, "SELECT version, log_version, versions_behind FROM lake_freshness") == [(1, 2, 1)]
    database.close()
