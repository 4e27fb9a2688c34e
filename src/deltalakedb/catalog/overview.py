"""What a status page asks of the whole lake.

It is answered by the tables' rows, never by those of their files, so that 10,000 tables cost what 10,000 rows cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, case, cast, func, select
from sqlalchemy.sql import visitors

from ..pace import seconds_left
from . import registry
from .registry import TableStatus
from .schema import delta_tables, delta_validations
from .schema import migration_status as status_table

Document = dict[str, Any]

PAGE = 50
"""Tables on a page."""

RUNNING_SHOWN = 50
"""Running imports on a page."""

STATUSES = (registry.COMPLETED, registry.RUNNING, registry.FAILED, registry.INTERRUPTED)
SORTS = ("problems", "name", "version", "behind", "files", "size")
"""What a list of tables may be sorted by; whatever it is, the table id comes last."""

_SUMMED = ("files_processed", "commits_processed", "log_bytes_processed", "active_files", "active_bytes")
_OF_READABLE = delta_tables.join(status_table, status_table.c.table_id == delta_tables.c.table_id)
_LAG = delta_tables.c.log_version - delta_tables.c.version
_STATUS = tuple(status_table.c[name] for name in TableStatus.__slots__)


def lake(connection: Connection) -> Document:
    """Returns totals, how many tables there are in each status, and what runs now."""
    unfinished = registry.unfinished(connection)
    running = [status for status in unfinished if status.status == registry.RUNNING]
    total, sums = _totals(connection)
    counts = dict.fromkeys(STATUSES, 0)
    for status in unfinished:
        counts[status.status] += 1
    counts[registry.COMPLETED] = total - len(unfinished)
    behind = connection.execute(select(func.count()).select_from(_OF_READABLE).where(_LAG > 0)).scalar_one()
    valid = validation_results(connection)
    return {
        "tables": counts,
        "tables_total": total,
        "tables_behind": behind,
        **sums,
        "validations": {"valid": valid[True], "different": valid[False]},
        "running_total": len(running),
        "running": [_running(status) for status in running[:RUNNING_SHOWN]],
        **rates(running),
    }


def _totals(connection: Connection) -> tuple[int, dict[str, int]]:
    sums = [func.coalesce(cast(func.sum(status_table.c[name]), BigInteger), 0) for name in _SUMMED]
    total, *found = connection.execute(select(func.count(status_table.c.table_id), *sums)).one()
    return total, dict(zip(_SUMMED, found, strict=True))


# ---- what runs


def running(connection: Connection) -> list[TableStatus]:
    """Returns the tables that are being imported or synced."""
    return [status for status in registry.unfinished(connection) if status.status == registry.RUNNING]


def rates(running: list[TableStatus]) -> dict[str, float]:
    """Returns how much comes in a second, by all that runs."""
    found = [_rates(status) for status in running]
    names = ("files_per_second", "commits_per_second", "log_bytes_per_second")
    return {name: sum(one[name] or 0.0 for one in found) for name in names}


def _running(status: TableStatus) -> Document:
    age = None if status.heartbeat_at is None else (registry.now() - status.heartbeat_at).total_seconds()
    share, per_second, left = status.share, _rates(status), _seconds_left(status)
    return {
        "table_id": status.table_id,
        "doing": "import" if status.version is None else "sync",
        "commits_processed": status.commits_processed,
        "commits_total": status.commits_total,
        "files_processed": status.files_processed,
        "log_bytes_processed": status.log_bytes_processed,
        "log_bytes_total": status.log_bytes_total,
        "share": share,
        **per_second,
        "seconds_left": None if left is None else max(0.0, left - (age or 0.0)),
        "started_at": status.started_at,
        "claimed_at": status.claimed_at,
        "owner": status.owner,
        "heartbeat_age_seconds": age,
    }


def _seconds_at_work(status: TableStatus) -> float:
    if status.claimed_at is None or status.heartbeat_at is None:
        return 0.0
    return (status.heartbeat_at - status.claimed_at).total_seconds()


def _seconds_left(status: TableStatus) -> float | None:
    """How long the importer will go on from when it was last heard of, by its pace since it took the table."""
    whole = (status.log_bytes_total or 0) - status.log_bytes_at_claim
    done = status.log_bytes_processed - status.log_bytes_at_claim
    return seconds_left(min(1.0, done / whole) if whole > 0 else None, _seconds_at_work(status))


def _rates(status: TableStatus) -> dict[str, float | None]:
    """By the importer's clock alone: from when it took the table to when it was last heard of."""
    seconds = _seconds_at_work(status)
    return {
        "files_per_second": (status.files_processed - status.files_at_claim) / seconds if seconds > 0 else None,
        "commits_per_second": (status.commits_processed - status.commits_at_claim) / seconds if seconds > 0 else None,
        "log_bytes_per_second": (
            (status.log_bytes_processed - status.log_bytes_at_claim) / seconds if seconds > 0 else None
        ),
    }


# ---- the list


def tables(
    connection: Connection, *, search: str = "", status: str = "", sort: str = "problems", page: int = 0
) -> Document:
    """Returns a page of tables, `page_of_tables`, and how many are found in all, `tables_found`.

    Args:
        connection: to the catalog.
        search: a part of the table id or of the location, in any case of letters.
        status: one of `STATUSES`, `behind`, `different`, or empty for any.
        sort: one of `SORTS`; `problems` has first what failed or was interrupted, then what differs, then what is
            behind, then what runs.
        page: the number of the page, from 0.
    """
    unfinished = registry.unfinished(connection)
    wanted, order = _wanted(search, status, unfinished), _order(sort, unfinished)
    count = connection.execute(_joined(func.count(), only_for=wanted).where(*wanted)).scalar_one()
    # Of 10,000 tables only names are sorted: all their columns take four times as long.
    names = _joined(status_table.c.table_id, only_for=[*wanted, *order]).where(*wanted)
    names = names.order_by(*order, status_table.c.table_id).limit(PAGE).offset(page * PAGE)
    shown = list(connection.execute(names).scalars())
    rows = connection.execute(
        _joined(*_STATUS, _LAG.label("versions_behind"), delta_validations.c.valid, only_for=None).where(
            status_table.c.table_id.in_(shown)
        )
    )
    found = {row.table_id: _listed(registry.in_utc(row._mapping)) for row in rows}
    return {"tables_found": count, "page_of_tables": [found[name] for name in shown]}


def _joined(*columns: Any, only_for: Sequence[ColumnElement[Any]] | None) -> Select[Any]:
    """Returns a query with the other tables joined that the expressions ask for; with all of them for None."""
    parts = (part for expression in only_for or () for part in visitors.iterate(expression))
    asked = {getattr(part, "table", None) for part in parts}
    query = select(*columns).select_from(status_table)
    for table in (delta_tables, delta_validations):
        if only_for is None or table in asked:
            query = query.outerjoin(table, table.c.table_id == status_table.c.table_id)
    return query


def _wanted(search: str, status: str, unfinished: list[TableStatus]) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if search:
        name, location = status_table.c.table_id, status_table.c.location
        wanted.append(name.icontains(search, autoescape=True) | location.icontains(search, autoescape=True))
    if status == "behind":
        wanted.append(_LAG > 0)
    elif status == "different":
        wanted.append(delta_validations.c.valid.is_(False))
    elif status == registry.COMPLETED:
        wanted.append(status_table.c.status == status)
    elif status:
        # A running import whose process is gone is interrupted; the database doesn't know that.
        wanted.append(status_table.c.table_id.in_([one.table_id for one in unfinished if one.status == status]))
    return wanted


def _order(sort: str, unfinished: list[TableStatus]) -> list[ColumnElement[Any]]:
    if sort == "problems":
        gone = [one.table_id for one in unfinished if one.status == registry.INTERRUPTED]
        wrong = (status_table.c.status == registry.FAILED) | status_table.c.table_id.in_(gone)
        running = status_table.c.status == registry.RUNNING
        return [case((wrong, 0), (delta_validations.c.valid.is_(False), 1), (_LAG > 0, 2), (running, 3), else_=4)]
    columns: dict[str, ColumnElement[Any]] = {
        "version": func.coalesce(status_table.c.version, -1),
        "behind": func.coalesce(_LAG, 0),
        "files": status_table.c.active_files,
        "size": status_table.c.active_bytes,
    }
    return [columns[sort].desc()] if sort in columns else []


def _listed(values: dict[str, Any]) -> Document:
    now = registry.status_from({name: values[name] for name in TableStatus.__slots__})
    return {
        "table_id": now.table_id,
        "location": now.location,
        "status": now.status,
        "version": now.version,
        "files_processed": now.files_processed,
        "started_at": now.started_at,
        "completed_at": now.completed_at,
        "error_message": now.error_message,
        "active_files": now.active_files,
        "active_bytes": now.active_bytes,
        "versions_behind": values["versions_behind"],
        "valid": values["valid"],
    }


# ---- for metrics


def lags(connection: Connection) -> list[Document]:
    """Returns, for every table that can be read, versions behind its log, and two moments.

    `synced_at` is when it was last held against its log, `moved_at` when it last came to a newer version.
    """
    query = select(
        delta_tables.c.table_id,
        _LAG.label("versions"),
        func.coalesce(status_table.c.completed_at, delta_tables.c.synced_at).label("synced_at"),
        delta_tables.c.synced_at.label("moved_at"),
    ).select_from(_OF_READABLE)
    return [registry.in_utc(row._mapping) for row in connection.execute(query)]


def validation_results(connection: Connection) -> dict[bool, int]:
    """Returns how many last validations found no difference, and how many did."""
    query = select(delta_validations.c.valid, func.count()).group_by(delta_validations.c.valid)
    rows = connection.execute(query.join(status_table, status_table.c.table_id == delta_validations.c.table_id))
    return {True: 0, False: 0} | {bool(valid): count for valid, count in rows}
