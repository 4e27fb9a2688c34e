"""What programs read: metrics, rules and a dashboard over them, and the JSON twins of the pages."""

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from deltalakedb.web.openapi import DESCRIPTION
from tests.support.troubled_lake import EVIL
from tests.web.serving import Server, served

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
_CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool: apt-get install prometheus")
    return found


# ---- metrics


def test_metrics(server: Server):
    server.get("/")
    families = text_string_to_metric_families(server.get("/metrics").text)
    found = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    assert found["deltalakedb_up",] == 1
    assert found["deltalakedb_tables", "failed"] == 1
    assert found["deltalakedb_tables_behind",] == 1
    assert found["deltalakedb_lag_versions", "behind"] == 7
    assert found["deltalakedb_sync_age_seconds", EVIL] < 3600
    assert found["deltalakedb_validations", "different"] == 1
    assert found["deltalakedb_problems", "drift"] == 1
    assert found["deltalakedb_problems", "stalled"] == 0
    assert ("deltalakedb_heartbeat_age_seconds", "running") in found
    assert found["deltalakedb_lag_seconds", "behind"] > found["deltalakedb_lag_seconds", EVIL] == 0
    assert found["deltalakedb_files_per_second",] == pytest.approx(100_000 / 900, rel=0.05)
    assert found["deltalakedb_commits_per_second",] == pytest.approx(1_000 / 900, rel=0.05)
    assert found["deltalakedb_active_bytes",] > found["deltalakedb_active_files",] > 20
    assert found["deltalakedb_log_bytes_processed",] > found["deltalakedb_commits_processed",] > 1_000
    assert found["deltalakedb_query_seconds_count", "lake"] >= 1


def _metrics(server: Server) -> dict[str, set[str]]:
    """The labels' values of each metric, under all its names."""
    there: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(server.get("/metrics").text):
        for name in {family.name, *(sample.name for sample in family.samples)}:
            there.setdefault(name, set()).update(v for one in family.samples for v in one.labels.values())
    return there


def _asked(text: str) -> list[tuple[str, str]]:
    """The metrics that a text of PromQL names, each with what it asks of its status, result or kind."""
    return re.findall(r'\b(deltalakedb_\w+)(?:\{[^}]*?(?:status|result)=~?"([^"]+)"\})?', text)


def test_rules_and_dashboard_ask_for_metrics_and_labels_that_are_there(server: Server):
    server.get("/table?id=nope")  # an error to count
    there = _metrics(server)
    rules = (MONITORING / "alerts.yml").read_text()
    expressions = [line for line in rules.splitlines() if "expr:" in line]
    asked = _asked("\n".join([*expressions, *_dashboard()]))
    assert len(asked) > 25
    for name, values in asked:
        assert set(filter(None, values.split("|"))) <= there[name], name
    used = {name.removesuffix("_bucket") for name, _ in asked}
    unused = {name for name in there if not name.endswith(("_total", "_created", "_count", "_sum", "_bucket"))} - used
    assert unused == {"deltalakedb_errors", "deltalakedb_log_bytes_processed"}


def test_the_page_on_monitoring_names_every_metric_and_no_other(server: Server):
    server.get("/table?id=nope")
    page = (MONITORING.parent / "monitoring.md").read_text()
    named = set(re.findall(r"`(deltalakedb_\w+)", page))
    kinds = list(text_string_to_metric_families(server.get("/metrics").text))
    assert named == {
        one.name + ("_total" if one.type == "counter" else "") for one in kinds if not one.name.endswith("_created")
    }


def _dashboard() -> list[str]:
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    places = [tuple(panel["gridPos"].values()) for panel in panels]
    assert len(set(places)) == len(panels)
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_rules_are_rules_and_fire_when_they_should(promtool: str):
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run([promtool, *command], cwd=MONITORING, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    alerts = re.findall(r"alert: (\w+)", (MONITORING / "alerts.yml").read_text())
    fired = re.findall(r"alertname: (\w+)\n\s+exp_alerts", (MONITORING / "alerts_test.yml").read_text())
    assert sorted(set(fired)) == sorted(alerts)


def test_the_dashboard_asks_what_prometheus_understands(promtool: str, tmp_path: Path):
    expressions = [one.replace("$__rate_interval", "5m").replace("$instance", ".*") for one in _dashboard()]
    rules = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(expressions)]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    _check(promtool, "check", "rules", str(tmp_path / "rules.json"))
    assert len(expressions) > 15


def test_prometheus_scrapes_a_server_with_a_token_and_alerts_come_up(troubled: str, promtool: str, tmp_path: Path):
    with served(troubled, "s3:cret") as server:
        config = (MONITORING / "prometheus.yml").read_text()
        config = config.replace("localhost:8087", f"127.0.0.1:{server.port}").replace("30s", "300ms")
        (tmp_path / "token").write_text("s3:cret")
        config = config.replace("/run/secrets/deltalakedb-token", str(tmp_path / "token"))
        (tmp_path / "prometheus.yml").write_text(config)
        rules = (MONITORING / "alerts.yml").read_text()
        (tmp_path / "alerts.yml").write_text(re.sub(r"for: \d+m", "for: 0m", rules))
        _check(promtool, "check", "config", str(tmp_path / "prometheus.yml"))
        command = [str(Path(promtool).with_name("prometheus")), "--config.file", str(tmp_path / "prometheus.yml")]
        command += ["--storage.tsdb.path", str(tmp_path / "data"), "--web.listen-address"]
        port = _free_port()
        with subprocess.Popen([*command, f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL) as process:
            try:
                firing = _until(lambda: _firing(port), {"DeltaLakeDBMigrationsFailed", "DeltaLakeDBDrift"})
            finally:
                process.terminate()
    assert "DeltaLakeDBDown" not in firing


def _check(promtool: str, *arguments: str) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _firing(port: int) -> set[str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=5) as answer:
            return {one["labels"]["alertname"] for one in json.load(answer)["data"]["alerts"]}
    except OSError:
        return set()  # it isn't up yet


def _until(ask: Any, wanted: set[str]) -> set[str]:
    end = time.monotonic() + 60
    while not wanted <= (found := ask()):
        assert time.monotonic() < end, f"only {found}"
        time.sleep(0.2)
    return found


# ---- the JSON twins


def test_the_description_is_one():
    OpenAPIV31SpecValidator(DESCRIPTION).validate()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/lake", "Lake"),
        ("/api/lake?status=failed", "Lake"),
        *((f"/api/table?id={quote(one)}", "Table") for one in ("sales/orders", "drifted", "broken", "running", EVIL)),
        ("/api/table?id=nope", "Error"),
        ("/api/nothing", "Error"),
    ],
)
def test_documents_are_as_described_and_hold_nothing_else(server: Server, path: str, name: str):
    document = server.get(path).document
    described = {"$ref": f"#/components/schemas/{name}", "components": _closed(DESCRIPTION["components"])}
    errors = list(Draft202012Validator(described, format_checker=FormatChecker()).iter_errors(document))
    assert [(list(error.path), error.message) for error in errors] == []


def _closed(schema: Any) -> Any:
    """The same, but what is not named is not allowed."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if "required" in schema and "properties" in schema else {}
    return {name: _closed(one) for name, one in schema.items()} | more


def test_every_request_that_the_description_allows_is_answered_as_it_says(server: Server):
    described = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    asked = 0
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(checks=_CHECKS)

        ask()
    assert asked > 50


def test_twins_hold_the_documents_of_the_commands(server: Server, troubled: str):
    def said(*words: str) -> Any:
        command = [sys.executable, "-m", "deltalakedb", *words, "--output", "json", "--database-url", troubled]
        return json.loads(subprocess.run(command, capture_output=True, check=False).stdout)

    listed = {one["table_id"]: one for one in server.get("/api/lake").document["page_of_tables"]}
    for status in said("migration-status"):
        assert {name: listed[status["table_id"]][name] for name in status} == status
        table = server.get(f"/api/table?id={quote(status['table_id'])}").document
        assert {name: table[name] for name in status} == status
    assert server.get("/api/lake").document["problems"] == said("check")["problems"]
    state = server.get("/api/table?id=sales/orders").document["state"]
    assert state["history"] == said("history", "sales/orders")


def test_ready_and_healthy(server: Server):
    assert (server.get("/readyz").status, server.get("/healthz").status) == (200, 200)
    assert server.get("/favicon.ico").headers["content-type"] == "image/svg+xml"
