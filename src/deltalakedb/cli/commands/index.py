"""`deltalakedb index`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..run import Run


@click.command(
    "index",
    cls=WithExamples,
    examples=[
        "deltalakedb index orders order_id customer.city",
        "deltalakedb index orders order_id --drop",
    ],
)
@options.table_id_argument
@click.argument("columns", nargs=-1, required=True, metavar="COLUMN…")
@click.option("--drop", is_flag=True, help="Drop the columns' indexes instead.")
@options.common
def command(run: Run, table_id: str, columns: tuple[str, ...], drop: bool) -> None:
    """Index columns, for pruning files at once.

    Their smallest and largest values in each file are kept apart, typed and with an index of their own. Prints the
    columns of the table that have an index then. Syncs keep them up. Partition columns need none.
    """
    from ...table.indexing import index

    with run.database() as database:
        run.output.indexed(table_id, index(database, table_id, columns, drop=drop))
