"""Options and arguments that several commands share."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from ..catalog.secrets import Secrets
from ..home import home_expanded
from ..log.path import MAX_VERSION
from .arguments import CONFIG_VARIABLE, DATABASE_VARIABLE, LOG_FORMAT_VARIABLE, READ_VARIABLE
from .config import SETTINGS
from .help import ABOUT_DATABASE
from .output import output_for
from .run import Run
from .settings import STORAGE_GIVEN, Settings

P = ParamSpec("P")
Command = TypeVar("Command", bound=Callable[..., object])


def filled(_context: click.Context, _parameter: click.Parameter, given: Any) -> Any:
    """Refuses an empty text: a variable that is not set must not mean everything, or the working folder."""
    texts: tuple[str, ...] = (given,) if isinstance(given, str) else given or ()
    if not all(map(str.strip, texts)):
        raise click.BadParameter("It is empty. Is it a variable that is not set?")
    return given


path = click.argument("path", callback=filled)
table_id_argument = click.argument("table_id", callback=filled)
table_id = click.option(
    "--table-id",
    metavar="ID",
    callback=filled,
    help="The table's name in SQL.  [default: the catalog's table at PATH, else the last part of PATH]",
)
batch_size = click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="FILES",
    envvar="DELTALAKEDB_BATCH_SIZE",
    help="Files a database transaction.  [default: 1000, more for a log above 64 MB]",
)
parallel = click.option(
    "--parallel",
    type=click.IntRange(min=1),
    metavar="TABLES",
    envvar="DELTALAKEDB_PARALLEL",
    help="Tables at once, each in a process of its own.  [default: 1]",
)


class FilePath(click.Path):
    """A file of an option, as a path. In `--option=~/x` no shell has seen the `~`."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(home_expanded(os.fspath(value)), param, ctx)


def fits(_context: click.Context, _parameter: click.Parameter, number: int | None) -> int | None:
    """Refuses a number that is greater than any version."""
    if number is not None and number > MAX_VERSION:
        raise click.BadParameter("It is greater than any version.")
    return number


def version(help_text: str) -> Callable[[Command], Command]:
    """Returns the option `--version`."""
    return click.option("--version", type=click.IntRange(min=0), callback=fits, help=help_text)


def _keep_storage(ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> None:
    options = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals):
            # The value is not repeated: it may be a secret.
            raise click.BadParameter("It has the form KEY=VALUE, as in aws_region=eu-central-1.")
        options[name] = value
    ctx.meta[STORAGE_GIVEN] = options


storage = click.option(
    "--storage-option",
    multiple=True,
    metavar="KEY=VALUE",
    expose_value=False,
    callback=_keep_storage,
    help="For an object store, by the name that delta-rs has for it, as in aws_region=eu-central-1. Repeatable.",
)

_DATABASE = (
    click.option(
        "--database-url",
        metavar="URL",
        envvar=DATABASE_VARIABLE,
        show_envvar=True,
        help="The database of the catalog.  [default: sqlite:///deltalakedb.db]",
    ),
    click.option(
        "--database-url-file",
        metavar="FILE",
        envvar="DELTALAKEDB_DATABASE_URL_FILE",
        help="Holds the URL, so that no list of processes shows it.",
    ),
    click.option(
        "--read-url", metavar="URL", envvar=READ_VARIABLE, help="A read replica, for commands that only read."
    ),
    click.option(
        "--schema",
        metavar="NAME",
        envvar="DELTALAKEDB_SCHEMA",
        callback=filled,
        help="PostgreSQL: where the tables are.",
    ),
    click.option(
        "--pool-size",
        type=click.IntRange(min=1),
        metavar="N",
        envvar="DELTALAKEDB_POOL_SIZE",
        help="Connections of a process at most.  [default: 15]",
    ),
    click.option(
        "--connect-timeout",
        type=click.IntRange(min=1),
        metavar="SECONDS",
        envvar="DELTALAKEDB_CONNECT_TIMEOUT",
        help="How long to wait for a server.  [default: 10]",
    ),
    click.option(
        "--statement-timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        envvar="DELTALAKEDB_STATEMENT_TIMEOUT",
        help="When the server is to give up on a statement.  [default: the server's]",
    ),
    click.option(
        "--config",
        metavar="FILE",
        envvar=CONFIG_VARIABLE,
        help="Holds what is not given otherwise.  [default: deltalakedb.toml or pyproject.toml, here or above]",
    ),
)


def common(function: Callable[Concatenate[Run, P], int | None]) -> Callable[P, int | None]:
    """Adds what every command has, and hands it over as a `Run`."""

    @click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people, or for programs.",
    )
    @click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        envvar=LOG_FORMAT_VARIABLE,
        help="What stderr says: for people, or an event a line for machines.",
    )
    @click.option("-v", "--verbose", is_flag=True, help="Log what happens, with times; show tracebacks.")
    @functools.wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> int | None:
        context = click.get_current_context()
        secrets = context.find_object(Secrets) or Secrets()
        output = output_for(str(kwargs.pop("output")))
        for name in ("verbose", "log_format"):
            kwargs.pop(name)  # have taken effect before click saw them
        settings = Settings(context, secrets)
        for name in ABOUT_DATABASE:
            kwargs.pop(name)
        for name in kwargs:
            if name.replace("_", "-") in SETTINGS:
                kwargs[name] = settings.of(name).value
        return function(Run(output, secrets, settings), *args, **kwargs)

    for option in reversed(_DATABASE):
        command = option(command)
    return command
