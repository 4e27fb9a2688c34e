"""A time → the version that was the newest one then (PROTOCOL.md, "In-Commit Timestamps")."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, select

from .gaps import gaps_of, gone, histories
from .registry import TableEntry
from .schema import delta_commits, delta_metadata, delta_protocols

_FEATURE, _FEATURE_WRITER = "inCommitTimestamp", 7
_SWITCH, _ENABLED_AT = "delta.enableInCommitTimestamps", "delta.inCommitTimestampEnablementVersion"


def version_at(connection: Connection, entry: TableEntry, timestamp_ms: int) -> int:
    """Returns the newest version committed at a time or before; the oldest one where all came later, as delta-rs does.

    A version's time is the one within its commit where the table had in-commit timestamps switched on at that version,
    unless its properties say that they came later. Before they were switched on and after they were switched off, it is
    the time of the log's file, as for delta-rs and for Spark, and not what writers noted: a table goes to the same
    version whoever is asked.

    delta-rs knows the files' times alone: it goes elsewhere where files are younger than what is in them, as those of
    a copied log are. Spark asks the newest metadata alone: it goes by the files' times to versions that had in-commit
    timestamps before these were switched off.

    Args:
        connection: to the catalog.
        entry: the table.
        timestamp_ms: in milliseconds since the epoch.

    Raises:
        VersionNotFoundError: it may be a version of a gap.
    """
    stretches = _stretches(connection, entry)
    for stretch in reversed(stretches):
        version = _newest(connection, entry, stretch, timestamp_ms, is_oldest=stretch is stretches[0])
        if version is not None:
            return _before_gap(connection, entry, version, stretch.time, timestamp_ms)
    raise AssertionError("the oldest part of a history takes every time")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Versions from `first` to `last`, without a gap, whose times are all of one kind."""

    first: int
    last: int
    in_commit: bool

    @property
    def time(self) -> ColumnElement[int]:
        """Their times. A commit that lacks its own, against the protocol, has that of its file."""
        file_time = delta_commits.c.file_timestamp
        return func.coalesce(delta_commits.c.in_commit_timestamp, file_time) if self.in_commit else file_time


def _newest(
    connection: Connection, entry: TableEntry, stretch: _Stretch, timestamp_ms: int, *, is_oldest: bool
) -> int | None:
    """Returns a stretch's newest version at a time; None where it begins later, unless none is before it."""
    of = delta_commits.c
    times = select(stretch.time).where(of.table_id == entry.table_id)
    if not is_oldest:
        own = times.where(of.version.between(stretch.first, stretch.last)).order_by(of.version).limit(1)
        begins: int | None = connection.execute(own).scalar()
        if begins is None or begins > timestamp_ms:
            return None
    return max(_halved(connection, times, stretch.first, stretch.last, timestamp_ms), stretch.first)


def _halved(connection: Connection, times: Select[Any], low: int, high: int, timestamp_ms: int) -> int:
    """Halves the versions by their times, as delta-rs does: those of copied files may be in any order."""
    while low <= high:
        middle = (low + high) // 2
        query = times.where(delta_commits.c.version == middle)
        time: int | None = connection.execute(query).scalar()  # None: the floor's commit is gone, its checkpoint is not
        if time == timestamp_ms:
            return middle
        if time is None or time < timestamp_ms:
            low = middle + 1
        else:
            high = middle - 1
    return high


def _before_gap(
    connection: Connection, entry: TableEntry, version: int, column: ColumnElement[int], timestamp_ms: int
) -> int:
    """Returns a version that was found by its time, unless it ends before a gap that may have a later one."""
    for gap in gaps_of(entry):
        if version == gap.first_version - 1:
            query = select(column).where(delta_commits.c.table_id == entry.table_id, delta_commits.c.version == version)
            time: int | None = connection.execute(query).scalar()
            if time is None or time < timestamp_ms:
                raise gone(entry, gap, "can't tell its version at that time")
    return version


# ---- which times count


def _stretches(connection: Connection, entry: TableEntry) -> list[_Stretch]:
    """Returns the stretches of a table's history, the oldest first."""
    switches = _switches(connection, entry)
    versions = [version for version, _ in switches]
    found = []
    for first, last in histories(entry):
        begins = [first, *versions[bisect_right(versions, first) : bisect_right(versions, last)]]
        for begin, end in zip(begins, [*(version - 1 for version in begins[1:]), last], strict=True):
            before = bisect_right(versions, begin)
            found.append(_Stretch(begin, end, in_commit=before > 0 and switches[before - 1][1]))
    return found


def _switches(connection: Connection, entry: TableEntry) -> list[tuple[int, bool]]:
    """Returns from which versions on in-commit timestamps count, and from which on they don't, by version."""
    switches: list[tuple[int, bool]] = []
    for version, since in _enabled_since(connection, entry):
        while switches and switches[-1][0] >= version:
            switches.pop()
        changes = [(version, False)] if since is None or since > version else []
        for at, on in (*changes, *([] if since is None else [(max(version, since), True)])):
            if on != (switches[-1][1] if switches else False):
                switches.append((at, on))
    return switches


def _enabled_since(connection: Connection, entry: TableEntry) -> Iterator[tuple[int, int | None]]:
    """Yields, for each version with metadata or a protocol, since when in-commit timestamps count; None: they don't."""
    of, how = delta_metadata.c, delta_protocols.c
    metadata = select(of.version, of.configuration).where(of.table_id == entry.table_id, of.version <= entry.version)
    protocols = select(how.version, how.min_writer_version, how.writer_features)
    protocols = protocols.where(how.table_id == entry.table_id, how.version <= entry.version)
    switched = {version: _since(configuration) for version, configuration in connection.execute(metadata)}
    known = {version: _is_known(*row) for version, *row in connection.execute(protocols)}
    since, is_known = None, False
    for version in sorted({*switched, *known}):
        since, is_known = switched.get(version, since), known.get(version, is_known)
        yield version, since if is_known else None


@lru_cache(maxsize=1_000)
def _since(configuration: str | None) -> int | None:
    """Returns the version from which on properties say that in-commit timestamps count; None where they don't.

    Tables that have them from their beginning don't say so.
    """
    properties: dict[str, Any] = msgspec.json.decode(configuration or "{}")
    if str(properties.get(_SWITCH)).lower() != "true":
        return None
    try:
        return int(str(properties.get(_ENABLED_AT, 0)))
    except ValueError:
        return 0


def _is_known(writer_version: int, features: str | None) -> bool:
    return writer_version >= _FEATURE_WRITER and _FEATURE in msgspec.json.decode(features or "[]")
