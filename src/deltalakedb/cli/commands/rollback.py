"""`deltalakedb rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .. import confirmation, options
from ..help import WithExamples
from ..output.human import counted_rows, printable
from ..run import Run

if TYPE_CHECKING:
    from ...catalog.database import Database


@click.command(
    "rollback",
    cls=WithExamples,
    examples=[
        "deltalakedb rollback orders",
    ],
)
@options.table_id_argument
@confirmation.yes
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and change nothing.")
@options.storage
@options.common
def command(run: Run, table_id: str, yes: bool, dry_run: bool) -> int:
    """Make the catalog forget a table.

    The log takes over again: it is checked first that it opens, and nothing below the table's location is touched.
    Exits with 3, and deletes nothing, where that would lose anything.
    """
    if not (yes or dry_run):
        confirmation.check_answerable("A rollback")
    from ...migrate.rollback import rollback

    with run.database() as database:
        if not (yes or dry_run or _confirmed(run, database, table_id)):
            run.note("Nothing was deleted.")
            return 1
        report = rollback(database, table_id, dry_run=dry_run, storage_options=run.storage_options)
    run.output.rolled_back(report)
    return 0


def _confirmed(run: Run, database: Database, table_id: str) -> bool:
    from ...migrate.rollback import rollback

    plan = rollback(database, table_id, dry_run=True, storage_options=run.storage_options)
    name = printable(table_id)
    click.echo(f"{name} would be forgotten: {counted_rows(plan.deleted)}", err=True)
    click.echo(f"Its log at {printable(plan.location)} stays as it is.", err=True)
    return click.confirm(f"Delete {name} from {run.where(database)}?", err=True)
