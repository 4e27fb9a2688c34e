"""`deltalakedb batch-import`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..progress import BatchMeter, display
from ..run import Run


@click.command(
    "batch-import",
    cls=WithExamples,
    examples=[
        "deltalakedb batch-import /lake --parallel 4 --exclude _tmp --exclude 'staging/*'",
        "deltalakedb batch-import --from-file tables.txt",
        "deltalakedb batch-import /lake/archive --id-prefix archive/",
    ],
)
@click.argument("path", required=False, callback=options.filled)
@options.batch_size
@options.parallel
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    callback=options.filled,
    help="Leave out tables whose id, or location below PATH, matches; a plain word matches as a part. Repeatable.",
)
@click.option(
    "--from-file",
    metavar="LIST",
    callback=options.filled,
    help="Take the locations from a file, one a line, and don't search; - is stdin.",
)
@click.option(
    "--id-prefix",
    metavar="PREFIX",
    callback=options.filled,
    help="What the ids of new tables begin with: for a second lake that is laid out like the first.",
)
@click.option("--dry-run", is_flag=True, help="Read the logs, change nothing, and say what the imports would do.")
@click.option("--resume", is_flag=True, help="Go on where a batch stopped. (A batch always does.)")
@options.storage
@options.common
def command(
    run: Run,
    path: str | None,
    batch_size: int | None,
    parallel: int | None,
    exclude: tuple[str, ...],
    from_file: str | None,
    id_prefix: str | None,
    dry_run: bool,
    resume: bool,  # noqa: ARG001 (a batch always resumes)
) -> int:
    """Import all Delta tables below PATH.

    Tables that are there already and have not changed are skipped, and a table that fails does not stop the others:
    run it again until nothing fails. Exits with 1 where any table failed, is in the catalog but not in its place any
    more, or where a folder could not be looked at.
    """
    if path is None and from_file is None:
        raise click.UsageError("Missing argument 'PATH' (or --from-file).", click.get_current_context())
    from ...migrate.batch import batch_import

    with display() as shown:
        report = batch_import(
            run.database_url(),
            path,
            options=run.database_options(),
            batch_size=batch_size,
            parallel=parallel or 1,
            exclude=exclude,
            from_file=from_file,
            id_prefix=id_prefix,
            dry_run=dry_run,
            listener=BatchMeter(shown),
            storage_options=run.storage_options,
        )
    run.output.batch_imported(report)
    return 0 if report.ok else 1
