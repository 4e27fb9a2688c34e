"""Whatever stands in a commit: actions, or our error. However it is cut into pieces, the same."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.errors import CorruptLogError
from deltalakedb.log.actions import raw_text
from deltalakedb.log.json_actions import decode_actions
from tests.fuzz import hostile


def plain(value: Any) -> str:
    """Raw JSON and unknown fields as text."""
    return raw_text(value) if isinstance(value, msgspec.Raw) else str(value)


def outcome(chunks: list[bytes]) -> Any:
    """All actions of a commit as plain values, or what is wrong with it."""
    adds, removes, others = [], [], []
    try:
        for piece in decode_actions(chunks, "5.json"):
            adds += piece.adds
            removes += piece.removes
            others += piece.others
    except CorruptLogError as error:
        assert error.message.startswith("5.json, line ")
        assert "\n" not in error.message
        assert error.hint
        return "corrupt"
    return [[msgspec.to_builtins(each, enc_hook=plain) for each in some] for some in (adds, removes, others)]


@hostile.IN_CI
@given(st.data())
def test_a_commit_is_actions_or_our_error(data: st.DataObject):
    content = data.draw(hostile.commit())
    whole = outcome([content])
    assert outcome(data.draw(hostile.cut(content))) == whole
