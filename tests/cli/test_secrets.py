from pathlib import Path

import pytest

from deltalakedb.cli.arguments import Arguments
from deltalakedb.cli.secrets import secrets_of
from tests.cli.conftest import Cli


def scrubbed(url: str, text: str) -> str:
    return secrets_of(Arguments(("import", "x", "--database-url", url))).scrub(text)


@pytest.mark.parametrize(
    ("url", "text", "expected"),
    [
        ("postgresql://u:secret@h/db", "at postgresql://u:secret@h/db", "at postgresql://u:***@h/db"),
        ("postgresql://u:secret@h/db", "tried 'secret'", "tried '***'"),
        ("postgresql://u:p%40ss@h/db", "tried p@ss or p%40ss", "tried *** or ***"),
        ("postgresql://u:p%2fss@h/db", "tried p/ss, p%2fss or p%2Fss", "tried ***, *** or ***"),
        ("postgresql://u:a+b@h/db", "tried a+b", "tried ***"),
        ("postgresql://u:open@sesame@h/db", "no host h for open, open@sesame", "no host h for ***, ***"),
        ("postgresql://h/db?user=u&password=secret", "?user=u&password=secret x", "?user=u&password=*** x"),
        ("postgresql://h/db?password=secret", "tried secret", "tried ***"),
        ("postgresql://u:post@h/db", "postgresql://u:post@h: post", "postgresql://u:***@h: ***"),
        ("postgresql://u@h/db", "nothing to hide: u@h", "nothing to hide: u@h"),
        ("sqlite:///x.db", "nothing at all", "nothing at all"),
    ],
)
def test_no_form_of_a_password_passes(url: str, text: str, expected: str):
    assert scrubbed(url, text) == expected


def test_other_urls_lose_theirs_too():
    assert scrubbed("sqlite:///x.db", "mysql://u:p@h/db") == "mysql://u:***@h/db"


def test_results_are_scrubbed_too(cli: Cli, plain: Path):
    url = "sqlite:///file:x.db?uri=true&password=s3cret"  # SQLAlchemy hides the password before the host only
    result = cli("import", plain, "--database-url", url, "--verbose")
    assert result.code == 0
    assert "s3cret" not in result.out + result.err


def test_the_environment_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DELTALAKEDB_DATABASE_URL", "postgresql://u:fromenv@h/db")
    monkeypatch.setenv("PGPASSWORD", "frompg")
    assert secrets_of(Arguments(())).scrub("fromenv frompg") == "*** ***"
