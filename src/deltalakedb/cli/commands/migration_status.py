"""`deltalakedb migration-status`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from .. import options
from ..help import WithExamples
from ..progress import StatusMeter, display
from ..run import Run
from ..signals import Terminated

if TYPE_CHECKING:
    from ...catalog.database import Database
    from ...catalog.registry import TableStatus

_SECONDS = 2.0


@click.command(
    "migration-status",
    cls=WithExamples,
    examples=[
        "deltalakedb migration-status --watch",
        "deltalakedb migration-status --table-id orders",
    ],
)
@click.option("--table-id", metavar="ID", callback=options.filled, help="Everything about one table.")
@click.option("--watch", is_flag=True, help="Look again every 2 seconds until nothing runs; Ctrl-C ends it.")
@options.common
def command(run: Run, table_id: str | None, watch: bool) -> None:
    """Show how far the imports have come.

    With --watch the result is what holds when nothing runs any more; until then a terminal shows every step.
    """
    with run.database(to_read=True) as database:
        found = _read(database, table_id)
        if watch:
            found = _watched(database, table_id, found)
    run.output.statuses(found, detailed=table_id is not None)


def _read(database: Database, table_id: str | None) -> list[TableStatus]:
    from ...catalog import registry
    from ...errors import TableNotFoundError

    with database.reading() as connection:
        found = registry.statuses(connection, table_id)
    if table_id is not None and not found:
        raise TableNotFoundError(
            f"There is no table {table_id!r} in the catalog", "`deltalakedb migration-status` lists the tables."
        )
    return found


def _watched(database: Database, table_id: str | None, found: list[TableStatus]) -> list[TableStatus]:
    """Returns what holds when nothing runs any more, or when the user has seen enough."""
    with display() as shown:
        meter = StatusMeter(shown)
        try:
            while any(status.status == "running" for status in found):
                meter(found)
                time.sleep(_SECONDS)
                found = _read(database, table_id)
        except Terminated:
            raise
        except KeyboardInterrupt:
            pass
    return found
