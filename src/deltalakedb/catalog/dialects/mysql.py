"""MySQL 8 and MariaDB, by PyMySQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects.mysql import insert

from ...errors import (
    CatalogError,
    DatabaseBusyError,
    DatabaseConnectionError,
    DatabaseTimeoutError,
    DeltaLakeDBError,
    DiskFullError,
    PermissionDeniedError,
)
from ..options import DatabaseOptions
from ..packing import load_format
from ..packing.base import Packed
from ..packing.load_format import LIKE, insert_values
from .base import Dialect, is_unknown_host
from .mysql_options import MOST_SECONDS, arguments

if TYPE_CHECKING:
    from .mysql_driver import StreamingConnection

LOCK_SECONDS = 60
"""How long to wait for another process that makes or upgrades the tables."""

LOAD_BYTES = 512 << 10
"""Rows of about so many bytes are a LOAD."""

INSERT_BYTES = 1 << 20
"""The size of an INSERT where `LOAD DATA LOCAL` is not allowed, unless `max_allowed_packet` is smaller."""

POOL_SECONDS = 30
"""How long to wait for a connection of our own to come free."""

_KEPT = 5
"""Connections that stay open when nobody uses them."""

_NO_CONNECTION = frozenset(
    {1040, 1042, 1043, 1044, 1045, 1046, 1049, 1053, 1080, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226}
    | {1251, 1524, 1698, 1820, 1862, 1927, 3118, 3159, 3879, 4031, 4151}
)
_NO_DATABASE, _UNKNOWN_DATABASE = 1046, 1049
_NOT_ALLOWED = frozenset({1142, 1143, 1227, 1290, 1356, 1370, 1792, 1836, 3152})
_DISK_FULL = frozenset({1021, 1114})
_BUSY = frozenset({1020, 1205, 1213, 1317, 1412, 3058, 3572})
_TIMEOUT = frozenset({1969, 3024})
_TOO_LARGE = frozenset({1153, 1301})
_NO_LOCAL_LOAD = frozenset({1148, 3948, 4166})
_FIRST_OF_CLIENT, _LAST_OF_CLIENT = 2000, 2999


class MySQLDialect(Dialect):
    """MySQL and MariaDB: rows come in by `LOAD DATA LOCAL` from memory, or by large INSERTs where that is not allowed.

    How durable a batch is, is the server's to say (`innodb_flush_log_at_trx_commit`): a session can't.
    """

    name = "mysql"
    extra = "mysql"
    bytes_per_row = 260
    rows_per_second = 60_000
    large_batch = 10_000
    pack = staticmethod(load_format.pack)

    def engine(self, url: URL, options: DatabaseOptions, *, read_only: bool) -> Engine:
        try:
            from pymysql.cursors import SSCursor
            from pymysql.err import OperationalError

            from .mysql_driver import StreamingConnection
        except ImportError as error:
            raise self.driver_missing(error) from error
        arguments = {**_arguments(url), "charset": "utf8mb4", "local_infile": not read_only, "cursorclass": SSCursor}
        if options.connect_timeout is not None:
            arguments["connect_timeout"] = min(options.connect_timeout, MOST_SECONDS)
        kept = min(options.pool_size, _KEPT)
        engine = create_engine(
            url.set(drivername="mysql+pymysql", query={}),
            connect_args=arguments,
            pool_size=kept,
            max_overflow=options.pool_size - kept,
            pool_timeout=POOL_SECONDS,
            # A reader has one snapshot for all its statements. A writer sees what others have committed, and locks
            # no gaps between rows, in which other tables' rows belong.
            isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
            pool_pre_ping=True,  # servers hang up on connections that are idle
        )
        engine.dialect.supports_server_side_cursors = False  # all cursors stream

        @event.listens_for(engine, "do_connect")
        def _connect(_dialect: Any, _record: Any, args: Any, parameters: Any) -> StreamingConnection:
            connection = StreamingConnection(*args, **parameters)
            if not connection.db:  # neither the URL nor a file of options names one
                connection.close()
                raise OperationalError(_NO_DATABASE, "No database selected")
            return connection

        @event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION {', '.join(_session(connection, options))}")

        if read_only:

            @event.listens_for(engine, "begin")
            def _begin(connection: Connection) -> None:
                connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

        return engine

    def limit(self, connection: Connection, seconds: float) -> None:
        # MariaDB counts seconds for every statement, MySQL milliseconds for those that read.
        mariadb = getattr(connection.dialect, "is_mariadb", False)
        most = f"max_statement_time = {seconds}" if mariadb else f"max_execution_time = {int(seconds * 1000)}"
        connection.exec_driver_sql(f"SET SESSION {most}")

    def lock_schema(self, connection: Connection) -> None:
        if not connection.exec_driver_sql(f"SELECT GET_LOCK({_LOCK}, {LOCK_SECONDS})").scalar():
            raise DatabaseBusyError(
                f"The database is busy: another process has been making its tables for {LOCK_SECONDS} s", "Try again."
            )

    def unlock_schema(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"DO RELEASE_LOCK({_LOCK})")

    def identity(self, connection: Connection, url: URL) -> tuple[Any, ...]:
        server = connection.exec_driver_sql("SELECT @@hostname, @@port, @@datadir").one()
        return (*server, url.database)

    def load(self, connection: Connection, table: Table, pieces: Iterable[Packed]) -> None:
        driver: Any = connection.connection.driver_connection
        facts = connection.connection.info
        facts.setdefault("local_infile", driver.limits.local_infile)
        most_bytes = driver.limits.most_bytes
        for (table_id, columns), alike in groupby(pieces, key=lambda packed: (packed.table_id, packed.columns)):
            owner = driver.escape(table_id)
            for data in _portions(alike):
                _check_sizes(table.name, table_id, data, most_bytes)
                if facts["local_infile"] and _load_local(driver, table.name, columns, owner, data):
                    continue
                facts["local_infile"] = False
                _insert(driver, table.name, columns, owner, data, min(INSERT_BYTES, most_bytes // 2))

    def insert_missing(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            key = next(iter(table.primary_key.columns))
            connection.execute(insert(table).on_duplicate_key_update({key.name: key}), rows)

    def explain(self, error: BaseException, where: str) -> DeltaLakeDBError | None:
        from pymysql.err import MySQLError

        if isinstance(error, RuntimeError) and "cryptography" in str(error):  # what PyMySQL lacks for a password
            return DatabaseConnectionError(
                f"Database connection failed: {where} ({error})", "pip install 'PyMySQL[rsa]', or connect by TLS."
            )
        if not isinstance(error, MySQLError):
            return None
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = " ".join(str(error.args[-1] if error.args else error).split()) or type(error).__name__
        return _ours(code, text, where)


_LOCK = "CONCAT('deltalakedb.', MD5(DATABASE()))"  # a lock's name has the whole server, and 64 letters at most


def _session(connection: Any, options: DatabaseOptions) -> list[str]:
    """What holds for all statements of a connection."""
    settings = [
        # What we write is SQL with backslashes in texts; and a value that doesn't fit is an error.
        "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
        # Rows of a stream may wait for a reader who has other things to do: by default no more than a minute.
        "net_write_timeout = 3600",
    ]
    if options.statement_timeout is not None:
        if "MariaDB" in connection.get_server_info():
            settings.append(f"max_statement_time = {options.statement_timeout:.3f}")
        else:  # of statements that read
            settings.append(f"max_execution_time = {max(1, round(options.statement_timeout * 1000))}")
    return settings


_HINT = "Check the URL, the password and that the server runs."
_CERTIFICATES = (
    "The URL's ssl_ca=… names the server's authority; ssl_mode=VERIFY_CA trusts it under any host name, "
    "ssl_mode=REQUIRED without ssl_ca whoever it is."
)
_DENIED = (
    "Check the URL and the password. The server may also demand TLS (ssl_mode=REQUIRED), "
    "or a certificate of your own (ssl_cert=…, ssl_key=…)."
)
_MAY_WANT_TLS = (1045, 3159)  # MariaDB denies access where MySQL says that it wants TLS

_PASSING = (1040, 1053, 1203, 1927)  # no connection is left, the server shuts down, the connection was killed
_LASTING = (2026, 2047, 2049, 2054, 2059, 2061)  # the client's: no TLS, and ways to log in that it doesn't know


def _ours(code: int, text: str, where: str) -> DeltaLakeDBError:
    lost = code == 0 or _FIRST_OF_CLIENT <= code <= _LAST_OF_CLIENT
    if lost or code in _NO_CONNECTION:
        untrusted = "certificate verify failed" in text
        silent = lost and not untrusted and code not in _LASTING
        return DatabaseConnectionError(
            f"Database connection failed: {where} ({text})",
            _CERTIFICATES if untrusted else _DENIED if code in _MAY_WANT_TLS else _hint(code, text),
            transient=code in _PASSING or (silent and not is_unknown_host(text)),
            silent=silent,
        )
    if code in _DISK_FULL or re.search(r"\b(errno|Errcode|error):? ?28\b", text):
        return DiskFullError(f"Disk space exhausted: {where} ({text})", "Free some space, then go on with --resume.")
    if code in _NOT_ALLOWED:
        return PermissionDeniedError(
            f"Permission denied: {where} ({text})", "`deltalakedb grants` prints what a role needs."
        )
    if code in _TIMEOUT:
        return DatabaseTimeoutError(
            f"The database gave up: {where} ({text})",
            "Raise the timeout (--statement-timeout, or the server's own), or take a smaller --batch-size.",
        )
    if code in _BUSY:
        return DatabaseBusyError(f"The database is busy: {where} ({text})", "Try again.")
    hint = "Raise max_allowed_packet on the server, then go on with --resume." if code in _TOO_LARGE else None
    return CatalogError(f"The database refused: {text} ({where})", hint)


def _hint(code: int, text: str) -> str:
    """Returns what to do about a connection that failed with this error of the server."""
    if code == _NO_DATABASE:
        return "Name the database in the URL: mysql://user@host/database."
    missing = re.search("'(.+)'", text) if code == _UNKNOWN_DATABASE else None
    if missing is None:
        return _HINT
    name = missing[1].replace("`", "``")
    return f"If the name is right, make it on the server: CREATE DATABASE `{name}`;"


def _arguments(url: URL) -> dict[str, Any]:
    where = url.set(query={}).render_as_string(hide_password=True)
    try:
        return arguments({name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()})
    except (ValueError, OSError) as error:
        text = error if isinstance(error, ValueError) else f"TLS: {error}"
        raise DatabaseConnectionError(
            f"Database connection failed: {where} ({text})", "Check the options of the URL."
        ) from None  # the error's own text may have a password


def _portions(pieces: Iterable[Packed]) -> Iterator[list[bytes]]:
    """Yields rows in portions that are there before their statement begins: of LOADs, MariaDB lets one at a time go on.

    Not all at once, so that whoever makes the rows goes on meanwhile.
    """
    portion: list[bytes] = []
    for packed in pieces:
        portion.append(packed.data)
        if sum(map(len, portion)) >= LOAD_BYTES:
            yield portion
            portion = []
    if portion:
        yield portion


def _check_sizes(table: str, table_id: str, data: Iterable[bytes], most_bytes: int) -> None:
    """Refuses a row that the server could not give back in one packet, or not even take."""
    for piece in data:
        if len(piece) >= most_bytes and (size := max(map(len, piece.split(b"\n")))) >= most_bytes:
            raise CatalogError(
                f"The database refused: a row of {table} for {table_id} has {size:,} bytes, and the server's "
                f"max_allowed_packet is {most_bytes:,}",
                f"Raise it, as by SET GLOBAL max_allowed_packet = {2 << size.bit_length()} and in the server's "
                "configuration, then go on with --resume.",
            )


def _load_local(
    driver: StreamingConnection, table: str, columns: Sequence[str], owner: str, data: Sequence[bytes]
) -> bool:
    """Appends rows by `LOAD DATA LOCAL`; returns whether the server allowed it."""
    from pymysql.err import MySQLError

    names = ", ".join(f"`{name}`" for name in columns)
    statement = f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {table} {LIKE} ({names}) SET table_id = {owner}"
    try:
        loaded, warnings = driver.load_local(statement, data)
    except MySQLError as error:
        if error.args and error.args[0] in _NO_LOCAL_LOAD:
            return False
        raise
    sent = sum(piece.count(b"\n") for piece in data)
    if loaded != sent or warnings:  # with LOCAL, what is an error elsewhere changes or leaves out a value here
        with driver.cursor() as cursor:
            cursor.execute("SHOW WARNINGS LIMIT 1")
            why = cursor.fetchone()
        raise CatalogError(f"The database refused: {loaded} of {sent} rows came into {table} whole ({why and why[-1]})")
    return True


def _insert(
    driver: StreamingConnection, table: str, columns: Sequence[str], owner: str, data: Sequence[bytes], most_bytes: int
) -> None:
    names = ", ".join(f"`{name}`" for name in ("table_id", *columns))
    head = f"INSERT INTO {table} ({names}) VALUES ".encode()
    with driver.cursor() as cursor:
        for piece in data:
            for values in insert_values(piece, owner.encode(), most_bytes):
                cursor.execute(head + values)
