"""Options and arguments that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import click

from ..catalog.secrets import Secrets
from .arguments import DATABASE_VARIABLE
from .output import output_for
from .run import Run

P = ParamSpec("P")

path = click.argument("path")
table_id_argument = click.argument("table_id")
table_id = click.option("--table-id", metavar="ID", help="The table's name in SQL.  [default: the last part of PATH]")
batch_size = click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="FILES",
    help="Files a database transaction.",
)


def common(function: Callable[Concatenate[Run, P], int | None]) -> Callable[P, int | None]:
    """Adds what every command has, and hands it over as a `Run`."""

    @click.option(
        "--database-url",
        metavar="URL",
        envvar=DATABASE_VARIABLE,
        show_envvar=True,
        help="The database of the catalog.  [default: sqlite:///deltalakedb.db]",
    )
    @click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people, or for programs.",
    )
    @click.option("-v", "--verbose", is_flag=True, help="Log what happens, with times; show tracebacks.")
    @functools.wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> int | None:
        url, output = kwargs.pop("database_url"), kwargs.pop("output")
        kwargs.pop("verbose")  # has taken effect before click saw it
        secrets = click.get_current_context().find_object(Secrets) or Secrets(())
        run = Run(None if url is None else str(url), output_for(str(output)), secrets)
        return function(run, *args, **kwargs)

    return command
