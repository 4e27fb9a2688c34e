"""A table that a writer makes, beside what it should hold: known from the rows that were written, never read back.

Runs in the writers' environments too, so it needs nothing but pyarrow, of any version from 12 on.
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

COMMIT = re.compile(r"(\d{20})\.json")
CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*")


class MadeTable:
    """A table in `<name>/table` of the working folder, and its rows after each version.

    `fields` are its columns as the newest `metaData` in the log says.

    Args:
        name: the folder.
        rows: an empty table with the columns that the table has at first.
    """

    def __init__(self, name: str, rows: pa.Table) -> None:
        self.name = name
        self.path = f"{name}/table"
        self.rows = rows
        self._counts: dict[int, int | None] = {}
        self._refused: dict[str, str] = {}
        self.fields: list[dict[str, Any]] = []
        self.log = Path(name, "table", "_delta_log")
        self.log.mkdir(parents=True)

    def do(self, what: str, call: Callable[[], Any], rows: pa.Table | None = None) -> bool:
        """Has the writer do something, after which the table has these rows; None where they stay the same.

        What the writer refuses is noted. Some refuse after they have committed: what they did counts.
        """
        before = self.commits()
        try:
            call()
        except BaseException as error:  # a panic of Rust is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            self._refused[what] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:120]}"
            if self.commits() == before:
                return False
        new = [version for version in self.commits() if version not in self._counts]
        if rows is not None and not new:  # its own statistics led it to nothing
            self._refused[what] = "no commit"
            return False
        self.rows = self.rows if rows is None else rows
        metadata = [action["metaData"] for action in self.actions(new) if "metaData" in action]
        self.fields = json.loads(metadata[-1]["schemaString"])["fields"] if metadata else self.fields
        self._counts |= dict.fromkeys(new[:-1]) | dict.fromkeys(new[-1:], self.rows.num_rows)
        return True

    def commits(self) -> list[int]:
        """The versions whose commits are there, in their order."""
        return _versions(self.log, COMMIT)

    def actions(self, versions: list[int] | None = None) -> list[dict[str, Any]]:
        """The actions of these commits, or of all that are there."""
        paths = [self.log / f"{version:020}.json" for version in (self.commits() if versions is None else versions)]
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]

    def _garbled(self) -> list[str]:
        """Partition values of decimals of which nothing can be made: delta-rs spelled -1.50 as `-1.-50` for years."""
        names = [field["name"] for field in self.fields if str(field["type"]).startswith("decimal")]
        adds = [action["add"]["partitionValues"] for action in self.actions() if "add" in action]
        texts = [values[name] for values in adds for name in names if values.get(name)]
        return sorted({text for text in texts if not _is_decimal(text)})

    def save(self) -> None:
        """Writes `rows.parquet`, the newest version's, and `expected.json`; a table that was refused at once goes."""
        newest = max(self._counts)
        first = _floor(self.log, newest)
        expected = {
            "first_version": first,
            "version": newest,
            "rows": [self._counts[version] for version in range(first, newest + 1)],
            "garbled": self._garbled(),
            "refused": self._refused,
        }
        Path(self.name, "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
        pq.write_table(self._as_in_log(), f"{self.name}/rows.parquet", compression="zstd")

    def _as_in_log(self) -> pa.Table:
        """The rows, columns in the order of the log's schema: some releases move partition columns to the end."""
        types = {field["name"]: field["type"] for field in self.fields}
        columns = {name: self.rows[name] for name in types}
        zoned = [name for name, kind in types.items() if kind == "timestamp"]  # where old releases make one of any time
        return pa.table(columns | {name: columns[name].cast(pa.timestamp("us", "UTC")) for name in zoned})


def _is_decimal(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _floor(log: Path, newest: int) -> int:
    """The oldest version from which all later ones can be rebuilt: 0, or that of a checkpoint of one file."""
    commits = _versions(log, COMMIT)
    first = min(version for version in commits if set(range(version, newest + 1)) <= set(commits))
    return 0 if first == 0 else min(version for version in _versions(log, CHECKPOINT) if version >= first - 1)


def _versions(log: Path, pattern: re.Pattern[str]) -> list[int]:
    matches = (pattern.fullmatch(path.name) for path in log.iterdir())
    return sorted({int(match[1]) for match in matches if match})
