"""What a validation finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

LIMIT = 10_000
"""Differences that are listed; more are only counted."""

_WHICH_FILES = frozenset({"file_missing", "file_extra", "added_version", "removed_version", "deletion_vector"})
"""Kinds that make one reader see another set of files than the other: one of them explains the others."""

_NUMBERS = frozenset({"stats", "num_records"})


_ACTIONS = {
    "metadata": "metaData",
    "schema": "metaData",
    "configuration": "metaData",
    "protocol": "protocol",
    "txn": "txn",
    "domain_metadata": "domainMetadata",
    "commit": "commitInfo",
}
"""The action that a kind of difference is about, where it isn't about a file."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between the log and SQL.

    Attributes:
        version: the version at which it shows, or whose action is concerned.
        kind: what differs, a stable word.
        path: the file it is about, as in the log; None where it is about none.
        expected: what the log says, as a JSON value.
        actual: what SQL says, as a JSON value.
    """

    version: int
    kind: str
    path: str | None
    expected: object
    actual: object


@dataclass(slots=True)
class Findings:
    """Differences as they are found, and notes on what could not be compared.

    Several readers look at the same rows. What one has found is not listed again when the next one meets it, at other
    versions perhaps: a reader after the first asks with `again`. Nor does such a reader's word count for the paths and
    the actions in `unsure`, of which the log says two things.
    """

    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: int = 0
    unsure: set[str] = field(default_factory=set)
    _known: set[tuple[str, str | None]] = field(default_factory=set)

    def add(
        self, version: int, kind: str, path: str | None, expected: object, actual: object, *, again: bool = False
    ) -> None:
        """Adds a difference; with `again`, only where nothing like it is known."""
        key = (_group(kind), path)
        if again and key in self._known:
            return
        about = _ACTIONS.get(kind) if path is None else path
        if again and about in self.unsure:
            self.note(f"Readers do not agree on {about}: one commit says two things of it, which the protocol forbids")
            return
        self._known.add(key)
        if len(self.differences) < LIMIT:
            self.differences.append(Difference(version, kind, path, _json_value(expected), _json_value(actual)))
        else:
            self.left_out += 1

    def compare(
        self, version: int, kind: str, path: str | None, expected: object, actual: object, *, again: bool = False
    ) -> None:
        """Adds a difference where the two values are not equal."""
        if expected != actual:
            self.add(version, kind, path, expected, actual, again=again)

    def note(self, text: str) -> None:
        """Adds a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def all_notes(self) -> Iterator[str]:
        """Yields the notes, with what was left out."""
        yield from self.notes
        if self.left_out:
            yield f"{self.left_out} further differences are not listed"


def _json_value(value: Any) -> Any:
    """Returns a value that JSON has: numbers were read exactly, in order to be compared."""
    if isinstance(value, dict):
        return {str(name): _json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, str | int | float | None) else str(value)


def _group(kind: str) -> str:
    if kind in _WHICH_FILES:
        return "file"
    return "stats" if kind in _NUMBERS else kind
