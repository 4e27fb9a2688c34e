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
        "deltalakedb files orders --output json",
    ],
)
@options.table_id_argument
@options.common
def command(run: Run, table_id: str) -> None:
    """List the active files of a table.

    A table on a terminal; in a pipe one path a line, as in the log.
    """
    from ...catalog import registry
    from ...catalog.snapshot import snapshot

    with run.database() as database, database.reading() as connection:
        run.output.files(snapshot(connection, registry.readable(connection, table_id)))
