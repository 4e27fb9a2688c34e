"""The table of `deltalakedb demo`: a real one, written by delta-rs, with what happens to tables in their lives."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, PostCommitHookProperties, write_deltalake

_DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(4)]
_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def write_orders(path: Path) -> None:
    """Writes versions 0 to 8: three appends, a delete, an update, a new column, an overwritten partition, a compaction.

    There is a checkpoint at version 5.
    """
    for number in range(3):
        _append(path, _orders(number * 400, 400))
    table = DeltaTable(path)
    table.delete("order_id % 10 = 3")
    table.update(predicate="customer = 'c1'", updates={"amount": "amount * 2"})
    _append(path, _orders(1200, 400).append_column("note", pa.array(["a gift"] * 400)))
    DeltaTable(path).create_checkpoint()
    first_day = _orders(2000, 40, days=_DAYS[:1])
    write_deltalake(path, first_day, mode="overwrite", predicate=f"day = '{_DAYS[0]}'", schema_mode="merge")
    _append(path, _orders(3000, 400))
    DeltaTable(path).optimize.compact()


def grow_orders(path: Path) -> None:
    """Writes two versions more."""
    _append(path, _orders(4000, 400))
    DeltaTable(path).delete(f"day = '{_DAYS[1]}'")


def _append(path: Path, rows: pa.Table) -> None:
    write_deltalake(
        path, rows, mode="append", partition_by=["day"], schema_mode="merge", post_commithook_properties=_NO_HOOKS
    )


def _orders(first: int, count: int, days: list[date] = _DAYS) -> pa.Table:
    ids = range(first, first + count)
    return pa.table(
        {
            "order_id": pa.array(ids, pa.int64()),
            "customer": [f"c{number % 7}" for number in ids],
            "amount": [number / 4 for number in ids],
            "day": [days[number % len(days)] for number in ids],
        }
    )
