"""The SQL that gives a role of the database what it needs for its work, and nothing else. Nothing is run here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Table

from ..errors import ArgumentError
from .database import Database
from .dialects.base import quoted
from .schema import schema, schema_version
from .views import VIEWS

READER, MIGRATOR, ADMIN = "reader", "migrator", "admin"
ROLES = (READER, MIGRATOR, ADMIN)
"""Reads · imports, syncs, validates and rolls back · makes and upgrades the tables."""

_ROWS = ", ".join(("SELECT", "INSERT", "UPDATE", "DELETE"))
_TABLES = ", ".join(("CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "CREATE VIEW", "SHOW VIEW"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        role: one of `ROLES`.
        to: the database's role, or user.
        create: whether to make it first.
        table_ids: the tables that it may see; `*` stands for any letters. None for all.
        policies: whether there are to be policies, which say so row by row.
    """

    role: str
    to: str
    create: bool = False
    table_ids: tuple[str, ...] | None = None
    policies: bool = False


@dataclass(frozen=True, slots=True)
class Grants:
    """Statements, to be run in one transaction, and what should be known about them."""

    role: str
    to: str
    statements: tuple[str, ...]
    notes: tuple[str, ...]


def grants(
    database: Database,
    role: str,
    to: str | None = None,
    *,
    create: bool = False,
    table_ids: Sequence[str] = (),
    row_level_security: bool = False,
) -> Grants:
    """Returns the SQL for a role; the database is not asked.

    Args:
        database: where the catalog is, or will be.
        role: one of `ROLES`.
        to: the database's role, or user; by default `deltalakedb_` and the role.
        create: whether to make it first.
        table_ids: the only tables that it may see; `*` stands for any letters. PostgreSQL only.
        row_level_security: lets it see all tables, also where another role is held to some later.

    Raises:
        ArgumentError: the database has no such thing, or the URL doesn't name a database.
    """
    policies = bool(table_ids) or row_level_security
    wanted = Wanted(role, to or f"deltalakedb_{role}", create, tuple(table_ids) or None, policies)
    kind = database.dialect.name
    if policies and kind != "postgresql":
        raise ArgumentError(f"{kind} has no row-level security.", "PostgreSQL has.")
    if (role == ADMIN and policies) or (role == MIGRATOR and table_ids):
        raise ArgumentError("Only readers can be held to some tables.", "Whoever loads rows does so past all policies.")
    if kind == "sqlite":
        note = "SQLite has no roles: who may read or write the file and its folder may do so with the catalog."
        return Grants(role, wanted.to, (), (note, f"Set the permissions of {database.url.database} and its folder."))
    if not database.url.database:
        raise ArgumentError("The URL doesn't name the database.", "As in postgresql://db.example.com/lake.")
    making = _postgresql if kind == "postgresql" else _mysql
    return Grants(role, wanted.to, tuple(making(database, wanted)), _notes(kind, wanted))


def _notes(kind: str, wanted: Wanted) -> tuple[str, ...]:
    past_policies = wanted.policies and wanted.role == MIGRATOR
    who = "a superuser" if wanted.role == ADMIN or past_policies else "the owner of the tables"
    notes = [f"To be run by {who}." if kind == "postgresql" else "To be run by a user with GRANT OPTION."]
    if kind == "mysql" and wanted.create:
        notes.append(
            f"Nobody can log in as {_mysql_user(wanted)}, from anywhere, before ALTER USER {_mysql_user(wanted)} "
            "IDENTIFIED BY '…' ACCOUNT UNLOCK; RENAME USER gives it a host in place of %."
        )
    if wanted.role != ADMIN:
        notes.append("Run it again after an upgrade, which may add tables.")
    if wanted.table_ids is not None:
        notes.append(
            "PostgreSQL 15 or newer. Roles that were granted before still see all tables: they get policies of their "
            "own, and those that load rows are let past all policies, for which a superuser has to run this."
        )
    return tuple(notes)


# ---- PostgreSQL


def _postgresql(database: Database, wanted: Wanted) -> Iterator[str]:
    name, place = quoted(wanted.to), _schema_of(database)
    if wanted.create:
        yield f"CREATE ROLE {name}"
    yield f"GRANT CONNECT ON DATABASE {quoted(str(database.url.database))} TO {name}"
    if wanted.role == ADMIN:
        yield from _of_admin(name, place)
        return
    here = quoted(place)
    for kind in ("TABLES", "SEQUENCES"):
        yield f"REVOKE ALL ON ALL {kind} IN SCHEMA {here} FROM {name}"
    yield f"REVOKE ALL ON SCHEMA {here} FROM {name}"
    yield f"GRANT USAGE ON SCHEMA {here} TO {name}"
    yield from _of_user(name, here, writes=wanted.role == MIGRATOR)
    if wanted.policies and wanted.role == MIGRATOR:
        yield f"ALTER ROLE {name} BYPASSRLS"  # COPY is refused to whom policies hold
    elif wanted.policies:
        yield from _policies(here, wanted)
        yield _others(place, wanted.to)
    else:
        yield _beside_policies(place, wanted)


def _of_user(name: str, here: str, *, writes: bool) -> Iterator[str]:
    for table in schema.sorted_tables:
        may = _ROWS if writes and table is not schema_version else "SELECT"
        yield f"GRANT {may} ON {here}.{table.name} TO {name}"
    for view in VIEWS:
        yield f"GRANT SELECT ON {here}.{view} TO {name}"
    if writes:
        yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {here} TO {name}"


def _policies(here: str, wanted: Wanted) -> Iterator[str]:
    for view in VIEWS:  # they would answer as their owner, whom no policy holds
        yield f"ALTER VIEW {here}.{view} SET (security_invoker = true)"
    for table in schema.sorted_tables:
        if "table_id" in table.c:
            yield from _policy(table, here, wanted)


def _secured(place: str) -> str:
    """Returns the condition that `one`, a row of pg_class, is a table of ours where policies rule."""
    return f"one.relkind = 'r' AND one.relrowsecurity AND one.relnamespace = {_literal(quoted(place))}::regnamespace"


def _others(place: str, restricted: str) -> str:
    """Returns what keeps roles that were granted before from seeing nothing, as whom no policy is for does."""
    granted = (
        "SELECT DISTINCT one.oid::regclass AS place, role.rolname "
        "FROM pg_class one, aclexplode(one.relacl) granted, pg_roles role "
        f"WHERE {_secured(place)} AND granted.privilege_type = 'SELECT' "
        "AND role.oid = granted.grantee AND NOT role.rolsuper AND NOT role.rolbypassrls "
        f"AND NOT pg_has_role(role.oid, one.relowner, 'USAGE') AND role.rolname <> {_literal(restricted)} "
        "AND NOT EXISTS (SELECT FROM pg_policy policy WHERE policy.polrelid = one.oid "
        "AND role.oid = ANY (policy.polroles))"
    )
    loading = (
        "SELECT DISTINCT role.rolname FROM pg_class one, pg_roles role WHERE role.rolcanlogin "
        f"AND {_secured(place)} AND has_table_privilege(role.oid, one.oid, 'INSERT') "
        "AND NOT role.rolsuper AND NOT role.rolbypassrls AND NOT pg_has_role(role.oid, one.relowner, 'USAGE')"
    )
    return _block(
        f"FOR found IN {loading} LOOP EXECUTE format('ALTER ROLE %I BYPASSRLS', found.rolname); END LOOP; "
        f"FOR found IN {granted} LOOP EXECUTE format('CREATE POLICY %I ON %s FOR SELECT TO %I USING (true)', "
        "found.rolname, found.place, found.rolname); END LOOP;"
    )


def _beside_policies(place: str, wanted: Wanted) -> str:
    """Returns what a role needs where others are held to some tables already."""
    secured = f"SELECT one.oid::regclass AS place FROM pg_class one WHERE {_secured(place)}"
    name = _literal(wanted.to)
    if wanted.role == MIGRATOR:
        return _block(f"IF EXISTS ({secured}) THEN EXECUTE format('ALTER ROLE %I BYPASSRLS', {name}); END IF;")
    dropping = f"EXECUTE format('DROP POLICY IF EXISTS %I ON %s', {name}, found.place);"
    making = f"EXECUTE format('CREATE POLICY %I ON %s FOR SELECT TO %I USING (true)', {name}, found.place, {name});"
    return _block(f"FOR found IN {secured} LOOP {dropping} {making} END LOOP;")


def _block(statements: str) -> str:
    mark = "$deltalakedb$"
    while mark in statements:  # in somebody's name
        mark = f"{mark[:-1]}_$"
    return f"DO {mark} DECLARE found record; BEGIN {statements} END {mark}"


def _of_admin(name: str, place: str) -> Iterator[str]:
    if place == "public":
        yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    else:
        yield f"CREATE SCHEMA IF NOT EXISTS {quoted(place)} AUTHORIZATION {name}"
    yield f"GRANT USAGE, CREATE ON SCHEMA {quoted(place)} TO {name}"


def _policy(table: Table, here: str, wanted: Wanted) -> Iterator[str]:
    name, rows = quoted(wanted.to), _condition(wanted.table_ids)
    yield f"ALTER TABLE {here}.{table.name} ENABLE ROW LEVEL SECURITY"
    yield f"DROP POLICY IF EXISTS {name} ON {here}.{table.name}"
    yield f"CREATE POLICY {name} ON {here}.{table.name} FOR SELECT TO {name} USING ({rows})"


def _condition(table_ids: Sequence[str] | None) -> str:
    if table_ids is None:
        return "true"
    names = [_literal(one) for one in table_ids if "*" not in one]
    conditions = [f"table_id IN ({', '.join(names)})"] if names else []
    for one in table_ids:
        if "*" in one:
            pattern = re.sub(r"([\\%_])", r"\\\1", one).replace("*", "%")
            conditions.append(f"table_id LIKE {_literal(pattern)}")
    return " OR ".join(conditions)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _schema_of(database: Database) -> str:
    """Where the tables are: as the option says, as the URL says, or where a new database leads."""
    if database.options.schema is not None:
        return database.options.schema
    found = re.search(r"search_path\s*=\s*\"?([^\s,\"]+)", str(database.url.query.get("options", "")))
    return "public" if found is None else found[1]


# ---- MySQL and MariaDB


def _mysql(database: Database, wanted: Wanted) -> Iterator[str]:
    user = _mysql_user(wanted)
    if wanted.create:
        yield f"CREATE USER {user} ACCOUNT LOCK"  # without a password anybody might be it
    if wanted.role == ADMIN:
        may = f"{_ROWS}, {_TABLES}"
    else:
        may = f"{_ROWS}, SHOW VIEW" if wanted.role == MIGRATOR else "SELECT, SHOW VIEW"
    yield f"GRANT {may} ON {_mysql_database(str(database.url.database))}.* TO {user}"


def _mysql_user(wanted: Wanted) -> str:
    return f"{_mysql_literal(wanted.to)}@'%'"


def _mysql_literal(text: str) -> str:
    return _literal(text.replace("\\", "\\\\"))


def _mysql_database(name: str) -> str:
    """Returns a database's name as GRANT takes it: a pattern, in which some letters stand for any others."""
    escaped = re.sub(r"([\\_%])", r"\\\1", name).replace("`", "``")
    return f"`{escaped}`"
