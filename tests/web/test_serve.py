import base64
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn
from prometheus_client.parser import text_string_to_metric_families

from deltalakedb.catalog.database import Database
from deltalakedb.errors import DeltaLakeDBError
from deltalakedb.migrate.importer import import_table
from deltalakedb.migrate.validate import validate_and_keep
from deltalakedb.web.app import Manner, make_app
from tests.support import databases, lake
from tests.support.catalogs import execute
from tests.support.logs import LogBuilder, add, commit_info, dv, metadata, protocol
from tests.support.troubled_lake import pretend_running

EVIL = "<script>alert(1)</script>\"'&\n?#/x"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def document(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Server:
    """A server that runs: what it answers to GET requests."""

    port: int

    def get(self, path: str, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()


@contextmanager
def served(url: str, token: str | None = None, **manner: Any) -> Iterator[Server]:
    database = Database(url)
    app = make_app(database, Manner(token=token, **{"fresh": 0.0, "log_patience": 5.0, **manner}))
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, ws="none")
    server = uvicorn.Server(config)
    with config.bind_socket() as listening:
        listening.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Server(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            database.close()
    assert not thread.is_alive()


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def troubled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A lake with everything that can be wrong in it, and names that hold HTML; the tests leave it as it is."""
    folder = tmp_path_factory.mktemp("troubled")
    if request.param == "sqlite":
        yield _troubled(databases.sqlite_url(folder), folder)
    else:
        with databases.fresh_postgres(request.getfixturevalue("postgres_server")) as url:
            yield _troubled(url, folder)


def _troubled(database_url: str, tmp_path: Path) -> str:
    database = Database(database_url)
    lake.orders_table(tmp_path / "orders")
    import_table(database, str(tmp_path / "orders"), "sales/orders")
    lake.plain_table(tmp_path / "plain")
    for name in ("drifted", "behind", "running", "lost"):
        import_table(database, str(tmp_path / "plain"), name)
    (tmp_path / "broken" / "_delta_log").mkdir(parents=True)
    with pytest.raises(DeltaLakeDBError):
        import_table(database, str(tmp_path / "broken"))
    log = LogBuilder(tmp_path / "evil")
    log.commit(
        commit_info(f"<b>{EVIL}", userName=EVIL, timestamp=10**18),
        protocol(features=["deletionVectors"]),
        metadata({EVIL: "long", "part": "string"}, ["part"]),
        add("a", partitionValues={"part": EVIL}, size=5, deletionVector=dv()),
        add("b", partitionValues={"part": None}, size=1 << 30),
    )
    log.commit(metadata({"part": "string", "new<i>": "long"}, ["part"]))
    import_table(database, str(log.root), EVIL)
    execute(database_url, "UPDATE delta_files SET size = 1 WHERE table_id = 'drifted'")
    validate_and_keep(database, str(tmp_path / "plain"), "drifted")
    execute(database_url, "UPDATE delta_tables SET log_version = 9 WHERE table_id = 'behind'")
    pretend_running(database_url, "running", 0.25)
    running = "UPDATE migration_status SET status = 'running', owner = :owner, heartbeat_at = '2020-01-01 00:00:00'"
    execute(database_url, f"{running} WHERE table_id = 'lost'", owner="gone/1/1.00")
    database.close()
    return database_url


@pytest.fixture(scope="module")
def server(troubled: str) -> Iterator[Server]:
    with served(troubled) as running:
        yield running


def test_the_lake_shows_totals_problems_and_what_runs(server: Server):
    lake_now = server.get("/api/lake").document
    assert lake_now["tables"] == {"completed": 4, "running": 1, "failed": 1, "interrupted": 1}
    assert [(one["kind"], one["table_id"]) for one in lake_now["problems"]] == [
        ("failed", "broken"),
        ("interrupted", "lost"),
        ("behind", "behind"),
        ("drift", "drifted"),
    ]
    (running,) = lake_now["running"]
    assert (running["table_id"], running["share"]) == ("running", 0.25)
    assert running["doing"] == "import"
    assert running["seconds_left"] == pytest.approx(45 * 60, rel=0.05)
    assert running["files_per_second"] == pytest.approx(100_000 / 900, rel=0.05)
    assert lake_now["files_per_second"] == running["files_per_second"]
    assert lake_now["problems_by_kind"] == {"failed": 1, "interrupted": 1, "behind": 1, "drift": 1}
    page = Elements(server.get("/").text)
    assert page.all("progress") == [{"max": "1", "value": "0.2500", "aria-label": "import of running"}]
    for words in ("No checkpoint or JSON files found", "at version 2, its log at 9", "25%", "45 min", "111 files/s"):
        assert words in page.text


def test_progress_moves_while_an_import_goes_on(server: Server, troubled: str):
    pretend_running(troubled, "running", 0.75)
    assert server.get("/api/lake").document["running"][0]["share"] == 0.75
    pretend_running(troubled, "running", 0.25)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=failed", ["broken"]),
        ("status=interrupted", ["lost"]),
        ("status=running", ["running"]),
        ("search=ORD", ["sales/orders"]),
        ("search=%25", []),
        ("search=DRI&status=completed", ["drifted"]),
        ("status=behind", ["behind"]),
        ("status=different", ["drifted"]),
        ("status=nonsense&page=x&search=lost&sort=nonsense", ["lost"]),
        ("search=%00lost", ["lost"]),
        ("search=/EVIL", [EVIL]),
        ("page=7", []),
        ("page=99999999999999999999", None),
    ],
)
def test_tables_are_found_by_name_and_status(server: Server, query: str, found: list[str] | None):
    tables = server.get(f"/api/lake?{query}").document["page_of_tables"]
    assert found is None or sorted(one["table_id"] for one in tables) == sorted(found)
    assert server.get(f"/?{query}").status == 200


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("problems", ["broken", "lost", "drifted", "behind", "running"]),
        ("name", ["<script>alert(1)</script>\"'&\n?#/x", "behind", "broken"]),
        ("version", ["sales/orders"]),
        ("behind", ["behind"]),
        ("files", ["sales/orders"]),
        ("size", [EVIL]),
    ],
)
def test_tables_are_sorted_with_problems_first_unless_asked_otherwise(server: Server, sort: str, first: list[str]):
    found = [one["table_id"] for one in server.get(f"/api/lake?sort={sort}").document["page_of_tables"]]
    assert found[: len(first)] == first
    if sort == "problems":
        assert [one["table_id"] for one in server.get("/api/lake").document["page_of_tables"]] == found
    else:
        assert 'aria-sort="' in server.get(f"/?sort={sort}").text


def test_long_lists_come_in_pages(database_url: str, tmp_path: Path):
    database = Database(database_url)
    LogBuilder(tmp_path / "t").commit(protocol(), metadata())
    import_table(database, str(tmp_path / "t"), "t000")
    columns = "location, status, files_processed, commits_processed, rows_loaded, started_at"
    execute(
        database_url,
        *(
            f"INSERT INTO migration_status (table_id, {columns}) SELECT 't{n:03}', {columns} "
            "FROM migration_status WHERE table_id = 't000'"
            for n in range(1, 60)
        ),
    )
    database.close()
    with served(database_url) as running:
        first, second = (Elements(running.get(f"/?page={n}").text) for n in (0, 1))
        documents = [running.get(f"/api/lake?page={n}").document for n in (0, 1)]
    names = [one["table_id"] for document in documents for one in document["page_of_tables"]]
    assert names == [f"t{n:03}" for n in range(60)]
    assert [one.get("rel") for one in first.all("a") if "rel" in one] == ["next"]
    assert [one.get("rel") for one in second.all("a") if "rel" in one] == ["prev"]


def test_a_table_shows_what_it_is_made_of(server: Server, troubled: str):
    document = server.get("/api/table?id=sales/orders").document
    state = document["state"]
    database = Database(troubled)
    with database.reading() as connection:
        from sqlalchemy import text

        asked = "SELECT files, bytes, small_files FROM lake_tables WHERE table_id = 'sales/orders'"
        expected = tuple(connection.execute(text(asked)).one())
    database.close()
    assert (state["files"], state["bytes"], state["small_files"]) == expected
    assert sum(one["files"] for one in state["sizes"]) == state["files"]
    assert sum(one["files"] for one in state["partitions"]) == state["files"]
    newest = {"version": 11, "timestamp": state["commits"][0]["timestamp"]}
    assert state["growth"][-1] == {**newest, "files": state["files"], "bytes": state["bytes"]}
    assert [one["version"] for one in state["commits"]] == list(range(11, -1, -1))
    (change,) = state["schema_changes"]
    assert (change["version"], change["added"]) == (7, [{"name": "note", "type": "string"}])
    page = Elements(server.get("/table?id=sales/orders").text)
    for words in ("Largest partitions", "day = 2024-02-28", "There was none since the import.", "delta-rs"):
        assert words in page.text
    assert [one["command"] for one in document["events"]] == ["import"]


def test_a_validation_shows_its_differences(server: Server):
    page = Elements(server.get("/table?id=drifted").text)
    assert "Different from its log at\nversion 2" in page.text
    assert "differences:" in page.text
    assert server.get("/api/table?id=drifted").document["validation"]["valid"] is False


def test_a_table_that_cannot_be_read_says_why(server: Server):
    answer = server.get("/table?id=broken")
    assert answer.status == 200
    assert "No checkpoint or JSON files found" in answer.text
    assert server.get("/api/table?id=broken").document["state"] is None


@pytest.mark.parametrize("table_id", ["sales/orders", EVIL])
def test_charts_are_svg_without_scripts_styles_or_anything_from_outside(server: Server, table_id: str):
    text = server.get(f"/table?id={quote(table_id)}").text
    charts = [ElementTree.fromstring(one) for one in re.findall(r"<svg xmlns.*?</svg>", text, re.DOTALL)]
    assert len(charts) == 3
    for chart in charts:
        assert chart.get("role") == "img"
        assert chart.get("aria-label")
        for one in chart.iter():
            assert one.tag.rpartition("}")[2] in ("svg", "g", "rect", "path", "text", "title")
            assert not {"style", "href", "src"} & set(one.keys())


# ---- safety


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


# ---- for programs


def test_metrics(server: Server):
    server.get("/")
    families = text_string_to_metric_families(server.get("/metrics").text)
    found = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    assert found["deltalakedb_up",] == 1
    assert found["deltalakedb_tables", "failed"] == 1
    assert found["deltalakedb_lag_versions", "behind"] == 7
    assert found["deltalakedb_sync_age_seconds", EVIL] < 3600
    assert found["deltalakedb_validations", "different"] == 1
    assert found["deltalakedb_problems", "drift"] == 1
    assert found["deltalakedb_problems", "stalled"] == 0
    assert ("deltalakedb_heartbeat_age_seconds", "running") in found
    assert found["deltalakedb_lag_seconds", "behind"] > found["deltalakedb_lag_seconds", EVIL] == 0
    assert found["deltalakedb_files_per_second",] == pytest.approx(100_000 / 900, rel=0.05)
    assert found["deltalakedb_active_bytes",] > found["deltalakedb_active_files",] > 20
    assert found["deltalakedb_query_seconds_count", "lake"] >= 1


def test_alert_rules_ask_for_metrics_and_labels_that_are_there(server: Server):
    rules = (Path(__file__).parents[2] / "docs" / "monitoring" / "alerts.yml").read_text()
    families = list(text_string_to_metric_families(server.get("/metrics").text))
    there = {sample.name: set(sample.labels.values()) for family in families for sample in family.samples}
    for family in families:
        there[family.name] = {value for sample in family.samples for value in sample.labels.values()}
    asked = re.findall(r'(deltalakedb_[a-z_]+)(?:\{[a-z]+=~?"([^"]+)"\})?', rules)
    assert len(asked) == rules.count("alert:") == 6
    for name, values in asked:
        assert set(filter(None, values.split("|"))) <= there[name]


def test_the_description_names_what_is_there(server: Server):
    description = server.get("/openapi.json").document
    assert description["openapi"] == "3.1.0"
    for path, operations in description["paths"].items():
        required = [one for one in operations["get"].get("parameters", []) if one.get("required")]
        answer = server.get(path + ("?id=behind" if required else ""))
        assert answer.status == 200
        assert answer.headers["content-type"].split(";")[0] in operations["get"]["responses"]["200"]["content"]


def test_ready_and_healthy(server: Server):
    assert (server.get("/readyz").status, server.get("/healthz").status) == (200, 200)


# ---- the command


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_stopped(sqlite_url: str, tmp_path: Path, number: signal.Signals):
    LogBuilder(tmp_path / "t").commit(protocol(), metadata())
    database = Database(sqlite_url)
    import_table(database, str(tmp_path / "t"))
    database.close()
    command = [sys.executable, "-m", "deltalakedb", "serve", "--port", "0", "--database-url", sqlite_url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()
        port = int(line.split("/")[2].rpartition(":")[2])
        assert Server(port).get("/").status == 200
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert err == "Stopped.\n"


@pytest.mark.parametrize("token", ["", " \n"])
def test_beyond_loopback_a_token_is_needed(tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch):
    from deltalakedb.cli import main

    monkeypatch.setenv("DELTALAKEDB_TOKEN", token)
    assert main(["serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    (tmp_path / "token").write_text(token)
    assert main(["serve", "--host", "0.0.0.0", "--port", "0", "--token-file", str(tmp_path / "token")]) == 2
