"""`deltalakedb export`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..run import Run


@click.command(
    "export",
    cls=WithExamples,
    examples=[
        "deltalakedb export orders /restored/orders",
        "deltalakedb export orders /tmp/orders-at-12 --version 12 --absolute-paths",
    ],
)
@options.table_id_argument
@click.argument("destination", metavar="DEST", callback=options.filled)
@options.version("The version to end with.  [default: the newest]")
@click.option("--absolute-paths", is_flag=True, help="Let the new log lead to the original table's files.")
@options.common
def command(run: Run, table_id: str, destination: str, version: int | None, absolute_paths: bool) -> None:
    """Write a table's log from SQL alone.

    Makes the folder DEST, which must not be there yet, with a _delta_log in it: every commit that SQL has, and a
    checkpoint. The original table is not read. An export that fails leaves nothing.
    """
    from ...migrate.export import export_table

    absolute = None
    if absolute_paths:
        from ...table.absolute import AbsolutePaths

        absolute = AbsolutePaths
    with run.database() as database:
        report = export_table(database, table_id, destination, version=version, absolute=absolute)
    run.output.exported(report)
