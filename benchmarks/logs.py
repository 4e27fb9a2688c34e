"""Logs to measure with: nine columns with statistics, one remove for every ten adds, partitioned by date."""

from __future__ import annotations

import json
import os
import random
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BEGIN_MS = 1_700_000_000_000
COLUMNS = ("id", "customer", "amount", "quantity", "created", "updated", "status", "country")


@dataclass(frozen=True, slots=True)
class Shape:
    """How many adds in how many commits; a tenth as many removes."""

    adds: int
    commits: int

    @property
    def name(self) -> str:
        """A folder's name for it."""
        return f"{self.adds}-in-{self.commits}"


def make_log(root: Path, shape: Shape, name: str = "") -> Path:
    """Writes the log below `root` unless it is there; returns the table's location. There are no data files."""
    location = root / (name or shape.name)
    if (location / "done").exists():
        return location
    log = location / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    for version, lines in enumerate(_commits(shape)):
        (log / f"{version:020d}.json").write_text("\n".join(lines) + "\n")
    (location / "done").touch()
    return location


def make_checkpointed_log(root: Path, shape: Shape) -> Path:
    """The same with a checkpoint by delta-rs at its head, and no commit before it, as a clean-up leaves a log."""
    location = root / f"{shape.name}-checkpointed"
    if (location / "done").exists():
        return location
    from deltalake import DeltaTable

    shutil.rmtree(location, ignore_errors=True)
    link_log(make_log(root, shape), location)
    DeltaTable(location).create_checkpoint()
    for path in (location / "_delta_log").glob("*.json"):
        if int(path.stem) < shape.commits - 1:
            path.unlink()
    (location / "done").touch()
    return location


def make_tables(root: Path, tables: int) -> Path:
    """A folder of small tables: 100 adds in 10 commits each."""
    folder = root / f"{tables}-tables"
    for number in range(tables):
        make_log(folder, Shape(100, 10), f"table-{number:05d}")
    return folder


def link_log(location: Path, copy: Path) -> Path:
    """A copy of a log by hard links, to add commits to; the log that is kept stays as it is."""
    shutil.copytree(location / "_delta_log", copy / "_delta_log", copy_function=_link)
    return copy


def append_commit(location: Path) -> int:
    """Adds a commit of a hundred files to a log; returns its version."""
    log = location / "_delta_log"
    version = max(int(path.stem) for path in log.glob("*.json")) + 1
    day = "2024-01-01"
    names = (f"day={day}/part-{number:05d}-{uuid.uuid4()}.c000.snappy.parquet" for number in range(100))
    lines = [_info(version), *(_add(name, day, number, version) for number, name in enumerate(names))]
    (log / f"{version:020d}.json").write_text("\n".join(lines) + "\n")
    return version


def log_bytes(location: Path) -> int:
    """The size of the commits of a log."""
    return sum(path.stat().st_size for path in (location / "_delta_log").glob("*.json"))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # the other folder is on another disk
        shutil.copy2(source, target)


def _commits(shape: Shape) -> Iterator[list[str]]:
    dice = random.Random(20240229)
    live: list[tuple[str, str]] = []
    number = 0
    for version in range(shape.commits):
        lines = [_info(version)] + (_opening() if version == 0 else [])
        count = shape.adds * (version + 1) // shape.commits - number
        for _ in range(count // 10 if version else 0):
            place = dice.randrange(len(live))
            live[place], live[-1] = live[-1], live[place]
            lines.append(_remove(*live.pop(), version))
        for _ in range(count):
            day = f"2024-{number % 12 + 1:02d}-{number % 28 + 1:02d}"
            name = f"part-{number % 1000:05d}-{uuid.UUID(int=dice.getrandbits(128), version=4)}.c000.snappy.parquet"
            path = f"day={day}/{name}"
            lines.append(_add(path, day, number, version))
            live.append((path, day))
            number += 1
        yield lines


def _opening() -> list[str]:
    kinds = dict(
        zip(COLUMNS, ("long", "string", "double", "long", "timestamp", "timestamp", "string", "string"), strict=True)
    )
    kinds["day"] = "date"
    fields = [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in kinds.items()]
    metadata = {
        "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "partitionColumns": ["day"],
        "configuration": {},
        "createdTime": BEGIN_MS,
    }
    return [_line("protocol", {"minReaderVersion": 1, "minWriterVersion": 2}), _line("metaData", metadata)]


def _info(version: int) -> str:
    told = {
        "timestamp": BEGIN_MS + version * 60_000,
        "operation": "WRITE",
        "operationParameters": {"mode": "Append", "partitionBy": '["day"]'},
        "engineInfo": "benchmark",
    }
    return _line("commitInfo", told)


def _add(path: str, day: str, number: int, version: int) -> str:
    least = (number * 100, f"customer-{number % 997:05d}", number % 50 + 0.5, 1)
    most = (number * 100 + 99, f"customer-{number % 997 + 2:05d}", number % 50 + 900.25, 500)
    first, last = f"{day}T00:00:00.000Z", f"{day}T23:59:59.999Z"
    stats = {
        "numRecords": 100,
        "minValues": dict(zip(COLUMNS, (*least, first, first, "cancelled", "AT"), strict=True)),
        "maxValues": dict(zip(COLUMNS, (*most, last, last, "shipped", "ZA"), strict=True)),
        "nullCount": dict.fromkeys(COLUMNS, 0),
    }
    return _line(
        "add",
        {
            "path": path,
            "partitionValues": {"day": day},
            "size": 20_000 + number % 10_000,
            "modificationTime": BEGIN_MS + version * 60_000,
            "dataChange": True,
            "stats": json.dumps(stats, separators=(",", ":")),
        },
    )


def _remove(path: str, day: str, version: int) -> str:
    gone = {
        "path": path,
        "deletionTimestamp": BEGIN_MS + version * 60_000,
        "dataChange": True,
        "extendedFileMetadata": True,
        "partitionValues": {"day": day},
        "size": 20_000,
    }
    return _line("remove", gone)


def _line(name: str, body: dict[str, object]) -> str:
    return json.dumps({name: body}, separators=(",", ":"))
