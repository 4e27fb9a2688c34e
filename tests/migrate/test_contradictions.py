"""Logs that contradict themselves: what an import follows, what it says of that, and what a validation says."""

import json
from pathlib import Path
from typing import Any

import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import snapshot
from deltalakedb.errors import LogChangedError
from deltalakedb.migrate import checkpoint_sums, processes
from deltalakedb.migrate.assess import assess
from deltalakedb.migrate.differences import Difference
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.rollback import verify_rollback
from deltalakedb.migrate.validate import validate
from deltalakedb.table.compare import compare_performance
from tests.migrate.damage import run
from tests.support.apart import read_apart
from tests.support.logs import LogBuilder, add, commit_info, dv, metadata, protocol, remove

VECTORS = protocol(features=["deletionVectors"])
VECTOR = dv("x", "u")
CHECKPOINT = "00000000000000000002.checkpoint.parquet"
DANGLING = "Removes found nothing, since their files are there under another deletion vector: "
DIFFERS = "{} differs from the commits that it stands for, which were followed; readers that start at it {}"


def by_path(root: Path) -> LogBuilder:
    """Trino's OPTIMIZE: version 2 removes a path where a deletion vector is live, and the checkpoint goes by paths."""
    log = LogBuilder(root)
    log.commit(VECTORS, metadata(), add("a"), commit_info())
    log.commit(remove("a"), add("a", deletionVector=VECTOR), commit_info())
    log.commit(remove("a"), add("c"), commit_info())
    without(log, 2, "a")
    return log


def without(log: LogBuilder, version: int, *paths: str) -> list[Path]:
    """Writes a checkpoint that lacks some files."""
    kept = log.commits[version]
    log.commits[version] = [*kept, *(remove(path, deletionVector=VECTOR) for path in paths)]
    files = log.checkpoint(version, tombstones=False)
    log.commits[version] = kept
    return files


def live(database: Database, version: int | None = None) -> list[str]:
    with database.reading() as connection:
        return sorted(file.path for file in snapshot(connection, registry.readable(connection, "t"), version).files())


# ---- removes that find nothing


def test_a_remove_under_another_vector_is_a_warning_with_its_path(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(VECTORS, metadata(), add("a"), add("b", deletionVector=VECTOR), add("c"), add("d"))
    log.commit(remove("b"), remove("c", deletionVector=VECTOR), remove("never"))
    log.commit(remove("d"), remove("d", deletionVector=VECTOR))
    assert import_table(database, str(log.root)).warnings == (DANGLING + "b in version 1, c in version 1",)
    assert assess(database, str(log.root), "u").warnings == (DANGLING + "b in version 1, c in version 1",)
    assert live(database) == ["a", "b", "c"]


def test_a_sync_warns_as_an_import_does(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(VECTORS, metadata(), add("a"), add("b", deletionVector=VECTOR), commit_info())
    assert import_table(database, str(log.root)).warnings == ()
    log.commit(remove("b"), remove("never"), remove("a"), commit_info())
    assert import_table(database, str(log.root), resume=True).warnings == (DANGLING + "b in version 1",)
    log.commit(remove("b", deletionVector=VECTOR), commit_info())
    assert import_table(database, str(log.root), resume=True).warnings == (DANGLING + "b in version 1",)
    assert import_table(database, str(log.root), "u").warnings == (DANGLING + "b in version 1",)


@pytest.mark.parametrize(
    "commits",
    [
        [[add("a")], [remove("a"), add("a", deletionVector=VECTOR)], [remove("a", deletionVector=VECTOR)]],
        [[add("a", deletionVector=VECTOR)], [remove("a", deletionVector=VECTOR)], [remove("a")]],
        [[add("a", deletionVector=VECTOR)], [remove("a"), remove("a", deletionVector=VECTOR)]],
        [[remove("a")], [add("a", deletionVector=VECTOR)]],
        [[add("a")], [remove("a")], [remove("a")], [add("a", deletionVector=VECTOR)]],
    ],
    ids=["in turn", "removed before", "both at once", "added later", "removed twice"],
)
def test_removes_that_leave_nothing_behind_are_not_spoken_of(
    sqlite_url: str, tmp_path: Path, commits: list[list[dict]]
):
    log = LogBuilder(tmp_path / "t")
    log.commit(VECTORS, metadata(), commit_info())
    for commit in commits:
        log.commit(*commit, commit_info())
    database = Database(sqlite_url)
    assert import_table(database, str(log.root)).warnings == ()
    assert assess(database, str(log.root), "u").warnings == ()


def test_what_is_behind_a_checkpoint_is_not_spoken_of(sqlite_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(VECTORS, metadata(), add("a"), add("b", deletionVector=VECTOR), commit_info())
    log.commit(remove("b"), remove("gone"), commit_info())
    log.checkpoint()
    log.commit(remove("a", deletionVector=VECTOR), commit_info())
    log.drop([0])
    assert import_table(Database(sqlite_url), str(log.root)).warnings == (DANGLING + "a in version 2",)


def test_ten_paths_are_named(sqlite_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(VECTORS, metadata(), *(add(f"{n:02}", deletionVector=VECTOR) for n in range(12)))
    log.commit(*(remove(f"{n:02}") for n in range(12)))
    (warning,) = import_table(Database(sqlite_url), str(log.root)).warnings
    assert warning.endswith("08 in version 1, 09 in version 1 and 2 more")


# ---- checkpoints that are not what their commits lead to


def test_a_checkpoint_that_goes_by_paths_is_named_with_its_files(database: Database, tmp_path: Path):
    log = by_path(tmp_path / "t")
    expected = (
        DANGLING + "a in version 2",
        DIFFERS.format(CHECKPOINT, "don't see a (with a deletion vector)"),
    )
    assert assess(database, str(log.root)).warnings == expected
    assert import_table(database, str(log.root)).warnings == expected
    assert live(database) == ["a", "c"]


def test_it_is_what_a_process_of_its_own_sees(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = by_path(tmp_path / "t")
    read_apart(monkeypatch)
    assert processes.is_large(())
    assert len(import_table(Database(sqlite_url), str(log.root)).warnings) == 2


FORMS: list[dict[str, Any]] = [{}, {"parts": 2}, {"v2": "json"}, {"v2": "parquet", "sidecars": 2}, {"v2": "classic"}]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_checkpoint_of_any_form_that_lags(sqlite_url: str, tmp_path: Path, form: dict):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["v2Checkpoint", "deletionVectors"]), metadata(), add("a"), add("b"))
    log.commit(remove("a"), add("c"), remove("b"), add("b", deletionVector=VECTOR))
    name = log.checkpoint(state_of=0, **form)[0].name
    log.commit(add("d"))
    (warning,) = import_table(Database(sqlite_url), str(log.root)).warnings
    assert warning == DIFFERS.format(name, "don't see b (with a deletion vector), c, and see a, b")


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_checkpoint_that_is_right_says_nothing(sqlite_url: str, tmp_path: Path, form: dict):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["v2Checkpoint", "deletionVectors"]), metadata(), add("a"), add("b"))
    log.checkpoint(**form)
    log.commit(remove("a"), add("c"), remove("b"), add("b", deletionVector=VECTOR))
    log.checkpoint(**form)
    log.commit(remove("c"), add("a"))
    database = Database(sqlite_url)
    assert import_table(database, str(log.root)).warnings == ()
    assert validate(database, str(log.root), all_versions=True).differences == ()


def test_an_interrupted_import_says_it_too(database: Database, tmp_path: Path):
    log = by_path(tmp_path / "t")
    whole = import_table(database, str(log.root), "whole").warnings

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            import_table(database, str(log.root), "t", batch_size=1, resume=True, listener=stop)
    assert import_table(database, str(log.root), "t", batch_size=1, resume=True).warnings == whole


def test_only_the_newest_checkpoint_is_compared(sqlite_url: str, tmp_path: Path):
    log = by_path(tmp_path / "t")
    log.commit(remove("a", deletionVector=VECTOR))
    log.checkpoint()
    assert import_table(Database(sqlite_url), str(log.root)).warnings == (DANGLING + "a in version 2",)


def test_files_beyond_ten_are_counted(sqlite_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata())
    log.commit(*(add(f"{n:03}") for n in range(300)))
    log.checkpoint(state_of=0)
    (warning,) = import_table(Database(sqlite_url), str(log.root)).warnings
    assert warning.endswith("and 290 more")


def test_a_broken_checkpoint_is_a_warning(database: Database, tmp_path: Path):
    log = by_path(tmp_path / "t")
    (path,) = log.checkpoint(1)
    path.write_bytes(b"PAR1")
    assert import_table(database, str(log.root), "fine").warnings[-1].startswith(CHECKPOINT)
    (log.log / CHECKPOINT).write_bytes(b"PAR1")
    first, second, dangling = import_table(database, str(log.root), "t").warnings
    assert first.startswith(f"Checkpoint passed over: {CHECKPOINT}: not a readable checkpoint")
    assert second.startswith(f"Checkpoint passed over: {path.name}: not a readable checkpoint")
    assert dangling == DANGLING + "a in version 2"


@pytest.mark.parametrize("times", [0, 1], ids=["at once", "when files are to be named"])
def test_a_checkpoint_that_breaks_off_fails_no_import(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
):
    log = by_path(tmp_path / "t")
    left = [times]
    read = checkpoint_sums.read_checkpoint

    def gone(*arguments: Any, **options: Any) -> Any:
        if left[0] == 0:
            (log.log / CHECKPOINT).unlink()
        left[0] -= 1
        return read(*arguments, **options)

    monkeypatch.setattr(checkpoint_sums, "read_checkpoint", gone)
    warnings = import_table(database, str(log.root)).warnings
    assert len(warnings) == 2
    assert any("cleaned up while the log was read" in warning for warning in warnings)


def test_a_log_that_begins_with_its_newest_checkpoint_costs_nothing(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    log.commit(add("b"))
    log.checkpoint()
    log.commit(add("c"))
    log.drop([0])
    monkeypatch.setattr(checkpoint_sums, "read_checkpoint", None)
    assert import_table(Database(sqlite_url), str(log.root)).warnings == ()


# ---- what a validation says of it


def said(one: Difference) -> tuple[Any, ...]:
    return one.version, one.kind, one.path, one.source


@pytest.mark.parametrize("all_versions", [False, True])
def test_a_validation_names_the_checkpoint(database: Database, tmp_path: Path, all_versions: bool):
    log = by_path(tmp_path / "t")
    log.commit(add("d"), commit_info())
    import_table(database, str(log.root))
    report = validate(database, str(log.root), all_versions=all_versions)
    (one,) = report.differences
    assert (report.valid, said(one)) == (False, (2, "checkpoint", "a", CHECKPOINT))
    assert one.expected == {"file": CHECKPOINT, "active": False}
    assert one.actual == {"file": "00000000000000000001.json", "active": True, "deletion_vectors": ["ux"]}
    json.dumps([one.expected, one.actual])


def test_a_checkpoint_that_has_too_much(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"), commit_info())
    log.commit(remove("a"), add("b"), commit_info())
    log.checkpoint(state_of=0)
    import_table(database, str(log.root))
    name = "00000000000000000001.checkpoint.parquet"
    report = validate(database, str(log.root), all_versions=True)
    assert [said(one) for one in report.differences] == [
        (1, "checkpoint", "a", name), (1, "checkpoint", "b", name),
    ]  # fmt: skip
    a, b = report.differences
    commit = "00000000000000000001.json"
    assert (a.expected, a.actual) == ({"file": name, "active": True}, {"file": commit, "active": False})
    assert (b.expected, b.actual) == ({"file": name, "active": False}, {"file": commit, "active": True})


def test_other_commands_agree(database: Database, tmp_path: Path):
    log = by_path(tmp_path / "t")
    import_table(database, str(log.root))
    (check,) = (one for one in verify_rollback(database, "t").checks if not one.ok)
    assert (check.name, check.detail) == ("catalog", "1 difference from the log: checkpoint")
    with pytest.raises(LogChangedError, match="list_files"):
        compare_performance(database, str(log.root), repeat=1)


def test_damage_beside_a_checkpoint_is_not_put_on_it(database: Database, tmp_path: Path):
    log = by_path(tmp_path / "t")
    import_table(database, str(log.root))
    run(database, "DELETE FROM delta_files WHERE path = 'c'", "UPDATE delta_files SET size = 7 WHERE added_version = 0")
    found = {said(one) for one in validate(database, str(log.root), all_versions=True).differences}
    assert found == {
        (0, "size", "a", "00000000000000000000.json"),
        (2, "file_missing", "c", "00000000000000000002.json"),
        (2, "checkpoint", "a", CHECKPOINT),
    }


def test_a_table_that_delta_rs_does_not_open_is_compared_with_its_checkpoint(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["catalogManaged"]), metadata(), add("a"), add("c"), commit_info())
    log.commit(remove("a"), add("b"), commit_info())
    log.checkpoint(state_of=0)
    import_table(database, str(log.root))
    report = validate(database, str(log.root), all_versions=True)
    assert "does not open" in report.reader
    assert {said(one)[1:3] for one in report.differences} == {("checkpoint", "a"), ("checkpoint", "b")}


def test_a_floor_that_contradicts_its_own_commit_is_a_note(database: Database, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"), add("b"), commit_info())
    log.commit(remove("a"), add("c"), commit_info())
    log.checkpoint(state_of=0)
    log.drop([0])
    import_table(database, str(log.root))
    report = validate(database, str(log.root), all_versions=True)
    assert report.valid
    (note,) = report.notes
    assert note == (
        "00000000000000000001.checkpoint.parquet lacks 1 of the files that 00000000000000000001.json adds and has 1 of "
        "those that it removes: readers start at the checkpoint, and so does SQL"
    )
