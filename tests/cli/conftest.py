"""Runs commands in this process, as the program would, and gives back what they said."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deltalakedb.cli import main
from tests.support import lake, leaks


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code, its stdout and its stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error_lines(self) -> list[str]:
        """What stderr says beside notes: the error and the hint."""
        return [line for line in self.err.splitlines() if line.startswith(("Error: ", "hint: "))]


Cli = Callable[..., Result]

RIG = ("DELTALAKEDB_TABLES", "DELTALAKEDB_TEST_POSTGRES_URL")
"""What in the environment is for the tests themselves."""


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Runs `deltalakedb WORD…` in `tmp_path`, with no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("DELTALAKEDB_") and name not in RIG]:
        monkeypatch.delenv(name)

    def run(*words: object) -> Result:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def on(cli: Cli, database_url: str) -> Cli:
    """The same, on a database; the test runs once for each kind."""
    return lambda *words: cli(words[0], "--database-url", database_url, *words[1:])


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A table of three versions with three files: `plain`."""
    path = tmp_path / "lake" / "plain"
    lake.plain_table(path)
    return path


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """A table with every common operation, newest version 11: `orders`."""
    path = tmp_path / "lake" / "orders"
    lake.orders_table(path)
    return path


@dataclass(frozen=True)
class Screen:
    """What a person sees: the exit code, and the text on an 80 column terminal without colours."""

    code: int
    text: str

    @property
    def width(self) -> int:
        """The length of the longest line."""
        return max(map(len, self.text.splitlines()))


@pytest.fixture
def on_terminal(tmp_path: Path) -> Callable[..., Screen]:
    """Runs `deltalakedb WORD…` as a process of its own, whose stdin, stdout and stderr are a terminal."""

    def run(*words: object, keys: str = "", columns: int = 80) -> Screen:
        ours, theirs = pty.openpty()
        environment = {**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm"}
        environment.pop("DELTALAKEDB_DATABASE_URL", None)
        command = [sys.executable, "-m", "deltalakedb", *map(str, words)]
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment) as it:
            os.close(theirs)
            os.write(ours, keys.encode())
            text = _read_all(ours)
        os.close(ours)
        return Screen(it.returncode, _ESCAPES.sub("", text).replace("\r\n", "\n"))

    return run


_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _read_all(terminal: int) -> str:
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux's way of saying that the other end is closed
            break
        if not piece:
            break
        pieces.append(piece)
    leaks.look("a terminal", b"".join(pieces))
    return b"".join(pieces).decode()
