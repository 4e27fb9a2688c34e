"""The second reading by itself: against what others say of the same logs."""

import json
import pickle
import re
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.errors import CorruptLogError
from deltalakedb.log.actions import file_key
from deltalakedb.log.reader import open_log, plan
from deltalakedb.log.segment import LogSegment
from deltalakedb.log.store import open_store
from deltalakedb.migrate import facts, second_decoding, second_files, second_reading, second_replay, second_types
from deltalakedb.migrate.second_reading import Reading, Scope, read
from deltalakedb.rows import FileLifetime
from tests.support.logs import LogBuilder, add, commit_info, dv, metadata, protocol, remove, to_lines
from tests.support.shared_tables import SharedTable, shared_params


def reading_of(location: str | Path, versions: range | None = None) -> Reading:
    log = open_log(open_store(location))
    segment = plan(log)
    wanted = range(segment.version + 1) if versions is None else versions
    return read(log, Scope(segment, segment.first_version, floors_differ=False), totals_at=wanted)


@pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok))
def test_every_version_of_the_shared_tables(shared: SharedTable):
    unsure = len(shared.expected.get("ambiguous_files", ()))
    totals = reading_of(shared.location).totals
    assert sorted(totals) == sorted(int(version) for version in shared.expected["versions"])
    for version, told in shared.expected["versions"].items():
        assert abs(totals[int(version)].files - told["num_files"]) <= unsure
        if not unsure:
            assert totals[int(version)].size == told["total_size"]


def test_it_shares_nothing_with_the_reader_and_the_replay():
    for module in (second_reading, second_replay, second_types, second_files, second_decoding, facts):
        lines = Path(module.__file__).read_text().splitlines()
        imports = " ".join(line for line in lines if line.startswith(("from ", "import ")))
        for other in ("json_actions", "parquet_actions", "replay", "log.actions", "msgspec"):
            assert not re.search(rf"(?:\.|from |import ){re.escape(other)}\b", imports), f"{module.__name__}: {other}"


ACTIONS = [protocol(), metadata(), add("a.parquet", size=7), add("b ü.parquet", deletionVector=dv()), commit_info()]


@pytest.mark.parametrize(
    "form",
    [
        lambda lines: lines.rstrip(b"\n"),
        lambda lines: lines.replace(b"\n", b"\r\n"),
        lambda lines: b"\n \n" + lines.replace(b"\n", b"\n\n"),
        lambda lines: lines.replace(b"\n", b" "),
        lambda lines: b"\xef\xbb\xbf" + lines,
        lambda _: "\n".join(json.dumps(action, indent=2) for action in ACTIONS).encode(),
        lambda lines: lines.replace(b'"size": 7', b'"size": 7.0'),
    ],
    ids=["no final newline", "CRLF", "blank lines", "one line", "byte-order mark", "pretty", "fraction of zero"],
)
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_forms_of_json(form, chunk: int):
    text = form(to_lines(ACTIONS))
    chunks = (text[start : start + chunk] for start in range(0, len(text), chunk))
    actions = list(second_decoding.json_actions(chunks, "x.json"))
    assert actions == [pair for action in ACTIONS for pair in action.items()]


def test_no_number_is_rounded():
    line = b'{"add":{"path":"a","size":9007199254740993.0,"x":{"y":[[0.1],18446744073709551617]}}}'
    ((_, body),) = second_decoding.json_actions([line], "x.json")
    assert facts.facts_of_add(body).size == 9007199254740993
    assert body["x"] == {"y": [[Decimal("0.1")], 18446744073709551617]}


@pytest.mark.parametrize("text", [b'{"add": {"path": "a', b'{}\n{"add"', b"{'add': 1}\n", b"[1]", b"1", b"{}}"])
def test_what_is_no_json(text: bytes):
    with pytest.raises(CorruptLogError, match=r"x\.json"):
        list(second_decoding.json_actions([text], "x.json"))


def test_a_checkpoint_that_is_no_parquet(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"no parquet")
    with (tmp_path / "x").open("rb") as source, pytest.raises(CorruptLogError, match="x: not readable"):
        list(second_decoding.parquet_actions(source, "x"))


def test_totals(tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a", size=5), add("b", size=6))
    log.commit(remove("a"), add("a", size=5, deletionVector=dv(cardinality=3)))
    log.commit(add("b", size=8), remove("ghost"), remove("a", deletionVector=dv()), add("c", size=None))
    assert list(reading_of(log.root).totals.values()) == [(2, 11, 0, 0), (2, 11, 1, 3), (2, 8, 0, 0)]


FIELDS = st.dictionaries(
    st.sampled_from(["path", "partitionValues", "size", "modificationTime", "dataChange", "stats", "tags", "new"]),
    st.none() | st.booleans() | st.integers() | st.text() | st.just({"a": "b"}) | st.just(Decimal("7.0")),
)


@given(FIELDS)
def test_the_usual_fields_are_taken_like_any_others(body: dict):
    longer = body | {"baseRowId": None, "defaultRowCommitVersion": None}  # of more fields, which say nothing
    assert repr(facts.facts_of_add(body)) == repr(facts.facts_of_add(longer))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()) | st.decimals(allow_nan=False),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_digests_are_the_same_for_the_same_values_alone(one: Any, other: Any):
    def digest(value: Any) -> bytes:
        return facts.facts_of_add({"tags": value}).digest("a", 1, b"")

    assert digest(one) == digest(pickle.loads(pickle.dumps(one)))  # whatever else shares its parts
    assert (digest(one) == digest(other)) == (repr(one) == repr(other))


TEXT = st.none() | st.sampled_from(
    [
        "",
        "a",
        "{}",
        '{"a": "b"}',
        "no JSON",
        "1",
        '{"same":1}',
        '{"fields":[]}',
        '{"fields":{"x":1},"same":["size","stats"]}',
    ]
)
NUMBER = st.none() | st.integers(-(2**63), 2**63 - 1)
VALUES = {"path": st.text(max_size=3), "partition_values": st.sampled_from(["{}", '{"d":null}', '{"d":"1"}'])}
KINDS = {"int | None": NUMBER, "int": NUMBER, "bool | None": st.none() | st.booleans() | st.integers(0, 1)}
ROWS = st.builds(
    FileLifetime,
    **{name: VALUES.get(name, KINDS.get(kind, TEXT)) for name, kind in FileLifetime.__annotations__.items()},
)


@given(ROWS)
def test_rows_are_digested_as_the_lifetimes_that_they_are(row: FileLifetime):
    known = facts.facts_of_row(row)
    removal = facts.remove_of_row(row, known)
    life = second_reading.Life(row.path, row.added_version, row.removed_version, known, removal)
    assert facts.row_digest(row, b"salt") == life.digest(b"salt")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_paths_are_hashed_as_keys_of_files_are(path: str):
    assert facts.path_digest(path) == file_key(
        path, None
    )  # files_against_log._whole_digest takes the one for the other


def sums_of(scope: Scope, *lives: second_reading.Life) -> facts.Sums:
    sums = facts.Sums()
    for life in lives:
        sums.add(facts.path_digest(life.path), life.digest(scope.salt))
    return sums


def test_sums_stand_for_lifetimes_in_any_order():
    scope = Scope(LogSegment(0, 0, None, ()), 0, floors_differ=False)
    a, b = (second_reading.Life(path, 1, 2, facts.facts_of_add({"size": len(path)}), {}) for path in ("a", "bb"))
    assert sums_of(scope, a, b).differ(sums_of(scope, b, a)) == set()
    changed = [
        a._replace(path="c"),
        a._replace(added=2),
        a._replace(added=None),
        a._replace(ended=3),
        a._replace(remove=None),
        a._replace(ended=None),
        a._replace(ended=None, remove=None),
        a._replace(facts=b.facts),
        a._replace(facts=a.facts._replace(stats="")),
        a._replace(facts=a.facts._replace(stats={})),
    ]
    seen = [a, *changed]
    for one, other in permutations(seen, 2):
        assert sums_of(scope, one, b).differ(sums_of(scope, other, b))
    assert sums_of(scope, a, a, b).differ(sums_of(scope, a, b))
    assert len(sums_of(scope, a, b).differ(sums_of(scope, a._replace(facts=b.facts), b._replace(facts=a.facts)))) == 2


def test_equal_sums_can_not_be_made_by_design():
    life = second_reading.Life("a", 1, None, facts.facts_of_add({"size": 1}), None)
    one, other = (Scope(LogSegment(0, 0, None, ()), 0, floors_differ=False) for _ in range(2))
    assert sums_of(one, life).differ(sums_of(other, life))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1.5}, {"a": "1.50"}),
        ({"a": 10}, {"a": "1e1"}),
    ],
)
def test_numbers_of_statistics_have_one_form(one: dict, other: dict):
    told = '{"a":%s}' % other["a"]  # noqa: UP031 (braces)
    assert facts.canonical(one) == facts.canonical(facts.parsed_json(told))


@pytest.mark.parametrize(
    ("stats", "count"),
    [
        ('{"numRecords":3}', 3),
        (' { "numRecords" : 3 , "minValues":{}}', 3),
        ('{"minValues":{"numRecords":5},"numRecords":3}', 3),
        ('{"minValues":{"numRecords":5}}', None),
        ('{"numRecords":3,"maxValues":{"numRecords":9}}', 3),
        ('{"numRecords":3.0}', 3),
        ("{}", None),
        ("broken", None),
        (None, None),
        ({"numRecords": 4}, 4),
    ],
)
def test_number_of_records(stats, count):
    assert facts.num_records(stats) == count
