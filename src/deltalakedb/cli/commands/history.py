"""`deltalakedb history`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..run import Run


@click.command(
    "history",
    cls=WithExamples,
    examples=[
        "deltalakedb history orders --limit 10",
    ],
)
@options.table_id_argument
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    callback=options.fits,
    metavar="COMMITS",
    help="Only the newest ones.",
)
@options.common
def command(run: Run, table_id: str, limit: int | None) -> None:
    """List the commits of a table, the newest first."""
    from ...catalog import registry
    from ...catalog.snapshot import snapshot
    from ...table.features import missing_commits

    with run.database(to_read=True) as database, database.reading() as connection:
        at = snapshot(connection, registry.readable(connection, table_id))
        protocol = at.protocol()
        run.warn(None if protocol is None else missing_commits(protocol))
        run.output.history(at, limit)
