"""A time leads to the version that delta-rs goes to; in-commit timestamps go before all others."""

import os
from datetime import UTC, date, datetime, timedelta, timezone

import deltalake
import pytest

from deltalakedb.client import connect
from deltalakedb.table.delta_table import DeltaTable
from tests.support.lake import cleaned_table
from tests.support.logs import BEGIN_MS, LogBuilder, add, commit_info, metadata, protocol

BEGIN = datetime.fromtimestamp(BEGIN_MS / 1000, UTC)
SECOND = timedelta(seconds=1)
IN_COMMIT = {"delta.enableInCommitTimestamps": "true"}


def log_of(path, file_seconds, in_commit_ms=(), noted_ms=BEGIN_MS - 86_400_000) -> LogBuilder:
    """A log whose files are so many seconds older than BEGIN; the newest commits have times of their own in them."""
    log = LogBuilder(path)
    first_in_commit = len(file_seconds) - len(in_commit_ms)
    for version, seconds in enumerate(file_seconds):
        own = {} if version < first_in_commit else {"inCommitTimestamp": in_commit_ms[version - first_in_commit]}
        on = IN_COMMIT if own else {}
        head = [metadata(configuration=on)] if version in (0, first_in_commit) else []
        start = [protocol(writer_features=["inCommitTimestamp"])] if version == 0 else []
        log.commit(commit_info(timestamp=noted_ms + version, **own), *start, *head, add(str(version)))
        at = BEGIN_MS / 1000 + seconds
        os.utime(log.root / "_delta_log" / f"{version:020}.json", (at, at))
    return log


def opened(log, url) -> DeltaTable:
    with connect(url) as catalog:
        catalog.import_table(str(log.root), table_id="t")
    return DeltaTable(url, table_id="t")


TIMES = [
    BEGIN - timedelta(days=9),
    *(BEGIN + timedelta(seconds=seconds) for seconds in range(-1, 9)),
    BEGIN + timedelta(milliseconds=999, microseconds=999),
    BEGIN + timedelta(milliseconds=1999),
    BEGIN + timedelta(days=9),
]


@pytest.mark.parametrize(
    "file_seconds",
    [(0,), (0, 1, 2, 3, 4), (5, 1, 2, 0, 4), (3, 3, 3, 3), (4, 3, 2, 1, 0)],
    ids=["one", "in order", "out of order", "copied at once", "backwards"],
)
def test_times_lead_where_they_lead_delta_rs(tmp_path, database_url, file_seconds):
    log = log_of(tmp_path / "t", file_seconds)
    table, theirs = opened(log, database_url), deltalake.DeltaTable(log.root)
    for when in TIMES:
        theirs.load_as_version(when)
        for form in (when, when.isoformat(), when.replace(tzinfo=None), when.astimezone(timezone(-8 * 3600 * SECOND))):
            table.load_as_version(form)
            assert table.version() == theirs.version(), form
        assert DeltaTable(database_url, table_id="t", timestamp=when).version() == theirs.version()
        assert table.file_uris() == theirs.file_uris()


def test_what_writers_noted_is_no_time_to_travel_by(tmp_path, sqlite_url):
    log = log_of(tmp_path / "t", (0, 1, 2), noted_ms=BEGIN_MS + 86_400_000)
    table = opened(log, sqlite_url)
    table.load_as_version(BEGIN + SECOND)
    assert table.version() == 1


def test_before_the_first_version_it_is_the_oldest_that_can_be_rebuilt(tmp_path, sqlite_url):
    first, _ = cleaned_table(tmp_path / "t")
    theirs = deltalake.DeltaTable(tmp_path / "t")
    with connect(sqlite_url) as catalog:
        catalog.import_table(str(tmp_path / "t"))
        table = catalog.table("t", timestamp=BEGIN)
    theirs.load_as_version(BEGIN)
    assert table.version() == theirs.version() == first


@pytest.mark.parametrize(
    ("milliseconds", "version"), [(-1, 0), (0, 0), (99, 0), (100, 1), (150, 1), (200, 2), (10**9, 2)]
)
def test_times_within_the_log_go_before_those_of_its_files(tmp_path, sqlite_url, milliseconds, version):
    log = log_of(tmp_path / "t", (50, 30, 40), in_commit_ms=[BEGIN_MS, BEGIN_MS + 100, BEGIN_MS + 200])
    table = opened(log, sqlite_url)
    table.load_as_version(BEGIN + timedelta(milliseconds=milliseconds))
    assert table.version() == version


@pytest.mark.parametrize(
    ("seconds", "version"), [(-1, 0), (0, 0), (1, 1), (50, 1), (99, 1), (100, 2), (105, 2), (110, 3), (999, 3)]
)
def test_times_within_the_log_that_begin_later(tmp_path, sqlite_url, seconds, version):
    # As it is where a log was copied: the files of the later commits are younger than what is in them.
    within = [BEGIN_MS + 100_000, BEGIN_MS + 110_000]
    table = opened(log_of(tmp_path / "t", (0, 1, 700, 800), in_commit_ms=within), sqlite_url)
    table.load_as_version(BEGIN + seconds * SECOND)
    assert table.version() == version


@pytest.mark.parametrize(
    "wrong",
    [
        "2020-05-01T00:47:31",
        "2020-05-01 00:47:31",
        "2020-05-01T00:47:31+08",
        "x",
        "",
        date(2020, 1, 1),
        None,
        1.5,
        -1,
        2**70,
        77,
    ],
    ids=repr,
)
def test_what_is_no_version_fails_as_with_delta_rs(tmp_path, sqlite_url, wrong):
    log = log_of(tmp_path / "t", (0, 1))
    table, theirs = opened(log, sqlite_url), deltalake.DeltaTable(log.root)
    expected, found = failure(theirs, wrong), failure(table, wrong)
    assert isinstance(found, type(expected))
    if isinstance(expected, ValueError):
        assert str(found).startswith("Failed to parse datetime string: ")
    elif not isinstance(expected, deltalake.exceptions.DeltaError):
        assert str(found) == str(expected)
    assert table.version() == 1


def failure(table, version) -> Exception | None:
    try:
        table.load_as_version(version)
    except Exception as error:
        return error
    return None
