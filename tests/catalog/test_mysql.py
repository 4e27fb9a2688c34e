"""What only MySQL and MariaDB have: loads from memory, streams side by side, and letters that must stay as they are."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import Connection, inspect, text

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.dialects import mysql, mysql_driver
from deltalakedb.catalog.dialects.base import shapes_of
from deltalakedb.catalog.options import DatabaseOptions
from deltalakedb.catalog.packing.base import Packed, columns_of
from deltalakedb.catalog.packing.load_format import insert_values, text_rows
from deltalakedb.catalog.schema import delta_files, schema
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.errors import (
    CatalogError,
    DatabaseBusyError,
    DatabaseConnectionError,
    DatabaseTimeoutError,
    DiskFullError,
    PermissionDeniedError,
)
from deltalakedb.migrate.importer import import_table
from deltalakedb.rows import FileLifetime
from tests.support import leaks
from tests.support.catalogs import dump
from tests.support.logs import LogBuilder, add, metadata, protocol, remove, txn
from tests.support.mariadb import connect as connect_mysql

ODD = [
    "a",
    "A",
    "a ",
    "a%20b",
    "a b",
    "ä",
    "tab\there",
    "line\nfeed",
    "back\\slash",
    "\\N",
    "\\",
    "it's",
    "','",
    "NULL",
]
ODD += ["'\\N'", "🙂", 'x"y', "\\'),('", "nul\0", "\r", "--", "%s", ""]


@pytest.fixture
def database(mysql_url: str) -> Iterator[Database]:
    with closing(Database(mysql_url)) as database:
        yield database


@pytest.fixture
def without_local(mysql_server: str, mysql_url: str) -> Iterator[str]:
    """The URL of a database whose server allows no LOAD DATA LOCAL, which is how MySQL 8 comes."""
    with closing(connect_mysql(mysql_server)) as admin, admin.cursor() as cursor:
        cursor.execute("SET GLOBAL local_infile = 0")
        yield mysql_url
        cursor.execute("SET GLOBAL local_infile = 1")


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """A log whose files have every odd name that a path may have."""
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), *(add(name, stats=name) for name in ODD if name))
    log.commit(remove("a"), txn("A", 1), txn("a", 2), txn("a ", 3))
    return log


def file(path: str, **values: object) -> FileLifetime:
    nothing = dict.fromkeys(FileLifetime._fields)
    return FileLifetime(**{**nothing, "path": path, "partition_values": "{}", "key_hash": 7, **values})


# ---- rows on their way in


def loaded(connection: Connection, database: Database, rows: list[FileLifetime]) -> list[tuple]:
    shapes = shapes_of(delta_files)
    packed = database.dialect.pack(shapes, "t 'x' \\", columns_of(shapes, rows))
    database.dialect.load(connection, delta_files, [packed])
    columns = ", ".join(FileLifetime._fields)
    return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM delta_files ORDER BY place"))]


@pytest.mark.parametrize("local", [True, False])
def test_letters_numbers_and_nulls_come_in_as_they_are(local: bool, request: pytest.FixtureRequest):
    with closing(Database(request.getfixturevalue("mysql_url" if local else "without_local"))) as database:
        rows = [file(name, stats=name, tags=None, size=2**63 - 1, added_version=-(2**63)) for name in ODD]
        rows += [file("none"), file("true", data_change=True), file("false", data_change=False)]
        with database.transaction() as connection:
            assert loaded(connection, database, rows) == [tuple(row) for row in rows]
            assert connection.execute(text("SELECT DISTINCT table_id FROM delta_files")).scalar() == "t 'x' \\"
            assert connection.connection.info["local_infile"] is local


@pytest.mark.parametrize("most", [1, 20, 60, 200, 10_000])
def test_inserts_are_cut_between_rows(most: int):
    data = text_rows([(str, ODD), (int, [*range(len(ODD) - 1), None])])
    pieces = list(insert_values(data, b"'t'", most))
    assert b",".join(pieces) == b"".join(insert_values(data, b"'t'", 1 << 20))
    assert all(len(piece) <= most or piece.count(b"),('t',") == 0 for piece in pieces)
    assert (len(pieces) == 1) is (most == 10_000)


def test_a_value_that_does_not_fit_fails_and_is_not_cut(database: Database, without_local: str):
    for url in (str(database.url.render_as_string(hide_password=False)), without_local):
        with (
            closing(Database(url)) as other,
            pytest.raises(CatalogError, match=r"refused.*key_hash"),
            other.transaction() as connection,
        ):
            loaded(connection, other, [file("a", key_hash=2**64)])
        assert dump(url)["delta_files"] == []


def test_bytes_that_are_no_text_are_refused(database: Database):
    bad = Packed("t", ("path", "partition_values", "key_hash"), b"good\t{}\t1\n\xff\xfe\t{}\t2\n")
    with pytest.raises(CatalogError, match="Incorrect string value"), database.transaction() as connection:
        database.dialect.load(connection, delta_files, [bad])


def test_an_import_is_the_same_without_local_loads(
    database: Database, log: LogBuilder, without_local: str, tmp_path: Path
):
    import_table(database, str(log.root), "t")
    with closing(Database(sqlite := f"sqlite:///{tmp_path / 'catalog.db'}")) as other:
        import_table(other, str(log.root), "t")
    ours, theirs = dump(without_local, "t"), dump(sqlite, "t")
    for name in ("delta_files", "delta_commits", "delta_transactions"):
        assert sorted(map(str, map(plain, ours[name]))) == sorted(map(str, map(plain, theirs[name])))
    assert len(ours["delta_transactions"]) == 3


def plain(row: dict) -> dict:
    return {name: value for name, value in row.items() if name != "data_change"}


def test_files_are_told_apart_by_case_and_blanks(database: Database, log: LogBuilder):
    import_table(database, str(log.root), "t")
    with database.reading() as connection:
        found = [each.path for each in snapshot(connection, registry.readable(connection, "t")).files()]
        assert sorted(found) == sorted(name for name in ODD if name not in ("", "a"))
        for name in ("A", "a ", "ä"):
            where = delta_files.c.path == name
            assert [each.path for each in snapshot(connection, registry.readable(connection, "t")).files(where)] == [
                name
            ]


def test_the_server_gets_no_file_that_it_asks_for(database: Database, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    with database.writing() as connection, connection.begin():
        connection.exec_driver_sql("CREATE TEMPORARY TABLE stolen (line VARCHAR(99) PRIMARY KEY)")
        with pytest.raises(PermissionError, match="asked for a file"):
            connection.exec_driver_sql(f"LOAD DATA LOCAL INFILE '{secret}' INTO TABLE stolen")


# ---- rows on their way out


def test_streams_are_read_in_turns_and_beside_other_statements(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mysql_driver, "ASIDE_BYTES", 1000)
    with database.transaction() as connection:
        loaded(connection, database, [file(f"{at:05}", size=at) for at in range(3000)])
    with database.reading() as connection:
        query = text("SELECT path, size FROM delta_files ORDER BY place")
        first = connection.execute(query, execution_options={"yield_per": 10})
        second = connection.execute(query, execution_options={"yield_per": 7})
        assert first.fetchmany(3)[2] == ("00002", 2)
        assert connection.execute(text("SELECT count(*) FROM delta_files")).scalar() == 3000
        assert second.fetchone() == ("00000", 0)
        assert [row.size for row in first] == list(range(3, 3000))
        assert [row.size for row in second] == list(range(1, 3000))
        left = connection.execute(query)
        assert left.fetchone() == ("00000", 0)
    with database.reading() as connection:  # the stream that nobody read on is no hindrance
        assert connection.execute(text("SELECT 1")).scalar() == 1


# ---- tables


def test_every_text_is_compared_letter_by_letter_and_holds_more_than_64_kib(database: Database):
    with database.writing() as connection, connection.begin():
        rows = connection.execute(
            text(
                "SELECT table_name, column_name, data_type, collation_name, character_maximum_length "
                "FROM information_schema.columns WHERE table_schema = database() AND collation_name IS NOT NULL"
            )
        ).all()
        ours = [row for row in rows if row[0] in schema.tables]
        assert len(ours) > 60
        assert [row for row in ours if row[3] not in ("utf8mb4_nopad_bin", "utf8mb4_0900_bin")] == []
        assert [row for row in ours if row[2] not in ("longtext", "varchar")] == []
        times = "SELECT DISTINCT datetime_precision FROM information_schema.columns WHERE data_type = 'datetime' "
        names = ", ".join(f"'{name}'" for name in schema.tables)
        found = connection.execute(text(f"{times} AND table_schema = database() AND table_name IN ({names})"))
        assert found.scalars().all() == [6]


def test_every_table_has_a_key_to_replicate_by(database: Database):
    with database.writing() as connection, connection.begin():
        keys = {name: inspect(connection).get_pk_constraint(name)["constrained_columns"] for name in schema.tables}
        hidden = "SELECT table_name FROM information_schema.columns WHERE column_name = 'place' AND extra LIKE '%INV%'"
        numbered = connection.execute(text(f"{hidden} AND table_schema = database()")).scalars().all()
        if "MariaDB" in connection.execute(text("SELECT version()")).scalar():
            assert connection.execute(text("SELECT @@innodb_force_primary_key")).scalar() == 1  # for the whole suite
    assert [name for name, columns in keys.items() if not columns] == []
    assert sorted(numbered) == ["delta_cdc_files", "delta_files", "delta_ranges"]


def test_live_and_ended_files_are_found_by_an_index(database: Database):
    with database.transaction() as connection:
        rows = [file(f"{at}", removed_version=None if at % 50 == 0 else at, added_version=0) for at in range(4000)]
        loaded(connection, database, rows)
        connection.exec_driver_sql("UPDATE delta_files SET table_id = 't'")
        connection.exec_driver_sql("ANALYZE TABLE delta_files")
        for condition in ("removed_version IS NULL", "removed_version > 3990", "key_hash = 8"):
            plan = connection.exec_driver_sql(
                f"EXPLAIN SELECT path FROM delta_files WHERE table_id = 't' AND {condition}"
            ).mappings()
            assert {row["key"] for row in plan} <= {"delta_files_by_end", "delta_files_by_key"}, condition


# ---- what goes wrong


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "MySQL"])
def test_mysql_goes_by_several_names(scheme: str, mysql_url: str):
    with closing(Database(mysql_url.replace("mysql", scheme, 1))) as database:
        with database.transaction():
            pass
        assert database.has_catalog()
        assert database.dialect.name == "mysql"


def test_a_server_that_goes_away_is_a_failed_connection(database: Database, mysql_url: str):
    def lose() -> None:
        with database.writing() as connection, connection.begin():
            own = connection.execute(text("SELECT connection_id()")).scalar()
            with closing(connect_mysql(mysql_url)) as other, other.cursor() as cursor:
                cursor.execute(f"KILL {own}")
            connection.execute(text("SELECT 1"))

    with pytest.raises(DatabaseConnectionError):
        lose()
    with database.transaction() as connection:  # on a new connection
        own = connection.execute(text("SELECT connection_id()")).scalar()
    with closing(connect_mysql(mysql_url)) as other, other.cursor() as cursor:
        cursor.execute(f"KILL {own}")
    with database.transaction():  # one that was idle when the server hung up
        pass


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (1045, "Access denied for user", DatabaseConnectionError),
        (2003, "Can't connect to MySQL server", DatabaseConnectionError),
        (2006, "MySQL server has gone away", DatabaseConnectionError),
        (1049, "Unknown database", DatabaseConnectionError),
        (1040, "Too many connections", DatabaseConnectionError),
        (1142, "INSERT command denied", PermissionDeniedError),
        (1290, "running with the --read-only option", PermissionDeniedError),
        (1114, "The table 'delta_files' is full", DiskFullError),
        (1021, "Disk full", DiskFullError),
        (3, "Error writing file '/tmp/x' (Errcode: 28 \"No space left on device\")", DiskFullError),
        (1205, "Lock wait timeout exceeded", DatabaseBusyError),
        (1213, "Deadlock found", DatabaseBusyError),
        (1969, "max_statement_time exceeded", DatabaseTimeoutError),
        (3024, "maximum statement execution time exceeded", DatabaseTimeoutError),
        (1153, "Got a packet bigger than 'max_allowed_packet' bytes", CatalogError),
        (1064, "You have an error in your SQL syntax", CatalogError),
    ],
)
def test_errors_of_the_server_have_our_words(code: int, said: str, kind: type):
    error = mysql.MySQLDialect().explain(pymysql.err.OperationalError(code, said), "mysql://host/db")
    assert type(error) is kind
    assert said in error.message
    assert "mysql://host/db" in error.message


def test_a_user_that_may_only_read_is_denied(mysql_server: str, mysql_url: str):
    with closing(Database(mysql_url)) as database, database.transaction():
        name = database.url.database
    with closing(connect_mysql(mysql_server)) as admin, admin.cursor() as cursor:
        cursor.execute(f"CREATE USER u_{name[-8:]} IDENTIFIED BY 'hush'")
        cursor.execute(f"GRANT SELECT ON {name}.* TO u_{name[-8:]}")
        stranger_url = mysql_url.replace(f"root:{leaks.QUOTED}@", f"u_{name[-8:]}:wrong@")
        with closing(Database(stranger_url.replace(":wrong@", ":hush@"))) as reader:
            with reader.reading() as connection:
                assert connection.execute(text("SELECT count(*) FROM lake_tables")).scalar() == 0
            with pytest.raises(PermissionDeniedError, match="Permission denied"), reader.transaction() as connection:
                connection.execute(text("DELETE FROM migration_status"))
        with closing(Database(stranger_url)) as stranger:
            with pytest.raises(DatabaseConnectionError, match=r"Database connection failed.*Access denied") as raised:
                stranger.has_catalog()
            assert "wrong" not in raised.value.message
        cursor.execute(f"DROP USER u_{name[-8:]}")


def test_who_reads_can_not_write_and_sees_one_state(database: Database, mysql_url: str):
    with database.transaction():
        pass
    with database.reading() as connection:
        before = connection.execute(text("SELECT count(*) FROM delta_partitions")).scalar()
        with closing(connect_mysql(mysql_url)) as other, other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO migration_status (table_id, location, status, files_processed, started_at, "
                "commits_processed, rows_loaded) VALUES ('x', 'x', 'failed', 0, now(), 0, 0)"
            )
        assert connection.execute(text("SELECT count(*) FROM migration_status")).scalar() == before == 0
        with pytest.raises(Exception, match="READ ONLY"):
            connection.execute(text("DELETE FROM migration_status"))


def test_a_statement_that_takes_too_long_is_given_up(mysql_url: str):
    with closing(Database(mysql_url, DatabaseOptions(statement_timeout=0.2))) as database:
        with database.transaction():
            pass
        with pytest.raises(DatabaseTimeoutError, match="gave up"), database.reading() as connection:
            connection.execute(text("SELECT count(*) FROM information_schema.columns WHERE sleep(1) = 0"))


@pytest.mark.parametrize(
    "query", ["no_such=1", "ssl_mode=MAYBE", "connect_timeout=soon", "ssl_ca=/no/such.pem", "ssl_verify_cert=perhaps"]
)
def test_options_that_can_not_be_are_said_without_the_password(query: str):
    with closing(Database(f"mysql://u:hush@127.0.0.1:1/db?{query}")) as database:
        with pytest.raises(DatabaseConnectionError, match="Database connection failed") as raised:
            database.has_catalog()
        assert "hush" not in raised.value.message


# ---- packets


@pytest.fixture
def small_packets(mysql_server: str, mysql_url: str) -> Iterator[str]:
    """A database whose server takes a mebibyte at once."""
    with closing(connect_mysql(mysql_server)) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        (before,) = cursor.fetchone()
        cursor.execute("SET GLOBAL max_allowed_packet = 1048576")
        yield mysql_url
        cursor.execute(f"SET GLOBAL max_allowed_packet = {before}")


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("where", ["delta_files", "delta_metadata", "delta_commits"])
def test_a_row_that_is_larger_than_a_packet_is_refused_at_once(
    small_packets: str, log: LogBuilder, where: str, local: bool, request: pytest.FixtureRequest
):
    if not local:
        request.getfixturevalue("without_local")
    large = "x" * (3 << 20)
    log.commit(
        protocol(),
        metadata(configuration={"x": large} if where == "delta_metadata" else {}),
        add("a", stats=large if where == "delta_files" else None),
        {"commitInfo": {"x": large if where == "delta_commits" else ""}},
    )
    with closing(Database(small_packets)) as database:
        with pytest.raises(CatalogError, match=rf"a row of {where} for t has 3,145,\d+ bytes.* is 1,048,576") as raised:
            import_table(database, str(log.root), "t")
        assert "SET GLOBAL max_allowed_packet = 8388608" in raised.value.hint
        assert not raised.value.transient
        with closing(connect_mysql(small_packets)) as admin, admin.cursor() as cursor:
            cursor.execute("SET GLOBAL max_allowed_packet = 8388608")
    with closing(Database(small_packets)) as database:
        assert import_table(database, str(log.root), "t", resume=True).status == "completed"


def test_rows_that_are_almost_as_large_as_a_packet_come_in(small_packets: str, log: LogBuilder):
    log.commit(protocol(), metadata(), *(add(name, stats="x" * 900_000) for name in "abcdefgh"))
    with closing(Database(small_packets)) as database:
        import_table(database, str(log.root), "t")
        with database.reading() as connection:
            read = connection.execute(text("SELECT stats FROM delta_files")).scalars()
            assert sum(stats == "x" * 900_000 for stats in read) == 8


def test_a_statement_that_is_larger_than_a_packet_is_refused_before_it_is_sent(small_packets: str):
    with closing(Database(small_packets)) as database, database.transaction() as connection:
        with pytest.raises(pymysql.OperationalError, match="a statement of 1,048,583 bytes; max_allowed_packet is"):
            connection.connection.driver_connection.query("SELECT " + "1" * (1 << 20))
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
