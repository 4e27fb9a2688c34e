"""`deltalakedb discover`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from .. import options
from ..help import WithExamples
from ..run import Run

if TYPE_CHECKING:
    from ...migrate.discover import FoundTable


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
def command(run: Run, path: str, recursive: bool) -> None:
    """Find the Delta tables below PATH.

    A table on a terminal; in a pipe one location a line, as `batch-import --from-file` takes them.
    """
    from ...migrate.discover import discover

    tables = discover(path, recursive=recursive, storage_options=run.storage_options)
    count = run.output.discovered(_warned(run, tables))
    if not count:
        hint = "" if recursive else " --recursive looks further down."
        run.note(f"No Delta tables found at {path} or below.{hint}")


def _warned(run: Run, tables: Iterable[FoundTable]) -> Iterator[FoundTable]:
    for table in tables:
        if table.problem is not None:
            run.note(f"Warning: {table.location}: {table.problem}")
        yield table
