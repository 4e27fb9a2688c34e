"""Hostile names, secrets, who gets in, and what is slow or gone."""

import base64
import http.client
import shutil
import socket
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import text

from deltalakedb.catalog.database import Database
from deltalakedb.errors import DatabaseTimeoutError
from deltalakedb.migrate.importer import import_table
from deltalakedb.web import logs as log_watch
from deltalakedb.web.recent import Recent
from tests.support.catalogs import execute
from tests.support.logs import LogBuilder, add, metadata, protocol
from tests.support.troubled_lake import EVIL, pretend_running
from tests.web.serving import Elements, Server, served


def test_names_that_hold_html_are_shown_as_they_are_and_harm_nothing(server: Server):
    for path in ("/", f"/table?id={quote(EVIL)}"):
        answer = server.get(path)
        assert answer.status == 200
        page = Elements(answer.text)
        assert page.all("script") == [{"src": "/static/live.js", "defer": None}]
        assert page.all("b") == page.all("i") == []
        assert EVIL in page.text
    links = [one["href"] for one in Elements(server.get("/").text).all("a") if "table?id=%3Cscript" in one["href"]]
    assert EVIL in Elements(server.get(links[0]).text).text
    assert server.get(f"/api/table?id={quote(EVIL)}").document["table_id"] == EVIL
    page = Elements(server.get(f"/table?id={quote(EVIL)}").text).text
    for words in (f"part = {EVIL}", "part = NULL", "added new<i>", f"dropped {EVIL}", f"<b>{EVIL}"):
        assert words in page


def test_browsers_may_do_nothing_but_what_the_page_needs(server: Server):
    for path in ("/", "/table?id=nope", "/static/style.css", "/metrics"):
        headers = server.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    for tag, attributes in Elements(server.get("/").text + server.get("/table?id=drifted").text).tags:
        assert tag != "style"
        assert [name for name in attributes if name.startswith("on") or name == "style"] == []
        assert "//" not in (attributes.get("src") or "") + (attributes.get("href") or "")


def test_without_a_token_only_names_of_this_machine_are_answered(server: Server):
    for host in ("localhost", "127.0.0.1:8087", "[::1]:8087", "LOCALHOST"):
        assert server.get("/", Host=host).status == 200
    assert server.get("/", Host="evil.example.com").status == 421


def test_a_token_is_asked_for_on_every_page_but_the_heartbeat(troubled: str):
    basic = base64.b64encode(b"anyone:s3:cret").decode()
    with served(troubled, "s3:cret") as running:
        for path in (
            "/",
            "/api/lake",
            "/metrics",
            "/static/style.css",
            "/readyz",
            "/table?id=x",
        ):
            refused = running.get(path)
            assert (refused.status, refused.text) == (401, "A token is needed.")
            assert refused.headers["www-authenticate"].startswith("Basic")
            for wrong in ("Bearer s3:cre", "Bearer", "Basic !", f"Basic {basic[:-4]}", "Bearer é"):
                assert running.get(path, Authorization=wrong).status == 401
        assert running.get("/healthz").status == 200
        for right in ("Bearer s3:cret", f"Basic {basic}"):
            assert running.get("/", Authorization=right, Host="lake.example.com").status == 200


def test_an_unknown_table_is_not_found(server: Server):
    answer = server.get("/table?id=%3Cnope")
    assert answer.status == 404
    assert "There is no table &#39;&lt;nope&#39;" in answer.text
    assert server.get("/api/table?id=nope").document["error"]["type"] == "TableNotFoundError"


def test_a_catalog_that_cannot_be_reached_gives_a_page_that_says_so():
    with served("postgresql://me:s3cret@127.0.0.1:1/lake") as running:
        for path in ("/", "/api/lake", "/table?id=x", "/readyz"):
            answer = running.get(path)
            assert answer.status == 503
            assert "Database connection failed" in answer.text
            assert "s3cret" not in answer.text
        assert running.get("/healthz").status == 200
        metrics = running.get("/metrics")
    assert metrics.status == 200
    assert "deltalakedb_up 0.0" in metrics.text
    assert 'deltalakedb_errors_total{kind="DatabaseConnectionError"} 5.0' in metrics.text


# ---- what is slow or gone


def test_a_database_that_is_locked_gives_a_page_that_says_so_and_the_others_go_on(postgresql_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata())
    database = Database(postgresql_url)
    import_table(database, str(log.root))
    database.close()
    with served(postgresql_url, patience=0.5) as server, psycopg.connect(postgresql_url) as other:
        other.execute("LOCK TABLE migration_status IN ACCESS EXCLUSIVE MODE")
        for path in ("/", "/api/lake", "/table?id=t", "/api/table?id=t"):
            begun = time.monotonic()
            answer = server.get(path)
            assert (answer.status, time.monotonic() - begun < 5) == (503, True)
            assert "The database gave up" in answer.text
        assert server.get("/healthz").status == 200
        assert "deltalakedb_up 0.0" in server.get("/metrics").text
        other.rollback()
        assert server.get("/table?id=t").status == 200


def test_a_question_that_takes_too_long_is_ended_in_every_database(troubled: str):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9) SELECT max(i) FROM n"
    if troubled.startswith("mysql"):
        endless = "SELECT SLEEP(30)"
    database = Database(troubled)

    def ask() -> None:
        with database.reading() as connection:
            database.dialect.limit(connection, 0.3)
            connection.execute(text(endless)).all()

    begun = time.monotonic()
    with pytest.raises(DatabaseTimeoutError):
        ask()
    assert time.monotonic() - begun < 10
    database.close()


def test_a_server_that_accepts_and_never_answers_gives_a_page_that_says_so():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/lake?connect_timeout=3"
        with served(url, patience=0.2) as server:
            answer = server.get("/")
            assert server.get("/healthz").status == 200
    assert answer.status == 503
    assert "The database gave up" in answer.text


def test_a_log_that_is_gone_changed_or_behind_is_said_on_its_page(sqlite_url: str, tmp_path: Path):
    logs = {name: LogBuilder(tmp_path / name) for name in ("gone", "changed", "ahead", "same")}
    database = Database(sqlite_url)
    for log in logs.values():
        log.commit(protocol(), metadata())
        log.commit(add("a"))
        import_table(database, str(log.root))
    database.close()
    shutil.rmtree(logs["gone"].root)
    (logs["changed"].log / f"{1:020}.json").unlink()
    logs["ahead"].commit(add("b"))
    with served(sqlite_url) as server:
        seen = {name: server.get(f"/api/table?id={name}").document["log"] for name in logs}
        pages = {name: server.get(f"/table?id={name}") for name in logs}
    states = {name: look["state"] for name, look in seen.items()}
    assert states == {"gone": "unreachable", "changed": "changed", "ahead": "ahead", "same": "in_step"}
    assert seen["ahead"]["new_commits"] == 1
    assert {page.status for page in pages.values()} == {200}
    for name in ("gone", "changed"):
        assert f"The log: {seen[name]['message']}" in Elements(pages[name].text).text
    assert "Looked at just now, the log has 1 new commit," in " ".join(Elements(pages["ahead"].text).text.split())


def test_a_log_that_does_not_answer_delays_no_page(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata())
    database = Database(sqlite_url)
    import_table(database, str(log.root))
    database.close()
    answers = threading.Event()
    opened = log_watch.open_store

    def late(*arguments: object) -> object:
        answers.wait(30)
        return opened(*arguments)

    monkeypatch.setattr(log_watch, "open_store", late)
    with served(sqlite_url, log_patience=0.05) as server:
        begun = time.monotonic()
        assert server.get("/api/table?id=t").document["log"]["state"] == "waiting"
        assert "The log has not answered yet." in server.get("/table?id=t").text
        assert time.monotonic() - begun < 10
        answers.set()
        end = time.monotonic() + 20
        while server.get("/api/table?id=t").document["log"]["state"] == "waiting":
            assert time.monotonic() < end
            time.sleep(0.05)
        assert server.get("/api/table?id=t").document["log"]["state"] == "in_step"


# ---- who may read, and what nobody may


def test_a_role_that_may_only_read_is_enough(postgresql_url: str, tmp_path: Path):
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    database = Database(postgresql_url)
    import_table(database, str(log.root))
    database.close()
    role = f"reader_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        reader = sa.make_url(postgresql_url).set(username=role, password="x").render_as_string(hide_password=False)
        with served(reader) as server:
            for path in ("/", "/table?id=t", "/api/lake", "/api/table?id=t", "/metrics", "/readyz"):
                assert server.get(path).status == 200
            assert "deltalakedb_up 1.0" in server.get("/metrics").text
    finally:
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


def test_no_secret_is_on_any_page(postgresql_url: str, tmp_path: Path):
    """Not even one that another tool, or an older release, has left in the catalog."""
    log = LogBuilder(tmp_path / "t")
    log.commit(protocol(), metadata(), add("a"))
    database = Database(postgresql_url)
    import_table(database, str(log.root))
    database.close()
    execute(
        postgresql_url,
        "UPDATE migration_status SET status = 'failed', location = 's3://key:t0psecret@bucket/t', "
        "error_message = 'could not connect to postgresql://me:t0psecret@db/lake, nor with st0ragekey'",
    )
    with served(postgresql_url, scrub=lambda said: said.replace("st0ragekey", "***")) as server:
        for path in ("/", "/api/lake", "/table?id=t", "/api/table?id=t", "/metrics", "/openapi.json", "/readyz"):
            answer = server.get(path)
            assert "t0psecret" not in answer.text
            assert "st0ragekey" not in answer.text
        assert "could not connect" in server.get("/table?id=t").text


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/static/../app.py", "/static/%2e%2e/app.py"])
def test_what_is_not_there_is_not_found(server: Server, path: str):
    answer = server.get(path)
    assert answer.status == 404
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_server_only_reads(server: Server):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request(method, "/api/lake")
        assert connection.getresponse().status == 405
        connection.close()


# ---- answers that are good for a moment


def test_readers_of_one_page_ask_once_and_an_error_is_not_kept():
    recent, made = Recent[int](60, 2), []

    def make(value: int) -> int:
        made.append(value)
        if value < 0:
            raise ValueError(value)
        time.sleep(0.05)
        return value

    threads = [threading.Thread(target=recent.get, args=("a", lambda: make(1))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert recent.peek("a") == 1
    with pytest.raises(ValueError, match="-1"):
        recent.get("b", lambda: make(-1))
    assert (recent.peek("b"), recent.get("b", lambda: make(2))) == (None, 2)
    recent.get("c", lambda: make(3))  # one too many: the oldest goes
    assert recent.peek("a") is None


def test_an_answer_is_made_anew_when_its_moment_is_over(troubled: str):
    with served(troubled, fresh=0.5) as server:
        first = server.get("/").text
        pretend_running(troubled, "running", 0.5)
        assert server.get("/").text == first
        time.sleep(0.6)
        assert "50%" in server.get("/").text
        pretend_running(troubled, "running", 0.25)
