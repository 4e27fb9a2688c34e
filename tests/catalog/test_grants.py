"""What each role may do, and what it may not, tried by roles that were given exactly what is printed."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest

import deltalakedb
from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.grants import grants
from deltalakedb.catalog.options import DatabaseOptions
from deltalakedb.catalog.schema import schema
from deltalakedb.catalog.views import VIEWS
from deltalakedb.cli import main
from deltalakedb.errors import ArgumentError, PermissionDeniedError
from tests.support import lake
from tests.support.outages import At
from tests.web.serving import served

TABLES = [*schema.tables]


class Roles:
    """Roles of one database: `grant(role)` gives a new one what is printed, and returns its URL."""

    def __init__(self, url: str, schema_name: str | None) -> None:
        self.url, self.options = url, DatabaseOptions(schema_name)
        self.place = '"' + (schema_name or "public") + '"'
        self.made: list[str] = []

    def grant(self, role: str, **options: object) -> str:
        name = f"{role} {uuid.uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'of a role'")
        self.made.append(name)
        self.run(role, name, **options)
        return self.url_of(name)

    def run(self, role: str, name: str, **options: object) -> None:
        with closing(Database(self.url, self.options)) as database:
            printed = grants(database, role, name, **options).statements
        with psycopg.connect(self.url) as admin:
            for statement in printed:
                admin.execute(statement)

    def url_of(self, name: str) -> str:
        parts = urlsplit(self.url)
        user = name.replace(" ", "%20")
        return parts._replace(netloc=f"{user}:of%20a%20role@{parts.netloc.rpartition('@')[2]}").geturl()

    def catalog(self, url: str) -> deltalakedb.Catalog:
        return deltalakedb.connect(url, schema=self.options.schema)

    def drop(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as admin:
            for name in self.made:
                admin.execute(f'DROP OWNED BY "{name}" CASCADE')
                admin.execute(f'DROP ROLE "{name}"')


@pytest.fixture(params=[None, "lake of all"])
def roles(postgresql_url: str, request: pytest.FixtureRequest) -> Iterator[Roles]:
    made = Roles(postgresql_url, request.param)
    yield made
    made.drop()


@pytest.fixture
def filled(roles: Roles, tmp_path: Path) -> Roles:
    """The catalog of an admin, with a table."""
    lake.orders_table(tmp_path / "orders")
    lake.plain_table(tmp_path / "plain")
    with roles.catalog(roles.grant("admin")) as catalog:
        catalog.import_table(str(tmp_path / "orders"))
    return roles


def refused(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)):
                connection.execute(statement)


def test_a_reader_reads_everything_and_changes_nothing(filled: Roles):
    url = filled.grant("reader")
    with psycopg.connect(url, autocommit=True) as connection:
        for name in (*TABLES, *VIEWS):
            connection.execute(f"SELECT * FROM {filled.place}.{name}").fetchall()
    for name in TABLES:
        table = f"{filled.place}.{name}"
        refused(
            url,
            f"INSERT INTO {table} DEFAULT VALUES",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"DROP TABLE {table}",
            f"ALTER TABLE {table} ADD COLUMN x int",
            f"UPDATE {table} SET {next(iter(schema.tables[name].c)).name} = NULL",
            f"SELECT * FROM {table} FOR UPDATE",
            f"CREATE INDEX ON {table} ((1))",
        )
    refused(url, f"CREATE TABLE {filled.place}.mine (x int)", f"DROP VIEW {filled.place}.lake_tables")
    refused(url, "CREATE SCHEMA mine", f"DROP SCHEMA {filled.place}")
    with filled.catalog(url) as catalog:
        table = catalog.table("orders")
        assert table.to_pyarrow_table().num_rows == table.count()
        assert len(table.history()) == 12
        with pytest.raises(PermissionDeniedError, match="Permission denied") as raised:
            catalog.rollback("orders")
        assert "deltalakedb grants" in raised.value.hint


def test_a_migrator_does_its_work_and_nothing_else(filled: Roles, tmp_path: Path):
    url = filled.grant("migrator")
    with psycopg.connect(filled.url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA others")
        admin.execute("CREATE TABLE others.payroll (x int)")
    with filled.catalog(url) as catalog:
        catalog.import_table(str(tmp_path / "plain"), batch_size=1)
        catalog.index("plain", ["id"])
        lake.plain_table(tmp_path / "plain", 1)
        catalog.sync("plain")
        assert catalog.validate("plain", all_versions=True).valid
        catalog.export("plain", tmp_path / "exported")
        catalog.rollback("plain")
        catalog.rollback("orders")
        catalog.import_table(str(tmp_path / "orders"))
    for name in TABLES:
        table = f"{filled.place}.{name}"
        refused(url, f"DROP TABLE {table}", f"TRUNCATE {table}", f"ALTER TABLE {table} ADD COLUMN x int")
    refused(
        url,
        f"DROP VIEW {filled.place}.lake_tables",
        f"CREATE TABLE {filled.place}.mine (x int)",
        f"DROP SCHEMA {filled.place}",
        "CREATE SCHEMA mine",
        "SELECT * FROM others.payroll",
        "INSERT INTO others.payroll VALUES (1)",
        "CREATE TABLE others.mine (x int)",
        "DROP TABLE others.payroll",
        f"DELETE FROM {filled.place}.deltalakedb_schema",
        f"UPDATE {filled.place}.deltalakedb_schema SET version = 1",
    )


def test_who_becomes_less_has_less(filled: Roles):
    url = filled.grant("migrator")
    filled.run("reader", filled.made[-1])
    refused(url, f"DELETE FROM {filled.place}.delta_files")


def test_rows_are_seen_by_table_id(filled: Roles, tmp_path: Path):
    with filled.catalog(filled.url_of(filled.made[0])) as catalog:
        for table_id in ("sales/one", "sales_two", "it's"):
            catalog.import_table(str(tmp_path / "plain"), table_id)
    everything = filled.grant("reader")
    with psycopg.connect(filled.url) as connection:
        if connection.info.server_version < 150000:  # views don't ask for their reader's rights there
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="security_invoker"):
                filled.grant("reader", table_ids=["sales/*"])
            refused(filled.url_of(filled.made[-1]), f"SELECT * FROM {filled.place}.delta_files")
            return
    some = filled.grant("reader", table_ids=["sales/*", "it's"])
    migrator = filled.grant("migrator", row_level_security=True)
    with filled.catalog(some) as catalog, psycopg.connect(some) as connection:
        assert [table.table_id for table in catalog.tables()] == ["it's", "sales/one"]
        assert catalog.table("it's").count() == 3
        for name in (*VIEWS, *(name for name in TABLES if "table_id" in schema.tables[name].c)):
            rows = connection.execute(f"SELECT DISTINCT table_id FROM {filled.place}.{name}").fetchall()
            assert {row[0] for row in rows} <= {"it's", "sales/one"}, name
    with filled.catalog(everything) as catalog:
        assert len(catalog.tables()) == 4, "who was granted before sees what it saw"
    with filled.catalog(migrator) as catalog:
        catalog.import_table(str(tmp_path / "plain"), "mine")
        catalog.sync("mine")
        catalog.rollback("mine")
    with filled.catalog(filled.url) as catalog:
        assert len(catalog.tables()) == 4


@pytest.fixture
def secured(filled: Roles) -> Roles:
    """A catalog, one reader of which is held to `orders`."""
    with psycopg.connect(filled.url) as connection:
        if connection.info.server_version < 150000:
            pytest.skip("PostgreSQL before 15 has no views that ask for their reader's rights")
    filled.grant("reader", table_ids=["orders"])
    return filled


def test_a_role_that_no_policy_lets_see_anything_is_told_so(
    secured: Roles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    some = secured.made[-1]
    with psycopg.connect(secured.url) as admin:
        admin.execute(f'DROP POLICY "{some}" ON {secured.place}.delta_files')
    with secured.catalog(secured.url_of(some)) as catalog:
        with pytest.raises(PermissionDeniedError, match="hides every row of delta_files") as raised:
            catalog.table("orders")
        assert f"deltalakedb grants --role reader --to '{some}'" in raised.value.hint
    secured.run("reader", some, table_ids=["orderz"])
    with (
        secured.catalog(secured.url_of(some)) as catalog,
        pytest.raises(PermissionDeniedError, match="hides every row of migration_status"),
    ):
        catalog.tables()
    monkeypatch.setenv("DELTALAKEDB_DATABASE_URL", secured.url_of(some))
    if secured.options.schema is not None:
        monkeypatch.setenv("DELTALAKEDB_SCHEMA", secured.options.schema)
    for command, code in (("migration-status", 1), ("check", 1), ("sync", 1)):
        capsys.readouterr()
        assert main([command, *(["--all"] if command == "sync" else [])]) == code
        said = "".join(capsys.readouterr())
        assert "row-level security" in said
        assert "The catalog is empty" not in said
    with served(secured.url_of(some), options=secured.options) as server:
        assert "deltalakedb_up 0.0" in server.get("/metrics").text
        assert [server.get(path).status for path in ("/", "/api/lake", "/readyz")] == [503] * 3


def test_who_is_granted_later_is_not_left_blind(secured: Roles, tmp_path: Path):
    with secured.catalog(secured.grant("reader")) as catalog:
        assert [table.table_id for table in catalog.tables()] == ["orders"]
        assert catalog.table("orders").count() > 0
    with secured.catalog(secured.grant("migrator")) as catalog:
        catalog.import_table(str(tmp_path / "plain"))
        catalog.sync("plain")
    some = secured.made[1]
    with secured.catalog(secured.url_of(some)) as catalog:
        assert [table.table_id for table in catalog.tables()] == ["orders"]
        secured.run("reader", some)
        assert [table.table_id for table in catalog.tables()] == ["orders", "plain"]


def test_who_was_granted_before_goes_on_with_its_work(filled: Roles, tmp_path: Path):
    reader, migrator = filled.grant("reader"), filled.grant("migrator")
    group = f"group {uuid.uuid4().hex}"
    with psycopg.connect(filled.url, autocommit=True) as admin:
        admin.execute(f'CREATE ROLE "{group}"')
        member = f"member {uuid.uuid4().hex}"
        admin.execute(f"CREATE ROLE \"{member}\" LOGIN PASSWORD 'of a role'")
        admin.execute(f'GRANT "{group}" TO "{member}"')
    filled.made += [group, member]
    filled.run("reader", group)
    with psycopg.connect(filled.url) as connection:
        if connection.info.server_version < 150000:
            pytest.skip("PostgreSQL before 15 has no views that ask for their reader's rights")
    some = filled.grant("reader", table_ids=["plain"])
    with filled.catalog(migrator) as catalog:
        catalog.import_table(str(tmp_path / "plain"))
        catalog.sync("orders")
    for url, seen in ((reader, 2), (filled.url_of(member), 2), (some, 1)):
        with filled.catalog(url) as catalog:
            assert len(catalog.tables()) == seen


def test_rights_that_were_taken_away_end_an_import_that_can_go_on_later(filled: Roles, tmp_path: Path):
    url = filled.grant("migrator")
    table, role = f"{filled.place}.delta_files", filled.made[-1]

    def admin(statement: str) -> None:
        with psycopg.connect(filled.url, autocommit=True) as connection:
            connection.execute(statement)

    def take_away() -> None:
        admin(f'REVOKE INSERT ON {table} FROM "{role}"')

    with filled.catalog(url) as catalog:
        with pytest.raises(PermissionDeniedError, match="Permission denied"):
            catalog.import_table(str(tmp_path / "plain"), batch_size=1, listener=At(1, take_away))
        with closing(Database(url, filled.options)) as database, database.reading() as connection:
            (status,) = registry.statuses(connection, "plain")
        assert (status.status, "Permission denied" in (status.error_message or "")) == ("failed", True)
        admin(f'GRANT INSERT ON {table} TO "{role}"')
        assert catalog.import_table(str(tmp_path / "plain"), resume=True).resumed
        assert catalog.validate("plain", all_versions=True).valid


def test_only_postgresql_has_policies(sqlite_url: str):
    with pytest.raises(ArgumentError, match="sqlite has no row-level security"):
        grants(Database(sqlite_url), "reader", table_ids=["x"])
    for role, options in (("migrator", {"table_ids": ["x"]}), ("admin", {"row_level_security": True})):
        with pytest.raises(ArgumentError, match="Only readers can be held"):
            grants(Database("postgresql://h/db"), role, **options)


def test_of_sqlite_it_is_said_that_permissions_of_files_rule(sqlite_url: str):
    found = grants(Database(sqlite_url), "reader")
    assert found.statements == ()
    assert "SQLite has no roles" in found.notes[0]


def netloc_of(name: str, url: str) -> str:
    return f"{name}@{urlsplit(url).netloc.rpartition('@')[2]}"


@pytest.mark.parametrize("name", ["lake_prod", "a%b", "back\\slash", "tick`s"])
def test_a_grant_of_mariadb_is_for_one_database(mysql_server: str, name: str):
    from tests.support.mariadb import connect as connect_mysql

    quoted, user = "`" + name.replace("`", "``") + "`", f"it's\\ {uuid.uuid4().hex[:8]}"
    near = "`" + name.replace("_", "X").replace("%", "X").replace("\\", "").replace("`", "") + "`"
    with closing(Database(f"mysql://h/{quote(name, safe='')}")) as database:
        printed = grants(database, "reader", user, create=True).statements
    with closing(connect_mysql(mysql_server)) as admin, admin.cursor() as cursor:
        for each in (quoted, near):
            cursor.execute(f"CREATE DATABASE {each}")
        try:
            for statement in printed:
                cursor.execute(statement)
            cursor.execute("SELECT db FROM mysql.db WHERE user = %s", (user,))
            (granted,) = cursor.fetchall()
            cursor.execute("SELECT %s LIKE %s, %s LIKE %s", (name, granted[0], near.strip("`"), granted[0]))
            assert cursor.fetchone() == (1, 0)
        finally:
            cursor.execute("DROP USER %s@'%%'", (user,))
            for each in (quoted, near):
                cursor.execute(f"DROP DATABASE {each}")


@pytest.mark.parametrize("role", ["reader", "migrator"])
def test_users_of_mariadb(mysql_url: str, tmp_path: Path, role: str):
    from tests.support.mariadb import connect as connect_mysql

    lake.plain_table(tmp_path / "plain")
    lake.plain_table(tmp_path / "more")
    with deltalakedb.connect(mysql_url) as catalog:
        catalog.import_table(str(tmp_path / "plain"))
    name = f"u{uuid.uuid4().hex[:12]}"
    with closing(Database(mysql_url)) as database:
        printed = grants(database, role, name, create=True).statements
    with closing(connect_mysql(mysql_url)) as admin, admin.cursor() as cursor:
        for statement in printed:
            cursor.execute(statement)
        with pytest.raises(Exception, match=r"locked|denied"):
            connect_mysql(urlsplit(mysql_url)._replace(netloc=netloc_of(name, mysql_url)).geturl())
        cursor.execute(f"ALTER USER '{name}'@'%' ACCOUNT UNLOCK")
    parts = urlsplit(mysql_url)
    url = parts._replace(netloc=netloc_of(name, mysql_url)).geturl()
    refuse: Callable[..., object] = pytest.raises
    try:
        with deltalakedb.connect(url) as catalog:
            assert catalog.table("plain").count() == 3
            if role == "migrator":
                catalog.import_table(str(tmp_path / "more"))
                catalog.sync("more")
                catalog.rollback("more")
            else:
                with refuse(PermissionDeniedError):
                    catalog.rollback("plain")
        with closing(connect_mysql(url)) as connection, connection.cursor() as cursor:
            for table in (*TABLES, *VIEWS):
                cursor.execute(f"SELECT * FROM {table}")
                denied = [f"DROP TABLE {table}", f"ALTER TABLE {table} ADD COLUMN x int"]
                denied += [f"DELETE FROM {table}"] if role == "reader" else []
                for statement in denied:
                    with refuse(Exception, match="denied"):
                        cursor.execute(statement)
    finally:
        with closing(connect_mysql(mysql_url)) as admin, admin.cursor() as cursor:
            cursor.execute(f"DROP USER '{name}'@'%'")


def test_what_is_printed_is_a_script_for_psql(postgresql_url: str):
    words = ["grants", "--role", "admin", "--to", "printed", "--create", "--database-url", postgresql_url]
    done = subprocess.run([sys.executable, "-m", "deltalakedb", *words], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [lines[0], lines[-1]] == ["BEGIN;", "COMMIT;"]
    assert all(line.endswith(";") for line in lines)
    assert "To be run by a superuser" in done.stderr
    script = done.stdout.replace("COMMIT;", "ROLLBACK;")
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(script)
