"""What the cases share: logs, databases, catalogs that are imported once, and the commands that are measured."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.support.mariadb import connect

from .logs import Shape, link_log, make_checkpointed_log, make_log
from .measure import Contender

ADDS_PER_COMMIT = 100
TABLE = "benchmark"
"""The id of the table in every catalog."""


@dataclass
class Bench:
    """One run of the benchmarks. `logs` may be kept for the next run; `work` is thrown away."""

    files: int
    runs: int
    logs: Path
    work: Path
    server: str
    _kept: dict[tuple[Path, str], str] = field(default_factory=dict)

    @property
    def at(self) -> str:
        """The size, as the table shows it."""
        return f"{self.files:,} adds"

    @property
    def small(self) -> int:
        """The small size of a comparison of two: 20,000 for a million."""
        return max(100, self.files // 50)

    def log(self, files: int | None = None) -> Path:
        """A log of commits only."""
        return make_log(self.logs, _shape(files or self.files))

    def checkpointed(self) -> Path:
        """A log with a checkpoint at its head and as many active files as there are to be."""
        return make_checkpointed_log(self.logs, _shape(self.files * 10 // 9))

    def copy_of(self, location: Path) -> Path:
        """A copy of a log that may grow; the same one every time."""
        copy = self.work / f"copy-of-{location.name}"
        return copy if copy.exists() else link_log(location, copy)

    def kept(self, location: Path, kind: str = "postgresql") -> str:
        """The URL of a catalog with the table, imported by the first case that asks.

        It is as it would be an hour later: the server has vacuumed it.
        """
        key = (location, kind)
        if key not in self._kept:
            name = f"kept_{len(self._kept)}"
            url = self.database(name) if kind == "postgresql" else f"sqlite:///{self.work / name}.db"
            subprocess.run(import_command(location, url), check=True, stdout=subprocess.DEVNULL)
            if kind == "postgresql":
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("VACUUM (ANALYZE)")
                    connection.execute("CHECKPOINT")
            self._kept[key] = url
        return self._kept[key]

    def database(self, name: str) -> str:
        """The URL of a new, empty database of the server."""
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS bench_{name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE bench_{name}")
        return urlsplit(self.server)._replace(path=f"/bench_{name}").geturl()

    def import_into_postgresql(self, location: Path, name: str = "PostgreSQL") -> Contender:
        """Our import, each time into an empty database."""
        url = urlsplit(self.server)._replace(path="/bench_import").geturl()
        return Contender(name, import_command(location, url), lambda: self._fresh("import"))

    def import_into_mysql(self, location: Path, server: str) -> Contender:
        """Our import, each time into an empty database of a server of MySQL or MariaDB."""
        url = urlsplit(server)._replace(path="/bench_import").geturl()

        def fresh() -> None:
            with closing(connect(server)) as connection, connection.cursor() as cursor:
                cursor.execute("DROP DATABASE IF EXISTS bench_import")
                cursor.execute("CREATE DATABASE bench_import")

        return Contender("MariaDB", import_command(location, url), fresh)

    def import_into_sqlite(self, location: Path) -> Contender:
        """Our import, each time into a new file."""
        catalog = self.work / "import.db"

        def remove() -> None:
            for path in self.work.glob(f"{catalog.name}*"):
                path.unlink()

        return Contender("SQLite", import_command(location, f"sqlite:///{catalog}"), remove)

    def raw_limit(self, location: Path) -> Contender:
        """What any import must do, and nothing else."""
        url = urlsplit(self.server)._replace(path="/bench_raw").geturl()
        command = [sys.executable, "-m", "benchmarks.raw_limit", str(location), url]
        return Contender("raw limit", command, lambda: self._fresh("raw"))

    def load_alone(self, location: Path, imported: Contender) -> Contender:
        """What the database of an import takes for its rows of files alone, which the process measures itself."""
        command = [sys.executable, "-m", "benchmarks.load_alone", str(location), imported.command[-1]]
        return Contender("the load alone", command, imported.before)

    def _fresh(self, name: str) -> None:
        url = self.database(name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")


def import_command(location: Path, url: str) -> list[str]:
    """The command line of our import."""
    return ours("import", str(location), "--table-id", TABLE, "--database-url", url)


def ours(*arguments: str) -> list[str]:
    """A command line of ours."""
    return [sys.executable, "-m", "deltalakedb", *arguments]


def delta_rs_opens(location: Path, then: str = "", *, name: str = "delta-rs") -> Contender:
    """A process in which delta-rs opens a table, and does with `table` what else is said."""
    script = f"import deltalake; table = deltalake.DeltaTable({str(location)!r}); {then}"
    return Contender(name, [sys.executable, "-c", script])


def ask_us(question: str, *arguments: object, name: str = "ours") -> Contender:
    """A fresh process that asks us, and measures it itself."""
    return _asking(name, "ours", question, arguments)


def ask_delta_rs(question: str, *arguments: object, name: str = "delta-rs") -> Contender:
    """A fresh process that asks delta-rs, and measures it itself."""
    return _asking(name, "peer", question, arguments)


def _asking(name: str, side: str, question: str, arguments: tuple[object, ...]) -> Contender:
    return Contender(name, [sys.executable, "-m", "benchmarks.ask", side, question, *map(str, arguments)])


def _shape(files: int) -> Shape:
    return Shape(files, max(2, files // ADDS_PER_COMMIT))
