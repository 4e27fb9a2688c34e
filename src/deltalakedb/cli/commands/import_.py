"""`deltalakedb import`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..progress import ImportMeter, display
from ..run import Run


@click.command(
    "import",
    cls=WithExamples,
    examples=[
        "deltalakedb import /lake/orders --database-url postgresql://me@db/lake",
        "deltalakedb import /lake/orders --dry-run",
        "deltalakedb import /lake/orders --resume",
    ],
)
@options.path
@options.table_id
@options.batch_size
@click.option("--dry-run", is_flag=True, help="Read the log, change nothing, and say what an import would do.")
@click.option("--resume", is_flag=True, help="Go on where an import stopped; take in what a table has grown by.")
@options.storage
@options.common
def command(run: Run, path: str, table_id: str | None, batch_size: int | None, dry_run: bool, resume: bool) -> None:
    """Import the log of the Delta table at PATH.

    Every version that the log can rebuild goes into the database. The table itself is only read.
    """
    from ...migrate.ahead import Ahead

    # First of all: the process gets ready while this one loads what it needs for the database.
    with Ahead(None if dry_run or resume else path, run.storage_options) as ahead, run.database() as database:
        from ...migrate.assess import Assessment, assess
        from ...migrate.importer import ImportReport, import_table
        from ...migrate.table_ids import default_table_id

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
                    listener=listener,
                    storage_options=run.storage_options,
                    ahead=ahead,
                )
        run.notes("Warning", report.warnings)
        run.output.imported(report, run.where(database))
