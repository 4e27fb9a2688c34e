"""`deltalakedb grants`."""

from __future__ import annotations

import click

from .. import options
from ..help import WithExamples
from ..run import Run

_ROLES = ("reader", "migrator", "admin")


@click.command(
    "grants",
    cls=WithExamples,
    examples=[
        "deltalakedb grants --role migrator --to nightly --database-url postgresql://db/lake",
        "deltalakedb grants --role reader --to sales --table-id 'sales/*' --database-url postgresql://db/lake",
    ],
)
@click.option(
    "--role",
    type=click.Choice(_ROLES),
    required=True,
    help="Reads; imports, syncs, validates and rolls back; or makes and upgrades the tables.",
)
@click.option("--to", metavar="NAME", help="The database's role or user.  [default: deltalakedb_ROLE]")
@click.option("--create", is_flag=True, help="Make it first.")
@click.option(
    "--table-id",
    "table_ids",
    multiple=True,
    metavar="ID",
    help="PostgreSQL: the only tables that a reader may see; * stands for any letters. Repeatable.",
)
@click.option(
    "--row-level-security",
    is_flag=True,
    help="PostgreSQL: let it see all tables by policies of its own, also where others are held to some.",
)
@options.common
def command(
    run: Run, role: str, to: str | None, create: bool, table_ids: tuple[str, ...], row_level_security: bool
) -> None:
    """Print the SQL that makes a role.

    It gives the role what its work needs, and no more. Nothing is run, and the database is not asked: look at it, then
    give it to psql or mariadb.
    """
    from ...catalog.grants import grants

    with run.database() as database:
        found = grants(database, role, to, create=create, table_ids=table_ids, row_level_security=row_level_security)
    run.output.granted(found)
    run.notes("Note", found.notes)
