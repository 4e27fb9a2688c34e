"""What a status page asks: of the whole lake by its status rows, of one table by its files.

The whole lake is answered without `delta_files`, so that 10,000 tables cost what 10,000 rows cost. Questions to one
table go by its indexes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, case, cast, func, select
from sqlalchemy.types import BigInteger

from ..errors import TableNotFoundError
from . import registry, validations
from .registry import TableEntry
from .schema import delta_commits, delta_files, delta_metadata, delta_partitions, delta_tables, delta_validations
from .schema import migration_status as status_table
from .snapshot import active_at, with_deletion_vector
from .views import SMALL_FILE_BYTES

Document = dict[str, Any]

PAGE = 50
"""Tables on a page."""

SIZE_LIMITS = tuple(1 << power for power in (16, 20, 23, 25, 27, 30))
"""Upper ends of the classes of a histogram of file sizes, in bytes; the last class has none."""

_COMMITS_SHOWN, _PARTITIONS_SHOWN, _POINTS = 20, 20, 200


def lake(connection: Connection) -> Document:
    """Returns how many tables there are in each status, what has been processed, and what runs now."""
    unfinished = registry.unfinished(connection)
    running = [status for status in unfinished if status.status == registry.RUNNING]
    counts = dict.fromkeys((registry.COMPLETED, registry.RUNNING, registry.FAILED, registry.INTERRUPTED), 0)
    for status in unfinished:
        counts[status.status] += 1
    total, files, commits = connection.execute(
        select(
            func.count(),
            func.coalesce(cast(func.sum(status_table.c.files_processed), BigInteger), 0),
            func.coalesce(cast(func.sum(status_table.c.commits_processed), BigInteger), 0),
        )
    ).one()
    counts[registry.COMPLETED] = total - len(unfinished)
    return {
        "tables": counts,
        "files_processed": files,
        "commits_processed": commits,
        "running": [_running(status) for status in running],
    }


def _running(status: registry.TableStatus) -> Document:
    seconds = (registry.now() - status.started_at).total_seconds()
    done, total = status.commits_processed, status.commits_total
    share = min(1.0, done / total) if total else None
    age = None if status.heartbeat_at is None else (registry.now() - status.heartbeat_at).total_seconds()
    return {
        "table_id": status.table_id,
        "commits_processed": done,
        "commits_total": total,
        "files_processed": status.files_processed,
        "share": share,
        "files_per_second": status.files_processed / seconds if seconds > 0 else None,
        "seconds_left": seconds * (1 - share) / share if share else None,
        "heartbeat_age_seconds": age,
    }


def tables(connection: Connection, *, search: str = "", status: str = "", page: int = 0) -> list[Document]:
    """Returns a page of tables by table id, one more than `PAGE` where there are others behind it."""
    behind = delta_tables.c.log_version - delta_tables.c.version
    query = (
        select(status_table, behind.label("versions_behind"), delta_validations.c.valid)
        .outerjoin(delta_tables, delta_tables.c.table_id == status_table.c.table_id)
        .outerjoin(delta_validations, delta_validations.c.table_id == status_table.c.table_id)
        .order_by(status_table.c.table_id)
    )
    if search:
        query = query.where(status_table.c.table_id.icontains(search, autoescape=True))
    if status:
        # A running import whose process is gone is interrupted; the database doesn't know that.
        wanted = [one.table_id for one in registry.unfinished(connection) if one.status == status]
        is_status = status_table.c.status == status
        query = query.where(is_status if status == registry.COMPLETED else status_table.c.table_id.in_(wanted))
    names = (*registry.TableStatus.__slots__,)
    found = []
    for row in connection.execute(query.limit(PAGE + 1).offset(page * PAGE)):
        values = registry.in_utc(row._mapping)
        now = registry.status_from({name: values[name] for name in names})
        found.append(
            {
                "table_id": now.table_id,
                "location": now.location,
                "status": now.status,
                "version": now.version,
                "files_processed": now.files_processed,
                "versions_behind": values["versions_behind"],
                "valid": values["valid"],
                "error_message": now.error_message,
            }
        )
    return found


def lags(connection: Connection) -> list[Document]:
    """Returns, for every table that can be read, versions behind its log and when it was last held against it."""
    query = select(
        delta_tables.c.table_id,
        (delta_tables.c.log_version - delta_tables.c.version).label("versions"),
        func.coalesce(status_table.c.completed_at, delta_tables.c.synced_at).label("synced_at"),
    ).join(status_table, status_table.c.table_id == delta_tables.c.table_id)
    return [registry.in_utc(row._mapping) for row in connection.execute(query)]


def validation_results(connection: Connection) -> dict[bool, int]:
    """Returns how many last validations found no difference, and how many did."""
    query = select(delta_validations.c.valid, func.count()).group_by(delta_validations.c.valid)
    return {True: 0, False: 0} | {bool(valid): count for valid, count in connection.execute(query)}


# ---- one table


def table(connection: Connection, table_id: str) -> Document | None:
    """Returns everything about one table; None where nobody knows it. Without `state` it can't be read yet."""
    status, entry = registry.status_of(connection, table_id), registry.entry_of(connection, table_id)
    if status is None:
        return None
    found = {name: getattr(status, name) for name in registry.TableStatus.__slots__ if name != "log_fingerprint"}
    last = validations.last(connection, table_id)
    found["validation"] = None if last is None else _validation(last)
    found["state"] = None if entry is None else _state(connection, entry)
    return found


def state(connection: Connection, table_id: str) -> TableEntry | None:
    """Returns the table that can be read, for `growth` and `files`; None where its import has not completed.

    Raises:
        TableNotFoundError: nobody knows it.
    """
    entry = registry.entry_of(connection, table_id)
    if entry is None and registry.status_of(connection, table_id) is None:
        raise TableNotFoundError(f"There is no table {table_id!r} in the catalog")
    return entry


def _validation(last: validations.LastValidation) -> Document:
    names = ("version", "validated_at", "valid", "versions_checked", "reader", "difference_count")
    return {**{name: getattr(last, name) for name in names}, "differences": json.loads(last.differences)}


def _state(connection: Connection, entry: TableEntry) -> Document:
    columns, schema_changes = _schemas(connection, entry)
    return {
        "first_version": entry.first_version,
        "version": entry.version,
        "versions_behind": entry.log_version - entry.version,
        **files(connection, entry),
        "growth": growth(connection, entry),
        "partitions": _partitions(connection, entry),
        "columns": columns,
        "schema_changes": schema_changes,
        "commits": _commits(connection, entry),
    }


def files(connection: Connection, entry: TableEntry) -> Document:
    """Returns how many active files there are and how large, and `sizes`, a histogram."""
    size = delta_files.c.size
    classes = [case((size < limit, at), else_=None) for at, limit in enumerate(SIZE_LIMITS)]
    number = func.coalesce(*classes, len(SIZE_LIMITS)).label("number")
    sums = select(
        number,
        func.count(),
        cast(func.coalesce(func.sum(size), 0), BigInteger),
        func.sum(case((size < SMALL_FILE_BYTES, 1), else_=0)),
        func.sum(case((with_deletion_vector(), 1), else_=0)),
    ).where(delta_files.c.table_id == entry.table_id, active_at(entry.version))
    rows = connection.execute(sums.group_by(number)).all()
    by_class = {row[0]: row[1] for row in rows}
    return {
        "files": sum(row[1] for row in rows),
        "bytes": sum(row[2] for row in rows),
        "small_files": sum(row[3] for row in rows),
        "files_with_deletion_vector": sum(row[4] for row in rows),
        "sizes": [
            {"below_bytes": limit, "files": by_class.get(at, 0)} for at, limit in enumerate((*SIZE_LIMITS, None))
        ],
    }


def growth(connection: Connection, entry: TableEntry) -> list[Document]:
    """Returns files and bytes after each commit that changed them, at most `_POINTS` of them, the newest included."""
    changes: dict[int, list[int]] = {}
    added, removed, size = delta_files.c.added_version, delta_files.c.removed_version, delta_files.c.size
    own = and_(delta_files.c.table_id == entry.table_id, added.is_not(None))
    # Live and ended rows have an index each.
    asked = ((added, removed.is_(None), 1), (added, removed.is_not(None), 1), (removed, removed.is_not(None), -1))
    for version, which, sign in asked:
        query = select(version, func.count(), cast(func.coalesce(func.sum(size), 0), BigInteger))
        for row in connection.execute(query.where(own, which, version <= entry.version).group_by(version)):
            change = changes.setdefault(row[0], [0, 0])
            change[0] += sign * row[1]
            change[1] += sign * row[2]
    points, files, size_bytes = [], 0, 0
    for at, (more_files, more_bytes) in sorted(changes.items()):
        files, size_bytes = files + more_files, size_bytes + more_bytes
        points.append({"version": at, "files": files, "bytes": size_bytes})
    return _thinned(points)


def _thinned(points: Sequence[Document]) -> list[Document]:
    step = -(-len(points) // _POINTS) or 1
    return list(points[::-1][::step])[::-1]


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
    query = select(delta_partitions.c.partition_values, sums.c.files, sums.c.bytes).join(sums, same)
    rows = connection.execute(query.order_by(sums.c.bytes.desc()))
    return [{"partition_values": json.loads(row[0]), "files": row[1], "bytes": row[2]} for row in rows]


def _schemas(connection: Connection, entry: TableEntry) -> tuple[list[Document], list[Document]]:
    """Returns the columns now, and what each change of the schema added, dropped and altered, the newest first."""
    query = (
        select(delta_metadata.c.version, delta_metadata.c.schema_string)
        .where(delta_metadata.c.table_id == entry.table_id, delta_metadata.c.version <= entry.version)
        .order_by(delta_metadata.c.version)
    )
    before: dict[str, str] = {}
    changes: list[Document] = []
    for version, schema in connection.execute(query):
        fields = {str(one["name"]): _type(one["type"]) for one in json.loads(schema or '{"fields": []}')["fields"]}
        if changes or before or fields:
            change = {
                "added": [name for name in fields if name not in before],
                "dropped": [name for name in before if name not in fields],
                "altered": [name for name in fields if name in before and before[name] != fields[name]],
            }
            if any(change.values()):
                changes.append({"version": version, **change})
        before = fields
    return [{"name": name, "type": kind} for name, kind in before.items()], changes[:0:-1]


def _type(kind: Any) -> str:
    return kind if isinstance(kind, str) else json.dumps(kind)


def _commits(connection: Connection, entry: TableEntry) -> list[Document]:
    columns = delta_commits.c
    query = (
        select(columns.version, columns.timestamp, columns.operation, columns.user_name, columns.engine_info)
        .where(columns.table_id == entry.table_id, columns.version <= entry.version)
        .order_by(columns.version.desc())
        .limit(_COMMITS_SHOWN)
    )
    return [dict(row._mapping) for row in connection.execute(query)]
