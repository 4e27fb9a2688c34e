"""A time leads to the version that delta-rs goes to; in-commit timestamps go before all others while they are on."""

import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone

import deltalake
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


# ---- switched on, and off again


@dataclass(frozen=True)
class Commit:
    """What a version does to the switch, the time of its file in seconds after BEGIN, and the one in the commit."""

    file_seconds: float
    in_commit_seconds: float | None = None
    configuration: dict[str, str] | None = None
    knows: bool | None = None


def on(since: int | None = None) -> dict[str, str]:
    return IN_COMMIT if since is None else {**IN_COMMIT, "delta.inCommitTimestampEnablementVersion": str(since)}


OFF = {"delta.enableInCommitTimestamps": "false"}


def written(path, commits, *, checkpoint: int | None = None) -> LogBuilder:
    """The log of some commits; with a checkpoint, what is before it is gone."""
    log = LogBuilder(path)
    for version, commit in enumerate(commits):
        own = {} if commit.in_commit_seconds is None else {"inCommitTimestamp": int(milliseconds(commit))}
        knows = commit.knows if commit.knows is not None else version == 0 or None
        state = [] if knows is None else [protocol(1, 7, writerFeatures=["inCommitTimestamp"] if knows else [])]
        if commit.configuration is not None or version == 0:
            state.append(metadata(configuration=commit.configuration or {}))
        log.commit(commit_info(timestamp=BEGIN_MS - 86_400_000, **own), *state, add(str(version)))
        if version == checkpoint:
            log.checkpoint()
    log.drop(range(checkpoint or 0))
    for version, commit in enumerate(commits):
        if version >= (checkpoint or 0):
            at = BEGIN_MS / 1000 + commit.file_seconds
            os.utime(log.log / f"{version:020}.json", (at, at))
    return log


def milliseconds(commit: Commit) -> float:
    seconds = commit.file_seconds if commit.in_commit_seconds is None else commit.in_commit_seconds
    return BEGIN_MS + seconds * 1000


CASES = {
    # The times that count, version by version; the others are such that they would lead elsewhere.
    "off again": (
        [
            Commit(0), Commit(900, 10, on(1)), Commit(900, 20), Commit(30, 15, OFF), Commit(40, 16),
        ],
        [0, 10, 20, 30, 40],
    ),
    "on from the beginning": (
        [Commit(900, 0, on()), Commit(800, 10), Commit(700, 20, {**IN_COMMIT, "a": "b"}), Commit(600, 30)],
        [0, 10, 20, 30],
    ),
    "on, off, on": (
        [Commit(900, 0, on()), Commit(10, configuration=OFF), Commit(20), Commit(900, 30, on(3)), Commit(900, 40)],
        [0, 10, 20, 30, 40],
    ),
    "from a version after that of the metadata": (
        [Commit(0, 500, on(2)), Commit(10, 600), Commit(900, 20), Commit(900, 30)],
        [0, 10, 20, 30],
    ),
    "from a version that never comes": (
        [Commit(0, 500, on(99)), Commit(10, 400), Commit(20, 300)],
        [0, 10, 20],
    ),
    "a property that says nothing": (
        [Commit(900, 0, {**IN_COMMIT, "delta.inCommitTimestampEnablementVersion": "soon"}), Commit(900, 10)],
        [0, 10],
    ),
    "never switched on": (
        [Commit(0, 500), Commit(10, 400), Commit(20, 300)],
        [0, 10, 20],
    ),
    "switched on in a table whose protocol knows nothing of it": (
        [Commit(0, 500, on(), knows=False), Commit(10, 400), Commit(900, 20, knows=True), Commit(900, 30)],
        [0, 10, 20, 30],
    ),
    "a commit without one": (
        [Commit(900, 0, on()), Commit(10), Commit(900, 20), Commit(900, 30)],
        [0, 10, 20, 30],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_in_commit_timestamps_count_while_they_are_switched_on(tmp_path, database_url, case):
    commits, times = case
    table = opened(written(tmp_path / "t", commits), database_url)
    for version, seconds in enumerate(times):
        later = times[version + 1] if version + 1 < len(times) else 99_999
        for moment in (seconds, seconds + 0.5, later - 0.001):
            table.load_as_version(BEGIN + moment * SECOND)
            assert table.version() == version, moment
    table.load_as_version(BEGIN - SECOND)
    assert table.version() == 0


@pytest.mark.parametrize("since", [None, 1, 3])
def test_a_history_that_begins_while_they_are_switched_on(tmp_path, database_url, since):
    commits = [Commit(0, 0, on(since)), *(Commit(900, 10.0 * version) for version in range(1, 5))]
    commits.append(Commit(50, 11, OFF))
    table = opened(written(tmp_path / "t", commits, checkpoint=3), database_url)
    for seconds, version in ((-1, 3), (10, 3), (30, 3), (39, 3), (40, 4), (49, 4), (50, 5), (99, 5)):
        table.load_as_version(BEGIN + seconds * SECOND)
        assert table.version() == version, seconds


@st.composite
def histories(draw):
    """Commits of which each says whether it switches in-commit timestamps, and the seconds that lie between them."""
    enabled, since, second, commits = False, 0, 0, []
    for version, (switch, gap) in enumerate(
        draw(
            st.lists(
                st.tuples(st.sampled_from((None, None, True, False, "kept")), st.integers(1, 9)), min_size=1, max_size=9
            )
        )
    ):
        configuration = None
        if switch is True and not enabled:
            enabled, since, configuration = True, version, on(version or None)
        elif switch is False and enabled:
            enabled, configuration = False, OFF
        elif switch == "kept" and enabled:
            configuration = {**on(since or None), "a": str(version)}
        second += gap
        commits.append(Commit(second, second if enabled else None, configuration))
    return commits


@settings(max_examples=40)
@given(histories())
def test_where_files_are_as_old_as_what_is_in_them_delta_rs_goes_to_the_same_versions(tmp_path_factory, commits):
    folder = tmp_path_factory.mktemp("history")
    log = written(folder / "t", commits)
    table, theirs = opened(log, f"sqlite:///{folder}/catalog.db"), deltalake.DeltaTable(log.root)
    for seconds in range(int(commits[-1].file_seconds) + 2):
        theirs.load_as_version(BEGIN + seconds * SECOND)
        table.load_as_version(BEGIN + seconds * SECOND)
        assert table.version() == theirs.version(), seconds


@settings(max_examples=40)
@given(histories(), st.data())
def test_the_time_of_a_file_means_nothing_while_they_are_switched_on(tmp_path_factory, commits, data):
    folder = tmp_path_factory.mktemp("history")
    copied = [
        replace(commit, file_seconds=data.draw(st.integers(0, 99)))
        if commit.in_commit_seconds is not None
        else replace(commit, in_commit_seconds=data.draw(st.integers(0, 99)))
        for commit in commits
    ]
    floor = data.draw(st.integers(0, len(commits) - 1))
    table = opened(written(folder / "t", copied, checkpoint=floor or None), f"sqlite:///{folder}/catalog.db")
    for seconds in range(int(commits[-1].file_seconds) + 2):
        table.load_as_version(BEGIN + seconds * SECOND)
        before = [version for version, commit in enumerate(commits) if commit.file_seconds <= seconds]
        assert table.version() == max([floor, *before]), seconds
