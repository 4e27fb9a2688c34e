import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
import pytest

from deltalakedb.catalog.owner import owner_of
from deltalakedb.cli import webhook as webhooks
from tests.cli.conftest import Cli
from tests.support.catalogs import execute
from tests.support.logs import LogBuilder, add, metadata, protocol


class Receiver:
    """A webhook: what was posted to it, and what it answers."""

    def __init__(self) -> None:
        self.posts: list[dict] = []
        self.answers: list[int] = []
        self.methods: list[str] = []


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Receiver]:
    received = Receiver()
    monkeypatch.setattr(webhooks, "_PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("no_proxy", "*")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.methods.append("POST")
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = received.answers.pop(0) if received.answers else 200
            if answer == 200:
                received.posts.append(document)
            self.send_response(answer)
            if answer == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def do_GET(self) -> None:
            received.methods.append("GET")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    received.url = f"http://127.0.0.1:{server.server_port}/hook/s3cr3tkey"
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def broken(on: Cli, tmp_path: Path) -> Path:
    """A table whose import failed: `broken`."""
    path = tmp_path / "broken"
    (path / "_delta_log").mkdir(parents=True)
    on("import", path)
    return path


def test_nothing_is_said_where_nothing_is_wrong(on: Cli, plain: Path):
    on("import", plain)
    result = on("check")
    assert (result.code, result.out) == (0, "")
    assert on("check", "--output", "json").document == {"ok": True, "problems": [], "webhook": None}


def a_process_that_lives() -> str:
    """Another one than ours, on this machine: our own claims are told by their heartbeat."""
    return owner_of(os.getppid())


@pytest.mark.usefixtures("broken")
def test_every_kind_of_problem_has_a_line(on: Cli, plain: Path, database_url: str):
    for name in ("behind", "drifted", "hung", "lost"):
        on("import", plain, "--table-id", name)
    execute(database_url, "UPDATE delta_tables SET log_version = 7 WHERE table_id = 'behind'")
    execute(database_url, "UPDATE delta_files SET size = 1 WHERE table_id = 'drifted'")
    on("validate", plain, "--table-id", "drifted")
    silent = "UPDATE migration_status SET status = 'running', heartbeat_at = '2020-01-01', owner = :owner"
    execute(database_url, f"{silent} WHERE table_id = 'hung'", owner=a_process_that_lives())
    execute(database_url, f"{silent} WHERE table_id = 'lost'", owner="another-host/1/1.00")
    result = on("check")
    assert result.code == 1
    lines = result.out.splitlines()
    assert [line.split()[1:3] for line in lines] == [
        ["broken", "failed:"],
        ["lost", "interrupted:"],
        ["hung", "stalled:"],
        ["behind", "behind:"],
        ["drifted", "drift:"],
    ]
    assert "at version 2, its log at 7" in lines[3]
    kinds = {one["kind"] for one in on("check", "--output", "json").document["problems"]}
    assert kinds == {"failed", "interrupted", "stalled", "behind", "drift"}
    assert "behind" not in on("check", "--max-lag", "5").out
    assert "behind" in on("check", "--max-lag", "4").out


def test_a_table_that_nobody_syncs_shows_with_max_age(on: Cli, plain: Path, database_url: str):
    on("import", plain)
    assert on("check", "--max-age", "3600").code == 0
    execute(database_url, "UPDATE migration_status SET completed_at = '2020-01-01 00:00:00.000000'")
    assert on("check").code == 0
    result = on("check", "--max-age", "3600")
    assert result.code == 1
    assert "plain not synced: last held against its log at 2020-01-01" in result.out
    on("sync", "plain")
    assert on("check", "--max-age", "3600").code == 0


def test_drift_is_gone_after_a_validation_without_differences(on: Cli, plain: Path, database_url: str):
    on("import", plain)
    execute(database_url, "UPDATE delta_files SET size = size + 1")
    assert on("validate", plain).code == 3
    assert "3 differences" in on("check").out
    execute(database_url, "UPDATE delta_files SET size = size - 1")
    assert on("validate", plain).code == 0
    assert on("check").code == 0


def test_a_real_sync_that_fails_is_a_problem_until_it_works(on: Cli, tmp_path: Path):
    log = LogBuilder(tmp_path / "grown")
    log.commit(protocol(), metadata(), add("a"))
    on("import", log.root)
    whole = log.log / "00000000000000000001.json"
    log.commit(add("b"))
    text = whole.read_bytes()
    whole.write_bytes(text[:9])
    on("sync", "grown")
    assert [one["kind"] for one in on("check", "--output", "json").document["problems"]] == ["failed", "behind"]
    whole.write_bytes(text)
    on("sync", "grown")
    assert on("check").code == 0


def test_names_that_steer_a_terminal_stay_on_one_line(on: Cli, plain: Path, database_url: str):
    on("import", plain, "--table-id", "a\x1b[2Jb\nc")
    execute(database_url, "UPDATE migration_status SET status = 'failed', error_message = 'one\ntwo\x1b[0m'")
    out = on("check").out
    assert len(out.splitlines()) == 1
    assert "\x1b" not in out


def test_a_role_that_may_only_read_is_enough(cli: Cli, plain: Path, postgresql_url: str):
    cli("import", plain, "--database-url", postgresql_url)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchone()
        role = f"reader_{name}"
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        connection.execute(f"ALTER DATABASE {name} SET role = {role}")
    try:
        assert cli("check", "--database-url", postgresql_url).code == 0
        result = cli("validate", plain, "--database-url", postgresql_url)
        assert result.code == 0
        assert "could not be kept" in result.err
    finally:
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            connection.execute("RESET ROLE")
            connection.execute("SET ROLE NONE")
            connection.execute(f"ALTER DATABASE {name} RESET role")
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


# ---- the webhook


def test_a_problem_is_told_once_and_once_when_it_is_gone(on: Cli, broken: Path, receiver: Receiver):
    for _ in range(3):
        assert on("check", "--webhook", receiver.url).code == 1
    (first,) = receiver.posts
    assert [(one["kind"], one["table_id"]) for one in first["new"]] == [("failed", "broken")]
    assert first["problems"] == first["new"]
    assert first["gone"] == []
    LogBuilder(broken).commit(protocol(), metadata())
    on("import", broken)
    for _ in range(2):
        assert on("check", "--webhook", receiver.url).code == 0
    assert len(receiver.posts) == 2
    assert receiver.posts[1] == {**receiver.posts[1], "problems": [], "new": [], "gone": first["new"]}


@pytest.mark.usefixtures("broken")
def test_a_webhook_that_is_down_for_a_moment_is_tried_again(on: Cli, receiver: Receiver):
    receiver.answers = [503, 503]
    assert on("check", "--webhook", receiver.url, "--output", "json").document["webhook"] == "posted"
    assert len(receiver.posts) == 1


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(("answers", "attempts"), [([503] * 3, 3), ([404], 1), ([302], 1)])
def test_what_a_webhook_did_not_accept_is_told_by_the_next_check(
    on: Cli, receiver: Receiver, answers: list[int], attempts: int
):
    receiver.answers = list(answers)
    result = on("check", "--webhook", receiver.url)
    assert result.code == 1
    assert receiver.methods == ["POST"] * attempts
    assert f"answered {answers[0]}; the next check tries again" in result.err
    assert "s3cr3tkey" not in result.out + result.err
    on("check", "--webhook", receiver.url)
    assert len(receiver.posts) == 1


def test_a_failure_to_tell_that_all_is_well_is_one(on: Cli, broken: Path, receiver: Receiver):
    on("check", "--webhook", receiver.url)
    LogBuilder(broken).commit(protocol(), metadata())
    on("import", broken)
    receiver.answers = [404]
    assert on("check", "--webhook", receiver.url).code == 1
    assert on("check", "--webhook", receiver.url).code == 0
    assert len(receiver.posts[-1]["gone"]) == 1


def test_a_catalog_that_cannot_be_read_is_told_and_nothing_counts_as_gone(cli: Cli, tmp_path: Path, receiver: Receiver):
    (tmp_path / "broken" / "_delta_log").mkdir(parents=True)
    cli("import", "broken")
    cli("check", "--webhook", receiver.url)
    (tmp_path / "deltalakedb.db").rename(tmp_path / "away.db")
    result = cli("check", "--webhook", receiver.url)
    assert result.code == 1
    assert result.out.startswith("✗ the catalog unreachable: Database connection failed")
    assert [one["kind"] for one in receiver.posts[1]["new"]] == ["unreachable"]
    assert receiver.posts[1]["gone"] == []
    (tmp_path / "away.db").rename(tmp_path / "deltalakedb.db")
    cli("check", "--webhook", receiver.url)
    assert [one["kind"] for one in receiver.posts[2]["gone"]] == ["unreachable"]
    assert receiver.posts[2]["new"] == []


@pytest.mark.usefixtures("broken")
def test_a_spoiled_state_file_is_said(on: Cli, receiver: Receiver, tmp_path: Path):
    state = tmp_path / "state.json"
    state.write_text("[]")
    result = on("check", "--webhook", receiver.url, "--state", state)
    assert result.code == 1
    assert "doesn't hold what a webhook was told" in result.err
    assert receiver.posts == []


def test_a_webhook_that_is_no_url_is_wrong_usage(on: Cli):
    result = on("check", "--webhook", "file:///etc/passwd")
    assert result.code == 2
    assert "not an http" in result.err
