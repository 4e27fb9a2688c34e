"""Commands run in folders that belong to others: what lies there is never run."""

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from deltalakedb.migrate import processes
from tests.support.lake import plain_table
from tests.support.logs import LogBuilder, add, metadata, protocol

PROGRAM = Path(sysconfig.get_path("scripts")) / "deltalakedb"

NAMES = (
    *("queue", "socket", "pickle", "signal", "logging", "subprocess", "multiprocessing", "json", "typing", "os"),
    *("msgspec", "sqlalchemy", "pyarrow", "click", "rich", "psutil", "deltalake", "deltalakedb", "sitecustomize"),
)
"""Modules that one process or the other imports."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a lake in it, and with modules of others, which leave a file behind where they are run."""
    here = tmp_path / "here"
    for name in ("one", "two", "three"):
        plain_table(here / "lake" / name)
    log = LogBuilder(here / "large")
    log.commit(protocol(), metadata())
    stats = json.dumps({"numRecords": 1, "text": "x" * (processes.LARGE_FROM_BYTES // 32)})
    log.commit(*(add(f"{n:02}", stats=stats) for n in range(40)))
    for name in NAMES:
        (here / f"{name}.py").write_text(
            f"open({str(tmp_path / 'was-run')!r}, 'a').write({name!r})\nraise SystemExit(9)\n"
        )
    return here


@pytest.mark.parametrize(
    "words",
    [
        "import large",
        "validate large",
        "batch-import lake --parallel 2",
        "batch-import lake --parallel 2 --dry-run",
        "sync --all",
        "discover . --recursive",
        "verify-rollback large",
        "check",
        "demo",
    ],
)
def test_modules_in_the_working_folder_are_not_run(folder: Path, words: str):
    if words in ("validate large", "sync --all", "verify-rollback large", "check"):
        command("import large", folder)
    command(words, folder)
    assert not (folder.parent / "was-run").exists(), (folder.parent / "was-run").read_text()


def command(words: str, folder: Path) -> None:
    done = subprocess.run([PROGRAM, *words.split()], check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
