"""`deltalakedb copy-catalog`."""

from __future__ import annotations

from dataclasses import replace

import click

from .. import options
from ..help import WithExamples
from ..progress import CopyMeter, display
from ..run import Run

_FAILED, _DIFFERENT = 1, 3


@click.command(
    "copy-catalog",
    cls=WithExamples,
    examples=[
        "deltalakedb copy-catalog sqlite:///catalog.db postgresql://me@db/lake",
    ],
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--from-schema", metavar="NAME", help="PostgreSQL: where the tables of FROM are; --schema is for TO.")
@options.common
def command(run: Run, source: str, target: str, from_schema: str | None) -> int:
    """Copy the catalog to another database.

    FROM and TO are database URLs; --database-url is not asked. Everything is copied: all versions of all tables, what
    their logs no longer have, and the audit trail. FROM is only read. TO is empty, or has what an earlier run left:
    then the copy goes on from there. At the end both are compared, row by row. Exits with 1 where any table could not
    be copied, and with 3 where the copy of one differs.
    """
    _refuse_others(click.get_current_context())
    from ...catalog.copying.copy import copy_catalog
    from ...catalog.database import Database

    of_target = run.database_options()
    databases = Database(source, replace(of_target, schema=from_schema)), Database(target, of_target)
    try:
        with display() as shown:
            report = copy_catalog(*databases, listener=CopyMeter(shown))
    finally:
        for database in databases:
            database.close()
    run.output.copied(report)
    return _DIFFERENT if report.differs else _FAILED if report.failed else 0


def _refuse_others(context: click.Context) -> None:
    """Refuses what names one database on the command line: it would be wrong in silence."""
    for name in ("database_url", "database_url_file", "read_url"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} has no say here: FROM and TO name both.", context)
