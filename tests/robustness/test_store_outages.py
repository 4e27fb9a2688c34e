"""The store stumbles, goes away, or changes under an import: it is waited for, or the import can go on later."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import obstore
import pytest

from deltalakedb.catalog import registry
from deltalakedb.errors import LogError, StorageError
from deltalakedb.migrate import claimed, processes, retrying
from deltalakedb.migrate.importer import ImportReport, import_table
from deltalakedb.migrate.told import Progress
from tests.robustness.tables import assert_like_an_import, assert_like_undisturbed, opened
from tests.support.apart import read_apart
from tests.support.logs import LogBuilder, add, commit_info
from tests.support.object_stores import Bucket, Proxy, s3_error
from tests.support.outages import At, retries

pytestmark = pytest.mark.usefixtures("impatient")

QUICK = {"max_retries": "1", "retry_timeout": "1s", "backoff_config.init_backoff": "1ms"}
"""The store's client gives up soon: what is tested is who asked it."""


@pytest.fixture
def far(bucket: Bucket, s3_proxy: Proxy, log: LogBuilder, sqlite_url: str) -> Callable[..., ImportReport]:
    """Imports the table from S3 by way of a proxy, as `orders`; nothing is fetched ahead of the reader."""
    location = bucket.upload(log.root, "orders")

    def run(listener: Callable[[Progress], None] | None = None, **options: object) -> ImportReport:
        with opened(sqlite_url) as database:
            return import_table(
                database,
                location,
                "orders",
                batch_size=20,
                listener=listener,
                storage_options=bucket.through(s3_proxy.url) | QUICK,
                **options,
            )

    return run


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are fetched when they are asked for, and not before."""
    monkeypatch.setattr("deltalakedb.log.remote.read_ahead.REQUESTS", 1)


def files_only(refusal: tuple[int, str], times: int) -> Callable[[str, str], tuple[int, str] | None]:
    """Refuses so many requests for commits."""
    left = iter(range(times))
    return lambda _method, path: refusal if path.endswith(".json") and next(left, None) is not None else None


@pytest.mark.parametrize(
    "refusal", [s3_error(503, "SlowDown"), s3_error(500, "InternalError"), s3_error(429, "TooManyRequests")], ids=str
)
@pytest.mark.usefixtures("one_by_one")
def test_a_store_that_stumbles_is_asked_again(
    far: Callable[..., ImportReport],
    s3_proxy: Proxy,
    refusal: tuple[int, str],
    caplog: pytest.LogCaptureFixture,
    sqlite_url: str,
    log: LogBuilder,
):
    report = far(At(2, lambda: setattr(s3_proxy, "refuse", files_only(refusal, 5))))
    assert report.status == "completed"
    assert f"the store answers {refusal[0]}" in retries(caplog)[0]
    assert_like_local(sqlite_url, log)


@pytest.mark.usefixtures("one_by_one")
def test_answers_that_break_off_are_asked_for_again(
    far: Callable[..., ImportReport],
    s3_proxy: Proxy,
    caplog: pytest.LogCaptureFixture,
    sqlite_url: str,
    log: LogBuilder,
):
    torn = []

    def tear(_method: str, path: str) -> bool:
        if path.endswith(".json") and len(torn) < 6:
            torn.append(path)
        return path in torn[:6] and len(torn) < 6

    far(At(2, lambda: setattr(s3_proxy, "tear", tear)))
    assert torn
    assert retries(caplog)
    assert_like_local(sqlite_url, log)


def test_a_slow_store_is_waited_for(
    far: Callable[..., ImportReport], s3_proxy: Proxy, sqlite_url: str, log: LogBuilder
):
    s3_proxy.latency = 0.1
    far()
    assert_like_local(sqlite_url, log)


@pytest.mark.usefixtures("one_by_one")
def test_a_store_that_stays_away_ends_the_import_which_can_go_on_later(
    far: Callable[..., ImportReport], s3_proxy: Proxy, monkeypatch: pytest.MonkeyPatch, sqlite_url: str, log: LogBuilder
):
    monkeypatch.setattr(retrying, "PAUSES_SECONDS", (0.01, 0.01))
    with pytest.raises(StorageError, match="the store answers 503 Service Unavailable"):
        far(At(3, lambda: setattr(s3_proxy, "refuse", lambda *_: s3_error(503, "SlowDown"))))
    with opened(sqlite_url) as database, database.reading() as connection:
        status = registry.status_of(connection, "orders")
    assert status.status == "failed"
    assert "the store answers 503" in status.error_message
    assert status.rows_loaded
    s3_proxy.refuse = lambda *_: None
    assert far(resume=True).resumed
    assert_like_local(sqlite_url, log)


def assert_like_local(url: str, log: LogBuilder) -> None:
    """What came from S3 is what the same files have on a disk, but for where and when they were written."""
    assert_like_an_import(url, log, without={"location", "timestamp", "file_timestamp"})


# ---- the log changes


@pytest.mark.parametrize("apart", [False, True], ids=["here", "ahead"])
def test_commits_that_are_cleaned_up_while_they_are_read(
    database_url: str,
    log: LogBuilder,
    apart: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    if apart:
        read_apart(monkeypatch)
        monkeypatch.setattr(processes, "_PIPE_BYTES", 4096)
        for _ in range(40):
            log.commit(commit_info(), add(f"new{log.version}", stats='{"x":"' + "x" * 20_000 + '"}'))

    def clean_up() -> None:
        log.checkpoint(45)
        log.drop(version for version in range(12, 45))
        for checkpoint in log.log.glob("*00011.checkpoint.parquet"):
            checkpoint.unlink()

    with opened(database_url) as database:
        report = import_table(database, str(log.root), batch_size=5, listener=At(2, clean_up))
    assert report.first_version == 45
    assert "was cleaned up while the log was read" in retries(caplog)[0]
    assert_like_undisturbed(database_url, log)


def test_a_log_that_is_gone_ends_the_import(database_url: str, log: LogBuilder):
    def delete() -> None:
        for file in log.log.iterdir():
            file.unlink()

    with opened(database_url) as database:
        with pytest.raises(LogError, match="No checkpoint or JSON files found"):
            import_table(database, str(log.root), batch_size=5, listener=At(2, delete))
        with database.reading() as connection:
            assert registry.status_of(connection, "orders").status == "failed"


def test_cleaned_up_in_s3(
    far: Callable[..., ImportReport],
    bucket: Bucket,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    sqlite_url: str,
    log: LogBuilder,
):
    monkeypatch.setattr("deltalakedb.log.remote.read_ahead.REQUESTS", 1)

    def clean_up() -> None:
        (checkpoint,) = log.checkpoint(45)
        bucket.put(f"orders/_delta_log/{checkpoint.name}", checkpoint.read_bytes())
        for version in range(12, 45):
            obstore.delete(bucket.store, f"orders/_delta_log/{version:020d}.json")
        log.drop(range(12, 45))

    assert far(At(1, clean_up)).first_version == 45
    assert "was cleaned up while the log was read" in retries(caplog)[0]
    assert_like_local(sqlite_url, log)


def test_what_appears_meanwhile_is_left_to_the_next_sync(database_url: str, log: LogBuilder):
    newest = log.version

    def grow() -> None:
        log.commit(commit_info(), add("later"))
        log.checkpoint()
        log.commit(commit_info(), add("later still"))

    with opened(database_url) as database:
        report = import_table(database, str(log.root), batch_size=20, listener=At(3, grow))
        assert report.version == newest
        assert import_table(database, str(log.root), resume=True).version == newest + 2
    assert_like_an_import(database_url, log)


# ---- the heart


def test_an_importer_that_waits_for_its_store_shows_that_it_lives(
    far: Callable[..., ImportReport], monkeypatch: pytest.MonkeyPatch, sqlite_url: str
):
    """Else another machine would take it for dead, after two minutes, and begin anew."""
    monkeypatch.setattr(claimed, "BEAT_SECONDS", 0.05)
    beats, done = set(), threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            with suppress(Exception), opened(sqlite_url) as database, database.reading() as connection:
                beats.add(registry.status_of(connection, "orders").heartbeat_at)

    def wait() -> None:
        watching = threading.Thread(target=watch)
        watching.start()
        time.sleep(1)
        done.set()
        watching.join()

    far(At(2, wait))
    assert len(beats) > 3
