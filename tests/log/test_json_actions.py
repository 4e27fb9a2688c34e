"""Each way of writing JSON that has broken a reader of logs; see also the shared tables."""

import json
from collections.abc import Callable, Iterable
from itertools import chain, pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.errors import CorruptLogError
from deltalakedb.log.actions import (
    Actions,
    Add,
    AddCDCFile,
    CommitInfo,
    DomainMetadata,
    Extra,
    Metadata,
    OtherAction,
    Protocol,
    Remove,
    Txn,
    optional_text,
    raw_text,
)
from deltalakedb.log.json_actions import decode_actions
from tests.support.logs import add, cdc, commit_info, domain, dv, metadata, protocol, remove, to_lines, txn

EVERYTHING = [
    commit_info("WRITE", operationMetrics={"numFiles": "1"}),
    protocol(features=["deletionVectors"], writer_features=["domainMetadata"]),
    metadata({"id": "long", "größe": "double"}, ["id"], {"delta.appendOnly": "true"}, name="täble"),
    add("a b%20c.parquet", partitionValues={"id": "1"}, tags={"k": "v"}, deletionVector=dv(offset=0), baseRowId=5),
    remove("ü😀.parquet", partitionValues={"id": None}, size=7, extendedFileMetadata=True),
    txn("app", 1, lastUpdated=3),
    domain("d", '{"a": 1}'),
    cdc("_change_data/c.parquet", tags={}),
]
UNKNOWN = [add("u.parquet", future={"x": [1, None]}), {"newAction": {"y": 1}}, remove("u.parquet", extra="{}")]


def decode(*chunks: bytes) -> Actions:
    """All actions of a file, whatever pieces they came in."""
    whole = Actions()
    for piece in decode_actions(chunks, "5.json"):
        whole.adds += piece.adds
        whole.removes += piece.removes
        whole.others += piece.others
    return whole


def value(item: Any) -> Any:
    """An action as plain values that can be compared; raw JSON is decoded."""
    if isinstance(item, msgspec.Raw):
        text = optional_text(item)
        return None if text is None else json.loads(text)
    if isinstance(item, msgspec.Struct):
        fields = {name: value(getattr(item, name)) for name in item.__struct_fields__}
        return type(item).__name__, {name: field for name, field in fields.items() if field is not None}
    if isinstance(item, Extra):
        return json.loads(item)
    if isinstance(item, CommitInfo | OtherAction):
        return item._replace(text=json.loads(item.text))
    return item


def values(actions: Actions) -> tuple[list[Any], ...]:
    return tuple([value(action) for action in kind] for kind in (actions.adds, actions.removes, actions.others))


def one_add(text: str | bytes) -> Add:
    (found,) = decode(text.encode() if isinstance(text, str) else text).adds
    return found


# ---- what is there


def test_every_action_of_the_protocol_becomes_its_type():
    actions = decode(to_lines(EVERYTHING))
    assert [type(action) for action in (*actions.adds, *actions.removes, *actions.others)] == [
        Add, Remove, CommitInfo, Protocol, Metadata, Txn, DomainMetadata, AddCDCFile,
    ]  # fmt: skip
    (added,), (removed,) = actions.adds, actions.removes
    assert (added.path, added.size, added.base_row_id, added.data_change) == ("a b%20c.parquet", 100, 5, True)
    assert json.loads(raw_text(added.deletion_vector))["offset"] == 0
    assert (removed.path, removed.size, removed.extended_file_metadata) == ("ü😀.parquet", 7, True)
    assert raw_text(removed.partition_values) == '{"id": null}'
    assert json.loads(actions.others[0].text) == EVERYTHING[0]["commitInfo"]
    assert actions.others[2].name == "täble"


def test_unknown_actions_and_fields_are_kept():
    actions = decode(to_lines([*EVERYTHING, *UNKNOWN]))
    assert values(actions)[0][0] == values(decode(to_lines(EVERYTHING)))[0][0]
    assert json.loads(actions.adds[1].extra) == {"future": {"x": [1, None]}}
    assert json.loads(actions.removes[1].extra) == {"extra": "{}"}
    assert actions.others[-1] == OtherAction("newAction", '{"y": 1}')


@pytest.mark.parametrize("action", EVERYTHING[1:], ids=lambda action: next(iter(action)))
def test_every_action_keeps_its_unknown_fields(action: dict):
    (name, body), = action.items()  # fmt: skip
    actions = decode(to_lines([{name: body | {"new": {"a": 1}, "extra": "mine"}}]))
    (found,) = (*actions.adds, *actions.removes, *actions.others)
    assert json.loads(found.extra) == {"new": {"a": 1}, "extra": "mine"}
    found.extra = None
    assert [value(found)] == [*chain(*values(decode(to_lines([action]))))]


def test_unknown_fields_keep_explicit_nulls_and_their_letters():
    found = one_add('{"add":{"path":"a","x":null,"y":1.50,"z":{"b":1,"a":2}}}')
    assert found.extra == '{"x":null,"y":1.50,"z":{"b":1,"a":2}}'


def test_nested_json_is_kept_letter_by_letter():
    found = one_add('{"add":{"path":"a","partitionValues":{"p" : "\\u00e4", "q":null},"tags":{"t": 1.0}}}')
    assert raw_text(found.partition_values) == '{"p" : "\\u00e4", "q":null}'
    assert raw_text(found.tags) == '{"t": 1.0}'


@pytest.mark.parametrize("slow", ["", '"new":1,'])
def test_explicit_nulls_are_absent_fields(slow: str):
    nulls = ",".join(f'"{name}":null' for name in Add.__struct_encode_fields__ if name not in ("path", "extra"))
    found = one_add(f'{{"add":{{{slow}"path":"a",{nulls}}}}}')
    assert value(found)[1].keys() == {"path"} | ({"extra"} if slow else set())


def test_actions_that_are_null_are_absent_but_unknown_ones_are_kept():
    names = ["add", "remove", "commitInfo", "metaData", "protocol", "txn", "cdc", "domainMetadata"]
    assert values(decode(to_lines([{name: None} for name in names]))) == ([], [], [])
    assert decode(b'{"new":null}').others == [OtherAction("new", "null")]
    assert values(decode(b"{}\n{}")) == ([], [], [])


def test_commit_info_may_come_last_or_never_and_hold_anything():
    odd = '{"commitInfo":{"operation":5,"operationParameters":["a",{"b":null}],"timestamp":"x"}}'
    actions = decode(f'{{"add":{{"path":"a"}}}}\n{odd}'.encode())
    assert actions.others == [CommitInfo('{"operation":5,"operationParameters":["a",{"b":null}],"timestamp":"x"}')]
    assert decode(b'{"commitInfo":[1]}').others == [CommitInfo("[1]")]


def test_of_a_field_that_is_there_twice_the_last_counts():
    for slow in ("", '"new":1,'):
        assert one_add(f'{{"add":{{{slow}"path":"a","size":1,"path":"b","size":2}}}}').path == "b"
    assert one_add('{"add":{"path":"a"},"add":{"path":"b"}}').path == "b"


# ---- numbers


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("500.0", 500),
        ('"12"', 12),
        ("1e3", 1000),
        ("0", 0),
        (str(2**31), 2**31),
        (str(2**53 + 1), 2**53 + 1),
        (f'"{2**53 + 1}"', 2**53 + 1),
        (str(2**63 - 1), 2**63 - 1),
        (str(-(2**63)), -(2**63)),
    ],
)
def test_sizes_may_be_written_in_many_ways(written: str, size: int):
    found = one_add(f'{{"add":{{"path":"a","size":{written}}}}}')
    assert found.size == size
    assert type(found.size) is int
    assert found.extra is None


@pytest.mark.parametrize("written", ["500.5", '"x"', "[]", "true", str(2**63), str(-(2**63) - 1), "1e19", f'"{2**63}"'])
def test_sizes_that_are_no_64_bit_integers_are_refused(written: str):
    with pytest.raises(CorruptLogError, match=r"5.json, line 2: add: "):
        one_add(f'{{"txn":{{"appId":"a","version":1}}}}\n{{"add":{{"path":"a","size":{written}}}}}')


# ---- lines


def pretty(actions: Iterable[dict]) -> bytes:
    return "\n".join(json.dumps(action, indent=2) for action in actions).encode()


SHAPES: dict[str, Callable[[list[dict]], bytes]] = {
    "plain": to_lines,
    "no final newline": lambda a: to_lines(a).rstrip(),
    "CRLF": lambda a: to_lines(a).replace(b"\n", b"\r\n"),
    "CRLF without the last": lambda a: to_lines(a).replace(b"\n", b"\r\n").rstrip(),
    "blank lines": lambda a: b"\n \n\t\n" + to_lines(a).replace(b"\n", b"\n\r\n\n") + b"  \n",
    "byte-order mark": lambda a: b"\xef\xbb\xbf" + to_lines(a),
    "pretty-printed": pretty,
    "pretty-printed with CRLF": lambda a: pretty(a).replace(b"\n", b"\r\n"),
    "several on a line": lambda a: to_lines(a).replace(b"\n", b" "),
    "nothing between": lambda a: to_lines(a).replace(b"\n", b""),
    "escaped": lambda a: "\n".join(json.dumps(action) for action in a).encode(),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_actions_in_any_shape_mean_the_same(shape: str):
    actions = [*EVERYTHING, *UNKNOWN]
    assert values(decode(SHAPES[shape](actions))) == values(decode(to_lines(actions)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("actions", [EVERYTHING[3:6], [*UNKNOWN, *EVERYTHING[4:6]]], ids=["known", "unknown"])
def test_a_file_cut_into_chunks_anywhere_gives_the_same_actions(shape: str, actions: list[dict]):
    content = SHAPES[shape](actions)
    expected = values(decode(content))
    for cut in range(len(content) + 1):
        assert values(decode(content[:cut], content[cut:])) == expected, content[:cut]


@given(st.lists(st.integers(0, 3000), max_size=12), st.sampled_from(sorted(SHAPES)))
def test_a_file_cut_into_any_number_of_chunks_gives_the_same_actions(cuts: list[int], shape: str):
    content = SHAPES[shape]([*EVERYTHING, *UNKNOWN])
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    chunks = [content[begin:end] for begin, end in pairwise(edges)]
    assert b"".join(chunks) == content
    assert values(decode(*chunks)) == values(decode(content))


def test_a_large_file_is_decoded_piece_by_piece():
    line = to_lines(EVERYTHING[3:4])
    pieces = decode_actions((line * 10 for _ in range(5)), "5.json")
    assert [len(piece.adds) for piece in pieces if piece.adds] == [10] * 5


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n \t\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_holds_no_actions(content: bytes):
    assert values(decode(content)) == ([], [], [])
    assert values(decode()) == ([], [], [])


# ---- what can't be read

GOOD = b'{"add":{"path":"a"}}\n'
DEEP = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'{"add":{"path":"b","si', "cut off"),
        (b'{"add":{"path":"b"', "cut off"),
        (b'{"add":', "cut off"),
        (b'{"add":{"path":"b"}', "cut off"),
        (b'{"add":{"path":"b"}}}', "not JSON"),
        (b'{"add":{"path":"b"}},', "not JSON"),
        (b'{"add":{"path":"b",}}', "not JSON"),
        (b'{"add":{"path":"b","tags":{"a":01}}}', "not JSON"),
        (b'{"add":{"path":"b","tags":{"a":NaN}}}', "not JSON"),
        (b'{"commitInfo":{"a":Infinity}}', "not JSON"),
        (b"{'add':{'path':'b'}}", "not JSON"),
        (b'{"add":{"path":"b\tc"}}', "not JSON"),
        (b'{"add":{"path":"b","tags":{"a":"b\tc"}}}', "not JSON"),
        (b'{"add":{"path":"\\ud800"}}', "not JSON"),
        (b'{"add":{"path":"b\xff"}}', "not UTF-8"),
        (b'{"add":{"path":"b","partitionValues":{"p":"\xff"}}}', "not UTF-8"),
        (b'{"commitInfo":{"a":"\xc3"}}', "not UTF-8"),
        (b'{"new":"\xed\xa0\x80"}', "not UTF-8"),
        (b"\0\0\0\0", "not JSON"),
        (b"null", "not an action"),
        (b"[]", "not an action"),
        (b'"add"', "not an action"),
        (b"5", "not an action"),
        (b'{"add":5}', "add: "),
        (b'{"add":{}}', "add: .*`path`"),
        (b'{"add":{"path":null}}', "add: .*`path`"),
        (b'{"add":{"path":5}}', "add: .*path"),
        (b'{"add":{"path":"b","stats":{"numRecords":1}}}', "add: .*stats"),
        (b'{"remove":{"size":1}}', "remove: .*`path`"),
        (b'{"protocol":{"minReaderVersion":1}}', "protocol: .*minWriterVersion"),
        (b'{"txn":{"version":1}}', "txn: .*appId"),
        (b'{"domainMetadata":{}}', "domainMetadata: .*domain"),
        (b'{"metaData":"x"}', "metaData: "),
        (DEEP, "nested too deeply"),
    ],
    ids=lambda param: None if isinstance(param, str) else repr(param[:40]),
)
def test_what_can_not_be_read_is_refused_with_file_and_line(broken: bytes, reason: str):
    for before in (b"", GOOD * 3, b"\r\n\n" + pretty([add("a")]) + b"\n"):
        line = before.count(b"\n") + 1
        for after in (b"", b"\n", b"\n" + GOOD):
            if reason == "cut off" and after.endswith(GOOD):
                continue  # then the reason depends on what follows
            with pytest.raises(CorruptLogError, match=f"^5.json, line {line}: .*{reason}") as raised:
                decode(before + broken + after)
            assert raised.value.hint


@pytest.mark.parametrize("broken", [b'{"add":{"path":"b","si', b'{"add":{"path":5}}', b'{"add":{"path":"\xff"}}', b"x"])
def test_the_line_is_right_in_later_chunks_too(broken: bytes):
    with pytest.raises(CorruptLogError, match=r"^5.json, line 8: "):
        decode(GOOD * 2, GOOD[:7], GOOD[7:] + b"\n" + GOOD + GOOD[:-1], b"\n\n", broken[:3], broken[3:])


def test_a_commit_that_is_cut_off_anywhere_is_never_taken_for_whole():
    lines = to_lines(EVERYTHING[3:6]).rstrip()
    whole = {position for position, letter in enumerate(lines) if letter == ord("\n")}
    for end in range(1, len(lines)):
        if end in whole or end - 1 in whole:
            continue  # between two actions: a shorter commit, which nobody can tell
        with pytest.raises(CorruptLogError, match=r"5.json, line .: "):
            decode(lines[:end])


def test_a_message_about_a_large_file_comes_quickly():
    content = GOOD * 200_000 + b"x"
    with pytest.raises(CorruptLogError, match="line 200001: not JSON"):
        decode(content)
