"""`deltalakedb import`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .. import confirmation, options
from ..help import WithExamples
from ..output.human import counted_rows, printable
from ..progress import ImportMeter, display
from ..run import Run

if TYPE_CHECKING:
    from ...catalog.database import Database


@click.command(
    "import",
    cls=WithExamples,
    examples=[
        "deltalakedb import /lake/orders --database-url postgresql://me@db/lake",
        "deltalakedb import /lake/orders --dry-run",
        "deltalakedb import /lake/orders --resume",
        "deltalakedb import /lake/orders --replace",
    ],
)
@options.path
@options.table_id
@options.batch_size
@click.option("--dry-run", is_flag=True, help="Read the log, change nothing, and say what an import would do.")
@click.option("--resume", is_flag=True, help="Go on where an import stopped; take in what a table has grown by.")
@click.option(
    "--replace",
    is_flag=True,
    help="Delete what the catalog has of the table and import it anew, where it was recreated at its place.",
)
@confirmation.yes
@options.storage
@options.common
def command(
    run: Run,
    path: str,
    table_id: str | None,
    batch_size: int | None,
    dry_run: bool,
    resume: bool,
    replace: bool,
    yes: bool,
) -> int:
    """Import the log of the Delta table at PATH.

    Every version that the log can rebuild goes into the database. The table itself is only read. --replace asks before
    it deletes, and deletes nothing before the new log has been opened; the table can be read again when its import has
    completed.
    """
    from ...migrate.ahead import Ahead

    if resume and replace:
        raise click.UsageError("--resume goes on, --replace begins anew: give one.", click.get_current_context())
    is_to_be_asked = replace and not (yes or dry_run)
    if is_to_be_asked:
        confirmation.check_answerable("Replacing a table")

    # First of all: the process gets ready while this one loads what it needs for the database.
    with Ahead(None if dry_run or resume else path, run.storage_options) as ahead, run.database() as database:
        from ...migrate.assess import Assessment, assess
        from ...migrate.importer import ImportReport, import_table
        from ...migrate.table_ids import default_table_id

        if is_to_be_asked and not _confirmed(run, database, path, table_id):
            run.note("Nothing was deleted.")
            return 1
        report: ImportReport | Assessment
        with display() as shown:
            listener = ImportMeter(shown, table_id or default_table_id(path))
            if dry_run:
                report = assess(database, path, table_id, listener=listener, storage_options=run.storage_options)
            else:
                report = import_table(
                    database,
                    path,
                    table_id,
                    batch_size=batch_size,
                    resume=resume,
                    replace=replace,
                    listener=listener,
                    storage_options=run.storage_options,
                    ahead=ahead,
                )
        run.notes("Warning", report.warnings)
        run.output.imported(report, run.where(database))
    return 0


def _confirmed(run: Run, database: Database, path: str, given: str | None) -> bool:
    """Asks whether what the catalog has of a table may be deleted, where there is anything."""
    from ...catalog import registry
    from ...log.store import open_store
    from ...migrate.table_ids import table_at

    if not database.has_catalog():
        return True
    with database.reading() as connection:
        table_id = table_at(connection, open_store(path, run.storage_options), given).table_id
        entry = registry.entry_of(connection, table_id)
        status = registry.status_of(connection, table_id)
        rows = registry.count_rows(connection, table_id)
    if status is None:
        return True
    name, has = printable(table_id), "" if entry is None else f" at version {entry.version:,}"
    click.echo(f"{name}{has} would be replaced: {counted_rows(rows)}", err=True)
    click.echo("What its log has no more is gone then; `export` keeps it.", err=True)
    return click.confirm(f"Delete {name} from {run.where(database)} and import it anew?", err=True)
