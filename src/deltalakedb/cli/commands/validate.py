"""`deltalakedb validate`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..progress import CountMeter, display
from ..run import Run

_DIFFERENT = 3


@click.command(
    "validate",
    cls=WithExamples,
    examples=[
        "deltalakedb validate /lake/orders --all-versions",
    ],
)
@options.path
@options.table_id
@click.option("--all-versions", is_flag=True, help="Compare every version, not only the newest.")
@options.storage
@options.common
def command(run: Run, path: str, table_id: str | None, all_versions: bool) -> int:
    """Compare an imported table with its log at PATH.

    The log is read by an independent reader, so that a mistake of the import can't hide. Exits with 3 where anything
    differs.
    """
    from ...migrate.table_ids import default_table_id
    from ...migrate.validate import validate_and_keep

    with run.database() as database:
        with display() as shown:
            meter = CountMeter(shown, table_id or default_table_id(path), "step")
            report, kept = validate_and_keep(
                database,
                path,
                table_id,
                all_versions=all_versions,
                listener=meter,
                storage_options=run.storage_options,
            )
        if not kept:
            run.note("Note: the result could not be kept in the catalog for `check` (--verbose says why)")
        run.notes("Note", report.notes)
        run.output.validated(report)
    return 0 if report.valid else _DIFFERENT
