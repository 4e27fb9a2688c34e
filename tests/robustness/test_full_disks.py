"""The disk of a real PostgreSQL server is full in the middle of an import: a small file system of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deltalakedb.catalog import registry
from deltalakedb.errors import DiskFullError
from deltalakedb.migrate.importer import import_table
from tests.robustness.tables import assert_like_undisturbed, opened
from tests.support.databases import MortalPostgres, on_database
from tests.support.logs import LogBuilder
from tests.support.outages import At

pytestmark = pytest.mark.usefixtures("impatient")

SIZE = 32 << 20


class SmallDisk:
    """A file system of 32 MB in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.filler = folder / "filler"

    def fill(self) -> None:
        """Leaves no room at all."""
        with self.filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def empty(self) -> None:
        """Takes the filler away."""
        self.filler.unlink()


@pytest.fixture
def disk(mortal: MortalPostgres) -> Iterator[SmallDisk]:
    """A small disk that belongs to the server."""
    folder = Path(tempfile.mkdtemp(prefix="disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("only root may mount a small file system, and not in every container")
    try:
        user = mortal.server.system_user
        if user is not None:
            shutil.chown(folder, user)
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def url_on_disk(mortal: MortalPostgres, disk: SmallDisk) -> Iterator[str]:
    """The URL of an empty database whose tables lie on the small disk."""
    with psycopg.connect(mortal.url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
        connection.execute("CREATE DATABASE on_small_disk TABLESPACE small")
        try:
            yield on_database(mortal.url, "on_small_disk")
        finally:
            connection.execute("DROP DATABASE on_small_disk WITH (FORCE)")
            connection.execute("DROP TABLESPACE small")


def test_a_full_disk_of_the_server_ends_an_import_that_can_go_on_later(
    disk: SmallDisk, url_on_disk: str, log: LogBuilder
):
    with opened(url_on_disk) as database:
        with pytest.raises(DiskFullError, match="Disk space exhausted: ") as caught:
            import_table(database, str(log.root), batch_size=20, listener=At(3, disk.fill))
        assert "--resume" in (caught.value.hint or "")
        disk.empty()
        with database.reading() as connection:
            status = registry.status_of(connection, "orders")
        assert status is not None
        assert status.rows_loaded > 0
        assert status.status in (registry.FAILED, registry.RUNNING)  # as whose process ours still lives
        report = import_table(database, str(log.root), resume=True)
        assert (report.status, report.resumed) == ("completed", True)
    assert_like_undisturbed(url_on_disk, log)
