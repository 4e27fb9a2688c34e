"""Which tables' rows can be read, and by whom: features that a reader of rows must know."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..features import ABOUT_THE_LOG, MAX_READER_VERSION, Asked, unpublished
from ..rows import ProtocolRow
from .exceptions import UnsupportedTableError

ROW_FEATURES = frozenset({"columnMapping", "deletionVectors", "timestampNtz", "variantType", "variantType-preview"})
"""What delta-rs' engine applies to rows when a log asks for it."""

_WIDENING = frozenset({"typeWidening", "typeWidening-preview"})
"""delta-rs refuses these, but its engine casts a file's columns to the table's types all the same."""

_PLAIN = frozenset({"timestampNtz", "variantType", "variantType-preview"})
"""What pyarrow reads right by itself."""


def of_rows(reader_features: Iterable[str] | None, writer_features: Iterable[str] | None) -> frozenset[str]:
    """Returns the features that a reader of rows must know.

    Those that rows are known to need count in either list: Spark leaves them out of `readerFeatures` where a property
    raised the reader's version. What only writers must know does not.
    """
    return frozenset(reader_features or ()) | (frozenset(writer_features or ()) & (ROW_FEATURES | _WIDENING))


def check_rows(reader_version: int, reader_features: Iterable[str]) -> None:
    """Raises UnsupportedTableError where the rows need something that no engine here does; metadata still answers."""
    if reader_version > MAX_READER_VERSION:
        raise UnsupportedTableError(
            f"The table's reader version {reader_version} is greater than the highest known one, {MAX_READER_VERSION}",
            "Its files, schema and history can be read, its rows can't.",
        )
    unknown = sorted(set(reader_features) - ROW_FEATURES - _WIDENING - ABOUT_THE_LOG)
    if unknown:
        raise UnsupportedTableError(
            f"The table has set these reader features: {', '.join(unknown)}, but these are not yet supported",
            "Its files, schema and history can be read, its rows can't.",
        )


def beyond_pyarrow(reader_features: Iterable[str], column_mapping: str | None) -> list[str]:
    """Returns the features that pyarrow would get wrong: rows that are deleted, NULLs where there are values."""
    wrong = set(reader_features) - _PLAIN - ABOUT_THE_LOG
    if column_mapping is not None:
        wrong.add("columnMapping")
    else:
        wrong.discard("columnMapping")
    return sorted(wrong)


def missing_commits(protocol: ProtocolRow) -> str | None:
    """Returns what to say of a table whose catalog may have commits that its log has not; None of all others."""
    lists = (json.loads(names or "[]") for names in (protocol.reader_features, protocol.writer_features))
    managed = Asked.of(protocol.min_reader_version, *lists).catalog_managed
    return None if managed is None else unpublished(managed)
