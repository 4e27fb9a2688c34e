"""What statistics prove, and what they don't: a file is only left out where the text says so."""

import json
from typing import Any

import pytest

from deltalakedb.table import predicate
from deltalakedb.table.prune.proof import ALWAYS, NEVER, AllOf, AnyOf, NoNulls, Test, proof_of_none
from deltalakedb.table.prune.statistics import check_of
from tests.table.pruning import field_of, schema_of, struct_of

SCHEMA = schema_of(
    field_of("id", "long"),
    field_of("ratio", "double"),
    field_of("name", "string"),
    field_of("place", struct_of(field_of("x", "long"), field_of('a"b', "long"))),
)


def may_match(where: str, stats: str | None) -> bool:
    check = check_of(proof_of_none(predicate.parse(where, SCHEMA)))
    assert check is not None
    return check(stats)


def stats(low: Any, high: Any, nulls: Any = None, **more: Any) -> str:
    return json.dumps({"numRecords": 10, "minValues": low, "maxValues": high, "nullCount": nulls or {}, **more})


def test_bounds():
    text = stats({"id": 5, "name": "b"}, {"id": 9, "name": "d"})
    for where in ("id = 5", "id >= 9", "id < 6", "name = 'c'", "id = 4 OR name = 'b'", "id IN (1, 7)"):
        assert may_match(where, text), where
    for where in ("id = 4", "id > 9", "id < 5", "name = 'e'", "id = 7 AND name = 'a'", "id IN (1, 70)"):
        assert not may_match(where, text), where


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "null",
        "[]",
        "5",
        "{",
        '{"minValues": 5, "maxValues": 5}',
        '{"minValues": null, "maxValues": null}',
        '{"minValues": {"id": "5"}, "maxValues": {"id": "9"}}',
        '{"minValues": {"id": true}, "maxValues": {"id": true}}',
        '{"minValues": {"id": [5]}, "maxValues": {"id": {}}}',
        '{"minValues": {"id": 1e999}, "maxValues": {"id": 1e999}}',
        '{"minValues": {"id": 5}} trailing',
    ],
)
def test_what_is_not_as_the_protocol_has_it_proves_nothing(text: str | None):
    assert may_match("id = 100", text)
    assert may_match("id = -100", text)


def test_what_one_member_lacks_another_may_prove():
    text = stats({"id": "odd", "name": "b"}, {"name": "d"})
    assert may_match("id = 5", text)
    assert not may_match("id = 5 AND name = 'x'", text)


def test_numbers_are_compared_as_numbers():
    assert not may_match("id > 9", stats({"id": 5}, {"id": 9.0}))
    assert not may_match("ratio > 9.5", stats({"ratio": 1}, {"ratio": 9}, {"ratio": 10}))
    big = 2**63 - 1
    assert may_match(f"id = {big}", stats({"id": big}, {"id": big}))
    assert not may_match(f"id < {big}", stats({"id": big}, {"id": big}))


def test_nulls():
    text = stats({}, {}, {"id": 10, "name": 0})
    assert not may_match("id = 5", text)
    assert not may_match("id IS NOT NULL", text)
    assert may_match("id IS NULL", text)
    assert not may_match("name IS NULL", text)


def test_members_of_structs_and_names_that_no_field_may_have():
    text = stats({"place": {"x": 5, 'a"b': 5}}, {"place": {"x": 9, 'a"b': 9}})
    assert may_match("place.x = 5", text)
    assert not may_match("place.x = 4", text)
    assert may_match('place."a""b" = 5', text)
    assert not may_match('place."a""b" = 4', text)
    assert not may_match('place.x = 5 AND place."a""b" = 4', text)
    assert may_match('place."a""b" = 4', stats({"place": 5}, {"place": [9]}))


def test_a_struct_and_a_field_of_it():
    text = stats({"place": {"x": 5}}, {"place": {"x": 9}}, {"place": {"x": 0}})
    assert not may_match("place IS NULL AND place.x = 4", text)
    assert may_match("place IS NULL AND place.x IS NOT NULL", text)


def test_letters_of_every_kind():
    for letter in ("\0", "\x7f", "é", "\ud7ff", "\uffff", "😀", '"', "\\"):
        text = stats({"name": letter}, {"name": letter})
        assert not may_match("name > '\U0010fffe'", text), letter
        assert may_match("name < '\U0010fffe'", text), letter


def test_a_proof_nested_deeper_than_python_reads_proves_nothing():
    proof: Test = NoNulls(SCHEMA.column("id"))
    for _ in range(200):
        proof = AnyOf((AllOf((proof, NoNulls(SCHEMA.column("name")))), NoNulls(SCHEMA.column("ratio"))))
    assert check_of(proof) is None


def test_what_needs_no_statistics():
    assert check_of(NEVER) is None
    always = check_of(ALWAYS)
    assert always is not None
    assert not always("anything")
