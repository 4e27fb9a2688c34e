"""The tables that real writers made (tests/writers/make_tables.py), unpacked once a process."""

import atexit
import json
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TABLES = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class Made:
    """A table of a writer, and what it should hold."""

    writer: str
    name: str

    @property
    def folder(self) -> Path:
        """What is known of the table, and the table itself."""
        return _unpacked(self.writer) / self.name

    @property
    def location(self) -> str:
        """The table's root; not to be written to."""
        return str(self.folder / "table")

    @property
    def table_id(self) -> str:
        """Its id in catalogs."""
        return f"{self.writer}/{self.name}"

    @cached_property
    def expected(self) -> dict[str, Any]:
        """What the JSON file says.

        `first_version`, `version`, `rows`: how many each version has, from the first one on, None where that is not
        known; `garbled`: see below; `refused`: what the writer did not do.
        """
        return _expected(self.writer)[self.name]

    @property
    def garbled(self) -> list[str]:
        """Partition values of which nothing can be made: whoever reads rows has to refuse them by name."""
        return self.expected["garbled"]

    @cached_property
    def rows(self) -> pa.Table:
        """The rows of the newest version, in any order."""
        return pq.read_table(self.folder / "rows.parquet")

    @property
    def versions(self) -> range:
        """The versions that the log can rebuild."""
        return range(self.expected["first_version"], self.expected["version"] + 1)


@cache
def made_tables() -> list[Made]:
    """All tables of all writers."""
    return [Made(path.stem, name) for path in sorted(TABLES.glob("*.json")) for name in _expected(path.stem)]


SMALL = {"binary_partition", "dots", "empty", "evolved", "midway", "negative_decimals"}
"""Tables of deltalake whose like its next release made, too."""


def made_params(*, every: bool) -> list[Any]:
    """Parameters for `parametrize`, a database and a table.

    Args:
        every: all tables in SQLite and in PostgreSQL; else each in one of them, in turns from writer to writer, and the
            small ones of every second writer.
    """
    databases = ("sqlite", "postgresql")
    some = [made for made in made_tables() if made.name not in SMALL or place(made) // 2 % 2]
    pairs = [(databases[place(made) % 2], made) for made in some]
    if every:
        pairs = [(database, made) for database in databases for made in made_tables()]
    return [pytest.param(database, made, id=f"{database}-{made.table_id}") for database, made in sorted(pairs, key=_id)]


def _id(pair: tuple[str, Made]) -> tuple[str, str]:
    return pair[0], pair[1].table_id


@cache
def place(made: Made) -> int:
    """The sum of a writer's place and that of a table's name: what is tested in turns depends on it."""
    writers = sorted({table.writer for table in made_tables()})
    return sorted({table.name for table in made_tables()}).index(made.name) + writers.index(made.writer)


@cache
def _expected(writer: str) -> dict[str, dict[str, Any]]:
    return json.loads((TABLES / f"{writer}.json").read_text(encoding="utf-8"))


@cache
def _unpacked(writer: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="writers-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with tarfile.open(TABLES / f"{writer}.tar.gz") as archive:
        archive.extractall(folder, filter="tar")
    return folder
