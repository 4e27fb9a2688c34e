"""DuckDB's delta extension as a reader that stays: a location a line on stdin, what it has read of it a line on stdout.

It needs the DuckDB that it was built for (see tests/support/duckdb_delta.py), so it runs in a process of its own.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.duckdb_delta import PAIR, ROOT


class DuckDBReader:
    """Asks the process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def read(self, location: Path | str) -> dict[str, Any]:
        """Reads a table: the names of its `columns`, its number of `rows`; or the `error`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(location, file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def duckdb_reader() -> Iterator[DuckDBReader]:
    """Runs such a process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PAIR), str(ROOT)])}
    command = [sys.executable, "-m", "tests.writers.duckdb_reader"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        yield DuckDBReader(process)


def main() -> None:
    """Reads what it is asked for until nobody asks any more."""
    import duckdb

    package = importlib.import_module("duckdb_extension_delta")
    (extension,) = Path(str(package.__file__)).parent.glob("extensions/*/*.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    for line in sys.stdin:
        try:
            scan = f"FROM delta_scan('{line.rstrip()}') AS made"
            ((rows, _every_value),) = connection.sql(f"SELECT count(*), bit_xor(hash(made)) {scan}").fetchall()
            answer: dict[str, Any] = {"columns": connection.sql(f"SELECT * {scan}").columns, "rows": rows}
        except duckdb.Error as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
