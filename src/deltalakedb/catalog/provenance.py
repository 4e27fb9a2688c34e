"""What writers noted of a table's commits, as `DeltaTable.history()` has it: the same for programs, commands and pages.

Source: PROTOCOL.md, "Commit Provenance Information". A commitInfo is its writer's own and may be any JSON.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..rows import CommitRow
    from .snapshot import Snapshot

Document = dict[str, Any]

MOST_LEVELS = 126
"""What nests deeper in a commitInfo is read by no other reader, and by ours only where the call stack has room."""

_LEFT_OUT_WHEN_NULL = frozenset(
    {
        "timestamp",
        "inCommitTimestamp",
        "userId",
        "userName",
        "userMetadata",
        "operation",
        "operationParameters",
        "readVersion",
        "isolationLevel",
        "isBlindAppend",
        "engineInfo",
    }
)
"""The fields that delta-rs knows; of other fields it keeps a null."""


def history(snapshot: Snapshot, limit: int | None = None) -> list[Document]:
    """Returns what was noted of each commit up to a version, the newest first; at most `limit` commits."""
    return documents(snapshot.commits(limit, noted=True))


def documents(commits: Iterable[CommitRow]) -> list[Document]:
    """Returns what was noted of commits, each with its version; those without a commitInfo are not in it."""
    return [_document(commit, commit.commit_info) for commit in commits if commit.commit_info is not None]


def _document(commit: CommitRow, info: str) -> Document:
    fields = json_object(info).items()
    noted = {name: value for name, value in fields if value is not None or name not in _LEFT_OUT_WHEN_NULL}
    return {**noted, "version": commit.version}


def json_object(text: str | None) -> Document:
    """Returns the fields of a JSON object; none of what isn't one, or nests too deeply to be shown.

    A number that no JSON writer can write comes as its text.
    """
    try:
        value = None if text is None else json.loads(text, parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) and _is_shallow(value, MOST_LEVELS) else {}


def _finite(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < sys.int_info.default_max_str_digits else digits


def _is_shallow(value: Any, levels: int) -> bool:
    """Tells whether a value has no more than so many levels of objects and lists."""
    if not isinstance(value, dict | list):
        return True
    items = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in items)
