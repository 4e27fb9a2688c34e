"""Input that is small and asks for much: memory and time stay within bounds, and the answer is our error or right."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deltalakedb.migrate.discover import discover
from tests.support.logs import CHECKPOINT, LogBuilder, add, metadata, protocol

MEBIBYTE = 1 << 20
ENTRIES = int(os.environ.get("DELTALAKEDB_TEST_ENTRIES", "5000"))
"""Files in a folder that is looked through; a million in the long run."""


def run(*words: str, folder: Path, mebibytes: int, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs a command that may have so much memory, and so much time on a busy machine."""

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (mebibytes * MEBIBYTE,) * 2)

    return subprocess.run(
        [sys.executable, "-m", "deltalakedb", *words],
        check=False,
        cwd=folder,
        preexec_fn=bound,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


@pytest.fixture
def log(tmp_path: Path) -> LogBuilder:
    """A log of one commit."""
    made = LogBuilder(tmp_path / "t")
    made.commit(protocol(), metadata(), add("a.parquet"))
    return made


def refused(log: LogBuilder, said: str, *, mebibytes: int) -> None:
    done = run("import", "t", folder=log.root.parent, mebibytes=mebibytes)
    assert done.returncode == 1, done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert said in error
    assert len(error) < 500


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * (40 * MEBIBYTE), "nested too deeply"),
        (b'{"add":' * (4 * MEBIBYTE), "nested too deeply"),
        (b'{"add":{"path":"a","size":' + b"9" * (40 * MEBIBYTE) + b"}}", "size"),
        (b'{"add":{"path":"' + b"x" * (40 * MEBIBYTE), "cut off"),
        (b"\n" * (40 * MEBIBYTE) + b"x", "not JSON"),
        (b"\0" * (40 * MEBIBYTE), "not JSON"),
    ],
    ids=["lists", "objects", "digits", "text", "lines", "zeros"],
)
def test_json_that_is_a_bomb(log: LogBuilder, content: bytes, said: str):
    log.put(f"{1:020}.json", content)
    refused(log, said, mebibytes=900)


def test_a_commit_of_many_small_values_is_read_in_pieces(log: LogBuilder):
    log.put(f"{1:020}.json", b'{"x":[]}\n' * MEBIBYTE)
    done = run("import", "t", "--dry-run", folder=log.root.parent, mebibytes=1200)
    assert done.returncode == 0, done.stderr


def test_parquet_that_unpacks_to_a_hundred_times_its_size(log: LogBuilder):
    """A checkpoint of a million rows that are all the same is 300 KB; they are read in pieces."""
    one = pa.Table.from_pylist([{"add": {"path": "x" * 1000, "size": 1, "stats": "y" * 1000}}], schema=CHECKPOINT)
    rows = pa.concat_tables([one] * 1000).combine_chunks()
    path = log.put(f"{1:020}.checkpoint.parquet")
    with pq.ParquetWriter(path, CHECKPOINT, compression="zstd") as writer:
        for _ in range(200):
            writer.write_table(rows)
    assert path.stat().st_size < 4 * MEBIBYTE
    log.drop([0])
    done = run("import", "t", "--dry-run", folder=log.root.parent, mebibytes=1500, seconds=110)
    assert done.returncode == 1
    assert "metaData" in done.stderr


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**32 - 1])
def test_a_footer_that_says_it_is_huge(log: LogBuilder, size: int):
    (path,) = log.checkpoint()
    content = path.read_bytes()
    path.write_bytes(content[:-8] + size.to_bytes(4, "little") + b"PAR1")
    log.drop([0])
    refused(log, "not a readable checkpoint", mebibytes=900)


# ---- discovery


def lake(folder: Path) -> Path:
    LogBuilder(folder / "orders").commit(protocol(), metadata(), add("a.parquet"))
    return folder


def test_folders_that_all_link_to_each_other_are_walked_through_once(tmp_path: Path):
    names = [f"f{number}" for number in range(12)]
    for name in names:
        (tmp_path / name).mkdir()
        for other in names:
            (tmp_path / name / other).symlink_to(tmp_path / other, target_is_directory=True)
    lake(tmp_path / "f11")
    begun = time.monotonic()
    found = [table.location for table in discover(str(tmp_path), recursive=True)]
    assert time.monotonic() - begun < 20
    assert str(tmp_path / "f11" / "orders") in found
    assert len(found) <= 2 * len(names)


def test_a_chain_of_links_and_a_link_that_is_a_loop(tmp_path: Path):
    lake(tmp_path / "real")
    for number in range(60):
        target = tmp_path / ("real" if number == 0 else f"l{number - 1:02}")
        (tmp_path / f"l{number:02}").symlink_to(target, target_is_directory=True)
    (tmp_path / "loop1").symlink_to(tmp_path / "loop2")
    (tmp_path / "loop2").symlink_to(tmp_path / "loop1")
    (tmp_path / "real" / "orders" / "_delta_log" / f"{1:020}.json").symlink_to("itself")
    found = {table.location for table in discover(str(tmp_path), recursive=True)}
    assert str(tmp_path / "real" / "orders") in found
    assert len(found) == 2  # by the first link, too


def test_a_folder_with_very_many_files_is_looked_through(tmp_path: Path):
    crowd = tmp_path / "crowd"
    crowd.mkdir()
    for number in range(ENTRIES):
        os.close(os.open(crowd / f"{number}.csv", os.O_CREAT))
    lake(crowd)
    LogBuilder(tmp_path / "t").commit(protocol(), metadata(), add("a.parquet"))
    for number in range(ENTRIES):
        os.close(os.open(tmp_path / "t" / "_delta_log" / f".{number}.tmp", os.O_CREAT))
    done = run("discover", ".", "--recursive", folder=tmp_path, mebibytes=400 + ENTRIES // 2000)
    assert done.stdout.splitlines() == [str(crowd / "orders"), str(tmp_path / "t")]
    assert run("import", "t", folder=tmp_path, mebibytes=700 + ENTRIES // 1000).returncode == 0


def test_a_folder_so_deep_that_its_path_is_too_long(tmp_path: Path):
    inner = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=inner)
        deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=inner)
        os.close(inner)
        inner = deeper
    os.close(inner)
    lake(tmp_path / "z")
    assert [table.table_id for table in discover(str(tmp_path), recursive=True)] == ["orders"]
