"""Against real servers: TLS with a private authority, a streaming replica, PgBouncer in transaction mode."""

import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from deltalake import DeltaTable
from sqlalchemy import text

import deltalakedb
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.options import DatabaseOptions
from deltalakedb.errors import PermissionDeniedError
from tests.catalog.refusals import refusal
from tests.support import lake, leaks
from tests.support.postgres_admin import Server, wait_for_replica


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `deltalakedb WORD…` in a process of its own: libpq reads its variables once a process."""
    env = {**os.environ, **environment}
    command = [sys.executable, "-m", "deltalakedb", *map(str, words)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


# ---- TLS


def test_a_verified_connection_is_encrypted(tls_server: Server, tls_database: str):
    with closing(Database(tls_server.verified(tls_database))) as database:
        with database.transaction() as connection:
            mine = text("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            encrypted, version = connection.execute(mine).one()
        assert encrypted
        assert version.startswith("TLSv1.")
        assert database.has_catalog()


def test_a_server_that_demands_tls_is_not_spoken_to_in_the_clear(tls_server: Server):
    assert "no encryption" in refusal(tls_server.url(sslmode="disable")).message


def test_a_server_of_another_authority_is_not_trusted(tls_server: Server):
    url = tls_server.url(sslmode="verify-full", sslrootcert=tls_server.authority.stranger)
    error = refusal(url)
    assert "certificate verify failed" in error.message
    assert "sslrootcert" in error.hint


def test_a_server_with_another_name_is_not_trusted(tls_server: Server):
    error = refusal(tls_server.verified().replace("@localhost:", "@127.0.0.1:"))
    assert "does not match host name" in error.message


def test_a_role_may_have_to_show_a_certificate(tls_server: Server, tls_database: str):
    with psycopg.connect(tls_server.url(tls_database), autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS certified")
        admin.execute("CREATE ROLE certified LOGIN")
        admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # as it is from PostgreSQL 15 on
    ours = tls_server.authority
    verified = tls_server.verified(tls_database).replace(f"postgres:{leaks.QUOTED}@", "certified@")
    assert "certificate" in refusal(verified).message
    shown = f"{verified}&sslcert={ours.client_cert}"
    for key in (f"sslkey={ours.client_key}", f"sslkey={ours.locked_key}&sslpassword={leaks.QUOTED}"):
        with closing(Database(f"{shown}&{key}")) as database:
            assert not database.has_catalog()
            with pytest.raises(PermissionDeniedError) as raised, database.transaction():
                pass  # it may log in, and nothing else
            assert leaks.QUOTED not in raised.value.message
    assert (
        "client.key"
        in refusal(f"{shown}&sslkey={ours.folder if False else ours.root.parent / 'no' / 'client.key'}").message
    )
    with psycopg.connect(tls_server.url(tls_database), autocommit=True) as admin:
        admin.execute("DROP OWNED BY certified")
        admin.execute("DROP ROLE certified")


def test_a_migration_goes_by_tls(tls_server: Server, tls_database: str, tmp_path: Path):
    lake.orders_table(tmp_path / "lake" / "orders")
    lake.plain_table(tmp_path / "lake" / "plain")
    url = tls_server.verified(tls_database)
    done = run("batch-import", tmp_path / "lake", "--database-url", url, "--parallel", 2)
    assert done.returncode == 0, done.stderr
    with deltalakedb.connect(url) as catalog:
        assert catalog.validate("orders", all_versions=True).valid


# ---- where a password may come from


@pytest.fixture
def secrets(tls_server: Server, tls_database: str, tmp_path: Path) -> dict[str, str]:
    """The variables of libpq for a file of passwords and one of services."""
    pgpass, services = tmp_path / "pgpass", tmp_path / "pg_service.conf"
    password = leaks.PASSWORD.replace(":", "\\:")
    pgpass.write_text(f"localhost:{tls_server.port}:*:postgres:{password}\n")
    pgpass.chmod(0o600)
    services.write_text(
        f"[lake]\nhost=localhost\nport={tls_server.port}\ndbname={tls_database}\nuser=postgres\n"
        f"sslmode=verify-full\nsslrootcert={tls_server.authority.root}\n"
    )
    return {"PGPASSFILE": str(pgpass), "PGSERVICEFILE": str(services)}


@pytest.mark.parametrize("way", ["pgpass", "service", "environment", "PGPASSWORD"])
def test_what_libpq_knows_needs_no_url(
    tls_server: Server,
    tls_database: str,
    tmp_path: Path,
    secrets: dict[str, str],
    way: str,
    monkeypatch: pytest.MonkeyPatch,
):
    lake.plain_table(tmp_path / "plain")
    at = {"PGHOST": "localhost", "PGPORT": str(tls_server.port), "PGDATABASE": tls_database, "PGUSER": "postgres"}
    url, environment = {
        "pgpass": (f"postgresql://postgres@localhost:{tls_server.port}/{tls_database}", secrets),
        "service": ("postgresql://?service=lake", secrets),
        "environment": ("postgresql://", {**at, **secrets}),
        "PGPASSWORD": ("postgresql://", {**at, "PGPASSWORD": leaks.PASSWORD}),
    }[way]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with deltalakedb.connect(url) as catalog:
        catalog.import_table(str(tmp_path / "plain"))
        assert deltalakedb.DeltaTable(url, table_id="plain").count() == 3
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    monkeypatch.setenv("PGPASSWORD", "wrong")
    assert "password authentication failed" in refusal(url).message


def test_a_command_needs_no_url_either(secrets: dict[str, str]):
    found = run("check", "--database-url", "postgresql://?service=lake", "--verbose", **secrets)
    assert found.returncode == 1
    assert "There is no catalog in postgresql://?service=lake" in found.stdout


# ---- a replica


def test_a_replica_is_read_while_the_primary_is_written(
    tls_server: Server, replica: Server, tls_database: str, tmp_path: Path
):
    lake.plain_table(tmp_path / "plain")
    primary, follower = tls_server.verified(tls_database), replica.verified(tls_database)
    with deltalakedb.connect(primary, read_url=follower) as catalog:
        catalog.import_table(str(tmp_path / "plain"))
        wait_for_replica(tls_server, replica)
        assert [table.table_id for table in catalog.tables()] == ["plain"]
        table = catalog.table("plain")
        assert table.to_pyarrow_table().num_rows == 3
        assert deltalakedb.DeltaTable(follower, table_id="plain").version() == 2
        lake.plain_table(tmp_path / "more")
        catalog.import_table(str(tmp_path / "more"))
        catalog.rollback("more")
    assert run("files", "plain", "--database-url", "postgresql://nowhere/", "--read-url", follower).returncode == 0
    assert run("check", "--database-url", follower).returncode == 0
    refused = run("sync", "plain", "--database-url", follower)
    assert refused.returncode == 1
    assert "read-only transaction" in refused.stdout + refused.stderr


# ---- PgBouncer


@pytest.fixture
def pooled(bouncer: int, tls_database: str) -> str:
    """The URL of an empty database by way of PgBouncer."""
    return f"postgresql://postgres:{leaks.QUOTED}@127.0.0.1:{bouncer}/{tls_database}"


def test_pgbouncer_forgets_what_a_session_would_keep(pooled: str):
    """The rig can fail: what relies on a session does not get through."""

    def ask(*connections: psycopg.Connection) -> None:
        for connection in connections:
            connection.execute("SELECT 1")
            connection.commit()

    one, two = (psycopg.connect(pooled, prepare_threshold=0) for _ in range(2))
    with one, two, pytest.raises(psycopg.Error, match="prepared statement"):
        ask(one, two, one, two)


@pytest.mark.parametrize("schema", [None, "lake"])
def test_everything_goes_by_pgbouncer(pooled: str, tmp_path: Path, schema: str | None):
    lake.orders_table(tmp_path / "orders")
    with deltalakedb.connect(pooled, schema=schema, statement_timeout=60) as catalog:
        for _ in range(2):
            catalog.import_table(str(tmp_path / "orders"), batch_size=10)
            catalog.index("orders", ["order_id"])
            assert catalog.validate("orders", all_versions=True).valid
            DeltaTable(tmp_path / "orders").delete("order_id % 7 = 1")
            catalog.sync("orders")
            table = catalog.table("orders")
            assert table.to_pyarrow_table().num_rows == table.count() == table.scan().read_all().num_rows
            catalog.rollback("orders")


def test_many_at_once_go_by_pgbouncer(pooled: str, tmp_path: Path):
    """Six threads, each with a catalog in a schema of its own or not, on three connections of the server."""
    lake.plain_table(tmp_path / "plain", 5)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with deltalakedb.connect(pooled, schema=f"lake_{number % 3}") as catalog:
                catalog.import_table(str(tmp_path / "plain"), f"plain_{number}")
                for _ in range(8):
                    assert catalog.table(f"plain_{number}").count() == 5
                    catalog.sync(f"plain_{number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for number in range(3):
        with closing(Database(pooled, DatabaseOptions(schema=f"lake_{number}"))) as database, database.reading() as it:
            found = it.execute(text("SELECT table_id FROM delta_tables ORDER BY table_id")).scalars().all()
            assert found == [f"plain_{number}", f"plain_{number + 3}"]


def test_a_batch_goes_by_pgbouncer(pooled: str, tmp_path: Path):
    for name in ("one", "two", "three"):
        lake.plain_table(tmp_path / "lake" / name)
    done = run("batch-import", tmp_path / "lake", "--database-url", pooled, "--parallel", 2, "--schema", "lake")
    assert done.returncode == 0, done.stderr
