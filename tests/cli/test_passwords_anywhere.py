"""Whatever a URL looks like, no part of its password comes out by any way."""

import io
import json
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deltalakedb import DeltaLakeDBError
from deltalakedb.catalog.database import Database
from deltalakedb.cli import main
from deltalakedb.cli.arguments import Arguments
from deltalakedb.cli.secrets import secrets_of
from tests.cli.conftest import Cli

TOKENS = ("Hun7ted", "Qua9rry")
"""The two parts of a password, with anything between."""

SPECIAL = st.sampled_from([*"@/:?#[]%&=+,;'\"`\\ $*|~<>^{}()!é\t", "@/", "/@", ":@", "?@", "@?", "://", "%41", "&x="])


@st.composite
def urls(draw: st.DrawFn) -> str:
    """URLs of servers that aren't there, with a password of TOKENS."""

    def written(text: str) -> str:
        return quote(text, safe="") if draw(st.booleans()) else text

    password = written(draw(SPECIAL).join(TOKENS))
    user = written(draw(st.one_of(st.just("me"), SPECIAL.map("m{}e".format))))
    host = draw(st.sampled_from(["127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:99999", "[::1]:1", "127.0.0.1:x", ""]))
    database = written(draw(st.one_of(st.just("db"), SPECIAL.map("d{}b".format))))
    option = draw(st.sampled_from(["connect_timeout=2", "no_such=1", "application_name=a@b", "x", "connect_timeout=x"]))
    scheme = draw(st.sampled_from(["postgresql", "postgres+psycopg2", "mysql", "mariadb+pymysql", "oracle"]))
    place = draw(st.sampled_from(["userinfo", "userinfo", "userinfo", "option"]))
    if place == "option":
        name = draw(st.sampled_from(["password", "PASSWORD", "pass%77ord", "sslpassword", "passwd"]))
        password = password.replace("&x=", "&")  # where that is another option, there is no telling
        return f"{scheme}://{user}@{host}/{database}?{option}&{name}={password}"
    return f"{scheme}://{user}:{password}@{host}/{database}?{option}"


def found_in(texts: Iterator[str]) -> list[str]:
    return [text for text in texts if any(token in text for token in TOKENS)]


def said_by_the_library(url: str) -> Iterator[str]:
    """What a program gets to see."""
    try:
        with closing(Database(url)) as database:
            yield database.where
            yield repr(database)
            database.has_catalog()
    except DeltaLakeDBError as error:
        yield "".join([*traceback.format_exception(error), repr(error), str(vars(error))])


def said_about(url: str) -> Iterator[str]:
    """What becomes of texts in which a URL or its password turn up, in all the ways in which that happens."""
    arguments = Arguments(("import", "x y", "--database-url", url))
    secrets = secrets_of(arguments)
    for text in (url, f"at {url}.", repr(url), json.dumps({"url": url, "to": "a@b"}), f"<{url}>"):
        yield secrets.scrub(text)
        yield secrets.scrub_name(text)
    yield arguments.resuming(secrets.scrub)
    yield secrets.scrub(Arguments((f"--database-url={url}",)).resuming())


def said_by_commands(url: str) -> Iterator[str]:
    for words in (
        ("config", "--output", "json"),
        ("check", "--verbose", "--log-format", "json"),
        ("files", "t", "--verbose"),
    ):
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            main([words[0], "--database-url", url, *words[1:]])
        yield said.getvalue()


@settings(max_examples=300)
@given(urls())
def test_nothing_of_a_password_is_said(url: str):
    assert found_in(said_by_the_library(url)) == []
    assert found_in(said_about(url)) == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(url=urls())
def test_commands_say_nothing_of_a_password(
    url: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path_factory.getbasetemp())
    assert found_in(said_by_commands(url)) == []


@pytest.mark.parametrize("place", ["option", "environment", "file", "config"])
def test_wherever_the_url_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str):
    monkeypatch.chdir(tmp_path)
    url = "postgresql://me@server:Hun7ted/Qua9rry@127.0.0.1:1/db"
    words: list[str] = []
    if place == "option":
        words = [f"--database-url={url}"]
    elif place == "environment":
        monkeypatch.setenv("DELTALAKEDB_DATABASE_URL", url)
    elif place == "file":
        Path("url").write_text(url)
        words = ["--database-url-file", "url"]
    else:
        Path("deltalakedb.toml").write_text(f"database-url = {json.dumps(url)}")
    for command in (["config"], ["config", "--log-format", "json"], ["check"], ["serve", "--port", "0"], ["upgrade"]):
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            if command[0] == "serve":
                monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
            main([*command, *words])
        assert "me" in said.getvalue()
        assert not any(token in said.getvalue() for token in TOKENS)


# ---- a password that is a common word


def scrubbed(text: str, url: str = "postgresql://me:lake@h/db", *words: str) -> str:
    return secrets_of(Arguments((*words, "--database-url", url))).scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "/data/lake/orders",
        "/data/lake",
        "lake/orders: Not found",
        "s3://lake/orders",
        "sqlite:////data/lake.db",
        "/data/my-lake/x",
        "/data/lake-2024/x",
        "lakehouse",
        "my_lake",
        r"C:\lake\x",
        "db.lake.example.com",
    ],
)
def test_a_word_in_a_path_is_no_password(text: str):
    assert scrubbed(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=lake", "password=***"),
        ("host=h password='lake' user=me", "host=h password=*** user=me"),
        ("mysql://me:lake@h/db", "mysql://me:***@h/db"),
        ("me:lake@h", "me:***@h"),
        ('invalid password "lake"', 'invalid password "***"'),
        ("lake, the password", "***, the password"),
        ("wrong: lake.", "wrong: ***."),
        ("{'password': 'lake', 'x': 1}", "{'password': ***, 'x': 1}"),
    ],
)
def test_a_word_that_is_a_password_is_masked(text: str, expected: str):
    assert scrubbed(text) == expected


@pytest.mark.parametrize(
    ("url", "words", "text"),
    [
        ("postgresql://lake:lake@h/db", (), 'password authentication failed for user "lake"'),
        ("postgresql://me:lake@h/lake", (), 'database "lake" does not exist'),
        ("postgresql://me:lake@lake:5432/db", (), 'could not translate host name "lake" to address'),
        ("postgresql://me:lake@h/db", ("import", "lake"), "Not found: lake"),
        ("postgresql://me:a@h/db", (), "There is a gap"),
    ],
)
def test_a_word_that_is_said_anyway_is_not_given_away(url: str, words: tuple[str, ...], text: str):
    assert scrubbed(text, url, *words) == text
    assert ":***@" in scrubbed(f"at {url}", url, *words)
    assert "password=***" in scrubbed(f"password={url.split(':')[2].partition('@')[0]}", url, *words)


def test_commands_leave_the_word_in_locations_and_names(cli: Cli, plain: Path, monkeypatch: pytest.MonkeyPatch):
    assert "/lake/" in str(plain)
    monkeypatch.setenv("PGPASSWORD", "lake")
    result = cli("import", plain, "--table-id", "lake", "--log-format", "json")
    told = [json.loads(line) for line in result.err.splitlines()]
    assert {event["table_id"] for event in told if "table_id" in event} == {"lake"}
    assert {event["location"] for event in told if "location" in event} <= {str(plain)}
    assert str(plain) in json.dumps([event.get("arguments") for event in told])
    assert str(plain) in cli("migration-status", "--output", "json").out
    assert str(plain.parent / "none") in cli("import", plain.parent / "none").err
    monkeypatch.setenv("DELTALAKEDB_SCHEMA", "lake")
    assert cli("config", "--output", "json").document["settings"]["schema"]["value"] == "lake"


def test_a_webhook_is_not_told_what_another_release_left_in_the_catalog(cli: Cli, plain: Path, tmp_path: Path):
    cli("import", plain)
    with sqlite3.connect(tmp_path / "deltalakedb.db") as connection:
        connection.execute(
            "UPDATE migration_status SET status = 'failed', error_message = 'at mysql://me:Hun7ted@h/db: refused'"
        )
    connection.close()
    result = cli("check", "--output", "json")
    assert result.code == 1
    assert "mysql://me:***@h/db" in result.out
