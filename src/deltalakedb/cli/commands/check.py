"""`deltalakedb check`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import options
from ..arguments import WEBHOOK_VARIABLE
from ..checked import CheckReport
from ..failures import explain
from ..help import WithExamples
from ..run import Run

if TYPE_CHECKING:
    from ...catalog.database import Database
    from ...catalog.problems import Problem


@click.command(
    "check",
    cls=WithExamples,
    examples=[
        "deltalakedb check --max-lag 10 --max-age 3600",
        "deltalakedb check --webhook https://alerts.example.com/lake",
    ],
)
@click.option(
    "--max-lag",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="VERSIONS",
    help="Versions that a table may be behind its log, as the last sync saw it.",
)
@click.option(
    "--max-age",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long ago the last sync of a table may be.  [default: any time]",
)
@click.option(
    "--webhook",
    metavar="URL",
    envvar=WEBHOOK_VARIABLE,
    show_envvar=True,
    help="Where to post each problem once as JSON, and once more when it is gone.",
)
@click.option(
    "--state",
    type=options.FilePath(),
    metavar="FILE",
    help="Keeps what the webhook was told.  [default: one in ~/.local/state/deltalakedb]",
)
@options.common
def command(run: Run, max_lag: int, max_age: float | None, webhook: str | None, state: Path | None) -> int:
    """Tell what is wrong, for cron and CI.

    A line a problem, and exit code 1: migrations that failed, were interrupted or have no heartbeat, tables behind
    their logs, differences at the last validation, a catalog that can't be read. Exit code 0 and nothing printed
    where all is well. A role that may only read is enough.
    """
    from ..webhook import check_url

    if webhook is not None:
        check_url(webhook)
    age = None if max_age is None else timedelta(seconds=max_age)
    with run.database(to_read=True) as database:
        found = tuple(_look(run, database, max_lag, age))
        report = CheckReport(run.where(database), found)
        if webhook is not None:
            report = _told(run, report, webhook, state)
    run.output.checked(report)
    if report.webhook_error is not None:
        run.note(f"Error: {report.webhook_error}; the next check tries again")
    return 0 if report.ok else 1


def _look(run: Run, database: Database, max_lag: int, max_age: timedelta | None) -> list[Problem]:
    from ...catalog.problems import Problem, problems
    from ...errors import CatalogError, PermissionDeniedError

    try:
        with database.reading() as connection:
            found = problems(connection, max_lag=max_lag, max_age=max_age)
    except (CatalogError, PermissionDeniedError) as error:
        return [Problem("unreachable", None, explain(error, run.secrets.scrub).message)]
    # Another release, or another tool, may have left a password in the catalog.
    return [replace(one, message=run.secrets.scrub(one.message)) for one in found]


def _told(run: Run, report: CheckReport, webhook: str, state: Path | None) -> CheckReport:
    from ...errors import DeltaLakeDBError
    from ..webhook import WebhookError, tell

    try:
        told = tell(webhook, state, report.database, report.problems)
    except WebhookError as error:
        return CheckReport(report.database, report.problems, "failed", str(error))
    except (DeltaLakeDBError, OSError) as error:
        return CheckReport(report.database, report.problems, "failed", explain(error, run.secrets.scrub).message)
    if told.unkept is not None:
        run.warn(
            f"What the webhook was told can't be kept ({told.unkept}): the next check tells it again. "
            "--state names another file."
        )
    return CheckReport(report.database, report.problems, "posted" if told.posted else "nothing new")
