"""`deltalakedb sync`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from threading import Event
from typing import TYPE_CHECKING

import click

from .. import options
from ..failures import explain
from ..help import WithExamples
from ..output.human import printable
from ..run import Run
from ..signals import stop_requests
from ..synced import SyncedTable, SyncReport, UnsyncedTable

if TYPE_CHECKING:
    from ...catalog.database import Database
    from ...catalog.registry import TableEntry


@click.command(
    "sync",
    cls=WithExamples,
    examples=[
        "deltalakedb sync orders customers",
        "deltalakedb sync --all --watch 30",
    ],
)
@click.argument("table_ids", nargs=-1, metavar="[TABLE_ID]...", callback=options.filled)
@click.option("--all", "all_tables", is_flag=True, help="Every table whose import has completed.")
@click.option(
    "--watch",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Go on for ever, with so many seconds between two rounds, until Ctrl-C or SIGTERM.",
)
@options.storage
@options.common
def command(run: Run, table_ids: tuple[str, ...], all_tables: bool, watch: float | None) -> int:
    """Take in what tables have grown by.

    Exits with 1 where any table failed, which stays readable at the version that it has, or where one that was named
    can't be read. With --watch a failure is said and tried again in the next round; it stops behind the commit at work.
    --output json gives a document a line for every round.
    """
    if bool(table_ids) == all_tables:
        raise click.UsageError("Name tables, or give --all.", click.get_current_context())
    with run.database() as database:
        if all_tables:
            _mention_incomplete(run, database)
        if watch is not None:
            return _watch(run, database, table_ids, watch)
        report = _round(run, database, table_ids, None)
        _print(run, report)
    return 1 if report.failed else 0


def _watch(run: Run, database: Database, table_ids: Sequence[str], seconds: float) -> int:
    from ...errors import DeltaLakeDBError

    with stop_requests() as stop:
        _print(run, _round(run, database, table_ids, stop))  # what is wrong from the beginning ends the command
        while not stop.wait(seconds):
            try:
                news = _round(run, database, table_ids, stop).news
                if news.tables:
                    _print(run, news)
            except DeltaLakeDBError as error:
                run.note(f"Error: {explain(error, run.secrets.scrub).message}; trying again in {seconds:g} s")
    run.note("Stopped.")
    return 0


def _print(run: Run, report: SyncReport) -> None:
    run.output.synced(report)
    sys.stdout.flush()  # whoever reads the pipe waits for it
    for hint in report.hints:
        run.note(f"hint: {printable(hint)}")


def _round(run: Run, database: Database, table_ids: Sequence[str], stop: Event | None) -> SyncReport:
    from ...migrate.sync import UnreadableTable, tables_to_sync

    tables: list[SyncedTable | UnsyncedTable] = []
    for one in tables_to_sync(database, table_ids, None if stop is None else stop.is_set):
        if stop is not None and stop.is_set():
            break
        if isinstance(one, UnreadableTable):
            tables.append(UnsyncedTable(one.table_id, one.location, None, one.error.message, one.error.hint))
        else:
            tables.append(_sync(run, database, one, stop))
    return SyncReport(tuple(tables))


def _mention_incomplete(run: Run, database: Database) -> None:
    from ...catalog import registry
    from ...migrate.retrying import persistently

    def look() -> tuple[set[str], set[str]]:
        with database.reading() as connection:
            known = {status.table_id for status in registry.statuses(connection)}
            return known, known - {entry.table_id for entry in registry.entries(connection)}

    known, incomplete = persistently(look, database=database, name="sync")
    for table_id in sorted(incomplete):
        run.note(f"Warning: passed over {table_id!r}: its import has not completed")
    if not known:
        run.note("The catalog is empty.")


def _sync(run: Run, database: Database, entry: TableEntry, stop: Event | None) -> SyncedTable | UnsyncedTable:
    from ...errors import DeltaLakeDBError
    from ...migrate.importer import import_table
    from ...migrate.retrying import check_given_up

    try:
        check_given_up(database)
        report = import_table(
            database,
            entry.location,
            entry.table_id,
            resume=True,
            storage_options=run.storage_options,
            stop=None if stop is None else stop.is_set,
            command="sync",
        )
    except DeltaLakeDBError as error:
        failure = explain(error, run.secrets.scrub)
        return UnsyncedTable(entry.table_id, entry.location, entry.version, failure.message, failure.hint)
    return SyncedTable(report, entry.version)
