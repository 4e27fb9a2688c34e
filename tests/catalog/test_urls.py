"""URLs are taken apart as SQLAlchemy does it, and what comes of them shows no password."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from deltalakedb.catalog.secrets import Secrets
from deltalakedb.catalog.urls import masked, taken_apart

PIECES = st.lists(st.sampled_from([*"@/:?#[]%&=+,;' \"a1é", "%40", "%2F", "password", "://"]), max_size=6).map("".join)


@given(user=PIECES, password=PIECES, rest=PIECES, scheme=st.sampled_from(["postgresql", "mysql+pymysql", "sqlite"]))
def test_what_can_be_understood_is_what_sqlalchemy_understands(user: str, password: str, rest: str, scheme: str):
    url = f"{scheme}://{user}:{password}@{rest}"
    parts = taken_apart(url)
    if parts is None or "," in parts.hosts:  # several hosts are ours to understand
        return
    try:
        theirs = make_url(url)
    except ValueError:  # a port that is no number, as ² is
        return
    assert parts.user == theirs.username
    assert parts.passwords[:2] == ([] if theirs.password is None else [parts.password, theirs.password])
    assert parts.database == theirs.database


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me@h/db", "postgresql://me@h/db"),
        ("postgresql://me:pw@h/db", "postgresql://me:***@h/db"),
        ("postgresql://me@server:pw@h/db", "postgresql://me@server:***@h/db"),
        ("postgresql://me:p/w?x#:y@h/db", "postgresql://me:***@h/db"),
        ("postgresql://me:pw@h/db?application_name=a@b", "postgresql://me:***@h/db?application_name=a@b"),
        ("postgresql://h/db?pass%77ord=pw&sslmode=require", "postgresql://h/db?pass%77ord=***&sslmode=require"),
        ("postgresql://h/db?password=p&w&user=me", "postgresql://h/db?password=***&user=me"),
        ("postgresql://me:p@w@h/db", "postgresql://***"),
        ("postgresql://m/e:pw@h/db", "postgresql://***"),
        ("postgresql://me:p@w/x@h/db", "postgresql://***"),
        ("postgresql://me:p@w?x@h/db", "postgresql://***"),
        ("postgresql://me:pw", "postgresql://***"),
        ("me:pw@h/db", "***"),
        ("postgresql:me:pw@h/db", "***"),
        ("sqlite:////data/a:b@c/x.db", "sqlite:////data/a:b@c/x.db"),
        ("orders.db", "orders.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str):
    assert masked(url) == shown


@given(st.text(min_size=1))
def test_an_encoded_password_may_have_any_letter(text: str):
    parts = taken_apart(f"postgresql://{quote(text, safe='')}:{quote(text, safe='')}@h:1/db?x=y")
    assert parts.masked == f"postgresql://{quote(text, safe='')}:***@h:1/db?x=y"
    assert parts.passwords[-1] == parts.user == text


@pytest.mark.parametrize("end", ["", "@"])
@pytest.mark.parametrize(
    "piece", ["postgresql://u:", "://u:", "password='", "'password': ", "mysql+x://", "a@b:", "u:p@"]
)
def test_a_megabyte_that_others_wrote_is_no_work(piece: str, end: str):
    """Whoever looked on from each beginning to the end would never finish."""
    text = piece * ((1 << 20) // len(piece)) + end
    assert Secrets.of(urls=["postgresql://me:hush@h/db"]).scrub(f"{text} :hush@").endswith(":***@")


def test_all_urls_of_a_word_are_masked():
    text = "x,postgresql://u:one@h/a,postgresql://u:two@h/b,mysql://me@h/c"
    shown = Secrets.of().scrub(text)
    assert "one" not in shown
    assert "two" not in shown
    assert shown.endswith("h/c")
