"""What DuckDB says by its delta extension: `python -m tests.support.duckdb_delta ROWS LOCATION VERSION…` prints JSON.

ROWS is the SQL for what is to be said of the rows.

The extension needs the DuckDB that it was built for, which is seldom the newest. `make test` puts a pair that fits into
a folder of its own (tests/support/duckdb-delta.txt); it is asked in a process of its own.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAIR = ROOT / ".venv" / "duckdb-delta"


def is_there() -> bool:
    """Tells whether the pair is installed."""
    return (PAIR / "duckdb_extension_delta").is_dir()


class UnreadableError(Exception):
    """DuckDB does not read the table; the message says why."""


EVERY_ROW, SUM = "SELECT * FROM {}", "SELECT count(*), bit_xor(hash(t)) FROM {} t"


def seen_by_duckdb(location: Path | str, versions: Iterable[int], rows: str = EVERY_ROW) -> list[dict[str, Any]]:
    """Files, columns and rows of each version, as DuckDB reads them; with `SUM`, what stands for all rows.

    Raises:
        UnreadableError: it does not read one of them.
    """
    command = [sys.executable, "-m", "tests.support.duckdb_delta", rows, str(location), *map(str, versions)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PAIR), str(ROOT)])}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnreadableError(done.stderr)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def main(wanted: str, location: str, versions: list[int]) -> None:
    """Asks DuckDB, and prints what it says."""
    import duckdb

    package = importlib.import_module("duckdb_extension_delta")
    (extension,) = Path(str(package.__file__)).parent.glob("extensions/*/*.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    found = []
    for version in versions:
        quoted = location.replace("'", "''")
        scan = f"delta_scan('{quoted}', version={version})"
        files = connection.execute(f"SELECT * FROM delta_list_files('{quoted}', version={version})").fetchall()
        columns = connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
        rows = connection.execute(wanted.format(scan)).fetchall()
        found.append({"files": sorted(files, key=str), "columns": columns, "rows": sorted(rows, key=str)})
    json.dump(found, sys.stdout, default=str)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], [int(word) for word in sys.argv[3:]])
