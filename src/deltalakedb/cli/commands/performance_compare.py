"""`deltalakedb performance-compare`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..progress import CountMeter, display
from ..run import Run


@click.command(
    "performance-compare",
    cls=WithExamples,
    examples=[
        "deltalakedb performance-compare /lake/orders --repeat 11",
    ],
)
@options.path
@options.table_id
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="TIMES",
    help="How often each operation is measured; the median counts.",
)
@options.storage
@options.common
def command(run: Run, path: str, table_id: str | None, repeat: int) -> None:
    """Measure an imported table against its log at PATH.

    The same questions, answered from the log and from SQL: opening, listing files, planning, time travel, history.
    """
    from ...migrate.table_ids import default_table_id
    from ...table.compare import compare_performance

    with run.database(to_read=True) as database:
        with display() as shown:
            meter = CountMeter(shown, table_id or default_table_id(path), "measurement")
            report = compare_performance(
                database, path, table_id, repeat=repeat, listener=meter, storage_options=run.storage_options
            )
        run.output.compared(report)
