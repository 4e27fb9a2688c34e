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
    metavar="FILES",
    help="Files a database transaction.  [default: 1000, more for a log above 64 MB]",
)


_STORAGE = "deltalakedb.storage_options"


def storage_options(ctx: click.Context) -> dict[str, str]:
    """Returns the storage options of a command line; none where the command has no such option."""
    given: dict[str, str] = ctx.meta.get(_STORAGE, {})
    return given


def _keep_storage(ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> None:
    options = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals):
            # The value is not repeated: it may be a secret.
            raise click.BadParameter("It has the form KEY=VALUE, as in aws_region=eu-central-1.")
        options[name] = value
    ctx.meta[_STORAGE] = options


storage = click.option(
    "--storage-option",
    multiple=True,
    metavar="KEY=VALUE",
    expose_value=False,
    callback=_keep_storage,
    help="For an object store, by the name that delta-rs has for it, as in aws_region=eu-central-1. Repeatable.",
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
        context = click.get_current_context()
        kwargs.pop("verbose")  # has taken effect before click saw it
        secrets = context.find_object(Secrets) or Secrets(())
        run = Run(None if url is None else str(url), output_for(str(output)), secrets, storage_options(context))
        return function(run, *args, **kwargs)

    return command
