"""MariaDB goes away in the middle of an import, or is in its way: it is waited for, or the import can go on later."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from deltalakedb.errors import DatabaseConnectionError
from deltalakedb.migrate import retrying
from deltalakedb.migrate.importer import import_table
from tests.robustness.tables import assert_like_undisturbed, opened
from tests.support import leaks, mariadb
from tests.support.apart import read_apart
from tests.support.databases import running
from tests.support.logs import LogBuilder
from tests.support.mariadb import MySQL, connect, fresh_mysql
from tests.support.outages import At, retries
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture(scope="module")
def mortal() -> Iterator[MySQL]:
    """A server of MariaDB that a test may stop, and has to start again."""
    yield from running(mariadb.mortal_mysql)


@pytest.fixture
def mortal_url(mortal: MySQL) -> Iterator[str]:
    """The URL of an empty database there."""
    with fresh_mysql(mortal.url) as url:
        yield url


@pytest.fixture
def proxied(mortal: MySQL, mortal_url: str) -> Iterator[tuple[TcpProxy, str]]:
    """A proxy in front of the server, and the URL of an empty database by way of it."""
    with tcp_proxy(mortal.socket) as proxy:
        yield proxy, f"mysql://root:{leaks.QUOTED}@{proxy.host}:{proxy.port}{urlsplit(mortal_url).path}"


@pytest.mark.parametrize(("how", "apart"), [("stop", False), ("crash", False), ("crash", True)])
def test_a_server_that_restarts_is_waited_for(
    mortal: MySQL,
    proxied: tuple[TcpProxy, str],
    log: LogBuilder,
    how: str,
    apart: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    _proxy, url = proxied  # not its socket: PyMySQL leaves one open that leads nowhere
    if apart:
        read_apart(monkeypatch)
    starting = threading.Timer(0.3, mortal.start)

    def restart() -> None:
        getattr(mortal, how)()
        starting.start()

    with opened(url) as database:
        report = import_table(database, str(log.root), batch_size=20, listener=At(7, restart))
        starting.join()
    assert report.status == "completed"
    assert "orders: Database connection failed: " in retries(caplog)[0]
    assert_like_undisturbed(url, log)


@pytest.mark.parametrize("after_bytes", [0, 300, 5_000, 20_000, 47_111])
def test_a_connection_that_breaks_is_made_anew(
    proxied: tuple[TcpProxy, str], log: LogBuilder, after_bytes: int, caplog: pytest.LogCaptureFixture
):
    """At any byte: within a statement, within rows that are loaded, or with the commit on its way."""
    proxy, url = proxied
    with opened(url) as database:
        import_table(database, str(log.root), batch_size=50, listener=At(2, lambda: proxy.cut_after(after_bytes)))
    assert proxy.cuts
    assert retries(caplog)
    assert_like_undisturbed(url, log)


def test_a_database_that_stays_away_is_given_up_and_the_import_can_go_on_later(
    proxied: tuple[TcpProxy, str], log: LogBuilder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
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
        proxy.down = False
        assert import_table(database, str(log.root), batch_size=20, resume=True).resumed
    assert_like_undisturbed(url, log)


def test_a_lock_that_is_not_let_go_in_time_is_tried_again(
    mortal: MySQL, mortal_url: str, log: LogBuilder, caplog: pytest.LogCaptureFixture
):
    """Somebody holds the table's row in `migration_status`, and lets it go when the importer has run into it."""
    holder = connect(mortal_url)
    holder.autocommit(False)

    def hold() -> None:
        with holder.cursor() as cursor:
            cursor.execute("SELECT * FROM migration_status FOR UPDATE")
        threading.Thread(target=let_go, daemon=True).start()

    def let_go() -> None:
        while not retries(caplog):
            time.sleep(0.02)
        holder.close()

    with closing(connect(mortal.url)) as admin, admin.cursor() as cursor:
        cursor.execute("SET GLOBAL innodb_lock_wait_timeout = 1")
        with opened(mortal_url) as database:
            import_table(database, str(log.root), batch_size=50, listener=At(3, hold))
        cursor.execute("SET GLOBAL innodb_lock_wait_timeout = 50")
    assert "Lock wait timeout exceeded" in retries(caplog)[0]
    assert_like_undisturbed(mortal_url, log)


def test_a_deadlock_costs_a_transaction_and_no_rows(mortal_url: str, log: LogBuilder, caplog: pytest.LogCaptureFixture):
    """The importer has its row in `migration_status` and appends to `delta_files`; the other one goes the other way."""
    begun, rival = threading.Event(), connect(mortal_url)
    rival.autocommit(False)

    def hold() -> None:
        threading.Thread(target=want_both, daemon=True).start()
        begun.wait()

    def want_both() -> None:
        with closing(rival), rival.cursor() as cursor:
            # Whoever has changed more rows is not the victim.
            cursor.execute(
                "INSERT INTO migration_status (table_id, location, status, files_processed, started_at, "
                "commits_processed, rows_loaded) SELECT CONCAT('x', seq), '', 'failed', 0, now(), 0, 0 "
                "FROM seq_1_to_5000"
            )
            cursor.execute("UPDATE delta_files SET size = size")
            begun.set()
            time.sleep(0.3)
            cursor.execute("SELECT * FROM migration_status FOR UPDATE")
            rival.rollback()

    with opened(mortal_url) as database:
        import_table(database, str(log.root), batch_size=50, listener=At(3, hold))
    assert "Deadlock found" in retries(caplog)[0]
    assert_like_undisturbed(mortal_url, log)
