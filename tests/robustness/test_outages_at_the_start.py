"""The database is away before a table is begun, or between two of a batch: it is waited for there, too, and once."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import deltalakedb
from deltalakedb.catalog import events, registry
from deltalakedb.catalog.dialects import sqlite
from deltalakedb.errors import DatabaseBusyError, DatabaseConnectionError, TableNotFoundError
from deltalakedb.migrate import retrying
from deltalakedb.migrate.batch import BatchProgress, batch_import
from deltalakedb.migrate.importer import _Import, import_table
from deltalakedb.migrate.sync import tables_to_sync
from deltalakedb.migrate.validate import validate_and_keep
from tests.robustness.tables import assert_like_undisturbed, make_table, opened
from tests.support import leaks, mariadb
from tests.support.databases import MortalPostgres, fresh_postgres, running
from tests.support.logs import LogBuilder, add
from tests.support.mariadb import MySQL, fresh_mysql
from tests.support.outages import At, retries
from tests.support.tcp_proxy import TcpProxy, tcp_proxy


@dataclass
class Away:
    """A database that a test may take away, and give back."""

    url: str
    take: Callable[[], None]
    give_back: Callable[[], None]

    @contextmanager
    def for_seconds(self, seconds: float) -> Iterator[None]:
        """Takes the database away for some time, from now on."""
        self.take()
        timer = threading.Timer(seconds, self.give_back)
        timer.start()
        try:
            yield
        finally:
            timer.join()


def behind(proxy: TcpProxy, url: str) -> Away:
    def take() -> None:
        proxy.down = True
        proxy.cut()

    def give_back() -> None:
        proxy.down = False

    return Away(url, take, give_back)


@pytest.fixture(scope="module")
def mortal_mysql() -> Iterator[MySQL]:
    """A server of MariaDB."""
    yield from running(mariadb.mortal_mysql)


@pytest.fixture
def away_postgresql(mortal: MortalPostgres) -> Iterator[Away]:
    """An empty database of PostgreSQL, behind a proxy."""
    with fresh_postgres(mortal.url) as url, tcp_proxy(mortal.socket) as proxy:
        path = urlsplit(url).path
        yield behind(proxy, f"postgresql://postgres@{proxy.host}:{proxy.port}{path}?sslmode=disable")


@pytest.fixture
def away_mysql(mortal_mysql: MySQL) -> Iterator[Away]:
    """An empty database of MariaDB, behind a proxy."""
    with fresh_mysql(mortal_mysql.url) as url, tcp_proxy(mortal_mysql.socket) as proxy:
        yield behind(proxy, f"mysql://root:{leaks.QUOTED}@{proxy.host}:{proxy.port}{urlsplit(url).path}")


@pytest.fixture
def away_sqlite(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
    """A file that another one writes to while it is away."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    with opened(sqlite_url) as database, database.writing():
        pass
    name = sqlite_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(name, isolation_level=None, check_same_thread=False)) as holder:
        yield Away(sqlite_url, lambda: holder.execute("BEGIN IMMEDIATE"), lambda: holder.execute("ROLLBACK"))


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def away(request: pytest.FixtureRequest) -> Away:
    """Each kind of database."""
    return request.getfixturevalue(f"away_{request.param}")


@pytest.fixture(params=["postgresql", "mysql"])
def away_server(request: pytest.FixtureRequest) -> Away:
    """Each kind of server."""
    return request.getfixturevalue(f"away_{request.param}")


def lake(root: Path, tables: int) -> str:
    for number in range(tables):
        make_table(root / f"t{number:02}", commits=3, files=2, seed=number)
    return str(root)


# ---- one table


@pytest.mark.usefixtures("impatient")
def test_a_claim_waits(away: Away, log: LogBuilder, caplog: pytest.LogCaptureFixture):
    with opened(away.url) as database:
        with database.writing():
            pass
        with away.for_seconds(0.5):
            assert import_table(database, str(log.root)).status == "completed"
        assert retries(caplog)[0].startswith("orders: ")
        with database.reading() as connection:
            (event,) = events.events_of(connection, "orders", 10)
    assert (event.command, event.status, event.times) == ("import", "completed", 1)
    assert_like_undisturbed(away.url, log)


@pytest.mark.usefixtures("impatient")
def test_a_first_connection_waits(away_server: Away, log: LogBuilder, caplog: pytest.LogCaptureFixture):
    with opened(away_server.url) as database, away_server.for_seconds(0.4):
        assert import_table(database, str(log.root)).status == "completed"
    assert f" of {retrying.FIRST_ATTEMPTS})" in retries(caplog)[0]
    assert_like_undisturbed(away_server.url, log)


@pytest.mark.usefixtures("impatient")
def test_a_sync_waits_for_what_it_is_told(away_server: Away, log: LogBuilder, caplog: pytest.LogCaptureFixture):
    with deltalakedb.connect(away_server.url) as catalog:
        catalog.import_table(str(log.root))
        log.commit(add("later"))
        with away_server.for_seconds(0.4):
            assert catalog.sync("orders").version == log.version
    assert retries(caplog)[0].startswith("sync: ")


def test_what_nobody_waits_for_fails_at_once(away_server: Away, log: LogBuilder, caplog: pytest.LogCaptureFixture):
    with deltalakedb.connect(away_server.url) as catalog:
        catalog.import_table(str(log.root))
        away_server.take()
        for call in (
            catalog.tables,
            lambda: catalog.table("orders"),
            lambda: catalog.rollback("orders"),
            lambda: catalog.validate("orders"),
        ):
            with pytest.raises(DatabaseConnectionError):
                call()
    assert not retries(caplog)


@pytest.mark.usefixtures("impatient")
def test_what_a_validation_found_is_kept_when_the_database_is_back(
    away: Away, log: LogBuilder, caplog: pytest.LogCaptureFixture
):
    def leave(done: int, total: int) -> None:
        if done == total and not timers:
            away.take()
            timers.append(threading.Timer(0.4, away.give_back))
            timers[0].start()

    timers: list[threading.Timer] = []
    with opened(away.url) as database:
        import_table(database, str(log.root))
        if away.url.startswith("sqlite"):
            _, kept = validate_and_keep(database, str(log.root), "orders", listener=leave)
        else:  # a validation reads until its end
            timers.append(threading.Timer(0.4, away.give_back))
            report = validate_and_keep(database, str(log.root), "orders")[0]
            away.take()
            timers[0].start()
            from deltalakedb.catalog.trail import Trail
            from deltalakedb.migrate.validate import _keep

            kept = _keep(database, report, Trail(database, "validate", "orders"))
    timers[0].join()
    assert kept
    assert retries(caplog)


def test_a_stop_ends_a_pause(away_server: Away, log: LogBuilder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retrying, "PAUSES_SECONDS", (60,))
    asked = threading.Event()
    with opened(away_server.url) as database:
        import_table(database, str(log.root))
        away_server.take()
        threading.Timer(0.3, asked.set).start()
        begun = time.monotonic()
        with pytest.raises(DatabaseConnectionError):
            import_table(database, str(log.root), resume=True, command="sync", stop=asked.is_set)
        assert time.monotonic() - begun < 10


# ---- what never worked


def test_where_nothing_ever_answers_a_few_attempts_are_made(
    log: LogBuilder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(retrying, "PAUSES_SECONDS", (0.01,) * 10)
    for url in ("postgresql://127.0.0.1:1/db", "mysql://127.0.0.1:1/db"):
        caplog.clear()
        with opened(url) as database, pytest.raises(DatabaseConnectionError):
            import_table(database, str(log.root))
        assert len(retries(caplog)) == retrying.FIRST_ATTEMPTS
        assert "trying again in 0.0 s (1 of 4)" in retries(caplog)[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("@", ":wrong@") if "postgres" in url else url.replace(leaks.QUOTED, "wrong"),
        lambda url: url.replace("127.0.0.1", "no-such-host.invalid"),
        lambda url: url.replace(urlsplit(url).path, "/no_such_database"),
        lambda url: url.replace("://root", "://nobody_here").replace("://postgres@", "://nobody_here@"),
    ],
    ids=["password", "host", "database", "user"],
)
def test_what_does_not_pass_fails_at_once(
    away_server: Away, log: LogBuilder, change: Callable[[str], str], caplog: pytest.LogCaptureFixture
):
    url = change(away_server.url)
    if "postgres" in url and ":wrong@" in url:
        pytest.skip("the server of PostgreSQL trusts everybody")
    with opened(url) as database, pytest.raises(DatabaseConnectionError) as raised:
        import_table(database, str(log.root))
    if "Temporary failure" in raised.value.message:
        pytest.skip("the network here does not tell whether a host is known")
    assert not raised.value.transient, raised.value.message
    assert not retries(caplog)


@pytest.mark.usefixtures("impatient")
def test_a_server_without_a_free_connection_is_waited_for(
    mortal: MortalPostgres, log: LogBuilder, caplog: pytest.LogCaptureFixture
):
    with fresh_postgres(mortal.url) as url, psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS crowd")
        admin.execute("CREATE ROLE crowd LOGIN SUPERUSER CONNECTION LIMIT 1")
        admin.execute("ALTER ROLE crowd NOSUPERUSER")
        admin.execute("GRANT ALL ON SCHEMA public TO crowd")
        theirs = url.replace("//postgres", "//crowd")
        assert theirs != url
        holder = psycopg.connect(theirs)
        threading.Timer(1.2, holder.close).start()  # longer than nothing that ever answered is waited for
        with opened(theirs) as database:
            import_table(database, str(log.root))
        assert "too many connections for role" in retries(caplog)[0]
        admin.execute("DROP OWNED BY crowd")
        admin.execute("DROP ROLE crowd")


# ---- many tables


@pytest.mark.usefixtures("impatient")
def test_a_batch_waits_before_it_begins(away_server: Away, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    root = lake(tmp_path / "lake", 2)
    with away_server.for_seconds(0.4):
        assert batch_import(away_server.url, root).failed == 0
    assert retries(caplog)[0].startswith("batch-import: ")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("at", [1, 4])
def test_a_batch_waits_between_its_tables(away: Away, tmp_path: Path, at: int, caplog: pytest.LogCaptureFixture):
    root, timers = lake(tmp_path / "lake", 8), list[threading.Timer]()

    def leave(progress: BatchProgress) -> None:
        if progress.outcome is not None and progress.done == at:
            away.take()
            timers.append(threading.Timer(0.5, away.give_back))
            timers[0].start()

    report = batch_import(away.url, root, listener=leave)
    timers[0].join()
    assert (report.completed, report.failed) == (8, 0)
    assert len({said.partition(":")[0] for said in retries(caplog)}) == 1, "one table waits, the others find it back"


@pytest.mark.parametrize("how", ["stop", "crash"])
def test_workers_of_a_batch_wait_for_a_server_that_restarts(mortal: MortalPostgres, tmp_path: Path, how: str):
    root, timers = lake(tmp_path / "lake", 24), list[threading.Timer]()

    def restart(progress: BatchProgress) -> None:
        if progress.outcome is not None and not timers:
            getattr(mortal, how)()
            timers.append(threading.Timer(2.5, mortal.start))
            timers[0].start()

    with fresh_postgres(mortal.url) as url:
        report = batch_import(url, root, parallel=3, listener=restart)
        timers[0].join()
        assert (report.completed, report.failed, report.skipped) == (24, 0, 0)


def test_a_database_that_stays_away_is_waited_for_once_a_batch(
    away: Away, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(retrying, "PAUSES_SECONDS", (0.1, 0.1, 0.1))
    root = lake(tmp_path / "lake", 30)

    def leave(progress: BatchProgress) -> None:
        if progress.outcome is not None and progress.done == 1:
            away.take()

    report = batch_import(away.url, root, listener=leave)
    assert (report.completed, report.failed) == (1, 29)
    assert len(retries(caplog)) == 3
    away.give_back()
    again = batch_import(away.url, root)
    assert (again.completed, again.failed, again.skipped) == (29, 0, 1)


def test_a_database_that_was_given_up_is_taken_again_when_it_answers(
    away: Away, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(retrying, "PAUSES_SECONDS", (0.05, 0.05))
    monkeypatch.setattr(retrying, "NEXT_LOOK_SECONDS", 0)
    root = lake(tmp_path / "lake", 6)

    def leave(progress: BatchProgress) -> None:
        if progress.outcome is not None and progress.done in (1, 3):
            (away.take if progress.done == 1 else away.give_back)()

    report = batch_import(away.url, root, listener=leave)
    assert (report.completed, report.failed) == (4, 2)
    assert len(retries(caplog)) == 2


def test_rows_that_others_hold_are_no_outage_of_the_database(
    away: Away, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(retrying, "PAUSES_SECONDS", (0.01,))

    def busy() -> None:
        raise DatabaseBusyError("deadlock")

    with opened(away.url) as database:
        for _ in range(2):
            with pytest.raises(DatabaseBusyError):
                retrying.persistently(busy, database=database, name="t")
        assert len(retries(caplog)) == 2
        with database.writing():
            pass
        with pytest.raises(TableNotFoundError):
            tables_to_sync(database, ["t"])


# ---- the audit trail


def test_a_run_is_written_once_however_often_its_claim_was_tried(
    away_server: Away, log: LogBuilder, monkeypatch: pytest.MonkeyPatch
):
    """Also where it was the answer to a commit that got lost: then the second claim finds the first one."""
    monkeypatch.setattr(retrying, "PAUSES_SECONDS", (0.2,) * 5)
    with opened(away_server.url) as database:
        with database.writing():
            pass
        real, calls = registry.claim, list[int]()

        def claim(*arguments: object, **names: object) -> object:
            before = real(*arguments, **names)
            calls.append(1)
            if len(calls) == 1:
                threading.Timer(0.2, away_server.give_back).start()
                away_server.take()
            return before

        monkeypatch.setattr(registry, "claim", claim)
        import_table(database, str(log.root), listener=At(1, lambda: None))
        assert len(calls) > 1
        with database.reading() as connection:
            (event,) = events.events_of(connection, "orders", 10)
    assert event.status == "completed"
    assert event.changes is not None


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("grown", [False, True])
def test_a_table_is_complete_although_the_answer_to_the_last_commit_got_lost(
    away: Away, log: LogBuilder, grown: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    real, calls = _Import._sync, list[int]()

    def lose_the_answer(self: _Import, *arguments: object, **names: object) -> object:
        done = real(self, *arguments, **names)
        calls.append(1)
        if len(calls) == 1:
            raise DatabaseConnectionError("the answer got lost", transient=True)
        return done

    with opened(away.url) as database:
        if grown:
            import_table(database, str(log.root))
            log.commit(add("later"))
        monkeypatch.setattr(_Import, "_sync", lose_the_answer)
        report = import_table(database, str(log.root), resume=grown)
        assert (report.status, report.version) == ("completed", log.version)
        assert len(retries(caplog)) == 1
        with database.reading() as connection:
            found = [event.status for event in events.events_of(connection, "orders", 10)]
    assert found == ["completed"] * (2 if grown else 1)
