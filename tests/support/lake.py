"""Tables as they are found in a lake: real ones, written by delta-rs, and a large log without data files.

Every function writes to a folder that must not exist yet.
"""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction, write_deltalake

from tests.support.logs import LogBuilder, add, commit_info, commit_name, metadata, protocol, remove

_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
_DAYS = [date(2024, 2, 28) + timedelta(days=n) for n in range(3)]  # a leap day is among them


class Written(NamedTuple):
    """What a written log holds: its newest version, and how many `add` and `remove` actions there are."""

    version: int
    adds: int
    removes: int


def orders_table(path: Path) -> int:
    """A table partitioned by `day` with every common operation; returns its newest version, 11.

    Versions: 0 to 3 append (3 with a transaction), 4 delete, 5 update, 6 merge, 7 a column more, 8 overwrite of one
    partition, 9 append; checkpoint at 9; 10 append, 11 delete of a whole partition.
    """
    for number in range(3):
        _append(path, _orders(number * 30, 30), partition_by=["day"])
    transaction = CommitProperties(app_transactions=[Transaction("loader", 7, last_updated=1_700_000_000_000)])
    _append(path, _orders(90, 30), commit_properties=transaction)
    table = DeltaTable(path)
    table.delete("order_id % 10 = 3")
    table.update(predicate="customer = 'c1'", updates={"amount": "amount * 2"})
    _merge(table, _orders(110, 30))
    noted = _orders(140, 10).append_column("note", pa.array(["a note"] * 9 + [None]))
    _append(path, noted, schema_mode="merge")
    first_day = _orders(300, 6).filter(pc.field("day") == _DAYS[0])
    write_deltalake(path, first_day, mode="overwrite", predicate=f"day = '{_DAYS[0]}'", schema_mode="merge")
    _append(path, _orders(200, 3), schema_mode="merge")
    DeltaTable(path).create_checkpoint()
    _append(path, _orders(210, 3), schema_mode="merge")
    table = DeltaTable(path)
    table.delete(f"day = '{_DAYS[1]}'")
    return table.version()


def plain_table(path: Path, commits: int = 3) -> int:
    """An unpartitioned table of one column, with one file a commit; returns its newest version."""
    for number in range(commits):
        _append(path, pa.table({"id": pa.array([number], pa.int64())}))
    return commits - 1


def cleaned_table(path: Path) -> tuple[int, int]:
    """A table whose history begins at a checkpoint; returns `(first version, newest version)`, 3 and 6."""
    plain_table(path, commits=4)
    DeltaTable(path).create_checkpoint()
    for version in range(3):  # the checkpoint's own commit stays, as clean-up leaves it
        (path / "_delta_log" / commit_name(version)).unlink()
    for number in range(4, 7):
        _append(path, pa.table({"id": pa.array([number], pa.int64())}))
    return 3, 6


def many_files_table(path: Path, files: int = 10_000, commits: int = 100) -> Written:
    """A log with `files` adds, spread evenly over `commits`; every tenth commit takes back its predecessor's files.

    Partitioned by `day`; each file has stats of `order_id`, and no two files' ranges meet.
    """
    log = LogBuilder(path)
    head = [protocol(), metadata({"order_id": "long", "amount": "double", "day": "date"}, ["day"])]
    removes, before = 0, []
    for version in range(commits):
        paths = range(version * files // commits, (version + 1) * files // commits)
        adds = [_numbered_add(number) for number in paths]
        gone = [remove(a["add"]["path"], size=a["add"]["size"]) for a in before] if version % 10 == 9 else []
        log.commit(*(head if version == 0 else []), *gone, *adds, commit_info("MERGE" if gone else "WRITE"))
        removes, before = removes + len(gone), adds
    return Written(log.version, files, removes)


def _append(path: Path, rows: pa.Table, **options: object) -> None:
    write_deltalake(path, rows, mode="append", post_commithook_properties=_NO_HOOKS, **options)


def _orders(first: int, count: int) -> pa.Table:
    ids = range(first, first + count)
    return pa.table(
        {
            "order_id": pa.array(ids, pa.int64()),
            "customer": [f"c{n % 4}" for n in ids],
            "amount": [n / 4 for n in ids],
            "day": [_DAYS[n % len(_DAYS)] for n in ids],
        }
    )


def _merge(table: DeltaTable, rows: pa.Table) -> None:
    (
        table.merge(rows, "t.order_id = s.order_id", source_alias="s", target_alias="t")
        .when_matched_update(updates={"amount": "s.amount + 1"})
        .when_not_matched_insert_all()
        .execute()
    )


def _numbered_add(number: int) -> dict:
    day = str(date(2024, 1, 1) + timedelta(days=number % 30))
    low, high = number * 1000, number * 1000 + 999
    stats = {
        "numRecords": 1000,
        "minValues": {"order_id": low, "amount": 0.5},
        "maxValues": {"order_id": high, "amount": 99.5},
        "nullCount": {"order_id": 0, "amount": 0},
    }
    return add(
        f"day={day}/part-{number:08d}.snappy.parquet",
        partitionValues={"day": day},
        size=10_000 + number,
        stats=json.dumps(stats),
    )
