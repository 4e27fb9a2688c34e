"""The files of the catalog against the second reading of the log: every lifetime of every file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from ..catalog.partitions import partitions_of
from ..catalog.snapshot import Snapshot
from ..log.actions import file_key
from ..log.reader import Log
from ..replay.files import key_hash, partition_key
from ..rows import FileLifetime
from .differences import Findings
from .facts import (
    PATH_DIGEST,
    Action,
    FileFacts,
    canonical,
    counted,
    facts_of_row,
    life_digest,
    path_digest,
    remove_of_row,
)
from .second_reading import Each, Life, Reading, Scope, read_files

_KINDS = {
    "base_row_id": "row_id",
    "default_row_commit_version": "row_id",
    "clustering_provider": "clustering",
    "deletion_vector_id": "deletion_vector",
    "extra": "unknown_fields",
}
"""The kind of a difference, where it isn't the name of the field."""


def compare_files_with_log(
    snapshot: Snapshot, log: Log, scope: Scope, reading: Reading, findings: Findings, each: Each | None = None
) -> None:
    """Compares every file lifetime with the rows of `delta_files`.

    Digests first. Only where some have no counterpart is the log read again, for the paths that are concerned.
    """
    missing, strange = _unmatched(snapshot, scope, reading, findings)
    if not missing and not strange:
        return
    paths = {digest[:PATH_DIGEST] for digest in missing} | {path_digest(row.path) for row in strange}
    lives: dict[str, list[Life]] = {}
    for life in read_files(log, scope, paths, each=each):
        digest = _digest(life.path, life.added, life.ended, life.facts, life.remove)
        if missing[digest]:
            missing[digest] -= 1
            lives.setdefault(life.path, []).append(life)
    rows: dict[str, list[Life]] = {}
    for row in strange:
        rows.setdefault(row.path, []).append(_life(row, snapshot, scope))
    for path in sorted({*lives, *rows}):
        _compare_path(lives.get(path, []), rows.get(path, []), snapshot.entry.version, findings)


def _unmatched(
    snapshot: Snapshot, scope: Scope, reading: Reading, findings: Findings
) -> tuple[Counter[bytes], list[FileLifetime]]:
    """Returns the digests without a row, and the rows without a digest."""
    missing, strange = reading.lives, []
    partitions = dict(partitions_of(snapshot.connection, snapshot.entry.table_id))
    for row in snapshot.lifetimes():
        if not _is_compared(row, snapshot, scope):
            continue
        for digest in _digests(_life(row, snapshot, scope), parsed=reading.has_parsed_stats):
            if missing.get(digest):
                missing[digest] -= 1
                _compare_keys(row, partitions, findings)
                break
        else:
            strange.append(row)
    return +missing, strange


def _compare_keys(row: FileLifetime, partitions: dict[int, str], findings: Findings) -> None:
    """Compares the columns by which a row is found, which the log has not: readers compute them in the same way."""
    begin = row.added_version if row.added_version is not None else row.removed_version or 0
    expected = key_hash(file_key(row.path, row.deletion_vector_id))
    findings.compare(begin, "key_hash", row.path, expected, row.key_hash)
    partition = partition_key(row.partition_values)
    findings.compare(begin, "partition_key", row.path, partition, row.partition_key)
    if partition is not None:
        findings.compare(begin, "delta_partitions", row.path, row.partition_values, partitions.get(partition))


def _is_compared(row: FileLifetime, snapshot: Snapshot, scope: Scope) -> bool:
    """Tells whether a row is about the versions that are compared; one beyond the catalog's newest always is."""
    if not scope.covers(row.removed_version):
        return False
    begun = row.added_version if row.added_version is not None else row.removed_version
    return begun is None or begun <= scope.segment.version or begun > snapshot.entry.version


def _digests(life: Life, *, parsed: bool) -> Iterator[bytes]:
    yield _digest(*life)
    if parsed and isinstance(life.facts.stats, str):
        yield _digest(*life._replace(facts=life.facts.with_parsed_stats()))


def _life(row: FileLifetime, snapshot: Snapshot, scope: Scope) -> Life:
    """Returns a row as a lifetime, within the versions that are compared."""
    whole = facts_of_row(row)
    added, facts = scope.reduced(row.added_version, whole)
    ended = row.removed_version
    if ended is not None and row.added_version is not None and scope.segment.version < ended <= snapshot.entry.version:
        return Life(row.path, added, None, facts, None)  # it ends beyond what the log has
    return Life(row.path, added, ended, facts, remove_of_row(row, whole))


def _digest(path: str, added: int | None, ended: int | None, facts: FileFacts, remove: Action | None) -> bytes:
    return life_digest(path_digest(path), added, ended, facts.digest(), remove)


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
        findings.add(_begin(life), kind, life.path, _lifetime(life), None)
    for row in rows:
        kind = "tombstone" if row.added is None else "file_extra"
        findings.add(min(_begin(row), newest), kind, row.path, None, _lifetime(row))


def _compare_life(life: Life, row: Life, findings: Findings) -> None:
    begin = _begin(life)
    findings.compare(begin, "added_version", life.path, life.added, row.added)
    if life.ended != row.ended:
        end = life.ended if life.ended is not None else row.ended
        findings.add(begin if end is None else end, "removed_version", life.path, life.ended, row.ended)
    else:
        for name in sorted({*(life.remove or ()), *(row.remove or ())}):
            expected, actual = ((remove or {}).get(name) for remove in (life.remove, row.remove))
            # What the remove only repeats of the file is found there.
            if expected != actual and not _repeated(name, expected, life, actual, row):
                findings.add(life.ended or begin, "tombstone", life.path, {name: expected}, {name: actual})
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
        findings.compare(begin, _KINDS.get(name, name), life.path, expected, actual)


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
