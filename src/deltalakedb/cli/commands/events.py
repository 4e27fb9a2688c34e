"""`deltalakedb events`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..run import Run


@click.command(
    "events",
    cls=WithExamples,
    examples=[
        "deltalakedb events",
        "deltalakedb events orders --limit 10",
    ],
)
@click.argument("table_id", required=False, callback=options.filled)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    callback=options.fits,
    default=50,
    show_default=True,
    metavar="EVENTS",
    help="Only the latest ones.",
)
@options.common
def command(run: Run, table_id: str | None, limit: int) -> None:
    """List who ran which command, the latest first.

    Of one table, also where it has been rolled back since, or of the whole catalog.
    """
    from ...catalog import events
    from ...errors import TableNotFoundError

    with run.database(to_read=True) as database, database.reading() as connection:
        found = events.events(connection, limit) if table_id is None else events.events_of(connection, table_id, limit)
    if table_id is not None and not found:
        raise TableNotFoundError(f"Nothing was ever done to a table {table_id!r}", "`deltalakedb events` lists all.")
    run.output.events(found)
