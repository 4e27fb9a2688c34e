"""Where readers of logs have gone wrong, one test each: a log is imported, and SQL is asked what it says."""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deltalakedb.catalog import registry
from deltalakedb.catalog.database import Database
from deltalakedb.catalog.snapshot import Snapshot, snapshot
from deltalakedb.errors import CorruptLogError, LogGapError, NotADeltaTableError, UnsupportedTableError
from deltalakedb.migrate.importer import ImportReport, import_table
from deltalakedb.rows import FileLifetime
from tests.support.catalogs import dump
from tests.support.logs import (
    BEGIN_MS,
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

V2 = {"features": ["v2Checkpoint", "deletionVectors"], "writer_features": ["domainMetadata"]}


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """One version without files."""
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(**V2), metadata())
    return log


@dataclass
class Sql:
    """Asks a catalog about one table."""

    database: Database
    table_id: str

    def load(self, log: LogBuilder, batch_size: int = 2) -> ImportReport:
        return import_table(self.database, str(log.root), self.table_id, batch_size=batch_size, resume=True)

    @contextmanager
    def at(self, version: int | None = None) -> Iterator[Snapshot]:
        with self.database.reading() as connection:
            yield snapshot(connection, registry.readable(connection, self.table_id), version)

    def files(self, version: int | None = None) -> list[FileLifetime]:
        with self.at(version) as state:
            return sorted(state.files(), key=lambda file: (file.path, file.deletion_vector_id or ""))

    def keys(self, version: int | None = None) -> list[tuple[str, str | None]]:
        return [(file.path, file.deletion_vector_id) for file in self.files(version)]

    def paths(self, version: int | None = None) -> list[str]:
        return [file.path for file in self.files(version)]

    def all_files(self) -> list[dict[str, Any]]:
        return dump(self.database.url.render_as_string(hide_password=False), self.table_id)["delta_files"]


@pytest.fixture
def sql(one_database: Database) -> Sql:
    return Sql(one_database, uuid.uuid4().hex)


# ---- replay


def test_1_an_absent_offset_of_a_deletion_vector_is_not_0(sql: Sql, log: LogBuilder):
    log.commit(add("a", deletionVector=dv("x", "u")), add("b", deletionVector=dv("x", "u", 0)))
    log.commit(remove("a", deletionVector=dv("x", "u", 0)), remove("b", deletionVector=dv("x", "u")))
    sql.load(log)
    assert sql.keys() == [("a", "ux"), ("b", "ux@0")]
    log.commit(remove("a", deletionVector=dv("x", "u")), remove("b", deletionVector=dv("x", "u", 0)))
    sql.load(log)
    assert sql.keys() == []


@pytest.mark.parametrize("order", [1, -1])
def test_2_a_path_changes_its_deletion_vector_in_either_order(sql: Sql, log: LogBuilder, order: int):
    log.commit(add("a"))
    log.commit(*[remove("a"), add("a", deletionVector=dv("x", "u", 1))][::order])
    log.commit(*[remove("a", deletionVector=dv("x", "u", 1)), add("a", deletionVector=dv("x", "u", 9))][::order])
    log.commit(*[remove("a", deletionVector=dv("x", "u", 9)), add("a")][::order])
    sql.load(log)
    assert [sql.keys(version) for version in range(5)] == [
        [],
        [("a", None)],
        [("a", "ux@1")],
        [("a", "ux@9")],
        [("a", None)],
    ]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("synced", [True, False])
def test_3_what_one_commit_adds_and_removes_is_flagged(sql: Sql, log: LogBuilder, order: int, synced: bool):
    if synced:
        sql.load(log)
    log.commit(*[add("b"), remove("b")][::order])
    report = sql.load(log)
    assert report.warnings == ("version 1 adds and removes b; taken as added",)
    assert sql.paths() == ["b"]
    with sql.at() as state:
        assert json.loads(state.entry.warnings) == list(report.warnings)


@pytest.mark.parametrize("synced", [True, False])
def test_3_what_is_twice_in_one_commit_is_flagged_and_kept(sql: Sql, log: LogBuilder, synced: bool):
    if synced:
        sql.load(log)
    log.commit(
        metadata({"a": "long"}), metadata({"b": "long"}), add("x", size=1), add("x", size=2), txn("a", 1), txn("a", 2)
    )
    report = sql.load(log)
    assert sorted(report.warnings) == [
        "version 1 has add twice for x", "version 1 has metaData twice", "version 1 has txn twice for a",
    ]  # fmt: skip
    assert [(file.path, file.size) for file in sql.files()] == [("x", 1)]
    with sql.at() as state:
        assert '"name": "b"' in state.metadata().schema_string
        assert [row.txn_version for row in state.transactions()] == [2]
        kept = json.loads(state.commits(limit=1)[0].other_actions)
    assert sorted(next(iter(action)) for action in kept) == ["add", "metaData", "txn"]
    assert next(action["add"]["size"] for action in kept if "add" in action) == 2


def test_3_unknown_fields_of_what_is_twice_are_kept_too(sql: Sql, log: LogBuilder):
    log.commit(add("x"), add("x", futureField={"deep": [1, None]}))
    sql.load(log)
    with sql.at() as state:
        (kept,) = json.loads(state.commits(limit=1)[0].other_actions)
    assert kept["add"]["futureField"] == {"deep": [1, None]}


def test_3_the_same_key_twice_at_a_floor_is_one_file(sql: Sql, log: LogBuilder):
    log.commit(add("a"), remove("a"), add("b"), add("b"))
    log.checkpoint()
    log.drop([0])
    report = sql.load(log)
    assert sql.paths() == ["a", "b"]
    assert report.files_processed == 2
    assert len(report.warnings) == 2


def test_4_a_file_that_was_removed_may_be_added_again(sql: Sql, log: LogBuilder):
    log.commit(add("a", size=1))
    log.commit(remove("a"))
    log.commit(add("a", size=2))
    sql.load(log)
    assert [[file.size for file in sql.files(version)] for version in range(4)] == [[], [1], [], [2]]


def test_4_a_file_that_is_there_may_be_added_again_with_new_statistics(sql: Sql, log: LogBuilder):
    log.commit(add("a", stats=None))
    log.commit(add("a", stats='{"numRecords":7}', dataChange=False))
    log.commit(remove("a"))
    sql.load(log)
    assert [[file.num_records for file in sql.files(version)] for version in range(4)] == [[], [None], [7], []]
    ended = {row["added_version"]: (row["removed_version"], row["removal"]) for row in sql.all_files()}
    assert ended[1] == (2, None)
    assert ended[2][0] == 3


def test_5_changes_without_data_change_change_the_files_all_the_same(sql: Sql, log: LogBuilder):
    log.commit(add("a"), add("b"))
    log.commit(remove("a", dataChange=False), remove("b", dataChange=False), add("ab", dataChange=False))
    sql.load(log)
    assert sql.paths(1) == ["a", "b"]
    assert sql.paths(2) == ["ab"]


def test_6_log_compaction_files_are_not_read(sql: Sql, log: LogBuilder):
    log.commit(add("a"))
    log.commit(remove("a"))
    log.put(f"{0:020d}.{2:020d}.compacted.json", b'{"add":{"path":"never"}}')
    log.put(f"{3:020d}.{5:020d}.compacted.json", b'{"add":{"path":"never"}}')
    assert sql.load(log).version == 2
    assert sql.paths() == []


def test_7_removes_may_say_next_to_nothing_and_name_files_that_never_were(sql: Sql, log: LogBuilder):
    log.commit(add("a", tags={"k": "v"}), {"remove": {"path": "never"}})
    log.commit({"remove": {"path": "a"}}, {"remove": {"path": "never", "deletionTimestamp": None}})
    report = sql.load(log)
    assert sql.paths(1) == ["a"]
    assert sql.paths(2) == []
    assert report.files_processed == 1
    tombstones = [row for row in sql.all_files() if row["added_version"] is None]
    assert sorted((row["path"], row["removed_version"], row["deletion_timestamp"]) for row in tombstones) == [
        ("never", 1, None), ("never", 2, None),
    ]  # fmt: skip


def test_7_tombstones_whose_add_is_gone_with_older_history_are_kept(sql: Sql, log: LogBuilder):
    log.commit(add("a"), add("b"))
    log.commit(remove("a", deletionTimestamp=5))
    log.checkpoint()
    log.drop(range(3))
    log.commit(add("a", size=9))
    log.commit(remove("b"))
    report = sql.load(log)
    assert [sql.paths(version) for version in (2, 3, 4)] == [["b"], ["a", "b"], ["a"]]
    assert report.files_processed == 2
    (tombstone,) = [row for row in sql.all_files() if row["added_version"] is None]
    assert (tombstone["path"], tombstone["removed_version"], tombstone["deletion_timestamp"]) == ("a", 2, 5)


def test_a_checkpoint_that_lacks_tombstones_lost_no_file(sql: Sql, log: LogBuilder):
    log.commit(add("a"), add("b"))
    log.commit(remove("a"))
    (path,) = log.checkpoint()
    rows = pq.read_table(path)
    pq.write_table(rows.filter(rows["remove"].combine_chunks().is_null()), path)
    log.drop(range(2))
    sql.load(log)
    assert sql.paths() == ["b"]


# ---- shape of the log


def test_8_history_may_start_midway(sql: Sql, log: LogBuilder):
    log.commit(add("a"))
    log.checkpoint()
    log.commit(add("b"))
    log.drop([0])
    report = sql.load(log)
    assert (report.first_version, report.version) == (1, 2)
    assert sql.paths(1) == ["a"]
    assert sql.paths(2) == ["a", "b"]


def test_8_there_may_be_a_checkpoint_and_no_commit(sql: Sql, log: LogBuilder):
    log.commit(add("a"), txn("app", 3), domain("d", "1"))
    log.checkpoint()
    log.drop([0, 1])
    report = sql.load(log)
    assert (report.first_version, report.version, report.commits) == (1, 1, 0)
    assert sql.paths() == ["a"]
    with sql.at() as state:
        assert [row.txn_version for row in state.transactions()] == [3]
        assert [row.configuration for row in state.domain_metadata()] == ["1"]


def test_8_a_gap_before_the_checkpoint_is_older_history_gone(sql: Sql, log: LogBuilder):
    for name in "abc":
        log.commit(add(name))
    log.checkpoint()
    log.drop([1])
    log.commit(add("d"))
    assert sql.load(log).first_version == 3
    assert sql.paths(3) == ["a", "b", "c"]


def test_8_a_gap_after_the_checkpoint_must_fail(sql: Sql, log: LogBuilder):
    log.checkpoint()
    for name in "abc":
        log.commit(add(name))
    log.drop([2])
    with pytest.raises(LogGapError, match=f"Version 2 is missing \\({commit_name(2)}\\)"):
        sql.load(log)


@pytest.mark.parametrize("hint", [b"", b"not json", b'{"version":0,"size":9,"parts":3}', b'{"version":77,"size":1}'])
def test_9_the_hint_is_never_trusted(sql: Sql, log: LogBuilder, hint: bytes):
    log.commit(add("a"))
    log.checkpoint(0)
    log.put("_last_checkpoint", hint)
    assert sql.load(log).version == 1
    assert sql.paths() == ["a"]


def test_10_an_incomplete_multi_part_checkpoint_is_ignored(sql: Sql, log: LogBuilder):
    log.commit(*(add(str(n)) for n in range(9)))
    _, second, _ = log.checkpoint(parts=3)
    second.unlink()
    log.commit(add("x"))
    assert sql.load(log).first_version == 0
    assert len(sql.paths()) == 10


@pytest.mark.parametrize("form", [{"v2": "json"}, {"v2": "parquet"}, {"v2": "classic"}], ids=str)
@pytest.mark.parametrize("sidecars", [0, 2])
def test_10_v2_checkpoints_count_by_content_not_by_name(sql: Sql, log: LogBuilder, form: dict, sidecars: int):
    log.commit(add("a"), add("b"), remove("c"))
    log.checkpoint(sidecars=sidecars, **form)
    log.drop([0, 1])
    sql.load(log)
    assert sql.paths() == ["a", "b"]


def test_11_staged_commits_do_not_count(sql: Sql, log: LogBuilder):
    log.put(f"_staged_commits/{1:020d}.80a083e8-7026-4e79-81be-64bd76c43a11.json", b'{"add":{"path":"a"}}')
    assert sql.load(log).version == 0
    assert sql.paths() == []


def test_12_foreign_entries_do_not_count(sql: Sql, log: LogBuilder):
    for name in ("._{}", ".{}", "{}.crc", "{}.tmp", "{}~", "x{}", "_autostats/{}", ".s3-optimization-0"):
        log.put(name.format(commit_name(1)), b'{"add":{"path":"a"}}')
    assert sql.load(log).version == 0


@pytest.mark.parametrize("name", [None, f"{0:020d}.crc", "_last_checkpoint"])
def test_13_a_log_without_commits_is_not_a_table(sql: Sql, tmp_path: Path, name: str | None):
    log = LogBuilder(tmp_path / "t")
    if name:
        log.put(name, b"{}")
    with pytest.raises(NotADeltaTableError, match="No checkpoint or JSON files found"):
        sql.load(log)


def test_13_a_commit_of_zero_bytes_is_a_version(sql: Sql, log: LogBuilder):
    log.commit(add("a"))
    log.commit(raw=b"")
    log.commit(remove("a"))
    assert sql.load(log).version == 3
    assert sql.paths(2) == ["a"]
    with sql.at() as state:
        assert [commit.version for commit in state.commits()] == [3, 2, 1, 0]


# ---- parsing

SHAPES: list[Callable[[bytes], bytes]] = [
    lambda lines: lines.replace(b"\n", b"\r\n"),
    lambda lines: lines.rstrip(),
    lambda lines: b"\n\n" + lines.replace(b"\n", b"\n\n"),
    lambda lines: lines.replace(b"\n", b" "),
    lambda lines: b"\xef\xbb\xbf" + lines,
    lambda lines: "\n".join(json.dumps(json.loads(line), indent=1) for line in lines.splitlines()).encode(),
]


@pytest.mark.parametrize("shape", SHAPES, ids=["CRLF", "no newline", "blank lines", "one line", "BOM", "pretty"])
def test_14_json_may_come_in_any_shape(sql: Sql, log: LogBuilder, shape: Callable[[bytes], bytes]):
    actions = [add("ä b", partitionValues={"p": None}, tags={"k": "v"}), remove("x"), {"new": {"y": 1}}, commit_info()]
    log.commit(*actions, raw=shape)
    log.commit(*actions, add("z", unknown=1), raw=shape)
    sql.load(log)
    assert sql.paths(1) == ["ä b"]
    assert sql.paths(2) == ["z", "ä b"]
    with sql.at() as state:
        assert json.loads(state.commits(limit=1)[0].other_actions) == [{"new": {"y": 1}}]


@pytest.mark.parametrize("version", [0, 1, 2])
def test_14_a_truncated_tail_fails_with_file_and_line(sql: Sql, log: LogBuilder, version: int):
    log.commit(add("a"))
    log.commit(add("b"))
    path = log.log / commit_name(version)
    path.write_bytes(path.read_bytes()[:-20])
    line = 2 if version == 0 else 1
    with pytest.raises(CorruptLogError, match=rf"^{commit_name(version)}, line {line}: the action is cut off"):
        sql.load(log)


def test_15_unknown_actions_and_fields_are_kept_and_change_nothing(sql: Sql, log: LogBuilder):
    log.commit(add("a", new={"x": None}), remove("b", new=1), {"future": [1]}, txn("app", 1, new="n"))
    log.commit(remove("a", newer=2.5))
    sql.load(log)
    assert [file.extra for file in sql.files(1)] == ['{"new":{"x": null}}']
    with sql.at(1) as state:
        assert state.commits(limit=1)[0].other_actions == '[{"future":[1]}]'
        assert state.transactions()[0].extra == '{"new":"n"}'
    removals = {file.path: json.loads(file.removal) for file in sql.files(1)}
    assert removals["a"]["extra"] == {"newer": 2.5}


@pytest.mark.parametrize("parameters", [{"a": "[]"}, {"a": [1, {"b": None}]}, [], "text", 5, 1.5, True, None])
def test_16_operation_parameters_and_metrics_may_be_any_json(sql: Sql, log: LogBuilder, parameters: Any):
    log.commit(commit_info(operationParameters=parameters, operationMetrics=parameters, userName=5, isBlindAppend="no"))
    sql.load(log)
    with sql.at() as state:
        commit = state.commits(limit=1)[0]
    for found in (commit.operation_parameters, commit.operation_metrics):
        assert parameters == (None if found is None else json.loads(found))
    assert (commit.operation, commit.user_name, commit.is_blind_append) == ("WRITE", None, None)
    assert json.loads(commit.commit_info)["userName"] == 5


def test_16_commit_info_may_be_missing_and_need_not_be_first(sql: Sql, log: LogBuilder):
    log.commit(add("a"), commit_info("MERGE"))
    sql.load(log)
    with sql.at() as state:
        assert [commit.operation for commit in state.commits()] == ["MERGE", None]


def test_16_a_schema_may_be_missing(sql: Sql, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), {"metaData": {"id": "x"}}, add("a"))
    sql.load(log)
    with sql.at() as state:
        assert (state.metadata().schema_string, state.metadata().format) == (None, None)


@pytest.mark.parametrize(("size", "found"), [(500.0, 500), ("12", 12), (2**53 + 1, 2**53 + 1), (2**63 - 1, 2**63 - 1)])
def test_17_sizes_are_64_bit_and_written_in_several_ways(sql: Sql, log: LogBuilder, size: Any, found: int):
    log.commit(add("a", size=size, modificationTime=size, stats=json.dumps({"numRecords": size})))
    sql.load(log)
    (file,) = sql.files()
    assert (file.size, file.modification_time, file.num_records) == (found, found, found)
    with sql.at() as state:
        assert state.count() == (1, found, found, found)


def test_17_sizes_beyond_64_bit_are_refused(sql: Sql, log: LogBuilder):
    log.commit(add("a", size=2**63))
    with pytest.raises(CorruptLogError, match=r"line 1: add: .*size"):
        sql.load(log)


@pytest.mark.parametrize(
    "stats", ['{"numRecords":9223372036854775808}', '{"numRecords":"x"}', "{", "", "[" * 9999, "null"]
)
def test_17_statistics_that_are_nonsense_are_kept_and_count_nothing(sql: Sql, log: LogBuilder, stats: str):
    log.commit(add("a", stats=stats))
    sql.load(log)
    (file,) = sql.files()
    assert (file.stats, file.num_records) == (stats, None)


def test_17_of_duplicate_keys_the_last_counts(sql: Sql, log: LogBuilder):
    log.commit(raw=b'{"add":{"path":"a","size":1,"path":"b","size":2,"partitionValues":{"p":"1","p":"2"}}}')
    sql.load(log)
    assert [(file.path, file.size) for file in sql.files()] == [("b", 2)]


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("synced", [True, False])
def test_18_a_format_other_than_parquet_is_refused_whenever_it_comes(
    sql: Sql, tmp_path: Path, version: int, synced: bool
):
    log = LogBuilder(tmp_path / "t")
    csv = metadata(format={"provider": "csv", "options": {}})
    log.commit(protocol(), csv if version == 0 else metadata(), add("a"))
    if synced and version == 1:
        sql.load(log)
    log.commit(csv if version == 1 else metadata(), add("b"))
    with pytest.raises(UnsupportedTableError, match="csv, not parquet"):
        sql.load(log)
    if synced and version == 1:
        assert sql.paths() == ["a"]


# ---- paths and partitions

PATHS = ["a b", "a%20b", "a+b", "ä", "a\u0308", "😀.parquet", "x:y", "p=1/a", "p=%3A/a", "s3://b/a", "file:/x/a"]
PATHS += ["/x/a", "./a", "a//b", "..", "'", '"', "\\", "%", "A", "a", "a ", " ", "\t", "x" * 3000]


def test_19_paths_are_kept_as_they_are(sql: Sql, log: LogBuilder):
    log.commit(*(add(path, size=number) for number, path in enumerate(PATHS)))
    log.commit(*(remove(path) for path in PATHS[1::2]))
    sql.load(log, 7)
    assert {file.path: file.size for file in sql.files(1)} == {path: number for number, path in enumerate(PATHS)}
    assert sorted(sql.paths()) == sorted(PATHS[::2])


def test_19_a_sync_tells_paths_apart_as_an_import_does(sql: Sql, log: LogBuilder):
    log.commit(*(add(path) for path in PATHS))
    sql.load(log)
    log.commit(*(remove(path) for path in PATHS[1::2]))
    sql.load(log)
    assert sorted(sql.paths()) == sorted(PATHS[::2])


@pytest.mark.parametrize("values", [{"p": None}, {"p": "null"}, {"p": ""}, {}, {"p": "__HIVE_DEFAULT_PARTITION__"}])
@pytest.mark.parametrize("checkpoint", [True, False])
def test_20_partition_values_are_never_taken_from_the_path(sql: Sql, log: LogBuilder, values: dict, checkpoint: bool):
    log.commit(add("p=5/a", partitionValues=values))
    if checkpoint:
        log.checkpoint()
        log.drop([0, 1])
    sql.load(log)
    assert [json.loads(file.partition_values) for file in sql.files()] == [values]


# ---- statistics and metadata


def test_21_struct_only_statistics_are_rebuilt(sql: Sql, log: LogBuilder):
    log.commit(add("a"), add("b"))
    (path,) = log.checkpoint()
    table = pq.read_table(path)
    added = table["add"].combine_chunks()
    parsed = [
        None if path is None else {"numRecords": 5, "maxValues": {"id": 3}} for path in added.field("path").to_pylist()
    ]
    names = [field.name for field in added.type if field.name != "stats"]
    fields = [added.field(name) for name in names] + [pa.array(parsed)]
    column = pa.StructArray.from_arrays(fields, [*names, "stats_parsed"], mask=added.is_null())
    pq.write_table(table.set_column(table.schema.get_field_index("add"), "add", column), path)
    log.drop([0, 1])
    sql.load(log)
    assert [(file.num_records, json.loads(file.stats)) for file in sql.files()] == [
        (5, {"numRecords": 5, "maxValues": {"id": 3}})
    ] * 2


def test_23_each_version_has_its_own_schema_and_partitioning(sql: Sql, log: LogBuilder):
    log.commit(metadata({"id": "long", "p": "string"}, ["p"], name="new name"))
    log.commit(add("a"))
    log.commit(
        metadata({"x": "long"}, configuration={"delta.appendOnly": "true"}), protocol(1, 7, writer_features=["x"])
    )
    sql.load(log)
    columns, partitions, writers = [], [], []
    for version in range(4):
        with sql.at(version) as state:
            schema = json.loads(state.metadata().schema_string)
            columns.append([field["name"] for field in schema["fields"]])
            partitions.append(json.loads(state.metadata().partition_columns))
            writers.append(json.loads(state.protocol().writer_features))
    assert columns == [["id"], ["id", "p"], ["id", "p"], ["x"]]
    assert partitions == [[], ["p"], ["p"], []]
    assert writers[2:] == [["v2Checkpoint", "deletionVectors", "domainMetadata"], ["x"]]


def test_24_every_transaction_is_kept_however_old(sql: Sql, log: LogBuilder):
    log.commit(metadata(configuration={"delta.setTransactionRetentionDuration": "interval 1 days"}))
    log.commit(txn("old", 1, lastUpdated=5), txn("other", 9))
    log.commit(txn("old", 2, lastUpdated=6))
    sql.load(log)
    for version, expected in ((2, {"old": 1, "other": 9}), (3, {"old": 2, "other": 9})):
        with sql.at(version) as state:
            assert {row.app_id: row.txn_version for row in state.transactions()} == expected


def test_24_a_removed_domain_is_gone_until_it_comes_again(sql: Sql, log: LogBuilder):
    log.commit(domain("d", "1"), domain("e", "1"))
    log.commit(domain("d", "", removed=True))
    log.commit(domain("d", "2"))
    sql.load(log)
    found = []
    for version in range(4):
        with sql.at(version) as state:
            found.append({row.domain: row.configuration for row in state.domain_metadata()})
    assert found == [{}, {"d": "1", "e": "1"}, {"e": "1"}, {"d": "2", "e": "1"}]


def test_25_in_commit_timestamps_override_all_others(sql: Sql, log: LogBuilder):
    log.commit(commit_info(timestamp=5))
    log.commit(commit_info(timestamp=6, inCommitTimestamp=BEGIN_MS))
    log.commit(commit_info(timestamp="x"))
    log.commit()
    for version in range(5):
        os.utime(log.log / commit_name(version), (1000 + version, 1000 + version))
    sql.load(log)
    with sql.at() as state:
        commits = {commit.version: commit for commit in state.commits()}
    assert {version: commit.timestamp for version, commit in commits.items()} == {
        0: 1_000_000, 1: 5, 2: BEGIN_MS, 3: 1_003_000, 4: 1_004_000,
    }  # fmt: skip
    assert [commits[version].in_commit_timestamp for version in range(5)] == [None, None, BEGIN_MS, None, None]


def test_26_files_of_changes_never_join_the_files(sql: Sql, log: LogBuilder):
    log.commit(add("a"), cdc("_change_data/a", partitionValues={"p": "1"}), cdc("_change_data/b", tags={"k": "v"}))
    log.commit(remove("_change_data/a"))
    sql.load(log)
    assert sql.paths() == ["a"]
    with sql.at(1) as state:
        assert sorted((file.path, file.size) for file in state.cdc_files()) == [
            ("_change_data/a", 100),
            ("_change_data/b", 100),
        ]
    with sql.at(2) as state:
        assert state.cdc_files() == []


def test_27_unknown_features_do_not_stop_the_import(sql: Sql, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(features=["fromTheFuture"], writer_features=["alsoNew"]), metadata(), add("a"))
    log.commit(protocol(99, 99))
    sql.load(log)
    with sql.at(0) as state:
        assert json.loads(state.protocol().reader_features) == ["fromTheFuture"]
    with sql.at(1) as state:
        assert state.protocol().min_reader_version == 99
    assert sql.paths() == ["a"]


# ---- what no database should choke on


@pytest.mark.parametrize(
    "text", ["\\", '"', "'", "\t", "\\N", "\\.", "%s", "$1", "\x7f", "\ufffe", "\u2028", "𝄞", "NULL"]
)
def test_text_of_any_letters_comes_back_as_it_was(sql: Sql, log: LogBuilder, text: str):
    log.commit(
        add(f"{text}a", partitionValues={text: text}, tags={text: text}, clusteringProvider=text),
        metadata(name=text, description=text, configuration={text: text}),
        txn(text, 1),
        domain(text, text),
        commit_info(text, userName=text),
    )
    sql.load(log)
    (file,) = sql.files()
    assert (file.path, file.clustering_provider) == (f"{text}a", text)
    assert json.loads(file.partition_values) == json.loads(file.tags) == {text: text}
    with sql.at() as state:
        assert (state.metadata().name, json.loads(state.metadata().configuration)) == (text, {text: text})
        assert [row.app_id for row in state.transactions()] == [text]
        assert [(row.domain, row.configuration) for row in state.domain_metadata()] == [(text, text)]
        assert (state.commits(1)[0].operation, state.commits(1)[0].user_name) == (text, text)
