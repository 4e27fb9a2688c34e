"""PostgreSQL, by psycopg 3."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Column, Connection, Engine, Table, create_engine, event, func, select
from sqlalchemy.exc import ArgumentError as UrlError
from sqlalchemy.util import LRUCache

from ...errors import (
    CatalogError,
    DatabaseBusyError,
    DatabaseConnectionError,
    DatabaseTimeoutError,
    DeltaLakeDBError,
    DiskFullError,
    PermissionDeniedError,
    command_line,
)
from ..options import DatabaseOptions
from ..packing import copy_format
from ..packing.base import Packed
from ..urls import masked
from .base import Dialect, is_unknown_host, quoted

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
"""How long to wait for a server that doesn't answer, unless somebody says otherwise."""

KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""After a minute a server whose machine is gone counts as away; the system's own patience is two hours."""

LOCK_SECONDS = 5
"""How long to wait for what another transaction holds, where it is not the work itself that waits."""

POOL_SECONDS = 30
"""How long to wait for a connection of our own to come free."""

_KEPT = 5
"""Connections that stay open when nobody uses them."""

STREAMED = "deltalakedb_streamed"
"""An option of an execution: a list that gets a generator of the rows, which arrive as they are asked for.

Until whoever reads them clears the list, the connection does nothing else; the end of the transaction clears it, too.
"""

_SECURED = """
FROM pg_catalog.pg_class one
WHERE one.relrowsecurity AND one.relkind = 'r' AND one.relnamespace = (
    SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = to_regclass('migration_status')
)
AND row_security_active(one.oid)
"""
"""The tables of ours in which policies say what this role sees."""

# By itself, since it waits for no lock on our tables: a page that asks has not said yet how long it would wait.
_IS_SECURED = f"SELECT 1 {_SECURED} LIMIT 1"

_HIDDEN = f"""
SELECT one.relname AS table_name, current_user AS role {_SECURED}
AND (NOT EXISTS (
    SELECT FROM pg_catalog.pg_policy policy
    WHERE policy.polrelid = one.oid AND policy.polpermissive AND policy.polcmd IN ('r', '*')
    AND EXISTS (
        SELECT FROM unnest(policy.polroles) role
        WHERE CASE role WHEN 0 THEN true ELSE pg_has_role(role, 'USAGE') END
    )
) OR (one.relname = 'migration_status' AND NOT EXISTS (SELECT FROM migration_status)))
ORDER BY one.relname = 'migration_status' DESC
LIMIT 1
"""

_NEVER_ANALYZED = """
SELECT 1 FROM pg_catalog.pg_class
WHERE oid = to_regclass('delta_files') AND reltuples < 0 AND pg_has_role(relowner, 'USAGE')
"""

# A replica has its server's number: it is the same catalog.
_IDENTITY = """
SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()),
    to_regclass('deltalakedb_schema')::oid
FROM pg_control_system()
"""

_STATEMENTS = 500
"""Compiled statements that are kept: as many as SQLAlchemy keeps for an engine."""

_IN_FLIGHT = 100
"""Rows that are handed over at a time: few enough for the server to fill the socket meanwhile."""


class PostgreSQLDialect(Dialect):
    """PostgreSQL: rows come in by binary COPY.

    Batches commit asynchronously: after a crash of the server the last of them may be missing, in order, and the
    watermark goes with them. The transaction that completes an import waits for the disk, and so for all before it.

    Nothing outlives a transaction: no prepared statement, no lock, no setting. So PgBouncer may stand between, and
    hand each transaction to another connection.
    """

    name = "postgresql"
    extra = "postgresql"
    bytes_per_row = 160
    rows_per_second = 60_000
    large_batch = 10_000
    has_schemas = True
    keeps_order = False  # a small row goes into the room that a larger one has left on an earlier page
    pack = staticmethod(copy_format.pack)

    def engine(self, url: URL, options: DatabaseOptions, *, read_only: bool) -> Engine:
        try:
            known = _known_engine(url, options)
            known.dialect.create_connect_args(known.url)
        except ImportError as error:
            raise self.driver_missing(error) from error
        except UrlError as error:
            where = masked(url.render_as_string(hide_password=True))
            raise DatabaseConnectionError(f"Database connection failed: {where} ({error})", _OPTIONS) from None
        engine = Engine(known.pool.recreate(), known.dialect, known.url)
        engine.update_execution_options(**known.get_execution_options())
        event.listen(engine, "commit", _end_stream)
        event.listen(engine, "rollback", _end_stream)
        first = "; ".join([*(_READER if read_only else ()), *_settings(options)])
        if first:

            @event.listens_for(engine, "begin")
            def _begin(connection: Connection) -> None:
                connection.exec_driver_sql(first)

        return engine

    def relax(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    def limit(self, connection: Connection, seconds: float) -> None:
        most = int(seconds * 1000)
        connection.exec_driver_sql(
            f"SELECT set_config('statement_timeout', '{most}', true) FROM pg_settings "
            f"WHERE name = 'statement_timeout' AND (setting::integer = 0 OR setting::integer > {most})"
        )

    def wait_briefly(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")

    def look_at_files(self, connection: Connection) -> None:
        # It takes one of 200 files to have a given key until it has seen some: a sync of 100 files to a million took
        # 130 ms for one look-up in all of them. Autovacuum comes by a minute later; whoever isn't the owner leaves it.
        if connection.exec_driver_sql(_NEVER_ANALYZED).scalar():
            connection.exec_driver_sql("ANALYZE delta_files")

    def lock_schema(self, connection: Connection) -> None:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('deltalakedb'))")

    def check_sight(self, connection: Connection, where: str) -> None:
        if not connection.exec_driver_sql(_IS_SECURED).scalar():
            return
        hidden = connection.exec_driver_sql(_HIDDEN).one_or_none()
        if hidden is not None:
            raise PermissionDeniedError(
                f"Permission denied: {where} (row-level security hides every row of {hidden.table_name} from "
                f"{hidden.role}: whether there are tables is unknown)",
                f"`{command_line('grants', None, '--role', 'reader', '--to', hidden.role)}` prints the policies "
                "that it needs; with --table-id they are for some tables.",
            )

    def user(self, connection: Connection) -> str | None:
        # Not current_user: that is whoever SET ROLE has made of them.
        return connection.execute(select(func.session_user())).scalar()

    def identity(self, connection: Connection, url: URL) -> tuple[Any, ...]:  # noqa: ARG002 (the server knows)
        return tuple(connection.exec_driver_sql(_IDENTITY).one())

    def sees_all(self, connection: Connection) -> bool:
        return not connection.exec_driver_sql("SELECT row_security_active('migration_status')").scalar()

    def go_on_behind(self, connection: Connection, column: Column[int]) -> None:
        # By taking numbers: who may add rows may do that, to set them one has to own the sequence.
        table = column.table.name
        taken = f"nextval(pg_get_serial_sequence('{table}', '{column.name}'))"
        last = f"(SELECT coalesce(max({column.name}), 0) FROM {table})"
        behind = connection.exec_driver_sql(f"SELECT {last} - {taken}").scalar_one()
        if behind > 0:
            connection.exec_driver_sql(f"SELECT count({taken}) FROM generate_series(1, {behind})")

    def load(self, connection: Connection, table: Table, pieces: Iterable[Packed]) -> None:
        driver: Any = connection.connection.driver_connection
        # One COPY for many pieces: what the server prepares for one costs as much as a few hundred rows.
        for columns, alike in groupby(pieces, key=lambda packed: packed.columns):
            names = ", ".join(f'"{name}"' for name in ("table_id", *columns))
            with driver.cursor().copy(f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(copy_format.BEGIN)
                for packed in alike:
                    copy.write(packed.data)
                copy.write(copy_format.END)

    def insert_missing(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        # Column by column: as a statement a row, a hundred took 5 ms, a third of the load of a small table.
        names = list(rows[0])
        kinds = (table.c[name].type.compile(connection.dialect) for name in names)
        arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
        columns = ", ".join(map(quoted, names))
        statement = f"INSERT INTO {table.name} ({columns}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"
        connection.exec_driver_sql(statement, tuple([row[name] for row in rows] for name in names))

    def explain(self, error: BaseException, where: str) -> DeltaLakeDBError | None:
        import psycopg

        if not isinstance(error, psycopg.Error):
            return None
        state = error.sqlstate or ""
        text = " ".join(str(error).split()) or type(error).__name__
        if not state and isinstance(error, psycopg.DataError):
            return CatalogError(f"The database refused: {text} ({where})")  # a value that the driver can't send
        lost = not state and isinstance(error, psycopg.OperationalError)
        if not state or state.startswith(("08", "28", "3D000", "53300", "57P")):
            return DatabaseConnectionError(
                f"Database connection failed: {where} ({text})",
                _hint(text),
                transient=(lost and not _lasts(text)) or state.startswith(_PASSING),
                silent=lost and "FATAL" not in text,
            )
        if state == "53100":
            return DiskFullError(
                f"Disk space exhausted: {where} ({text})", "Free some space, then go on with --resume."
            )
        if state in ("42501", "25006"):
            return PermissionDeniedError(
                f"Permission denied: {where} ({text})", "`deltalakedb grants` prints what a role needs."
            )
        if state in _TIMEOUTS or (state == "57014" and "timeout" in text):
            return DatabaseTimeoutError(
                f"The database gave up: {where} ({text})",
                "Raise the timeout that the message names (--statement-timeout, or the role's own), or take a smaller "
                "--batch-size.",
                transient=True,
            )
        if state == "22021" and "0x00" in text:
            return CatalogError(
                f"The log has a text with a NUL in it, which PostgreSQL can't hold: {text} ({where})",
                "SQLite can: import the table into a catalog there.",
            )
        if state in ("40001", "40P01", "53200", "55P03", "57014"):
            return DatabaseBusyError(f"The database is busy: {where} ({text})", "Try again.")
        return CatalogError(f"The database refused: {text} ({where})")


_NO_DATABASE = re.compile(r'database "(?P<name>.+)" does not exist')
_NO_OPTION = re.compile(r"invalid [\w -]*value|invalid (connection option|port number)|bad value for")


def _hint(text: str) -> str:
    """Returns what to do about a connection that failed."""
    missing = _NO_DATABASE.search(text)
    if missing is not None:
        return f"If the name is right, make it on the server: CREATE DATABASE {quoted(missing['name'])};"
    if _NO_OPTION.search(text):
        return _OPTIONS
    return _CERTIFICATES if "certificate" in text else "Check the URL, the password and that the server runs."


_OPTIONS = "Check the options of the URL."
_CERTIFICATES = "The URL's sslrootcert=… names the server's authority; sslcert=… and sslkey=… are your own certificate."

_READER = (
    # One snapshot for all statements of a reader, whatever is loaded meanwhile.
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    # Rows come as they lie there, which is the order of the log, even if others read the table, too.
    "SET LOCAL synchronize_seqscans = off",
)

_TIMEOUTS = ("25P03", "25P04")  # of an idle transaction, of a whole one

# A connection broke, or a server shuts down, starts up, or has no connection left (PostgreSQL, "Error Codes").
_PASSING = ("08", "57P01", "57P02", "57P03", "57P05", "53300")

# Of a connection that was not made the driver has no code, only words: of the server (in its language), PgBouncer, or
# libpq. What is not among them may pass, as "the database system is starting up" and "too many clients" do.
_LASTING = re.compile(
    r"authentication failed|password supplied|empty password|pg_hba\.conf|not permitted|permission denied"
    r"|(role|database|user|file) \"[^\"]*\" does not exist|no such (user|database)"
    r"|invalid (\w+ )+(value|number)|not currently accepting|certificate|private key|does not support SSL"
)


def _lasts(text: str) -> bool:
    lasting = (_LASTING, _NO_OPTION)
    return any(words.search(text) for words in lasting) or is_unknown_host(text)


def _connect_arguments(url: URL, options: DatabaseOptions) -> dict[str, Any]:
    arguments: dict[str, Any] = {"fallback_application_name": "deltalakedb", "prepare_threshold": None}
    arguments |= {name: value for name, value in KEEPALIVE.items() if name not in url.query}
    said = {"connect_timeout", "service"} & {*url.query} or {"PGCONNECT_TIMEOUT", "PGSERVICE"} & {*os.environ}
    if options.connect_timeout is not None:
        arguments["connect_timeout"] = options.connect_timeout
    elif not said:
        arguments["connect_timeout"] = CONNECT_SECONDS
    return arguments


@lru_cache(maxsize=16)
def _known_engine(url: URL, options: DatabaseOptions) -> Engine:
    """Returns an engine that never connects: all that ask the same server have their dialect and statements from it.

    SQLAlchemy asks a server for its version and compiles statements once a process so, not once a catalog: for a reader
    that connects anew that was half of the time before its first answer. Connections are each engine's own.
    """
    kept = min(options.pool_size, _KEPT)
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args=_connect_arguments(url, options),
        pool_size=kept,
        max_overflow=options.pool_size - kept,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        execution_options={"compiled_cache": LRUCache(_STATEMENTS)},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: psycopg.Connection[Any], _record: Any) -> None:
        from psycopg.types.string import TextLoader

        connection.adapters.register_loader("json", TextLoader)  # our JSON stays text

    event.listen(engine, "do_execute", _stream)
    return engine


def _stream(cursor: Any, statement: str, parameters: Any, context: Any) -> bool | None:
    """Has the driver stream the rows of an execution that asks for it, by a cursor that SQLAlchemy doesn't close."""
    if cursor.connection.lock.locked():  # by a stream of this thread: the driver would wait for ever
        raise RuntimeError("The rows of another statement are still being read by this connection")
    streams = context.execution_options.get(STREAMED)
    if streams is None:
        return None
    streams.append(cursor.connection.cursor().stream(statement, parameters, size=_IN_FLIGHT))
    context.root_connection.info[STREAMED] = streams
    return True


def _end_stream(connection: Connection) -> None:
    """Ends what is still read when its transaction ends: the driver would wait for it, and it for us."""
    streams = [] if connection.invalidated else connection.info.pop(STREAMED, [])
    for rows in streams:
        rows.close()
    streams.clear()


def _settings(options: DatabaseOptions) -> list[str]:
    """What every transaction begins with. The driver's `options` would say it once a connection: not to PgBouncer."""
    settings = []
    if options.schema is not None:
        name = quoted(options.schema).replace("%", "%%")  # the driver takes a % for a place of a value
        settings.append(f"SET LOCAL search_path = {name}")
    if options.statement_timeout is not None:
        settings.append(f"SET LOCAL statement_timeout = {max(1, round(options.statement_timeout * 1000))}")
    return settings
