"""Command lines in hints are such that a shell takes them as they are meant, whatever a table or a folder is called."""

import ast
import re
import shlex
import shutil
from pathlib import Path

import pytest

import deltalakedb
from deltalakedb import DeltaLakeDBError, DeltaTable, connect
from tests.cli.conftest import Cli
from tests.support.logs import LogBuilder, add, metadata, protocol

NAMES = ["my table", "two  blanks", "it's $HOME", "`id`; ls", "--all", "plain"]


def words(hint: str) -> list[str]:
    """The words of the first command line in a hint, as a shell takes them apart."""
    line = re.search(r"`(deltalakedb .*?)`(?= [a-z]|$)|^(deltalakedb .*)$", hint)
    assert line is not None
    return shlex.split(line[1] or line[2])


def hint_of(result) -> str:
    (line,) = (line for line in result.err.splitlines() if line.startswith("hint: "))
    return line.removeprefix("hint: ")


@pytest.fixture(params=NAMES)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> LogBuilder:
    log = LogBuilder(tmp_path / "a  lake's" / request.param)
    log.commit(protocol(), metadata(), add("a"))
    return log


def test_an_import_that_has_not_completed_is_gone_on_with(cli: Cli, log: LogBuilder):
    log.put(f"{1:020d}.json", b'{"add": {"path"\n')
    assert cli("import", log.root).code == 1
    asked = cli("files", "--", log.root.name)
    assert words(hint_of(asked))[:2] == ["deltalakedb", "import"]
    shown = cli("migration-status", "--table-id", log.root.name).out
    (log.log / f"{1:020d}.json").unlink()
    assert words(shown[shown.index("deltalakedb import") :].splitlines()[0]) == words(hint_of(asked))
    assert cli(*words(hint_of(asked))[1:]).code == 0
    assert cli("files", "--", log.root.name).out.split() == ["a"]


def test_a_version_that_is_not_there_yet_is_synced(cli: Cli, log: LogBuilder):
    cli("import", log.root)
    log.commit(add("b"))
    asked = cli("files", "--version", "1", "--", log.root.name)
    assert words(hint_of(asked))[:2] == ["deltalakedb", "sync"]
    assert cli(*words(hint_of(asked))[1:]).code == 0
    assert sorted(cli("files", "--version", "1", "--", log.root.name).out.split()) == ["a", "b"]


def test_a_table_that_was_made_anew_is_replaced(cli: Cli, log: LogBuilder):
    cli("import", log.root)
    shutil.rmtree(log.log)
    LogBuilder(log.root).commit(protocol(), metadata(id="another"), add("x"))
    synced = cli("import", log.root, "--resume")
    location, name = str(log.root), log.root.name
    assert hint_of(cli("sync", "--", name)) == hint_of(synced)
    assert cli("sync", "--output", "json", "--", name).document["tables"][0]["hint"] == hint_of(synced)
    assert words(hint_of(synced)) == ["deltalakedb", "import", location, "--table-id", name, "--replace"]
    assert cli(*words(hint_of(synced))[1:], "--yes").code == 0
    assert cli("files", "--", name).out.split() == ["x"]


def test_the_rollback_that_is_named_can_be_run(cli: Cli, log: LogBuilder):
    cli("import", log.root)
    said = cli("verify-rollback", "--", log.root.name).out
    (line,) = (line for line in said.splitlines() if "What `" in line)
    _, rollback, *rest = words(line)
    assert cli(rollback, "--yes", *rest).code == 0


def test_a_table_that_has_another_name_is_validated_by_it(cli: Cli, log: LogBuilder):
    cli("import", log.root, "--table-id", f"{log.root.name} too")
    result = cli("validate", log.root, "--output", "json")
    assert (result.code, result.document["table_id"]) == (0, f"{log.root.name} too")


def test_what_writes_names_the_sync(log: LogBuilder, tmp_path: Path):
    url = f"sqlite:///{tmp_path}/catalog.db"
    with connect(url) as catalog:
        catalog.import_table(log.root)
        with pytest.raises(DeltaLakeDBError) as caught:
            DeltaTable(catalog, table_id=log.root.name).delete()
    assert words(caught.value.hint.removesuffix("."))[-1] == log.root.name


SOURCES = sorted(Path(deltalakedb.__file__).parent.rglob("*.py"))
BY_HAND = re.compile(r"deltalakedb [a-z][a-z-]*[^`\0]*\0|--[a-z][a-z-]*[ =]\0")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_command_line_is_put_together_by_hand(source: Path):
    """Texts with values in them name commands by `errors.command_line`, or quote their values themselves."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            text = "".join(_part(part) for part in node.values)
            assert not BY_HAND.search(text), f"{source}:{node.lineno}: {ast.unparse(node)}"


def _part(part: ast.expr) -> str:
    """The text of a constant; a NUL for a value, unless it is quoted for a shell."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    value = part.value if isinstance(part, ast.FormattedValue) else part
    return "quoted" if "quote(" in ast.unparse(value) else "\0"
