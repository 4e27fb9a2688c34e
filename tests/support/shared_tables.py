"""Tables of other projects' test suites, with what their logs mean, where somebody has laid them out.

`$DELTALAKEDB_TABLES` names a folder with `<set>/<name>/{table/,expected.json,rows.parquet}` and the script
`make_edge_cases.py`, which writes the set `edge`. They are not part of this repository; without the variable the tests
that want them are skipped.

    @pytest.mark.parametrize("shared", shared_params(lambda table: table.is_ok))
    def test_import(shared): ...
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "DELTALAKEDB_TABLES"
SKIPPED = f"${VARIABLE} does not name a folder of shared tables"


@dataclass(frozen=True)
class SharedTable:
    """A table and what is known about it; nothing below `location` may be written to."""

    name: str  # set/name
    folder: Path

    @property
    def location(self) -> str:
        """The table's root."""
        return str(self.folder / "table")

    @cached_property
    def expected(self) -> dict[str, Any]:
        """What `expected.json` says: `outcome`, and by it `kind` and `reason`, or `versions` and the newest state."""
        return json.loads((self.folder / "expected.json").read_text())

    @property
    def is_ok(self) -> bool:
        """Whether the log can be rebuilt; else it has to be refused."""
        return self.expected["outcome"] == "ok"

    @property
    def rows(self) -> Path | None:
        """The rows of the newest version as Parquet, in any order, where they are known."""
        path = self.folder / "rows.parquet"
        return path if path.exists() else None


@cache
def shared_tables() -> tuple[SharedTable, ...]:
    """All tables in the order of their names, those of the set `edge` included; none without the variable."""
    given = os.environ.get(VARIABLE)
    if not given:
        return ()
    if not Path(given).is_dir():
        raise NotADirectoryError(f"${VARIABLE} names no folder: {given}")
    roots = [Path(given), _edge_cases(Path(given))]
    found = [path.parent for root in roots for path in root.glob("*/*/expected.json")]
    return tuple(SharedTable(f"{path.parent.name}/{path.name}", path) for path in sorted(found, key=_name))


def shared_params(wanted: Callable[[SharedTable], bool] = lambda _: True) -> list[Any]:
    """Parameters for `parametrize`, with the tables' names as ids; a single skipped one where there are no tables."""
    if not shared_tables():
        return [pytest.param(None, id="no-tables", marks=pytest.mark.skip(reason=SKIPPED))]
    return [pytest.param(table, id=table.name) for table in shared_tables() if wanted(table)]


def _name(path: Path) -> tuple[str, str]:
    return path.parent.name, path.name


def _edge_cases(tables: Path) -> Path:
    """Has the set `edge` written, to a folder that goes with this process."""
    folder = tempfile.mkdtemp(prefix="edge-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    script = [sys.executable, str(tables / "make_edge_cases.py"), folder]
    subprocess.run(script, check=True, stdout=subprocess.DEVNULL)
    return Path(folder)
