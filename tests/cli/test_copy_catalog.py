from pathlib import Path
from typing import Any

import pytest

from deltalakedb.catalog.copying import contents
from tests.cli.conftest import Cli
from tests.support import leaks
from tests.support.catalogs import execute

KEYS = {"from", "to", "tables", "copied", "skipped", "failed", "rows", "equal", "duration_seconds"}


@pytest.fixture
def source(cli: Cli, plain: Path, orders: Path, sqlite_url: str) -> str:
    """The URL of a catalog with two tables."""
    for path in (plain, orders):
        assert cli("import", path, "--database-url", sqlite_url).code == 0
    return sqlite_url


def test_the_document(cli: Cli, source: str):
    result = cli("copy-catalog", source, "sqlite:///to.db", "--output", "json")
    assert result.code == 0
    assert result.document.keys() == KEYS
    counts = [result.document[name] for name in ("from", "to", "copied", "skipped", "failed", "equal")]
    assert counts == [source, "sqlite:///to.db", 2, 0, 0, True]
    assert [
        (table["table_id"], table["status"], table["version"], table["error"]) for table in result.document["tables"]
    ] == [
        ("orders", "copied", 11, None),
        ("plain", "copied", 2, None),
    ]
    assert sum(table["rows"] for table in result.document["tables"]) == sum(result.document["rows"].values())


def test_people_are_told_whether_it_is_equal(cli: Cli, source: str):
    first, second = (cli("copy-catalog", source, "sqlite:///to.db") for _ in range(2))
    assert "is equal to the catalog" in first.out
    assert "2 tables: 2 copied" in first.out
    assert "2 tables: 2 there already" in second.out


def test_the_copy_is_a_catalog_with_a_trail(cli: Cli, source: str, plain: Path):
    cli("copy-catalog", source, "sqlite:///to.db")
    assert cli("validate", plain, "--database-url", "sqlite:///to.db").code == 0
    events = cli("events", "--database-url", "sqlite:///to.db", "--output", "json").document
    assert [event["command"] for event in events] == ["validate", "copy-catalog", "import", "import"]
    assert events[1]["options"] == {"from": source}
    assert events[1]["changes"] == {"copied": 2, "skipped": 0, "failed": 0, "equal": True}


def test_a_table_that_fails_is_named_and_ends_with_1(cli: Cli, source: str, postgresql_url: str):
    execute(source, "UPDATE delta_files SET clustering_provider = 'a' || char(0) WHERE table_id = 'plain'")
    result = cli("copy-catalog", source, postgresql_url, "--output", "json")
    assert (result.code, result.document["equal"], result.document["copied"]) == (1, False, 1)
    assert "NUL" in result.document["tables"][1]["error"]
    result = cli("copy-catalog", source, postgresql_url)
    assert result.code == 1
    assert "plain: The log has a text with a NUL in it" in result.out
    assert "2 tables: 1 there already, 1 failed" in result.out
    (event, *_) = cli("events", "--database-url", postgresql_url, "--output", "json").document
    assert (event["command"], event["status"]) == ("copy-catalog", "failed")
    assert "NUL" in event["error_message"]
    assert leaks.PASSWORD not in result.out + result.err


def test_a_copy_that_differs_ends_with_3(cli: Cli, source: str, monkeypatch: pytest.MonkeyPatch):
    append = contents.append

    def careless(connection: Any, dialect: Any, table: Any, found: Any) -> None:
        lost = {table_id: rows[1:] if table.name == "delta_files" else rows for table_id, rows in found.items()}
        append(connection, dialect, table, lost)

    monkeypatch.setattr(contents, "append", careless)
    result = cli("copy-catalog", source, "sqlite:///to.db", "--output", "json")
    assert (result.code, result.document["equal"]) == (3, False)
    assert "the copy differs" in result.document["tables"][0]["error"]


def test_both_schemas_can_be_told(cli: Cli, source: str, postgresql_url: str):
    assert cli("copy-catalog", source, postgresql_url, "--schema", "one").code == 0
    result = cli("copy-catalog", postgresql_url, postgresql_url, "--from-schema", "one", "--schema", "two")
    assert result.code == 0
    assert "schema one" in result.out
    assert "schema two" in result.out
    result = cli("copy-catalog", postgresql_url, postgresql_url, "--from-schema", "one", "--schema", "one")
    assert (result.code, "is the catalog itself" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sqlite:///gone.db", "sqlite:///to.db"], 1, "there is no catalog at sqlite:///gone.db"),
        (["sqlite:///gone.db"], 2, "Missing argument 'TO'"),
        (["gone.db", "sqlite:///to.db"], 2, "can't be understood"),
        (["sqlite:///a.db", "oracle://b"], 2, "Unknown kind of database"),
        (["sqlite:///a.db", "sqlite:///b.db", "--database-url", "sqlite:///c.db"], 2, "FROM and TO name both"),
    ],
)
def test_wrong_input_makes_nothing(cli: Cli, words: list[str], code: int, said: str, tmp_path: Path):
    result = cli("copy-catalog", *words)
    assert result.code == code
    assert said in result.err
    assert not list(tmp_path.glob("*.db"))
