import base64
from urllib.parse import quote

from tests.support.troubled_lake import EVIL
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
