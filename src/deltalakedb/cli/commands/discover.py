"""`deltalakedb discover`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from .. import options
from ..help import WithExamples
from ..logs import say
from ..run import Run

if TYPE_CHECKING:
    from ...migrate.discover import FoundTable, Unlisted


@click.command(
    "discover",
    cls=WithExamples,
    examples=[
        "deltalakedb discover /lake --recursive > tables.txt",
    ],
)
@options.path
@click.option("--recursive", is_flag=True, help="Look in all folders below PATH, not only directly below it.")
@options.storage
@options.common
def command(run: Run, path: str, recursive: bool) -> int:
    """Find the Delta tables below PATH.

    A table on a terminal; in a pipe one location a line, as `batch-import --from-file` takes them. Exits with 1 where a
    folder could not be looked at.
    """
    from ...migrate.discover import discover

    not_listed: list[Unlisted] = []

    def note(place: Unlisted) -> None:
        say(f"Not looked at: {place.location}: {place.error}", level=logging.WARNING)
        not_listed.append(place)

    tables = discover(path, recursive=recursive, storage_options=run.storage_options, on_unlisted=note)
    count = run.output.discovered(_warned(run, tables))
    if not count:
        hint = "" if recursive else " --recursive looks further down."
        run.note(f"No Delta tables found at {path} or below.{hint}")
    return 1 if not_listed else 0


def _warned(run: Run, tables: Iterable[FoundTable]) -> Iterator[FoundTable]:
    for table in tables:
        if table.problem is not None:
            run.note(f"Warning: {table.location}: {table.problem}")
        yield table
