"""Makes the tables of tests/writers/tables anew: `python -m tests.writers.make_tables [WRITER…]`, or `make writers`.

Each writer runs in a virtual environment of its own, with what PyPI has for it, in the folder `/tmp/t`: writers put
its path into their logs. What it wrote is kept as it is, a `<writer>.tar.gz` with `<table>/table/…` and the rows that
the newest version has, `<table>/rows.parquet`; the files' times are kept, too. `<writer>.json` beside it says which
versions each table has, how many rows each has, and what the writer refused to do.

Needs a Python 3.11, for which the oldest writers have their wheels, and PyPI. The names of files, ids and times differ
from run to run, so a table changes with each.
"""

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLES = Path(__file__).parent / "tables"
WORK = Path("/tmp/t")  # in what writers log; no path of a machine


@dataclass(frozen=True)
class Writer:
    """A writer: the module that has it write, and what pip installs for it."""

    name: str
    module: str
    requirements: tuple[str, ...]


def _deltalake(version: str, *others: str) -> Writer:
    return Writer(f"deltalake-{version}", "with_deltalake", (f"deltalake=={version}", *others))


WRITERS = (
    _deltalake("0.10.2", "pyarrow==12.0.0", "numpy<2"),
    _deltalake("0.15.3", "pyarrow==14.0.2", "numpy<2"),
    _deltalake("0.18.2", "pyarrow==16.1.0", "numpy<2"),
    _deltalake("0.22.3", "pyarrow==18.1.0"),
    _deltalake("0.25.5", "pyarrow==19.0.1"),
    _deltalake("1.2.1", "pyarrow==21.0.0"),
    _deltalake("1.5.1", "pyarrow==22.0.0"),
    _deltalake("1.6.6", "pyarrow==26.0.1"),
    Writer("clickhouse-26.9", "with_clickhouse", ("chdb==4.4.0", "deltalake==1.6.6", "pyarrow==26.0.1")),
    Writer("daft-0.7.26", "with_daft", ("daft==0.7.26", "deltalake==1.6.6", "pyiceberg==0.12.0", "pyarrow==25.0.1")),
    Writer(
        "duckdb-1.5.5",
        "with_duckdb",
        ("duckdb==1.5.5", "duckdb-extension-delta==1.5.5", "deltalake==1.6.6", "pyarrow==26.0.1", "pytz"),
    ),
    Writer("polars-2.1.0", "with_polars", ("polars==2.1.0", "deltalake==1.6.6", "pyarrow==26.0.1")),
    Writer("pysail-0.7.2", "with_sail", ("pysail==0.7.2", "pyspark-client==4.2.0", "pandas", "pyarrow==26.0.1")),
)


def main(names: list[str], environments: Path) -> None:
    """Has these writers write, or all of them."""
    unknown = set(names) - {writer.name for writer in WRITERS}
    if unknown:
        sys.exit(f"no such writer: {', '.join(sorted(unknown))}; there are {', '.join(w.name for w in WRITERS)}")
    for writer in WRITERS:
        if not names or writer.name in names:
            _make(writer, environments / writer.name)


def _make(writer: Writer, environment: Path) -> None:
    WORK.mkdir(parents=True)  # never in what somebody else has there
    try:
        _run(writer, _python(environment, writer.requirements))
        _check_paths()
        _store(writer.name, sorted(path.parent for path in WORK.glob("*/expected.json")))
    finally:
        shutil.rmtree(WORK)


def _python(environment: Path, requirements: tuple[str, ...]) -> Path:
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *requirements], check=True)
    return python


def _run(writer: Writer, python: Path) -> None:
    names = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
    command = [str(python), "-m", f"tests.writers.{writer.module}"]
    subprocess.run(command, cwd=WORK, env={**os.environ, **names}, check=True)


def _check_paths() -> None:
    """No file may name a folder of this machine, but the neutral one."""
    named = [str(place).encode() for place in (ROOT, Path.home(), Path(sys.prefix))]
    for path in WORK.rglob("*"):
        if path.is_file() and any(name in path.read_bytes() for name in named):
            sys.exit(f"{path} has a path of this machine")


def _store(name: str, folders: list[Path]) -> None:
    TABLES.mkdir(exist_ok=True)
    expected = {folder.name: json.loads((folder / "expected.json").read_text()) for folder in folders}
    text = json.dumps(expected, indent=1, ensure_ascii=False, sort_keys=True)
    (TABLES / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    archive = TABLES / f"{name}.tar.gz"
    with gzip.GzipFile(archive, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for folder in folders:
            for part in ("table", "rows.parquet"):
                tar.add(folder / part, f"{folder.name}/{part}", filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    return member.replace(uid=0, gid=0, uname="", gname="", deep=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.writers.make_tables", description=__doc__)
    parser.add_argument("writers", nargs="*", metavar="WRITER")
    parser.add_argument("--environments", type=Path, help="a folder that keeps the environments for the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        main(arguments.writers, arguments.environments or Path(folder))
