"""What a status page asks of one table. Questions go by the table's indexes; what a version holds never changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, cast, func, literal_column, select

from . import provenance, registry, validations
from .events import document, events_of
from .problems import problems
from .registry import TableEntry
from .row_counts import rows_of
from .schema import delta_commits, delta_files, delta_metadata, delta_partitions, delta_protocols
from .schemas import changes, columns
from .snapshot import Snapshot, active_at, with_deletion_vector
from .views import SMALL_FILE_BYTES

Document = dict[str, Any]

COMMITS, EVENTS = 25, 20
"""So many are on a page."""

SIZE_LIMITS = tuple(1 << power for power in (16, 20, 23, 25, 27, 30))
"""Upper ends of the classes of a histogram of file sizes, in bytes; the last class has none."""

_PARTITIONS_SHOWN, _POINTS = 20, 200
_COMMIT = ("version", "timestamp", "operation", "user_name", "engine_info")


def portrait(connection: Connection, table_id: str) -> Document | None:
    """Returns what the catalog says of a table's migration; None where nobody knows it."""
    status = registry.status_of(connection, table_id)
    if status is None:
        return None
    found = {name: getattr(status, name) for name in registry.TableStatus.__slots__ if name != "log_fingerprint"}
    last = validations.last(connection, table_id)
    return {
        **found,
        "share": status.share,
        "problems": [asdict(problem) for problem in problems(connection, table_id)],
        "validation": None if last is None else _validation(last),
        "events": events(connection, table_id),
    }


def commits(connection: Connection, entry: TableEntry, before: int | None = None) -> Document:
    """Returns a page of commits, the newest first, and whether there are older ones.

    `commits` has what all writers note, `history` what `history --output json` has of the same commits.

    Args:
        connection: to the catalog.
        entry: the table.
        before: only versions below this one.
    """
    newest = entry.version if before is None else min(entry.version, before - 1)
    rows = Snapshot(connection, entry, newest).commits(COMMITS + 1)
    shown = rows[:COMMITS]
    return {
        "commits": [{name: getattr(row, name) for name in _COMMIT} for row in shown],
        "history": provenance.documents(shown),
        "older_commits": len(rows) > COMMITS,
    }


def events(connection: Connection, table_id: str) -> list[Document]:
    """Returns what was last done to a table, by whom, the latest first."""
    return [document(event) for event in events_of(connection, table_id, EVENTS)]


def state(connection: Connection, entry: TableEntry) -> Document:
    """Returns what a table's version is made of."""
    return {
        "first_version": entry.first_version,
        "version": entry.version,
        **_protocol(connection, entry),
        **files(connection, entry),
        "growth": growth(connection, entry),
        "partitions": _partitions(connection, entry),
        **_schemas(connection, entry),
        "warnings": json.loads(entry.warnings or "[]"),
    }


def _validation(last: validations.LastValidation) -> Document:
    """As `validate --output json` has it, with when it was, and how many differences there were in all."""
    names = ("table_id", "version", "validated_at", "valid", "versions_checked", "reader", "difference_count")
    # What an older release has kept says nothing of the log's files.
    differences = [{"source": None, **difference} for difference in json.loads(last.differences)]
    return {**{name: getattr(last, name) for name in names}, "differences": differences}


# ---- its files


def files(connection: Connection, entry: TableEntry) -> Document:
    """Returns how many active files there are and how large, how many rows they have (None: unknown), and `sizes`."""
    size = delta_files.c.size
    classes = [case((size < limit, at), else_=None) for at, limit in enumerate(SIZE_LIMITS)]
    number = func.coalesce(*classes, len(SIZE_LIMITS)).label("number")
    rows: ColumnElement[Any] = literal_column(rows_of(delta_files.name, connection.dialect.name))
    sums = select(
        number,
        func.count(),
        cast(func.coalesce(func.sum(size), 0), BigInteger),
        rows,
        func.count(case((size < SMALL_FILE_BYTES, 1))),
        func.count(case((with_deletion_vector(), 1))),
    ).where(delta_files.c.table_id == entry.table_id, active_at(entry.version))
    classes_there = connection.execute(sums.group_by(number)).all()
    by_class = {row[0]: row[1] for row in classes_there}
    names = ("files", "bytes", "records", "small_files", "files_with_deletion_vector")
    sums_of = {name: [row[at] for row in classes_there] for at, name in enumerate(names, 1)}
    return {
        **{name: None if None in counts else int(sum(counts)) for name, counts in sums_of.items()},
        "small_file_bytes": SMALL_FILE_BYTES,
        "sizes": [
            {"below_bytes": limit, "files": by_class.get(at, 0)} for at, limit in enumerate((*SIZE_LIMITS, None))
        ],
    }


def growth(connection: Connection, entry: TableEntry) -> list[Document]:
    """Returns files and bytes after each commit that changed them, at most `_POINTS` of them, the newest included."""
    changed: dict[int, list[int]] = {}
    added, removed, size = delta_files.c.added_version, delta_files.c.removed_version, delta_files.c.size
    own = and_(delta_files.c.table_id == entry.table_id, added.is_not(None))
    # Live and ended rows have an index each.
    asked = ((added, removed.is_(None), 1), (added, removed.is_not(None), 1), (removed, removed.is_not(None), -1))
    for version, which, sign in asked:
        query = select(version, func.count(), cast(func.coalesce(func.sum(size), 0), BigInteger))
        for row in connection.execute(query.where(own, which, version <= entry.version).group_by(version)):
            change = changed.setdefault(row[0], [0, 0])
            change[0] += sign * row[1]
            change[1] += sign * row[2]
    points, files, size_bytes = [], 0, 0
    for at, (more_files, more_bytes) in sorted(changed.items()):
        files, size_bytes = files + more_files, size_bytes + more_bytes
        points.append({"version": at, "timestamp": None, "files": files, "bytes": size_bytes})
    return _dated(connection, entry, _thinned(points))


def _thinned(points: Sequence[Document]) -> list[Document]:
    step = -(-len(points) // _POINTS) or 1
    return list(points[::-1][::step])[::-1]


def _dated(connection: Connection, entry: TableEntry, points: list[Document]) -> list[Document]:
    of = delta_commits.c
    versions = [point["version"] for point in points]
    query = select(of.version, of.timestamp).where(of.table_id == entry.table_id, of.version.in_(versions))
    times = {row.version: row.timestamp for row in connection.execute(query)}
    return [{**point, "timestamp": times.get(point["version"])} for point in points]


def _partitions(connection: Connection, entry: TableEntry) -> list[Document]:
    key, size = delta_files.c.partition_key, cast(func.coalesce(func.sum(delta_files.c.size), 0), BigInteger)
    sums = (
        select(key.label("partition_key"), func.count().label("files"), size.label("bytes"))
        .where(delta_files.c.table_id == entry.table_id, active_at(entry.version), key.is_not(None))
        .group_by(key)
        .order_by(size.desc())
        .limit(_PARTITIONS_SHOWN)
        .subquery()
    )
    same = and_(delta_partitions.c.table_id == entry.table_id, delta_partitions.c.partition_key == sums.c.partition_key)
    query = select(delta_partitions.c.named_values, sums.c.files, sums.c.bytes).join(sums, same)
    rows = connection.execute(query.order_by(sums.c.bytes.desc()))
    return [{"partition_values": json.loads(row[0]), "files": row[1], "bytes": row[2]} for row in rows]


# ---- its shape


def _protocol(connection: Connection, entry: TableEntry) -> Document:
    of = delta_protocols.c
    query = select(of.min_reader_version, of.min_writer_version, of.reader_features, of.writer_features)
    query = query.where(of.table_id == entry.table_id, of.version <= entry.version).order_by(of.version.desc())
    row = connection.execute(query.limit(1)).one()
    features = [*json.loads(row[2] or "[]"), *json.loads(row[3] or "[]")]
    return {"reader_version": row[0], "writer_version": row[1], "features": sorted(set(features))}


def _schemas(connection: Connection, entry: TableEntry) -> Document:
    """Returns the columns now, and what each change of the schema did, the newest first."""
    of, noted = delta_metadata.c, delta_commits.c
    commit = and_(noted.table_id == of.table_id, noted.version == of.version)
    query = (
        select(of.version, of.schema_string, of.partition_columns, noted.timestamp, noted.user_name)
        .outerjoin(delta_commits, commit)
        .where(of.table_id == entry.table_id, of.version <= entry.version)
        .order_by(of.version)
    )
    rows = connection.execute(query).all()
    found: list[Document] = []
    before = columns(rows[0].schema_string) if rows else []
    for row in rows[1:]:
        after = columns(row.schema_string)
        change = changes(before, after)
        if any(change.values()):
            noted_by = {"version": row.version, "timestamp": row.timestamp, "user_name": row.user_name}
            found.append({**noted_by, **change})
        before = after
    return {
        "columns": before,
        "partition_columns": json.loads(rows[-1].partition_columns or "[]") if rows else [],
        "schema_changes": found[::-1],
    }
