"""The files of the catalog against the second reading of the log: every lifetime of every file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

from ..catalog.partitions import partitions_of
from ..catalog.snapshot import Snapshot
from ..log.actions import file_key
from ..log.reader import Log
from ..replay.files import key_hash, key_hashes, partition_key
from ..rows import FileLifetime
from .differences import Findings
from .facts import (
    PATH_DIGEST,
    Action,
    Actions,
    FileFacts,
    Sums,
    canonical,
    counted,
    facts_of_row,
    path_digest,
    pile_of,
    remove_of_row,
    row_digest,
)
from .second_reading import Digests, Life, Reading, Scope, read_digests, read_files

_PAGE = 500
"""Rows that are looked at together: as many as fit a processor's cache. With 5,000 it took a third more time."""

_KINDS = {
    "base_row_id": "row_id",
    "default_row_commit_version": "row_id",
    "clustering_provider": "clustering",
    "deletion_vector_id": "deletion_vector",
    "extra": "unknown_fields",
}
"""The kind of a difference, where it isn't the name of the field."""


@dataclass(slots=True)
class RowsRead:
    """The rows of `delta_files`, read: sums of their lifetimes, and the piles of those that are found by wrong keys.

    `own` is of the file actions that the floor's own commit has, as the rows tell it.
    """

    own: Actions
    sums: Sums = field(default_factory=Sums)
    misplaced: set[int] = field(default_factory=set)


def read_rows(snapshot: Snapshot, scope: Scope, each: Callable[[], None]) -> RowsRead:
    """Reads every row once; `each` is called from time to time."""
    read = RowsRead(Actions(scope.salt))
    add, salt = read.sums.add, scope.salt
    keys = _Keys(snapshot)
    whole = not scope.floors_differ and scope.segment.version == snapshot.entry.version
    for page in _pages(snapshot):
        expected = [file_key(row.path, row.deletion_vector_id) for row in page]
        for row, key, is_found in zip(page, expected, keys.are_right(page, expected), strict=True):
            if whole:
                life = row_digest(row, salt)
            elif _is_compared(row, snapshot, scope):
                life = _life(row, snapshot, scope).digest(salt)
            else:
                continue
            path = key if row.deletion_vector_id is None else path_digest(row.path)  # the same hash
            add(path, life)
            if row.own_add or row.own_remove:
                _note_own(row, scope.floor, read.own)
            if not is_found:
                read.misplaced.add(pile_of(path))
        each()
    return read


def _note_own(row: FileLifetime, floor: int, own: Actions) -> None:
    vector = row.deletion_vector_id
    key = path_digest(row.path) + (b"" if vector is None else path_digest(vector))
    if row.own_add and row.added_version == floor:
        own.add(key)
    if row.own_remove and row.removed_version == floor:
        own.remove(key)


def compare_files_with_log(
    snapshot: Snapshot, log: Log, scope: Scope, rows: RowsRead, reading: Reading, findings: Findings
) -> None:
    """Compares every file lifetime with the rows of `delta_files`.

    Sums of digests first. Where these differ the digests themselves, for which both are read again, and at last the
    files whose digests have no counterpart.
    """
    piles = reading.sums.differ(rows.sums) | rows.misplaced
    if piles:
        _compare_piles(piles, snapshot, log, scope, findings)
    if _is_own_known(snapshot, scope) and reading.own.differ(rows.own):
        findings.add(scope.floor, "own_actions", None, str(reading.own), str(rows.own))


def _is_own_known(snapshot: Snapshot, scope: Scope) -> bool:
    """Tells whether both sides know which actions the floor's own commit has: SQL since schema version 4."""
    if scope.floors_differ or scope.segment.checkpoint is None:
        return False
    commits = replace(snapshot, version=scope.floor).commits(limit=1)
    return any(commit.version == scope.floor and commit.own_actions is not None for commit in commits)


def _compare_piles(piles: set[int], snapshot: Snapshot, log: Log, scope: Scope, findings: Findings) -> None:
    missing, strange = _unmatched(piles, snapshot, scope, read_digests(log, scope, piles), findings)
    if not missing and not strange:
        return
    paths = {digest[:PATH_DIGEST] for digest in missing} | {path_digest(row.path) for row in strange}
    lives: dict[str, list[Life]] = {}
    for life in read_files(log, scope, paths):
        digest = _digest(life, scope.salt)
        if missing[digest]:
            missing[digest] -= 1
            lives.setdefault(life.path, []).append(life)
    rows: dict[str, list[Life]] = {}
    for row in strange:
        rows.setdefault(row.path, []).append(_life(row, snapshot, scope))
    for path in sorted({*lives, *rows}):
        _compare_path(lives.get(path, []), rows.get(path, []), snapshot.entry.version, findings)


def _unmatched(
    piles: set[int], snapshot: Snapshot, scope: Scope, digests: Digests, findings: Findings
) -> tuple[Counter[bytes], list[FileLifetime]]:
    """Returns the digests without a row, and the rows without a digest."""
    missing, strange, keys = digests.lives, [], _Keys(snapshot)
    for row in chain.from_iterable(_pages(snapshot)):
        if pile_of(path_digest(row.path)) not in piles or not _is_compared(row, snapshot, scope):
            continue
        for digest in _digests(_life(row, snapshot, scope), scope.salt, parsed=digests.has_parsed_stats):
            if missing.get(digest):
                missing[digest] -= 1
                keys.compare(row, findings)
                break
        else:
            strange.append(row)
    return +missing, strange


def _pages(snapshot: Snapshot) -> Iterator[list[FileLifetime]]:
    rows = snapshot.lifetimes()
    while page := list(islice(rows, _PAGE)):
        yield page


class _Keys:
    """The columns by which rows are found, which the log has not: readers compute them in the same way."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._partitions = dict(partitions_of(snapshot.connection, snapshot.entry.table_id))
        self._known = {values: key for key, values in self._partitions.items() if partition_key(values) == key}

    def are_right(self, rows: list[FileLifetime], keys: list[bytes]) -> Iterator[bool]:
        """Tells of each row, whose file key is given, whether its columns are what they should be."""
        for row, key in zip(rows, key_hashes(keys), strict=True):
            values, partition = row.partition_values, row.partition_key
            yield key == row.key_hash and (
                partition_key(values) is None if partition is None else self._known.get(values) == partition
            )

    def compare(self, row: FileLifetime, findings: Findings) -> None:
        """Compares the columns of a row one by one."""
        begin = row.added_version if row.added_version is not None else row.removed_version or 0
        expected = key_hash(file_key(row.path, row.deletion_vector_id))
        findings.compare(begin, "key_hash", row.path, expected, row.key_hash)
        partition = partition_key(row.partition_values)
        findings.compare(begin, "partition_key", row.path, partition, row.partition_key)
        if partition is not None:
            told = self._partitions.get(partition)
            findings.compare(begin, "delta_partitions", row.path, row.partition_values, told)


def _is_compared(row: FileLifetime, snapshot: Snapshot, scope: Scope) -> bool:
    """Tells whether a row is about the versions that are compared; one beyond the catalog's newest always is."""
    if not scope.covers(row.removed_version):
        return False
    begun = row.added_version if row.added_version is not None else row.removed_version
    return begun is None or begun <= scope.segment.version or begun > snapshot.entry.version


def _digests(life: Life, salt: bytes, *, parsed: bool) -> Iterator[bytes]:
    yield _digest(life, salt)
    if parsed and isinstance(life.facts.stats, str):
        yield _digest(life._replace(facts=life.facts.with_parsed_stats()), salt)


def _life(row: FileLifetime, snapshot: Snapshot, scope: Scope) -> Life:
    """Returns a row as a lifetime, within the versions that are compared."""
    whole = facts_of_row(row)
    added, facts = scope.reduced(row.added_version, whole)
    ended = row.removed_version
    if ended is not None and row.added_version is not None and scope.segment.version < ended <= snapshot.entry.version:
        return Life(row.path, added, None, facts, None)  # it ends beyond what the log has
    return Life(row.path, added, ended, facts, remove_of_row(row, whole))


def _digest(life: Life, salt: bytes) -> bytes:
    return path_digest(life.path) + life.digest(salt)


# ---- files in detail

_PAIRINGS: tuple[Callable[[Life], Any], ...] = (
    lambda life: (life.facts.deletion_vector_id, life.added, life.ended),
    lambda life: (life.facts.deletion_vector_id, life.added),
    lambda life: (life.added, life.ended),
    lambda life: (life.facts.deletion_vector_id, life.ended),
    lambda life: life.added,
)
"""Which lifetime of a path a row stands for, where they are not the same: the likelier first."""


def _compare_path(lives: list[Life], rows: list[Life], newest: int, findings: Findings) -> None:
    for key in _PAIRINGS:
        for life in list(lives):
            row = next((row for row in rows if key(row) == key(life)), None)
            if row is not None:
                lives.remove(life)
                rows.remove(row)
                _compare_life(life, row, findings)
    for life in lives:
        kind = "tombstone" if life.added is None else "file_missing"
        findings.add(_begin(life), kind, life.path, _lifetime(life), None, source=life.source)
    for row in rows:
        kind = "tombstone" if row.added is None else "file_extra"
        findings.add(min(_begin(row), newest), kind, row.path, None, _lifetime(row))


def _compare_life(life: Life, row: Life, findings: Findings) -> None:
    begin = _begin(life)
    findings.compare(begin, "added_version", life.path, life.added, row.added, source=life.source)
    if life.ended != row.ended:
        end = life.ended if life.ended is not None else row.ended
        source = life.end_source or life.source
        findings.add(begin if end is None else end, "removed_version", life.path, life.ended, row.ended, source=source)
    else:
        _compare_removes(life, row, findings)
    expected_facts, actual_facts = life.facts, row.facts
    if expected_facts.num_records != actual_facts.num_records:
        expected_facts = expected_facts._replace(num_records=counted(expected_facts.stats))
    if isinstance(expected_facts.stats, dict):
        actual_facts = actual_facts.with_parsed_stats()
        expected_facts = expected_facts._replace(stats=canonical(expected_facts.stats))
        actual_facts = actual_facts._replace(stats=canonical(actual_facts.stats))
    for name, expected, actual in zip(FileFacts._fields, expected_facts, actual_facts, strict=True):
        if name == "deletion_vector_id" and expected_facts.deletion_vector != actual_facts.deletion_vector:
            continue
        findings.compare(begin, _KINDS.get(name, name), life.path, expected, actual, source=life.source)


def _compare_removes(life: Life, row: Life, findings: Findings) -> None:
    end = life.ended if life.ended is not None else _begin(life)
    names = {*(life.remove or ()), *(row.remove or ())}
    if not names:  # but one of the two may be there
        findings.compare(end, "tombstone", life.path, life.remove, row.remove, source=life.end_source)
    for name in sorted(names):
        expected, actual = ((remove or {}).get(name) for remove in (life.remove, row.remove))
        # What the remove only repeats of the file is found there.
        if expected != actual and not _repeated(name, expected, life, actual, row):
            values = {name: expected}, {name: actual}
            findings.add(end, "tombstone", life.path, *values, source=life.end_source)


_REPEATED = {
    "size": "size",
    "stats": "stats",
    "partitionValues": "partition_values",
    "tags": "tags",
    "deletionVector": "deletion_vector",
    "baseRowId": "base_row_id",
    "defaultRowCommitVersion": "default_row_commit_version",
}


def _repeated(name: str, expected: Any, life: Life, actual: Any, row: Life) -> bool:
    field = _REPEATED.get(name)
    return field is not None and expected == getattr(life.facts, field) and actual == getattr(row.facts, field)


def _begin(life: Life) -> int:
    return life.added if life.added is not None else life.ended or 0


def _lifetime(life: Life) -> Action:
    return {
        "added_version": life.added,
        "removed_version": life.ended,
        "size": life.facts.size,
        "deletion_vector": life.facts.deletion_vector_id,
    }
