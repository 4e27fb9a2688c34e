"""`deltalakedb upgrade`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..run import Run


@click.command("upgrade", cls=WithExamples, examples=["deltalakedb upgrade --database-url postgresql://admin@db/lake"])
@options.common
def command(run: Run) -> None:
    """Make the catalog's tables, or upgrade them.

    Any command that writes does so, too, if its role may. Where it may not, the role that owns the tables runs this.
    """
    from ...catalog.schema import SCHEMA_VERSION

    with run.database() as database:
        with database.writing():
            pass
        run.output.upgraded(run.where(database), SCHEMA_VERSION)
