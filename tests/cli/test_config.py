import os
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

SETTINGS = {
    "database-url",
    "read-url",
    "schema",
    "pool-size",
    "connect-timeout",
    "statement-timeout",
    "batch-size",
    "parallel",
}


def held(cli: Cli, *words: object) -> dict[str, tuple[object, str]]:
    result = cli("config", "--output", "json", *words)
    assert result.code == 0, result.err
    return {name: (one["value"], one["source"]) for name, one in result.document["settings"].items()}


def test_without_any_file_defaults_hold(cli: Cli):
    found = held(cli)
    assert set(found) == SETTINGS
    assert found["database-url"] == ("sqlite:///deltalakedb.db", "default")
    assert found["pool-size"] == (15, "default")
    assert found["parallel"] == (1, "default")
    assert found["batch-size"] == (None, "default")
    assert cli("config", "--output", "json").document["file"] is None


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "deltalakedb.toml"
    file.write_text('database-url = "postgresql://file/db"\nbatch-size = 1\nparallel = 1\nschema = "of_file"\n')
    monkeypatch.setenv("DELTALAKEDB_BATCH_SIZE", "2")
    monkeypatch.setenv("DELTALAKEDB_PARALLEL", "2")
    monkeypatch.setenv("DELTALAKEDB_STATEMENT_TIMEOUT", "2.5")
    found = held(cli, "--batch-size", 3)
    assert found["batch-size"] == (3, "--batch-size")
    assert found["parallel"] == (2, "$DELTALAKEDB_PARALLEL")
    assert found["statement-timeout"] == (2.5, "$DELTALAKEDB_STATEMENT_TIMEOUT")
    assert found["schema"] == ("of_file", str(file))
    assert found["database-url"] == ("postgresql://file/db", str(file))
    assert cli("config", "--output", "json").document["file"] == str(file)


def test_commands_use_what_holds(cli: Cli, plain: Path, tmp_path: Path):
    (tmp_path / "deltalakedb.toml").write_text('database-url = "sqlite:///mine.db"\nparallel = 2\nbatch-size = 1\n')
    done = cli("batch-import", plain.parent, "--verbose")
    assert done.code == 0
    assert "Database: " not in done.err, "it was named"
    assert (tmp_path / "mine.db").exists()
    assert not (tmp_path / "deltalakedb.db").exists()
    assert cli("files", "plain").out.count("\n") == 3
    assert cli("files", "plain", "--database-url", "sqlite:///other.db").code == 1


def test_the_nearest_file_counts_and_its_paths_start_from_its_folder(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    inner = tmp_path / "project" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "deltalakedb.toml").write_text("parallel = 7\n")
    project = tmp_path / "project" / "pyproject.toml"
    project.write_text('[tool.deltalakedb]\ndatabase-url = "sqlite:///lake.db"\n')
    (inner / "pyproject.toml").write_text("[tool.other]\nx = 1\n")  # says nothing to us
    monkeypatch.chdir(inner)
    found = held(cli)
    assert found["database-url"] == (f"sqlite:///{tmp_path}/project/lake.db", str(project))
    assert found["parallel"] == (1, "default"), "one file counts, not all of them"
    (project.parent / "deltalakedb.toml").write_text("parallel = 3\n")
    assert held(cli)["parallel"][0] == 3, "our own file comes first"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:///a.db", "sqlite:///{}/a.db"),
        ("SQLite:///a.db?timeout=3", "sqlite:///{}/a.db?timeout=3"),
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db"),
        ("sqlite:///file:a.db?uri=true", "sqlite:///file:a.db?uri=true"),
        ("postgresql://db/lake", "postgresql://db/lake"),
    ],
)
def test_relative_databases_in_a_file(cli: Cli, tmp_path: Path, written: str, meant: str):
    (tmp_path / "deltalakedb.toml").write_text(f'database-url = "{written}"\n')
    assert held(cli)["database-url"][0] == meant.format(tmp_path)


@pytest.mark.parametrize("name", ["deltalakedb.toml", "pyproject.toml"])
@pytest.mark.parametrize(("mode", "owner"), [(0o666, None), (0o664, None), (0o644, 4711)])
def test_a_strangers_file_is_passed_over(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, mode: int, owner: int | None
):
    if owner is not None and os.geteuid() != 0:
        pytest.skip("only root may give a file away")
    section = "" if name == "deltalakedb.toml" else "[tool.deltalakedb]\n"
    ours = tmp_path / name
    ours.write_text(f"{section}parallel = 2\n")
    (tmp_path / "below").mkdir()
    file = tmp_path / "below" / name
    file.write_text(f"{section}parallel = 3\n")
    file.chmod(mode)
    if owner is not None:
        os.chown(file, owner, owner)
    monkeypatch.chdir(file.parent)
    assert held(cli)["parallel"] == (2, str(ours))
    assert f"{file} is passed over" in cli("config").err
    assert held(cli, "--config", file)["parallel"] == (3, str(file))


def test_a_file_can_be_named(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "deltalakedb.toml").write_text("parallel = 7\n")
    (tmp_path / "other.toml").write_text("parallel = 8\n")
    assert held(cli, "--config", "other.toml")["parallel"] == (8, str(tmp_path / "other.toml"))
    assert held(cli, "--config", "/dev/null")["parallel"] == (1, "default")
    monkeypatch.setenv("DELTALAKEDB_CONFIG", "other.toml")
    assert held(cli)["parallel"][0] == 8
    assert cli("config", "--config", "missing.toml").code == 2


def test_storage_options_of_the_command_line_go_on_top_of_those_of_the_file(cli: Cli, tmp_path: Path):
    (tmp_path / "deltalakedb.toml").write_text(
        '[storage-options]\naws_region = "eu-central-1"\naws_endpoint_url = "http://one"\n'
        'aws_secret_access_key = "hush"\n'
    )
    result = cli("config", "--storage-option", "aws_endpoint_url=http://two", "--output", "json")
    assert "hush" not in result.out + result.err
    found = {name: tuple(one.values()) for name, one in result.document["settings"].items()}
    file = str(tmp_path / "deltalakedb.toml")
    assert found["storage-options.aws_region"] == ("eu-central-1", file)
    assert found["storage-options.aws_endpoint_url"] == ("http://two", "--storage-option")
    assert found["storage-options.aws_secret_access_key"] == ("***", file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("parallel = ", "is not TOML"),
        ("paralel = 2", "there is no setting 'paralel'"),
        ("parallel = 0", "parallel must be a whole number from 1 on"),
        ("parallel = true", "parallel must be a whole number"),
        ('statement-timeout = "1s"', "statement-timeout must be a number of seconds"),
        ("schema = ''", "schema must be a text"),
        ('storage-options = "x"', "storage-options must be a table of texts"),
        ("[storage-options]\nport = 1", "storage-options must be a table of texts"),
        ('database-url = "a"\ndatabase-url-file = "b"', "can't both hold"),
    ],
)
def test_a_file_that_can_not_be_understood_is_wrong_usage(cli: Cli, tmp_path: Path, content: str, said: str):
    (tmp_path / "deltalakedb.toml").write_text(content)
    result = cli("files", "x")
    assert result.code == 2
    assert said in result.err
    assert str(tmp_path / "deltalakedb.toml") in result.err
    assert cli("files", "--help").code == 0, "help is there all the same"


def test_a_slip_is_answered_with_what_was_meant(cli: Cli, tmp_path: Path):
    (tmp_path / "deltalakedb.toml").write_text("database_url = 'x'")
    assert "hint: Did you mean database-url?" in cli("files", "x").err


# ---- the URL in a file


def test_the_url_in_a_file(cli: Cli, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "url").write_text("sqlite:///of-file.db\n")
    assert cli("import", plain, "--database-url-file", "url").code == 0
    assert (tmp_path / "of-file.db").exists()
    assert held(cli, "--database-url-file", "url")["database-url"] == (
        "sqlite:///of-file.db",
        "url (--database-url-file)",
    )
    monkeypatch.setenv("DELTALAKEDB_DATABASE_URL_FILE", "url")
    assert held(cli)["database-url"] == ("sqlite:///of-file.db", "url ($DELTALAKEDB_DATABASE_URL_FILE)")
    assert cli("files", "plain").code == 0


def test_a_url_and_a_file_with_it_are_weighed_by_where_they_are_given(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "url").write_text("sqlite:///of-file.db\n")
    (tmp_path / "deltalakedb.toml").write_text('database-url-file = "url"\n')
    assert held(cli)["database-url"] == ("sqlite:///of-file.db", f"{tmp_path}/url ({tmp_path}/deltalakedb.toml)")
    monkeypatch.setenv("DELTALAKEDB_DATABASE_URL", "sqlite:///of-env.db")
    assert held(cli)["database-url"][0] == "sqlite:///of-env.db"
    assert held(cli, "--database-url-file", "url")["database-url"][0] == "sqlite:///of-file.db"
    assert held(cli, "--database-url", "sqlite:///x.db")["database-url"][0] == "sqlite:///x.db"
    both = cli("files", "x", "--database-url", "sqlite:///x.db", "--database-url-file", "url")
    assert both.code == 2
    assert "--database-url and --database-url-file can't both hold" in both.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: url (No such file"),
        ("", "must hold the database URL"),
        ("a\nb", "must hold the database"),
    ],
)
def test_a_file_without_a_url_is_wrong_usage(cli: Cli, tmp_path: Path, content: str | None, said: str):
    if content is not None:
        (tmp_path / "url").write_text(content)
    result = cli("files", "x", "--database-url-file", "url")
    assert result.code == 2
    assert said in result.err
    assert len(result.error_lines) == 2 or content is not None


@pytest.mark.parametrize("way", ["file", "config", "read", "environment"])
def test_a_password_from_anywhere_is_masked(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str):
    url = "postgresql://u:hush%2Fhush@127.0.0.1:1/db?connect_timeout=1"
    (tmp_path / "url").write_text(url)
    words: list[object] = []
    if way == "file":
        words = ["--database-url-file", "url"]
    elif way == "config":
        (tmp_path / "deltalakedb.toml").write_text(f'database-url = "{url}"')
    elif way == "read":
        (tmp_path / "deltalakedb.toml").write_text(f'read-url = "{url}"')
    else:
        monkeypatch.setenv("DELTALAKEDB_READ_URL", url)
    for command in (["files", "x"], ["config"], ["migration-status", "--verbose"]):
        result = cli(*command, *words)
        said = result.out + result.err
        assert "u:***@127.0.0.1" in said
        assert "hush" not in said


def test_the_demo_keeps_to_its_own_database(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "deltalakedb.toml").write_text('database-url = "sqlite:///mine.db"\nschema = "lake"\n')
    monkeypatch.setenv("DELTALAKEDB_READ_URL", "sqlite:///replica.db")
    assert cli("demo", "--keep", "kept").code == 0
    assert (tmp_path / "kept" / "deltalakedb.db").exists()
    assert not (tmp_path / "mine.db").exists()


@pytest.mark.parametrize("name", ["DELTALAKEDB_DATABASE_URL", "DELTALAKEDB_DATABASE_URL_FILE", "DELTALAKEDB_READ_URL"])
def test_a_url_of_the_environment_that_is_empty_leads_nowhere(
    cli: Cli, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    cli("import", plain)
    before = sorted(tmp_path.iterdir())
    monkeypatch.setenv(name, "")
    result = cli("files", "plain")
    assert (result.code, result.out) == (2, "")
    assert result.error_lines == [f"Error: ${name} is empty.", "hint: Is it a variable that is not set?"]
    assert sorted(tmp_path.iterdir()) == before
    if name != "DELTALAKEDB_READ_URL":
        assert cli("files", "plain", "--database-url", "sqlite:///deltalakedb.db").code == 0
