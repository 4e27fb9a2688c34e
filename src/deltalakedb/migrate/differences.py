"""What a validation finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

LIMIT = 10_000
"""Differences that are listed; more are only counted."""

UNKNOWN_FEATURE = "unknown_feature"
"""The kind of a feature under which the list of files may be another than the log's."""

CHECKPOINT = "checkpoint"
"""The kind of a checkpoint that doesn't hold the files to which its commits lead; these are followed."""

_WHICH_FILES = frozenset(
    {"file_missing", "file_extra", "added_version", "removed_version", "deletion_vector", CHECKPOINT}
)
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
        source: the file of the log that says what is expected; None where none does, or it isn't known which.
    """

    version: int
    kind: str
    path: str | None
    expected: object
    actual: object
    source: str | None = None


class Doubt(NamedTuple):
    """A difference that a reader shows which may have it from another file of the log than the one that counts.

    Attributes:
        version, kind, path, expected, actual: those of the difference.
        added_version: the version that adds the file, as SQL has it.
        field: where in the file's statistics the value is.
    """

    version: int
    kind: str
    path: str | None
    expected: object
    actual: object
    added_version: int | None = None
    field: tuple[str, ...] = ()

    @property
    def is_about_files(self) -> bool:
        """Whether the two sides don't have the same files, or the same deletion vector of one."""
        return self.kind in _WHICH_FILES and (self.expected is None or self.actual is None)


class Judge(Protocol):
    """Decides what is true of doubts, by what the log itself says."""

    def hear(self, doubt: Doubt) -> None:
        """Takes a doubt; what comes of it is found sooner or later."""


@dataclass(slots=True)
class Findings:
    """Differences as they are found, and notes on what could not be compared.

    Several readers look at the same rows. What one has found is not listed again when the next one meets it, at other
    versions perhaps: a reader after the first asks with `again`. Nor does such a reader's word count for the paths and
    the actions in `unsure`, of which the log says two things. Doubts are decided by `judge`; without one they count.
    """

    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: int = 0
    unsure: set[str] = field(default_factory=set)
    judge: Judge | None = None
    _known: set[tuple[str, str | None]] = field(default_factory=set)

    def add(
        self,
        version: int,
        kind: str,
        path: str | None,
        expected: object,
        actual: object,
        *,
        source: str | None = None,
        again: bool = False,
    ) -> None:
        """Adds a difference; with `again`, only where nothing like it is known."""
        if again and not self._is_news(kind, path):
            return
        self._known.add((_group(kind), path))
        if len(self.differences) < LIMIT:
            values = _json_value(expected), _json_value(actual)
            self.differences.append(Difference(version, kind, path, *values, source))
        else:
            self.left_out += 1

    def compare(
        self,
        version: int,
        kind: str,
        path: str | None,
        expected: object,
        actual: object,
        *,
        source: str | None = None,
    ) -> None:
        """Adds a difference where the two values are not equal."""
        if expected != actual:
            self.add(version, kind, path, expected, actual, source=source)

    def doubt(self, doubt: Doubt) -> None:
        """Has a doubt decided, unless something like it is known."""
        if not self._is_news(doubt.kind, doubt.path):
            return
        if self.judge is None:
            self.add(*doubt[:5], again=True)
        else:
            self.judge.hear(doubt)

    def note(self, text: str) -> None:
        """Adds a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def all_notes(self) -> Iterator[str]:
        """Yields the notes, with what was left out."""
        yield from self.notes
        if self.left_out:
            yield f"{self.left_out} further differences are not listed"

    def _is_news(self, kind: str, path: str | None) -> bool:
        if (_group(kind), path) in self._known:
            return False
        about = _ACTIONS.get(kind) if path is None else path
        if about not in self.unsure:
            return True
        self.note(f"Readers do not agree on {about}: one commit says two things of it, which the protocol forbids")
        return False


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
