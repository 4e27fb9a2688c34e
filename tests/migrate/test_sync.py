import hashlib
import os
import shutil
import threading
from pathlib import Path

import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.owner import owner_of
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.errors import CorruptLogError, LogChangedError, LogGapError, TableBusyError
from deltalakedb.log import reader, store
from deltalakedb.migrate import same_table
from deltalakedb.migrate.importer import ImportReport, import_table
from deltalakedb.migrate.told import Progress
from deltalakedb.replay import files, forward
from tests.support.catalogs import MOMENTS, WATERMARK, Dump, dump, execute
from tests.support.logs import (
    LogBuilder,
    add,
    cdc,
    commit_info,
    commit_name,
    domain,
    dv,
    metadata,
    protocol,
    remove,
    txn,
)


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """Two versions."""
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["deletionVectors"]), metadata(), add("a"), add("b"), commit_info())
    log.commit(add("c"), remove("b"))
    return log


def load(database: Database, log: LogBuilder) -> ImportReport:
    return import_table(database, str(log.root), "t", resume=True)


def active(database: Database, version: int | None = None) -> set[str]:
    with database.reading() as connection:
        return {file.path for file in snapshot(connection, registry.readable(connection, "t"), version).files()}


def assert_like_an_import(database: Database, url: str, log: LogBuilder) -> None:
    import_table(database, str(log.root), "at once")
    left, right = (dump(url, name, without=MOMENTS | WATERMARK) for name in ("t", "at once"))
    for name in left:
        assert left[name] == right[name], name


def rows_of_table(url: str) -> Dump:
    """All rows, without what says how far a sync has come and how it ended."""
    return {name: rows for name, rows in dump(url, without={"log_version"}).items() if name != "migration_status"}


def test_new_commits_of_every_kind_are_taken_in(database: Database, database_url: str, log: LogBuilder):
    load(database, log)
    log.commit(remove("a", size=100, extra=1), add("a", deletionVector=dv()), txn("app", 1), domain("d"))
    log.commit(metadata({"id": "long", "x": "string"}), protocol(), cdc("_change_data/x"), add("c", size=5))
    log.commit(domain("d", removed=True), txn("app", 2), {"new": 1}, remove("never there"))
    log.commit()
    report = load(database, log)
    assert (report.version, report.commits, report.resumed) == (5, 6, True)
    assert active(database) == {"a", "c"}
    assert active(database, 1) == {"a", "c"}
    assert_like_an_import(database, database_url, log)


def test_large_commits_are_read_in_pieces(
    database: Database, database_url: str, log: LogBuilder, monkeypatch: pytest.MonkeyPatch
):
    load(database, log)
    monkeypatch.setattr(store, "READ_BYTES", 1000)
    monkeypatch.setattr(reader, "CHUNK_BYTES", 1000)
    log.commit(*(add(f"{number}") for number in range(1200)))
    log.commit(*(remove(f"{number}") for number in range(0, 1200, 2)), *(add(f"{n}", size=9) for n in range(1, 700, 2)))
    load(database, log)
    assert len(active(database)) == 602
    assert_like_an_import(database, database_url, log)


def test_files_whose_hashes_collide_are_told_apart(
    database: Database, log: LogBuilder, monkeypatch: pytest.MonkeyPatch
):
    # No two keys with one hash are known, so the hash is made worthless instead.
    for module in (files, forward, same_table):
        monkeypatch.setattr(module, "key_hash", lambda _: 0)
    monkeypatch.setattr(files, "key_hashes", lambda keys: [0] * len(keys))
    log.commit(add("x", deletionVector=dv("1", "u")), add("x", deletionVector=dv("2", "u")), add("x"))
    load(database, log)
    log.commit(remove("a"), remove("x", deletionVector=dv("1", "u")), add("c", size=7))
    load(database, log)
    with database.reading() as connection:
        state = snapshot(connection, registry.readable(connection, "t"))
        found = sorted((file.path, file.deletion_vector_id or "", file.size) for file in state.files())
    assert found == [("c", "", 7), ("x", "", 100), ("x", "u2", 100)]


def test_readers_see_each_commit_wholly_or_not_at_all(database: Database, database_url: str, log: LogBuilder):
    """Every commit swaps all files for others; a reader in another thread never sees a mixture."""
    load(database, log)
    log.commit(remove("a"), remove("c"), *(add(f"0 {number}") for number in range(20)))
    for turn in range(1, 15):
        gone = [remove(f"{turn - 1} {number}") for number in range(20)]
        log.commit(*gone, *(add(f"{turn} {number}") for number in range(20)))
    done, seen, reader = threading.Event(), set[str](), Database(database_url)

    def read() -> None:
        while not done.is_set():
            names = sorted({path.partition(" ")[0] for path in active(reader)})
            seen.add(" ".join(names))

    thread = threading.Thread(target=read)
    thread.start()
    load(database, log)
    done.set()
    thread.join()
    reader.close()
    assert seen <= {"a c", *map(str, range(15))}
    assert active(database) == {f"14 {number}" for number in range(20)}


def test_a_table_stays_readable_while_and_after_a_sync_fails(database: Database, database_url: str, log: LogBuilder):
    load(database, log)
    log.commit(add("d"))
    log.commit(add("e"), remove("a"), raw=lambda lines: lines[:-9])
    with pytest.raises(CorruptLogError, match=commit_name(3)):
        load(database, log)
    assert active(database) == {"a", "c", "d"}
    (status,) = dump(database_url, "t")["migration_status"]
    assert (status["status"], status["version"]) == ("failed", 2)
    assert commit_name(3) in status["error_message"]
    log.commit(add("e"), remove("a"), version=3)
    load(database, log)
    assert_like_an_import(database, database_url, log)


def test_a_commit_that_fails_at_its_end_leaves_nothing_of_itself(
    database: Database, database_url: str, log: LogBuilder
):
    load(database, log)
    before = rows_of_table(database_url)
    log.commit(remove("a"), add("d"), cdc("x"), txn("a", 1), add("e", deletionVector={"storageType": "u"}))
    with pytest.raises(CorruptLogError):
        load(database, log)
    assert rows_of_table(database_url) == before


def test_a_gap_among_the_new_commits_is_refused(database: Database, log: LogBuilder):
    load(database, log)
    log.commit(add("d"), version=3)
    with pytest.raises(LogGapError, match=commit_name(2)):
        load(database, log)
    assert active(database) == {"a", "c"}


def test_a_log_that_is_older_than_the_catalog_is_refused(database: Database, log: LogBuilder):
    load(database, log)
    log.drop([1])
    with pytest.raises(LogChangedError, match="ends with version 0, the catalog has 1") as raised:
        load(database, log)
    assert f"`deltalakedb import {log.root} --table-id t --replace`" in raised.value.hint
    assert active(database) == {"a", "c"}


@pytest.mark.parametrize("floor", [1, 2])
def test_history_that_was_taken_in_already_may_be_cleaned_up(database: Database, log: LogBuilder, floor: int):
    load(database, log)
    for name in "def":
        log.commit(add(name))
    log.checkpoint(floor)
    log.drop(range(floor))
    report = load(database, log)
    assert (report.first_version, report.version) == (0, 4)
    assert active(database, 0) == {"a", "b"}
    assert active(database) == set("acdef")


def test_a_checkpoint_is_all_that_is_needed_where_nothing_is_new(database: Database, log: LogBuilder):
    load(database, log)
    log.checkpoint(1)
    log.drop([0, 1])
    assert load(database, log).version == 1


@pytest.mark.parametrize("longer", [True, False])
def test_a_table_that_was_made_anew_is_refused(database: Database, log: LogBuilder, longer: bool):
    log.commit(add("d"), commit_info("WRITE"))
    load(database, log)
    shutil.rmtree(log.log)
    anew = LogBuilder(log.root)
    anew.commit(protocol(), metadata(), add("x"))
    anew.commit()
    anew.commit(commit_info("WRITE", timestamp=1))
    if longer:
        anew.commit(add("y"))
    with pytest.raises(LogChangedError, match=r"Version 2 of the log at .* is not the one that was imported"):
        load(database, anew)
    assert active(database) == set("acd")


def test_where_no_digest_is_known_a_commit_without_commit_info_is_told_by_its_files(
    database: Database, database_url: str, log: LogBuilder
):
    load(database, log)
    log.commit(remove("b"), add("c"), version=1)  # as another writer orders it
    log.commit(add("d"))
    log.commit(add("e"), add("f"))
    forget_digest(database_url)
    assert load(database, log).version == 3
    log.commit(add("e"), add("other"), version=3)
    log.commit(add("g"))
    forget_digest(database_url)
    with pytest.raises(LogChangedError, match=r"Version 3 of the log at .* is not the one that was imported"):
        load(database, log)
    assert active(database) == set("acdef")


def forget_digest(database_url: str) -> None:
    """Leaves the catalog as schema version 3 had it."""
    execute(database_url, "UPDATE delta_tables SET commit_digest = NULL")


def digest_of(log: LogBuilder, version: int) -> str:
    return hashlib.sha256((log.log / commit_name(version)).read_bytes()).hexdigest()


def kept_digest(database_url: str) -> str | None:
    (table,) = dump(database_url, "t")["delta_tables"]
    return table["commit_digest"]


def test_a_commit_that_is_spelled_anew_is_the_same_as_long_as_its_files_are(
    database: Database, database_url: str, log: LogBuilder
):
    """As an export has it, which may take the place of a log that was lost."""
    load(database, log)
    actions = [commit_info("WRITE", timestamp=5), remove("b"), add("c", size=7)]
    version = log.commit(*actions)
    load(database, log)
    log.commit(*reversed(actions), version=version)
    load(database, log)
    assert kept_digest(database_url) == digest_of(log, version)
    for other in (
        [commit_info("WRITE", timestamp=6), *actions[1:]],
        [*actions[:2], add("c", size=8)],
        [*actions[:2], add("c", size=7), add("d")],
        [actions[0], actions[2]],
        actions[1:],
    ):
        log.commit(*other, version=version)
        with pytest.raises(LogChangedError, match="is not the one that was imported"):
            load(database, log)


def test_the_digest_of_the_newest_commit_is_kept(
    database: Database, database_url: str, log: LogBuilder, monkeypatch: pytest.MonkeyPatch
):
    load(database, log)
    assert kept_digest(database_url) == digest_of(log, 1)
    log.commit(add("d"), raw=b'\xef\xbb\xbf{"add":\r\n {"path":"d","partitionValues":{},"size":1}}\r\n')
    log.commit(*(add(f"{number}") for number in range(200)))
    load(database, log)
    assert kept_digest(database_url) == digest_of(log, 3)
    forget_digest(database_url)
    load(database, log)  # nothing is new
    assert kept_digest(database_url) == digest_of(log, 3)
    monkeypatch.setattr(store, "READ_BYTES", 1000)
    monkeypatch.setattr(reader, "CHUNK_BYTES", 1000)
    log.commit(*(add(f"more {number}") for number in range(200)))
    load(database, log)
    assert kept_digest(database_url) == digest_of(log, 4)
    import_table(database, str(log.root), "t2")
    (table,) = dump(database_url, "t2")["delta_tables"]
    assert table["commit_digest"] == digest_of(log, 4)


def test_where_the_newest_commit_is_gone_there_is_no_digest_until_the_next_one(
    database: Database, database_url: str, log: LogBuilder
):
    log.checkpoint()
    log.drop([0, 1])
    load(database, log)
    assert kept_digest(database_url) is None
    load(database, log)
    assert kept_digest(database_url) is None
    log.commit(add("d"))
    load(database, log)
    assert kept_digest(database_url) == digest_of(log, 2)
    for name in "ef":
        log.commit(add(name))
    log.checkpoint()
    log.drop([2, 3, 4])
    assert load(database, log).gaps
    assert kept_digest(database_url) is None


def anew(log: LogBuilder, *commits: list[dict]) -> LogBuilder:
    """Another table in the place of a log."""
    shutil.rmtree(log.log)
    made = LogBuilder(log.root)
    for actions in commits:
        made.commit(*actions)
    return made


BEGIN = [protocol(), metadata(id="one"), add("a")]
AGAIN = [protocol(), metadata(id="two"), add("x")]
RECREATED = {
    "nothing that the catalog's version adds": ([BEGIN, [add("b")]], [AGAIN, [remove("x")], [add("y")]]),
    "the same files": ([BEGIN, [add("b")]], [AGAIN, [add("b", size=1)], [add("y")]]),
    "the same commit": ([BEGIN, [add("b")]], [AGAIN, [add("b")], [add("y")]]),
    "the same commit, and nothing new": ([BEGIN, [add("b")]], [AGAIN, [add("b")]]),
    "the same commit, and no metadata where it was": (
        [[protocol(), metadata(id="zero")], BEGIN, [add("b")]],
        [AGAIN, [add("c")], [add("b")], [add("y")]],
    ),
    "the same commitInfo": ([BEGIN, [add("b"), commit_info()]], [AGAIN, [add("z"), commit_info()], [add("y")]]),
    "one version": ([BEGIN], [AGAIN, [add("y")]]),
    "metadata that came later": (
        [[protocol(), metadata(id="one")], [metadata(id="one", name="x")], [add("b")]],
        [[protocol(), metadata(id="two")], [metadata(id="two", name="x")], [add("b")], [add("y")]],
    ),
    "no id at all": ([BEGIN, [add("b")]], [[protocol(), metadata(id=...), add("a")], [add("b")], [add("y")]]),
    "empty commits": ([BEGIN, []], [AGAIN, [], [add("y")]]),
}


@pytest.mark.parametrize(("before", "after"), RECREATED.values(), ids=RECREATED)
def test_a_table_that_was_made_anew_is_refused_whatever_its_commits_say(
    database: Database, database_url: str, log: LogBuilder, before: list, after: list
):
    first = anew(log, *before)
    load(database, first)
    found = rows_of_table(database_url)
    for _ in range(2):
        with pytest.raises(LogChangedError, match="made anew"):
            load(database, anew(log, *after))
    assert rows_of_table(database_url) == found
    assert load(database, anew(log, *before, [add("new")])).version == len(before)


def test_metadata_that_a_commit_has_twice_is_no_other_table(database: Database, log: LogBuilder):
    made = anew(log, [protocol(), metadata(id="one"), metadata(id="two"), metadata(id="three")], [add("b")])
    load(database, made)
    made.commit(add("c"))
    assert load(database, made).version == 2


def test_an_id_that_changes_within_the_log_is_no_other_table(database: Database, log: LogBuilder):
    made = anew(log, BEGIN, [metadata(id="two")], [add("b")])
    load(database, made)
    made.commit(metadata(id="three"))
    made.commit(add("c"))
    assert load(database, made).version == 4
    made.checkpoint()
    made.drop(range(5))
    made.commit(add("d"))
    assert load(database, made).version == 5


@pytest.mark.parametrize("own", [True, False])
def test_metadata_of_a_checkpoint_is_looked_for_in_no_commit(database: Database, log: LogBuilder, own: bool):
    log.commit(*([metadata(name="x")] if own else [add("d")]))
    log.checkpoint()
    log.drop([0, 1])
    log.commit(add("e"))
    load(database, log)
    log.commit(add("f"))
    assert load(database, log).version == 4


def test_a_sync_keeps_others_from_the_table_and_lets_it_go(database: Database, database_url: str, log: LogBuilder):
    load(database, log)
    another = owner_of(os.getppid())
    execute(database_url, f"UPDATE migration_status SET status = 'running', owner = '{another}'")
    with pytest.raises(TableBusyError):
        load(database, log)
    execute(database_url, "UPDATE migration_status SET owner = NULL")
    load(database, log)
    (status,) = dump(database_url, "t")["migration_status"]
    assert (status["status"], status["owner"], status["error_message"]) == ("completed", None, None)


def test_a_sync_of_a_table_that_begins_at_a_checkpoint_goes_on_from_there(
    database: Database, database_url: str, log: LogBuilder
):
    log.checkpoint()
    log.drop([0, 1])
    load(database, log)
    log.commit(remove("a", tags={"k": "v"}), remove("b"), add("c", size=1))
    log.commit(add("b"))
    load(database, log)
    assert active(database, 1) == {"a", "c"}
    assert active(database) == {"b", "c"}
    assert_like_an_import(database, database_url, log)


def test_a_listener_that_stops_an_import_does_not_stop_the_next_sync(database: Database, log: LogBuilder):
    def listener(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_table(database, str(log.root), "t", batch_size=1, listener=listener)
    log.commit(add("d"))
    assert load(database, log).version == 2
    log.commit(add("e"))
    assert load(database, log).version == 3
    assert active(database) == set("acde")
