"""The database goes away in the middle of an import: it is waited for, or the import can go on later."""

import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from deltalakedb.catalog import registry
from deltalakedb.errors import DatabaseConnectionError
from deltalakedb.migrate import retrying
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.told import Progress
from tests.robustness.tables import assert_like_undisturbed, opened
from tests.support.apart import read_apart
from tests.support.databases import MortalPostgres, fresh_postgres
from tests.support.logs import LogBuilder, add, commit_info, remove
from tests.support.outages import At, retries
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def mortal_url(mortal: MortalPostgres) -> Iterator[str]:
    """The URL of an empty database on a server that may be stopped."""
    with fresh_postgres(mortal.url) as url:
        yield url


@pytest.fixture
def proxied(mortal: MortalPostgres, mortal_url: str) -> Iterator[tuple[TcpProxy, str]]:
    """A proxy in front of a server, and the URL of an empty database by way of it."""
    with tcp_proxy(mortal.socket) as proxy:
        yield proxy, f"postgresql://postgres@{proxy.host}:{proxy.port}{urlsplit(mortal_url).path}?sslmode=disable"


@pytest.mark.parametrize(("how", "apart"), [("stop", False), ("crash", False), ("crash", True)])
def test_a_server_that_restarts_is_waited_for(
    mortal: MortalPostgres,
    mortal_url: str,
    log: LogBuilder,
    how: str,
    apart: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    if apart:
        read_apart(monkeypatch)
    starting = threading.Timer(0.3, mortal.start)

    def restart() -> None:
        getattr(mortal, how)()
        starting.start()

    with opened(mortal_url) as database:
        report = import_table(database, str(log.root), batch_size=20, listener=At(7, restart))
        starting.join()
    assert report.status == "completed"
    assert not report.resumed
    assert "orders: Database connection failed: " in retries(caplog)[0]
    assert "trying again in " in retries(caplog)[0]
    assert_like_undisturbed(mortal_url, log)


@pytest.mark.parametrize("after_bytes", [0, 300, 5_000, 20_000, 47_111])
def test_a_connection_that_breaks_is_made_anew(
    proxied: tuple[TcpProxy, str], log: LogBuilder, after_bytes: int, caplog: pytest.LogCaptureFixture
):
    proxy, url = proxied
    with opened(url) as database:
        import_table(database, str(log.root), batch_size=50, listener=At(2, lambda: proxy.cut_after(after_bytes)))
    assert proxy.cuts
    assert retries(caplog)
    assert_like_undisturbed(url, log)


def test_a_network_that_breaks_again_and_again_does_not_end_an_import_that_gets_further(
    proxied: tuple[TcpProxy, str], log: LogBuilder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(retrying, "PAUSES_SECONDS", (0.02, 0.1, 0.2))
    proxy, url = proxied

    def listener(_progress: Progress) -> None:
        proxy.cut()

    with opened(url) as database:
        import_table(database, str(log.root), batch_size=60, listener=listener)
    assert proxy.cuts > len(retrying.PAUSES_SECONDS)
    assert_like_undisturbed(url, log)


def test_a_database_that_stays_away_is_given_up_and_the_import_can_go_on_later(
    proxied: tuple[TcpProxy, str],
    log: LogBuilder,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(retrying, "PAUSES_SECONDS", (0.01, 0.01, 0.01))
    proxy, url = proxied

    def leave() -> None:
        proxy.down = True
        proxy.cut()

    with opened(url) as database:
        with pytest.raises(DatabaseConnectionError, match="Database connection failed"):
            import_table(database, str(log.root), batch_size=20, listener=At(5, leave))
        assert len(retries(caplog)) == 3
        assert "could not note that the import ended (failed)" in caplog.records[-1].getMessage()
        proxy.down = False
        report = import_table(database, str(log.root), batch_size=20, resume=True)  # by the process that failed
        assert report.resumed
    assert_like_undisturbed(url, log)


@pytest.mark.parametrize(
    ("setting", "said"),
    [("statement_timeout = '300ms'", "statement timeout"), ("lock_timeout = '300ms'", "lock timeout")],
)
def test_what_times_out_is_tried_again(
    mortal_url: str, log: LogBuilder, setting: str, said: str, caplog: pytest.LogCaptureFixture
):
    """Somebody holds a lock on the rows, and lets it go when the importer has run into it."""
    holder = psycopg.connect(mortal_url)

    def hold() -> None:
        holder.execute("LOCK TABLE delta_files IN ACCESS EXCLUSIVE MODE")
        threading.Thread(target=let_go, daemon=True).start()

    def let_go() -> None:
        while not retries(caplog):
            time.sleep(0.02)
        holder.close()

    with psycopg.connect(mortal_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {urlsplit(mortal_url).path[1:]} SET {setting}")
    with opened(mortal_url) as database:
        import_table(database, str(log.root), batch_size=50, listener=At(3, hold))
    assert said in retries(caplog)[0]
    assert_like_undisturbed(mortal_url, log)


def test_a_deadlock_costs_a_transaction_and_no_rows(mortal_url: str, log: LogBuilder, caplog: pytest.LogCaptureFixture):
    """The importer has its row in `migration_status` and wants `delta_files`; the other one wants it the other way."""
    begun = threading.Event()

    def hold() -> None:
        threading.Thread(target=rival, daemon=True).start()
        begun.wait()

    def rival() -> None:
        with psycopg.connect(mortal_url) as connection:
            connection.execute("SET deadlock_timeout = '60s'")  # so that it is the importer who is the victim
            connection.execute("LOCK TABLE delta_files IN ACCESS EXCLUSIVE MODE")
            begun.set()
            time.sleep(0.2)  # the importer waits first, and looks for deadlocks after 600 ms
            connection.execute("UPDATE migration_status SET started_at = started_at")

    with psycopg.connect(mortal_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {urlsplit(mortal_url).path[1:]} SET deadlock_timeout = '600ms'")
    with opened(mortal_url) as database:
        import_table(database, str(log.root), batch_size=50, listener=At(3, hold))
    assert "deadlock detected" in retries(caplog)[0]
    assert_like_undisturbed(mortal_url, log)


def test_a_sync_that_is_cut_off_goes_on_too(
    proxied: tuple[TcpProxy, str], log: LogBuilder, caplog: pytest.LogCaptureFixture
):
    proxy, url = proxied
    with opened(url) as database:
        import_table(database, str(log.root))
        for number in range(20):
            log.commit(commit_info(), add(f"new{number}"), remove(f"new{number - 3}"))
        proxy.cut_after(30_000)
        import_table(database, str(log.root), resume=True)
    assert retries(caplog)
    with opened(url) as database, database.reading() as connection:
        assert registry.entry_of(connection, "orders").version == log.version


def test_a_reader_that_comes_back_after_an_outage_finds_the_database_again(mortal: MortalPostgres, mortal_url: str):
    with opened(mortal_url) as database:
        with database.writing():
            pass
        with database.reading():
            pass
        mortal.stop()
        mortal.start()
        with database.reading():
            pass
