"""Processes as cron, sudo, containers and other people's machines start them: each works, or says what is needed."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import deltalakedb
from deltalakedb.catalog.database import Database
from deltalakedb.cli import main
from deltalakedb.errors import DatabaseBusyError
from tests.cli.conftest import Cli
from tests.support import lake

STRANGER = 65534
"""The number of a user who owns nothing."""


@dataclass
class Place:
    """Somewhere to run commands: with a table, and its catalog.

    Attributes:
        folder: where both are, which everybody may read.
        environment: what is set; None for what is not.
    """

    folder: Path
    environment: dict[str, str | None] = field(default_factory=dict)

    @property
    def table(self) -> Path:
        return self.folder / "lake" / "plain"

    @property
    def file(self) -> Path:
        return self.folder / "catalog" / "catalog.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def run(
        self,
        *words: object,
        shell: str = "",
        cwd: Path | None = None,
        program: Sequence[str] = ("-m", "deltalakedb"),
        user: int | None = None,
    ) -> Any:
        """Runs `deltalakedb WORD…`; `shell` is what stands behind it, where a shell is asked for."""
        command = [*as_user(user), sys.executable, *program, *map(str, words)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DELTALAKEDB_")}
        given = {"DELTALAKEDB_DATABASE_URL": self.url, **self.environment}
        environment |= {name: value for name, value in given.items() if value is not None}
        if shell:
            command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=environment, capture_output=True, check=False, timeout=120
        )
        done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        assert "Traceback" not in done.stdout + done.stderr
        assert "should not have happened" not in done.stdout + done.stderr
        return done


def as_user(user: int | None) -> list[str]:
    """What stands before a command that is to run as somebody else."""
    return [] if user is None else ["setpriv", f"--reuid={user}", "--clear-groups"]


def skip_unless_others_may_run_this() -> None:
    probe = [*as_user(STRANGER), sys.executable, "-c", "import deltalakedb"]
    if shutil.which("setpriv") is None or subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("nobody else may run this Python")


@pytest.fixture
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="odd-")).resolve()  # not pytest's, which others can't search
    folder.chmod(0o755)
    place = Place(folder)
    try:
        lake.plain_table(place.table)
        place.file.parent.mkdir()
        with deltalakedb.connect(place.url) as catalog:
            catalog.import_table(str(place.table))
        yield place
    finally:
        place.file.parent.chmod(0o755)
        shutil.rmtree(folder)


@pytest.fixture
def as_stranger(place: Place) -> Callable[..., Any]:
    """Runs commands as somebody who may read everything and write nothing."""
    if os.geteuid() != 0:
        place.file.parent.chmod(0o555)
        place.file.chmod(0o444)
        return place.run
    place.environment["HOME"] = "/nonexistent"
    skip_unless_others_may_run_this()
    return lambda *words, **options: place.run(*words, user=STRANGER, **options)


# ---- the working folder


def in_deleted(folder: Path) -> str:
    """What a shell does first."""
    return f'cd "{folder}" && rmdir "{folder}" && exec "$@"'


@pytest.mark.parametrize(
    "words",
    [["files", "plain"], ["config"], ["check"], ["validate", "{table}"], ["import", "{table}", "--dry-run"]],
)
def test_a_working_folder_that_has_been_deleted(place: Place, words: list[str]):
    assert from_deleted(place, *words).returncode == 0


@pytest.mark.parametrize(
    "words", [["import", "relative"], ["export", "plain", "relative"], ["files", "x", "--config", "y"]]
)
def test_what_needs_a_deleted_working_folder_says_so(place: Place, words: list[str]):
    done = from_deleted(place, *words)
    assert done.returncode == 1
    assert "Error: The working folder has been deleted\nhint: Go to another one" in done.stderr


def from_deleted(place: Place, *words: str) -> Any:
    gone = place.folder / "gone"
    gone.mkdir()
    command = [sys.executable, "-m", "deltalakedb", *(word.format(table=place.table) for word in words)]
    done = subprocess.run(
        ["sh", "-c", in_deleted(gone), "sh", *command],
        cwd=gone,
        env={**os.environ, "DELTALAKEDB_DATABASE_URL": place.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter such a folder for somebody else")
def test_a_working_folder_that_can_not_be_searched(place: Place):
    skip_unless_others_may_run_this()
    home = place.folder / "home"
    (home / "inner").mkdir(parents=True)
    (home / "deltalakedb.toml").write_text("nonsense")
    home.chmod(0o700)
    place.environment["HOME"] = "/"
    for folder in (home, home / "inner"):  # as `sudo -u` does it: it was entered by somebody who may
        done = place.run("files", "plain", cwd=folder, user=STRANGER)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("parquet") == 3


@pytest.mark.parametrize("content", ["broken = [", "tool = 3", "[tool]\nx = 1\nx = 2", "caf\xe9 = 1"])
def test_somebody_else_s_broken_project_above(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str):
    (tmp_path / "pyproject.toml").write_bytes(content.encode("latin-1"))
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    result = cli("config")
    assert (result.code, result.err) == (0, "")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("pyproject.toml", "[tool.deltalakedb]\nparallel = [", "is not TOML"),
        ("pyproject.toml", "[tool]\ndeltalakedb = 3", "must be a table"),
        ("deltalakedb.toml", "broken = [", "is not TOML"),
    ],
)
def test_settings_of_ours_that_are_broken_are_an_error(cli: Cli, tmp_path: Path, name: str, content: str, said: str):
    (tmp_path / name).write_text(content)
    result = cli("files", "plain")
    assert result.code == 2
    assert said in result.err


# ---- closed streams


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["files", "plain", "--output", "json"], 0),
        (["files", "nope", "--output", "json"], 1),
        (["validate", "{table}"], 0),
        (["--help"], 0),
    ],
)
def test_closed_streams_change_no_exit_code(place: Place, words: list[str], code: int, closed: str):
    done = place.run(*(word.format(table=place.table) for word in words), shell=closed)
    assert done.returncode == code
    if closed == "2>&-":
        assert done.stdout


def test_no_database_becomes_a_closed_stream(place: Place):
    """The next file that is opened gets the lowest number that is free."""
    other = f"sqlite:///{place.folder}/other.db"
    words = ("batch-import", place.folder / "lake", "--parallel", 2, "--database-url", other)
    assert place.run(*words, shell="<&- >&- 2>&-").returncode == 0
    assert place.run("files", "plain", "--database-url", other).stdout.count("parquet") == 3
    assert sqlite3.connect(place.folder / "other.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


# ---- home


@pytest.fixture
def posts() -> Iterator[list[bytes]]:
    """What is posted to `http://127.0.0.1:PORT`; the port is the list's first element."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    received.append(server.server_port)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


def checked(place: Place, posts: list[Any], *words: object, **options: Any) -> Any:
    """Checks a catalog that is not there."""
    url = f"http://127.0.0.1:{posts[0]}/"
    return place.run("check", "--database-url", "sqlite:////no/such.db", "--webhook", url, *words, **options)


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null", "relative/none"])
def test_a_home_that_can_not_be_written_keeps_nobody_from_being_told(place: Place, posts: list[Any], home: str):
    if home == "relative/none":
        home = str(place.file)
    place.environment["HOME"] = home
    for times in (1, 2):
        done = checked(place, posts)
        assert done.returncode == 1
        assert "Warning: What the webhook was told can't be kept" in done.stderr
        assert "--state names another file" in done.stderr
        assert len(posts) == 1 + times
    assert checked(place, posts, "--state", place.folder / "state").stderr == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody who is nowhere known")
def test_somebody_without_a_home(place: Place, posts: list[Any], monkeypatch: pytest.MonkeyPatch):
    skip_unless_others_may_run_this()
    monkeypatch.delenv("HOME", raising=False)
    done = checked(place, posts, user=54321)
    assert done.returncode == 1
    assert "There is no home folder" in done.stderr
    assert len(posts) == 2


# ---- a tilde that no shell has seen


def test_a_tilde_is_the_home_folder_in_every_place(place: Place, posts: list[Any]):
    home = place.folder
    place.environment |= {"HOME": str(home), "DELTALAKEDB_DATABASE_URL": "sqlite:///~/catalog/catalog.db"}
    assert place.run("files", "plain").stdout.count("parquet") == 3
    (home / "mine.toml").write_text('database-url = "sqlite:///~/new.db"\n')
    (home / "list").write_text("~/lake/plain\n")
    (home / "url").write_text("sqlite:///~/new.db")
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()

    def run(*words: str) -> Any:
        return place.run(*words, cwd=elsewhere)

    place.environment["DELTALAKEDB_DATABASE_URL"] = None
    assert run("batch-import", "--from-file=~/list", "--config=~/mine.toml").returncode == 0
    assert (home / "new.db").exists()
    assert run("files", "plain", "--database-url-file=~/url").stdout.count("parquet") == 3
    assert run("validate", "~/lake/plain", "--config=~/mine.toml").returncode == 0
    assert run("export", "plain", "~/exported", "--config=~/mine.toml").returncode == 0
    assert (home / "exported" / "_delta_log").is_dir()
    webhook = f"--webhook=http://127.0.0.1:{posts[0]}/"
    assert run("check", webhook, "--database-url=sqlite:////no.db", "--state=~/told.json").returncode == 1
    assert (home / "told.json").exists()
    place.environment["DELTALAKEDB_CONFIG"] = "~/mine.toml"
    assert "/mine.toml" in run("config").stdout
    assert list(elsewhere.iterdir()) == []


# ---- encodings


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict"},
    ],
)
def test_whatever_the_encoding_is(place: Place, environment: dict[str, str]):
    place.environment |= environment
    assert place.run("validate", place.table).returncode == 0
    assert place.run("discover", "é…").returncode in (1, 2)


def test_a_name_that_the_encoding_has_not(place: Place):
    place.environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = place.run("files", "nöpe")
    assert done.returncode == 2
    assert "Not a text in the encoding of this system" in done.stderr
    assert "C.UTF-8" in done.stderr


# ---- a catalog that can only be read

READERS = (
    ["files", "plain"],
    ["history", "plain"],
    ["check"],
    ["migration-status"],
    ["events"],
    ["verify-rollback", "plain"],
    ["validate", "{table}"],
    ["performance-compare", "{table}"],
)


@pytest.mark.parametrize("words", READERS, ids=lambda words: words[0])
def test_readers_need_to_write_nothing(place: Place, as_stranger: Callable[..., Any], words: list[str]):
    done = as_stranger(*(word.format(table=place.table) for word in words))
    assert done.returncode == 0, done.stderr
    assert [file.name for file in place.file.parent.iterdir()] == ["catalog.db"]


@pytest.mark.parametrize("words", [["sync", "plain"], ["upgrade"], ["import", "{table}", "--table-id", "x"]])
def test_writers_are_told_what_they_may_not(place: Place, as_stranger: Callable[..., Any], words: list[str]):
    done = as_stranger(*(word.format(table=place.table) for word in words))
    assert done.returncode == 1
    assert "Permission denied" in done.stdout + done.stderr


def test_readers_see_what_a_writer_has_not_brought_into_the_file(place: Place, as_stranger: Callable[..., Any]):
    writer = sqlite3.connect(place.file)
    writer.execute("UPDATE delta_files SET path = 'changed'")
    writer.commit()
    for made in place.file.parent.iterdir():
        made.chmod(0o644)
    assert place.file.with_name("catalog.db-wal").stat().st_size
    done = as_stranger("files", "plain")
    assert (done.returncode, done.stdout) == (0, "changed\n" * 3)
    copy = place.folder / "copy"
    copy.mkdir()
    for name in ("catalog.db", "catalog.db-wal"):  # as after a crash of the machine
        shutil.copy(place.file.with_name(name), copy / name)
    writer.close()
    if os.geteuid() != 0:
        copy.chmod(0o555)
    done = as_stranger("files", "plain", "--database-url", f"sqlite:///{copy}/catalog.db")
    copy.chmod(0o755)
    assert done.returncode == 1
    assert "its -wal holds what is not in the file yet" in done.stderr
    assert "somebody who may write there" in done.stderr


def test_a_file_that_changes_while_it_is_read_without_locks_is_noticed(place: Place, monkeypatch: pytest.MonkeyPatch):
    real = sqlite3.connect

    class Refusing:
        """A connection to a file beside which nothing can be made."""

        def __init__(self, connection: sqlite3.Connection) -> None:
            self.connection = connection

        def execute(self, _statement: str) -> None:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorname = "SQLITE_CANTOPEN"
            raise error

        def close(self) -> None:
            self.connection.close()

    def refusing(name: str, **parameters: Any) -> Any:
        connection = real(name, **parameters)
        return connection if "immutable" in name else Refusing(connection)

    monkeypatch.setattr("deltalakedb.catalog.dialects.sqlite_unwritable.sqlite3.connect", refusing)
    database = Database(place.url)
    with database.reading():
        pass  # nothing has changed
    with pytest.raises(DatabaseBusyError, match="written while it was read"), database.reading():
        os.utime(place.file, ns=(1, 1))
    database.close()


def test_a_program_reads_what_it_can_not_write(place: Place, as_stranger: Callable[..., Any]):
    script = f"""
import deltalakedb
table = deltalakedb.DeltaTable({place.url!r}, table_id="plain")
assert table.version() == 2 and len(table.file_uris()) == 3 and table.to_pyarrow_table().num_rows == 3
"""
    done = as_stranger(script, program=["-c"])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "name", ["SQLITE_PROTOCOL", "SQLITE_IOERR_LOCK", "SQLITE_IOERR_SHMMAP", "SQLITE_IOERR_SHMOPEN"]
)
def test_a_drive_without_locks_is_named(place: Place, name: str, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    error = sqlite3.OperationalError("locking protocol")
    error.sqlite_errorname = name

    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("deltalakedb.catalog.dialects.sqlite_unwritable.sqlite3.connect", refuse)
    assert main(["files", "plain", "--database-url", place.url]) == 1
    said = capsys.readouterr().err
    assert "Error: Database connection failed" in said
    assert "is on a file system without the locks that SQLite needs (locking protocol)" in said
    assert "hint: Keep the file on a local disk" in said
