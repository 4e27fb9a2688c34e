"""`deltalakedb files`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..run import Run


@click.command(
    "files",
    cls=WithExamples,
    examples=[
        "deltalakedb files orders --where \"day = '2024-03-03' AND amount >= 10\"",
        "deltalakedb files orders --version 12 --output json",
        "deltalakedb files orders --timestamp 2024-03-03T12:00:00Z",
    ],
)
@options.table_id_argument
@options.version("The version.  [default: the newest]")
@click.option("--timestamp", metavar="TIME", help="In place of a version, the time at which it was the newest.")
@click.option("--where", metavar="SQL", help="Only files that may hold rows for which this is true.")
@options.common
def command(run: Run, table_id: str, version: int | None, timestamp: str | None, where: str | None) -> None:
    """List the active files of a table.

    A table on a terminal; in a pipe one path a line, as in the log.
    """
    if version is not None and timestamp is not None:
        raise click.UsageError("Give --version or --timestamp, not both.", click.get_current_context())
    from ...table.features import missing_commits
    from ...table.filters import condition
    from ...table.opened import open_at

    with run.database(to_read=True) as database:
        opened = open_at(database, table_id, version if timestamp is None else timestamp)
        run.warn(missing_commits(opened.protocol))
        with opened.snapshot() as snapshot:
            run.output.files(opened, snapshot, condition(opened, snapshot, where))
