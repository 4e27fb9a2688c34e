"""`deltalakedb verify-rollback`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..run import Run

_UNSAFE = 3


@click.command(
    "verify-rollback",
    cls=WithExamples,
    examples=[
        "deltalakedb verify-rollback orders",
    ],
)
@options.table_id_argument
@options.storage
@options.common
def command(run: Run, table_id: str) -> int:
    """Check that a table can do without the catalog.

    Changes nothing. Exits with 3 where the log alone would not give back what the catalog has.
    """
    from ...migrate.rollback import verify_rollback

    with run.database() as database:
        check = verify_rollback(database, table_id, storage_options=run.storage_options)
    run.output.rollback_checked(check)
    return 0 if check.can_rollback else _UNSAFE
