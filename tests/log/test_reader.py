import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deltalakedb.errors import (
    CorruptLogError,
    LocationNotFoundError,
    LogFileGoneError,
    LogGapError,
    NotADeltaTableError,
    UnsupportedTableError,
    VersionNotFoundError,
)
from deltalakedb.log.actions import Actions, OtherAction, file_key, key_of
from deltalakedb.log.reader import Log, check_opening, open_log, plan, read_checkpoint, read_commit
from deltalakedb.log.store import open_store
from tests.support.logs import LogBuilder, add, commit_name, domain, dv, metadata, protocol, remove, txn

FORMS = [{}, {"parts": 3}, {"v2": "json"}, {"v2": "parquet"}, {"v2": "classic"}] + [
    {"v2": form, "sidecars": 2} for form in ("json", "parquet", "classic")
]


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """Four versions: appends, a deletion vector without offset, a remove, a transaction and a domain."""
    log = LogBuilder(tmp_path / "table")
    log.commit(
        protocol(features=["v2Checkpoint", "deletionVectors"]), metadata(), add("a"), add("b", deletionVector=dv())
    )
    log.commit(add("c", tags={"k": "v"}), txn("app", 1))
    log.commit(remove("a", partitionValues={}), domain("d", "1"))
    log.commit(add("d"), add("e"), add("f"))
    return log


def opened(log: LogBuilder) -> Log:
    return open_log(open_store(log.root))


def content(log: Log) -> Actions:
    whole = Actions()
    for piece in read_checkpoint(log, plan(log).checkpoint):
        whole.adds += piece.adds
        whole.removes += piece.removes
        whole.others += piece.others
    return whole


# ---- checkpoints of every kind


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_checkpoint_of_any_kind_holds_the_same(log: LogBuilder, form: dict):
    log.checkpoint(3, **form)
    log.drop(range(4))
    log.commit(add("g"))
    found = opened(log)
    segment = plan(found)
    assert (segment.first_version, segment.version, [c.version for c in segment.commits]) == (3, 4, [4])
    actions = content(found)
    assert sorted(added.path for added in actions.adds) == ["b", "c", "d", "e", "f"]
    assert {key_of(added) for added in actions.adds} == {file_key(*key) for key in log.files(3)}
    assert [removed.path for removed in actions.removes] == ["a"]
    kinds = sorted(type(action).__name__ for action in actions.others)
    assert kinds == ["DomainMetadata", "Metadata", "Protocol", "Txn"]
    assert found.warnings == []


def test_unknown_actions_of_a_manifest_are_kept(log: LogBuilder):
    (manifest,) = log.checkpoint(3, v2="json")
    manifest.write_bytes(manifest.read_bytes() + b'{"new":{"x":1}}\n{"checkpointMetadata":{"version":3}}\n')
    log.drop(range(4))
    assert [action for action in content(opened(log)).others if isinstance(action, OtherAction)] == [
        OtherAction("new", '{"x":1}')
    ]


def test_a_sidecar_may_be_named_with_its_folder(log: LogBuilder):
    manifest, sidecar = log.checkpoint(3, v2="json", sidecars=1)
    named = manifest.read_text().replace(sidecar.name, f"_delta_log/_sidecars/{sidecar.name}")
    manifest.write_text(named)
    log.drop(range(4))
    assert len(content(opened(log)).adds) == 5


def test_sidecars_of_nobody_are_not_read(log: LogBuilder):
    log.checkpoint(3, v2="json", sidecars=1)
    log.put("_sidecars/80a083e8-7026-4e79-81be-64bd76c43a11.parquet", b"not parquet")
    log.drop(range(4))
    assert len(content(opened(log)).adds) == 5


# ---- which of them count


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("damage", ["empty", "cut off", "gone"])
def test_a_broken_checkpoint_is_passed_over_for_a_newer_one(log: LogBuilder, form: dict, damage: str):
    main, *_ = log.checkpoint(1, **form)
    log.checkpoint(2)
    log.drop(range(2))
    if damage == "gone":
        main.unlink()
    else:
        main.write_bytes(b"" if damage == "empty" else main.read_bytes()[:-8])
    found = opened(log)
    assert plan(found).first_version == 2
    if damage != "gone":
        (warning,) = found.warnings
        assert warning.startswith(f"Checkpoint passed over: {main.name}")


def test_a_checkpoint_without_one_of_its_sidecars_is_passed_over(log: LogBuilder):
    *_, last = log.checkpoint(1, v2="json", sidecars=2)
    log.checkpoint(2)
    log.drop(range(2))
    last.unlink()
    found = opened(log)
    assert plan(found).first_version == 2
    assert found.warnings[0].endswith(f"names a sidecar that is not there: {last.name}")


def test_a_sidecar_that_can_not_be_read_is_named(log: LogBuilder):
    *_, last = log.checkpoint(1, v2="json", sidecars=2)
    log.drop(range(2))
    last.write_bytes(last.read_bytes()[:-8])
    found = opened(log)
    with pytest.raises(CorruptLogError, match=last.name):
        list(read_checkpoint(found, plan(found).checkpoint))


def test_the_only_checkpoint_being_broken_is_the_reason_given(log: LogBuilder):
    (file,) = log.checkpoint(2)
    log.drop(range(3))
    file.write_bytes(b"PAR1 and so on PAR1")
    with pytest.raises(CorruptLogError, match=rf"^{file.name}: not a readable checkpoint"):
        plan(opened(log))


def test_a_broken_checkpoint_does_no_harm_where_every_commit_is_there(log: LogBuilder):
    log.put(f"{2:020d}.checkpoint.parquet", b"")
    found = opened(log)
    assert (plan(found).first_version, plan(found).checkpoint, found.warnings) == (0, None, [])


@pytest.mark.parametrize(
    "hint",
    [b"", b"{", b"null", b'{"version":99,"size":1}', b'{"version":-1}', b'{"version":1,"parts":7}', b"\xff", b"[]"],
)
def test_the_hint_is_never_trusted_over_the_listing(log: LogBuilder, hint: bytes):
    log.checkpoint(2)
    log.put("_last_checkpoint", hint)
    assert (plan(opened(log)).first_version, plan(opened(log)).version) == (0, 3)
    log.drop(range(2))
    assert (plan(opened(log)).first_version, plan(opened(log)).version) == (2, 3)


def test_staged_commits_and_foreign_files_are_no_part_of_the_log(log: LogBuilder):
    for name in (
        f"_staged_commits/{4:020d}.80a083e8-7026-4e79-81be-64bd76c43a11.json",
        f"_commits/{4:020d}.json",
        f"{4:020d}.80a083e8-7026-4e79-81be-64bd76c43a11.json",
        f"{4:020d}.json.tmp",
        f".{4:020d}.json",
        f"._{4:020d}.json",
        f".{3:020d}.json.crc",
        f"{4:020d}.{9:020d}.compacted.json",
        ".s3-optimization-0",
        "_autostats/x.json",
        "tmp",
    ):
        log.put(name, b"not a commit")
    (log.log / commit_name(4)).mkdir()
    segment = plan(opened(log))
    assert [commit.name for commit in segment.commits] == [commit_name(version) for version in range(4)]


# ---- no table at all


def test_a_folder_without_log_is_no_table(tmp_path: Path):
    with pytest.raises(NotADeltaTableError, match="No checkpoint or JSON files found"):
        open_log(open_store(tmp_path))
    (tmp_path / "_delta_log").write_text("a file")
    with pytest.raises(NotADeltaTableError, match="No checkpoint or JSON files found"):
        open_log(open_store(tmp_path))


@pytest.mark.parametrize("names", [[], [f"{0:020d}.crc"], ["_last_checkpoint"], [f"{0:020d}.json/x"]], ids=str)
def test_a_log_without_commits_is_no_table(tmp_path: Path, names: list[str]):
    log = LogBuilder(tmp_path)
    for name in names:
        log.put(name)
    with pytest.raises(NotADeltaTableError, match=f"No checkpoint or JSON files found in {tmp_path}/_delta_log"):
        plan(opened(log))


def test_a_location_that_is_not_there_is_not_taken_for_an_empty_one(tmp_path: Path):
    with pytest.raises(LocationNotFoundError, match="gone"):
        open_log(open_store(tmp_path / "gone"))


def test_a_gap_is_refused(log: LogBuilder):
    log.drop([1])
    with pytest.raises(LogGapError, match=r"Version 1 is missing"):
        plan(opened(log))


def test_versions_outside_of_the_log_are_errors(log: LogBuilder):
    log.checkpoint(2)
    log.drop([0, 1])
    segment = plan(opened(log))
    with pytest.raises(VersionNotFoundError):
        segment.check(1)
    assert plan(opened(log), to_version=2).version == 2


# ---- the opening


@pytest.mark.parametrize(
    ("actions", "missing"),
    [
        ([add("a")], "no metaData and no protocol action"),
        ([protocol(), add("a")], "no metaData action"),
        ([metadata()], "no protocol action"),
        ([], "no metaData and no protocol action"),
    ],
)
def test_a_log_without_metadata_or_protocol_is_refused(tmp_path: Path, actions: list, missing: str):
    log = LogBuilder(tmp_path)
    log.commit(*actions)
    log.commit(add("b"))
    with pytest.raises(CorruptLogError, match=f"The log has {missing}: {tmp_path}"):
        check_opening(opened(log), plan(opened(log)))


def test_metadata_and_protocol_may_come_late_or_from_the_checkpoint_alone(log: LogBuilder, tmp_path: Path):
    late = LogBuilder(tmp_path / "late")
    late.commit(protocol())
    late.commit(metadata())
    check_opening(opened(late), plan(opened(late)))
    log.checkpoint(3)
    log.drop(range(4))
    check_opening(opened(log), plan(opened(log)))


@pytest.mark.parametrize("written", ["csv", "orc", "delta"])
def test_a_format_other_than_parquet_is_refused(tmp_path: Path, written: str):
    log = LogBuilder(tmp_path)
    log.commit(protocol(), metadata(format={"provider": written, "options": {}}))
    with pytest.raises(UnsupportedTableError, match=f"{written}, not parquet"):
        check_opening(opened(log), plan(opened(log)))


@pytest.mark.parametrize("written", [{"provider": "PARQUET"}, {"options": {}}, None, ...])
def test_parquet_is_the_format_unless_another_is_named(tmp_path: Path, written: object):
    log = LogBuilder(tmp_path)
    log.commit(protocol(), metadata(format=written))
    check_opening(opened(log), plan(opened(log)))


@pytest.mark.parametrize("written", ["parquet", 5, []])
def test_a_format_that_is_no_object_is_refused(tmp_path: Path, written: object):
    log = LogBuilder(tmp_path)
    log.commit(protocol(), metadata(format=written))
    with pytest.raises(CorruptLogError, match=r"metaData\.format"):
        check_opening(opened(log), plan(opened(log)))


# ---- what goes wrong while reading


def test_a_commit_that_goes_while_it_is_read_is_named(log: LogBuilder):
    found = opened(log)
    segment = plan(found)
    log.drop([1])
    with pytest.raises(LogFileGoneError, match=commit_name(1)):
        list(read_commit(found, segment.commits[1]))


@pytest.mark.parametrize("sidecar", [{"sizeInBytes": 5}, {"path": 5}, "x"], ids=str)
def test_a_sidecar_that_does_not_say_where_it_is_is_refused(log: LogBuilder, sidecar: object):
    (manifest,) = log.checkpoint(3, v2="json")
    manifest.write_bytes(manifest.read_bytes() + json.dumps({"sidecar": sidecar}).encode())
    log.drop(range(4))
    with pytest.raises(CorruptLogError, match=manifest.name):
        plan(opened(log))


def test_a_sidecar_outside_of_its_folder_that_is_not_there_is_refused(log: LogBuilder):
    manifest, sidecar = log.checkpoint(3, v2="json", sidecars=1)
    manifest.write_text(manifest.read_text().replace(sidecar.name, "elsewhere/x.parquet"))
    log.drop(range(4))
    found = opened(log)
    with pytest.raises(CorruptLogError, match=r"a sidecar that is not there: elsewhere/x\.parquet"):
        list(read_checkpoint(found, plan(found).checkpoint))


def test_a_checkpoint_from_another_writer_is_read(tmp_path: Path):
    """Only the columns that it needs, in another order, with types of its own."""
    log = LogBuilder(tmp_path, version=4)
    rows = pa.table(
        {
            "add": pa.array([{"size": 3, "path": "a"}, None, None]),
            "metaData": pa.array([None, {"schemaString": "{}"}, None]),
            "protocol": pa.array([None, None, {"minWriterVersion": 2, "minReaderVersion": 1}]),
        }
    )
    pq.write_table(rows, log.log / f"{4:020d}.checkpoint.parquet", compression="zstd")
    found = opened(log)
    check_opening(found, plan(found))
    assert [(added.path, added.size) for added in content(found).adds] == [("a", 3)]
