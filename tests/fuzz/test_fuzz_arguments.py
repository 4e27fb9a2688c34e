"""Whatever is typed: an exit code of the contract, one error line, one JSON document; nothing outside of the folder."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltalakedb.cli.app import run_line
from tests.fuzz import hostile
from tests.support.lake import plain_table

# Not `serve` and `demo`, which go on or take their time; `sync --watch` is not among the options.
COMMANDS = (
    "discover",
    "import",
    "batch-import",
    "validate",
    "performance-compare",
    "migration-status",
    "sync",
    "check",
)
COMMANDS += ("files", "history", "index", "export", "verify-rollback", "rollback", "nothing", "")
OPTIONS = (
    "--table-id",
    "--batch-size",
    "--dry-run",
    "--resume",
    "--recursive",
    "--exclude",
    "--from-file",
    "--parallel",
)
OPTIONS += ("--all-versions", "--repeat", "--yes", "--all", "--version", "--timestamp", "--where", "--limit", "--drop")
OPTIONS += (
    "--absolute-paths",
    "--storage-option",
    "--verbose",
    "-v",
    "--help",
    "--",
    "-",
    "--no-such",
    "--output=json",
)
VALUES = (
    "lake/plain",
    "lake",
    "plain",
    "missing",
    "out",
    "0",
    "1",
    "2",
    "-1",
    "9" * 30,
    "1e999999999",
    "id",
    "value > 1",
)
VALUES += ("id = 1e999999999", "2024-01-01T00:00:00Z", "s3://", "file:///\x00", "hdfs://x", "[", "%s", "{}", "--output")
VALUES += (
    "aws_region=x",
    "=",
    "timeout=x",
    "sqlite://",
    "sqlite:///other.db",
    "postgresql://[",
    "mysql://x",
    "a" * 5000,
)
URLS = (
    "sqlite:///catalog.db",
    "sqlite:///catalog.db",
    "sqlite:///catalog.db",
    "sqlite:///:memory:",
    "sqlite:///lake/x/y.db",
)
URLS += (
    "sqlite:///lake",
    "postgresql://nobody@127.0.0.1:1/x?connect_timeout=1",
    "postgresql://h:99999999/x",
    "oracle://x",
)
URLS += (
    "://",
    "postgresql://[::1",
    "sqlite:///%00",
    "sqlite:///a?mode=ro&x=y",
    "postgresql://u:p%ZZ@127.0.0.1:1/x",
    "x" * 300,
)


def harmless(word: str) -> bool:
    """Tells whether a word leads nowhere outside of the test's folder, and starts nothing that goes on."""
    return not word.startswith(("/", "~")) and ".." not in word and "watch" not in word and "webhook" not in word


FORMS = (
    "discover {} --recursive",
    "import {} --table-id {} --batch-size {} --resume",
    "import {} --table-id {} --dry-run",
    "batch-import {} --exclude {} --parallel 1 --batch-size {} --dry-run",
    "batch-import {} --from-file {} --resume",
    "validate {} --table-id {} --all-versions",
    "migration-status --table-id {}",
    "sync {}",
    "files plain --where {}",
    "files plain --version {}",
    "files plain --timestamp {}",
    "files {} --version {} --where {}",
    "history {} --limit {}",
    "index plain {} {}",
    "index plain id --drop",
    "export plain {} --version {}",
    "verify-rollback {}",
    "rollback {} --dry-run",
)
"""Command lines that are nearly right: what a person gets wrong is the words."""

words = st.one_of(st.sampled_from(VALUES), st.sampled_from(OPTIONS), hostile.texts.filter(harmless))


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    command, *rest = draw(st.sampled_from(FORMS)).split() if draw(st.booleans()) else [draw(st.sampled_from(COMMANDS))]
    typed = [draw(st.sampled_from(VALUES) | words) if word == "{}" else word for word in rest]
    typed += draw(st.lists(words, max_size=4)) if not rest else []
    output = ["--output", "json"] if draw(st.booleans()) else []
    return [command, "--database-url", draw(st.sampled_from(URLS)), *output, *typed]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from made_folder(tmp_path_factory.mktemp("cli"))


def made_folder(made: Path) -> Iterator[Path]:
    """A folder with a lake and a catalog, which is the working folder."""
    plain_table(made / "lake" / "plain")
    before = Path.cwd()
    os.chdir(made)
    assert run_line(["import", "lake/plain", "--database-url", "sqlite:///catalog.db"]) == 0
    yield made
    os.chdir(before)


@hostile.IN_CI
@given(line=lines())
def test_a_command_line_ends_as_the_contract_says(folder: Path, line: list[str]):
    out, err = io.StringIO(), io.StringIO()
    table = sorted(path.name for path in (folder / "lake" / "plain").rglob("*"))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_line(line)
    assert code in (0, 1, 2, 3)
    assert "should not have happened" not in err.getvalue()
    errors = [said for said in err.getvalue().splitlines() if said.startswith("Error: ")]
    assert len(errors) <= 1
    assert code in (0, 3) or errors or line[0] == "check"
    if code == 1 and "--output" in line and "--help" not in line:
        assert "Traceback" not in err.getvalue() or {"-v", "--verbose"} & set(line)
    if code == 1 and line[3:5] == ["--output", "json"] and not {"--", "--output", "--output=json"} & set(line[5:]):
        assert json.loads(out.getvalue())
    assert sorted(path.name for path in (folder / "lake" / "plain").rglob("*")) == table
