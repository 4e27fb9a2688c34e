"""Predicate → the condition on `delta_files` that every file with a matching row fulfils.

    condition = prune.matching(snapshot, predicate, schema)   # what readers call
    pieces = snapshot.file_columns(names, condition)

A file is left out only where it is certain that none of its rows makes the predicate true. Partition values are
certain, so partitions are decided here, one by one; statistics are bounds, and are read file by file, of the files that
partitions and indexes leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, false, or_

from ...catalog.partitions import Partition, partitions_of
from ...catalog.places import among, located
from ...catalog.ranges import indexes_of
from ...catalog.schema import delta_files
from ...catalog.snapshot import Snapshot
from ...partition_values import Texts, texts_of
from ..predicate.tree import FALSE, NULL, TRUE, Predicate, columns_of, disjunction
from .narrowing import Narrower
from .partitions import in_partition
from .proof import ALWAYS, proof_of_none
from .statistics import Check, check_of

_MOST_REMAINDERS = 16
"""Into so many different conditions a predicate may fall over its partitions; more are put together."""

_Keys = Sequence[int | None] | None
"""Keys of partitions, None among them for files whose values are all NULL; no sequence stands for all files."""


def matching(snapshot: Snapshot, predicate: Predicate) -> ColumnElement[bool] | None:
    """Returns the condition for the files that may hold a matching row; None where that is all of them.

    It holds within the snapshot's transaction. The predicate's columns must be those of the snapshot's version.

    Raises:
        CatalogError: the database refuses.
    """
    left = {each: keys for each, keys in _left(snapshot, predicate).items() if proof_of_none(each) != ALWAYS}
    if not left:
        return false()
    narrower = _narrower(snapshot, predicate)
    looks = [_Look(keys, narrower(each), check_of(proof_of_none(each))) for each, keys in left.items()]
    if any(look.hashes is not None or look.check is not None for look in looks):
        return located(snapshot.connection, [place for look in looks for place in look.locators(snapshot)])
    return _in_any([look.keys for look in looks], snapshot.connection.dialect.name)


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at some files: those of some partitions, of those the ones with some keys, and their statistics."""

    keys: _Keys
    hashes: set[int] | None
    check: Check | None

    def locators(self, snapshot: Snapshot) -> list[Any]:
        dialect_name, conditions = snapshot.connection.dialect.name, []
        if self.keys is not None:
            conditions.append(_in_partitions(self.keys, dialect_name))
        if self.hashes is not None:
            conditions.append(among(delta_files.c.key_hash, sorted(self.hashes), dialect_name))
        return snapshot.locators(and_(*conditions) if conditions else None, self.check)


def _narrower(snapshot: Snapshot, predicate: Predicate) -> Narrower:
    asked = any(not column.partition for column in columns_of(predicate))
    return Narrower(snapshot.connection, indexes_of(snapshot.connection, snapshot.entry.table_id) if asked else ())


def _left(snapshot: Snapshot, predicate: Predicate) -> dict[Predicate, _Keys]:
    """Returns what is left of a predicate, and the partitions in which it is that; none where it can't be true."""
    if not any(column.partition for column in columns_of(predicate)):
        return {predicate: None}
    remainders = _remainders(predicate, partitions_of(snapshot.connection, snapshot.entry.table_id))
    if set(remainders) == {TRUE}:
        return {TRUE: None}
    return {each: keys for each, keys in remainders.items() if each not in (FALSE, NULL)}


def _remainders(predicate: Predicate, partitions: Sequence[Partition]) -> dict[Predicate, list[int | None]]:
    """Returns what is left of a predicate within the partitions, and the keys of those in which it is that."""
    found: dict[Predicate, list[int | None]] = {}
    for key, values in _values(partitions):
        found.setdefault(in_partition(predicate, values), []).append(key)
    partial = [each for each in found if each not in (TRUE, FALSE, NULL)]
    if len(partial) > _MOST_REMAINDERS:
        keys = [key for each in partial for key in found.pop(each)]
        found[disjunction(partial)] = keys
    return found


def _values(partitions: Sequence[Partition]) -> Iterator[tuple[int | None, Texts | None]]:
    """Yields the partitions' keys and values, first of all the one whose values are all NULL."""
    yield None, {}
    for key, text in partitions:
        try:
            yield key, texts_of(text)
        except msgspec.MsgspecError:
            yield key, None


def _in_any(all_keys: Sequence[_Keys], dialect_name: str) -> ColumnElement[bool] | None:
    known = [keys for keys in all_keys if keys is not None]
    if len(known) < len(all_keys):
        return None
    return _in_partitions([key for keys in known for key in keys], dialect_name)


def _in_partitions(keys: Sequence[int | None], dialect_name: str) -> ColumnElement[bool]:
    column, known = delta_files.c.partition_key, sorted(key for key in keys if key is not None)
    if not known:
        return column.is_(None)
    found = among(column, known, dialect_name)
    return found if len(known) == len(keys) else or_(column.is_(None), found)
