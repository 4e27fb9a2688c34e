"""`deltalakedb demo`."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...home import home_expanded
from .. import options
from ..arguments import CONFIG_VARIABLE, DATABASE_VARIABLE
from ..help import WithExamples
from ..run import Run

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_TABLE = "demo_orders"
_LOCATION = f"lake/{_TABLE}"
_VARIABLES = "DELTALAKEDB_"


@dataclass(frozen=True, slots=True)
class _Step:
    """A command line, and what it is there to show; `grows` adds to the table before."""

    why: str
    line: str
    grows: bool = False


_STEPS = [
    _Step("A lake with one Delta table, written by delta-rs just now.", "discover lake"),
    _Step("What would an import do? Nothing is changed.", f"import {_LOCATION} --dry-run"),
    _Step("Every version goes into the database; the table itself is only read.", f"import {_LOCATION}"),
    _Step("Is it right? An independent reader looks at every version.", f"validate {_LOCATION} --all-versions"),
    _Step("What is in the catalog?", "migration-status"),
    _Step("Which files make up the newest version?", f"files {_TABLE}"),
    _Step("What happened to the table?", f"history {_TABLE} --limit 5"),
    _Step("Two commits more were written: take them in.", f"sync {_TABLE}", grows=True),
    _Step("Is SQL faster than the log? (The larger the log, the more.)", f"performance-compare {_LOCATION}"),
    _Step("Could the table do without the catalog?", f"verify-rollback {_TABLE}"),
]
_UNDO = _Step("And back: the catalog forgets, the table stays.", f"rollback {_TABLE} --yes")


@click.command("demo", cls=WithExamples, examples=["deltalakedb demo", "deltalakedb demo --keep /tmp/demo"])
@click.option(
    "--keep",
    metavar="DIR",
    callback=options.filled,
    help="Make everything in this new folder, and leave it there.",
)
@options.common
def command(run: Run, keep: str | None) -> int:
    """Show everything on a table made for it.

    Writes a small Delta table to a temporary folder, and runs the commands of a migration on it, each below its
    command line. The database is SQLite in that folder, unless --database-url names another.
    """
    url = _given_url(run)
    as_json = click.get_current_context().params["output"] == "json"
    results: list[dict[str, Any]] = []
    with _folder(keep) as folder, chdir(folder), _environment(url):
        code = _tour(folder, results if as_json else None, undo=keep is None)
        if as_json:
            click.echo(json.dumps({"folder": str(folder) if keep else None, "steps": results}))
        elif keep is not None and not code:
            click.secho(f"# All of it is kept. Go on with: cd {shlex.quote(str(folder))}", dim=True)
    return code


def _tour(folder: Path, results: list[dict[str, Any]] | None, *, undo: bool) -> int:
    from ..demo_lake import grow_orders, write_orders

    table = folder / _LOCATION
    write_orders(table)
    for step in [*_STEPS, *([_UNDO] if undo else [])]:
        if step.grows:
            grow_orders(table)
        code = _show(step) if results is None else _collect(step, results)
        if code:
            return code
    return 0


def _show(step: _Step) -> int:
    from ..app import run_line

    click.secho(f"# {step.why}", dim=True)
    click.secho(f"$ deltalakedb {step.line}", bold=True)
    sys.stdout.flush()
    code = run_line(step.line.split())
    click.echo()
    return code


def _collect(step: _Step, results: list[dict[str, Any]]) -> int:
    from ..app import run_line

    with redirect_stdout(io.StringIO()) as printed:
        code = run_line([*step.line.split(), "--output", "json"])
    results.append({"command": f"deltalakedb {step.line}", "exit_code": code, "result": json.loads(printed.getvalue())})
    return code


def _given_url(run: Run) -> str | None:
    """The database that the command line names. One that is configured is in use elsewhere: no place for a demo."""
    if not run.settings.database_url().source.startswith("--"):
        return None
    from sqlalchemy import make_url

    from ...catalog.database import Database

    url = make_url(Database(run.database_url()).url)
    if url.drivername.startswith("sqlite") and url.database and not url.database.startswith("file:"):
        url = url.set(database=str(Path(url.database).absolute()))  # the steps run in another folder
    return url.render_as_string(hide_password=False)


def _folder(keep: str | None) -> AbstractContextManager[Path]:
    if keep is None:
        return _temporary_folder()
    folder = Path(home_expanded(keep)).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.BadParameter(f"{keep} is there already.", click.get_current_context(), param_hint="'--keep'")
    folder.mkdir(parents=True, exist_ok=True)
    return nullcontext(folder)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="deltalakedb-demo-") as folder:
        yield Path(folder).resolve()


@contextmanager
def _environment(url: str | None) -> Iterator[None]:
    """Lets the steps find their database without naming it on every line, and nothing that is meant for others."""
    from ...catalog.database import DEFAULT_URL

    before = {name: value for name, value in os.environ.items() if name.startswith(_VARIABLES)}
    for name in before:
        del os.environ[name]
    os.environ |= {DATABASE_VARIABLE: url or DEFAULT_URL, CONFIG_VARIABLE: os.devnull}
    try:
        yield
    finally:
        del os.environ[DATABASE_VARIABLE], os.environ[CONFIG_VARIABLE]
        os.environ |= before
