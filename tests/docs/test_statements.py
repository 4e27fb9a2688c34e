"""What the pages say of statuses, events and exit codes: each statement has a test; a new one has to name its own."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, cli  # noqa: F401 (a fixture)
from tests.docs.test_docs import ROOT
from tests.support.catalogs import execute
from tests.support.lake import plain_table
from tests.support.logs import LogBuilder, add, metadata, protocol

PAGES = ("cli.md", "migration-guide.md", "monitoring.md", "operations.md", "sql.md", "python.md", "databases.md")

ABOUT = re.compile(
    r"exit codes?\b|\b(exits?|ends?) with (exit|`?\d)|ends as `|\| `(running|completed|failed|interrupted)`"
    r"|(is|shows as|says|was|status(es)? (is|are)) `(running|completed|failed|interrupted)`"
    r"|migration_events`|audit trail",
    re.IGNORECASE,
)

STATEMENTS: dict[str, tuple[str, ...]] = {
    # exit codes
    "Exit codes: 0 done": ("test_exit_codes_of_all_kinds",),
    "Exits with 1 where a folder could not be looked at": (
        "test_a_folder_that_cannot_be_listed_is_said_on_stderr_and_in_the_exit_code",
    ),
    "A folder that can't be listed is named on stderr": (
        "test_a_folder_that_cannot_be_listed_is_said_on_stderr_and_in_the_exit_code",
    ),
    "A folder that can't be listed is named (`not_listed`": ("test_a_batch_says_it_too",),
    "Exits with 1 where any table failed, is in the catalog but not in its place": (
        "test_a_batch_fails_where_a_table_does_or_is_gone",
    ),
    "A batch goes on past failures, and ends with exit code 1": ("test_a_batch_fails_where_a_table_does_or_is_gone",),
    "Exits with 3 where anything differs": ("test_differences_exit_with_3",),
    "the log that says otherwise, and the exit code is 3": ("test_differences_exit_with_3",),
    "Exits with 1 where any table failed, which stays readable": ("test_a_sync_that_fails_leaves_its_table_readable",),
    "or whose import has not completed, is a failure of that table": (
        "test_an_unknown_table_keeps_none_of_the_others_out",
    ),
    "goes on until SIGTERM or Ctrl-C and exits with 0": ("test_watch_goes_on_until_it_is_stopped",),
    "A line a problem, and exit code 1": ("test_every_kind_of_problem_has_a_line",),
    "Exit code 0 and nothing printed where all is well": ("test_nothing_is_said_where_nothing_is_wrong",),
    "prints a line a problem and ends with": (
        "test_every_kind_of_problem_has_a_line",
        "test_nothing_is_said_where_nothing_is_wrong",
    ),
    "`deltalakedb check` exits with 1 where somebody should look": ("test_every_kind_of_problem_has_a_line",),
    "Exits with 3 where the log alone would not give back": ("test_a_table_whose_log_is_gone_is_not_rolled_back",),
    "Exits with 3, and deletes nothing": ("test_a_table_whose_log_is_gone_is_not_rolled_back",),
    # statuses
    "The statuses are `running`, `completed`, `failed` and `interrupted`": ("test_each_status",),
    "| `running` | a process imports or syncs it": ("test_each_status",),
    "| `completed` | it can be read at its version": ("test_each_status",),
    "| `failed` | an import or a sync ended with an error": (
        "test_each_status",
        "test_a_table_that_is_gone_is_said_by_all_until_it_is_back",
    ),
    "| `interrupted` | it was stopped, or its process or machine died": ("test_each_status",),
    "| `failed`, `interrupted` | an import or a sync ended": ("test_every_kind_of_problem_has_a_line",),
    "A table that was `completed` before stays readable": ("test_a_sync_that_fails_leaves_its_table_readable",),
    "A table or a store that is gone is `failed` as soon": (
        "test_a_table_that_is_gone_is_said_by_all_until_it_is_back",
        "test_a_store_that_is_away_is_said_by_all_until_it_is_back",
    ),
    "An import that was under way is `interrupted` in it": ("test_a_backup_during_an_import_brings_everything_back",),
    "Go on with `import … --resume` where it says `interrupted`": (
        "test_a_backup_during_an_import_brings_everything_back",
    ),
    "| `Disk space exhausted: …`": ("test_a_full_disk_of_the_server_ends_an_import_that_can_go_on_later",),
    "| `Permission denied: …`": ("test_rights_that_were_taken_away_end_an_import_that_can_go_on_later",),
    "| `The process that reads the log … ended`": ("test_a_reader_that_is_killed_costs_no_rows",),
    "When it gives up, the status is `failed`": ("test_a_store_that_stays_away_ends_the_import_which_can_go_on_later",),
    "nobody can write that down: the table shows as `interrupted`": (
        "test_a_database_that_stays_away_is_given_up_and_the_import_can_go_on_later",
    ),
    "| `failed` | `type`, `hint`, `exit_code`": ("test_a_failure_is_an_event", "test_a_traceback_is_part_of_its_event"),
    # events
    "what is noted in the audit trail, asks the database itself": ("test_what_is_noted_goes_to_the_database_itself",),
    "The audit trail has the replacement as an import with `replace`": ("test_the_audit_trail_says_what_was_replaced",),
    "| `run_started`, `run_ended` | the row of `migration_events`": (
        "test_the_events_of_runs_are_those_of_the_audit_trail",
    ),
    "`migration_events` has every run that changed the catalog": (
        "test_a_rollback_stays_known_and_the_table_does_not",
        "test_each_command_that_changes_the_catalog_has_its_event",
    ),
    "| `migration_events` | run of a command: who, when": ("test_an_import_says_who_did_what",),
    "Exits with 1 where any table could not be copied, and with 3": (
        "test_a_table_that_fails_is_named_and_ends_with_1",
        "test_a_copy_that_differs_ends_with_3",
    ),
    "Where it exits with 0, let readers and syncs use TO": (
        "test_the_document",
        "test_a_sync_goes_on_in_the_copy_as_it_would_have",
    ),
    "| 0 | TO holds what FROM holds": ("test_the_document", "test_a_copy_is_all_of_the_catalog"),
    "| 1 | a table could not be copied": ("test_a_table_that_fails_is_named_and_ends_with_1",),
    "| 3 | what was copied is not what FROM has": ("test_a_copy_that_differs_ends_with_3",),
    "Everything is copied: all versions of all tables": ("test_a_copy_is_all_of_the_catalog",),
    "An import anew would lose": ("test_a_copy_is_all_of_the_catalog",),
    "Whatever changes the catalog is in `migration_events`": (
        "test_each_command_that_changes_the_catalog_has_its_event",
        "test_a_batch_is_one_event_and_one_for_each_table_at_work",
    ),
    "A validation that finds differences is `failed`": (
        "test_validations",
        "test_a_log_that_was_set_back_differs_until_it_is_whole",
    ),
}
"""A part of each statement → the tests that hold it."""


def statements(name: str) -> list[str]:
    """The sentences, and rows of tables, of a page that say something of statuses, events and exit codes."""
    text = (ROOT / "docs" / name).read_text()
    if name != "cli.md":  # which is in blocks as a whole
        text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    found: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        if block.lstrip().startswith("|"):
            head, _line, *rows = block.strip().splitlines()
            found += [row for row in rows if ABOUT.search(row) or re.match(r"\| (exit code|status) ", head)]
        else:
            sentences = re.split(r"(?<=\.) (?=[A-Z`])", " ".join(block.split()))
            found += [one for one in sentences if ABOUT.search(one)]
    return found


@pytest.mark.parametrize("name", PAGES)
def test_each_statement_names_its_tests(name: str):
    for statement in statements(name):
        assert any(part in statement for part in STATEMENTS), statement


def test_each_named_test_is_there_and_each_part_is_said():
    said = [statement for name in PAGES for statement in statements(name)]
    assert [part for part in STATEMENTS if not any(part in statement for statement in said)] == []
    sources = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    there = {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}
    assert {name for names in STATEMENTS.values() for name in names} - there == set()


# ---- those that have no test elsewhere


@pytest.fixture
def on(cli: Cli, database_url: str) -> Cli:  # noqa: F811
    return lambda *words: cli(words[0], "--database-url", database_url, *words[1:])


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    plain_table(tmp_path / "lake" / "plain")
    return tmp_path / "lake" / "plain"


def test_exit_codes_of_all_kinds(on: Cli, plain: Path, database_url: str):
    assert on("import", plain).code == 0
    assert on("import", plain).code == 1
    assert on("import", plain, "--batch-size", "none").code == 2
    assert on("import", "").code == 2
    assert on("nonsense").code == 2
    execute(database_url, "UPDATE delta_files SET size = size + 1")
    assert on("validate", plain).code == 3
    assert on("verify-rollback", "plain").code == 3
    assert on("rollback", "plain", "--yes").code == 3
    execute(database_url, "UPDATE delta_files SET size = size - 1")
    assert on("rollback", "plain", "--yes").code == 0


def test_a_batch_fails_where_a_table_does_or_is_gone(on: Cli, plain: Path):
    (plain.parent / "broken" / "_delta_log").mkdir(parents=True)
    (plain.parent / "broken" / "_delta_log" / "00000000000000000000.json").write_text('{"add": {')
    result = on("batch-import", plain.parent, "--output", "json")
    assert (result.code, result.document["completed"], result.document["failed"]) == (1, 1, 1)
    shutil.rmtree(plain.parent / "broken")
    assert on("batch-import", plain.parent).code == 1, "the catalog knows it"
    assert on("batch-import", plain.parent, "--exclude", "broken").code == 0
    shutil.rmtree(plain)
    result = on("batch-import", plain.parent, "--exclude", "broken", "--output", "json")
    assert (result.code, [one["status"] for one in result.document["tables"] if one["table_id"] == "plain"]) == (
        1,
        ["failed"],
    )
    (status,) = on("migration-status", "--table-id", "plain", "--output", "json").document
    assert (status["status"], "Not found" in status["error_message"]) == ("failed", True)
    assert on("check").code == 1


def test_a_sync_that_fails_leaves_its_table_readable(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "grown")
    log.commit(protocol(), metadata(), add("a"))
    assert on("import", log.root).code == 0
    log.commit(add("b"))
    newest = log.log / "00000000000000000001.json"
    newest.write_bytes(newest.read_bytes()[:9])
    assert on("sync", "grown").code == 1
    assert [file["path"] for file in on("files", "grown", "--output", "json").document] == ["a"]
    assert on("migration-status", "--output", "json").document[0]["status"] == "failed"


def test_each_status(on: Cli, plain: Path, database_url: str):
    def status() -> Any:
        (found,) = on("migration-status", "--output", "json").document
        return found["status"], found["error_message"]

    (plain.parent / "empty" / "_delta_log").mkdir(parents=True)
    on("import", plain.parent / "empty", "--table-id", "plain")
    found, message = status()
    assert (found, "No checkpoint or JSON files found" in message) == ("failed", True)
    assert on("files", "plain").code == 1
    on("import", plain, "--table-id", "plain")
    assert status() == ("completed", None)
    assert on("files", "plain").code == 0
    fresh = {"sqlite": "datetime('now')", "postgresql": "now()", "mysql": "utc_timestamp()"}
    now = fresh[re.split(r"[:+]", database_url)[0]]
    running = "UPDATE migration_status SET status = 'running', owner = 'another-host/1/1.00', heartbeat_at = "
    execute(database_url, running + now)
    assert status() == ("running", None)
    execute(database_url, f"{running}'2020-01-01 00:00:00'")
    assert status() == ("interrupted", None)
    assert on("sync", "plain").code == 0
    assert status() == ("completed", None)


def test_each_command_that_changes_the_catalog_has_its_event(on: Cli, plain: Path, tmp_path: Path):
    lines: list[tuple[Any, ...]] = [
        ("import", plain),
        ("validate", plain),
        ("verify-rollback", "plain"),
        ("index", "plain", "id"),
        ("export", "plain", tmp_path / "new"),
        ("rollback", "plain", "--yes"),
    ]
    for words in lines:
        assert on(*words).code == 0
    plain_table(plain, 1)
    assert on("import", plain, "--resume").code == 0
    assert on("sync", "plain").code == 0, "which has nothing to do"
    plain_table(plain, 1)
    assert on("sync", "plain").code == 0
    events = on("events", "--output", "json").document[::-1]
    assert [event["command"] for event in events] == [*(words[0] for words in lines), "import", "sync"]
    assert {event["status"] for event in events} == {"completed"}


def test_what_is_noted_goes_to_the_database_itself(on: Cli, plain: Path):
    on("import", plain)
    nowhere = "postgresql://nobody@127.0.0.1:9/lake"
    assert on("validate", plain, "--read-url", nowhere).code == 0
    assert on("sync", "plain", "--read-url", nowhere).code == 0
    assert [event["command"] for event in on("events", "--output", "json").document] == ["validate", "import"]
