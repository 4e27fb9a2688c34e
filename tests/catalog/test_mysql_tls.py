"""MariaDB by TLS: a server that demands it, with a certificate of a private authority."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

import deltalakedb
from deltalakedb.catalog.database import Database
from tests.catalog.refusals import refusal
from tests.support import lake, leaks
from tests.support.mariadb import TlsMySQL, connect, fresh_mysql

USER = f"lake:{leaks.QUOTED}"


@pytest.fixture
def database(tls_mysql: TlsMySQL) -> Iterator[str]:
    """The name of an empty database; `lake` may do everything in it, `certified` by a certificate alone."""
    with fresh_mysql(tls_mysql.admin) as url:
        name = urlsplit(url).path[1:]
        with closing(connect(tls_mysql.admin)) as admin, admin.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE USER lake IDENTIFIED BY %s", [leaks.PASSWORD])
            cursor.execute("CREATE OR REPLACE USER certified REQUIRE X509")
            cursor.execute(f"GRANT ALL ON {name}.* TO lake, certified")
        yield name


def cipher(url: str) -> str:
    with closing(Database(url)) as database, database.transaction() as connection:
        return str(connection.execute(text("SHOW SESSION STATUS LIKE 'Ssl_cipher'")).one()[1])


def test_the_right_authority_is_enough(tls_mysql: TlsMySQL, database: str):
    trusted = tls_mysql.url(USER, database, ssl_ca=tls_mysql.authority.root)
    assert cipher(trusted)
    for mode in ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"):
        assert cipher(f"{trusted}&ssl_mode={mode}")


@pytest.mark.parametrize("options", [{}, {"ssl_mode": "PREFERRED"}, {"ssl_mode": "REQUIRED"}])
def test_without_an_authority_it_is_encrypted_at_least(tls_mysql: TlsMySQL, database: str, options: dict[str, str]):
    assert cipher(tls_mysql.url(USER, database, **options))


def test_a_server_that_demands_tls_is_not_spoken_to_in_the_clear(tls_mysql: TlsMySQL, database: str):
    error = refusal(tls_mysql.url(USER, database, ssl_mode="DISABLED"))
    assert "Access denied" in error.message
    assert "ssl_mode=REQUIRED" in error.hint


@pytest.mark.parametrize("options", [{}, {"ssl_mode": "REQUIRED"}, {"ssl_mode": "VERIFY_IDENTITY"}])
def test_a_server_of_another_authority_is_not_trusted(tls_mysql: TlsMySQL, database: str, options: dict[str, str]):
    error = refusal(tls_mysql.url(USER, database, ssl_ca=tls_mysql.authority.stranger, **options))
    assert "certificate verify failed" in error.message
    assert "ssl_ca" in error.hint


def test_without_a_file_only_public_authorities_are_trusted(tls_mysql: TlsMySQL, database: str):
    error = refusal(tls_mysql.url(USER, database, ssl_mode="VERIFY_IDENTITY"))
    assert "certificate verify failed" in error.message
    assert "ssl_ca" in error.hint


def test_a_server_with_another_name_is_not_trusted_unless_names_do_not_matter(tls_mysql: TlsMySQL, database: str):
    elsewhere = tls_mysql.url(USER, database, ssl_ca=tls_mysql.authority.root).replace("@localhost:", "@127.0.0.1:")
    error = refusal(elsewhere)
    assert "127.0.0.1" in error.message
    assert "certificate" in error.message
    assert "VERIFY_CA" in error.hint
    assert cipher(f"{elsewhere}&ssl_mode=VERIFY_CA")
    assert cipher(f"{elsewhere}&ssl_check_hostname=false")


def test_a_user_may_have_to_show_a_certificate(tls_mysql: TlsMySQL, database: str):
    ours = tls_mysql.authority
    trusted = tls_mysql.url("certified", database, ssl_ca=ours.root)
    error = refusal(trusted)
    assert "Access denied" in error.message
    assert "ssl_cert" in error.hint
    for key in (f"ssl_key={ours.client_key}", f"ssl_key={ours.locked_key}&ssl_key_password={leaks.QUOTED}"):
        assert cipher(f"{trusted}&ssl_cert={ours.client_cert}&{key}")
    lost = refusal(f"{trusted}&ssl_cert={ours.client_cert}&ssl_key={ours.root.parent / 'no' / 'client.key'}")
    assert "TLS" in lost.message


def test_a_migration_goes_by_tls(tls_mysql: TlsMySQL, database: str, tmp_path: Path):
    lake.plain_table(tmp_path / "plain")
    with deltalakedb.connect(tls_mysql.url(USER, database, ssl_ca=tls_mysql.authority.root)) as catalog:
        catalog.import_table(str(tmp_path / "plain"))
        assert catalog.validate("plain", all_versions=True).valid
        assert catalog.table("plain").count() == 3
