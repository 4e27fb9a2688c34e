"""Which tables can be read by whom: features that a reader of rows must know (PROTOCOL.md, "Valid Feature Names")."""

from __future__ import annotations

from collections.abc import Iterable

from .exceptions import UnsupportedTableError

MAX_READER_VERSION = 3

ROW_FEATURES = frozenset({"columnMapping", "deletionVectors", "timestampNtz", "variantType", "variantType-preview"})
"""What delta-rs' engine applies to rows when a log asks for it."""

_WIDENING = frozenset({"typeWidening", "typeWidening-preview"})
"""delta-rs refuses these, but its engine casts a file's columns to the table's types all the same."""

_ABOUT_THE_LOG = frozenset({"v2Checkpoint", "vacuumProtocolCheck", "catalogManaged", "catalogOwned-preview"})
"""Features that say how to come by the list of files. The catalog has it, so they don't matter here."""

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
    unknown = sorted(set(reader_features) - ROW_FEATURES - _WIDENING - _ABOUT_THE_LOG)
    if unknown:
        raise UnsupportedTableError(
            f"The table has set these reader features: {', '.join(unknown)}, but these are not yet supported",
            "Its files, schema and history can be read, its rows can't.",
        )


def beyond_pyarrow(reader_features: Iterable[str], column_mapping: str | None) -> list[str]:
    """Returns the features that pyarrow would get wrong: rows that are deleted, NULLs where there are values."""
    wrong = set(reader_features) - _PLAIN - _ABOUT_THE_LOG
    if column_mapping is not None:
        wrong.add("columnMapping")
    else:
        wrong.discard("columnMapping")
    return sorted(wrong)
